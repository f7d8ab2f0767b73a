"""SavedModels of quantized models: plain TensorFlow loads them, and they compute the same bits."""

import subprocess
import sys
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf

import quant_ops
import tq_halp
from quant_ops import library
from tq_halp import layers

X = np.random.default_rng(0).normal(size=(2, 4, 8)).astype("float32")
Q8 = {"format": "fixed_point", "word_bits": 8, "frac_bits": 5}
S8 = {**Q8, "rounding": "stochastic"}
CLIPPED = {**Q8, "gradient": "clipped"}
FORMATS = {
    "nearest": Q8,
    "stochastic": S8,
    "bfloat16": "bfloat16",
    "scaled": {"format": "scaled_integer", "word_bits": 6},
    "blocks": {"format": "block_float", "word_bits": 6, "block_size": 2},
    "levels": "ternary",
    "microscaling": {"format": "mx", "element": "float8_e4m3fn", "block_size": 2},
}


def dense(x, f):
    return keras.layers.Dense(4, activation="relu")(x)


def recurrent(x, f):
    """Each kind once: an exported graph has hundreds of ops for each quantizer of each cell."""
    forward = keras.layers.LSTM(4, return_sequences=True)
    backward = keras.layers.GRU(4, return_sequences=True, go_backwards=True)
    x = keras.layers.Bidirectional(forward, backward_layer=backward)(x)
    return keras.layers.RNN([keras.layers.LSTMCell(4), keras.layers.GRUCell(4)])(x)


def loop(x, f):
    return keras.layers.SimpleRNN(4)(x)


def attention(x, f):
    x = keras.layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x, use_causal_mask=True)
    return keras.layers.LayerNormalization()(x)


def convolution(x, f):
    x = keras.layers.BatchNormalization()(keras.layers.Conv1D(4, 2, padding="same")(x))
    return keras.layers.DepthwiseConv1D(2)(x)


def accumulated(x, f):
    roles = {"weights": CLIPPED, "accumulator": {**S8, "every": 2}, "errors": CLIPPED}
    return layers.QuantDense(4, **roles)(layers.QuantConv1D(4, 2, **roles)(x))


BODIES = {
    **{f"dense-{name}": (dense, name) for name in FORMATS},
    "recurrent": (recurrent, "stochastic"),
    "loop": (loop, "stochastic"),
    "attention": (attention, "nearest"),
    "convolution": (convolution, "stochastic"),
    "accumulated": (accumulated, "nearest"),
}


def model_of(name):
    body, f = BODIES[name]
    x = keras.Input((4, 8))
    y = body(x, FORMATS[f])
    if name == "accumulated":
        return keras.Model(x, y)
    rule = {"layers": ".*", "optional": True, "state": S8, "gates": Q8}
    rule |= dict.fromkeys(["weights", "bias", "activations", "gradients", "errors"], FORMATS[f])
    mapping = {"version": 1, "rules": [rule]}
    return tq_halp.QuantizationMap.from_dict(mapping).apply(keras.Model(x, y))


def scheduled():
    """In its second stage."""
    q = tq_halp.quantizers.ScheduledQuantizer(
        "epoch", ((0, None), (1, tq_halp.quantizers.get(CLIPPED)))
    )
    x = keras.Input((4, 8))
    layer = layers.QuantDense(3, weights=q, activations=q)
    model = keras.Model(x, layer(x))
    layer.clock.positions["epoch"].assign(1)
    return model


def export(model, path):
    model.export(path, verbose=False)


def save(model, path):
    tf.saved_model.save(model, path)


def of_call(model, path):
    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = [tf.TensorSpec((None, 4, 8))]
    archive.add_endpoint("serve", lambda x: model.call(x, training=False), signature)
    archive.add_endpoint("training", lambda x: model(x, training=True), signature)
    archive.write_out(path, verbose=False)


def of_function(model, path):
    """A function that was traced before, in a strategy's scope."""
    with tf.distribute.OneDeviceStrategy("CPU:0").scope():
        serve = tf.function(lambda x: model(x), input_signature=[tf.TensorSpec((None, 4, 8))])
        serve(X)
    archive = keras.export.ExportArchive()
    archive.add_endpoint("serve", serve)
    archive.write_out(path, verbose=False)


WAYS = {"export": export, "save": save, "archive": of_call, "function": of_function}
PROGRAM = """
import sys, numpy as np, tensorflow as tf
folder = sys.argv[1]
x = np.load(folder + "/x.npy")
for name in sys.argv[2:]:
    loaded = tf.saved_model.load(folder + "/" + name)
    serve = getattr(loaded, "serve", None) or loaded.signatures["serving_default"]
    y = serve(tf.constant(x))
    y = list(y.values())[0] if isinstance(y, dict) else y
    np.save(folder + "/" + name + ".npy", y.numpy())
assert not [m for m in sys.modules if m.startswith(("tq_halp", "quant_ops"))]
"""


# An example of each way: with a state, in a later stage of a schedule, in the loop of an RNN.
WAYS_OF = {
    **dict.fromkeys(BODIES, ["export"]),
    "dense-stochastic": WAYS,
    # In training, which is a part of the archive, a schedule has to be driven.
    "scheduled": ["export", "save", "function"],
    "loop": ["export", "save"],
}


@pytest.mark.slow
def test_plain_tensorflow_loads_them_and_gives_the_same_bits(tmp_path):
    """What the native ops compute in eager calls. One test: the other process is started once."""
    np.save(tmp_path / "x.npy", X)
    want = {}
    for name, ways in WAYS_OF.items():
        model = scheduled() if name == "scheduled" else model_of(name)
        for way in ways:
            WAYS[way](model, str(tmp_path / f"{name}-{way}"))
            want[f"{name}-{way}"] = model(X).numpy()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), *want],
        cwd=tmp_path, env={"PATH": "", "TF_CPP_MIN_LOG_LEVEL": "3"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    for name, y in want.items():
        np.testing.assert_array_equal(np.load(tmp_path / f"{name}.npy"), y, err_msg=name)


def ops_of(function):
    graph = function.graph.as_graph_def()
    nodes = [*graph.node, *(n for f in graph.library.function for n in f.node_def)]
    return {node.op for node in nodes if node.op.startswith("QuantOps")}


@pytest.mark.skipif(quant_ops.backend() != "native", reason="no native ops here")
def test_steps_of_fit_keep_the_native_ops(monkeypatch):
    """Also in the loop of an RNN; and any graph does, if it is asked for."""
    x = keras.Input((4, 8))
    model = keras.Model(x, layers.QuantSimpleRNN(3, state=Q8)(x))
    built, original = [], library.native
    monkeypatch.setattr(library, "native", lambda: built.append(True) or original())
    model.compile("sgd", "mse")
    model.fit(X, X[:, 0, :3], verbose=0)
    assert built
    built.clear()
    model.predict(X, verbose=0)
    assert built
    built.clear()
    assert not ops_of(tf.function(model).get_concrete_function(tf.TensorSpec((2, 4, 8))))
    assert not built
    with quant_ops.forced("native"):
        assert ops_of(tf.function(model).get_concrete_function(tf.TensorSpec((2, 4, 8))))


def test_a_forced_backend_is_not_seen_by_other_threads():
    seen = []
    default = quant_ops.backend()
    with quant_ops.forced("composite"):
        thread = threading.Thread(target=lambda: seen.append(quant_ops.backend()))
        thread.start()
        thread.join()
        assert quant_ops.backend() == "composite"
    assert seen == [default]
    with pytest.raises(ValueError, match="native or composite. Received: 'neither'"):
        with quant_ops.forced("neither"):
            pass


@pytest.mark.filterwarnings("ignore::UserWarning:tensorflow.lite")  # TFLite has another name now
@pytest.mark.parametrize("rounding", ["nearest_even", "nearest_up", "stochastic"])
def test_fixed_point_needs_no_more_than_tflite_has(rounding):
    f = {**Q8, "rounding": rounding}
    x = keras.Input((8,))
    y = layers.QuantDense(3, weights=f, activations=f)(layers.Quantize(f)(x))
    model = keras.Model(x, y)
    lite = tf.lite.Interpreter(
        model_content=tf.lite.TFLiteConverter.from_keras_model(model).convert()
    )
    lite.resize_tensor_input(0, [4, 8])
    lite.allocate_tensors()
    lite.set_tensor(lite.get_input_details()[0]["index"], X[0])
    lite.invoke()
    got = lite.get_tensor(lite.get_output_details()[0]["index"])
    np.testing.assert_array_equal(got, model.predict(X[0], verbose=0))
