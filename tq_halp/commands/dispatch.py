"""`tq-halp COMMAND ...`, also `python -m tq_halp COMMAND ...`: finds and runs the command."""

import importlib
import sys
from collections.abc import Sequence

from tq_halp.commands import shell_completion

#: Command -> the module whose main(arguments) carries it out, and what it is for. Its parser() are
#: the arguments.
COMMANDS = {
    "train": ("tq_halp.commands.train", "train what a config file describes"),
    "compare": (
        "tq_halp.commands.compare.command",
        "train with several algorithms and seeds, and compare the results",
    ),
    "report": ("tq_halp.commands.report", "show what number formats do to a model's tensors"),
    "plan": ("tq_halp.commands.plan", "show what a quantization map does to a model"),
    "bench": (
        "tq_halp.commands.bench",
        "time the ops, matrix products, a training step, or linear models",
    ),
    "doctor": ("tq_halp.commands.doctor", "show what is installed and whether it works"),
    "completion": (
        "tq_halp.commands.shell_completion",
        "print a script for the shell's completion",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command with the arguments after its name.

    Args:
        arguments: those of the command line; None takes them from `sys.argv`.

    Returns:
        The exit status of the command; 2 for an unknown one.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        return _dispatch(arguments)
    except ModuleNotFoundError as error:
        print(f"error: {error}; tq-halp doctor says what is missing", file=sys.stderr)
        return 1


def _dispatch(arguments: Sequence[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: tq-halp COMMAND [options]\n\ncommands:")
        for name, (_, purpose) in COMMANDS.items():
            print(f"  {name:10}{purpose}")
        return 0 if arguments else 2
    command, *rest = arguments
    if command == "completion":
        return _complete(rest)
    if command not in COMMANDS:
        from tq_halp.settings_with_origins import suggestion

        hint = suggestion(command, list(COMMANDS))
        print(f"error: no such command: {command!r}{hint}", file=sys.stderr)
        return 2
    return importlib.import_module(COMMANDS[command][0]).main(rest)


def _complete(arguments: Sequence[str]) -> int:
    """Prints the completion script, which needs the parsers of all commands."""
    shell = shell_completion.parser().parse_args(arguments).shell
    parsers = {n: importlib.import_module(module).parser() for n, (module, _) in COMMANDS.items()}
    print(shell_completion.script(shell, parsers), end="")
    return 0
