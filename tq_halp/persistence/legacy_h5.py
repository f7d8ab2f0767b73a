"""Weights in the HDF5 files of `model.save("model.h5")` and of `save_weights` of tf.keras.

Such a file has a group for each layer of the model. The group lists the names of the layer's
weights, sublayers included: first the trainable weights in the order of the layers, then the rest.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

import h5py
import keras

from tq_halp.keras_internals.layers import own_trained_variables, own_untrained_variables
from tq_halp.quantizers.counter_and_clock_layers import bookkeeping_variables

_OWN = "top_level_model_weights"  # the group of the model's own weights


def root(file: h5py.File) -> h5py.Group | None:
    """The group that holds the groups of the layers; None: the file has another layout."""
    group = file.get("model_weights", file)
    return group if any(name.startswith("layer_names") for name in group.attrs) else None


def pairs(
    group: h5py.Group, model: keras.Model
) -> tuple[dict[str, keras.Variable], dict[str, h5py.Dataset]]:
    """The weights of the model and those in the file, by name: equal names belong together.

    A name is "<layer>/<weight>", or "<layer>/<sublayer>/<weight>" if the file and the model agree
    on the sublayers. The second weight of a name ends in "/1", and so on.
    """
    wanted = {layer.name: _weights_of(layer) for layer in model.layers}
    wanted[_OWN] = [*own_trained_variables(model), *own_untrained_variables(model)]
    names = [*_strings(group, "layer_names"), *([_OWN] if _OWN in group else [])]
    found = {name: _datasets(group[name]) for name in names}
    variables: dict[str, keras.Variable] = {}
    datasets: dict[str, h5py.Dataset] = {}
    for layer in {**wanted, **found}:
        ours = [(variable.path, variable) for variable in wanted.get(layer, ())]
        theirs = found.get(layer, [])
        for shorten in (_tails(2), _tails(1)):
            keys = [shorten(path for path, _ in each) for each in (ours, theirs)]
            if set(keys[0]) == set(keys[1]):
                break
        for target, each, given in ((variables, ours, keys[0]), (datasets, theirs, keys[1])):
            for key, (_, weight) in zip(given, each, strict=True):
                target[f"{layer}/{key.removeprefix(f'{layer}/')}"] = weight
    return variables, datasets


def _weights_of(layer: keras.Layer) -> list[keras.Variable]:
    counted = bookkeeping_variables(layer)
    ordered = [*layer.trainable_weights, *layer.non_trainable_weights]
    return [variable for variable in ordered if id(variable) not in counted]


def _datasets(group: h5py.Group) -> list[tuple[str, h5py.Dataset]]:
    return [(name, group[name]) for name in _strings(group, "weight_names")]


def _tails(parts: int) -> Callable[[Iterable[str]], Sequence[str]]:
    """A function from paths to their last parts, with numbers where these are equal."""

    def names(paths: Iterable[str]) -> Sequence[str]:
        made: list[str] = []
        seen: Counter[str] = Counter()
        for path in paths:
            name = "/".join(path.removesuffix(":0").split("/")[-parts:])
            made.append(f"{name}/{seen[name]}" if seen[name] else name)
            seen[name] += 1
        return made

    return names


def _strings(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names. Keras splits a long one over several attributes."""
    attributes: Mapping = group.attrs
    parts = [attribute] if attribute in attributes else []
    while not parts or parts[-1] != attribute:
        part = f"{attribute}{len(parts)}"
        if part not in attributes:
            break
        parts.append(part)
    values = [value for part in parts for value in attributes[part]]
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]
