"""`model`: which network."""

from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Field

from tq_halp.config.section import Named, by_name
from tq_halp.config.value_types import (
    DEEPEST,
    NotNegativeFloat,
    Positive,
    PositiveFloat,
    from_to,
    stages,
)

Dtype = Literal["float32", "float64"]


class LSTMLanguageModel(Named):
    name: Literal["lstm_language_model"] = "lstm_language_model"
    embedding: Positive = 128
    units: Positive = 128
    layers: Annotated[int, from_to(1, DEEPEST)] = 1
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    # Weights are drawn from -initial_range to initial_range; None: as Keras draws them.
    initial_range: PositiveFloat | None = None
    dtype: Dtype = "float32"


class Linear(Named):
    name: Literal["linear"] = "linear"
    dtype: Dtype = "float32"


class LinearClassifier(Named):
    name: Literal["linear_classifier"] = "linear_classifier"
    weight_decay: NotNegativeFloat = 0.0
    dtype: Dtype = "float32"


class ResNet(Named):
    name: Literal["resnet"] = "resnet"
    # Of each stage.
    blocks: Annotated[list[Positive], AfterValidator(stages)] = [1, 1, 1]
    weight_decay: NotNegativeFloat = 0.0
    augment: bool = True
    dtype: Dtype = "float32"


class ModelFile(Named):
    """A .keras file of the user's own."""

    name: Literal["file"] = "file"
    file: str | None = None
    # If it must be that very file.
    sha256: str | None = None
    # Modules that register the classes of the file.
    imports: list[str] = []
    weights: Literal["file", "fresh"] = "file"

    @property
    def title(self) -> str:
        """The file's name."""
        return Path(self.file).stem if self.file else self.name


_Kind = LSTMLanguageModel | Linear | LinearClassifier | ResNet | ModelFile
MODELS = by_name(*get_args(_Kind))
Model = Annotated[_Kind, Field(discriminator="name")]
