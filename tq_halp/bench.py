"""`python -m tq_halp.bench [ops | step]`: what emulation costs, as ratios taken in one run."""

import argparse
import sys
import time


def main(arguments=None) -> int:
    """Run the command; returns the exit status: 0 done, 2 wrong input."""
    parser = argparse.ArgumentParser(
        prog="tq-halp bench",
        description="Time the ops against a copy, or a training step against Keras' own.",
    )
    parser.add_argument("what", nargs="?", default="ops", choices=("ops", "step"))
    parser.add_argument("--size", type=int, default=2**24, help="elements per tensor, for ops")
    parser.add_argument("--repeats", type=int, default=5, help="timed turns; the best one counts")
    options = parser.parse_args(arguments)
    for name in ("size", "repeats"):
        if getattr(options, name) < 1:
            parser.error(f"--{name} must be at least 1, received {getattr(options, name)}")
    from tq_halp.running.quiet import start_tensorflow

    start_tensorflow()
    if options.what == "ops":
        _bench_ops(options.size, options.repeats)
    else:
        _bench_step(options.repeats)
    return 0


def _in_turn(tasks, repeats):
    """Best seconds of each task. All take turns, so that a machine that drifts drifts for all."""
    best = dict.fromkeys(tasks, float("inf"))
    for task in tasks.values():
        task()
    for _ in range(repeats):
        for name, task in tasks.items():
            start = time.perf_counter()
            task()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def _bench_ops(size, repeats):
    import tensorflow as tf

    import quant_ops

    # One function per row is what a benchmark is for, not the retracing TensorFlow takes it for.
    tf.get_logger().setLevel("ERROR")
    console, table = _table(
        f"{size:,} elements, {quant_ops.backend()} backend",
        ("op", "rounding", "dtype", "Melem/s", "ratio to x * c"),
    )
    for dtype in (tf.float32, tf.float64, tf.bfloat16, tf.float16):
        x = tf.cast(tf.random.stateless_normal([size], seed=[1, 2]), dtype)
        tasks = {("x * c", "", dtype.name): tf.function(lambda x=x: x * tf.constant(1.5, x.dtype))}
        for rounding in ("nearest_even", "stochastic"):
            tasks["fixed_point", rounding, dtype.name] = tf.function(
                lambda x=x, r=rounding: quant_ops.fixed_point(x, 8, 4, rounding=r)
            )
            tasks["scaled_integer", rounding, dtype.name] = tf.function(
                lambda x=x, r=rounding: quant_ops.scaled_integer(x, 0.03, 8, rounding=r)
            )
        times = _in_turn(tasks, repeats)
        copy = times["x * c", "", dtype.name]
        for key, seconds in times.items():
            table.add_row(*key, f"{size / seconds / 1e6:,.0f}", f"{copy / seconds:.2f}")
    console.print(table)


def _bench_step(repeats, steps=10):
    """A training step of the PTB LSTM (1 x 128, 32 x 35 tokens, 10,000 words)."""
    import keras
    import numpy as np

    import tq_halp
    from tq_halp.models import lstm_language_model

    x, y = np.random.default_rng(0).integers(0, 10_000, (2, steps * 32, 35), dtype="int32")
    grid = tq_halp.formats.FixedPoint(8, 6)
    kinds = {
        "Keras": lambda model: model,
        "SGD": tq_halp.SGD,
        "LP-SGD, 8 bits": lambda model: tq_halp.LowPrecisionSGD(model, grid),
        "SVRG": tq_halp.SVRG,
        "HALP, 8 bits": tq_halp.HALP,
    }
    tasks = {}
    for name, wrap in kinds.items():
        trainer = wrap(lstm_language_model(10_000))
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        trainer.compile(keras.optimizers.SGD(1.0), loss=loss)
        tasks[name] = lambda trainer=trainer: trainer.fit(x, y, batch_size=32, verbose=0)
    times = _in_turn(tasks, repeats)
    console, table = _table(
        f"{steps} steps of the PTB LSTM, and a snapshot of as many minibatches where there is one",
        ("algorithm", "seconds", "ratio to Keras"),
    )
    for name, seconds in times.items():
        table.add_row(name, f"{seconds:.2f}", f"{seconds / times['Keras']:.2f}")
    console.print(table)


def _table(title, columns):
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for column in columns:
        table.add_column(column)
    return Console(), table


if __name__ == "__main__":
    sys.exit(main())
