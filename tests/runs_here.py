"""A comparison whose runs this process trains: one of its own first imports TensorFlow, for 6 s."""

import contextlib
import types

from tq_halp.commands import train
from tq_halp.commands.compare import check_before_runs, process_pool


def patch(monkeypatch):
    """Until the end of the test; test_command.py and test_equal_price.py have the processes."""
    monkeypatch.setattr(process_pool, "_start", _train)
    monkeypatch.setattr(check_before_runs, "ask", _check)


def _train(run, *_):
    """In place of a process, what the pool asks of one that has ended."""
    run.log.parent.mkdir(exist_ok=True)
    with (
        open(run.log, "a") as log,
        contextlib.redirect_stdout(log),
        contextlib.redirect_stderr(log),
    ):
        status = train.main(run.arguments)
    return types.SimpleNamespace(stdin=None, poll=lambda: status)


def _check(_, asked):
    check_before_runs.build(asked)
    return "", ""
