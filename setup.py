"""Compiles the TensorFlow ops into the wheel; everything static is in setup.cfg."""

import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py


class BuildWithOps(build_py):
    """Copies the packages, then adds the compiled ops where they can be compiled.

    An editable install runs from the checkout, where `make ops` puts them.
    """

    def run(self):
        # Left from an earlier build: modules since removed, and ops for another TensorFlow.
        for package in ("quant_ops", "tq_halp"):
            shutil.rmtree(Path(self.build_lib, package), ignore_errors=True)
        super().run()
        if not self.editable_mode:
            compile_ops(Path(self.build_lib, "quant_ops", "lib"))


class PlatformDistribution(Distribution):
    """A wheel that holds a shared library belongs to one platform."""

    def has_ext_modules(self):
        return True


class WheelOfAnyPython(bdist_wheel):
    """The library is TensorFlow's to load, not Python's: a platform's wheel serves every Python."""

    def get_tag(self):
        return "py3", "none", super().get_tag()[2]


def compile_ops(output):
    """Compiles against the TensorFlow of the environment that is being installed into.

    pip isolates builds by PYTHONPATH; `-I` ignores that, so the target's TensorFlow is in sight.
    """
    script = Path(__file__).resolve().parent / "quant_ops" / "build.py"
    build = subprocess.run([sys.executable, "-I", str(script), "--output", str(output.resolve())])
    if build.returncode:
        print(
            "WARNING: quant_ops is installed without its compiled ops (the reason is above) and "
            "will use its TensorFlow-only backend: the same results, more slowly. Once TensorFlow "
            "and a C++17 compiler are installed, `python -m quant_ops.build` adds them.",
            file=sys.stderr,
        )


setup(
    cmdclass={"build_py": BuildWithOps, "bdist_wheel": WheelOfAnyPython},
    distclass=PlatformDistribution,
)
