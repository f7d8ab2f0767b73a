"""A run that was ended at any moment and resumed is the run that was never ended, bit for bit."""

import numpy as np
import pytest
from resuming import REGRESSION, outcome, run, unbroken

from tq_halp.commands import train

# Run in this process, the command meets pytest's "every warning is an error"; users do not.
pytestmark = pytest.mark.filterwarnings("default")

# Dropout, an optimizer with two slots, quantized ones, stochastic rounding that changes with the
# epoch, a learning-rate schedule.
LSTM = {
    "data": {
        "name": "python_docs",
        "limit": 400,
        "validation_limit": 100,
        "sequence_length": 5,
        "vocabulary_size": 50,
    },
    "model": {"name": "lstm_language_model", "embedding": 4, "units": 4, "dropout": 0.3},
    "quantization": {
        "version": 1,
        "formats": {
            "w": {
                "format": "fixed_point",
                "word_bits": 8,
                "frac_bits": 6,
                "rounding": "stochastic",
            }
        },
        "rules": [
            {
                "layers": "logits|embedding",
                "weights": "w",
                "momentum": "bfloat16",
                "schedule": [{"epoch": 1, "weights": "float16"}],
            }
        ],
    },
    "algorithm": {"name": "halp", "iterate": "random", "snapshot_every": 13},
    "optimizer": {
        "name": "Adam",
        "learning_rate": {
            "class_name": "CosineDecay",
            "config": {"initial_learning_rate": 0.02, "decay_steps": "all"},
        },
    },
    "train": {"epochs": 3, "batch_size": 8, "checkpoint_every_steps": 4},
}


def test_sgd_resumed_at_any_moment(plain):
    config, expected, moments = plain
    # 7 steps an epoch, a checkpoint every 3: a row, curves and more are written as well.
    assert len(moments) > 25
    for copy in (moments[0], moments[len(moments) // 2], moments[-3]):
        assert run(config, copy, "--resume") == train.FINISHED
        assert outcome(copy) == expected


# 7 steps an epoch, 21 in all.
SNAPSHOTS = {"iterate": "random", "snapshot_every": 5}
ESTIMATED = {"coefficient": "estimated", "snapshot_every": 0.3, "snapshot_fraction": 0.5}
LINE = {"class_name": "PolynomialDecay", "config": {"initial_learning_rate": 1, "decay_steps": 15}}
LATE = {"coefficient": LINE, "start_after": 9}


@pytest.mark.parametrize(
    "algorithm",
    [
        {"name": "lp_sgd"},
        {"name": "swalp", "average_after": 4, "average_every": 2},
        {"name": "svrg"} | SNAPSHOTS,
        {"name": "lp_svrg"} | SNAPSHOTS,
        {"name": "halp"} | SNAPSHOTS,
        {"name": "svrg"} | SNAPSHOTS | ESTIMATED,
        {"name": "halp"} | SNAPSHOTS | LATE,
        {"name": "bc_sgd", "mu": 1} | SNAPSHOTS,
        {"name": "bc_sgd", "word_bits": 4} | SNAPSHOTS,
        {"name": "bc_saga", "word_bits": 4, "table": "step"},
        {"name": "saga", "table_format": 4, "table_packed": True},
    ],
    ids=[
        *("lp_sgd", "swalp", "svrg", "lp_svrg", "halp", "estimated", "late", "bc_sgd", "moved"),
        *("bc_saga", "packed"),
    ],
)
def test_resumed_at_any_moment(tmp_path, monkeypatch, algorithm):
    config = REGRESSION | {"algorithm": algorithm}
    expected, moments = unbroken(config, tmp_path / "run", monkeypatch)
    # The last of them: all steps are done, the files of the end are not.
    for copy in (moments[8], moments[len(moments) // 2 + 1], moments[-1]):
        assert run(config, copy, "--resume") == train.FINISHED
        assert outcome(copy) == expected


def test_everything_that_has_a_state_is_resumed(tmp_path, monkeypatch):
    expected, moments = unbroken(LSTM, tmp_path / "run", monkeypatch)
    copy = moments[len(moments) // 2]
    assert run(LSTM, copy, "--resume") == train.FINISHED
    assert outcome(copy) == expected


def test_every_number_that_training_changes_is_in_the_checkpoint():
    """Variables apart: attributes that `fit` changes, but for those that it changes anyway."""
    import keras

    import tq_halp

    def numbers(model):
        """Of the model, and of the parts of a trainer."""
        kinds = (bool, int, float, str, type(None))
        objects = [model, *(model.states.parts if isinstance(model, tq_halp.Trainer) else ())]
        named = [item for each in objects for item in vars(each).items()]
        return {name: value for name, value in named if isinstance(value, kinds)}

    def changed_by_fit(model):
        changed, before = set(), numbers(model)

        class Look(keras.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                for name, value in numbers(self.model).items():
                    if value != before.get(name, getattr(type(model), name, ...)):
                        changed.add(name)

        model.compile(keras.optimizers.SGD(0.1), loss="mse")
        model.fit(x, x[:, :1], batch_size=2, epochs=4, verbose=0, callbacks=[Look()])
        return changed

    x = np.random.default_rng(0).normal(size=(8, 2)).astype("float32")
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    trainer = tq_halp.HALP(keras.models.clone_model(model), snapshot_every=3, mu=1e6)
    others = {"_verbose", "steps_per_epoch", "_parent_path"}  # arguments of fit, and Keras' own
    changed = changed_by_fit(trainer) - changed_by_fit(model) - others
    assert {"snapshot_due", "segment_length", "saturated_segments"} <= changed
    assert changed <= set(trainer.states.numbers())
