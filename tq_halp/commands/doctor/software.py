"""Checks of Python and of the packages."""

import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tq_halp.commands.doctor.finding import FAILURE, OK, WARNING, Finding, reason

OLDEST_PYTHON = (3, 10)


def python() -> Iterator[Finding]:
    """The version of Python."""
    found = f"{platform.python_version()}, {sys.executable}"
    old = sys.version_info < OLDEST_PYTHON
    yield Finding("Python", FAILURE, found, "use 3.10 or newer") if old else _fine("Python", found)


def package() -> Iterator[Finding]:
    """Version, git revision and folder of tq_halp."""
    import tq_halp
    from tq_halp.commands.running.package_versions import git_revision

    place = Path(tq_halp.__file__).resolve()
    revision, dirty, _ = (git_revision(place) or "").partition("-dirty")
    git = f", git {revision[:12]}{dirty}" if revision else ""
    yield _fine("tq_halp", f"{tq_halp.__version__}{git}, {place.parent}")


def dependencies() -> Iterator[Finding]:
    """Whether the required packages are installed and recent enough."""
    wanted = requirements()
    if not wanted:
        found = "tq_halp runs without being installed: what it needs is not known"
        yield Finding("dependencies", WARNING, found, "pip install . in the checkout")
        return
    wrong = []
    for name, oldest in wanted.items():
        version = _version(name)
        if version is None:
            wrong.append(f"{name} is missing")
        elif _numbers(version) < _numbers(oldest):
            wrong.append(f"{name} {version} is older than {oldest}")
    if wrong:
        yield Finding("dependencies", FAILURE, ", ".join(wrong), "pip install --upgrade tq_halp")
    else:
        yield _fine("dependencies", ", ".join(f"{name} {_version(name)}" for name in wanted))


def tensorflow() -> Iterator[Finding]:
    """Whether TensorFlow can be imported and started, and is recent enough."""
    from tq_halp.commands.running.tf_startup import start_tensorflow

    oldest = requirements().get("tensorflow", "2.18")
    install = f"pip install 'tensorflow>={oldest}'"
    try:
        start_tensorflow()
        import tensorflow as tf
    except ModuleNotFoundError as error:
        found = "is not installed" if error.name == "tensorflow" else f"is broken: {error}"
        yield Finding("TensorFlow", FAILURE, found, install)
        return
    except Exception as error:
        found = f"cannot be imported: {reason(error)}"
        yield Finding("TensorFlow", FAILURE, found, f"{install} --force-reinstall")
        return
    if _numbers(tf.__version__) < _numbers(oldest):
        yield Finding("TensorFlow", WARNING, f"{tf.__version__} is old", install)
    else:
        yield _fine("TensorFlow", tf.__version__)


def keras() -> Iterator[Finding]:
    """Whether Keras can be imported, with TensorFlow as its backend."""
    other = os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow"
    remedy = "set KERAS_BACKEND=tensorflow, or remove it and ~/.keras/keras.json"
    try:
        import keras
    except Exception as error:  # The backend may raise anything.
        install = f"pip install 'keras>={requirements().get('keras', '3.5')}'"
        found = f"cannot be imported: {reason(error)}"
        yield Finding("Keras", FAILURE, found, remedy if other else install)
        return
    found = f"{keras.__version__}, computing with {keras.config.backend()}"
    if keras.config.backend() != "tensorflow":
        yield Finding("Keras", FAILURE, found, remedy)
    else:
        yield _fine("Keras", found)


def requirements() -> dict[str, str]:
    """Package -> oldest version that tq_halp requires; {} if tq_halp is not installed."""
    try:
        lines = importlib.metadata.requires("tq_halp") or []
    except importlib.metadata.PackageNotFoundError:
        return {}
    found = (re.fullmatch(r"([\w.-]+)\s*>=\s*([\d.]+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def _version(name: str) -> str | None:
    # TensorFlow's package has several names.
    if name == "tensorflow" and "tensorflow" in sys.modules:
        return sys.modules["tensorflow"].__version__
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def _fine(name: str, found: str) -> Finding:
    return Finding(name, OK, found)
