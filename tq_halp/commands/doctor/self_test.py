"""Computations with known results: every op, two steps of HALP, an epoch of the linear solver."""

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from tq_halp.commands.doctor.finding import FAILURE, OK, Finding

if TYPE_CHECKING:
    import numpy as np

REMEDY = "remove quant_ops/lib and run python -m quant_ops.build; if that does not help, report it"


def ops() -> Iterator[Finding]:
    """Every op on the same numbers; the native backend must give the bits of the composite one."""
    import quant_ops
    from quant_ops.library import LIBRARY, forced

    start, x, every = time.perf_counter(), _words(), _ops()
    with forced("composite"):
        example = quant_ops.fixed_point([0.3, -1.7, 9.0], 8, 4).numpy().tolist()
        expected = {name: op(x).numpy().tobytes() for name, op in every.items()}
    wrong = [] if example == [0.3125, -1.6875, 7.9375] else ["fixed_point, known values"]
    native = LIBRARY.load() is not None
    if native:
        with forced("native"):
            wrong += [
                name for name, op in every.items() if op(x).numpy().tobytes() != expected[name]
            ]
    compared = "native and composite equal" if native else "composite only"
    yield _outcome("ops", f"{len(every)} ops, {compared}", start, wrong)


def halp() -> Iterator[Finding]:
    """Two epochs of one snapshot and one step on a model of three weights: the loss must fall."""
    import keras
    import numpy as np

    from tq_halp.algorithms import HALP

    start = time.perf_counter()
    x = np.eye(3, dtype="float32")
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    trainer = HALP(keras.Sequential([keras.Input((3,)), layer]), word_bits=8)
    trainer.compile(optimizer=keras.optimizers.SGD(0.5), loss="mse")
    history = trainer.fit(x, x.sum(1), batch_size=3, epochs=2, verbose=0).history
    first, second = history["loss"]
    wrong = [] if second < first else [f"loss {first:g}, then {second:g}"]
    yield _outcome("HALP", f"loss {first:.3g}, then {second:.3g}", start, wrong)


def solver() -> Iterator[Finding]:
    """An outer epoch of LM-HALP on least squares: the gradient must shrink."""
    import numpy as np

    import quant_ops

    start = time.perf_counter()
    x = np.eye(8, dtype="float32")
    try:
        made = quant_ops.LinearSolver(x, np.arange(8.0), loss="squared", batch_size=8)
    except RuntimeError:
        yield Finding("self-test: linear solver", OK, "not there: it needs the linear engine")
        return
    before = made.measurement["gradient_norm"]
    after = made.epoch(learning_rate=1.0, steps=16)["gradient_norm"]
    wrong = [] if after < before else [f"gradient {before:g}, then {after:g}"]
    yield _outcome("linear solver", f"gradient {before:.3g}, then {after:.3g}", start, wrong)


def _ops() -> dict[str, Callable]:
    """Name -> op with fixed arguments."""
    import tensorflow as tf

    import quant_ops

    rounded = {"rounding": "stochastic", "seed": 1, "counter": 2}
    sums = {"word_bits": 16, "frac_bits": 8, **rounded}
    return {
        "fixed_point": lambda x: quant_ops.fixed_point(x, 8, 4, **rounded),
        "scaled_integer": lambda x: quant_ops.scaled_integer(x, 0.1, 8, **rounded),
        "minifloat": lambda x: quant_ops.minifloat(x, 4, 3, **rounded),
        "power_of_two": lambda x: quant_ops.power_of_two(x, -8, 7, **rounded),
        "block_float": lambda x: quant_ops.block_float(x, 8, block_size=32, **rounded),
        "mx": lambda x: quant_ops.mx(x, "float8_e4m3fn", **rounded),
        "binary": lambda x: quant_ops.binary(x),
        "ternary": lambda x: quant_ops.ternary(x),
        "sparse": lambda x: quant_ops.sparse(x, 0.5),
        "matmul_rounded": lambda x: quant_ops.matmul_rounded(
            x[:, :32], tf.transpose(x[:, :32]), "fixed_point", every=8, **sums
        ),
    }


def _words() -> "np.ndarray":
    """Small and large numbers of both signs, zeros and infinities, float32 [2, 64]."""
    import numpy as np

    x = np.ldexp(np.linspace(-1, 1, 126), np.arange(126) % 12 - 6).astype(np.float32)
    return np.append(x, [np.inf, -np.inf]).astype(np.float32).reshape(2, 64)


def _outcome(name: str, found: str, start: float, wrong: list[str]) -> Finding:
    """The finding of a self-test: FAILURE if anything is wrong, else OK with the time it took."""
    if wrong:
        return Finding(f"self-test: {name}", FAILURE, f"wrong: {', '.join(wrong)}", REMEDY)
    seconds = time.perf_counter() - start
    return Finding(f"self-test: {name}", OK, f"{found}, {seconds:.1f} s")
