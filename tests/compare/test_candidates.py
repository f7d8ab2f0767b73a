"""The candidates that the command line describes."""

import pytest

from tq_halp import InputError
from tq_halp.commands.compare.candidates import chosen_by, parse, shared


def test_names_alone_are_labels():
    assert [(e.label, e.algorithm) for e in parse("halp,lp_sgd", [], [])] == [
        ("halp", "halp"),
        ("lp_sgd", "lp_sgd"),
    ]


def test_settings_for_all_come_before_those_for_one():
    sets = ["b4.word_bits=4", "b4.train.epochs=9", "train.epochs=2", "b4.optimizer.nesterov=true"]
    b8, b4 = parse("b8=halp,b4=halp", sets, [])
    assert b8.overrides() == ["algorithm.name=halp", "train.epochs=2"]
    assert b4.overrides() == [
        "algorithm.name=halp",
        "train.epochs=2",
        "algorithm.word_bits=4",
        "train.epochs=9",
        "optimizer.nesterov=true",
    ]
    assert shared(sets, "b8=halp,b4=halp") == ["train.epochs=2"]


def test_a_pair_of_parts_replaces_the_algorithm_of_the_config():
    sets = ["mine.imports=[mine]", "mine.estimator.a=0.2", "pair.iterate.word_bits=4"]
    mine, pair, halp = parse(
        "mine=mine>Storm+fixed_grid,pair=minibatch+bit_centered,halp", sets, []
    )
    assert mine.overrides() == [
        'algorithm={"estimator": {"name": "mine>Storm"}, "iterate": {"name": "fixed_grid"}}',
        "algorithm.imports=[mine]",
        "algorithm.estimator.a=0.2",
    ]
    assert pair.overrides()[1:] == ["algorithm.iterate.word_bits=4"]
    # The config may hold keys of the named ones, which a pair does not take over.
    assert chosen_by([*pair.beside, pair.algorithm])[:-1] == ["algorithm.name=halp"]
    assert halp.overrides() == ["algorithm.name=halp"]


@pytest.mark.parametrize(
    "algorithms, message",
    [
        ("a=minibatch+none", "no iterate 'none'; known: full_precision"),
        ("a=svrg+fixed_grid", "no estimator 'svrg'; known: minibatch, variance_reduced"),
        ("a=mine>Storm", "no algorithm 'mine>Storm'"),
        ("mine>Storm+fixed_grid", "is no label"),
    ],
)
def test_pairs_that_are_none(algorithms, message):
    with pytest.raises(InputError, match=message):
        parse(algorithms, [], [])


def test_a_grid_for_one_replaces_the_one_for_all():
    grids = [
        "halp.optimizer.learning_rate=1,1e-2",
        "optimizer.learning_rate=5,10",
        "halp.mu=auto,1",
    ]
    halp, sgd = parse("halp,sgd", [], grids)
    assert sgd.grid == (("optimizer.learning_rate", (5, 10)),)
    assert halp.grid == (("optimizer.learning_rate", (1, 0.01)), ("algorithm.mu", ("auto", 1)))
    chosen = [("optimizer.learning_rate", 0.01), ("algorithm.mu", "auto")]
    assert halp.overrides(chosen) == [
        "algorithm.name=halp",
        "optimizer.learning_rate=0.01",
        'algorithm.mu="auto"',
    ]


def test_a_setting_for_all_goes_to_those_for_whom_it_does_something():
    """Of `algorithm`; what else does nothing is known once the config is read."""
    sets = ["algorithm.mu=3", "algorithm.word_bits=4", "model.blocks=[1]"]
    grids = ["algorithm.frac_bits=2,3", "optimizer.learning_rate=1,2"]
    halp, lp, sgd = parse("halp,lp=lp_sgd,sgd", sets, grids)
    rate, blocks = ("optimizer.learning_rate", (1, 2)), "model.blocks=[1]"
    assert halp.settings == ("algorithm.mu=3", "algorithm.word_bits=4", blocks)
    assert lp.settings == ("algorithm.word_bits=4", blocks) and sgd.settings == (blocks,)
    assert (halp.grid, sgd.grid) == ((rate,), (rate,))
    assert lp.grid == (("algorithm.frac_bits", (2, 3)), rate)


def test_a_setting_for_all_gives_way_to_one_of_its_own():
    sets = ["algorithm.word_bits=4", "algorithm.mu=3", "b.format=mxfp8"]
    a, b = parse("a=halp,b=halp", sets, [])
    assert a.settings == ("algorithm.word_bits=4", "algorithm.mu=3")
    assert b.settings == ("algorithm.format=mxfp8",)


@pytest.mark.parametrize(
    ("algorithms", "sets", "grids", "message"),
    [
        ("hapl", [], [], r"--algorithms hapl: no algorithm 'hapl'; did you mean 'halp'\?"),
        ("halp,", [], [], "'' is no label"),
        ("a.b=halp", [], [], "'a.b' is no label"),
        ("train=halp", [], [], "'train' is a section of configs"),
        ("halp,halp", [], [], "'halp' appears twice; give labels, e.g. halp8=halp,halp4=halp"),
        ("halp", ["hlap.mu=1"], [], r"neither a section of the config nor a label; did you mean"),
        ("halp", ["mu=1"], [], "'mu' is neither a section"),
        ("halp", ["halp.mu"], [], r"--set halp.mu: expected key=value"),
        ("halp", ["halp=3"], [], r"--set halp=3: expected key=value"),
        ("halp", ["algorithm.name=sgd"], [], "algorithm.name is chosen by --algorithms"),
        ("halp", ["halp.name=sgd"], [], "algorithm.name is chosen by --algorithms"),
        ("halp", ["seed=1"], [], "seed is chosen by --seeds"),
        ("svrg,sgd", ["algorithm.mu=3"], [], "algorithm.mu: set for all labels, which does n"),
        (
            "svrg,sgd",
            [],
            ["algorithm.mu=1,2"],
            "algorithm.mu: set for all .* halp, bc_sgd and bc_saga",
        ),
        ("halp", [], ["halp.mu=1"], "--tune algorithm.mu=1: expected two or more different"),
        ("halp", [], ["halp.mu=1,1.0"], "expected two or more different"),
        ("halp", [], ["halp.mu=[1],2"], "expected two or more different"),
        ("halp", [], ["halp.mu=1]"], "the values are not YAML"),
    ],
)
def test_what_is_refused(algorithms, sets, grids, message):
    with pytest.raises(InputError, match=message):
        parse(algorithms, sets, grids)
