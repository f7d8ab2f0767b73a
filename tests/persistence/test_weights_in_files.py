"""Weights exported as integers and imported, and float weights loaded into a quantized model."""

import json

import keras
import numpy as np
import pytest

import tq_halp
from tq_halp import InputError, layers
from tq_halp.layers.tensor_observers import observing

W8 = {"format": "fixed_point", "word_bits": 8, "frac_bits": 6, "rounding": "stochastic", "seed": 3}
W4 = {"format": "fixed_point", "word_bits": 4, "frac_bits": 2}


class Doubled(keras.layers.Layer):
    """A user's layer, with weights of its own and a layer inside."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.inner = keras.layers.Dense(4, name="inner")

    def build(self, input_shape):
        self.factor = self.add_weight(shape=(4,), name="factor")
        self.inner.build(input_shape)

    def call(self, x):
        return self.inner(x) * self.factor


def float_model():
    """Layers in a model in a model, a shared one, and one that keeps statistics."""
    keras.utils.set_random_seed(7)
    shared = keras.layers.Dense(4, name="shared")
    block = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, name="d")], name="block")
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = keras.layers.Embedding(9, 8, name="table")(tokens)
    x = keras.layers.Conv1D(8, 3, name="conv")(x)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.LSTM(4, name="lstm")(x)
    x = shared(block(shared(x)))
    x = Doubled(name="doubled")(x)
    return keras.Model(tokens, keras.layers.Dense(3, name="d")(x), name="float")


def quantized_model():
    """The same layers by the same names, each in another kind of format."""
    keras.utils.set_random_seed(8)
    shared = layers.QuantDense(4, weights=W4, bias="bfloat16", name="shared")
    inner = layers.QuantDense(4, weights="float8_e4m3fn", name="d")
    block = keras.Sequential([keras.Input((4,)), inner], name="block")
    tokens = keras.Input((6,), dtype="int32", name="tokens")
    x = layers.QuantEmbedding(9, 8, weights={"format": "scaled_integer", "word_bits": 6},
                              name="table")(tokens)  # fmt: skip
    x = layers.QuantConv1D(8, 3, weights={"format": "mxfp4", "block_size": 8}, bias=W8,
                           name="conv")(x)  # fmt: skip
    x = layers.QuantBatchNormalization(weights="binary", bias=W8, name="norm")(x)
    x = layers.QuantLSTM(4, weights=W8, recurrent_weights="ternary", name="lstm")(x)
    x = shared(block(shared(x)))
    x = layers.QuantLayer(Doubled(name="doubled"), weights=W8)(x)
    return keras.Model(tokens, keras.layers.Dense(3, name="d")(x), name="quantized")


TOKENS = np.random.default_rng(0).integers(0, 9, (4, 6))


@pytest.fixture(scope="module")
def model():
    model = quantized_model()
    for _ in range(3):
        model(TOKENS, training=True)  # moves counters and statistics on
    return model


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "model.npz"
    tq_halp.export(model, path)
    return path


def test_numbers_are_those_that_inference_computes_with(model, exported):
    tensors = tq_halp.load_export(exported)
    seen = {}
    with observing(lambda o: seen.setdefault(f"{o.layer.name}/{o.tensor}", o.quantized.numpy())):
        model(TOKENS)
    checked = set()
    for name, tensor in tensors.items():
        if tensor.quantizer is None:
            continue
        want = seen[name.removeprefix("block/")]
        if name == "table/embeddings":
            want = np.unique(want.reshape(-1, 8), axis=0)  # rows as they were looked up
            rows = {row.tobytes() for row in tensor.numbers}
            assert {row.tobytes() for row in want} <= rows
        else:
            np.testing.assert_array_equal(tensor.numbers, want, err_msg=name)
        checked.add(name)
    assert checked == {
        "table/embeddings", "conv/kernel", "conv/bias", "norm/gamma", "norm/beta", "lstm/kernel",
        "lstm/recurrent_kernel", "shared/kernel", "shared/bias", "block/d/kernel",
        "doubled/kernel", "doubled/factor",
    }  # fmt: skip
    assert set(tensors) - checked == {
        "norm/moving_mean", "norm/moving_variance", "lstm/bias", "block/d/bias", "doubled/bias",
        "d/kernel", "d/bias",
    }  # fmt: skip


def test_the_file_alone_says_what_the_numbers_are(model, exported):
    with np.load(exported, allow_pickle=False) as file:
        arrays = dict(file)
    manifest = json.loads(str(arrays["manifest"]))
    kernel = manifest["tensors"]["lstm/kernel"]
    assert arrays["lstm/kernel"].dtype == np.int8
    counter = 3 << 32  # of the fourth call
    assert (kernel["bits"], kernel["packed"], kernel["counter"]) == (8, False, counter)
    numbers = tq_halp.load_export(exported)["lstm/kernel"].numbers
    np.testing.assert_array_equal(arrays["lstm/kernel"] / 64, numbers)
    # 4 by 4 of 4 bits in 8 bytes, of which each holds two, the first in its lower half.
    packed = arrays["shared/kernel"]
    assert packed.shape == (8,) and packed.dtype == np.uint8
    codes = np.stack([packed & 15, packed >> 4], axis=1).astype(int).reshape(4, 4)
    codes -= 16 * (codes > 7)
    np.testing.assert_array_equal(codes / 4, tq_halp.load_export(exported)["shared/kernel"].numbers)
    assert arrays["table/embeddings:scale"].shape == ()
    assert arrays["conv/kernel:scale"].shape == (3, 8, 1)
    np.testing.assert_array_equal(arrays["d/kernel"], model.get_layer("d").kernel)


def test_twice_gives_the_same_file(model, exported, tmp_path):
    tq_halp.export(model, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == exported.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.npz"]


def test_imported_into_another_quantized_model_it_exports_the_same_numbers(exported, tmp_path):
    other = quantized_model()
    tq_halp.import_weights(other, exported)
    tq_halp.export(other, tmp_path / "again.npz")
    first, second = tq_halp.load_export(exported), tq_halp.load_export(tmp_path / "again.npz")
    assert list(first) == list(second)
    for name, tensor in first.items():
        np.testing.assert_array_equal(second[name].numbers, tensor.numbers, err_msg=name)


def test_imported_into_keras_layers_it_predicts_like_the_quantized_model(model, exported):
    plain = quantized_plain(float_model())
    tq_halp.import_weights(plain, exported)
    np.testing.assert_array_equal(plain(TOKENS), model(TOKENS))


def quantized_plain(model):
    """The float model, of which only the composite layer is one layer as in the quantized one."""

    def copy(layer):
        if isinstance(layer, Doubled):
            return layers.QuantLayer(Doubled.from_config(layer.get_config()))
        return type(layer).from_config(layer.get_config())

    return keras.models.clone_model(model, clone_function=copy, recursive=True)


@pytest.mark.parametrize("name", ["float.weights.h5", "float.keras"])
def test_float_weights_by_name(model, name, tmp_path):
    source, target = float_model(), quantized_model()
    source.save_weights(tmp_path / name) if name.endswith("h5") else source.save(tmp_path / name)
    target(TOKENS, training=True)
    tq_halp.load_float_weights(target, tmp_path / name)
    for layer in ("table", "conv", "norm", "lstm", "shared", "block", "d"):
        theirs = source.get_layer(layer).weights
        ours = [w for w in target.get_layer(layer).weights if w.name != "calls"]
        for want, got in zip(theirs, ours, strict=True):
            np.testing.assert_array_equal(got, want, err_msg=want.path)
    inner = target.get_layer("doubled").layer
    np.testing.assert_array_equal(inner.factor, source.get_layer("doubled").factor)
    np.testing.assert_array_equal(inner.inner.kernel, source.get_layer("doubled").inner.kernel)
    assert int(target.get_layer("lstm").rounding_counter.calls) == 1


def small(units=2, names=("a", "b")):
    made = [layers.QuantDense(units, weights=W8, name=name) for name in names]
    return keras.Sequential([keras.Input((2,)), *made])


@pytest.mark.parametrize("other, message", [
    (lambda: small(names=("a", "c")), r"b/0 is missing; b/1 is missing; c/0 is not in the model"),
    (lambda: small(3), r"a/0 is \(2, 3\), the model's is \(2, 2\)"),
    (lambda: small(names="a"), "b/0 is missing"),
])  # fmt: skip
def test_float_weights_that_do_not_fit(other, message, tmp_path):
    other().save_weights(tmp_path / "other.weights.h5")
    model = small()
    before = model.get_weights()
    with pytest.raises(InputError, match="other.weights.h5: does not fit the model: .*" + message):
        tq_halp.load_float_weights(model, tmp_path / "other.weights.h5")
    np.testing.assert_equal(model.get_weights(), before)


def test_errors(tmp_path):
    model = small()
    (tmp_path / "text.npz").write_text("no export")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    for load in (tq_halp.load_export, lambda path: tq_halp.load_float_weights(model, path)):
        with pytest.raises(InputError, match="nothing.npz: no such file"):
            load(tmp_path / "nothing.npz")
        for name in ("text.npz", "other.npz"):
            with pytest.raises(InputError, match=f"{name}: not a"):
                load(tmp_path / name)
    with pytest.raises(InputError, match="path must be in a directory that exists"):
        tq_halp.export(model, tmp_path / "nowhere" / "model.npz")
    with pytest.raises(InputError, match="model must be a Keras model"):
        tq_halp.export(model.layers[0], tmp_path / "model.npz")
    model.layers[0].bias.assign([np.nan, 0.0])  # is not quantized
    tq_halp.export(model, tmp_path / "model.npz")
    model.layers[1].kernel.assign(np.full((2, 2), np.nan))
    with pytest.raises(InputError, match="b/kernel: fixed_point.* has no code for NaN"):
        tq_halp.export(model, tmp_path / "model.npz")
    with pytest.raises(InputError, match="b/kernel is missing"):
        tq_halp.export(small(names="a"), tmp_path / "small.npz")
        tq_halp.import_weights(model, tmp_path / "small.npz")


def test_the_order_of_bytes_in_a_file_does_not_matter(model, exported, tmp_path):
    """As a machine with the other order writes it."""
    path = tmp_path / "swapped.npz"
    with np.load(exported) as file:
        swapped = {k: v.astype(v.dtype.newbyteorder(">")) for k, v in file.items()}
    assert any(v.dtype.kind == "f" and v.dtype.itemsize > 1 for v in swapped.values())
    np.savez(path, **swapped)
    for name, tensor in tq_halp.load_export(exported).items():
        got = tq_halp.load_export(path)[name]
        assert got.numbers.dtype == tensor.numbers.dtype
        np.testing.assert_array_equal(got.numbers, tensor.numbers)
        np.testing.assert_array_equal(got.codes, tensor.codes)
        np.testing.assert_array_equal(got.scale, tensor.scale)
    copy = quantized_model()
    tq_halp.import_weights(copy, path)
    tq_halp.export(copy, tmp_path / "back.npz")
    for name, tensor in tq_halp.load_export(tmp_path / "back.npz").items():
        np.testing.assert_array_equal(tensor.numbers, tq_halp.load_export(exported)[name].numbers)


def test_an_array_of_another_dtype_is_an_error(exported, tmp_path):
    with np.load(exported) as file:
        arrays = dict(file)
    tensors = tq_halp.load_export(exported).items()
    name = next(name for name, tensor in tensors if tensor.codes is None)
    np.savez(tmp_path / "other.npz", **{**arrays, name: arrays[name].astype("float64")})
    with pytest.raises(InputError, match="an array of float64 where .* should be"):
        tq_halp.load_export(tmp_path / "other.npz")
