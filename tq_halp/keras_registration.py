"""Registers our classes with Keras, by address: `import tq_halp` suffices to load a saved model.

Keras builds the classes that a file names from those that are registered, and imports none of our
modules itself. Registering the classes would import TensorFlow with `import tq_halp`. So this
registers the address of each class, and the class is imported when a file needs it.

That is the only effect of importing tq_halp. If Keras is not imported yet, it happens when Keras
is, by an entry in `sys.meta_path` that then removes itself.
"""

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

# Module -> names of classes, registered as "tq_halp>NAME". Keras' layers get QuantNAME as well.
_NAMES = {
    "tq_halp.algorithms": (
        "BitCenteredSAGA",
        "BitCenteredSGD",
        "HALP",
        "LowPrecisionSGD",
        "LowPrecisionSVRG",
        "SAGA",
        "SGD",
        "SVRG",
        "SWALP",
        "Trainer",
    ),
    "tq_halp.algorithms.estimators": ("GradientTable", "Minibatch", "VarianceReduced"),
    "tq_halp.algorithms.iterates": ("Averaged", "BitCentered", "FixedGrid", "FullPrecision"),
    "tq_halp.layers": ("QuantLayer", "Quantize"),
    "tq_halp.models": ("HalfMeanSquaredError", "WeightDecay"),
    "tq_halp.optimizers": ("QuantizedOptimizer",),
    "tq_halp.quantization_map.copying.rebuild_nested_layer": ("RebuiltComposite",),
    "tq_halp.quantizers": ("Accumulator", "Quantizer"),
}


class Address:
    """Stands for a class that is not imported yet, as Keras' deserialization uses it."""

    def __init__(self, module: str, name: str):
        self.module, self.name = module, name

    def resolve(self) -> Any:
        """The class, imported now."""
        return getattr(importlib.import_module(self.module), self.name)

    def from_config(self, config: dict[str, Any]) -> Any:
        """The object that Keras asks for."""
        return self.resolve().from_config(config)

    def __repr__(self) -> str:
        return f"<class '{self.module}.{self.name}'>"


def register_addresses() -> None:
    """Registers the addresses with Keras, now or as soon as Keras is imported."""
    if "keras" in sys.modules:
        _register(sys.modules["keras"])
    else:
        sys.meta_path.insert(0, _KerasImport())


def addresses(keras: ModuleType) -> dict[str, Address]:
    """The registered name of each class -> its address.

    Args:
        keras: the module.
    """
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
        registered.setdefault(name, address)  # an imported class has registered itself


class _KerasImport:
    """A finder and loader of Keras that registers the addresses after the import."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Keras' spec with this object as the loader; None for other modules."""
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec: Any = importlib.util.find_spec("keras")
        if spec is not None:
            # A spec need not be used: `import tensorflow` asks for it before it imports Keras.
            sys.meta_path.insert(0, self)
            self._loader: Any = spec.loader
            spec.loader = self
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As Keras' own loader."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Imports Keras with its own loader, then registers the addresses."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        _register(module)
