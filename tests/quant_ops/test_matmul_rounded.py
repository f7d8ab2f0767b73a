"""`matmul_rounded`: by hand, exhaustively in integers, and against an oracle in fractions."""

import itertools

import numpy as np
import oracle_matmul
import pytest
import tensorflow as tf
from carrier_values import BACKENDS, ROUNDINGS, canonical_nan, to_bits
from hypothesis import given, settings, strategies as st

import quant_ops
from quant_ops.library import forced


@pytest.fixture(params=BACKENDS)
def backend(request):
    with forced(request.param):
        yield


def fixed(a, b, **how):
    return quant_ops.matmul_rounded(a, b, "fixed_point", **how)


@pytest.mark.parametrize(
    "every, overflow, expected",
    [
        (1, "saturate", 1),  # 5; 10 -> 7; 7 - 6
        (2, "saturate", 1),  # 10 -> 7; 7 - 6
        (3, "saturate", 4),
        (1, "wrap", 4),  # 5; 10 -> -6; -12 -> 4
        (1 << 62, "wrap", 4),
    ],
)
def test_saturation_by_hand(backend, every, overflow, expected):
    """Words of 4 bits: -8 .. 7."""
    result = fixed(
        [[5.0, 5.0, -6.0]], [[1.0]] * 3, every=every, word_bits=4, frac_bits=0, overflow=overflow
    )
    assert result.numpy().tolist() == [[expected]]


def test_swamping_by_hand(backend):
    """With 3 significant bits 8 + 1 is a tie, which goes back to 8: a sum of ones ends there."""
    ones = np.ones((1, 100), np.float32)
    result = [
        quant_ops.matmul_rounded(
            ones, ones.T, "minifloat", every=every, exponent_bits=5, mantissa_bits=2
        ).numpy()
        for every in (1, 2, 100)
    ]
    assert result == [8, 16, 96]  # 16 + 2 is a tie too; 100 is one of 96 and 112


# The finest products are multiples of 1/4, the grid's step is 1/2.
@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("rounding", ["nearest_even", "nearest_away", "down", "toward_zero"])
def test_all_small_sums(backend, rounding, every):
    """Every row of three values and every column of three, in integers."""
    values = np.array(list(itertools.product(range(-3, 4), repeat=3)))
    total = np.zeros((len(values), len(values)), np.int64)
    for i in range(3):
        total += values[:, i, None] * values[None, :, i]
        if i % every == every - 1 or i == 2:
            half, odd = total // 2, total % 2
            steps = {
                "nearest_even": half + (odd & half % 2),
                "nearest_away": half + (odd & (total > 0)),
                "down": half,
                "toward_zero": half + (odd & (total < 0)),
            }[rounding]
            total = 2 * np.clip(steps, -8, 7)
    half = (values / 2).astype(np.float32)
    result = fixed(half, half.T.copy(), every=every, word_bits=4, frac_bits=1, rounding=rounding)
    assert (result.numpy() == total / 4).all()


def matrices(rows, terms, columns, seed=0):
    """Of all kinds: many magnitudes, subnormals, infinities and a NaN among mostly small numbers"""
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((rows, terms)).astype(np.float32)
    b = rng.standard_normal((terms, columns)).astype(np.float32)
    if rows > 3 and columns > 3:
        a[0] *= np.float32(2.0) ** rng.integers(-20, 20, terms).astype(np.float32)
        a[1], b[:, 1] = 1e-40, 3e38
        a[2, terms // 2], a[3, 0], b[-1, 2] = np.inf, np.nan, -np.inf
    return a, b


FORMATS = [
    ("fixed_point", {"word_bits": 8, "frac_bits": 5}),
    ("fixed_point", {"word_bits": 6, "frac_bits": 3, "overflow": "wrap"}),
    ("fixed_point", {"word_bits": 6, "frac_bits": 3, "signed": False, "overflow": "wrap"}),
    ("fixed_point", {"word_bits": 32, "frac_bits": 28}),  # more than float32's 24 bits
    ("fixed_point", {"word_bits": 60, "frac_bits": 300}),
    ("minifloat", {"exponent_bits": 4, "mantissa_bits": 3, "specials": "nan"}),
    ("minifloat", {"exponent_bits": 5, "mantissa_bits": 10, "overflow": "infinity"}),
    ("minifloat", {"exponent_bits": 8, "mantissa_bits": 23}),
    ("minifloat", {"exponent_bits": 3, "mantissa_bits": 2, "subnormals": False}),
    ("minifloat", {"exponent_bits": 5, "mantissa_bits": 0, "specials": "fnuz"}),
]


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_oracle(rounding):
    """The first backend; that the other one agrees is shown below."""
    a, b = matrices(5, 11, 4)
    for (format, arguments), every in itertools.product(FORMATS, (1, 4)):
        how = {"every": every, "rounding": rounding, "seed": -3, "counter": 1 << 40, **arguments}
        expected = oracle_matmul.matmul_rounded(a, b, format, **how)
        with forced(BACKENDS[0]):
            result = quant_ops.matmul_rounded(a, b, format, **how).numpy()
        want = to_bits(expected.astype(np.float32))
        want = np.where(np.isnan(expected), canonical_nan("float32"), want)
        assert (expected.astype(np.float32) == expected)[~np.isnan(expected)].all()
        assert (to_bits(result) == want).all(), (format, how)


def test_backends_agree():
    """Over several tiles, blocks that end within and beyond what is loaded at a time."""
    for number, (format, arguments) in enumerate(FORMATS):
        for rounding, every in zip(ROUNDINGS, (1, 7, 40, 99, 2, 35, 5), strict=True):
            if (number + every) % 2 == 0:
                continue  # half of them is enough
            a, b = matrices(35, 70, 67, seed=number)
            how = {"every": every, "rounding": rounding, "seed": 5, "counter": -6, **arguments}
            results = []
            for backend in ("native", "composite"):
                with forced(backend):
                    results.append(to_bits(quant_ops.matmul_rounded(a, b, format, **how)))
            assert (results[0] == results[1]).all(), (format, how)


def test_the_composite_under_xla():
    a, b = matrices(5, 9, 6)
    for format, arguments in FORMATS[1], FORMATS[6]:

        def product(a, b, f=format, how=arguments):
            how = {"every": 4, "rounding": "stochastic", **how}
            return quant_ops.matmul_rounded(a, b, f, **how)

        with forced("composite"):
            compiled = tf.function(product, jit_compile=True)(a, b)
            assert (to_bits(compiled) == to_bits(product(a, b))).all()


@pytest.mark.parametrize("every", [64, 65, 1000])
def test_a_block_of_all_terms_is_the_product_quantized(backend, every):
    """Small integers: float32 sums are exact."""
    rng = np.random.default_rng(1)
    a, b = (rng.integers(-9, 10, s).astype(np.float32) / 4 for s in ((3, 64), (64, 5)))
    grid = {"word_bits": 7, "frac_bits": 1}
    expected = quant_ops.fixed_point(a @ b, **grid)
    assert (fixed(a, b, every=every, **grid).numpy() == expected.numpy()).all()


def test_random_bits_of_blocks_are_independent(backend):
    """64 times 1/4 of a step: the mean is 16, the variance 64 * 1/4 * 3/4 = 12. Were the bits of
    all blocks the same, it would be 64 times that. 4096 samples, so that the mean's standard
    deviation is 0.054 and the variance's about 0.27; the bounds are five of them."""
    b = np.full((64, 4096), 0.25, np.float32)
    y = fixed(np.ones((1, 64), np.float32), b, word_bits=8, frac_bits=0, rounding="stochastic")
    assert abs(y.numpy().mean() - 16) < 0.27
    assert abs(y.numpy().var() - 12) < 1.4


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 3), max_size=2), *[st.integers(0, 70)] * 3, st.integers(1, 80),
    st.booleans(),
)  # fmt: skip
def test_any_shape(outer, rows, terms, columns, every, batched):
    """One matrix after another; also from a graph that knows only the ranks."""
    batched = batched and bool(outer)
    rng = np.random.default_rng(0)
    a = rng.integers(-3, 4, (*outer, rows, terms)).astype(np.float32)
    b = rng.integers(-3, 4, (*(outer if batched else ()), terms, columns)).astype(np.float32)
    how = {"every": every, "word_bits": 6, "frac_bits": 0}
    expected = np.zeros((*outer, rows, columns))
    for start in range(0, terms, every):
        here = slice(start, start + every)
        expected = np.clip(expected + a[..., here] @ b[..., here, :], -32, 31)
    with forced("native"):
        assert (fixed(a, b, **how).numpy() == expected).all()
        spec = [tf.TensorSpec([None] * a.ndim), tf.TensorSpec([None] * b.ndim)]
        graph = tf.function(lambda a, b: fixed(a, b, **how), input_signature=spec)
        assert (graph(a, b).numpy() == expected).all()


@pytest.mark.parametrize("shapes", [((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((5, 2, 3), (5, 3, 4))])
def test_gradient_is_that_of_the_product(backend, shapes):
    rng = np.random.default_rng(2)
    a, b = (tf.Variable(rng.integers(-4, 5, shape).astype(np.float32)) for shape in shapes)
    gradients = []
    for product in (lambda a, b: fixed(a, b, word_bits=3, frac_bits=0), tf.matmul):
        with tf.GradientTape() as tape:
            y = product(a, b)
            upstream = tf.reshape(tf.range(float(tf.size(y))), y.shape)
            loss = tf.reduce_sum(y * upstream)
        gradients.append(tape.gradient(loss, [a, b]))
    for rounded, plain in zip(*gradients, strict=True):
        assert (rounded.numpy() == plain.numpy()).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(backend, dtype):
    a, b = (tf.cast(x, dtype) for x in matrices(3, 20, 3))
    how = {"every": 3, "word_bits": 8, "frac_bits": 5}
    with tf.GradientTape() as tape:
        tape.watch([a, b])
        result = fixed(a, b, **how)
    expected = tf.cast(fixed(tf.cast(a, "float32"), tf.cast(b, "float32"), **how), dtype)
    assert result.dtype == dtype and (to_bits(result) == to_bits(expected)).all()
    assert [gradient.dtype for gradient in tape.gradient(result, [a, b])] == [dtype, dtype]


def test_seed_and_counter_may_be_tensors(backend):
    a, b = matrices(3, 8, 3)
    how = {"word_bits": 8, "frac_bits": 2, "rounding": "stochastic"}
    graph = tf.function(lambda seed, counter: fixed(a, b, seed=seed, counter=counter, **how))
    results = set()
    for seed, counter in ((0, 0), (1, 0), (0, 1)):
        result = graph(tf.constant(seed, tf.int64), tf.constant(counter, tf.int64)).numpy()
        assert (result == fixed(a, b, seed=seed, counter=counter, **how).numpy()).all()
        results.add(result.tobytes())
    assert len(results) == 3


A, B = np.ones((2, 3), np.float32), np.ones((3, 4), np.float32)
GRID = {"format": "fixed_point", "word_bits": 8, "frac_bits": 4}


@pytest.mark.parametrize(
    "changed, kind, message",
    [
        ({"every": 0}, ValueError, "every must be an integer from 1 to .*. Received: 0"),
        ({"every": 2.0}, ValueError, "every must be an integer from .*. Received: 2.0"),
        (
            {"format": "mx"},
            ValueError,
            "format must be one of fixed_point, minifloat. Received: 'mx'",
        ),
        ({"word_bits": 65}, ValueError, r"word_bits must be an integer from 1 to 64. Received: 65"),
        ({"overflow": "infinity"}, ValueError, "overflow must be one of saturate, wrap"),
        ({"mantissa_bits": 3}, ValueError, "'fixed_point' takes word_bits, .*mantissa_bits"),
        ({"format": "minifloat"}, ValueError, "'minifloat' takes exponent_bits, .*word_bits"),
        ({"b": B[:2]}, ValueError, r"b must be \[K, N\] .*. Received: \(2, 4\) for \(2, 3\)"),
        ({"a": A[None], "b": np.ones((2, 3, 4), np.float32)}, ValueError, "b must be"),
        ({"a": A[0]}, ValueError, r"a must have a known rank .* Received: shape \(3,\)"),
        ({"a": A.astype(np.float64)}, TypeError, "a must be float16, .* Received: float64"),
        ({"b": B.astype(np.float16)}, TypeError, "b must have the dtype of a, float32. Received:"),
        ({"a": A.astype(np.int32)}, TypeError, "a must be float16"),
        ({"seed": 0.5}, ValueError, "seed must be an integer or a scalar integer tensor"),
        (
            {"a": np.zeros((1 << 20, 0), np.float32), "b": np.zeros((0, 1 << 12), np.float32)},
            ValueError,
            r"a b must have fewer than 2\^32 elements. Received: shape \(1048576, 4096\)",
        ),
    ],
)
def test_errors(changed, kind, message):
    with pytest.raises(kind, match=message):
        quant_ops.matmul_rounded(**({"a": A, "b": B} | GRID | changed))
