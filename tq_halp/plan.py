"""`python -m tq_halp.plan`; the command itself is `tq_halp.commands.plan`."""

import sys

from tq_halp.commands.plan import main, parser

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(main())
