"""An algorithm is an estimator times an iterate: every pair trains, the named ones are pairs."""

import inspect

import keras
import numpy as np
import pytest

import tq_halp
from tq_halp import estimators, iterates
from tq_halp.algorithms import config_names as known
from tq_halp.algorithms.algorithm_part import Part

GRID = {"format": "fixed_point", "word_bits": 8, "frac_bits": 6}
ESTIMATORS = {"minibatch": {}, "variance_reduced": {"snapshot_every": 3}, "gradient_table": {}}
ITERATES = {
    "full_precision": {},
    "fixed_grid": {"format": GRID},
    "averaged": {"format": GRID, "average_after": 1, "error_feedback": 4},
    "bit_centered": {"word_bits": 6},
}
PAIRS = [(e, i) for e in ESTIMATORS for i in ITERATES]
NAMED = {
    "SGD": (estimators.Minibatch(), iterates.FullPrecision()),
    "LowPrecisionSGD": (estimators.Minibatch(), iterates.FixedGrid(GRID)),
    "SWALP": (estimators.Minibatch(), iterates.Averaged(GRID)),
    "BitCenteredSGD": (estimators.Minibatch(), iterates.BitCentered()),
    "SVRG": (estimators.VarianceReduced(), iterates.FullPrecision()),
    "LowPrecisionSVRG": (estimators.VarianceReduced(), iterates.FixedGrid(GRID)),
    "HALP": (estimators.VarianceReduced(), iterates.BitCentered()),
    "SAGA": (estimators.GradientTable(), iterates.FullPrecision()),
    "BitCenteredSAGA": (estimators.GradientTable(), iterates.BitCentered()),
}
X = np.random.default_rng(0).normal(size=(22, 3)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)]
    )


def trained(trainer, epochs=2):
    trainer.compile(keras.optimizers.SGD(0.05, momentum=0.5), loss="mse")
    trainer.fit(X, Y, batch_size=8, epochs=epochs, shuffle=False, verbose=0)
    return trainer


def parts(estimator, iterate):
    return {
        "estimator": known.ESTIMATORS[estimator](**ESTIMATORS[estimator]),
        "iterate": known.ITERATES[iterate](**ITERATES[iterate]),
    }


def test_every_part_and_every_name_is_tried():
    assert set(ESTIMATORS) == set(known.ESTIMATORS) and set(ITERATES) == set(known.ITERATES)
    assert set(NAMED) == {kind.__name__ for kind in known.ALGORITHMS.values()}


@pytest.mark.parametrize("estimator, iterate", PAIRS)
def test_every_pair_trains_and_is_saved(estimator, iterate, tmp_path):
    trainer = tq_halp.Trainer(model(), **parts(estimator, iterate), seed=3)
    before = float(np.mean((trainer.model(X) - Y) ** 2))
    trained(trainer, epochs=4)
    assert trainer.evaluate(X, Y, verbose=0) < before
    trainer.save(tmp_path / "trainer.keras")
    again = keras.models.load_model(tmp_path / "trainer.keras")
    configs = [{**each.get_config(), "model": None} for each in (again, trainer)]
    assert configs[0] == configs[1]
    np.testing.assert_array_equal(again(X), trainer(X))
    assert again.states.by_name.keys() == trainer.states.by_name.keys()
    for name, state in trainer.states.by_name.items():
        np.testing.assert_array_equal(again.states.by_name[name], state, err_msg=name)
    # What is loaded goes on: every part once, as tracing takes longer than all the rest.
    if list(ESTIMATORS).index(estimator) == list(ITERATES).index(iterate) % len(ESTIMATORS):
        trained(again, epochs=1)


@pytest.mark.parametrize("name", NAMED)
def test_a_named_algorithm_is_its_pair_bit_for_bit(name):
    estimator, iterate = NAMED[name]
    options = {"format": GRID} if hasattr(iterate, "rounding") and iterate.format else {}
    named = trained(getattr(tq_halp, name)(model(), **options, seed=5))
    # A part belongs to one trainer: new ones, by their configurations.
    pair = [type(part).from_config(part.get_config()) for part in NAMED[name]]
    composed = tq_halp.Trainer(model(), estimator=pair[0], iterate=pair[1], seed=5)
    for one, other in zip(named.get_weights(), trained(composed).get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", [*known.ESTIMATORS.values(), *known.ITERATES.values()])
def test_what_holds_for_every_part(kind):
    """Its arguments are its attributes, it is serialized by them, and its state is data."""
    options = {"format": GRID} if "format" in inspect.signature(kind).parameters else {}
    part = kind(**options)
    assert set(part.get_config()) == set(inspect.signature(kind).parameters)
    packed = keras.saving.serialize_keras_object(part)
    assert packed["registered_name"] == f"tq_halp>{kind.__name__}"
    again = keras.saving.deserialize_keras_object(packed)
    assert type(again) is kind and again.get_config() == part.get_config()
    axis = "estimator" if issubclass(kind, tq_halp.algorithms.Estimator) else "iterate"
    trainer = tq_halp.Trainer(model(), **{axis: part})
    for each in trainer.states.parts:
        own = [name for name, value in each.state().items() if not isinstance(value, Part)]
        assert all(hasattr(each, name) for name in [*own, *each.numbers])
    assert set(trainer.states.numbers()) >= set(part.numbers)


# ---- the shape of the code -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", known.ALGORITHMS.values())
def test_a_named_algorithm_is_one_step_below_the_trainer(kind):
    ours = [each for each in kind.__mro__ if each.__module__.startswith("tq_halp.")]
    assert ours == [kind, tq_halp.Trainer]
    assert [name for name in vars(kind) if inspect.isfunction(vars(kind)[name])] == ["__init__"]


def test_every_argument_is_in_the_signature():
    """`help(tq_halp.HALP)` lists those of both parts."""
    for kind in known.ALGORITHMS.values():
        names = set(inspect.signature(kind.__init__).parameters) - {"self", "model", "kwargs"}
        trainer = kind(model(), **({"format": GRID} if "format" in names else {}))
        parts = trainer.estimator, trainer.iterate
        of_parts = {part.named_as.get(name, name) for part in parts for name in part.get_config()}
        # What only a pair of parts can have is refused in it.
        unused = {"snapshot_fraction"} if kind is tq_halp.BitCenteredSAGA else set()
        assert names == (of_parts - unused) | {"seed"}, kind


# ---- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda m: tq_halp.Trainer(m, estimator="svrg"), "estimator must be .*Estimator.*'svrg'"),
        (lambda m: tq_halp.Trainer(m, iterate=Part()), "iterate must be .*Iterate"),
        (lambda m: tq_halp.HALP(m, bits=8), "bits must be left out of HALP, .*word_bits.*: 8"),
        (
            lambda m: tq_halp.Trainer(
                m,
                estimator=estimators.VarianceReduced(),
                iterate=iterates.BitCentered(snapshot_every=5),
            ),
            "snapshot_every of BitCentered must be left out beside VarianceReduced.*: 5",
        ),
    ],
)
def test_mistakes(make, message):
    with pytest.raises(tq_halp.InputError, match=message):
        make(model())


def test_a_part_belongs_to_one_trainer():
    iterate = iterates.FixedGrid(GRID)
    tq_halp.Trainer(model(), iterate=iterate)
    with pytest.raises(tq_halp.InputError, match="must not be a part of another trainer"):
        tq_halp.Trainer(model(), iterate=iterate)
