"""The native library (found and loaded on first use) and the choice of the backend of new ops."""

import contextlib
import contextvars
import functools
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import tensorflow as tf

from quant_ops import compiled_libraries
from quant_ops.compiled_libraries import REMEDY
from quant_ops.environment import requested_backend
from quant_ops.format_facts import BACKENDS


class NativeLibrary:
    """The compiled ops. They are loaded on first use, which sets either `module` or `problem`."""

    def __init__(self, directory: Path | None = None):
        self.directory = directory
        self.path: Path | None = None
        self.module: ModuleType | None = None
        self.problem = ""
        self._looked = self._warned = False
        self._lock = threading.Lock()

    def load(self) -> ModuleType | None:
        """The module of ops, or None if it cannot be loaded; only the first call looks for it."""
        with self._lock:
            if not self._looked:
                self.module, self.problem = self._find_and_load()
                self._looked = True
        return self.module

    def require(self) -> ModuleType:
        """The module of ops.

        Raises:
            RuntimeError: there is none; the message has the reason and the remedy.
        """
        module = self.load()
        if module is None:
            raise RuntimeError(f"{self.problem} {REMEDY}")
        return module

    def warn_once(self) -> None:
        """Warns, once, that the composite backend is used, why, and how to build the native one."""
        with self._lock:
            first, self._warned = not self._warned, True
        if first:
            warnings.warn(
                f"{self.problem} Using the composite backend: the same results, more slowly. "
                f"{REMEDY} (QUANT_OPS_BACKEND=composite asks for it without this warning.)",
                stacklevel=_callers_level(),
            )

    def _find_and_load(self) -> tuple[ModuleType | None, str]:
        # Not at the top: `python -m quant_ops.build` would then find its module imported already.
        from quant_ops import build

        try:
            self.directory = self.directory or build.DEFAULT_OUTPUT
            self.path = path = self.directory / build.library_name()
        except (build.BuildError, OSError) as error:
            return None, f"quant_ops cannot tell which native library it needs: {error}."
        if not path.exists():
            return None, self._why_missing(path)
        try:
            module = tf.load_op_library(str(path))
        except (tf.errors.OpError, OSError) as error:
            return None, f"quant_ops could not load its native library {path}: {error}."
        _register_gradients(module)
        return module, ""

    def _why_missing(self, path: Path) -> str:
        others = sorted(other.name for other in path.parent.glob("_quant_ops-*.so"))
        reason = "it was never built"
        if others:
            reason = (
                f"what is there was built for another TensorFlow or source: {', '.join(others)}"
            )
        return f"quant_ops has no native library {path} ({reason})."


LIBRARY = NativeLibrary()


_forced: contextvars.ContextVar[str] = contextvars.ContextVar("quant_ops.backend", default="")


def backend(library: NativeLibrary = LIBRARY) -> str:
    """The backend of ops that are built now: "native" or "composite".

    `forced` decides, then the environment variable QUANT_OPS_BACKEND. Without either it is native,
    unless a GPU is visible (the native ops would copy their tensors to the CPU) or there is no
    native library; one warning then says so.

    Raises:
        ValueError: QUANT_OPS_BACKEND names no backend.
        RuntimeError: native was asked for and there is no native library.
    """
    asked = _forced.get() or requested_backend()
    if asked == "native":
        library.require()
    if asked:
        return asked
    if tf.config.get_visible_devices("GPU"):
        return "composite"
    if library.load() is None:
        library.warn_once()
        return "composite"
    return "native"


@contextlib.contextmanager
def forced(name: str) -> Iterator[None]:
    """A context in which ops are built for the backend `name`, in this thread or task alone.

    A graph keeps the backend that it was built with, wherever it runs later. With "composite" a
    SavedModel holds TensorFlow's own ops only, and loads where quant_ops is not installed.

    Raises:
        ValueError: there is no such backend.
    """
    if name not in BACKENDS:
        raise ValueError(f"backend must be native or composite. Received: {name!r}")
    token = _forced.set(name)
    try:
        yield
    finally:
        _forced.reset(token)


def is_forced() -> bool:
    """Whether `forced` or QUANT_OPS_BACKEND has chosen the backend here."""
    return bool(_forced.get() or requested_backend())


def as_forced_now(function: Callable) -> Callable:
    """`function`, called with the backend that is forced now, also after the context has ended.

    Gradients need it: TensorFlow builds them later.
    """
    name = _forced.get()

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        token = _forced.set(name)
        try:
            return function(*args, **kwargs)
        finally:
            _forced.reset(token)

    return called


def native() -> ModuleType:
    """The module of native ops; RuntimeError if there is none."""
    return LIBRARY.require()


def instruction_set(limit: str | None = None) -> str:
    """The one that native ops take in a new process: "avx512", "avx2" or "portable".

    Args:
        limit: the best one that may be taken; None: what the variable QUANT_OPS_ISA says.

    Raises:
        ValueError: QUANT_OPS_ISA names no instruction set.
        RuntimeError: there is no native library.
    """
    return compiled_libraries.best_instruction_set(_path(), byte_products=False, limit=limit)


def available_instruction_sets() -> tuple[str, ...]:
    """Those that this machine has, the best first; the errors are those of `instruction_set`."""
    return compiled_libraries.available_instruction_sets(_path(), byte_products=False)


def _path() -> Path:
    LIBRARY.require()
    assert LIBRARY.path is not None
    return LIBRARY.path


def _callers_level() -> int:
    """The `stacklevel` of the caller's warning: that of the first frame outside quant_ops."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None:
        if frame.f_globals.get("__name__", "").split(".")[0] not in ("quant_ops", "tensorflow"):
            break
        level, frame = level + 1, frame.f_back
    return level


def _register_gradients(module: ModuleType) -> None:
    """Registers the straight-through gradient: upstream to the first input, `x`, else None."""

    updates = ("QuantOpsMoveOffset", "QuantOpsHasMoved", "QuantOpsMoveEntry")
    for name in updates:
        tf.no_gradient(name)
    others = ("QuantOpsMatmul", *updates)

    def gradient(op: tf.Operation, upstream: tf.Tensor) -> tuple[tf.Tensor | None, ...]:
        return upstream, *[None] * (len(op.inputs) - 1)

    for name in dir(module):
        if name.startswith("QuantOps") and not name.startswith(others):
            tf.RegisterGradient(name)(gradient)
