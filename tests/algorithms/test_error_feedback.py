"""Error feedback: what it adds up to, where it is saved and refused, and what it is for."""

import keras
import numpy as np
import pytest
from contract import assert_same_weights

import tq_halp
from tq_halp.algorithms.iterates.error_feedback import residual_format
from tq_halp.quantizers import Quantizer

SGD, Adam = keras.optimizers.SGD, keras.optimizers.Adam
GRID = tq_halp.formats.FixedPoint(5, 4)  # from -1 to 15/16

# ---- what it adds up to -------------------------------------------------------------------------

# Of the loss "mean of the outputs" the gradient is the mean input, whatever the weights are.
RNG = np.random.default_rng(0)
X = (RNG.integers(-8, 9, size=(8, 2)) * 2.0**-6).astype("float32")


def mean_output(_, outputs):
    return outputs


def linear(kind=tq_halp.LowPrecisionSGD, optimizer=None, start=0.5, model=None, **options):
    """Compiled around a model whose gradient is exactly the sample."""
    if model is None:
        dense = keras.layers.Dense(1, use_bias=False)
        model = keras.Sequential([keras.Input((2,)), dense])
        model.set_weights([np.full((2, 1), start, "float32")])
    trainer = kind(model, GRID, **options)
    trainer.compile(SGD(0.25) if optimizer is None else optimizer, mean_output)
    return trainer


def steps(trainer, x, **more):
    y = np.zeros((len(x), 1), "float32")
    return trainer.fit(x, y, batch_size=1, shuffle=False, verbose=0, **more).history


def sum_of(trainer):
    """w + e."""
    pairs = zip(trainer.model.trainable_variables, trainer.residual, strict=True)
    return [w.numpy() + e.numpy() for w, e in pairs]


@pytest.mark.parametrize("accumulated", [None, 2])
def test_weight_and_exact_residual_add_up_to_training_without_rounding(accumulated):
    """All numbers are multiples of 2^-9 below 1, so float32 adds them exactly."""
    optimizer = SGD(0.25, gradient_accumulation_steps=accumulated)
    trainer = linear(optimizer=optimizer, error_feedback="exact")
    steps(trainer, X)
    want = 0.5 - 0.25 * X.sum(axis=0)[:, None] / (accumulated or 1)
    np.testing.assert_array_equal(sum_of(trainer)[0], want)
    assert np.any(trainer.residual[0].numpy() != 0)


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_momentum_brings_back_the_whole_residual(nesterov):
    """After further steps without a gradient, nor rounding, the weights are those of plain SGD."""
    ends = []
    for kind in (tq_halp.SGD, tq_halp.LowPrecisionSGD):
        on_grid = {"format": GRID, "error_feedback": "momentum"} if kind is not tq_halp.SGD else {}
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
        model.set_weights([np.full((2, 1), 0.5)])
        trainer = kind(model, **on_grid)
        optimizer = SGD(0.25, 0.5, nesterov=nesterov)
        trainer.compile(optimizer, mean_output)
        steps(trainer, X[:1] + 0.01)
        (weight,) = model.trainable_variables
        ends.append([weight.numpy()])
        for _ in range(40):
            optimizer.apply_gradients([(np.zeros((2, 1), "float32"), weight)])
        ends[-1].append(weight.numpy())
    assert np.all(ends[0][0] != ends[1][0])
    np.testing.assert_allclose(ends[1][1], ends[0][1], rtol=1e-6)


def test_what_lies_beyond_the_range_is_lost():
    """The weights leave the end of the range with the first step back, as without feedback."""
    up, down = np.full((5, 2), -1, "float32"), np.full((1, 2), 0.25, "float32")
    for kind in ("exact", 4):
        trainer = linear(error_feedback=kind)
        history = steps(trainer, up)
        np.testing.assert_array_equal(trainer.model.get_weights()[0], GRID.max)
        assert history["residual"] == [0.0] and history["saturated_fraction"] == [1.0]
        steps(trainer, down)
        np.testing.assert_array_equal(trainer.model.get_weights()[0], GRID.max - 0.25 * 0.25)


def test_constraints_hold_with_the_residual():
    """u = 0.01 goes up to 1/16, so that 1/16 − 0.05 with its e = 0.01 − 1/16 is below 0."""
    dense = keras.layers.Dense(1, use_bias=False, kernel_constraint="non_neg")
    model = keras.Sequential([keras.Input((2,)), dense])
    model.set_weights([np.zeros((2, 1))])
    trainer = linear(model=model, rounding="up", error_feedback="exact")
    x = np.array([[-0.04, -0.04], [0.2, 0.2]], "float32")
    steps(trainer, x[:1])
    np.testing.assert_array_equal(model.get_weights()[0], GRID.step)
    steps(trainer, x[1:])
    np.testing.assert_array_equal(sum_of(trainer)[0], 0.0)


def test_the_residual_of_weights_that_were_set():
    """Kept where training goes on, begun anew where a weight is no number of the format."""
    trainer, whole = linear(error_feedback="exact"), linear(error_feedback="exact")
    steps(trainer, X[:4])
    steps(trainer, X[4:])
    steps(whole, X)
    assert_same_weights(trainer, whole)
    trainer.model.set_weights([np.full((2, 1), 0.3, "float32")])
    trainer.compile(SGD(0.0), mean_output)
    steps(trainer, X[:1])
    np.testing.assert_allclose(sum_of(trainer)[0], 0.3, rtol=1e-6)


def test_the_residual_of_moving_averages():
    trainer = linear(optimizer=SGD(0.25, use_ema=True, ema_momentum=0.5), error_feedback="exact")
    steps(trainer, X)
    (average,) = trainer.optimizer._model_variables_moving_average
    np.testing.assert_allclose(sum_of(trainer)[0], average, rtol=1e-6)


def test_the_residual_of_a_random_iterate_is_forgotten():
    options = {"iterate": "random", "error_feedback": "exact"}
    trainer = linear(tq_halp.LowPrecisionSVRG, SGD(0.25), **options)
    steps(trainer, X)
    assert not np.any(trainer.residual[0].numpy())


def test_an_average_of_iterates_with_residuals():
    """The residual is the iterate's, also after a validation has shown the average."""
    seen = {tq_halp.SWALP: [], tq_halp.LowPrecisionSGD: []}
    for kind, iterates in seen.items():
        trainer = linear(kind, error_feedback=4, seed=2)
        model = trainer.model
        record = keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs, to=iterates, of=model: to.append(
                of.get_weights()[0]
            )
        )
        data = (X, np.zeros((8, 1), "float32"))
        steps(trainer, X, epochs=2, callbacks=[record], validation_data=data)
    np.testing.assert_array_equal(*seen.values())


# ---- the optimizer that moves a weight ----------------------------------------------------------


def two_weights(optimizer):
    """The weights of a linear model with a bias; no gradient depends on them."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.set_weights([np.full((2, 1), 0.5, "float32"), np.zeros(1, "float32")])
    trainer = linear(optimizer=optimizer, model=model, error_feedback="momentum")
    steps(trainer, X)
    return model.get_weights()


@pytest.mark.skipif(not hasattr(keras.optimizers, "MultiOptimizer"), reason="of Keras 3.12")
def test_optimizers_inside_others():
    inside = [SGD(0.25, 0.9), Adam(0.03)]
    shared = keras.optimizers.MultiOptimizer(lambda v: inside[v.name == "bias"])
    got = two_weights(keras.optimizers.LossScaleOptimizer(shared, initial_scale=4.0))
    np.testing.assert_array_equal(got[0], two_weights(SGD(0.25, 0.9))[0])
    np.testing.assert_array_equal(got[1], two_weights(Adam(0.03))[1])


# ---- saving -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "feedback"),
    [
        (tq_halp.LowPrecisionSVRG, "exact"),
        (tq_halp.LowPrecisionSGD, 4),
        (tq_halp.SWALP, 4),
        (tq_halp.LowPrecisionSGD, "momentum"),
    ],
)
def test_saved_in_the_middle(kind, feedback, tmp_path):
    trainer = linear(kind, SGD(0.25, 0.9), error_feedback=feedback, seed=3)
    steps(trainer, X[:5])
    trainer.save(tmp_path / "halfway.keras")
    loaded = keras.models.load_model(
        tmp_path / "halfway.keras", custom_objects={"mean_output": mean_output}
    )
    assert loaded.iterate.error_feedback == feedback
    for each in (trainer, loaded):
        steps(each, X[5:])
    assert_same_weights(loaded, trainer)
    names = set(trainer.states.by_name)
    assert ("residual_0" in names) == (feedback != "momentum")


def test_without_error_feedback_there_is_no_state():
    assert not [name for name in linear().states.by_name if name.startswith("residual")]
    assert "residual" not in steps(linear(), X[:1])


# ---- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [1, 33, True, 2.5, "exakt"])
def test_what_error_feedback_may_be(wrong):
    with pytest.raises(tq_halp.InputError, match="error_feedback must be.*from 2 to 32.*Received"):
        tq_halp.iterates.FixedGrid(GRID, error_feedback=wrong)


def test_bits_need_a_uniform_step():
    with pytest.raises(tq_halp.InputError, match="'exact' or 'momentum' for float8_e4m3fn.*: 4"):
        tq_halp.iterates.Averaged("float8_e4m3fn", error_feedback=4)
    with pytest.raises(tq_halp.InputError, match="error_feedback of 4 bits.*512"):
        tq_halp.iterates.FixedGrid(tq_halp.formats.FixedPoint(8, 510), error_feedback=4)


def test_the_step_of_a_residual():
    """Half a step to either side if rounding is to nearest, a whole one otherwise."""
    steps_of = {"nearest_even": 2.0**-8, "stochastic": 2.0**-7, "down": 2.0**-7}
    for rounding, step in steps_of.items():
        format = residual_format(Quantizer(GRID, rounding), 4)
        assert format == tq_halp.formats.FixedPoint(4, format.frac_bits) and format.step == step


class OtherStep(SGD):
    def update_step(self, gradient, variable, learning_rate):
        self.assign_sub(variable, gradient)


@pytest.mark.parametrize(
    ("optimizer", "received"),
    [
        (lambda: SGD(0.1), "Received: SGD with momentum 0.0"),
        (lambda: SGD(0.1, 1.0), "Received: SGD with momentum 1.0"),
        (lambda: Adam(beta_1=0.0), "Received: Adam with beta_1 0.0"),
        (lambda: keras.optimizers.RMSprop(), "Received: RMSprop"),
        (lambda: OtherStep(0.1, 0.9), "Received: OtherStep"),
        (lambda: tq_halp.quantize_momentum(SGD(0.1, 0.9), "bfloat16"), "slots are in a number"),
    ],
)
def test_optimizers_without_a_momentum_for_the_residual(optimizer, received):
    trainer = linear(optimizer=optimizer(), error_feedback="momentum")
    with pytest.raises(tq_halp.InputError, match=received):
        steps(trainer, X)
    assert int(trainer.step_count) == 0


# ---- what it is for -----------------------------------------------------------------------------


def test_a_residual_lowers_the_floor_of_least_squares():
    """100 weights of 8 bits in ±4, 12 passes: the gradient is three times smaller or more."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(1000, 100)).astype("float32")
    y = (x @ rng.normal(size=(100, 1)) + rng.normal(size=(1000, 1))).astype("float32")
    norms = {}
    for feedback in (None, "exact"):
        dense = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
        model = keras.Sequential([keras.Input((100,)), dense])
        grid = tq_halp.formats.FixedPoint(8, 5)
        trainer = tq_halp.LowPrecisionSGD(model, grid, error_feedback=feedback)
        loss = tq_halp.models.HalfMeanSquaredError()
        trainer.compile(SGD(0.0075), loss, steps_per_execution=100)
        keras.utils.set_random_seed(1)
        trainer.fit(x, y, batch_size=10, epochs=12, verbose=0)
        norms[feedback] = np.linalg.norm(x.T @ (x @ model.get_weights()[0] - y) / len(x))
    assert norms[None] > 3 * norms["exact"]
