"""Rebuilding layers and models whose own code makes their layers, with quantized ones.

A functional model is copied layer by layer. But the layers of a subclassed model, a `Bidirectional`
or a user's composite layer are made by its constructor or its `build`. So this code runs again,
from the configuration, under `construction_hook.hooked`: once to find which new layer corresponds
to which layer of the source, and once more to give each layer the quantizers of the map.
"""

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras

from tq_halp.errors import InputError
from tq_halp.keras_internals.layers import flatten_layers
from tq_halp.layers.user_objects import UserObjects, known_to_keras
from tq_halp.quantization_map.copying import construction_hook, expected_layers
from tq_halp.quantization_map.copying.construction_hook import Fate
from tq_halp.quantization_map.copying.constructor_arguments import (
    check_same,
    construct,
    knows_itself,
    serialize,
)
from tq_halp.quantization_map.copying.copy_state import copy_learned
from tq_halp.quantization_map.layer_tree import Rebuilt, plain_class
from tq_halp.states_keras_omits import SavesCarriedStates


class RebuiltComposite(Rebuilt, SavesCarriedStates):
    """Mixin before the class of a rebuilt layer or model, whose methods it keeps.

    Its configuration holds that of the source, the build specification, and the quantizers of the
    layers that its code makes, in the order in which it makes them.
    """

    def get_config(self) -> dict[str, Any]:
        fates = [{"name": f.name, "quantizers": _configs(f.quantizers)} for f in self._fates]
        return {
            "name": self.name,
            "source": self._source,
            "blueprint": expected_layers.describe(self),
            "watched": sorted(keras.saving.get_registered_name(each) for each in self._watched),
            "fates": fates,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> keras.Layer:
        watched = [_class_called(name) for name in config["watched"]]
        fates = [Fate(each["name"], each["quantizers"], True) for each in config["fates"]]
        return _build(config["source"], config["blueprint"], watched, fates)


keras.saving.register_keras_serializable("tq_halp", "RebuiltComposite")(RebuiltComposite)


def rebuild(source: keras.Layer, decisions: Mapping[int, Mapping | None]) -> keras.Layer:
    """A copy of a layer or model whose code makes its layers; weights are not copied.

    Args:
        source: untouched.
        decisions: {id of a layer in it: quantizers by role}; None or missing: it is not changed.

    Raises:
        InputError: `source` cannot be made from its configuration, or the copy differs from it.
    """
    is_rebuilt = isinstance(source, RebuiltComposite)
    spec, config = (
        expected_layers.describe(source),
        source._source if is_rebuilt else serialize(source),
    )
    layers = expected_layers.in_order(source)
    objects = UserObjects(flatten_layers(source), _config_of_source)
    here = objects.with_references(config)  # for this process; `config` is saved
    decided = {id(layer): decisions.get(id(layer)) for layer in layers}
    # A source that is itself a rebuilt one is made from its own source.
    class_of = plain_class if is_rebuilt else type
    watched = {class_of(layer) for layer in layers if decided[id(layer)] is not None}
    classes = {each.__name__: each for layer in layers for each in (plain_class(layer),)}
    with known_to_keras(classes), objects.resolvable():
        new: list[keras.Layer] = []
        with construction_hook.hooked(watched, lambda *_: Fate(on_new=new.append)):
            first = construct(here, spec, safe_mode=False)
            finished = expected_layers.finish(first, spec)
        if not (is_rebuilt or knows_itself(source)):
            copy_learned(source, first)  # configurations may contain it
            check_same(layers, finished)
        if all(each is None for each in decided.values()):
            copy_learned(source, first)
            return first
        original = {id(copy): layer for copy, layer in zip(finished, layers, strict=True)}
        found = [original.get(id(each)) for each in new]
        missing = [
            layer.name for layer in layers if decided[id(layer)] is not None and layer not in found
        ]
        if missing:
            raise InputError(
                f"{source.name} ({spec['class']}) does not build its layers itself: "
                f"{', '.join(missing)}; build the model inside QuantizationMap.scope()"
            )
        fates = [
            Fate() if layer is None else Fate(layer.name, decided[id(layer)], True)
            for layer in found
        ]
        built = _build(here, spec, watched, fates, safe_mode=False)
        vars(built)["_source"] = config  # not by setattr, for Keras would wrap and lock it
        copy_learned(source, built)  # before it is called in the copy
        return built


def _build(
    config: dict[str, Any],
    spec: dict[str, Any],
    watched: Iterable[type],
    fates: Sequence[Fate],
    safe_mode: bool = True,
) -> keras.Layer:
    coming = iter(fates)
    with construction_hook.hooked(watched, lambda *_: next(coming, Fate())):
        built = construct(config, spec, safe_mode)
        expected_layers.finish(built, spec)
    if next(coming, None) is not None:
        raise InputError(
            f"{spec['name']} ({spec['class']}) builds fewer layers than when it was "
            "quantized; its code must be what it was"
        )
    built.__class__ = _rebuilt_class(type(built))  # type: ignore[arg-type]
    vars(built).update(_source=config, _watched=list(watched), _fates=list(fates))
    return built


@functools.cache
def _rebuilt_class(plain: type) -> type:
    body = {"__module__": plain.__module__, "__doc__": plain.__doc__}
    made = type(plain.__name__, (RebuiltComposite, plain), body)
    # All under one name, for they share a from_config, which finds the class in the configuration.
    return keras.saving.register_keras_serializable("tq_halp", "RebuiltComposite")(made)


def _config_of_source(layer: keras.Layer) -> dict[str, Any]:
    rebuilt = isinstance(layer, RebuiltComposite)
    return super(RebuiltComposite, layer).get_config() if rebuilt else layer.get_config()


def _configs(quantizers: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if quantizers is None:
        return None
    return {role: "none" if q in (None, "none") else _config(q) for role, q in quantizers.items()}


def _config(quantizer: Any) -> dict[str, Any]:
    return quantizer if isinstance(quantizer, dict) else quantizer.get_config()


def _class_called(name: str) -> type:
    found = getattr(keras.layers, name, None) or keras.saving.get_registered_object(name)
    if found is None:
        raise InputError(
            f"layer class {name} is not known: register it with "
            "keras.saving.register_keras_serializable, or pass it in custom_objects"
        )
    return found
