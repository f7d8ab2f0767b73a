"""Formats and quantization maps as tests write them."""

from tq_halp import QuantizationMap

W8 = {"format": "fixed_point", "word_bits": 8, "frac_bits": 6}


def make_map(*rules, formats=None):
    named = {"formats": formats} if formats else {}
    return QuantizationMap.from_dict({"version": 1, **named, "rules": list(rules)})
