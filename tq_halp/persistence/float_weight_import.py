"""Loading of a float model's weights into its quantized copy, from the files that Keras writes.

In HDF5, Keras groups weights by the classes of the layers. So its own `load_weights` does not find
those of a `Dense` for a `QuantDense`. The files also hold the layers' names, which are used here.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import tensorflow as tf

from tq_halp.errors import InputError
from tq_halp.persistence import legacy_h5
from tq_halp.persistence.check_file_matches_model import check_same
from tq_halp.persistence.hdf5_weight_files import KINDS, open_weights
from tq_halp.quantization_map.copying.copy_state import settle

# Attributes that are not layers of the float model. Only quantized layers have the last two.
_NO_LAYERS = ("vars", "optimizer", "rounding_counter", "clock")


def load_float_weights(model: keras.Model, path: str | Path) -> None:
    """Sets the weights of a quantized model to those of the float model that it is a copy of.

    They become the master weights. Counters, seeds and the optimizer of `model` are unchanged.

    Args:
        model: a built model whose layers have the same names as in the file.
        path: a file that `save_weights` (".weights.h5", or ".weights.json" with its shards) or
            `save` (".keras", or ".h5") wrote, or `save_weights` of tf.keras (".h5").

    Raises:
        InputError: `model` is not a built Keras model; the file does not exist or is of another
            kind; or the names or shapes in it are not those of the model, which then is unchanged.
    """
    if not isinstance(model, keras.Model) or not model.built:
        raise InputError(f"model must be a Keras model that is built. Received: {model!r}")
    with open_weights(path) as source:
        try:
            _load(model, source, path)
        except (OSError, RuntimeError) as error:
            raise InputError(f"{path}: not {KINDS}, or not a whole one: {error}") from error


def _load(model: keras.Model, source: h5py.File, path: str | Path) -> None:
    if (layers := legacy_h5.root(source)) is not None:
        wanted, found = legacy_h5.pairs(layers, model)
        _check(wanted, found, path)
        values = [(variable, found[name]) for name, variable in wanted.items()]
        values = [(variable, _array(weight, variable.dtype)) for variable, weight in values]
        for variable, value in values:
            variable.assign(value)
        settle(model)
        return
    with tempfile.TemporaryDirectory() as directory:
        ours = Path(directory) / "model.weights.h5"
        model.save_weights(ours)
        with h5py.File(ours, "r+") as target:
            found, wanted = _weights(source), _weights(target)
            _check(wanted, found, path)
            for name, weight in wanted.items():
                value = _array(found[name], _dtype(weight))
                weight[...] = value.view(weight.dtype) if weight.dtype.kind == "V" else value
        model.load_weights(ours)


def _check(wanted: Mapping[str, Any], found: Mapping[str, Any], path: str | Path) -> None:
    check_same(
        {name: tuple(weight.shape) for name, weight in wanted.items()},
        {name: tuple(weight.shape) for name, weight in found.items()},
        path,
    )


def _array(weight: h5py.Dataset, dtype: Any) -> np.ndarray:
    """The numbers of a dataset, converted to `dtype`."""
    value = weight[...]
    if value.dtype.kind == "V":  # bfloat16, which HDF5 does not have: Keras stores its bits
        value = value.view(tf.bfloat16.as_numpy_dtype)
    return np.asarray(value).astype(tf.as_dtype(dtype).as_numpy_dtype)


def _dtype(weight: h5py.Dataset) -> Any:
    return "bfloat16" if weight.dtype.kind == "V" else weight.dtype


def _weights(file: h5py.File) -> dict[str, h5py.Dataset]:
    """{"<names of the layers>/<index of the weight>": dataset}."""
    found: dict[str, h5py.Dataset] = {}
    _walk(file, (), found)
    return found


def _walk(group: h5py.Group, path: tuple[str, ...], found: dict[str, h5py.Dataset]) -> None:
    for index, weight in group.get("vars", {}).items():
        if index.isdigit():  # what Keras' layers save; other keys are ours
            found["/".join((*path, index))] = weight
    for key, child in group.items():
        if key not in _NO_LAYERS and isinstance(child, h5py.Group):
            _walk(child, path + _step(group, key), found)


def _step(group: h5py.Group, key: str) -> tuple[str, ...]:
    """What a child adds to the path: in a list its name, elsewhere its attribute."""
    name, parent = _noted(group[key]), _noted(group)
    if parent is None and name is not None:
        return (name,)
    # The list of a model's layers, and the layer in a QuantLayer, which has the same name.
    return () if key == "layers" or (key == "layer" and name == parent) else (key,)


def _noted(group: h5py.Group) -> str | None:
    """The name of the saved object; None: the group is a list of objects."""
    return group["vars"].attrs.get("name") if "vars" in group else None
