"""The sections of a config: which keys there are, and their defaults; `idle` says whose."""

import io
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    field_validator,
    model_serializer,
)
from ruamel.yaml import YAML

from tq_halp.config import value_types
from tq_halp.config.unused_keys import KEYS, idle, without
from tq_halp.config.value_types import NotNegative, Positive, PositiveFloat, Section
from tq_halp.yaml_settings import Settings


class Data(Section):
    """Which examples."""

    name: Literal[tuple(KEYS["data"])]
    dir: str | None = None
    limit: Positive | None = None
    validation_limit: Positive | None = None
    sequence_length: Positive = 35
    vocabulary_size: Annotated[int, value_types.from_to(2, value_types.MOST)] | None = 10_000
    file: str | None = None
    # Of arrays' file, if it must be that very file.
    sha256: str | None = None
    test_file: str | None = None
    task: Literal["classification", "regression"] = "classification"
    samples: Positive = 1000
    features: Positive = 100
    noise: Annotated[float, Field(ge=0)] = 0.1
    seed: Annotated[int, Field(ge=0)] = 0


class Model(Section):
    """Which network."""

    name: Literal[tuple(KEYS["model"])]
    # A .keras file, and its SHA-256 if it must be that very file.
    file: str | None = None
    sha256: str | None = None
    # Modules that register the classes of the file.
    imports: list[str] = []
    weights: Literal["file", "fresh"] = "file"
    embedding: Positive = 128
    units: Positive = 128
    layers: Annotated[int, value_types.from_to(1, value_types.DEEPEST)] = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    initial_range: PositiveFloat | None = None
    blocks: Annotated[list[Positive], AfterValidator(value_types.stages)] = [1, 1, 1]
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    augment: bool = True
    dtype: Literal["float32", "float64"] = "float32"

    @property
    def title(self) -> str:
        """What it is called in titles."""
        return Path(self.file).stem if self.name == "file" and self.file else self.name


class Algorithm(Section):
    """How it is trained."""

    name: Literal[tuple(KEYS["algorithm"])]
    word_bits: Annotated[int, value_types.in_range("fixed_point", "word_bits")] = 8
    frac_bits: Annotated[int, value_types.in_range("fixed_point", "frac_bits")] = 6
    # Any number format, in place of word_bits (and frac_bits).
    format: Annotated[Any, BeforeValidator(value_types.format_or_none)] = None
    mu: Annotated[str | float, BeforeValidator(value_types.mu)] = "auto"
    snapshot_every: Annotated[str | int | float, BeforeValidator(value_types.interval)] = "epoch"
    # None: the algorithm's own default.
    snapshot_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    coefficient: value_types.Coefficient = 1.0
    start_after: NotNegative = 0
    scale: Literal["per_tensor", "per_channel", "global"] = "per_tensor"
    iterate: Literal["last", "random"] = "last"
    draws: Literal["locked", "fresh"] = "locked"
    variance_ratio: bool = True
    average_after: NotNegative = 0
    average_every: Positive = 1
    # None where the format leaves nothing to round.
    rounding: value_types.Rounding | None = "stochastic"

    @field_validator("word_bits")
    @classmethod
    def _sign_and_more(cls, value, info):
        if info.data.get("name") in ("halp", "bc_sgd") and value < 2:
            raise ValueError("expected a whole number from 2 to 64, of which one is the sign")
        return value


class Optimizer(BaseModel):
    """Any Keras optimizer by name; further keys are its own arguments."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    name: str = "SGD"
    learning_rate: value_types.Rate


class Train(Section):
    """How long, and in which portions."""

    epochs: Positive
    batch_size: Positive
    validation_batch_size: Positive | None = None
    shuffle: bool = True
    # Of a model from a file; None: the one that it was compiled with.
    loss: value_types.Loss = None
    checkpoint_every_steps: Positive | None = None


class Config(Section):
    """One run, whole."""

    data: Data
    model: Model
    quantization: Annotated[Any, BeforeValidator(value_types.path_or_mapping)] = None
    algorithm: Algorithm
    optimizer: Optimizer
    train: Train
    seed: Annotated[int, value_types.from_to(0, 2**31 - 1)] = 0

    _settings: Settings | None = PrivateAttr(None)

    def subject(self, *path: str) -> str:
        """How an error about a key begins: its origin, if the config was loaded, and the key."""
        return self._settings.subject(path) if self._settings else ".".join(path)

    def origin(self, *path: str | int) -> str:
        """Where the value at `path` came from: "file:line", "--set key"; "config" if not loaded."""
        return self._settings.origin(path) if self._settings else "config"

    def blame(self, section: str, reason: str) -> str:
        """How an error begins about a section as a whole: as one about the key that it names.

        Of several keys it is the one that was changed on the command line.
        """
        named = [k for k in self.used(section) if re.search(rf"\b{re.escape(k)}\b", reason)]
        is_changed = self._settings.is_overridden if self._settings else lambda path: False
        named.sort(key=lambda key: not is_changed((section, key)))
        return self.subject(section, *named[:1])

    def used(self, section: str) -> dict[str, Any]:
        """The values of a section that do something, its `name` apart."""
        complete = {n: dict(v) if isinstance(v, BaseModel) else v for n, v in self}
        left = without(complete, idle(complete))[section]
        return {key: value for key, value in left.items() if key != "name"}

    @model_serializer(mode="wrap")
    def _what_does_something(self, handler) -> dict[str, Any]:
        complete = handler(self)
        return without(complete, idle(complete))

    def to_yaml(self) -> str:
        """Every value that does something, defaults too, as YAML that `load` reads back equal."""
        return to_yaml(self.model_dump())


def to_yaml(values: dict[str, Any]) -> str:
    """Plain values as YAML, a line for each."""
    yaml, text = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False
    yaml.dump(values, text)
    return text.getvalue()
