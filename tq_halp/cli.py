"""`tq-halp COMMAND ...`, the same as `python -m tq_halp COMMAND ...`."""

import importlib
import sys

from tq_halp.settings import suggestion

#: Command -> the module whose main(arguments) carries it out, and what it is for.
COMMANDS = {
    "train": ("tq_halp.train", "train what a config file describes"),
    "report": ("tq_halp.report.command", "what number formats do to a model's tensors"),
    "plan": ("tq_halp.plan", "show what a quantization map does to a model"),
    "bench": ("tq_halp.bench", "time the ops, or a training step"),
}


def main(arguments=None) -> int:
    """Dispatch to a command; returns its exit status, 2 for an unknown one."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: tq-halp COMMAND [options]\n\ncommands:")
        for name, (_, purpose) in COMMANDS.items():
            print(f"  {name:10}{purpose}")
        return 0 if arguments else 2
    command, *rest = arguments
    if command not in COMMANDS:
        hint = suggestion(command, list(COMMANDS))
        print(f"error: no such command: {command!r}{hint}", file=sys.stderr)
        return 2
    return importlib.import_module(COMMANDS[command][0]).main(rest)
