"""`QuantizationMap`: an ordered list of rules that assign quantizers to the layers of a model."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import keras

from tq_halp.errors import InputError
from tq_halp.quantization_map.copying.apply_map import apply
from tq_halp.quantization_map.copying.copy_compile import compile_like
from tq_halp.quantization_map.copying.map_from_model import mapping_of
from tq_halp.quantization_map.copying.quantized_scope import scope
from tq_halp.quantization_map.importers import qkeras, tensorquant
from tq_halp.quantization_map.rules import json_schema, load_map_file
from tq_halp.quantization_map.rules.layer_decisions import Plan, plan
from tq_halp.quantization_map.rules.momentum_formats import has_momentum, optimizer_for
from tq_halp.quantization_map.rules.rule import Rule


class QuantizationMap:
    """Rules that assign quantizers to tensors of layers. Made by `from_yaml` or `from_dict`.

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
    models and layers that hold it. `class` is its class. `weights` are all weights but the bias;
    for an LSTM they are also the default of `recurrent_weights`. `momentum` are the optimizer's
    slots for the layer's weights. A value is the name of one of `formats`, a mapping, or none.

    `defaults` are rounding, overflow, gradient and seed for every format that can have them and
    does not set them itself. `schedule` sets when a rule starts to quantize, and how it changes:
    see `rules.schedule`. `fit` then needs the callback `QuantizationSchedule`.

    A rule may name a tensor that only some of its layers have (`state` of the LSTMs among ".*").
    Layers without weights and without a tensor of the rule are not changed. With `optional: true`
    a rule may match no layer.

    Attributes:
        rules: the rules. `plan` and `apply` check them against a model.
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
        """The map in a YAML file.

        Raises:
            InputError: the file or a rule is wrong. The message is "file:line: rule N: ...", with
                the value received and the valid ones.
        """
        return cls(*load_map_file.load(path))

    @classmethod
    def from_dict(
        cls, mapping: Mapping[str, Any], *, origin: load_map_file.Origin | None = None
    ) -> "QuantizationMap":
        """The map from a mapping, with the same keys as the YAML file.

        Args:
            mapping: version, defaults, formats, rules.
            origin: for a mapping that was read from a file: a function from a path of keys, such as
                ("rules", 0, "weights"), to its "file:line", for error messages.

        Raises:
            InputError: as `from_yaml`. Without origin, "quantization map: rules[0]: ...".
        """
        return cls(mapping, load_map_file.parse(mapping, origin))

    @classmethod
    def of(cls, model: keras.Model) -> "QuantizationMap":
        """A map that describes a quantized model, such as one that was just loaded.

        It has one rule for each layer, with its path and all its tensors. Applied to the float
        model, it gives this quantized model.

        Raises:
            InputError: as `map_from_model.mapping_of`.
        """
        return cls.from_dict(mapping_of(model))

    def to_dict(self) -> dict[str, Any]:
        """The mapping that `from_dict` takes."""
        return dict(self._mapping)

    def plan(self, model: keras.Model) -> Plan:
        """A table of what `apply` would do: layer, tensor, format and the rule that decided.

        Raises:
            InputError: a rule cannot be applied to this model: see `check_rules.check`.
        """
        return plan(model, self.rules)

    def apply(self, model: keras.Model) -> keras.Model:
        """A quantized copy with the same layer names and weights; `model` is untouched.

        The model may be any built Keras model: Sequential, functional or subclassed (then the class
        of the copy is a subclass of its class), also with nested layers. The copy of a compiled
        model is compiled, with a new optimizer. For `momentum` see `optimizer`.

        Raises:
            InputError: as `plan`; or the model cannot be copied, because it is not known how to
                construct it.
        """
        copy = apply(model, self.rules)
        if copy.compiled and has_momentum(self.rules):
            compile_like(copy, copy, self.optimizer(copy, copy.optimizer))
        return copy

    def scope(self) -> AbstractContextManager[None]:
        """A context, `with map.scope():`, in which Keras layers are made quantized.

        For models that cannot be copied, because only their code can construct them. See
        `scope.scope`.
        """
        return scope(self.rules)

    def optimizer(self, model: keras.Model, optimizer: Any) -> keras.optimizers.Optimizer:
        """The optimizer with which to compile `model`: its slots are quantized by `momentum`.

        ::

            quantized = quantization.apply(model)
            quantized.compile(quantization.optimizer(quantized, "adam"), "mse")

        Args:
            model: a model for the map, quantized or not.
            optimizer: any Keras optimizer, its name or configuration; it is used, not copied.

        Raises:
            InputError: `optimizer` is not an optimizer, or `model` not a built Keras model.
        """
        return optimizer_for(model, optimizer, self.rules)

    @classmethod
    def from_tensorquant(
        cls, *, weight_q_map: Any = None, extr_q_map: Any = None, intr_q_map: Any = None
    ) -> "QuantizationMap":
        """The map equivalent to TensorQuant's maps: see `tensorquant.translate`.

        Raises:
            InputError: there is no equivalent, or an argument is not a map of TensorQuant.
        """
        return cls.from_dict(tensorquant.translate(weight_q_map, extr_q_map, intr_q_map))

    @classmethod
    def from_qkeras(cls, config: Mapping[str, Any]) -> "QuantizationMap":
        """The map equivalent to QKeras' dictionary for `model_quantize`: see `qkeras.translate`.

        Raises:
            InputError: there is no equivalent, or `config` is not such a dictionary.
        """
        return cls.from_dict(qkeras.translate(config))

    @staticmethod
    def json_schema() -> dict[str, Any]:
        """The JSON schema (draft 2020-12) of a map's file, for editors."""
        return json_schema.json_schema()
