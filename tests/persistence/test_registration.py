"""Keras knows where every class of ours is, whether or not it was imported."""

import importlib
import pkgutil
import subprocess
import sys

import keras
import pytest

import tq_halp
from tq_halp import keras_registration
from tq_halp.keras_registration import Address, addresses, register_addresses


def registered():
    """What is registered as ours, once all modules have been imported."""
    for module in pkgutil.walk_packages(tq_halp.__path__, "tq_halp."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    every = keras.saving.get_custom_objects()
    return {name: each for name, each in every.items() if name.startswith("tq_halp>")}


def test_every_registered_class_has_an_address():
    known = addresses(keras)
    classes = {name: each for name, each in registered().items() if not isinstance(each, Address)}
    assert len(classes) > 20
    for name, each in classes.items():
        assert name in known, f"{name}: put it into _NAMES of tq_halp/keras_registration.py"
        resolved = known[name].resolve()
        assert resolved is each or issubclass(each, resolved)


def test_what_is_imported_stays_registered():
    before = registered()
    register_addresses()
    assert registered() == before


def test_an_address_makes_what_its_class_makes():
    layer = tq_halp.layers.QuantDense(3, weights="float16", name="d")
    address = addresses(keras)["tq_halp>QuantDense"]
    assert repr(address) == "<class 'tq_halp.layers.QuantDense'>"
    assert address.from_config(layer.get_config()).get_config() == layer.get_config()


class FindsNothing:
    def find_spec(self, name, path=None, target=None):
        return None


def test_without_keras_it_is_as_without_us(monkeypatch):
    """The error is that of the import, and the entry in sys.meta_path is gone."""
    others = [FindsNothing()]
    monkeypatch.setattr(sys, "meta_path", list(others))
    monkeypatch.delitem(sys.modules, "keras")
    register_addresses()
    assert isinstance(sys.meta_path[0], keras_registration._KerasImport)
    with pytest.raises(ModuleNotFoundError, match="No module named 'keras'"):
        importlib.import_module("keras")
    assert sys.meta_path == others


def test_looking_for_keras_is_not_importing_it():
    """`import tensorflow` looks for it first, as here."""
    done = subprocess.run(
        [
            *(sys.executable, "-c"),
            "import importlib.util, sys, tq_halp\n"
            "assert importlib.util.find_spec('keras') and 'keras' not in sys.modules\n"
            "import tensorflow, keras\n"
            "assert 'tq_halp>QuantDense' in keras.saving.get_custom_objects()\n"
            "assert not [each for each in sys.meta_path if '_KerasImport' in repr(each)]\n",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
