"""`data`: which examples."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from tq_halp.config.section import Named, by_name
from tq_halp.config.value_types import MOST, NotNegativeFloat, Positive, from_to


class _Limited(Named):
    # Of the training examples; tokens of a language model.
    limit: Positive | None = None
    validation_limit: Positive | None = None


class _Searched(Named):
    # Without it the set is searched and downloaded.
    dir: str | None = None
    limit: Positive | None = None
    validation_limit: Positive | None = None


class _Language(Named):
    sequence_length: Positive = 35
    # None: every token of the training text.
    vocabulary_size: Annotated[int, from_to(2, MOST)] | None = 10_000


class PennTreebank(_Language, _Searched):
    name: Literal["ptb"] = "ptb"


class TinyShakespeare(_Language, _Searched):
    name: Literal["tiny_shakespeare"] = "tiny_shakespeare"


class PythonDocs(_Language, _Limited):
    """Made of the standard library's docstrings, and so always there."""

    name: Literal["python_docs"] = "python_docs"


class LinearRegression(Named):
    """Drawn at random."""

    name: Literal["linear_regression"] = "linear_regression"
    limit: Positive | None = None
    samples: Positive = 1000
    features: Positive = 100
    noise: NotNegativeFloat = 0.1
    seed: Annotated[int, Field(ge=0)] = 0


class Mnist(_Searched):
    name: Literal["mnist"] = "mnist"


class Cifar10(_Searched):
    name: Literal["cifar10"] = "cifar10"


class Libsvm(_Searched):
    """A file in the format of LIBSVM."""

    name: Literal["libsvm"] = "libsvm"
    file: str | None = None
    test_file: str | None = None
    task: Literal["classification", "regression"] = "classification"


class Arrays(_Limited):
    """An .npz file of the user's own."""

    name: Literal["arrays"] = "arrays"
    file: str | None = None
    # If it must be that very file.
    sha256: str | None = None


_Kind = (
    PennTreebank
    | TinyShakespeare
    | PythonDocs
    | LinearRegression
    | Mnist
    | Cifar10
    | Libsvm
    | Arrays
)
DATA = by_name(*get_args(_Kind))
Data = Annotated[_Kind, Field(discriminator="name")]
