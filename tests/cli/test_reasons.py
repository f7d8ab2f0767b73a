"""The reason, in one line, of exceptions that bury it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tq_halp import errors
from tq_halp.commands.doctor import finding


class Broken(keras.layers.Layer):
    def call(self, x):
        raise ValueError("the reason\nand more of it")


def of_a_layer():
    keras.Sequential([Broken()])(np.ones((1, 2)))


def of_a_fit():
    model = keras.Sequential([Broken()])
    model.compile(loss="mse")
    model.fit(np.ones((1, 2)), np.ones((1, 2)), verbose=0)


def of_a_function():
    @tf.function
    def inner(x):
        raise ValueError("the reason")

    inner(tf.constant(1.0))


def of_a_graph():
    @tf.function
    def inner(x):
        tf.debugging.assert_less(x, 0.0, message="the reason")
        return x

    inner(tf.constant(1.0))


@pytest.mark.parametrize("fails", [of_a_layer, of_a_fit, of_a_function, of_a_graph])
def test_real_ones(fails):
    with pytest.raises(Exception) as raised:
        fails()
    assert "the reason" in errors.reason(raised.value)
    assert "\n" not in errors.reason(raised.value)


@pytest.mark.parametrize(
    "text, reason",
    [
        ("plain", "plain"),
        ("first\nsecond\n\nthird", "first second"),
        ("\n\n  indented", "indented"),
        ("ValueError: said", "said"),
        (
            "Graph execution error:\n\nDetected at node Mul defined at (most recent call last):\n"
            '  File "a.py", line 3, in <module>\n\n  File "b.py", line 4, in f\n\nshapes differ\n'
            "\t [[{{node Mul}}]] [Op:__inference_f_12]",
            "shapes differ",
        ),
        (
            'in user code:\n\n    File "a.py", line 3, in f  *\n        return g(x)\n'
            '    File "b.py", line 4, in g  **\n        raise\n\n    OverflowError: too large\n',
            "too large",
        ),
        (
            "2 root error(s) found.\n  (0) INVALID: no\n\t [[{{node a}}]]\n  (1) INVALID: no",
            "INVALID: no",
        ),
        ("", "RuntimeError"),
    ],
)
def test_known_forms(text, reason):
    assert errors.reason(RuntimeError(text)) == reason


def test_doctor_says_it_with_the_kind():
    assert finding.reason(ValueError("in user code:\n\n    KeyError: 'x'")) == "ValueError: 'x'"
    assert finding.reason(ValueError()) == "ValueError"
