"""`tq-halp completion`: what each shell offers, asked of the shells themselves."""

import shutil
import subprocess

import pytest

from tq_halp.commands import dispatch


def made(shell, capsys):
    assert dispatch.main(["completion", shell]) == 0
    return capsys.readouterr().out


OFFERED = {
    "tq-halp tr": "train",
    "tq-halp do": "doctor",
    "tq-halp completion ": "bash zsh fish -h --help",
    "tq-halp train --r": "--run-dir --resume",
    "tq-halp train --resume --co": "--config",
    "tq-halp train --config run.yaml --dry": "--dry-run",
    # What an option takes is none of the words; file names are bash's own business.
    "tq-halp train --config ": "",
    "tq-halp train --config = ru": "",
    "tq-halp train --run-dir plan --dr": "--dry-run",
    "tq-halp bench o": "ops",
    "tq-halp bench step --": "--help --repeats --steps",
    "tq-halp bench ops --rou": "--roundings",
    "tq-halp compare --tune-by b": "best",
    "tq-halp compare --tune-by = ": "final best",
    "tq-halp nothing --": "",
}


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash(capsys):
    lines = [made("bash", capsys)]
    for line in OFFERED:
        words = line.split(" ")
        lines.append(f"COMP_WORDS=({' '.join(repr(word) for word in words)})")
        lines.append(
            f'COMP_CWORD={len(words) - 1}; COMPREPLY=(); _tq_halp; echo "${{COMPREPLY[*]}}"'
        )
    lines.append("complete -p tq-halp")
    # No program is in the PATH: completing starts none, Python neither.
    command = [shutil.which("bash"), "--norc", "-c", "\n".join(lines)]
    done = subprocess.run(command, env={"PATH": ""}, capture_output=True, text=True)
    assert done.stderr == ""
    *offered, registered = done.stdout.splitlines()
    assert dict(zip(OFFERED, offered, strict=True)) == OFFERED
    assert registered == "complete -o default -F _tq_halp tq-halp"


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_takes_the_script_of_bash(capsys, tmp_path):
    (tmp_path / "script").write_text(
        "autoload -U compinit && compinit -u -d dump\n" + made("zsh", capsys)
    )
    question = "source script; emulate ksh; COMP_WORDS=(tq-halp doctor --j); COMP_CWORD=2"
    question += '; _tq_halp; print -r -- "${COMPREPLY[@]}" ${_comps[tq-halp]}'
    done = subprocess.run(
        ["zsh", "-f", "-c", question], cwd=tmp_path, capture_output=True, text=True
    )
    # zsh matches what is offered with the word itself, later.
    expected = "-h --help --json _bash_complete -o default -F _tq_halp\n"
    assert (done.stdout, done.stderr) == (expected, "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish(capsys, tmp_path):
    (tmp_path / "script").write_text(made("fish", capsys))
    for line, expected in (
        ("tq-halp tr", ["train"]),
        ("tq-halp train --re", ["--resume"]),
        ("tq-halp bench st", ["step"]),
        ("tq-halp compare --tune-by ", ["best", "final"]),
    ):
        done = subprocess.run(
            ["fish", "--no-config", "-c", f"source script; complete -C {line!r}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        assert done.stderr == ""
        assert [word.partition("\t")[0] for word in done.stdout.splitlines()] == expected


def test_every_command_has_a_parser_and_a_purpose(capsys):
    script = made("fish", capsys)
    for name in dispatch.COMMANDS:
        assert f"-a {name} -d" in script


def test_another_shell(capsys):
    with pytest.raises(SystemExit) as exit:
        dispatch.main(["completion", "tcsh"])
    assert exit.value.code == 2
    assert "invalid choice: 'tcsh'" in capsys.readouterr().err
