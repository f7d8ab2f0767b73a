"""The models whose files are kept, and what training them further gives.

Public names alone, so that this file runs with any version: the one that writes the files, and the
one that is to read them.
"""

import keras
import numpy as np

import tq_halp

BATCH = 4  # of 28 samples: seven steps an epoch
W = {"format": "fixed_point", "word_bits": 10, "frac_bits": 7, "rounding": "stochastic"}
MAP = {
    "version": 1,
    "defaults": {"seed": 5},
    "formats": {
        "w": W,
        "a": {"format": "fixed_point", "word_bits": 8, "frac_bits": 5, "gradient": "clipped"},
        "g": {"format": "float8_e5m2", "rounding": "stochastic"},
    },
    "rules": [
        {"layers": "loose", "quantize": "none"},
        {"layers": "last", "weights": "w", "accumulator": {"format": "float16", "every": 2}},
        {
            "layers": ".*",
            **{"weights": "w", "recurrent_weights": "bfloat16", "bias": "w", "activations": "a"},
            **{"state": "a", "gates": "a", "gradients": "g", "errors": "g", "momentum": "float16"},
        },
    ],
}
STAGES = [{"epoch": 1, "weights": "w"}, {"epoch": 2, "weights": "float8_e4m3fn"}]
SCHEDULED = {
    "version": 1,
    "formats": {"w": W},
    "rules": [
        {"layers": "hidden", "weights": "bfloat16", "schedule": STAGES},
        {"layers": "out", "activations": "w", "schedule": {"from_step": 9}},
    ],
}
DENSE = {**MAP, "rules": [{"layers": "hidden|last|out", "weights": "w", "errors": "g"}]}
SNAPSHOTS = {"snapshot_every": 3, "iterate": "random"}
GRID = {"format": "fixed_point", "word_bits": 12, "frac_bits": 9}


@keras.saving.register_keras_serializable("earlier_versions")
class UsersModel(keras.Model):
    """A subclassed model, which a map builds again."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.hidden = keras.layers.Dense(units, "relu", name="hidden")
        self.dropout = keras.layers.Dropout(0.25, name="dropout")
        self.last = keras.layers.Dense(2, name="last")

    def call(self, x, training=None):
        return self.last(self.dropout(self.hidden(x), training=training))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def network():
    return keras.Sequential(
        [
            keras.Input((4,), name="x"),
            keras.layers.Dense(5, "tanh", name="hidden"),
            keras.layers.BatchNormalization(name="statistics"),
            keras.layers.Dropout(0.25, name="dropout"),
            keras.layers.Dense(2, name="out"),
        ],
        name="network",
    )


def carrying():
    """Its LSTM hands a state to the next batch."""
    start = keras.Input(batch_shape=(BATCH, 2, 2), name="x")
    x = keras.layers.LSTM(3, stateful=True, dropout=0.2, name="lstm")(start)
    return keras.Model(start, keras.layers.Dense(2, name="out")(x), name="carrying")


def mixed():
    """Convolution, attention, LSTM and dense layers."""
    start = keras.Input((2, 2, 1), name="x")
    x = keras.layers.Conv2D(4, 2, padding="same", activation="relu", name="conv")(start)
    x = keras.layers.Reshape((4, 4), name="reshape")(x)
    x = keras.layers.MultiHeadAttention(2, 2, dropout=0.1, name="attention")(x, x)
    x = keras.layers.LSTM(3, dropout=0.2, recurrent_dropout=0.2, name="lstm")(x)
    x = keras.layers.Dense(3, "relu", name="loose")(x)
    x = keras.layers.Dropout(0.2, name="dropout")(x)
    return keras.Model(start, keras.layers.Dense(2, name="last")(x), name="mixed")


def quantized():
    return tq_halp.QuantizationMap.from_dict(DENSE).apply(network())


def subclassed():
    model = UsersModel(5, name="subclassed")
    model(np.zeros((1, 4), "float32"))
    return model


def language():
    """Named as the layers in the maps of `configs/` are, with weights that no version draws."""
    layers = [
        keras.layers.Embedding(7, 32, name="embedding"),
        keras.layers.LSTM(32, return_sequences=True, name="lstm"),
        keras.layers.LSTM(32, name="lstm_1"),
        keras.layers.Dense(2, name="logits"),
    ]
    model = keras.Sequential([keras.Input((4,), dtype="int32", name="x"), *layers], name="language")
    draw = np.random.default_rng(9)
    model.set_weights([draw.normal(0, 0.4, size=w.shape) for w in model.weights])
    return model


def by_map(path):
    """What comes of a map in a file: predictions and losses."""
    read, source = tq_halp.QuantizationMap.from_yaml(path), language()
    model = read.apply(source)
    model.compile(read.optimizer(model, momentum()), "mse")
    x, y = examples(source)
    found = further(model, np.floor(3.5 + np.tanh(x) * 3.4).astype("int32")[:12], y[:12])
    return {key: found[key] for key in ("predictions", "losses")}


def mapped(source, quantization=MAP, optimizer=None):
    """`source` quantized and compiled."""
    read = tq_halp.QuantizationMap.from_dict(quantization)
    model = read.apply(source)
    model.compile(read.optimizer(model, optimizer or momentum()), "mse")
    return model


def half_slots():
    """No dropout: a layer of Keras' own starts from a new seed when it is loaded."""
    layers = [keras.layers.Dense(5, "tanh", name="hidden"), keras.layers.Dense(2, name="out")]
    model = keras.Sequential([keras.Input((4,), name="x"), *layers], name="plain")
    slots = {"format": "bfloat16", "rounding": "stochastic", "seed": 3}
    model.compile(tq_halp.quantize_momentum(keras.optimizers.AdamW(0.02), slots), "mse")
    return model


def around(algorithm, *arguments, model=network, **options):
    """Makes an algorithm around a model, compiled."""

    def build():
        made = getattr(tq_halp, algorithm)(model(), *arguments, **options)
        if not made.compiled:
            made.compile(momentum(), "mse")
        return made

    return build


def momentum():
    return keras.optimizers.SGD(0.0625, momentum=0.75)


def line():
    return keras.optimizers.schedules.PolynomialDecay(1.0, 15)


#: What builds each model, compiled, by the name of its file.
BUILDERS = {
    "sgd": around("SGD"),
    "lp_sgd": around("LowPrecisionSGD", GRID, seed=4),
    "lp_sgd_float": around("LowPrecisionSGD", "bfloat16", rounding="nearest_even"),
    "swalp": around("SWALP", GRID, average_after=3, average_every=2),
    "svrg": around("SVRG", snapshot_every=3),
    "svrg_estimated": around("SVRG", coefficient="estimated", seed=2, **SNAPSHOTS),
    "svrg_fading": around(
        *("SVRG",),
        **{"coefficient": line(), "start_after": 2, "snapshot_fraction": 0.5, "draws": "fresh"},
        **{"snapshot_every": 0.3, "variance_ratio": False},
    ),
    "lp_svrg": around("LowPrecisionSVRG", GRID, **SNAPSHOTS),
    "halp": around("HALP", word_bits=6, snapshot_every=3),
    "halp_format": around("HALP", format="float8_e4m3fn", scale="per_channel", **SNAPSHOTS),
    "halp_global": around("HALP", mu=0.5, scale="global", rounding="nearest_even"),
    "halp_carrying": around("HALP", model=carrying, snapshot_every=3),
    "halp_quantized": around("HALP", model=quantized, snapshot_every=3),
    "bc_sgd": around("BitCenteredSGD", word_bits=6, **SNAPSHOTS),
    "mixed": lambda: mapped(mixed(), optimizer=keras.optimizers.Adam(0.02)),
    "subclassed": lambda: mapped(subclassed(), DENSE),
    "scheduled": lambda: mapped(network(), SCHEDULED),
    "half_slots": half_slots,
}


def built(name):
    """The model of that name before its first step; eagerly, which spares the tracing."""
    keras.utils.set_random_seed(7)
    model = BUILDERS[name]()
    model.run_eagerly = True
    return model


def examples(model):
    """Inputs of the shape that a model takes, and targets."""
    draw = np.random.default_rng(3)
    x = draw.normal(size=(28, 4)).astype("float32")
    y = np.sin(x @ draw.normal(size=(4, 2))).astype("float32")
    shape = model.get_config().get("model", {}).get("config", {}).get("name", model.name)
    return x.reshape({"carrying": (28, 2, 2), "mixed": (28, 2, 2, 1)}.get(shape, (28, 4))), y


def fit(model, x, y, epochs=(0, 1)):
    """The losses of the epochs from the first to before the second of two numbers."""
    begin, end = epochs
    callbacks = [tq_halp.QuantizationSchedule()] if model.name in ("network", "language") else []
    done = {"batch_size": BATCH, "shuffle": False, "verbose": 0, "callbacks": callbacks}
    return model.fit(x, y, initial_epoch=begin, epochs=end, **done).history["loss"]


def weights(model):
    """Those of the user's model, inside of an algorithm or not, by number."""
    inside = getattr(model, "model", model)
    return {f"{index}": value for index, value in enumerate(inside.get_weights())}


def now(model):
    """The weights as they are."""
    return {f"start/{key}": np.array(value) for key, value in weights(model).items()}


def further(model, x, y):
    """What the model predicts, the losses of two epochs more, and where they end."""
    model.run_eagerly = True
    found = {"predictions": model.predict(x, batch_size=BATCH, verbose=0)}
    found["losses"] = np.array(fit(model, x, y, (1, 3)))
    found |= {f"end/{key}": value for key, value in weights(model).items()}
    found |= {f"slot/{i}": v.numpy() for i, v in enumerate(model.optimizer.variables)}
    return found


def probe():
    """Keras' own numbers for a like training: they tell whether a processor adds in this order."""
    keras.utils.set_random_seed(1)
    model = mixed()
    model.compile(momentum(), "mse")
    model.run_eagerly = True
    x, y = examples(model)
    fit(model, x, y, (0, 3))
    return {**weights(model), "predictions": model.predict(x, batch_size=BATCH, verbose=0)}
