"""`algorithm`: how the model is trained, by a known pairing's name or as a pairing of two parts."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Discriminator, Tag

from tq_halp.config.section import Named, by_name, name_of
from tq_halp.config.sections import algorithm_keys as keys
from tq_halp.config.sections.composed_algorithm import ComposedAlgorithm

#: The keys of which a pairing has at least one.
PARTS = ("estimator", "iterate")


def parts_in(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of PARTS in a section; `iterate: last` is another key, which a name may have."""
    is_word = isinstance(given.get("iterate"), str)
    return tuple(part for part in PARTS if part in given and not (part == "iterate" and is_word))


class HALP(keys.Correction, keys.Snapshots, keys.BitCentered):
    name: Literal["halp"] = "halp"


class SVRG(keys.Correction, keys.Snapshots):
    name: Literal["svrg"] = "svrg"


class LowPrecisionSVRG(keys.Correction, keys.Snapshots, keys.OnGrid):
    name: Literal["lp_svrg"] = "lp_svrg"


class LowPrecisionSGD(keys.OnGrid):
    name: Literal["lp_sgd"] = "lp_sgd"


class SGD(Named):
    name: Literal["sgd"] = "sgd"


class SWALP(keys.Averaged):
    name: Literal["swalp"] = "swalp"


class BitCenteredSGD(keys.Snapshots, keys.BitCentered):
    name: Literal["bc_sgd"] = "bc_sgd"


class SAGA(keys.Table):
    name: Literal["saga"] = "saga"


class BitCenteredSAGA(keys.Table, keys.Recentering, keys.BitCentered):
    name: Literal["bc_saga"] = "bc_saga"


ALGORITHMS = by_name(
    HALP,
    SVRG,
    LowPrecisionSVRG,
    LowPrecisionSGD,
    SGD,
    SWALP,
    BitCenteredSGD,
    SAGA,
    BitCenteredSAGA,
)


def form(value: Any) -> Any:
    """The `name`, "composed" for an estimator and an iterate, None for neither."""
    if isinstance(value, ComposedAlgorithm):
        return "composed"
    name = name_of(value)
    if name is None and isinstance(value, Mapping) and parts_in(value):
        return "composed"
    return name


# A checker of types cannot read a union that is made from a tuple.
if TYPE_CHECKING:
    Algorithm = Named | ComposedAlgorithm
else:
    _MEMBERS = [Annotated[kind, Tag(name)] for name, kind in ALGORITHMS.items()]
    _MEMBERS.append(Annotated[ComposedAlgorithm, Tag("composed")])
    Algorithm = Annotated[Union[tuple(_MEMBERS)], Discriminator(form)]  # noqa: UP007, of a tuple
