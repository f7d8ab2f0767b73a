"""`python -m tq_halp.compare`; the command itself is `tq_halp.commands.compare.command`."""

import sys

from tq_halp.commands.compare.command import main, parser

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(main())
