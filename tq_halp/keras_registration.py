"""Loading a model needs `import tq_halp` and no more: Keras is told where our classes are.

Keras builds what a file names from the classes that are registered with it, and imports no module
of ours by itself. Registering them the usual way would import TensorFlow with `import tq_halp`, so
what is registered here are their addresses: a class is imported when a file asks for it.

That is the one effect that importing tq_halp has. If Keras is not there yet it happens when
somebody imports Keras, by an entry in `sys.meta_path` that then removes itself.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# What is registered as "tq_halp>NAME", by module. The twin of a Keras layer NAME is QuantNAME.
_NAMES = {
    "tq_halp.algorithms": (
        "BitCenteredSGD",
        "HALP",
        "LowPrecisionSGD",
        "LowPrecisionSVRG",
        "SGD",
        "SVRG",
        "SWALP",
    ),
    "tq_halp.layers": ("QuantLayer", "Quantize"),
    "tq_halp.models": ("HalfMeanSquaredError", "WeightDecay"),
    "tq_halp.optimizers": ("QuantizedOptimizer",),
    "tq_halp.quantization_map.copying.rebuild_composite": ("RebuiltComposite",),
    "tq_halp.quantizers": ("Accumulator", "Quantizer"),
}


class Address:
    """Stands for a class that is not imported yet, as far as Keras' deserialization needs it."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name

    def resolve(self) -> Any:
        return getattr(importlib.import_module(self.module), self.name)

    def from_config(self, config: dict[str, Any]) -> Any:
        return self.resolve().from_config(config)

    def __repr__(self) -> str:
        return f"<class '{self.module}.{self.name}'>"


def register_addresses() -> None:
    """Registers with Keras where our classes are, now or as soon as Keras is imported."""
    if "keras" in sys.modules:
        _register(sys.modules["keras"])
    else:
        sys.meta_path.insert(0, _KerasImport())


def addresses(keras: ModuleType) -> dict[str, Address]:
    """What Keras is told: the address of each class by the name that it is registered under."""
    twins = tuple(f"Quant{name}" for name in dir(keras.layers) if name[0].isupper())
    every = {**_NAMES, "tq_halp.layers": _NAMES["tq_halp.layers"] + twins}
    return {
        f"tq_halp>{name}": Address(module, name)
        for module, names in every.items()
        for name in names
    }


def _register(keras: ModuleType) -> None:
    registered = keras.saving.get_custom_objects()
    for name, address in addresses(keras).items():
        registered.setdefault(name, address)  # a class that was imported has registered itself


class _KerasImport:
    """Finds and loads Keras as it would be without us, and then registers the addresses."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("keras")
        if spec is not None:
            # Who asks need not import it yet: `import tensorflow` asks first.
            sys.meta_path.insert(0, self)
            self._loader: Any = spec.loader
            spec.loader = self  # type: ignore[assignment]
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        _register(module)
