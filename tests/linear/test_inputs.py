"""Every kind of X, y and sample_weight: right, or an error that says what would be."""

import warnings

import linear_problems
import numpy as np
import pytest

from tq_halp.errors import InputError
from tq_halp.linear import DataConversionWarning, LMHALPClassifier, LMHALPRegressor, input_arrays

X = linear_problems.exact_features(60, 4)
Y = X @ [1.0, -2.0, 0.5, 0.0]
LABELS = (Y > 0).astype(int)


@pytest.mark.parametrize(
    "dtype, taken_as",
    [
        ("uint8", "uint8"),
        ("float32", "float32"),
        ("float64", "float64"),
        ("bool", "uint8"),
        ("int8", "int8"),
        ("uint16", "uint16"),
        ("float16", "float16"),
        ("int64", "int64"),
        ("uint32", "uint32"),
        ("object", "float64"),
        ("longdouble", "float64"),
    ],
)
def test_features_are_held_exactly(dtype, taken_as):
    x = np.arange(6).reshape(3, 2).astype(dtype)
    taken = input_arrays.features(x)
    assert taken.dtype == taken_as
    np.testing.assert_array_equal(taken, x.astype(float))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "float16", "float32", "float64"])
def test_usable_arrays_are_not_copied(dtype):
    x = np.zeros((5, 6), dtype)
    x.flags.writeable = False
    for form in (x, x.T, x[::-2], x[:, ::3]):
        assert np.shares_memory(input_arrays.features(form), x)


def test_lists_and_fortran_order():
    as_list = LMHALPRegressor().fit(X.tolist(), Y.tolist())
    as_fortran = LMHALPRegressor().fit(np.asfortranarray(X), Y)
    np.testing.assert_array_equal(as_list.coef_, as_fortran.coef_)


def sparse(x):
    return pytest.importorskip("scipy.sparse").csr_matrix(x)


BAD_FEATURES = [
    (
        lambda: X[:, 0],
        InputError,
        r"Expected 2D array X .* 1D with shape \(60,\).*reshape\(-1, 1\)",
    ),
    (lambda: X[None], InputError, "Received: 3D with shape"),
    (
        lambda: X[:0],
        InputError,
        r"0 sample\(s\) \(shape=\(0, 4\)\) while a minimum of 1 is required",
    ),
    (lambda: X[:, :0], InputError, r"0 feature\(s\) \(shape=\(60, 0\)\) while a minimum of 1"),
    (lambda: np.where(X == X[3, 2], np.nan, X), InputError, "X must be finite.* contains NaN"),
    (
        lambda: np.where(X == X[3, 2], -np.inf, X),
        InputError,
        "X must be finite.* contains infinity",
    ),
    (
        lambda: X + 0j,
        InputError,
        "Complex data not supported: X must be real. Received: complex128",
    ),
    (lambda: X.astype(str), InputError, "X must be numbers. Received: dtype <U"),
    (
        lambda: X.astype("datetime64[s]"),
        InputError,
        "X must be numbers. Received: dtype datetime64",
    ),
    (lambda: [[1, "two"]] * 60, InputError, "X must be numbers. Received: dtype <U"),
    (lambda: np.full((60, 1), "a", object), InputError, "X must be numbers: could not convert"),
    (lambda: np.full((60, 1), {}, object), TypeError, "X must be numbers: .* not 'dict'"),
    (lambda: [[1.0], [1.0, 2.0]], InputError, "X must be a rectangular array of numbers"),
    (lambda: np.ma.masked_equal(X, X[0, 0]), InputError, "X must have no masked elements"),
    (lambda: sparse(X), TypeError, "X must be dense. Received: a sparse csr_matrix.*toarray"),
    (lambda: X * 1e200, InputError, "rows whose squares can be added, divide it by its largest"),
]


@pytest.mark.parametrize("case", range(len(BAD_FEATURES)))
def test_bad_features(case):
    make, kind, message = BAD_FEATURES[case]
    with pytest.raises(kind, match=message):
        LMHALPRegressor().fit(make(), Y)


def test_where_a_nan_is():
    x = np.zeros((300_000, 3), np.float32)  # more than one block
    x[250_001, 2] = np.nan
    with pytest.raises(InputError, match=r"NaN at index \[250001, 2\]"):
        LMHALPRegressor().fit(x, np.zeros(300_000))


@pytest.mark.parametrize(
    "y, message",
    [
        (None, "LMHALPRegressor requires y to be passed, but the target y is None"),
        (Y[:-1], "same number of samples. Received: inconsistent numbers: 60 and 59"),
        (np.stack([Y, Y], 1), r"y should be a 1d array. Received: shape \(60, 2\)"),
        (3.0, r"y should be a 1d array. Received: shape \(\)"),
        (np.full(60, np.nan), r"y must be finite, Input y contains NaN at index \[0\]"),
        (np.full(60, np.inf), "Input y contains infinity"),
        (Y + 0j, "Complex data not supported: y must be real"),
        (np.full(60, "a"), "y must be numbers. Received: dtype <U1"),
        (np.ma.masked_less(Y, 0), "y must have no masked elements"),
        ([[1], [2, 3]], "y must be a 1-D array. Received: list"),
    ],
)
def test_bad_regression_targets(y, message):
    with pytest.raises(InputError, match=message):
        LMHALPRegressor().fit(X, y)


@pytest.mark.parametrize(
    "y, message",
    [
        (None, "LMHALPClassifier requires y to be passed"),
        (np.ones(60), "at least two classes. Received: one class: 1.0"),
        (Y, "Unknown label type: continuous. y must be class labels. Received: .*LMHALPRegressor"),
        (np.where(LABELS, 1.0, np.nan), "y must be class labels, Input y contains NaN"),
        (LABELS + 0j, "Complex data not supported: y must be class labels"),
        (np.array(["a", None] * 30, object), "y must be class labels. Received: None among them"),
        (np.array(["a", 1] * 30, object), "Unknown label type: y must hold labels of one kind"),
        (LABELS.astype("datetime64[s]"), "Unknown label type: .* dtype datetime64"),
    ],
)
def test_bad_labels(y, message):
    with pytest.raises(InputError, match=message):
        LMHALPClassifier().fit(X, y)


def test_one_class_left_by_weights():
    with pytest.raises(InputError, match="at least two classes. Received: one class: 0"):
        LMHALPClassifier().fit(X, LABELS, sample_weight=1 - LABELS)


@pytest.mark.parametrize(
    "weights, message",
    [
        (np.ones(59), r"sample_weight must have shape \(60,\), one per sample. Received: \(59,\)"),
        (np.ones((60, 1)), r"Received: \(60, 1\)"),
        (np.where(LABELS, 1.0, -0.5), "sample_weight must be 0 or above. Received: -0.5"),
        (np.zeros(60), "sample_weight must hold a weight above zero. Received: only zeros"),
        (np.full(60, np.nan), "sample_weight must be finite, Input sample_weight contains NaN"),
        (["a"] * 60, "sample_weight must be numbers. Received: dtype <U1"),
    ],
)
@pytest.mark.parametrize("estimator", [LMHALPRegressor, LMHALPClassifier])
def test_bad_weights(estimator, weights, message):
    with pytest.raises(InputError, match=message):
        estimator().fit(X, LABELS, sample_weight=weights)


@pytest.mark.parametrize("dtype", ["float64", "uint8"])
@pytest.mark.parametrize("classes", [2, 3])
def test_weights_are_repetitions(dtype, classes):
    """To the last bit, for a problem of this size, in any order."""
    draw = np.random.default_rng(0)
    x = draw.integers(0, 200, (40, 60)).astype(dtype)
    y, s = draw.integers(0, classes, 40), draw.integers(0, 4, 40)
    order = draw.permutation(s.sum())
    repeated = LMHALPClassifier(epochs=20, tol=0).fit(x.repeat(s, 0)[order], y.repeat(s)[order])
    weighted = LMHALPClassifier(epochs=20, tol=0).fit(x, y, sample_weight=s)
    np.testing.assert_array_equal(repeated.coef_, weighted.coef_)


@pytest.mark.parametrize(
    "labels",
    [
        ["no", "yes"],
        ["zebra", "ape", "mouse"],
        [-1, 1],
        [10, 20, 30],
        [False, True],
        [0.0, 2.0],
        np.array(["b", "a"], object),
        np.array([b"x", b"y"]),
        [2**62, -(2**62)],
    ],
)
def test_labels_of_any_kind(labels):
    x, y = linear_problems.classification(classes=len(labels))
    named = np.asarray(labels)[y]
    model = LMHALPClassifier(l2=0.1).fit(x, named)
    assert model.classes_.tolist() == sorted(labels)
    assert model.predict(x).dtype == named.dtype
    order = np.argsort(np.asarray(labels))
    plain = LMHALPClassifier(l2=0.1).fit(x, np.argsort(order)[y])
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.score(x, named) == plain.score(x, np.argsort(order)[y])


def test_column_as_targets():
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed when a 1d array"):
        column = LMHALPRegressor().fit(X, Y[:, None])
    np.testing.assert_array_equal(column.coef_, LMHALPRegressor().fit(X, Y).coef_)


def test_one_sample():
    x = [[2.0, 2 / 127]]
    assert LMHALPRegressor().fit(x, [3.0]).predict(x)[0] == pytest.approx(3, abs=1e-3)


def test_one_feature():
    x = linear_problems.exact_features(80, 1)
    model = LMHALPRegressor().fit(x, 2 * x[:, 0] - 1)
    assert model.coef_[0] == pytest.approx(2, abs=1e-4)
    assert model.intercept_ == pytest.approx(-1, abs=1e-4)


@pytest.mark.parametrize("feature_scale", ["per_tensor", "per_feature"])
def test_constant_columns(feature_scale):
    x = np.column_stack([X, np.zeros(60), np.full(60, 1.0)])
    model = LMHALPRegressor(feature_scale=feature_scale, tol=1e-7).fit(x, Y + 2)
    np.testing.assert_allclose(model.predict(x), Y + 2, atol=1e-4)
    assert model.coef_[4] == 0
    assert model.coef_[5] + model.intercept_ == pytest.approx(2, abs=1e-4)


@pytest.mark.parametrize("intercept", [True, False])
def test_only_zeros(intercept):
    model = LMHALPRegressor(fit_intercept=intercept).fit(np.zeros((5, 3)), np.full(5, 2.0))
    np.testing.assert_array_equal(model.coef_, 0)
    assert model.intercept_ == pytest.approx(2.0 * intercept, abs=1e-4)


def test_targets_of_zero_need_no_epoch():
    model = LMHALPRegressor().fit(X, np.zeros(60))
    assert (model.n_iter_, model.stop_reason_) == (0, "tolerance")
    np.testing.assert_array_equal(model.predict(X), 0)
    assert model.score(X, np.zeros(60)) == 1.0


@pytest.mark.parametrize("d", [1, 7, 63, 64, 65, 129, 1000])
@pytest.mark.parametrize("data_bits", [4, 8, 16])
def test_any_number_of_features(d, data_bits):
    draw = np.random.default_rng(d)
    x = draw.integers(-7, 8, (300, d)) / 7.0
    x[0, 0] = 1.0
    y = x @ draw.standard_normal(d)
    model = LMHALPRegressor(data_bits=data_bits, l2=0.01, tol=1e-3, fit_intercept=False).fit(x, y)
    # 4 and 8 bits: multiples of 1/7 are multiples of 1/7 or, rounded, of 1/127.
    assert model.score(x, y) > 0.95


def test_a_million_features():
    draw = np.random.default_rng(0)
    x = draw.integers(0, 2, (20, 10**6)).astype(np.uint8)
    y = np.arange(20) % 2
    model = LMHALPClassifier(epochs=3, tol=0).fit(x, y)
    assert model.coef_.shape == (1, 10**6)
    assert model.score(x, y) == 1.0


def test_data_frames():
    class Frame:
        """As much of a data frame as NumPy and the estimators ask for."""

        def __init__(self, columns):
            self.columns = columns

        def __array__(self, dtype=None, copy=None):
            return np.array(X, dtype)

    model = LMHALPRegressor().fit(Frame(["a", "b", "c", "d"]), Y)
    assert model.feature_names_in_.tolist() == ["a", "b", "c", "d"]
    assert model.feature_names_in_.dtype == object
    with pytest.raises(InputError, match="feature names should match .* a, b, c, d.* b, a, c, d"):
        model.predict(Frame(["b", "a", "c", "d"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(model.predict(X), model.predict(Frame(["a", "b", "c", "d"])))
    assert not hasattr(model.fit(X, Y), "feature_names_in_")
    assert not hasattr(model.fit(Frame([0, 1, 2, 3]), Y), "feature_names_in_")


def test_features_of_another_number():
    model = LMHALPRegressor().fit(X, Y)
    with pytest.raises(InputError, match="X has 3 features, but LMHALPRegressor is expecting 4"):
        model.predict(X[:, :3])
