"""Where in a model a layer stands."""

import keras


def paths_of(model: keras.Model) -> dict[int, str]:
    """{id of a layer: "outer/inner/lstm_1"}: its name after those of the layers that hold it.

    Of layers inside layers too, such as the cells of an RNN. A shared one has the first path.
    """
    found: dict[int, str] = {}

    def walk(layer: keras.Layer, prefix: str) -> None:
        for child in layer._flatten_layers(include_self=False, recursive=False):
            if id(child) not in found:
                found[id(child)] = prefix + child.name
                walk(child, f"{prefix}{child.name}/")

    walk(model, "")
    return found
