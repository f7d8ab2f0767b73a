"""`algorithm` as a pairing: an estimator of the gradient, and where the iterate lives."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Union

from pydantic import ConfigDict, Discriminator, Tag

from tq_halp.config.section import Named, Section, by_name, name_of
from tq_halp.config.sections import algorithm_keys as keys
from tq_halp.config.value_types import Coefficient


class Minibatch(Named):
    name: Literal["minibatch"] = "minibatch"


class VarianceReduced(keys.Correction, keys.Snapshots):
    name: Literal["variance_reduced"] = "variance_reduced"


class GradientTable(Named):
    name: Literal["gradient_table"] = "gradient_table"
    update: Literal["epoch", "step"] = "epoch"
    coefficient: Coefficient = 1.0
    format: keys.TableFormat = None
    draws: Literal["locked", "fresh"] = "locked"
    packed: bool = False
    folder: str | None = None


class FullPrecision(Named):
    name: Literal["full_precision"] = "full_precision"


class FixedGrid(keys.OnGrid):
    name: Literal["fixed_grid"] = "fixed_grid"


class Averaged(keys.Averaged):
    name: Literal["averaged"] = "averaged"


class BitCentered(keys.Snapshots, keys.BitCentered):
    """Snapshots are its own only beside an estimator that takes none (see `idle`)."""

    name: Literal["bit_centered"] = "bit_centered"


class Registered(Named):
    """A class of the user's own, by the name under which Keras has it; its arguments."""

    model_config = ConfigDict(extra="allow")

    @property
    def title(self) -> str:
        """The name of the class."""
        return self.name.partition(">")[2]


def is_registered(name: Any) -> bool:
    """Whether a name is one under which Keras has a class: "package>Class"."""
    package, mark, kind = name.partition(">") if isinstance(name, str) else ("", "", "")
    return bool(package and mark and kind)


def _tag(value: Any) -> Any:
    name = name_of(value)
    return "registered" if is_registered(name) else name


def _one_of(kinds: Mapping[str, type[Named]]) -> Any:
    members = [Annotated[kind, Tag(name)] for name, kind in kinds.items()]
    members.append(Annotated[Registered, Tag("registered")])
    return Annotated[Union[tuple(members)], Discriminator(_tag)]  # noqa: UP007, of a tuple


ESTIMATORS = by_name(Minibatch, VarianceReduced, GradientTable)
ITERATES = by_name(FullPrecision, FixedGrid, Averaged, BitCentered)
# A checker of types cannot read a union that is made from a tuple.
if TYPE_CHECKING:
    Estimator = Named
    Iterate = Named
else:
    Estimator, Iterate = _one_of(ESTIMATORS), _one_of(ITERATES)


class ComposedAlgorithm(Section):
    """An estimator and an iterate."""

    estimator: Estimator = Minibatch()
    iterate: Iterate = FullPrecision()
    # Modules that register the classes of the user's own.
    imports: list[str] = []

    is_composed: ClassVar[bool] = True

    @property
    def title(self) -> str:
        """Both, with a + between them."""
        return f"{self.estimator.title}+{self.iterate.title}"

    @property
    def numbers(self) -> str:
        """The iterate's number format in words, "" without one."""
        return self.iterate.numbers
