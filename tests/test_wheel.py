"""The wheel that `make wheel` has built: what is in it, and that it works elsewhere."""

import configparser
import email
import json
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

pytestmark = pytest.mark.skipif(
    "TQ_HALP_WHEEL" not in os.environ, reason="compiles for minutes; `make wheel` runs it"
)


@pytest.fixture(scope="module")
def wheel():
    return Path(os.environ["TQ_HALP_WHEEL"]).resolve()


@pytest.fixture(scope="module")
def content(wheel):
    """The files in the wheel: name -> bytes."""
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def in_metadata(content, file):
    (text,) = [
        data.decode() for name, data in content.items() if name.endswith(f".dist-info/{file}")
    ]
    return text


def test_the_tag_names_the_platform_and_no_python(wheel, content):
    platform = re.sub(r"\W", "_", sysconfig.get_platform())
    assert wheel.name.endswith(f"-py3-none-{platform}.whl")
    stated = email.message_from_string(in_metadata(content, "WHEEL"))
    assert stated["Tag"] == f"py3-none-{platform}" and stated["Root-Is-Purelib"] == "false"


def test_what_is_inside(content):
    from quant_ops import build

    assert f"quant_ops/lib/{build.library_name()}" in content
    assert f"quant_ops/lib/{build.engine_name()}" in content
    assert len([name for name in content if name.endswith(".so")]) == 2
    # All it takes to compile again after an upgrade of TensorFlow.
    sources = {
        path.relative_to(ROOT).as_posix()
        for path in build.sources((*build.OPS, *build.ENGINE), "*.*")
    }
    assert sources <= set(content)
    modules = {
        path.relative_to(ROOT).as_posix()
        for package in ("quant_ops", "tq_halp")
        for path in (ROOT / package).rglob("*.py")
    }
    assert modules <= set(content)
    folders = {part for name in content for part in Path(name).parts[:-1]}
    assert not folders & {"tests", "experiments", "runs", "__pycache__", ".build"}
    assert {name.split("/")[0].split("-")[0] for name in content} == {"quant_ops", "tq_halp"}


def test_no_folder_of_this_machine_is_inside(content):
    for folder in {str(ROOT), sys.prefix, str(Path.home())}:
        assert [name for name, data in content.items() if f"{folder}/".encode() in data] == []


def test_metadata(content):
    import tq_halp

    stated = email.message_from_string(in_metadata(content, "METADATA"))
    assert (stated["Name"], stated["Version"]) == ("tq_halp", tq_halp.__version__)
    assert stated["Requires-Python"] == ">=3.10"
    assert "tensorflow>=2.18" in stated.get_all("Requires-Dist")
    assert {"mlflow", "tensorboard", "datasets"} <= set(stated.get_all("Provides-Extra"))
    assert "low precision" in stated.get_payload()  # of README.md
    scripts = configparser.ConfigParser()
    scripts.read_string(in_metadata(content, "entry_points.txt"))
    assert scripts["console_scripts"]["tq-halp"] == "tq_halp.commands.dispatch:main"
    assert any(name.endswith("/LICENSE") for name in content)


def test_installed_offline_it_computes_natively(wheel, tmp_path):
    """In a new environment that has this one's packages and nothing of the checkout."""

    def run(*command, **more):
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | more
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-m", "venv", "--without-pip", "there")
    python = tmp_path / "there/bin/python"
    install = ("install", "--no-index", "--no-deps", str(wheel))
    run(sys.executable, "-m", "pip", "--python", str(python), *install)
    own = Path(run(python, "-c", "import sysconfig as s; print(s.get_path('platlib'))").strip())
    # Of a folder that is named here, Python reads no .pth: the editable install stays behind.
    (own / "borrowed.pth").write_text(sysconfig.get_path("platlib"))
    report = run(tmp_path / "there/bin/tq-halp", "doctor", "--json", QUANT_OPS_BACKEND="native")
    found = {row["name"]: row for row in json.loads(report)["findings"]}
    assert found["tq_halp"]["found"].endswith(str(own / "tq_halp"))
    assert found["native library"]["found"].startswith(str(own / "quant_ops" / "lib"))
    assert "native and composite equal" in found["self-test: ops"]["found"]
    assert {found[f"self-test: {name}"]["status"] for name in ("HALP", "linear solver")} == {"ok"}
