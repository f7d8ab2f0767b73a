"""The states of the seed generators from which a Keras model draws its masks and noise."""

import keras


def seed_states(layer: keras.layers.Layer) -> list[keras.Variable]:
    """``[seed, number of draws]`` of each ``keras.random.SeedGenerator`` in a layer or a model.

    Found as Keras itself finds them, by the generators that it tracks: a variable of the user's may
    have the same name.
    """
    # Keras has no public list of a layer's generators.
    generators = [each for part in layer._flatten_layers() for each in part._seed_generators]
    return list({id(each.state): each.state for each in generators}.values())
