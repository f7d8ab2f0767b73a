"""What LM-HALP's steps are made of, in NumPy: random bits and the losses' predictions, exact."""

import math

import numpy as np

U32, U64 = np.uint32, np.uint64
ORDER, BATCH, STEP = 0, 1, 2  # purposes of random bits


def mix64(state):
    state = (state ^ state >> U64(30)) * U64(0xBF58476D1CE4E5B9)
    state = (state ^ state >> U64(27)) * U64(0x94D049BB133111EB)
    return state ^ state >> U64(31)


def random_bits(seed, counter, index, index_high=0):
    """uint32 per element; `counter` and `index` are arrays or integers."""
    with np.errstate(over="ignore"):
        counter = np.asarray(counter, U64)
        state = mix64(np.asarray(seed & (2**64 - 1), U64) + U64(0x9E3779B97F4A7C15))
        state = mix64(state ^ mix64(counter + U64(0xD1B54A32D192ED03)))
        state = mix64(state ^ U64(index_high))
        k0, k1 = (state & U64(0xFFFFFFFF)).astype(U32), (state >> U64(32)).astype(U32)
        bits = np.asarray(index).astype(U32) ^ k0
        bits = (bits ^ bits >> U32(17)) * U32(0xED5AD4BB)
        bits = ((bits ^ bits >> U32(11)) + k1) * U32(0xAC4C1B51)
        bits = (bits ^ bits >> U32(15)) * U32(0x31848BAB)
        return bits ^ bits >> U32(14)


def draws_below(seed, purpose, counts, limits):
    bits = random_bits(seed, np.asarray(counts, U64) * U64(256) + U64(purpose), 0)
    return (bits.astype(U64) * np.asarray(limits, U64) >> U64(32)).astype(np.int64)


def row_order(seed, rows):
    """Fisher-Yates from the last row down."""
    order = list(range(rows))
    counts = np.arange(1, rows)
    for i, j in reversed(
        list(zip(counts, draws_below(seed, ORDER, counts, counts + 1), strict=True))
    ):
        order[i], order[j] = order[j], order[i]
    return np.array(order)


def exponential_parts(x):
    """2^k and expm1(r), x = k log 2 + r, in x's type."""
    real = x.dtype.type
    single = real is np.float32
    bits, terms, fraction, bias = (U32, 8, 23, 127) if single else (U64, 14, 52, 1023)
    high = float.fromhex("0x1.62e4p-1" if single else "0x1.62e42fefap-1")
    low = float.fromhex("0x1.7f7d1cp-20" if single else "0x1.cf79abc9e3b39p-40")
    reach = real(80 if single else 700)
    x = np.clip(x, -reach, reach)
    shift = real(1.5 * 2**fraction)
    shifted = x * real(1.4426950408889634) + shift
    k = shifted - shift
    r = (x - k * real(high)) - k * real(low)
    total = real(1) / real(math.factorial(terms))
    for n in range(terms - 1, 1, -1):
        total = total * r + real(1) / real(math.factorial(n))
    power = (shifted.view(bits) + bits(bias)) << bits(fraction)
    return power.view(real), r + r * r * total


def exponential(x):
    power, rest = exponential_parts(x)
    return power + power * rest


def exponential_minus_one(x):
    power, rest = exponential_parts(x)
    return power * rest + (power - x.dtype.type(1))


def predict(loss, a):
    """Activations [outputs, rows] to predictions."""
    one = a.dtype.type(1)
    if loss == "squared":
        return a
    if loss == "logistic" and a.dtype == np.float32:
        return one / (one + exponential(-a))
    if loss == "logistic":
        power = exponential(-np.abs(a))
        return np.where(a > 0, 1.0, power) / (1 + power)
    powers = exponential(a - a.max(axis=0))
    return powers * (one / np.add.accumulate(powers)[-1])


def predict_change(loss, t, p):
    one = t.dtype.type(1)
    if loss == "squared":
        return t
    if loss == "logistic":
        m = exponential_minus_one(t)
        return p * (one - p) * m / (one + p * m)
    m = exponential_minus_one(t - t.max(axis=0))
    s = np.add.accumulate(p * m)[-1]
    return p * (m - s) / (one + s)
