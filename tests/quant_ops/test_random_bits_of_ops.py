"""Stochastic rounding: its bits are the documented ones, for any backend, thread count and process.

That they are random enough is in test_stochastic_statistics.py.
"""

import functools
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import linear_runs
import numpy as np
import oracle_arrays
import pytest
import quantization_oracle as oracle
import tensorflow as tf
from carrier_values import BACKENDS, DTYPES, to_floats

import quant_ops
from quant_ops.composite import counter_rng
from quant_ops.library import forced

# By quantization_oracle.random_bits, which is Python integers only.
GOLDEN = {
    (0, 0, 0): 0x41ABDF87,
    (0, 0, 1): 0x6A0A1CA6,
    (1, 0, 0): 0x100BDB51,
    (0, 1, 0): 0x927DBDCC,
    (-1, 7, 12345): 0x420344C8,
    (1 << 40, -(1 << 63), 4294967295): 0x27464B07,
    (3, 5, (1 << 32) + 2): 0x43EE26FD,
}


def test_golden_bits():
    assert {key: oracle.random_bits(*key) for key in GOLDEN} == GOLDEN


@pytest.mark.parametrize("seed, counter", [(0, 0), (-1, 2), (1 << 40, -(1 << 63)), (2**63 - 1, 5)])
def test_composite_bits(seed, counter):
    seed, counter = tf.constant(seed, tf.int64), tf.constant(counter, tf.int64)
    bits = counter_rng.random_bits31(tf.constant([10, 50]), seed, counter)
    expected = [oracle.random_bits(int(seed), int(counter), i) >> 1 for i in range(500)]
    assert bits.numpy().ravel().tolist() == expected


def test_seeds_do_not_share_a_permuted_stream():
    """Without the second key, seed s would yield seed 0's numbers at indices xored by a constant:
    then one of them, on a range closed under xor, would be the same *set* of 2^16 numbers."""
    shape = tf.constant([1 << 16])
    zero = tf.zeros([], tf.int64)
    sets = [
        set(counter_rng.random_bits31(shape, zero + seed, zero).numpy().tolist())
        for seed in range(4)
    ]
    # Two random sets of 2^16 out of 2^31 share 2 on average; 30 is beyond any doubt.
    assert all(len(a & b) < 30 for i, a in enumerate(sets) for b in sets[:i])


# Each with steps of 1 around 0; in blocks of two, the first element sets the scale.
STEPS_OF_ONE = {
    "fixed_point": functools.partial(quant_ops.fixed_point, word_bits=8, frac_bits=0),
    "scaled_integer": functools.partial(quant_ops.scaled_integer, scale=1.0, word_bits=8),
    "minifloat": functools.partial(
        quant_ops.minifloat, exponent_bits=3, mantissa_bits=2, exponent_bias=-1
    ),
    "no subnormals": functools.partial(
        quant_ops.minifloat, exponent_bits=3, mantissa_bits=2, exponent_bias=1, subnormals=False
    ),
    "power_of_two": functools.partial(quant_ops.power_of_two, min_exponent=0, max_exponent=3),
    "block_float": functools.partial(quant_ops.block_float, word_bits=4, block_size=2),
    "mx": functools.partial(quant_ops.mx, element="float4_e2m1fn", block_size=2),
    "mx, int8": functools.partial(quant_ops.mx, element="int8", block_size=2),
}
FIRST = {"block_float": 4.0, "mx": 8.0, "mx, int8": 64.0}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", STEPS_OF_ONE)
def test_the_chance_is_exact(name, backend):
    """Fractions that miss their element's own bits by one part in 2^31 or, in a narrower dtype, by
    the float's distance to the next: away from zero only if bits31 < floor(f 2^31)."""
    seed, counter, count = 11, -12, 5000
    bits = oracle_arrays.random_bits31(seed, counter, count)
    for dtype in DTYPES:
        for more in (-1, 0, 1, 2):
            fractions = ((bits + more) * 2.0**-31).astype(tf.as_dtype(dtype).as_numpy_dtype)
            fractions[fractions >= 1] = 0
            exact = fractions.astype(np.float64)  # exactly, and so is the product below
            away = bits < np.floor(exact * 2.0**31)
            fractions[::2], away[::2] = -fractions[::2], away[::2]
            counted = slice(None)
            if name in FIRST:
                fractions[::2], counted = FIRST[name], slice(1, None, 2)
            how = {"rounding": "stochastic", "seed": seed, "counter": counter}
            with forced(backend):
                result = STEPS_OF_ONE[name](tf.constant(fractions), **how)
            moved = np.array(to_floats(result)) != 0
            assert (moved[counted] == away[counted]).all(), (dtype, more)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_chance_of_binary_is_exact(backend):
    bits = oracle_arrays.random_bits31(11, -12, 5000)
    for more in (-1, 0, 1, 2):
        x = (bits + more) * 2.0**-30 - 1  # +level with probability (bits + more) 2^-31
        with forced(backend):
            result = quant_ops.binary(x, rounding="stochastic", seed=11, counter=-12)
        assert ((result.numpy() == 1) == (more > 0)).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_seed_and_counter_may_be_tensors(backend):
    x = tf.fill([1000], 0.5)

    @tf.function
    def quantize(seed, counter):
        return quant_ops.fixed_point(x, 8, 0, rounding="stochastic", seed=seed, counter=counter)

    with forced(backend):
        for seed, counter in ((0, 0), (-9, 1 << 50)):
            expected = quant_ops.fixed_point(
                x, 8, 0, rounding="stochastic", seed=seed, counter=counter
            )
            result = quantize(tf.constant(seed, tf.int64), tf.constant(counter, tf.int64))
            assert (result.numpy() == expected.numpy()).all()


DIGEST = """
import sys
import tensorflow as tf
tf.config.threading.set_intra_op_parallelism_threads(int(sys.argv[1]))
sys.path.insert(0, sys.argv[2])
import linear_runs
from test_random_bits_of_ops import digest
print(digest(), linear_runs.digest(linear_runs.results()))
"""


@functools.cache
def digest() -> str:
    """A hash over every native op's results: large enough to be cut into many shards."""
    from carrier_values import OVERFLOWS, ROUNDINGS, from_bits, spread, to_bits
    from every_op import LEVELS, ROUNDED

    results, stream = [], {"seed": 1, "counter": 2}
    for dtype in DTYPES:
        x = from_bits(spread(dtype, 100_002, 0.1, seed=3), dtype)
        results += [quantize(x) for quantize in LEVELS.values()]
        for rounding in ROUNDINGS:
            results += [quantize(x, rounding=rounding, **stream) for quantize in ROUNDED.values()]
            for overflow in OVERFLOWS:
                how = {"rounding": rounding, "overflow": overflow, **stream}
                results.append(quant_ops.fixed_point(x, 40, 70, signed=False, **how))
            results.append(quant_ops.mx(x, "int8", block_size=50_001, rounding=rounding, **stream))
            columns = tf.reshape(x, [6, -1])
            results.append(quant_ops.mx(columns, block_size=3, axis=0, rounding=rounding, **stream))
    a, b = (tf.random.stateless_normal(s, [1, 2]) for s in ([100, 70], [70, 200]))
    for rounding in ROUNDINGS:
        how = {"every": 3, "rounding": rounding, **stream}
        fixed = {"word_bits": 8, "frac_bits": 4, **how}
        results.append(quant_ops.matmul_rounded(a, b, "fixed_point", **fixed))
        floating = {"exponent_bits": 4, "mantissa_bits": 3, **how}
        results.append(quant_ops.matmul_rounded(a, b, "minifloat", **floating))
    total = hashlib.sha256()
    for result in results:
        total.update(to_bits(result).tobytes())
    return total.hexdigest()


@pytest.mark.parametrize("threads, isa", [(1, "portable"), (7, "avx2")])
def test_same_bits_for_any_threads_instruction_set_and_process(threads, isa):
    """Of the ops, and of the linear solvers. This process has the machine's best instruction set
    and as many threads as cores. Where the machine lacks a set, the next lower one runs."""
    root, here = Path(__file__).parents[2], Path(__file__).parent
    environment = os.environ | {
        "QUANT_OPS_ISA": isa,
        "QUANT_OPS_BACKEND": "native",
        "PYTHONPATH": os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")]),
    }
    done = subprocess.run(
        [sys.executable, "-c", DIGEST, str(threads), str(here)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    with forced("native"):
        expected = [digest(), linear_runs.digest(linear_runs.results())]
    assert done.stdout.split()[-2:] == expected
