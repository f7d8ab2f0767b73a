"""Compiles the C++ tests of the arithmetic core, which link no TensorFlow, and runs them."""

import os
import subprocess
from pathlib import Path

import pytest

from quant_ops import build

TESTS = build.SOURCES / "tests"
SHARED = ("array", "call")  # the sources without main()
INSTRUCTION_SETS = ("portable", "avx2", "avx512")


def compiler() -> list[str]:
    """The C++ compiler; skips the test where there is none."""
    try:
        return build.compiler()
    except build.BuildError as error:
        pytest.skip(str(error))


def compile_programs(
    folder: Path, patterns: tuple[str, ...], options: tuple[str, ...] = ()
) -> list[Path]:
    """The programs whose names match one of the patterns; `options` as in build.core_commands."""
    cxx = compiler()
    commands = build.core_commands(cxx, folder, options)
    names = [path.stem for pattern in patterns for path in sorted(TESTS.glob(f"{pattern}.cc"))]
    for name in (*SHARED, *names):
        source = str(TESTS / f"{name}.cc")
        commands[folder / f"{name}.o"] = [*cxx, *build.FLAGS, *options, "-c", source]
    build.run_all(commands)
    mains = {folder / f"{name}.o" for name in names}
    link = [*cxx, *options, "-pthread", *(str(path) for path in commands if path not in mains)]
    build.run_all({folder / name: [*link, str(folder / f"{name}.o")] for name in names})
    return [folder / name for name in names]


def compile_linear(folder: Path, options: tuple[str, ...] = ()) -> Path:
    """The fuzzer of the linear solvers; `options` as in build.core_commands."""
    cxx = compiler()
    commands = build.linear_commands(cxx, folder, options)
    source = str(TESTS / "linear_fuzz.cc")
    commands[folder / "linear_fuzz.o"] = [*cxx, *build.FLAGS, *options, "-c", source]
    build.run_all(commands)
    program = folder / "linear_fuzz"
    build.run_all({program: [*cxx, *options, "-pthread", *map(str, commands)]})
    return program


def output(instruction_set: str, *command: object) -> str:
    """What a program prints, limited to an instruction set; it must succeed."""
    environment = os.environ | {"QUANT_OPS_ISA": instruction_set, "TSAN_OPTIONS": "halt_on_error=1"}
    words = [str(word) for word in command]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def fuzz(program: Path, seed: int, count: int) -> None:
    """Checks seeds from `seed` on with every instruction set: all must print the same hash."""
    hashes = {isa: output(isa, program, seed, count).split()[0] for isa in INSTRUCTION_SETS}
    assert len(set(hashes.values())) == 1, hashes
