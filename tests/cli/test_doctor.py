"""`python -m tq_halp.doctor`: each line ok, a warning with the remedy, or a failure."""

import json
import os
import subprocess
import sys

import pytest

from tq_halp import processor_info
from tq_halp.commands import dispatch, doctor
from tq_halp.commands.doctor import data_sets, finding, machine, self_test, software
from tq_halp.data import download


@pytest.fixture(scope="module")
def healthy():
    """The lines on this machine, by name."""
    return {found.name: found for found in doctor.examine()}


def only(check):
    (found,) = check()
    return found


def test_all_is_well_here(healthy):
    assert {found.status for found in healthy.values()} <= {"ok", "warning"}
    assert healthy["backend"].found in ("native", "composite")
    assert healthy["self-test: ops"].found.startswith("10 ops, native and composite equal")
    assert all(found.remedy for found in healthy.values() if found.status == "warning")
    assert all(not found.remedy for found in healthy.values() if found.status == "ok")


def test_versions(healthy):
    import keras
    import tensorflow as tf

    assert healthy["TensorFlow"].found == tf.__version__
    assert healthy["Keras"].found == f"{keras.__version__}, computing with tensorflow"
    assert "numpy " in healthy["dependencies"].found


def test_table_and_json(healthy, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda: list(healthy.values()))
    assert dispatch.main(["doctor"]) == 0
    table = capsys.readouterr().out
    assert dispatch.main(["doctor", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["usable"] is True
    assert [row["name"] for row in shown["findings"]] == list(healthy)
    assert all(name in table for name in healthy)
    broken = finding.Finding("self-test: ops", "failure", "wrong: mx [1]", "do this")
    monkeypatch.setattr(doctor, "examine", lambda: [broken])
    assert dispatch.main(["doctor"]) == 1
    table = capsys.readouterr().out
    assert "wrong: mx [1]" in table and "-> do this" in table
    assert dispatch.main(["doctor", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["usable"] is False


def test_wrong_arguments(capsys):
    with pytest.raises(SystemExit) as exit:
        doctor.main(["--jsno"])
    assert exit.value.code == 2
    assert "usage: tq-halp doctor" in capsys.readouterr().err


@pytest.mark.parametrize("missing", ["tensorflow", "keras"])
def test_without_a_package(missing, tmp_path):
    """A package of that name that cannot be imported, as one that is not there."""
    error = f"raise ModuleNotFoundError('No module named {missing}', name='{missing}')\n"
    (tmp_path / f"{missing}.py").write_text(error)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "tq_halp.doctor"], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert f"pip install '{missing}>=" in done.stdout
    assert "not run: it needs TensorFlow and Keras" in done.stdout


def test_nothing_at_all_is_no_traceback():
    """Without any package: only the standard library and this one."""
    done = subprocess.run(
        [sys.executable, "-S", "-m", "tq_halp.doctor"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert "failure  TensorFlow: is not installed" in done.stdout


def test_another_command_without_its_packages_names_the_doctor():
    start = "import sys; from tq_halp.commands.dispatch import main; sys.exit(main(%s))"
    code = start % ["train", "--config", "x"]
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True)
    expected = "error: No module named 'pydantic'; tq-halp doctor says what is missing\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", expected)


def test_another_backend_of_keras():
    environment = {**os.environ, "KERAS_BACKEND": "numpy"}
    code = "from tq_halp.commands.doctor import software; print(*software.keras())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert "status='failure'" in done.stdout and "KERAS_BACKEND=tensorflow" in done.stdout


def test_dependencies(monkeypatch):
    wanted = {"numpy": "99.0", "nothing_of_that_name": "1.0", "rich": "1.0"}
    monkeypatch.setattr(software, "requirements", lambda: wanted)
    found = only(software.dependencies)
    assert found.status == "failure" and "older than 99.0" in found.found
    assert found.found.endswith("nothing_of_that_name is missing") and "rich" not in found.found


def test_requirements_are_read_from_the_installed_package():
    wanted = software.requirements()
    assert wanted["tensorflow"] == "2.18" and "pytest" not in wanted


@pytest.mark.parametrize(
    ("name", "value", "check", "expected"),
    [
        ("QUANT_OPS_BACKEND", "gpu", machine.backend, "must be native or composite"),
        ("QUANT_OPS_ISA", "sse", machine.instruction_set, "must be portable, avx2 or avx512"),
        ("TQ_HALP_DATA", "/nowhere", data_sets.data_sets, "is not a folder"),
    ],
)
def test_wrong_variables(name, value, check, expected, monkeypatch):
    monkeypatch.setenv(name, value)
    (found,) = finding.look(check)
    assert found.status == "failure" and expected in found.found and name in found.found


def test_what_variables_ask_for_is_said(monkeypatch):
    monkeypatch.setenv("QUANT_OPS_BACKEND", "composite")
    assert only(machine.backend).found == "composite, forced by QUANT_OPS_BACKEND"
    monkeypatch.setenv("QUANT_OPS_ISA", "portable")
    expected = "portable, linear solver portable, limited by QUANT_OPS_ISA"
    assert only(machine.instruction_set).found == expected


def test_no_compiler(monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    found = only(machine.compiler)
    assert found.status == "warning" and "no-such-compiler" in found.found
    assert found.remedy.startswith("install g++")


def test_no_native_library(monkeypatch, tmp_path):
    from quant_ops import library

    monkeypatch.setattr(library, "LIBRARY", library.NativeLibrary(tmp_path))
    found = only(machine.native_library)
    assert found.status == "warning" and "it was never built" in found.found
    assert found.remedy == library.REMEDY
    assert "composite only" in only(self_test.ops).found


def test_no_linear_engine(monkeypatch, tmp_path):
    from quant_ops.linear import engine

    monkeypatch.setattr(engine, "FOLDER", tmp_path)
    found = only(machine.linear_engine)
    assert found.status == "warning" and "it was never built" in found.found
    assert only(self_test.solver).found == "not there: it needs the linear engine"


def test_little_memory(monkeypatch):
    monkeypatch.setattr(machine, "available_memory", lambda: 2**29)
    found = only(machine.memory)
    assert found.status == "warning" and "0.5 available" in found.found and found.remedy


def test_processor(monkeypatch, tmp_path):
    monkeypatch.setattr(processor_info, "CPUINFO", tmp_path / "none")
    assert "flags unknown" in only(machine.processor).found


def test_data_sets_are_looked_for_and_not_fetched(monkeypatch, tmp_path):
    from tq_halp.data import locate

    def forbidden(*arguments):
        raise AssertionError("fetched")

    monkeypatch.setattr(download, "fetch", forbidden)
    monkeypatch.setattr(locate, "__file__", str(tmp_path / "a/b/c/locate.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("TQ_HALP_DATA", str(tmp_path))
    (tmp_path / "tinyshakespeare").mkdir()
    (tmp_path / "tinyshakespeare" / "input.txt").touch()
    found = {line.name: line for line in data_sets.data_sets()}
    assert found["data: tiny_shakespeare"].found == str(tmp_path / "tinyshakespeare")
    assert found["data: ptb"].status == "warning"
    assert str(tmp_path / "empty" / "tq_halp" / "ptb") in found["data: ptb"].remedy
    assert {"data: mnist", "data: cifar10", "data: python_docs"} <= set(found)


def test_an_op_whose_backends_differ(monkeypatch):
    import tensorflow as tf

    import quant_ops

    def differing(x, *arguments, **more):
        return tf.constant(x + (quant_ops.backend() == "native"))

    monkeypatch.setattr(quant_ops, "mx", differing)
    found = only(self_test.ops)
    assert (found.status, found.found) == ("failure", "wrong: mx")
    assert os.environ.get("QUANT_OPS_BACKEND") is None


def test_an_exception_is_a_failure_and_the_others_go_on():
    def broken_check():
        raise KeyError("why\nat length")

    def fine():
        yield finding.Finding("fine", "ok", "yes")

    first, second = finding.look(broken_check, fine)
    assert (first.name, first.status, second.name) == ("broken check", "failure", "fine")
    assert first.found == "KeyError: 'why\\nat length'"
