"""The quantization map: an ordered list of rules that say how to quantize the layers of a model."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import keras

from tq_halp.quantization_map import loader
from tq_halp.quantization_map.apply import apply
from tq_halp.quantization_map.plan import Plan, plan
from tq_halp.quantization_map.scope import scope


class QuantizationMap:
    """Which tensors of which layers are quantized, and how. Made by `from_yaml` or `from_dict`.

    ::

        version: 1
        formats:
          w8: {format: fixed_point, word_bits: 8, frac_bits: 6, rounding: stochastic}
        rules:                                  # in order; the first that matches a layer decides
          - {layers: "embedding", quantize: none}
          - {layers: "block/.*", class: LSTM, weights: w8, bias: none}
          - {layers: ".*", weights: w8}

    `layers` is a regular expression for the whole path of a layer: its name, after the names of the
    models that it is nested in. `weights` covers every weight but the bias; for an LSTM it is also
    the default of `recurrent_weights`. A value is the name of one of `formats`, a mapping, or none.

    A rule may name a tensor that only some of its layers have (`state` of the LSTMs among ".*").
    Layers without weights are left alone by a rule that also matches others.

    Attributes:
        rules: the rules, checked in themselves; `plan` and `apply` check them against a model.
    """

    def __init__(self, mapping: Mapping[str, Any], rules):
        self._mapping = mapping
        self.rules = tuple(rules)

    @classmethod
    def from_yaml(cls, path: str | Path) -> "QuantizationMap":
        """Reads a YAML file.

        Raises:
            InputError: "file:line: rule N: ...", what was received and what would be valid.
        """
        return cls(*loader.load(path))

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], *, origin=None) -> "QuantizationMap":
        """Takes what the YAML file would hold.

        Args:
            mapping: version, formats, rules.
            origin: optional, the "file:line" of a path of keys such as ("rules", 0, "weights"), for
                a mapping that was itself read from a file.

        Raises:
            InputError: "quantization map: rules[0]: ...", as `from_yaml`.
        """
        return cls(mapping, loader.parse(mapping, origin))

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

        Raises:
            InputError: as `plan`, or the model is neither Sequential nor functional.
        """
        return apply(model, self.rules)

    def scope(self) -> AbstractContextManager[None]:
        """Layers that Keras code builds inside `with map.scope():` come out quantized.

        For models that cannot be copied layer by layer, such as subclassed ones. See `scope.scope`.
        """
        return scope(self.rules)
