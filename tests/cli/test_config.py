"""A config: what is accepted, what survives being written, and what each mistake is answered."""

from pathlib import Path

import pytest

from tq_halp import config as configs, formats
from tq_halp.errors import InputError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
GOOD = """\
data: {name: python_docs}
model:
  name: lstm_language_model
algorithm:
  name: halp
optimizer: {name: SGD, learning_rate: 1e-1, momentum: 0.9}
train:
  epochs: 2
  batch_size: 8
"""


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_text(GOOD)
    return file


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("*.yaml")), ids=lambda p: p.stem)
def test_the_configs_of_this_repository_load(file):
    configs.load(file)


@pytest.mark.parametrize("name", ["halp", "svrg", "lp_svrg", "lp_sgd", "sgd", "bc_sgd"])
def test_an_algorithm_is_changed_by_its_name_alone(name):
    config = configs.load(CONFIGS / "lstm_ptb.yaml", [f"algorithm.name={name}"])
    assert config.algorithm.name == name


def test_written_config_loads_equal(path, tmp_path):
    overrides = [
        "seed=7",
        "algorithm.mu=1e-3",
        "algorithm.coefficient={class_name: CosineDecay, config: {decay_steps: 10}}",
        "algorithm.snapshot_every=0.25",
        "algorithm.snapshot_fraction=1",
        "optimizer.learning_rate={class_name: CosineDecay, config: {decay_steps: 10}}",
        "quantization={version: 1, rules: [{layers: '.*', weights: bfloat16}]}",
    ]
    config = configs.load(path, overrides)
    again = tmp_path / "again.yaml"
    again.write_text(config.to_yaml())
    assert configs.load(again).model_dump() == config.model_dump()
    assert config.algorithm.mu == 0.001 and config.optimizer.model_extra == {"momentum": 0.9}


def test_overrides_apply_in_order_and_seed_last(path):
    config = configs.load(path, ["train.epochs=3", "train.epochs=4", "seed=1"], seed=5)
    assert config.train.epochs == 4 and config.seed == 5


def test_null_override(path):
    assert configs.load(path, ["data.vocabulary_size=null"]).data.vocabulary_size is None


def test_map_is_found_beside_the_config_then_in_the_working_directory(path, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    (elsewhere / "map.yaml").write_text("version: 1\n")
    assert configs.load(path, ["quantization=map.yaml"]).quantization == str(elsewhere / "map.yaml")
    (tmp_path / "map.yaml").write_text("version: 1\n")
    assert configs.load(path, ["quantization=map.yaml"]).quantization == str(tmp_path / "map.yaml")


def test_data_folder_becomes_absolute(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = configs.load(path, ["data.name=ptb", "data.dir=corpus"])
    assert found.data.dir == str(tmp_path / "corpus")


@pytest.mark.parametrize(
    "override, parts",
    [
        ("algorithm.word_bits=1", ["--set algorithm.word_bits", "received 1", "from 2 to 64"]),
        ("algorithm.word_bits=65", ["received 65", "from 2 to 64"]),
        ("algorithm.wordbits=8", ["unknown key 'algorithm.wordbits'", "did you mean 'word_bits'"]),
        ("algoritm.name=sgd", ["--set algoritm.name", "did you mean 'algorithm'"]),
        ("algorithm.name=lpsgd", ["received 'lpsgd'", "did you mean 'lp_sgd'"]),
        ("algorithm.format=float8_e9m9", ["algorithm.format", "float8_e9m9", "did you mean"]),
        ("algorithm.format={format: block_float}", ["algorithm.format", "word_bits"]),
        ("algorithm.mu=auot", ["received 'auot'", "'auto' or a number greater than 0"]),
        ("algorithm.mu=0", ["received 0", "'auto' or a number greater than 0"]),
        ("algorithm.mu=.nan", ["received nan", "a number greater than 0"]),
        ("algorithm.snapshot_every=1.5", ["received 1.5", "'epoch', a number of steps from 1 to"]),
        ("algorithm.snapshot_every=true", ["received True", "or a probability below 1"]),
        ("algorithm.snapshot_every=0", ["received 0", "or a probability below 1"]),
        ("algorithm.coefficient=1.5", ["received 1.5", "a number from 0 to 1, 'estimated' or {cl"]),
        ("algorithm.coefficient=true", ["received True", "a number from 0 to 1, 'estimated'"]),
        ("algorithm.coefficient=best", ["received 'best'", "a number from 0 to 1, 'estimated'"]),
        ("algorithm.coefficient={class_name: A, confg: 1}", ["'config'"]),
        ("algorithm.start_after=-1", ["received -1", "greater than or equal to 0"]),
        ("algorithm.start_after=0.5", ["received 0.5", "a valid integer"]),
        ("algorithm.snapshot_fraction=0", ["received 0", "greater than 0"]),
        ("algorithm.snapshot_fraction=1.1", ["received 1.1", "less than or equal to 1"]),
        ("train.epochs=many", ["train.epochs", "received 'many'", "a valid integer"]),
        ("train.epochs=true", ["received True", "a valid integer"]),
        ("train=3", ["--set train", "received 3", "expected a mapping"]),
        ("train.epochs.x=3", ["train.epochs is 2, not a mapping"]),
        ("optimizer.learning_rate=0", ["received 0", "greater than 0"]),
        ("optimizer.learning_rate={class_name: A, confg: 1}", ["'config'"]),
        ("quantization=maps/none.yaml", ["no such map file", "maps/none.yaml"]),
        ("quantization=[1]", ["received [1]", "the path of a map file"]),
        ("model.dropout=1", ["model.dropout", "received 1", "less than 1"]),
        (
            "model={name: resnet, blocks: []}",
            ["received []", "one to five numbers"],
        ),
        ("model={name: resnet, blocks: [200, 200]}", ["at most 300 blocks in all"]),
        ("model.layers=5000", ["received 5000, expected a whole number from 1 to 300"]),
        ("model={name: resnet, blocks: [1, 0]}", ["model.blocks.1", "received 0", "equal to 1"]),
        ("data.name=minst", ["received 'minst'", "did you mean 'mnist'"]),
        ("seed=-1", ["received -1", "from 0 to"]),
        ("foo", ["--set foo: expected key.path=value"]),
        ("a=[", ["--set a=[", "not YAML"]),
        ("train.epochs=", ["--set train.epochs=: expected a value behind =; none at all is null"]),
        ("data.limit=  ", ["expected a value behind ="]),
        ("train..epochs=3", ["expected key.path=value"]),
        ("train.epochz=3", ["--set train.epochz", "did you mean 'epochs'"]),
        ("train.epochs='3'", ["received '3'", "a number has no quotes"]),
        ("train={epochs: 1, epochs: 2}", ["not YAML", "duplicate key"]),
        ("train.epochs=*two", ["not YAML", "undefined alias"]),
        ("train.epochs=2001-01-01", ["received datetime.date(2001, 1, 1)", "valid integer"]),
        ("train.shuffle=no", ["received 'no'", "write false"]),
    ],
)
def test_wrong_override(path, override, parts):
    with pytest.raises(InputError) as caught:
        configs.load(path, [override])
    message = str(caught.value)
    assert all(part in message for part in parts), message
    assert "\n" not in message


@pytest.mark.parametrize(
    "old, new, line, part",
    [
        ("epochs: 2", "epochs: two", 8, "train.epochs: received 'two'"),
        ("epochs: 2", "epoch: 2", 8, "unknown key 'train.epoch'; did you mean 'epochs'?"),
        ("epochs: 2", "batch_size: 4", 9, "'batch_size' appears a second time"),
        ("train:", "trian:", 7, "did you mean 'train'?"),
        ("name: halp", "name: [halp", 6, "not valid YAML"),
        ("name: halp", "name: halp\n  mu: -1", 6, "algorithm.mu: received -1"),
        ("  name: halp", "  <<: {name: halp, mu: -1}", 5, "algorithm.mu: received -1"),
    ],
)
def test_mistake_in_the_file_names_its_line(path, old, new, line, part):
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(InputError) as caught:
        configs.load(path)
    assert any(
        message.startswith(f"{path}:{line}: ") and part in message
        for message in str(caught.value).splitlines()
    ), caught.value


@pytest.mark.parametrize(
    "old, new",
    [
        ("data:", "\ufeffdata:"),
        ("\n", "\r\n"),
        ("1e-1", "0.1"),
        ("1e-1", "1E-1"),
        ("1e-1", "+1.e-1"),
        ("epochs: 2", "<<: {epochs: 2, batch_size: 3}"),
        ("data:", "--- # the first and the only one\ndata:"),
    ],
)
def test_ways_to_write_the_same(path, old, new):
    expected = configs.load(path).model_dump()
    path.write_text(GOOD.replace(old, new), encoding="utf-8", newline="")
    assert configs.load(path).model_dump() == expected


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("1e-1", "'1e-1'", "6: optimizer.learning_rate: received '1e-1', expected a number "),
        ("1e-1", "'1e-1'", "; a number has no quotes"),
        ("epochs: 2", "epochs: 2e0", "8: train.epochs: received 2.0, expected a valid integer"),
        ("epochs: 2", "epochs: 2\n  shuffle: yes", "received 'yes', .* boolean; write true"),
        ("epochs: 2", "epochs: 2\n  shuffle: Off", "received 'Off', .* boolean; write false"),
        ("  epochs: 2", "\tepochs: 2", "8: not valid YAML: found character '\\\\t'"),
        ("epochs: 2", "epochs\u00a0: 2", "unknown key .*did you mean 'epochs'"),
        ("epochs: 2", "epochs: *two", "8: not valid YAML: found undefined alias 'two'"),
        ("epochs: 2", "<<: 2", "8: not valid YAML: expected a mapping"),
        ("epochs: 2", "epochs: 2001-01-01", "8: .*must be a text, a number, .* Received: date"),
        ("epochs: 2", "epochs: !!python/object:os.system 2", "8: .*must be a text, a number"),
        ("train:", "train: {epochs: 2, batch_size: 8}\ntrain:", "'train' appears a second time"),
        ("  epochs: 2", "  true: 2\n  epochs: 2", "8: train.1: received True, Keys should be"),
        ("data:", "base: &base {epochs: 2}\ndata:", "1: unknown key 'base'; known: data, model"),
    ],
)
def test_what_yaml_says_otherwise_than_was_meant(path, old, new, said):
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError, match=said) as caught:
        configs.load(path)
    assert str(caught.value).startswith(f"{path}:")


def test_every_mistake_is_told_at_once(path):
    path.write_text(GOOD.replace("epochs: 2", "epochs: 0").replace("name: halp", "name: halb"))
    with pytest.raises(InputError) as caught:
        configs.load(path)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    "content, part",
    [
        (b"", "must be a mapping of settings. Received: nothing"),
        (b"- a\n", "Received: a list"),
        (b"3", "Received: 3"),
        (b"\xff\xfe\x00", "not a text file"),
        (GOOD.encode("utf-16"), "not a text file"),
        (b"data: {name: caf\xe9}\n", "not a text file"),
        (b"# nothing else\n", "Received: nothing"),
        (b"a: 1\n---\na: 2\n", "but found another document"),
        (b"a: \x00", "not valid YAML"),
        (b"data: {name: ptb}\n", "model is missing"),
    ],
)
def test_file_that_is_no_config(path, content, part):
    path.write_bytes(content)
    with pytest.raises(InputError, match=part):
        configs.load(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(InputError, match="no such config file"):
        configs.load(tmp_path / "none.yaml")
    with pytest.raises(InputError, match="is a folder"):
        configs.load(tmp_path)


@pytest.mark.parametrize("name", ["halp", "bc_sgd", "lp_sgd"])
def test_a_format_reaches_the_algorithm(path, name):
    from tq_halp.commands.running.experiment import build_trainer
    from tq_halp.models import linear

    config = configs.load(path, [f"algorithm.name={name}", "algorithm.format=float8_e5m2"])
    trainer = build_trainer(config, linear(3))
    assert trainer.format == formats.get("float8_e5m2")
