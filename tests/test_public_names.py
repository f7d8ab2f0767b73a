"""The names of `tq_halp` that are imported lazily, and the stub that shows them to editors."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import tq_halp

ROOT = Path(__file__).resolve().parent.parent
STUB = ROOT / "tq_halp" / "__init__.pyi"


def imports_of_stub():
    """{name: the module that the stub imports it from}."""
    return {
        alias.name: node.module
        for node in ast.parse(STUB.read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_the_stub_imports_each_name_from_its_home():
    home = {name: module or "tq_halp" for name, module in tq_halp._HOME.items()}
    assert imports_of_stub() == home


def test_the_stub_exports_what_dir_shows():
    (names,) = (
        ast.literal_eval(node.value)
        for node in ast.parse(STUB.read_text()).body
        if isinstance(node, ast.Assign)
    )
    assert names == tq_halp.__all__
    assert sorted(names) == dir(tq_halp)


@pytest.mark.parametrize("package", ["quant_ops", "tq_halp"])
def test_a_package_says_that_it_is_typed(package):
    assert (ROOT / package / "py.typed").is_file()


@pytest.mark.parametrize("name", tq_halp._HOME)
def test_a_name_is_what_its_home_has(name):
    module = tq_halp._HOME[name]
    if module is None:
        assert getattr(tq_halp, name) is importlib.import_module(f"tq_halp.{name}")
    else:
        assert getattr(tq_halp, name) is getattr(importlib.import_module(module), name)


def test_the_type_checker_knows_every_name_and_no_other(tmp_path):
    pytest.importorskip("mypy", reason="comes with the extra `lint`")
    lines = ["import tq_halp", *(f"reveal_type(tq_halp.{name})" for name in tq_halp.__all__)]
    program = tmp_path / "program.py"
    program.write_text("\n".join([*lines, "tq_halp.Halp"]))
    checker = [sys.executable, "-m", "mypy", f"--cache-dir={tmp_path}", str(program)]
    done = subprocess.run(checker, cwd=ROOT, capture_output=True, text=True)
    said = done.stdout.splitlines()
    revealed = [line.split("Revealed type is ")[1] for line in said if "Revealed type is" in line]
    assert len(revealed) == len(tq_halp.__all__), done.stdout + done.stderr
    assert '"Any"' not in revealed
    errors = [line for line in said if ": error: " in line]
    assert len(errors) == 1 and '"Halp"' in errors[0], done.stdout
