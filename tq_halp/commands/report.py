"""`python -m tq_halp.report`: ranges and quantization errors of a saved model's tensors."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tq_halp.commands.exit_status import FAILED, FINISHED, answer
from tq_halp.commands.shared_options import add_imports
from tq_halp.errors import InputError
from tq_halp.first_non_finite import first_non_finite, place

if TYPE_CHECKING:
    import keras

    from tq_halp.analysis import Report

ARRAYS = ("x", "y", "sample_weight")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns the exit status: 0 done, 1 failed, 2 wrong input.

    Args:
        arguments: those of the command line; None takes them from `sys.argv`.
    """
    options = parser().parse_args(arguments)
    return answer(lambda: _run(options), failed="failed", interrupted=FAILED)


def parser() -> argparse.ArgumentParser:
    """The parser of the command's arguments."""
    made = argparse.ArgumentParser(
        prog="tq-halp report",
        description="Show what number formats do to a model's tensors, or which would suit them.",
        epilog="Exit status: 0 done, 1 the run failed, 2 wrong input.",
    )
    add = made.add_argument
    add("--model", required=True, metavar="MODEL.keras", help="a saved model, quantized or not")
    add(
        "--data",
        required=True,
        metavar="FILE.npz",
        help="arrays x and, for gradients, y; or x_train and y_train",
    )
    add_imports(made)
    add("--html", metavar="OUT", help="also write a page with plots")
    add(
        "--loss",
        metavar="NAME",
        help="a Keras loss in place of the one that the model is compiled with",
    )
    add("--batch-size", type=int, default=32, metavar="N", help="examples per batch (32)")
    add("--batches", type=int, metavar="N", help="maximum number of batches (all)")
    add("--word-bits", type=int, default=8, metavar="N", help="word bits of suggested formats (8)")
    return made


def _run(options: argparse.Namespace) -> int:
    # Before TensorFlow starts: a wrong file is reported at once.
    data = _data(options.data)
    if not Path(options.model).is_file():
        raise InputError(f"--model {options.model}: no such file")
    if options.html is not None and not Path(options.html).absolute().parent.is_dir():
        raise InputError(f"--html {options.html}: no such folder")
    made = _report(_model(options.model, options.imports), data, options)
    print(made)
    if options.html is not None:
        made.save_html(options.html)
        print(options.html)
    return FINISHED


def _data(path: str) -> tuple[np.ndarray, ...]:
    """The arrays of an .npz file: (x,), (x, y) or (x, y, sample_weight).

    A file for training, with x_train and y_train, serves as well.

    Raises:
        InputError: the file cannot be read, lacks x, holds other arrays, or numbers that are not
            finite.
    """
    from tq_halp.data import read_npz

    try:
        arrays = read_npz(Path(path))
    except InputError as error:
        raise InputError(f"--data {error}") from error
    if "x_train" in arrays:  # The arrays of the train command.
        arrays = {n: arrays[f"{n}_train"] for n in ("x", "y") if f"{n}_train" in arrays}
    if "x" not in arrays or not set(arrays) <= set(ARRAYS):
        raise InputError(
            f"--data {path}: must hold arrays named x and, for gradients, y and sample_weight, or "
            f"x_train and y_train. Received: {', '.join(arrays) or 'none'}"
        )
    for name, array in arrays.items():
        floating = np.issubdtype(array.dtype, np.inexact)
        if floating and (index := first_non_finite(array)) is not None:
            raise InputError(
                f"--data {path}: {name}{place(index)} is {array[index]}, expected a finite number"
            )
    if "sample_weight" in arrays and "y" not in arrays:
        raise InputError(f"--data {path}: holds sample_weight without y")
    return tuple(arrays[name] for name in ARRAYS if name in arrays)


def _model(path: str, imports: Sequence[str]) -> "keras.Model":
    """The saved model, compiled as it was saved.

    Raises:
        InputError: it cannot be loaded.
    """
    from tq_halp.commands.running.tf_startup import start_tensorflow

    start_tensorflow()
    from tq_halp.commands.running.load_keras_model import load_model

    try:
        return load_model(path, imports, compile=True)
    except InputError as error:
        raise InputError(f"--model {error}") from error


def _report(
    model: "keras.Model", data: tuple[np.ndarray, ...], options: argparse.Namespace
) -> "Report":
    from tq_halp.analysis import report

    return report(
        model,
        data,
        loss=options.loss,
        batch_size=options.batch_size,
        batches=options.batches,
        word_bits=options.word_bits,
    )
