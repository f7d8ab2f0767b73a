"""A weight that another layer reads in its call, as keras #10485 ties an output to an embedding."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from tests.arrays import floats
from tests.graphs import traced
from tests.mappings import make_map
from tq_halp import InputError, QuantizationMap
from tq_halp.layers import QuantEmbedding

W = {"format": "fixed_point", "word_bits": 8, "frac_bits": 4}
MAP = QuantizationMap.from_dict(
    {"version": 1, "rules": [{"layers": ".*", "weights": W, "optional": True}]}
)


def q(x):
    return np.clip(np.rint(np.asarray(x) * 16), -128, 127) / 16


WORDS = np.random.default_rng(0).integers(0, 11, (4, 5))


class Tied(layers.Layer):
    """y = h W^T + b, with the W of another layer."""

    def __init__(self, tied_to, attribute="embeddings", **kwargs):
        super().__init__(**kwargs)
        self.tied_to, self.attribute = tied_to, attribute

    def build(self, shape):
        size = getattr(self.tied_to, self.attribute).shape[0]
        self.b = self.add_weight(shape=(size,), initializer="zeros", name="b")

    def call(self, h):
        return ops.matmul(h, ops.transpose(getattr(self.tied_to, self.attribute))) + self.b


class Language(keras.Model):
    """A subclassed model whose call reads the table itself."""

    def __init__(self):
        super().__init__()
        self.embedding = layers.Embedding(11, 6, name="embedding")

    def call(self, x):
        return ops.matmul(self.embedding(x), ops.transpose(self.embedding.embeddings))


class Encoder(keras.Model):
    """A tied autoencoder: its decoder reads the kernel."""

    def __init__(self, make, attribute="kernel"):
        super().__init__()
        self.encoder = make()
        self.decoder = Tied(self.encoder, attribute, name="decoder")

    def call(self, x):
        return self.decoder(self.encoder(x))


def expected(table, x=WORDS):
    return q(table)[x] @ q(table).T


def functional():
    inputs = keras.Input((5,), dtype="int32")
    embedding = layers.Embedding(11, 6, name="embedding")
    return keras.Model(inputs, Tied(embedding, name="out")(embedding(inputs)))


def with_table(model, table):
    model.get_layer("embedding").embeddings.assign(table)
    return model


@pytest.mark.parametrize("run", ["eager", "graph", "predict"])
def test_a_projection_onto_an_embedding_in_scope(run):
    with MAP.scope():
        model = functional()
    table = floats(11, 6) * 2
    with_table(model, table)
    call = {"eager": model, "graph": traced(model), "predict": model.predict}[run]
    np.testing.assert_array_equal(call(WORDS), expected(table))
    # Who reads it outside of a call reads what training moves.
    np.testing.assert_array_equal(model.get_layer("embedding").embeddings, table)
    assert isinstance(model.get_layer("embedding").embeddings, keras.Variable)


def test_apply_refuses_what_is_tied_to_another_layer_of_the_graph():
    with pytest.raises(InputError, match=r"out \(Tied\) cannot be copied: .*QuantizationMap.scope"):
        MAP.apply(functional())


def test_apply_refuses_an_operation_on_a_variable():
    """In the copy it would be an operation on the variable of the source."""
    inputs = keras.Input((5,), dtype="int32")
    embedding = layers.Embedding(11, 6, name="embedding")
    hidden = embedding(inputs)
    model = keras.Model(inputs, ops.einsum("bth,wh->btw", hidden, embedding.embeddings))
    with pytest.raises(InputError, match="is called on the variable embedding/embeddings; read it"):
        MAP.apply(model)


@pytest.mark.parametrize("how", ["scope", "apply"])
def test_a_subclassed_model_that_reads_the_table(how, tmp_path):
    table = floats(11, 6) * 2
    if how == "scope":
        with MAP.scope():
            model = Language()
    else:
        source = Language()
        source(WORDS)
        model = MAP.apply(source)
    model(WORDS)
    with_table(model, table)
    assert type(model.embedding) is QuantEmbedding
    np.testing.assert_array_equal(model.predict(WORDS, verbose=0), expected(table))
    model.save_weights(tmp_path / "tied.weights.h5")
    model.embedding.embeddings.assign(table * 0)
    model.load_weights(tmp_path / "tied.weights.h5")
    np.testing.assert_array_equal(model.embedding.embeddings, table)


def test_gradients_reach_the_table_by_both_ways_and_training_moves_it():
    with MAP.scope():
        model = Language()
    model(WORDS)
    table = with_table(model, floats(11, 6)).embedding.embeddings.numpy()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(WORDS))
    (found,) = tape.gradient(loss, model.trainable_variables)
    lookup = np.zeros((11, 6), "float32")
    np.add.at(lookup, WORDS.ravel(), q(table).sum(axis=0, dtype="float32"))
    projection = np.tile(q(table)[WORDS].sum(axis=(0, 1), dtype="float32"), (11, 1))
    np.testing.assert_allclose(tf.convert_to_tensor(found), lookup + projection, rtol=1e-5)
    model.compile("sgd", "mse")
    model.fit(WORDS, floats(4, 5, 11), verbose=0)
    assert np.all(model.embedding.embeddings.numpy() != table)


MAKES = {
    "Dense": (lambda: layers.Dense(3, use_bias=False, name="encoder"), (4,)),
    "EinsumDense": (lambda: layers.EinsumDense("ab,bc->ac", 3, name="encoder"), (4,)),
}


@pytest.mark.parametrize("name", MAKES)
def test_a_decoder_that_reads_the_kernel_of_its_encoder(name):
    make, shape = MAKES[name]
    with MAP.scope():
        model = Encoder(make)
    x = q(floats(2, *shape))
    model(x)
    kernel = floats(4, 3)
    model.encoder.kernel.assign(kernel)
    np.testing.assert_array_equal(model(x), x @ q(kernel) @ q(kernel).T)
    # A call of the layer by itself, whose own reading is quantized once.
    np.testing.assert_array_equal(model.encoder(x), x @ q(kernel))


def test_a_transposed_convolution_by_the_kernel_of_a_convolution():
    class Convolutions(keras.Model):
        def __init__(self):
            super().__init__()
            self.down = layers.Conv1D(3, 2, use_bias=False, name="down")

        def call(self, x):
            y = self.down(x)
            return ops.conv_transpose(y, self.down.kernel, strides=1)

    with MAP.scope():
        model = Convolutions()
    x, kernel = q(floats(2, 6, 4)), floats(2, 4, 3)
    model(x)
    model.down.kernel.assign(kernel)
    plain = Convolutions()
    plain(x)
    plain.down.kernel.assign(q(kernel))
    np.testing.assert_array_equal(model(x), plain(x))


def test_lora_in_a_tied_pair():
    with MAP.scope():
        model = Language()
    model(WORDS)
    with_table(model, floats(11, 6))
    model.embedding.enable_lora(2)
    for seed, variable in enumerate(model.trainable_variables):
        variable.assign(floats(*variable.shape, seed=seed + 3))
    merged = model.embedding.embeddings
    np.testing.assert_array_equal(model(WORDS), expected(merged))


def test_stochastic_rounding_of_a_tied_weight_repeats_in_inference():
    rule = {"layers": ".*", "weights": {**W, "rounding": "stochastic"}}
    with make_map(rule).scope():
        model = Language()
    model(WORDS)
    with_table(model, floats(11, 6))
    first = model.predict(WORDS, verbose=0)
    np.testing.assert_array_equal(model.predict(WORDS, verbose=0), first)
    model(WORDS, training=True)
    assert np.any(model.predict(WORDS, verbose=0) != first)


@keras.saving.register_keras_serializable("tests")
class Scaled(layers.Layer):
    """A user's layer, which `QuantLayer` quantizes."""

    def build(self, shape):
        self.s = self.add_weight(name="s", shape=(shape[-1],), initializer="uniform")

    def call(self, x):
        return x * self.s


class Squared(keras.Model):
    def __init__(self):
        super().__init__()
        self.scaled = Scaled(name="scaled")

    def call(self, x):
        return self.scaled(x) * self.scaled.s


def test_a_weight_of_a_layer_in_a_wrapper():
    source, x = Squared(), q(floats(2, 4))
    source(x)
    s = floats(4)
    source.scaled.s.assign(s)
    model = MAP.apply(source)
    assert type(model.scaled).__name__ == "QuantLayer"
    np.testing.assert_array_equal(model(x), x * q(s) * q(s))
    np.testing.assert_array_equal(model.scaled.s, s)
    with pytest.raises(AttributeError, match="'QuantLayer' object has no attribute 'missing'"):
        model.scaled.missing  # noqa: B018


@pytest.mark.skipif(not hasattr(layers, "ReversibleEmbedding"), reason="an older Keras")
@pytest.mark.parametrize("how", ["scope", "apply"])
@pytest.mark.parametrize("tied", [True, False])
def test_the_reversible_embedding_of_keras(how, tied):
    def make():
        inputs = keras.Input((5,), dtype="int32")
        embedding = layers.ReversibleEmbedding(11, 6, tie_weights=tied, name="embedding")
        return keras.Model(inputs, embedding(embedding(inputs), reverse=True))

    if how == "scope":
        with MAP.scope():
            model = make()
    else:
        model = MAP.apply(make())
    tables = [floats(*v.shape, seed=k) for k, v in enumerate(model.trainable_variables)]
    model.get_layer("embedding").set_weights(tables)
    back = tables[0].T if tied else tables[1]
    np.testing.assert_array_equal(model.predict(WORDS, verbose=0), q(tables[0])[WORDS] @ q(back))
