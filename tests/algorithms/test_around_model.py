"""The trainer computes what the model computes, and calls nothing of it in silence otherwise."""

import contract
import keras
import numpy as np
import pytest
from contract import X, Y, fit, trainer

import tq_halp


@pytest.fixture
def policy():
    """Sets Keras' global dtype policy, and puts float32 back."""
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy("float32")


def test_it_casts_nothing_that_the_model_does_not_cast(policy):
    """Token ids in float32 above 256, which bfloat16 does not hold, under mixed_bfloat16."""
    policy("mixed_bfloat16")
    ids = keras.Input((3,), dtype="float32")
    pooled = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(600, 4)(ids))
    model = keras.Model(ids, keras.layers.Dense(1)(pooled))
    x = np.arange(300, 312, dtype="float32").reshape(4, 3)
    want = model.predict(x, verbose=0)
    for kind in (tq_halp.SGD, tq_halp.HALP):
        np.testing.assert_array_equal(kind(model).predict(x, verbose=0), want)


def test_a_model_of_float64_sees_float64():
    model = keras.Sequential(
        [keras.Input((4,), dtype="float64"), keras.layers.Dense(1, dtype="float64")]
    )
    x = np.random.default_rng(0).normal(size=(5, 4))
    np.testing.assert_array_equal(tq_halp.HALP(model)(x), model(x))


def test_the_policy_of_the_model_decides_about_loss_scales(policy):
    policy("mixed_float16")
    model = contract.network()
    policy("float32")
    algorithm = tq_halp.HALP(model)
    algorithm.compile("sgd", "mse")
    assert isinstance(algorithm.optimizer, keras.optimizers.LossScaleOptimizer)


@pytest.mark.parametrize(
    "method", ["train_step", "compute_loss", "compute_metrics", "test_step", "predict_step"]
)
@pytest.mark.parametrize("of_class", [True, False])
def test_what_would_not_be_called_is_refused(method, of_class):
    def own(self, *args, **kwargs):
        raise AssertionError

    kind = type("Own", (keras.Sequential,), {method: own} if of_class else {})
    model = kind([keras.Input((4,)), keras.layers.Dense(1)])
    if not of_class:
        setattr(model, method, own)
    with pytest.raises(tq_halp.InputError, match=f"must not have a {method} of its own"):
        tq_halp.SGD(model)


def test_a_compilation_that_keras_cannot_copy_is_said():
    def loss_of_mine(y, p):
        return keras.ops.mean((y - p) ** 2)

    model = contract.network()
    model.compile("sgd", loss=loss_of_mine)
    with pytest.warns(UserWarning, match="HALP is not compiled as the model is.*Call its compile"):
        algorithm = tq_halp.HALP(model)
    assert not algorithm.compiled


@pytest.mark.parametrize("name", ["step", "mu", "gradient_evaluations"])
def test_a_metric_with_the_name_of_a_diagnostic_is_refused(name):
    metric = keras.metrics.MeanAbsoluteError(name=name)
    with pytest.raises(tq_halp.InputError, match=f"metrics must not be called '{name}'.*HALP"):
        fit(trainer("HALP", metrics=[metric]), 1)


def test_swalps_average_of_bfloat16_is_an_average():
    """1/n of a change is soon less than bfloat16 resolves."""
    model = contract.network(dtype="bfloat16")
    algorithm = tq_halp.SWALP(model, "bfloat16")
    algorithm.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=True)
    iterates = []

    class Record(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            iterates.append(model.get_weights()[0].astype("float64"))

    fit(algorithm, 30, callbacks=[Record()])
    mean = np.mean(iterates, axis=0)
    np.testing.assert_allclose(model.get_weights()[0].astype("float64"), mean, rtol=2.0**-8)
    assert algorithm.test_on_batch(X, Y) == pytest.approx(algorithm.evaluate(X, Y, verbose=0))


@pytest.mark.parametrize(
    "constraint",
    [keras.constraints.MaxNorm(100.0), keras.constraints.UnitNorm(), lambda w: 0.999 * w],
    ids=["MaxNorm", "UnitNorm", "own"],
)
@pytest.mark.parametrize("kind", ["HALP"])
def test_a_projection_that_is_none_of_itself_takes_no_snapshots(kind, constraint):
    """Keras' norms are moved a little even where they are what they should be."""
    algorithm = trainer(kind, contract.network(constraint), eagerly=False)
    fit(algorithm, 3)
    assert int(algorithm.snapshot_count) == 3


@pytest.mark.parametrize("kind", ["LowPrecisionSGD", "HALP"])
def test_slots_in_a_number_format_inside_a_multi_optimizer(kind):
    """What HALP's box goes by, and averages that end on the grid, are those of the inner ones."""

    def shared(quantized):
        def choose(variable):
            sgd = keras.optimizers.SGD(0.1, momentum=0.5, use_ema=kind == "LowPrecisionSGD")
            return tq_halp.quantize_momentum(sgd, "float32") if quantized else sgd

        return keras.optimizers.MultiOptimizer(choose)

    algorithms = [trainer(kind, optimizer=shared(quantized)) for quantized in (True, False)]
    for algorithm in algorithms:
        fit(algorithm, 1)
    if kind == "HALP":
        np.testing.assert_array_equal(*(each.grid_scale.numpy() for each in algorithms))
    else:
        assert all(map(contract.is_on_grid, algorithms[0].trainable_variables))
