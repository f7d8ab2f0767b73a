"""Which backend is chosen, and what is said when the native library is missing."""

import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import tensorflow as tf

from quant_ops import build, library

NAME, ENGINE = build.library_name(), build.engine_name()


@pytest.fixture(autouse=True)
def unforced(monkeypatch):
    monkeypatch.delenv("QUANT_OPS_BACKEND", raising=False)


def test_native_is_the_choice_on_a_cpu():
    expected = "composite" if tf.config.get_visible_devices("GPU") else "native"
    assert library.backend() == expected


def test_composite_with_a_gpu_and_then_no_library_is_looked_for(monkeypatch, tmp_path):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["a GPU"])
    assert library.backend(library.NativeLibrary(tmp_path)) == "composite"


@pytest.mark.parametrize(
    "files, reason",
    [
        ([], "it was never built"),
        (["_quant_ops-tf1.0-abc.so"], "for another TensorFlow or source: _quant_ops-tf1.0-abc.so"),
        ([NAME], "could not load its native library"),
    ],
    ids=["never built", "stale", "broken"],
)
def test_missing_library_is_said_once_with_the_remedy(files, reason, tmp_path, monkeypatch):
    for name in files:
        (tmp_path / name).write_text("no library")
    missing = library.NativeLibrary(tmp_path)
    with pytest.warns(UserWarning) as caught:
        assert library.backend(missing) == "composite"
        assert library.backend(missing) == "composite"
    assert len(caught) == 1
    assert caught[0].filename == __file__  # the caller's, not the package's
    message = str(caught[0].message)
    for part in (reason, str(tmp_path / NAME), "python -m quant_ops.build", "make ops"):
        assert part in message

    monkeypatch.setenv("QUANT_OPS_BACKEND", "native")
    with pytest.raises(RuntimeError, match="python -m quant_ops.build"):
        library.backend(missing)

    monkeypatch.setenv("QUANT_OPS_BACKEND", "composite")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert library.backend(library.NativeLibrary(tmp_path)) == "composite"


def test_unknown_backend(monkeypatch):
    monkeypatch.setenv("QUANT_OPS_BACKEND", "gpu")
    with pytest.raises(ValueError, match="must be native or composite. Received: 'gpu'"):
        library.backend()


def run_build(*arguments, **environment):
    script = Path(build.__file__)
    command = [sys.executable, "-I", str(script), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_a_second_build_does_nothing(tmp_path):
    for name in (NAME, ENGINE):
        (tmp_path / name).write_text("built before")
    (tmp_path / "_quant_ops-tf1.0-abc.so").write_text("not ours to remove yet")
    done = run_build("--output", tmp_path, PATH="")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("up to date") == 2
    assert (tmp_path / NAME).read_text() == "built before"


def test_no_compiler_is_one_message(tmp_path):
    done = run_build("--output", tmp_path, PATH="")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "no C++17 compiler found" in done.stderr and "CXX=" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_compiler_error_shows_its_end(tmp_path, monkeypatch):
    cxx = tmp_path / "c++"
    cxx.write_text('#!/bin/sh\n[ "$1" = --version ] || { echo "that is no C++" >&2; exit 1; }\n')
    cxx.chmod(0o755)
    monkeypatch.setenv("CXX", str(cxx))
    monkeypatch.setattr(build, "_tensorflow_flags", lambda: ([], []))
    with pytest.raises(build.BuildError, match="this failed:\n(.*\n)*that is no C\\+\\+"):
        build.build(tmp_path / "lib")
    assert list((tmp_path / "lib").iterdir()) == []


def test_the_hash_follows_the_sources(tmp_path, monkeypatch):
    before = build.source_hash()
    (tmp_path / "core").mkdir()
    (tmp_path / "core" / "more.h").write_text("// more")
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    monkeypatch.setattr(build, "PACKAGE", tmp_path)
    after = build.source_hash()
    assert before != after and len(after) == 12
    assert build.engine_name() != ENGINE  # the core belongs to both
