"""Targets that a loss means nothing for: refused with the array and the place."""

import keras
import numpy as np
import pytest

from tq_halp.commands.running.check_loss_targets import check_targets
from tq_halp.data import Dataset
from tq_halp.errors import InputError

LOSSES = keras.losses
ONE = np.eye(3, dtype="float32")
LABELS = np.array([0.0, 1.0, 2.0], "float32")


def check(loss, outputs, y, validation=None, test=None):
    """`y` with three examples each for training and, unless given, validation."""
    y = np.asarray(y)
    x = np.zeros((len(y), 1), "float32")
    validation = y if validation is None else np.asarray(validation)
    dataset = Dataset(
        name="mine.npz",
        requested="mine.npz",
        train=(x, y),
        validation=(x[: len(validation)], validation),
        test=None if test is None else (x[: len(test)], np.asarray(test)),
    )
    check_targets(LOSSES.get(loss), np.zeros((2, *outputs), "float32"), dataset)


def test_what_a_loss_is_defined_for_passes():
    check("sparse_categorical_crossentropy", (3,), LABELS)
    check("sparse_categorical_crossentropy", (3,), LABELS[:, None].astype("uint8"))
    ignoring = LOSSES.SparseCategoricalCrossentropy(ignore_class=-1)
    check(ignoring, (3,), [0, -1, 2])
    check("categorical_crossentropy", (3,), ONE)
    check("categorical_crossentropy", (3,), [[0.2, 0.3, 0.5], [1, 0, 0], [0.1, 0.1, 0.8]])
    check("categorical_crossentropy", (1, 3), ONE[:, None])
    check("binary_crossentropy", (1,), [0.0, 0.25, 1.0])
    check("binary_crossentropy", (1,), [True, False, True])
    check("kl_divergence", (3,), ONE)
    check("hinge", (1,), [-1, 1, 1])
    check("hinge", (1,), [0, 1, 1])
    for loss in ("mse", "mae", "log_cosh", "cosine_similarity", LOSSES.Huber()):
        check(loss, (1,), [-3.5, 2.0, 7.0])
    check("mse", (1,), [2.0, 2.0, 2.0])


@pytest.mark.parametrize("form", ["function", "object"])
@pytest.mark.parametrize(
    "name, function, outputs, y, said",
    [
        ("SparseCategoricalCrossentropy", None, (3,), [0, 1.9, 2], "y_train[1] is 1.9, expected c"),
        ("SparseCategoricalCrossentropy", None, (3,), [0, -0.5, 2], "y_train[1] is -0.5, expected"),
        ("SparseCategoricalCrossentropy", None, (3,), [[0], [1], [3]], "y_train[2, 0] is 3, expec"),
        ("SparseCategoricalCrossentropy", None, (3,), [1, 1, 1], "every label is 1, expected two"),
        ("BinaryCrossentropy", None, (1,), [0, 5, 1], "y_train[1] is 5, expected numbers from 0"),
        ("BinaryCrossentropy", None, (1,), [[0], [-1.0], [1]], "y_train[1, 0] is -1.0, expected"),
        ("BinaryFocalCrossentropy", None, (1,), [0, 1.5, 1], "y_train[1] is 1.5, expected numbers"),
        ("BinaryCrossentropy", None, (1,), [0, 0, 0], "every label is 0, expected two classes"),
        (
            "CategoricalCrossentropy",
            None,
            (3,),
            2 * ONE,
            "y_train[0] adds up to 2, expected shares",
        ),
        (
            *("CategoricalFocalCrossentropy", None, (3,)),
            *([[1, 0, 0], [2, -1, 0], [0, 0, 1]], "y_train[1, 1] is -1, expected shares"),
        ),
        ("KLDivergence", "kl_divergence", (3,), 0.5 * ONE, "y_train[0] adds up to 0.5, expected"),
        ("CategoricalCrossentropy", None, (1,), [1, 0.5, 1], "y_train[1] adds up to 0.5, expected"),
        ("Poisson", None, (1,), [1, -2, 1], "y_train[1] is -2, expected numbers of 0 or above"),
        ("MeanSquaredLogarithmicError", None, (1,), [1, -2, 1], "y_train[1] is -2, expected numb"),
        ("Hinge", None, (1,), [-1, 0, 1], "y_train[0] is -1, expected -1 and 1, or 0 and 1"),
        ("SquaredHinge", None, (1,), [-1, 1, 2], "y_train[2] is 2, expected -1 and 1, or 0 and 1"),
        ("CategoricalHinge", None, (3,), 2 * ONE, "y_train[0, 0] is 2.0, expected 0 and 1"),
    ],
)
def test_others_are_refused_with_their_place(form, name, function, outputs, y, said):
    made = getattr(LOSSES, name)
    words = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)[1:]
    loss = made() if form == "object" else getattr(LOSSES, function or words)
    with pytest.raises(InputError) as raised:
        check(loss, outputs, y)
    assert str(raised.value).startswith(f"mine.npz: {said}"), raised.value


def test_every_array_is_looked_at():
    loss = "sparse_categorical_crossentropy"
    with pytest.raises(InputError, match=r"mine.npz: y_validation\[1\] is 0.5"):
        check(loss, (3,), LABELS, validation=[1.0, 0.5])
    with pytest.raises(InputError, match=r"mine.npz: y_test\[0\] is 7"):
        check(loss, (3,), LABELS, test=[7, 1])
