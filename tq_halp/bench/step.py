"""Time training steps of the PTB LSTM (1 x 128, 32 x 35 tokens, 10,000 words) against Keras'."""

import argparse

from tq_halp.bench import arguments

PURPOSE = "a training step of each algorithm against Keras' own"

STEPS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    text = "timed turns; the fastest one counts, default: %(default)s"
    parser.add_argument("--repeats", type=arguments.at_least_one, default=5, metavar="N", help=text)


def run(options: argparse.Namespace) -> None:
    """Measures and prints the table."""
    from tq_halp.running.quiet import start_tensorflow

    start_tensorflow()
    import keras
    import numpy as np

    import tq_halp
    from tq_halp.bench import report
    from tq_halp.bench.timing import in_turn
    from tq_halp.models import lstm_language_model

    x, y = np.random.default_rng(0).integers(0, 10_000, (2, STEPS * 32, 35), dtype="int32")
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
    best = {name: min(seconds) for name, seconds in in_turn(tasks, options.repeats).items()}
    title = (
        f"{STEPS} steps of the PTB LSTM, and a snapshot of as many minibatches where there is one"
    )
    rows = [(name, f"{s:.2f}", f"{s / best['Keras']:.2f}") for name, s in best.items()]
    report.show(title, ("algorithm", "seconds", "ratio to Keras"), rows)
