"""Builds and runs the C++ tests of the arithmetic core, which link no TensorFlow."""

import os
import subprocess

import pytest

from quant_ops import build


@pytest.fixture
def programs(tmp_path):
    try:
        cxx = build.compiler()
    except build.BuildError as error:
        pytest.skip(str(error))
    commands = build.core_commands(cxx, tmp_path)
    objects = [str(path) for path in commands]
    sources = sorted((build.SOURCES / "tests").glob("*_test.cc"))
    for source in sources:
        commands[tmp_path / f"{source.stem}.o"] = [*cxx, *build.FLAGS, "-c", str(source)]
    build.run_all(commands)
    links = {tmp_path / s.stem: [*cxx, str(tmp_path / f"{s.stem}.o"), *objects] for s in sources}
    build.run_all(links)
    return list(links)


def test_core(programs):
    for program in programs:
        for isa in ("portable", "avx2", "avx512"):
            environment = os.environ | {"QUANT_OPS_ISA": isa}
            done = subprocess.run([program], env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert "passed with" in done.stdout
