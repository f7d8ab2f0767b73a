"""The quantization map: an ordered list of rules that say how to quantize the layers of a model."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import keras

from tq_halp.errors import InputError
from tq_halp.quantization_map.copying.apply import apply
from tq_halp.quantization_map.copying.copy_compile import compile_like
from tq_halp.quantization_map.copying.map_from_model import mapping_of
from tq_halp.quantization_map.copying.scope import scope
from tq_halp.quantization_map.importers import qkeras, tensorquant
from tq_halp.quantization_map.rules import json_schema, load_map
from tq_halp.quantization_map.rules.layer_plan import Plan, plan
from tq_halp.quantization_map.rules.momentum_formats import has_momentum, optimizer_for
from tq_halp.quantization_map.rules.rule import Rule


class QuantizationMap:
    """Which tensors of which layers are quantized, and how. Made by `from_yaml` or `from_dict`.

    ::

        version: 1
        defaults: {rounding: stochastic}
        formats:
          w8: {format: fixed_point, word_bits: 8, frac_bits: 6}
        rules:                                  # in order; the first that matches a layer decides
          - {layers: "embedding", quantize: none}
          - {layers: "block/.*", class: LSTM, weights: w8, bias: none}
          - {layers: ".*", weights: w8, momentum: bfloat16, schedule: {from_epoch: 2}}

    `layers` is a regular expression for the whole path of a layer: its name, after the names of the
    models and layers that hold it. `class` is its class. `weights` covers every weight but the
    bias; for an LSTM it is also the default of `recurrent_weights`. `momentum` is the optimizer's
    slots for the layer's weights. A value is the name of one of `formats`, a mapping, or none.

    `defaults` are rounding, overflow, gradient and seed of every format that takes them and does
    not say otherwise. `schedule` says from when on a rule quantizes, or with what instead; see
    `schedule` in this package, and `QuantizationSchedule`, which `fit` needs then.

    A rule may name a tensor that only some of its layers have (`state` of the LSTMs among ".*").
    Layers that hold no weights and no tensor of the rule are left alone. With `optional: true` a
    rule may match nothing.

    Attributes:
        rules: the rules, checked in themselves; `plan` and `apply` check them against a model.
    """

    def __init__(
        self, mapping: Mapping[str, Any] | None = None, rules: Sequence[Rule] | None = None
    ) -> None:
        if rules is None or mapping is None:
            raise InputError(
                "QuantizationMap is made by QuantizationMap.from_dict(mapping) or "
                f"QuantizationMap.from_yaml(path). Received: {mapping!r}"
            )
        self._mapping = mapping
        self.rules = tuple(rules)

    @classmethod
    def from_yaml(cls, path: str | Path) -> "QuantizationMap":
        """Reads a YAML file.

        Raises:
            InputError: "file:line: rule N: ...", what was received and what would be valid.
        """
        return cls(*load_map.load(path))

    @classmethod
    def from_dict(
        cls, mapping: Mapping[str, Any], *, origin: load_map.Origin | None = None
    ) -> "QuantizationMap":
        """Takes what the YAML file would hold.

        Args:
            mapping: version, formats, rules.
            origin: optional, the "file:line" of a path of keys such as ("rules", 0, "weights"), for
                a mapping that was itself read from a file.

        Raises:
            InputError: "quantization map: rules[0]: ...", as `from_yaml`.
        """
        return cls(mapping, load_map.parse(mapping, origin))

    @classmethod
    def of(cls, model: keras.Model) -> "QuantizationMap":
        """The map that a quantized model amounts to, also of one that was just loaded.

        One rule for each layer, which names its path and every tensor, instead of the rules that
        were once applied: applied to the model before it was quantized it gives this one.

        Raises:
            InputError: as `map_from_model.mapping_of`.
        """
        return cls.from_dict(mapping_of(model))

    def to_dict(self) -> dict[str, Any]:
        """The mapping that `from_dict` takes."""
        return dict(self._mapping)

    def plan(self, model: keras.Model) -> Plan:
        """What `apply` would do, as rows; prints as a table.

        Raises:
            InputError: a rule cannot do what it asks on this model; see `matching.check`.
        """
        return plan(model, self.rules)

    def apply(self, model: keras.Model) -> keras.Model:
        """A quantized copy with the same layer names and weights; `model` is untouched.

        Any Keras model: Sequential, functional or subclassed (the copy is of a subclass of its
        class), with layers that hold layers, built, compiled or not. A compiled one is compiled
        again, with a new optimizer; for `momentum` see `optimizer`.

        Raises:
            InputError: as `plan`, or the model cannot be copied: nobody knows how it was made.
        """
        copy = apply(model, self.rules)
        if copy.compiled and has_momentum(self.rules):
            compile_like(copy, copy, self.optimizer(copy, copy.optimizer))
        return copy

    def scope(self) -> AbstractContextManager[None]:
        """Layers that Keras code builds inside `with map.scope():` come out quantized.

        For models that cannot be copied, since only the code that builds them knows how. See
        `scope.scope`.
        """
        return scope(self.rules)

    def optimizer(self, model: keras.Model, optimizer: Any) -> keras.optimizers.Optimizer:
        """The optimizer to compile `model` with: its slots are quantized as `momentum` says.

        ::

            quantized = quantization.apply(model)
            quantized.compile(quantization.optimizer(quantized, "adam"), "mse")

        Args:
            model: a model that the map fits, quantized already or not.
            optimizer: any Keras optimizer, its name or configuration; it is used, not copied.
        """
        return optimizer_for(model, optimizer, self.rules)

    @classmethod
    def from_tensorquant(
        cls, *, weight_q_map: Any = None, extr_q_map: Any = None, intr_q_map: Any = None
    ) -> "QuantizationMap":
        """The map that TensorQuant's maps stand for; see `tensorquant.translate`.

        Raises:
            InputError: there is no equivalent, or what was given is no map of TensorQuant's.
        """
        return cls.from_dict(tensorquant.translate(weight_q_map, extr_q_map, intr_q_map))

    @classmethod
    def from_qkeras(cls, config: Mapping[str, Any]) -> "QuantizationMap":
        """The map that QKeras' dictionary for `model_quantize` stands for; see `qkeras.translate`.

        Raises:
            InputError: there is no equivalent, or what was given is no such dictionary.
        """
        return cls.from_dict(qkeras.translate(config))

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """The JSON schema of a map's file, for editors. Made from the formats and the rules."""
        return json_schema.json_schema()
