"""`python -m tq_halp.bench`; the command itself is `tq_halp.commands.bench`."""

import sys

from tq_halp.commands.bench import main, parser

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(main())
