"""The same numbers in every form of an array: the same model, or one error naming the argument."""

import tempfile

import linear_problems
import numpy as np
import pytest

from tq_halp.errors import InputError
from tq_halp.first_non_finite import first_non_finite
from tq_halp.linear import LMHALPClassifier, LMHALPRegressor

X = linear_problems.exact_features(60, 4)
Y = np.rint(4 * X @ [1.0, -2.0, 0.5, 0.0])
LABELS = (Y > 0).astype(np.int64)
WEIGHTS = np.arange(60) % 3.0


def swapped(array):
    return array.astype(array.dtype.newbyteorder())


def strided(array):
    return np.repeat(array, 3, axis=0)[::3]


def backwards(array):
    return array[::-1].copy()[::-1]


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def mapped(array):
    with tempfile.TemporaryFile() as file:
        result = np.memmap(file, array.dtype, "w+", shape=array.shape)
    result[:] = array
    return result


def unaligned(array):
    content = bytearray(array.nbytes + 1)
    result = np.frombuffer(content, array.dtype, offset=1).reshape(array.shape)
    result[:] = array
    return result


FORMS = {
    "big-endian": swapped,
    "Fortran order": np.asfortranarray,
    "strided": strided,
    "backwards": backwards,
    "read-only": read_only,
    "memory-mapped": mapped,
    "unaligned": unaligned,
    "unmasked": np.ma.asarray,
    "objects": lambda array: array.astype(object),
    "list": lambda array: array.tolist(),
    "longdouble": lambda array: array.astype(np.longdouble),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("algorithm", ["halp", "svrg"])
def test_forms_change_nothing(form, dtype, algorithm):
    make, x = FORMS[form], X.astype(dtype)
    if form in ("objects", "list", "longdouble"):
        x = x.astype(np.float64)  # what these become
    options = {"algorithm": algorithm, "epochs": 20, "tol": 0}
    for estimator, y in ((LMHALPRegressor, Y), (LMHALPClassifier, LABELS)):
        plain = estimator(**options).fit(x, y, WEIGHTS)
        other = estimator(**options).fit(make(x), make(y), make(WEIGHTS))
        np.testing.assert_array_equal(other.coef_, plain.coef_)
        np.testing.assert_array_equal(other.intercept_, plain.intercept_)
        np.testing.assert_array_equal(other.predict(make(x)), plain.predict(x))
        assert other.score(make(x), make(y), make(WEIGHTS)) == plain.score(x, y, WEIGHTS)
        if estimator is LMHALPClassifier:
            assert other.classes_.dtype.isnative
            np.testing.assert_array_equal(other.predict_proba(make(x)), plain.predict_proba(x))


@pytest.mark.parametrize("dtype", ["int8", ">i2", ">u2", ">i4", ">u8", ">f2", "bool", "uint8"])
def test_other_types_of_numbers(dtype):
    x = np.abs(X.astype(int)) % (2 if dtype == "bool" else 100)
    model = LMHALPRegressor(epochs=20, tol=0).fit(x.astype(dtype), Y)
    expected = LMHALPRegressor(epochs=20, tol=0).fit(x.astype(float), Y)
    # Samples of small problems are sorted by their bytes, so that batches differ.
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-9)


def test_tensors():
    tf = pytest.importorskip("tensorflow")
    model = LMHALPRegressor().fit(tf.constant(X), tf.constant(Y), tf.constant(WEIGHTS))
    plain = LMHALPRegressor().fit(X, Y, WEIGHTS)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    np.testing.assert_array_equal(model.predict(tf.Variable(X)), plain.predict(X))


def test_big_endian_words_as_labels():
    names = np.array(["no", "yes"])[LABELS]
    model = LMHALPClassifier().fit(X, swapped(names))
    assert model.classes_.tolist() == ["no", "yes"] and model.classes_.dtype.isnative
    assert model.score(X, names) == model.score(X, swapped(names))


BAD = [
    (lambda a: np.ma.masked_less(a, np.inf), "must have no masked elements"),
    (lambda a: a.astype(complex), "Complex data not supported"),
    (lambda a: np.rec.fromarrays([a]), "must be|should be"),
    (lambda a: np.where(a == a.max(), np.longdouble("1e4000"), a), "must fit into float64"),
    (lambda a: a.astype("M8[s]"), "must be|dtype datetime64"),
]


@pytest.mark.parametrize("make, said", BAD)
@pytest.mark.parametrize("argument", ["X", "y", "sample_weight"])
def test_what_is_refused(argument, make, said):
    given = {"X": X, "y": Y, "sample_weight": WEIGHTS}
    given[argument] = make(given[argument])
    with pytest.raises(InputError, match=f"{argument}.*({said})|({said}).*{argument}"):
        LMHALPRegressor().fit(**given)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("argument", ["X", "y", "sample_weight"])
@pytest.mark.parametrize("form", ["big-endian", "Fortran order", "list", "longdouble"])
def test_where_it_is_not_finite(argument, bad, form):
    given = {"X": X.copy(), "y": Y.copy(), "sample_weight": WEIGHTS.copy()}
    place = (7, 2) if argument == "X" else (7,)
    given[argument][place] = bad
    given[argument][(50, *place[1:])] = np.nan  # not the first
    given[argument] = FORMS[form](given[argument])
    what = "NaN" if np.isnan(bad) else "infinity"
    index = str(list(place)).replace("[", r"\[").replace("]", r"\]")
    said = f"{argument} must be finite, Input {argument} contains {what} at index {index}"
    for call in (LMHALPRegressor().fit, LMHALPRegressor().fit(X, Y).score):
        with pytest.raises(InputError, match=said):
            call(**given)


class NotAvailable:
    """As pandas' NA: neither equal nor unequal to anything."""

    def __eq__(self, other):
        return self

    __ne__ = __eq__
    __hash__ = None

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")

    def __repr__(self):
        return "<NA>"


def test_labels_that_are_missing():
    labels = np.array(["a", NotAvailable()] * 30, object)
    with pytest.raises(InputError, match="y must be class labels. Received: <NA> among them"):
        LMHALPClassifier().fit(X, labels)


def test_labels_of_another_kind_are_wrong_answers():
    model = LMHALPClassifier().fit(X, LABELS)
    assert model.score(X, np.array(["0"] * 60)) == 0
    assert model.score(X, np.array([None, 0] * 30, object)) <= 0.5


@pytest.mark.parametrize("shape", [(), (3,), (0,), (5, 4), (70_000, 9), (2, 3, 4)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", ">f4"])
def test_first_non_finite(shape, dtype):
    array = np.zeros(shape, dtype)
    assert first_non_finite(array) is None
    if not array.size:
        return
    flat = array.reshape(-1)
    for place, value in ((-1, np.inf), (array.size // 2, np.nan), (0, -np.inf)):
        flat[place] = value
        array = flat.reshape(shape)
        expected = np.unravel_index(place % array.size, shape) if shape else ()
        assert first_non_finite(array) == expected
        assert first_non_finite(np.array(array, order="F")) == expected


@pytest.mark.parametrize("array", [[1, 2], ["nan"], [None], np.array([1], "M8[s]"), True])
def test_what_is_no_floating_point_number_is_finite(array):
    assert first_non_finite(array) is None
