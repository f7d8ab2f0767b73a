"""Time training steps and snapshots of the PTB LSTM (1 x 128, 32 x 35 tokens, 10,000 words).

A step is compared with Keras' own. A snapshot is compared, per minibatch of its pass, with a
compiled function that computes the gradients of the minibatch and nothing else. All take turns.
"""

import argparse

from tq_halp.commands.bench import arguments

PURPOSE = "a training step of each algorithm against Keras' own"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the benchmark's options."""
    for name, default, text in (
        ("repeats", 5, "timed turns, default: %(default)s"),
        ("steps", 12, "of a turn, and minibatches of a snapshot, default: %(default)s"),
    ):
        parser.add_argument(
            f"--{name}", type=arguments.at_least_one, default=default, metavar="N", help=text
        )


def run(options: argparse.Namespace) -> None:
    """Measures and prints the tables."""
    from tq_halp.commands.running.tf_startup import start_tensorflow

    start_tensorflow()
    import numpy as np

    from tq_halp.commands.bench import results_table, step_race
    from tq_halp.models import lstm_language_model

    shape = (2, options.steps * 32, 35)
    race = step_race.StepRace(
        lambda: lstm_language_model(10_000),
        np.random.default_rng(0).integers(0, 10_000, shape, dtype="int32"),
        batch_size=32,
        learning_rate=1.0,
    )
    title = f"The PTB LSTM, {options.repeats} turns of {options.steps} minibatches"
    for what, seconds in (
        ("step", race.steps(options.repeats)),
        ("snapshot", race.snapshots(options.repeats)),
    ):
        rows = [
            (row["what"], *(f"{1e3 * row[name]:.1f}" for name in ("median", "quartile")))
            + (f"{row['ratio']:.2f}",)
            for row in step_race.summary(seconds)
        ]
        columns = (what, "median, ms", "first quartile, ms", "ratio")
        results_table.show(f"{title}: a {what}, per minibatch", columns, rows)
