"""Checks of the machine: processor, memory, compiler, native library, backend, GPU."""

import os
import platform
import subprocess
from collections.abc import Iterator

from tq_halp import processor_info
from tq_halp.available_memory import available_memory
from tq_halp.commands.doctor.finding import FAILURE, OK, WARNING, Finding

LITTLE_MEMORY = 2.0  # GiB
TELLING_FLAGS = ("avx2", "fma", "avx512f", "avx512_vnni", "amx_int8")


def processor() -> Iterator[Finding]:
    """The processor's name, the usable cores, and the flags that matter here."""
    has = [flag for flag in TELLING_FLAGS if flag in processor_info.flags()]
    name = processor_info.model_name() or platform.processor() or platform.machine()
    yield Finding(
        "processor",
        OK,
        f"{name}, {processor_info.usable_cores()} cores, {' '.join(has) or 'flags unknown'}",
    )


def memory() -> Iterator[Finding]:
    """Total and available memory."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    room = available_memory()
    if room is None:
        yield Finding("memory", OK, f"{total:.1f} GiB")
        return
    available = room / 2**30
    found = f"{total:.1f} GiB, {available:.1f} available"
    if available < LITTLE_MEMORY:
        yield Finding("memory", WARNING, found, "end other programs, or lower train.batch_size")
    else:
        yield Finding("memory", OK, found)


def compiler() -> Iterator[Finding]:
    """The C++ compiler that would build the ops."""
    from quant_ops import build

    try:
        command = build.compiler()
    except build.BuildError as error:
        problem, _, remedy = str(error).partition(": ")
        yield Finding("compiler", WARNING, problem, remedy)
        return
    shown = subprocess.run([*command, "--version"], capture_output=True, text=True)
    first_line = shown.stdout.partition("\n")[0]
    yield Finding("compiler", OK, f"{' '.join(command)}: {first_line}")


def native_library() -> Iterator[Finding]:
    """Whether the compiled ops for this TensorFlow exist and can be loaded."""
    from quant_ops import build, library

    if library.LIBRARY.load() is None:
        yield Finding("native library", WARNING, library.LIBRARY.problem, library.REMEDY)
    else:
        folder = library.LIBRARY.directory or build.DEFAULT_OUTPUT
        yield Finding("native library", OK, str(folder / build.library_name()))


def linear_engine() -> Iterator[Finding]:
    """Whether the compiled engine of linear models exists and can be loaded."""
    from quant_ops.linear import engine

    try:
        engine.engine()
        yield Finding("linear engine", OK, str(engine.library_path()))
    except RuntimeError as error:
        problem, _, remedy = str(error).rpartition(". ")
        yield Finding("linear engine", WARNING, problem, remedy)


def backend() -> Iterator[Finding]:
    """The backend of new ops, and what forces it."""
    import quant_ops

    forced = os.environ.get("QUANT_OPS_BACKEND")
    try:
        taken = quant_ops.backend()
    except (ValueError, RuntimeError) as error:
        yield Finding("backend", FAILURE, str(error), "unset QUANT_OPS_BACKEND")
        return
    yield Finding("backend", OK, f"{taken}{', forced by QUANT_OPS_BACKEND' if forced else ''}")


def instruction_set() -> Iterator[Finding]:
    """The instruction sets that the compiled ops and the linear solver use."""
    from quant_ops import library
    from quant_ops.linear import engine

    try:
        ops, solver = library.instruction_set(), engine.instruction_set()
    except ValueError as error:
        yield Finding("instructions", FAILURE, str(error), "unset QUANT_OPS_ISA")
        return
    except RuntimeError:
        yield Finding("instructions", OK, "not known: a compiled library is missing")
        return
    limited = ", limited by QUANT_OPS_ISA" if os.environ.get("QUANT_OPS_ISA") else ""
    yield Finding("instructions", OK, f"{ops}, linear solver {solver}{limited}")


def graphics() -> Iterator[Finding]:
    """The GPUs that TensorFlow sees."""
    import tensorflow as tf

    names = [
        tf.config.experimental.get_device_details(device).get("device_name", device.name)
        for device in tf.config.list_physical_devices("GPU")
    ]
    yield Finding("GPU", OK, ", ".join(names) or "none: everything runs on the CPU")
