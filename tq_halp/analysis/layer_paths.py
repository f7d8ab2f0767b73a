"""The paths of all layers of a model."""

import keras

from tq_halp.keras_internals.layers import flatten_layers


def paths_of(model: keras.Model) -> dict[int, str]:
    """{id of a layer: its path}. A path is "outer/inner/lstm_1": the names from the outside in.

    Sublayers have paths too, such as the cells of an RNN. A shared layer has its first path.
    """
    found: dict[int, str] = {}

    def walk(layer: keras.Layer, prefix: str) -> None:
        for child in flatten_layers(layer, include_self=False, recursive=False):
            if id(child) not in found:
                found[id(child)] = prefix + child.name
                walk(child, f"{prefix}{child.name}/")

    walk(model, "")
    return found
