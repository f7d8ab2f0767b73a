"""The compiled engine: found and loaded on first use, and called through ctypes.

The structures are those of `cc/linear/c_interface.h`, field by field.
"""

import ctypes
import functools
from ctypes import POINTER, c_char, c_double, c_int, c_int32, c_int64, c_uint64, c_void_p
from pathlib import Path

from quant_ops import build, compiled_libraries
from quant_ops.compiled_libraries import REMEDY
from quant_ops.environment import instruction_set_limit

FOLDER = build.DEFAULT_OUTPUT
MEASUREMENTS = (
    "loss",
    "gradient_norm",
    "inner_seconds",
    "gradient_seconds",
    "scale",
    "saturated",
)
_WRONG, _NO_MEMORY, _NO_THREAD = 1, 2, 3


class Matrix(ctypes.Structure):
    """A user's array: see `matrix.described`."""

    _fields_ = [
        ("data", c_void_p),
        ("rows", c_int64),
        ("columns", c_int64),
        ("row_stride", c_int64),
        ("column_stride", c_int64),
        ("type", c_int32),
        ("drops_pages", c_int32),
    ]


class ColumnPointers(ctypes.Structure):
    """What is known of the columns: float64 [columns] each."""

    _fields_ = [("low", c_void_p), ("high", c_void_p), ("squares", c_void_p)]


class Model(ctypes.Structure):
    """What is fitted, and how; a null pointer stands for the default."""

    _fields_ = [
        ("loss", c_int32),
        ("algorithm", c_int32),
        ("outputs", c_int32),
        ("intercept", c_int32),
        ("word_bits", c_int32),
        ("data_bits", c_int32),
        ("double_precision", c_int32),
        ("threads", c_int32),
        ("batch_size", c_int64),
        ("seed", c_uint64),
        ("weight_range", c_double),
        ("targets", c_void_p),
        ("weights", c_void_p),
        ("column_scales", c_void_p),
        ("column_centres", c_void_p),
        ("l2", c_void_p),
        ("initial", c_void_p),
    ]


class _Message(ctypes.Structure):
    _fields_ = [("text", c_char * 512)]


Measured = c_double * len(MEASUREMENTS)


def named(measured: ctypes.Array) -> dict[str, float]:
    """What the engine measured, by MEASUREMENTS."""
    return dict(zip(MEASUREMENTS, measured, strict=True))


_ARGUMENTS = {
    "survey": (POINTER(Matrix), c_int, POINTER(ColumnPointers)),
    "make": (POINTER(Matrix), POINTER(Model), POINTER(ColumnPointers), POINTER(c_void_p)),
    "epoch": (c_void_p, c_double, c_double, c_int64, c_int, c_void_p),
    "eigenvalue": (c_void_p, c_int64, c_int64, POINTER(c_double)),
    "state": (c_void_p, c_void_p, c_void_p, POINTER(c_double)),
}


class Engine:
    """The functions of the library at `path`."""

    def __init__(self, path: Path):
        library = ctypes.CDLL(str(path))
        self._functions = {}
        for name, arguments in _ARGUMENTS.items():
            function = getattr(library, f"quant_ops_linear_{name}")
            function.argtypes, function.restype = (*arguments, POINTER(_Message)), c_int
            self._functions[name] = function
        self.free = library.quant_ops_linear_free
        self.free.argtypes, self.free.restype = (c_void_p,), None

    def call(self, name: str, *arguments: object) -> None:
        """Calls a function, which writes its results to where its arguments point.

        Raises:
            ValueError, MemoryError, RuntimeError: what the engine found wrong, that there is not
                enough memory, or that a thread could not be started.
        """
        said = _Message()
        code = self._functions[name](*arguments, said)
        text = said.text.decode()
        if code == _WRONG:
            raise ValueError(text)
        if code == _NO_MEMORY:
            raise MemoryError(text)
        if code == _NO_THREAD:
            raise RuntimeError(
                f"a thread could not be started ({text}); a smaller n_threads needs fewer, 1 needs "
                "none"
            )


def engine() -> Engine:
    """The engine; only the first call looks for it.

    Raises:
        RuntimeError: there is none; the message has the reason and the remedy.
        ValueError: QUANT_OPS_ISA names no instruction set.
    """
    instruction_set_limit()
    return _engine(library_path())


def library_path() -> Path:
    """The engine's file.

    Raises:
        RuntimeError: there is none.
    """
    path = _expected_path(FOLDER)
    if path.exists():
        return path
    others = sorted(other.name for other in path.parent.glob("_linear_engine-*.so"))
    reason = f"there are others: {', '.join(others)}" if others else "it was never built"
    raise RuntimeError(f"quant_ops has no linear engine {path} ({reason}). {REMEDY}")


def instruction_set(limit: str | None = None) -> str:
    """The one that the engine takes in a new process; arguments and errors as of `library`'s."""
    return compiled_libraries.best_instruction_set(library_path(), byte_products=True, limit=limit)


def available_instruction_sets() -> tuple[str, ...]:
    """Those that this machine has, the best first."""
    return compiled_libraries.available_instruction_sets(library_path(), byte_products=True)


@functools.cache
def _expected_path(folder: Path) -> Path:
    return folder / build.engine_name()  # which reads all sources: 3 ms


@functools.cache
def _engine(path: Path) -> Engine:
    try:
        return Engine(path)
    except OSError as error:
        raise RuntimeError(
            f"quant_ops could not load its linear engine {path}: {error}. {REMEDY}"
        ) from None
