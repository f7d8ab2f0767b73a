"""The guides do what they say, block after block, and their links lead somewhere.

A block of Python is run, one of YAML that begins with "# name.yaml" is written to that file, and
one of sh holds commands of ours.
"""

import re
import shlex
from pathlib import Path

import pytest

from tests import runs_here
from tq_halp.commands.dispatch import main as tq_halp_command

ROOT = Path(__file__).resolve().parents[2]
GUIDES = ROOT / "docs" / "guides"
RUN = (
    "emulate-my-number-format",
    "quantize-my-model",
    "train-with-halp",
    "add-a-layer",
    "add-an-algorithm",
)
# What a reader waits for and a test need not; of an option given twice the last counts.
LESS = {
    "compare": ["--algorithms", "sgd", "--seeds", "0"],
    "train": [],
    "plan": [],
    "report": ["--batches", "2"],
}
SHORT = {
    "--budget 12": "--budget 1",
    "--tune optimizer.learning_rate=0.02,0.05,0.1": "",
}
PROSE = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(guide):
    """(language, text) of each fenced block."""
    return re.findall(r"^```(\w+)\n(.*?)^```$", (GUIDES / guide).read_text(), re.M | re.S)


def carry_out(language, text, names):
    if language == "python":
        if named := re.match(r"# (\w+\.py)\n", text):
            Path(named[1]).write_text(text)
        exec(compile(text, "guide", "exec"), names)
    elif language == "yaml" and (named := re.match(r"# (\S+\.yaml)\n", text)):
        Path(named[1]).write_text(text)
    elif language == "sh":
        for line in text.replace("\\\n", " ").splitlines():
            for long, short in SHORT.items():
                line = line.replace(long, short)
            command = shlex.split(line)
            assert command[:2] == ["python", "-m"] and command[2].startswith("tq_halp."), line
            name = command[2].removeprefix("tq_halp.")
            less = [] if "mine>" in line else LESS[name]
            assert tq_halp_command([name, *command[3:], *less]) == 0, line


# Users do not see pytest's "every warning is an error".
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("guide", RUN)
def test_guide(guide, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    if guide == "train-with-halp":  # the other comparison has processes, which import its module
        runs_here.patch(monkeypatch)
    names = {"__name__": "guide"}
    for language, text in blocks(f"{guide}.md"):
        carry_out(language, text, names)
    if guide == "train-with-halp":
        assert (tmp_path / "runs" / "mine" / "report.html").exists()
    assert "Traceback" not in capsys.readouterr().err


def test_every_guide_is_run_or_followed_by_hand():
    assert {path.stem for path in GUIDES.glob("*.md")} == {*RUN, "add-an-op"}


def test_what_the_comments_promise(capsys):
    """The printed numbers that stand in comments of the guide to formats."""
    found = [text for language, text in blocks("emulate-my-number-format.md")]
    names = {}
    for text in found[:3]:
        exec(text, names)
    said = capsys.readouterr().out.splitlines()
    for line, promised in [
        (0, "0.0625 -2.0 1.9375"),
        (1, "0.015625 7.0 0.25"),
        (2, "448.0"),
        (3, "[ 0.3125 -0.75    2.5     7.    ]"),
        (4, "[ 0.25 -0.75  2.5   7.  ]"),
    ]:
        assert said[line] == promised
    levels, mean = said[5].rsplit(" ", 1)
    # The mean of 100,000 draws between 0.25 and 0.3125: five standard deviations are 5e-4.
    assert levels == "[0.25   0.3125]" and abs(float(mean) - 0.3) < 5e-4
    assert said[6].startswith("63 ")


@pytest.mark.parametrize("path", PROSE, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_and_named_files_are_there(path):
    text = path.read_text()
    targets = re.findall(r"\]\((?!https?:)([^)#\s]+)(#[^)\s]+)?\)", text)
    for target, anchor in targets:
        there = path.parent / target
        assert there.exists(), target
        if anchor and there.suffix == ".md":
            titles = re.findall(r"^#+ (.*)$", there.read_text(), re.M)
            slugs = {re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles}
            assert anchor[1:] in slugs, target + anchor
    for named in re.findall(r"`((?:quant_ops|tq_halp|tests|configs)/[\w/.]+)`", text):
        assert (ROOT / named).exists(), named
