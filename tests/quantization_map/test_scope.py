"""The scope: what is built inside is quantized, and nothing stays patched."""

import threading

import keras
import numpy as np
import pytest
from keras.layers import Dense  # bound before any scope opens

from tests.keras_picture import picture_of_keras
from tests.mappings import W8, make_map
from tq_halp import layers
from tq_halp.errors import InputError
from tq_halp.layers.keras_class_table import QUANTIZED
from tq_halp.quantizers import Quantizer

EVERYTHING = make_map({"layers": ".*", "weights": W8})


def test_nothing_in_keras_changes_by_a_scope_or_an_apply():
    def use():
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        EVERYTHING.apply(model)
        with EVERYTHING.scope():
            keras.layers.Dense(2)
        with pytest.raises(ZeroDivisionError), EVERYTHING.scope():
            keras.layers.LSTM(2)
            raise ZeroDivisionError

    use()  # whatever Keras caches is there now
    before = picture_of_keras()
    assert len(before) > 500
    with EVERYTHING.scope():
        Dense(2)
        assert picture_of_keras()[id(Dense)] != before[id(Dense)]  # it would be seen
    use()
    assert picture_of_keras() == before


@pytest.fixture(autouse=True)
def nothing_stays_patched():
    yield
    for keras_class in QUANTIZED:
        assert "__new__" not in vars(keras_class)
    assert type(keras.layers.Dense(2)) is Dense is keras.layers.Dense


def test_layers_built_inside_are_quantized_however_they_were_imported():
    with EVERYTHING.scope():
        built = [
            Dense(2, name="a"),
            keras.layers.Dense(2, activation="relu", name="b"),
            keras.layers.LSTM(3, go_backwards=True, name="c"),
            keras.layers.Embedding(5, 2, name="d"),
            keras.layers.Conv2D(2, 3, name="e"),
            keras.layers.Flatten(),
        ]
        assert isinstance(built[0], Dense)
    assert [type(layer).__name__ for layer in built] == [
        "QuantDense",
        "QuantDense",
        "QuantLSTM",
        "QuantEmbedding",
        "QuantConv2D",
        "Flatten",
    ]
    assert type(built[0]) is layers.QuantDense
    assert all(layer.quantizers["weights"] == Quantizer.from_config(W8) for layer in built[:5])
    assert (built[1].name, built[1].activation.__name__, built[2].go_backwards) == (
        "b",
        "relu",
        True,
    )


def test_a_subclassed_model_comes_out_quantized():
    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = keras.layers.Dense(3, name="first")
            self.head = keras.layers.Dense(2, name="head")

        def call(self, x):
            return self.head(self.first(x))

    keras.utils.set_random_seed(0)
    with make_map({"layers": "head", "quantize": "none"}, {"layers": ".*", "weights": W8}).scope():
        model = Mine()
    x = np.ones((1, 4), np.float32)
    model(x)
    assert model.head.quantizers["weights"] is None
    want = x @ np.rint(model.first.kernel.numpy() * 64) / 64
    np.testing.assert_allclose(model.first(x), want, rtol=1e-6)  # order of four additions


def test_names_are_those_that_keras_would_give():
    keras.utils.clear_session()
    with EVERYTHING.scope():
        names = [keras.layers.Dense(2).name for _ in range(2)]
    assert names == ["dense", "dense_1"]


def test_explicitly_quantized_layers_keep_their_own_quantizers():
    with make_map({"layers": ".*", "quantize": "none"}).scope():
        keras.layers.Dense(2)
        own = layers.QuantDense(2, weights=W8)
    assert own.quantizers["weights"] == Quantizer.from_config(W8)


def test_the_innermost_scope_decides():
    with EVERYTHING.scope():
        with make_map({"layers": ".*", "bias": W8}).scope():
            inner = Dense(2)
        outer = Dense(2)
    assert (inner.quantizers["weights"], outer.quantizers["bias"]) == (None, None)
    assert inner.quantizers["bias"] == outer.quantizers["weights"] is not None


def test_an_exception_restores_and_passes_through():
    with pytest.raises(ZeroDivisionError), EVERYTHING.scope():
        raise ZeroDivisionError


def test_a_rule_without_a_layer_is_an_error_at_the_end():
    with pytest.raises(
        InputError, match=r"rules\[0\]: matches no layer. Received: 'lstm'.*dense_x"
    ):
        with make_map({"layers": "lstm", "weights": W8}).scope():
            keras.layers.Dense(2, name="dense_x")


def test_other_threads_are_not_affected():
    built = []
    with EVERYTHING.scope():
        Dense(2)
        thread = threading.Thread(target=lambda: built.append(Dense(2)))
        thread.start()
        thread.join()
    assert type(built[0]) is Dense


def test_initial_values_of_an_embedding_are_not_lost_in_silence():
    with pytest.raises(InputError, match="Embedding 'e': weights cannot be given inside"):
        with EVERYTHING.scope():
            keras.layers.Embedding(3, 2, weights=np.zeros((3, 2)), name="e")
