"""Compiles the C++ tests of the arithmetic core, which link no TensorFlow, and runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

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
    core = build.core_commands(compiler(), folder, options)
    build.run_all(core)
    return _programs(folder, patterns, options, [*map(str, core)])


def link_with_library(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """The programs, using the core inside the library that is in use: nothing of it is compiled."""
    library = build.DEFAULT_OUTPUT / build.library_name()
    if not library.exists():
        pytest.skip("the native library is not built")
    tensorflow = tf.sysconfig.get_lib()
    where = [f"-Wl,-rpath,{path}" for path in (tensorflow, library.parent)]
    # The library takes TensorFlow for loaded already: a program of ours has to load it itself.
    needed = ["-Wl,--no-as-needed"] if sys.platform == "linux" else []
    link = [str(library), *needed, *tf.sysconfig.get_link_flags(), *where]
    return _programs(folder, patterns, ("-O1",), link)


def _programs(folder, patterns, options, link):
    cxx = compiler()
    names = [path.stem for pattern in patterns for path in sorted(TESTS.glob(f"{pattern}.cc"))]
    objects = {name: folder / f"{name}.o" for name in (*SHARED, *names)}
    compile_only = [*cxx, *build.FLAGS, *options, "-c"]
    build.run_all({o: [*compile_only, str(TESTS / f"{name}.cc")] for name, o in objects.items()})
    shared = [str(objects[name]) for name in SHARED]
    command = [*cxx, *options, "-pthread"]
    build.run_all({folder / name: [*command, str(objects[name]), *shared, *link] for name in names})
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
