"""Compiles the native libraries: `python -m quant_ops.build`, or `python quant_ops/build.py`.

The ops are TensorFlow's to load; the engine of linear models needs no TensorFlow. A library's file
name holds a hash of its sources and flags, that of the ops TensorFlow's version too, so one that
does not match is simply not found. This module imports nothing else of the package: an installer
can run it by its path.
"""

import argparse
import concurrent.futures
import hashlib
import importlib.metadata
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
SOURCES = PACKAGE / "cc"
DEFAULT_OUTPUT = PACKAGE / "lib"

# No -march=native: a library may be built on one machine and used on another.
# -ffp-contract=off: the composite backend rounds the product and the sum, so a fused multiply-add
# would give other bits. -fno-math-errno and -fno-trapping-math: nobody reads errno or the exception
# flags, and without these two rint and floor are function calls.
FLAGS: tuple[str, ...]
FLAGS = ("-O3", "-fPIC", "-std=c++17", "-Wall", "-Wextra", "-ffp-contract=off", "-fno-math-errno")
FLAGS += ("-fno-trapping-math",)
AVX2 = ("-mavx2", "-mfma")
AVX512 = ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mprefer-vector-width=512")
INSTRUCTION_SETS = {"portable": (), "avx2": AVX2, "avx512": (*AVX512, "-mfma")}
# The folders of `cc` that a library is made from.
OPS, ENGINE = ("core", "kernels", "ops"), ("core", "linear")
# The AVX-512 loops of the linear solvers need VNNI, the instructions for dot products of bytes.
# Their floating-point loops may use fused multiply-adds: no other backend has to agree with them.
BYTE_PRODUCTS = {"avx512": ("-mavx512vnni",)}
FUSED = ("-ffp-contract=fast",)


class BuildError(Exception):
    """The library cannot be built. The message is written for the user."""


def tensorflow_version() -> str:
    """The version of the installed TensorFlow, read without importing it.

    Raises:
        BuildError: TensorFlow is not installed.
    """
    for distribution in ("tensorflow", "tensorflow-cpu", "tf-nightly", "tensorflow-macos"):
        try:
            return importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    raise BuildError("TensorFlow is not installed in this environment: pip install tensorflow")


def source_hash(folders: tuple[str, ...] = OPS) -> str:
    """A hash of the flags and of the sources in these folders: 12 hexadecimal digits."""
    flags = (FLAGS, INSTRUCTION_SETS, BYTE_PRODUCTS, FUSED)
    digest = hashlib.sha256(repr(flags).encode())
    for path in [*sources(folders, "*.h"), *sources(folders, "*.cc")]:
        content = path.read_bytes()
        digest.update(f"{path.relative_to(PACKAGE).as_posix()} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:12]


def library_name() -> str:
    """The file name of the ops for the installed TensorFlow and these sources.

    Raises:
        BuildError: TensorFlow is not installed.
    """
    return f"_quant_ops-tf{tensorflow_version()}-{source_hash()}.so"


def engine_name() -> str:
    """The file name of the linear models' engine for these sources."""
    return f"_linear_engine-{source_hash(ENGINE)}.so"


def build(output: Path = DEFAULT_OUTPUT) -> tuple[Path, Path]:
    """Compiles the engine and the ops into the directory `output`, unless they are there already.

    Once one is complete, libraries for other versions of it are removed from `output`.

    Returns:
        The paths of the engine and of the ops.

    Raises:
        BuildError: no TensorFlow (the engine is there then), no compiler, a compiler error, or
            `output` cannot be written.
    """
    engine = _built(output, engine_name(), _compile_engine)
    return engine, _built(output, library_name(), _compile_ops)


def _built(output: Path, name: str, compile_into: Callable[[Path], Path]) -> Path:
    target = output / name
    if target.exists():
        return target
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=output, prefix=".build-") as scratch:
            os.replace(compile_into(Path(scratch)), target)
        for stale in output.glob(f"{name.split('-')[0]}-*.so"):
            if stale != target:
                stale.unlink()
    except OSError as error:
        raise BuildError(f"cannot write the library to {output}: {error}") from error
    return target


def main(arguments: list[str] | None = None) -> int:
    """Builds the native libraries, unless they are up to date; exit status 1 if that fails."""
    parser = argparse.ArgumentParser(prog="python -m quant_ops.build", description=main.__doc__)
    parser.add_argument(
        "--output", type=Path, default=DEFAULT_OUTPUT, help="directory (%(default)s)"
    )
    output = parser.parse_args(arguments).output.resolve()
    try:
        before = set(output.glob("*.so"))
        paths = build(output)
    except BuildError as error:
        print(f"quant_ops.build: {error}", file=sys.stderr)
        return 1
    for path in paths:
        print(f"quant_ops: {'up to date' if path in before else 'built'}: {path}")
    return 0


def compiler() -> list[str]:
    """The command of the C++ compiler: $CXX, or the first of g++, c++ and clang++ that runs.

    Raises:
        BuildError: none runs.
    """
    candidates = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "c++", "clang++"]
    for candidate in candidates:
        command = shlex.split(candidate)
        try:
            subprocess.run([*command, "--version"], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return command
    raise BuildError(
        f"no C++17 compiler found (tried {', '.join(candidates)}): install g++ (on Debian and "
        "Ubuntu: apt install g++) or name one with CXX=..."
    )


def core_commands(
    cxx: list[str], scratch: Path, options: tuple[str, ...] = ()
) -> dict[Path, list[str]]:
    """The compilations of `cc/core`, which needs no TensorFlow: object file -> command.

    Args:
        cxx: the compiler's command.
        scratch: folder of the object files.
        options: more flags, after the library's own, which they override: sanitizers, for example.
    """
    flags = (*FLAGS, *options)
    commands = {
        scratch / f"{name}.o": [*cxx, *flags, "-c", str(SOURCES / "core" / f"{name}.cc")]
        for name in ("quantize", "scaled_integer_scales", "instruction_set")
    }
    for name, machine in _instruction_sets():
        for stem in ("quantizer_loops", "rounded_matmul"):
            source = str(SOURCES / "core" / f"{stem}.cc")
            commands[scratch / f"{stem}_{name}.o"] = [*cxx, *flags, *machine, "-c", source]
    return commands


def linear_commands(
    cxx: list[str], scratch: Path, options: tuple[str, ...] = ()
) -> dict[Path, list[str]]:
    """The same for `cc/linear`, the solvers of linear models, which need no TensorFlow either."""
    folder, flags = SOURCES / "linear", (*FLAGS, *options)
    per_set = {"integer_kernel_tables": (), "data_kernel_tables": (), "float_kernel_tables": FUSED}
    commands = {
        scratch / f"{source.stem}.o": [*cxx, *flags, "-c", str(source)]
        for source in sorted(folder.glob("*.cc"))
        if source.stem not in per_set
    }
    chosen = str(SOURCES / "core" / "instruction_set.cc")
    commands[scratch / "instruction_set.o"] = [*cxx, *flags, "-c", chosen]
    for name, machine in _instruction_sets():
        for stem, more in per_set.items():
            extra = (*machine, *BYTE_PRODUCTS.get(name, ()), *more)
            command = [*cxx, *flags, *extra, "-c", str(folder / f"{stem}.cc")]
            commands[scratch / f"{stem}_{name}.o"] = command
    return commands


def _instruction_sets() -> list[tuple[str, tuple[str, ...]]]:
    """The instruction sets that this machine's compiler knows, with their flags."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return [
        (name, (*flags, f"-DQUANT_OPS_ISA={name}"))
        for name, flags in INSTRUCTION_SETS.items()
        if x86 or name == "portable"
    ]


def run_all(commands: dict[Path, list[str]]) -> None:
    """Runs the compilations in parallel, one per processor.

    Raises:
        BuildError: one of them fails; the message ends with the compiler's last 30 lines.
    """

    def run(item: tuple[Path, list[str]]) -> None:
        target, command = item
        done = subprocess.run([*command, "-o", str(target)], capture_output=True, text=True)
        if done.returncode:
            tail = "\n".join(done.stderr.splitlines()[-30:])
            raise BuildError(f"this failed:\n{shlex.join(command)}\n{tail}")

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(run, commands.items()))


def _compile_engine(scratch: Path) -> Path:
    """Compiles the linear models' engine into `scratch`; returns its path."""
    commands = linear_commands(cxx := compiler(), scratch, _prefix_map_flags([]))
    print(f"quant_ops: compiling {len(commands)} files of the linear engine ...", flush=True)
    return _linked(cxx, scratch, commands, ["-pthread"])


def _compile_ops(scratch: Path) -> Path:
    """Compiles the ops into `scratch`; returns the library's path."""
    cxx, version = compiler(), tensorflow_version()
    compile_flags, link_flags = _tensorflow_flags()
    prefix_map = _prefix_map_flags(compile_flags)
    commands = core_commands(cxx, scratch, prefix_map)
    for folder in ("kernels", "ops"):
        command = [*cxx, *FLAGS, *prefix_map, *compile_flags, "-c", str(_together(folder, scratch))]
        commands[scratch / f"{folder}.o"] = command
    print(f"quant_ops: compiling {len(commands)} files for TensorFlow {version} ...", flush=True)
    return _linked(cxx, scratch, commands, link_flags)


def _linked(
    cxx: list[str], scratch: Path, commands: dict[Path, list[str]], flags: list[str]
) -> Path:
    run_all(commands)
    library = scratch / "library.so"
    run_all({library: [*cxx, "-shared", *map(str, commands), *flags]})
    return library


def _together(folder: str, scratch: Path) -> Path:
    """One source that includes all sources in that folder of `cc`.

    TensorFlow's headers take the compiler ten seconds, each of these sources after them one or two.
    """
    together = scratch / f"{folder}.cc"
    sources = sorted((SOURCES / folder).glob("*.cc"))
    together.write_text("".join(f'#include "{source.as_posix()}"\n' for source in sources))
    return together


def _prefix_map_flags(compile_flags: list[str]) -> tuple[str, ...]:
    """Flags that keep this machine's folders out of the messages of failed checks."""
    includes = (flag for flag in compile_flags if os.path.isabs(flag))
    names = {str(PACKAGE): PACKAGE.name, **dict.fromkeys(includes, "tensorflow")}
    return tuple(f"-ffile-prefix-map={folder}={name}" for folder, name in names.items())


def _tensorflow_flags() -> tuple[list[str], list[str]]:
    """TensorFlow's own compile and link flags.

    Its include folders become system folders, whose headers cause no warnings. Another process asks
    for the flags, so that TensorFlow's start-up log does not appear here.
    """
    question = "import json, tensorflow.sysconfig as c; print(json.dumps([*map(list, ["
    question += "c.get_compile_flags(), c.get_link_flags()])]))"
    isolated = ["-I"] if sys.flags.isolated else []
    answer = subprocess.run(
        [sys.executable, *isolated, "-c", question], capture_output=True, text=True
    )
    if answer.returncode:
        raise BuildError(f"TensorFlow cannot be imported: {answer.stderr.splitlines()[-1]}")
    compile_flags, link_flags = json.loads(answer.stdout.splitlines()[-1])
    split = [["-isystem", f[2:]] if f.startswith("-I") else [f] for f in compile_flags]
    return [part for flag in split for part in flag], link_flags


def sources(folders: tuple[str, ...], pattern: str) -> list[Path]:
    """The files in these folders of `cc`."""
    return sorted(path for folder in folders for path in (SOURCES / folder).rglob(pattern))


if __name__ == "__main__":
    sys.exit(main())
