"""`python -m tq_halp.train`; the command itself is `tq_halp.commands.train`."""

import sys

from tq_halp.commands.train import FAILED, FINISHED, INTERRUPTED, WRONG_INPUT, main, parser

__all__ = ["FAILED", "FINISHED", "INTERRUPTED", "WRONG_INPUT", "main", "parser"]

if __name__ == "__main__":
    sys.exit(main())
