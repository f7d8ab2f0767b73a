"""What a run is: the schema of a config file, strict, its errors naming line, value and remedy."""

import io
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
)
from ruamel.yaml import YAML

from tq_halp.errors import InputError
from tq_halp.settings import Settings, suggestion

Positive = Annotated[int, Field(ge=1)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Rounding = Literal[
    "nearest_even", "nearest_away", "nearest_up", "down", "up", "toward_zero", "stochastic"
]


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_positive(value):
    return _is_number(value) and 0 < value < float("inf")


def _is_coefficient(value):
    return value == "estimated" or _is_number(value) and 0 <= value <= 1


def _mu(value):
    if not (value == "auto" or _is_positive(value)):
        raise ValueError("expected 'auto' or a number greater than 0")
    return value if value == "auto" else float(value)


def _interval(value):
    is_count_or_probability = _is_positive(value) and (value < 1 or isinstance(value, int))
    if value == "epoch" or is_count_or_probability:
        return value
    raise ValueError("expected 'epoch', a number of steps, 1 or more, or a probability below 1")


def _from_to(low: int, high: int):
    """A validator: a whole number from `low` to `high`."""

    def check(value):
        if not low <= value <= high:
            raise ValueError(f"expected a whole number from {low} to {high}")
        return value

    return AfterValidator(check)


def _stages(value):
    if not 1 <= len(value) <= 5:
        raise ValueError("expected one to five numbers, one for each stage")
    return value


def _path_or_mapping(value):
    if not (value is None or isinstance(value, (str, dict))):
        raise ValueError("expected the path of a map file, a map itself or null")
    return value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Data(_Section):
    """Which examples; a set uses the keys that concern it."""

    name: Literal[
        "ptb", "tiny_shakespeare", "python_docs", "linear_regression", "mnist", "cifar10", "libsvm"
    ]
    dir: str | None = None
    limit: Positive | None = None
    validation_limit: Positive | None = None
    sequence_length: Positive = 35
    vocabulary_size: Annotated[int, Field(ge=2)] | None = 10_000
    file: str | None = None
    test_file: str | None = None
    task: Literal["classification", "regression"] = "classification"
    samples: Positive = 1000
    features: Positive = 100
    noise: Annotated[float, Field(ge=0)] = 0.1
    seed: Annotated[int, Field(ge=0)] = 0


class Model(_Section):
    """Which network; a network uses the keys that concern it."""

    name: Literal["lstm_language_model", "linear", "linear_classifier", "resnet"]
    embedding: Positive = 128
    units: Positive = 128
    layers: Positive = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    initial_range: PositiveFloat | None = None
    blocks: Annotated[list[Positive], AfterValidator(_stages)] = [1, 1, 1]
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    augment: bool = True
    dtype: Literal["float32", "float64"] = "float32"


class Schedule(_Section):
    """A Keras learning-rate schedule."""

    class_name: str
    config: dict[str, Any] = {}


def _or_schedule(accepts, valid: str):
    """A validator: what `accepts` takes (described by `valid`), a number as float; a schedule."""

    def check(value):
        if isinstance(value, dict):
            return Schedule(**value)
        if not (isinstance(value, Schedule) or accepts(value)):
            raise ValueError(f"expected {valid} or {{class_name: ..., config: {{...}}}}")
        return float(value) if isinstance(value, int) else value

    return BeforeValidator(check)


Rate = Annotated[float | Schedule, _or_schedule(_is_positive, "a number greater than 0")]
Coefficient = Annotated[
    float | Literal["estimated"] | Schedule,
    _or_schedule(_is_coefficient, "a number from 0 to 1, 'estimated'"),
]


class Algorithm(_Section):
    """How it is trained; an algorithm uses the keys that concern it."""

    name: Literal["halp", "svrg", "lp_svrg", "lp_sgd", "sgd", "swalp", "bc_sgd"]
    word_bits: Annotated[int, _from_to(1, 64)] = 8
    frac_bits: Annotated[int, _from_to(-1000, 1000)] = 6
    mu: Annotated[str | float, BeforeValidator(_mu)] = "auto"
    snapshot_every: Annotated[str | int | float, BeforeValidator(_interval)] = "epoch"
    # None: the algorithm's own default.
    snapshot_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    coefficient: Coefficient = 1.0
    start_after: Annotated[int, Field(ge=0)] = 0
    scale: Literal["per_tensor", "per_channel", "global"] = "per_tensor"
    iterate: Literal["last", "random"] = "last"
    draws: Literal["locked", "fresh"] = "locked"
    average_after: Annotated[int, Field(ge=0)] = 0
    average_every: Positive = 1
    rounding: Rounding = "stochastic"


class Optimizer(BaseModel):
    """Any Keras optimizer by name; further keys are its own arguments."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    name: str = "SGD"
    learning_rate: Rate


class Train(_Section):
    """How long, and in which portions."""

    epochs: Positive
    batch_size: Positive
    validation_batch_size: Positive | None = None
    shuffle: bool = True
    checkpoint_every_steps: Positive | None = None


class Config(_Section):
    """One run, whole."""

    data: Data
    model: Model
    quantization: Annotated[Any, BeforeValidator(_path_or_mapping)] = None
    algorithm: Algorithm
    optimizer: Optimizer
    train: Train
    seed: Annotated[int, _from_to(0, 2**31 - 1)] = 0

    _settings: Settings | None = PrivateAttr(None)

    def subject(self, *path: str) -> str:
        """How an error about a key begins: its origin, if the config was loaded, and the key."""
        return self._settings.subject(path) if self._settings else ".".join(path)

    def origin(self, *path: str | int) -> str:
        """Where the value at `path` came from: "file:line", "--set key"; "config" if not loaded."""
        return self._settings.origin(path) if self._settings else "config"

    def to_yaml(self) -> str:
        """Every value, defaults included, as YAML that `load` reads back equal."""
        yaml, text = YAML(typ="safe", pure=True), io.StringIO()
        yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False
        yaml.dump(self.model_dump(), text)
        return text.getvalue()


def load(path, overrides: Sequence[str] = (), seed: int | None = None) -> Config:
    """The config in the file `path` with `--set` overrides applied, in order, and checked.

    `quantization`, when it is a path, is looked for beside the config, then in the working
    directory, and made absolute; so is `data.dir`, in the working directory.

    Raises:
        InputError: anything is wrong; all that is wrong in one message, a line for each.
    """
    settings = Settings(path)
    for assignment in overrides:
        settings.override(assignment)
    if seed is not None:
        settings.set(("seed",), seed, "--seed")
    _resolve_paths(settings)
    try:
        config = Config.model_validate(settings.values)
    except ValidationError as error:
        raise InputError("\n".join(_explain(e, settings) for e in error.errors())) from error
    config._settings = settings
    return config


def _resolve_paths(settings: Settings) -> None:
    data = settings.values.get("data")
    if isinstance(data, dict) and isinstance(data.get("dir"), str):
        data["dir"] = os.path.abspath(os.path.expanduser(data["dir"]))
    quantization = settings.values.get("quantization")
    if isinstance(quantization, str):
        candidates = [settings.path.parent / quantization, Path(quantization)]
        found = next((p for p in candidates if p.is_file()), None)
        if found is None:
            looked = " nor ".join(dict.fromkeys(map(str, candidates)))
            raise InputError(
                f"{settings.origin(['quantization'])}: quantization: no such map file: {looked}"
            )
        settings.values["quantization"] = os.path.abspath(found)


def _explain(error: dict, settings: Settings) -> str:
    """One line: origin, key path, what was received, what would be valid."""
    location = _location(error["loc"], settings.values)
    where, key = settings.origin(location), ".".join(map(str, location))
    subject = settings.subject(location)
    if error["type"] == "missing":
        return f"{where}: {key} is missing"
    if error["type"] == "extra_forbidden":
        fields = list(_fields_at(location[:-1]))
        return f"{where}: unknown key {key!r}{suggestion(location[-1], fields)}"
    if error["type"] == "model_type":
        return f"{subject}: received {error['input']!r}, expected a mapping"
    valid = error["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    valid = valid.replace("expected greater", "expected a number greater")
    valid = valid.replace("expected less", "expected a number less")
    hint = ""
    if error["type"] == "literal_error" and isinstance(error["input"], str):
        words = re.findall(r"'(.*?)'", error["ctx"]["expected"])
        close = suggestion(error["input"], words)
        hint = close if "did you mean" in close else ""
    return f"{subject}: received {error['input']!r}, {valid}{hint}"


def _location(loc: tuple, values) -> list:
    """`loc` without the names that pydantic adds for the members of a union."""
    path = []
    for part in loc:
        if isinstance(values, dict) and part not in values and path and part != loc[-1]:
            continue
        if not isinstance(values, (dict, list)):
            break
        path.append(part)
        values = values.get(part) if isinstance(values, dict) else None
    return path


def _fields_at(path: Sequence) -> list[str]:
    model = Config
    for part in path:
        field = model.model_fields.get(part)
        model = field.annotation if field else None
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return list(Schedule.model_fields)
    return list(model.model_fields)
