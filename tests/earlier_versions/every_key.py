"""Configs, a map and quantizers with every key that version 0.1 has."""

_GRID = {"word_bits": 12, "frac_bits": 9, "rounding": "nearest_even"}
_OFFSETS = {"word_bits": 6, "mu": 2.5, "scale": "per_channel", "rounding": "stochastic"}
_SNAPSHOTS = {"snapshot_every": 0.25, "snapshot_fraction": 0.5, "iterate": "random"}
_LINE = {"class_name": "PolynomialDecay", "config": {"initial_learning_rate": 1, "decay_steps": 9}}
_CORRECTION = {"coefficient": _LINE, "start_after": 3, "draws": "fresh", "variance_ratio": False}
_SEARCHED = {"dir": None, "limit": 900, "validation_limit": 90}
_LANGUAGE = {**_SEARCHED, "sequence_length": 9, "vocabulary_size": 80}
_SHA256 = "0" * 64

ALGORITHMS = {
    "halp": {**_OFFSETS, **_SNAPSHOTS, **_CORRECTION},
    "halp_format": {"name": "halp", "format": {"format": "mx", "scale_rounding": "ceil"}},
    "svrg": {**_SNAPSHOTS, **_CORRECTION},
    "svrg_estimated": {"name": "svrg", "coefficient": "estimated", "snapshot_every": "epoch"},
    "lp_svrg": {**_GRID, **_SNAPSHOTS, **_CORRECTION},
    "lp_svrg_format": {"name": "lp_svrg", "format": "bfloat16", "draws": "locked"},
    "lp_sgd": _GRID,
    "lp_sgd_format": {"name": "lp_sgd", "format": "float8_e4m3fn"},
    "sgd": {},
    "swalp": {**_GRID, "average_after": 2, "average_every": 3},
    "bc_sgd": {**_OFFSETS, **_SNAPSHOTS},
}
DATA = {
    "ptb": _LANGUAGE,
    "tiny_shakespeare": _LANGUAGE,
    "python_docs": {k: v for k, v in _LANGUAGE.items() if k != "dir"},
    "linear_regression": {"limit": 50, "samples": 70, "features": 3, "noise": 0.2, "seed": 4},
    "mnist": _SEARCHED,
    "cifar10": _SEARCHED,
    "libsvm": {**_SEARCHED, "file": "a", "test_file": "b", "task": "regression"},
    "arrays": {"limit": 9, "validation_limit": 8, "file": "mine.npz", "sha256": _SHA256},
}
_LSTM = {"embedding": 8, "units": 9, "layers": 2, "dropout": 0.1, "initial_range": 0.2}
MODELS = {
    "lstm_language_model": {**_LSTM, "dtype": "float64"},
    "linear": {"dtype": "float64"},
    "linear_classifier": {"weight_decay": 0.1, "dtype": "float32"},
    "resnet": {"blocks": [1, 2], "weight_decay": 0.1, "augment": False, "dtype": "float32"},
    "file": {"file": "mine.keras", "sha256": _SHA256, "imports": ["mine"], "weights": "fresh"},
}
_MODEL_FOR = {"linear_regression": "linear", "arrays": "file", "libsvm": "linear"}
_TRAIN = {"epochs": 2, "batch_size": 8, "validation_batch_size": 9, "shuffle": False}
_ADAM = {"name": "Adam", "learning_rate": 0.01, "beta_1": 0.5, "clipnorm": 2.0, "use_ema": True}

MAP = {
    "version": 1,
    "defaults": {
        "rounding": "stochastic",
        "overflow": "saturate",
        "gradient": "clipped",
        "seed": 8,
    },
    "formats": {
        "w": {"format": "fixed_point", "word_bits": 10, "frac_bits": 7, "signed": True},
        "a": {"format": "minifloat", "exponent_bits": 4, "mantissa_bits": 3, "subnormals": True},
        "g": {"format": "scaled_integer", "word_bits": 8, "seed": 2},
        "b": {"format": "block_float", "word_bits": 8, "block_size": 16, "axis": 0},
    },
    "rules": [
        {"layers": "absent", "quantize": "none", "optional": True},
        {
            "layers": "lstm",
            "class": "LSTM",
            **{"weights": "w", "recurrent_weights": "b", "bias": "bfloat16", "activations": "a"},
            **{"state": "a", "gates": "a", "gradients": "g", "errors": "g", "momentum": "float16"},
        },
        {"layers": "lstm_1", "weights": "w", "schedule": [{"epoch": 2, "weights": "none"}]},
        {"layers": "embedding", "weights": "mxfp8", "schedule": {"from_step": 3}},
        {
            "layers": "logi.*",
            "errors": "none",
            "accumulator": {
                **{"format": "fixed_point", "word_bits": 16, "frac_bits": 9, "every": 8},
                **{"rounding": "nearest_even", "overflow": "saturate"},
            },
        },
    ],
}

#: Quantizers by their mappings; `axis: 0` of 32 numbers fits every block.
QUANTIZERS = [
    {"format": "fixed_point", "word_bits": 6, "frac_bits": 3, "signed": False},
    {"format": "fixed_point", "word_bits": 6, "frac_bits": 3, "overflow": "wrap", "seed": -5},
    {"format": "scaled_integer", "word_bits": 5, "rounding": "down", "gradient": "clipped"},
    {
        **{"format": "minifloat", "exponent_bits": 4, "mantissa_bits": 2, "subnormals": False},
        **{"specials": "none", "exponent_bias": 9},
    },
    {"format": "block_float", "word_bits": 6, "block_size": 8, "axis": 0},
    {"format": "mx", "element": "int8", "block_size": 16, "axis": 0, "scale_rounding": "even"},
    {"format": "power_of_two", "min_exponent": -5, "max_exponent": 1},
    {"format": "binary", "level": 0.5, "rounding": "stochastic", "seed": 3},
    {"format": "ternary", "level": 0.5, "threshold": 0.25},
    {"format": "sparse", "threshold": 0.25},
    *(
        {"format": "fixed_point", "word_bits": 6, "frac_bits": 3, "rounding": rounding, "seed": 1}
        for rounding in (
            *("nearest_even", "nearest_away", "nearest_up", "down", "up", "toward_zero"),
            "stochastic",
        )
    ),
    *(
        {"format": name, "rounding": "stochastic", "seed": seed}
        for seed, name in enumerate(
            [
                *("float32", "tensorfloat32", "float16", "bfloat16", "float8_e5m2", "float8_e4m3"),
                *("float8_e3m4", "float8_e4m3fn", "float8_e5m2fnuz", "float8_e4m3fnuz"),
                *("float8_e4m3b11fnuz", "float6_e3m2fn", "float6_e2m3fn", "float4_e2m1fn"),
                *("mxfp8_e4m3", "mxfp8", "mxfp8_e5m2", "mxfp6_e3m2", "mxfp6", "mxfp6_e2m3"),
                *("mxfp4", "mxint8"),
            ]
        )
    ),
]


def configs():
    """Configs by name, which together have every key of every name."""
    base = {"quantization": None, "optimizer": {"learning_rate": 0.1}, "train": _TRAIN, "seed": 6}
    fixed = {"data": {"name": "linear_regression"}, "model": {"name": "linear"}}
    for name, values in ALGORITHMS.items():
        yield f"algorithm_{name}", {**base, **fixed, "algorithm": {"name": name, **values}}
    for name, values in DATA.items():
        model = {"name": _MODEL_FOR.get(name, "lstm_language_model")}
        model |= {"file": "mine.keras"} if name == "arrays" else {}
        about = {"data": {"name": name, **values}, "model": model, "algorithm": {"name": "sgd"}}
        yield f"data_{name}", {**base, **about, "optimizer": {**_ADAM}}
    for name, values in MODELS.items():
        about = {"data": {"name": "mnist"}, "model": {"name": name, **values}, "quantization": MAP}
        loss = {"loss": "mse"} if name == "file" else {}
        train = {**_TRAIN, "checkpoint_every_steps": 7, **loss}
        yield f"model_{name}", {**base, **about, "algorithm": {"name": "sgd"}, "train": train}
