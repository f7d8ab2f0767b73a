"""`python -m tq_halp.doctor`; the command itself is `tq_halp.commands.doctor`."""

import sys

from tq_halp.commands.doctor import main, parser

__all__ = ["main", "parser"]

if __name__ == "__main__":
    sys.exit(main())
