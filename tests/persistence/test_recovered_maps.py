"""The map that a model amounts to, where a rule has more to say than formats."""

import keras
import numpy as np
import pytest

import tq_halp
from tq_halp import InputError, QuantizationMap, layers
from tq_halp.quantizers import Quantizer, ScheduledQuantizer

W8, W4 = Quantizer("float8_e4m3fn", rounding="stochastic", seed=3), Quantizer("float4_e2m1fn")
MAP = {
    "version": 1,
    "rules": [
        {"layers": "a", "weights": W8.get_config(), "momentum": "bfloat16",
         "schedule": [{"epoch": 1, "weights": W4.get_config(), "bias": "float16"},
                      {"epoch": 4, "weights": "none"}]},
        {"layers": "b", "activations": "float16", "schedule": {"from_step": 7}},
        {"layers": "c", "quantize": "none"},
    ],
}  # fmt: skip


@pytest.fixture
def source():
    dense = [keras.layers.Dense(2, name=name) for name in "abc"]
    model = keras.Sequential([keras.Input((2,)), *dense])
    model.compile("adam", "mse")
    return model


def test_schedules_and_momenta_come_back(source):
    model = QuantizationMap.from_dict(MAP).apply(source)
    found = QuantizationMap.of(model)
    first, second, third = found.to_dict()["rules"]
    assert [entry.get("epoch") for entry in first["schedule"]] == [1, 4]
    assert first["momentum"]["format"] == "minifloat" and "momentum" not in second
    assert [entry["step"] for entry in second["schedule"]] == [7]
    assert third == {"layers": "c", "quantize": "none"}
    again = found.apply(source)
    for name in "abc":
        assert again.get_layer(name).get_config() == model.get_layer(name).get_config()
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert QuantizationMap.of(again).to_dict() == found.to_dict()


def test_a_model_without_quantizers_gives_a_map_that_does_nothing(source):
    rules = QuantizationMap.of(source).to_dict()["rules"]
    assert rules == [{"layers": name, "quantize": "none"} for name in "abc"]


def test_what_no_rule_can_say():
    epoch, step = (ScheduledQuantizer(unit, ((2, W4),)) for unit in ("epoch", "step"))
    dense = layers.QuantDense(2, weights=epoch, activations=step, name="d")
    model = keras.Sequential([keras.Input((2,)), dense])
    with pytest.raises(InputError, match="d .*has schedules in epochs and in steps"):
        QuantizationMap.of(model)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="d")])
    model.compile(tq_halp.quantize_momentum("adam", [W8, None]), "mse")
    with pytest.raises(InputError, match="d .*the momenta of its weights differ"):
        QuantizationMap.of(model)


def test_exported_is_the_stage_that_is_on(source, tmp_path):
    model = QuantizationMap.from_dict(MAP).apply(source)
    kernels = []
    for epoch in (0, 1, 4):
        model.get_layer("a").clock.positions["epoch"].assign(epoch)
        tq_halp.export(model, tmp_path / "model.npz")
        kernels.append(tq_halp.load_export(tmp_path / "model.npz")["a/kernel"])
    assert [kernel.quantizer for kernel in kernels] == [W8, W4, None]
    kernel = np.asarray(source.get_layer("a").kernel)
    np.testing.assert_array_equal(kernels[1].numbers, W4(kernel))
    np.testing.assert_array_equal(kernels[2].numbers, kernel)
