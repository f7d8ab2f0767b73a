"""Weights that a model had before it was quantized, from the files that Keras writes.

Keras keeps weights in HDF5 by the classes of the layers, so its own `load_weights` does not find
those of a `Dense` for a `QuantDense`. It notes the layers' names too: here they decide.
"""

import io
import tempfile
import zipfile
from pathlib import Path

import h5py
import keras

from tq_halp.errors import InputError
from tq_halp.persistence.fitting import check_same

# By attribute, what is no layer of the float model: the last two only a quantized layer has.
_NO_LAYERS = ("vars", "optimizer", "rounding_counter", "clock")


def load_float_weights(model: keras.Model, path: str | Path) -> None:
    """Sets the weights of a quantized model to those of the model that it was made from.

    The float weights become the masters of the quantized ones. Counters, seeds and the optimizer of
    `model` stay as they are.

    Args:
        model: a model whose layers have the names that they have in the file.
        path: what `save_weights` (".weights.h5") or `save` (".keras") wrote.

    Raises:
        InputError: there is no such file, it is another kind of file, or its weights are not those
            of the model, by name or by shape. Then the model is as it was.
    """
    with tempfile.TemporaryDirectory() as directory:
        ours = Path(directory) / "model.weights.h5"
        model.save_weights(ours)
        with _open(path) as source, h5py.File(ours, "r+") as target:
            found, wanted = _weights(source), _weights(target)
            check_same(
                {name: weight.shape for name, weight in wanted.items()},
                {name: weight.shape for name, weight in found.items()},
                path,
            )
            for name, weight in wanted.items():
                weight[...] = found[name][...]
        model.load_weights(ours)


def _open(path):
    try:
        if not zipfile.is_zipfile(path):
            return h5py.File(path, "r")
        with zipfile.ZipFile(path) as archive:
            return h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file, expected weights that Keras saved") from error
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: not a .weights.h5 or .keras file of Keras: {error}") from error


def _weights(file) -> dict[str, h5py.Dataset]:
    """The datasets of the layers' weights, by the names of the layers and the weight's index."""
    found = {}
    _walk(file, (), found)
    return found


def _walk(group, path, found):
    for index, weight in group.get("vars", {}).items():
        if index.isdigit():  # all that Keras' layers save; what else is there is ours
            found["/".join((*path, index))] = weight
    for key, child in group.items():
        if key not in _NO_LAYERS:
            _walk(child, path + _step(group, key), found)


def _step(group, key):
    """What a child adds to the path: the name of a layer in a list, otherwise the attribute."""
    name, parent = _noted(group[key]), _noted(group)
    if parent is None and name is not None:
        return (name,)
    # The layers of a model, and the layer in a QuantLayer: its name is the QuantLayer's.
    return () if key == "layers" or (key == "layer" and name == parent) else (key,)


def _noted(group):
    """The name that Keras gave the saved object; None: the group is a list of objects."""
    return group["vars"].attrs.get("name") if "vars" in group else None
