"""`python -m tq_halp.compare`; the command itself is `tq_halp.commands.compare.command`."""

import sys

from tq_halp.commands.compare.command import main

if __name__ == "__main__":
    sys.exit(main())
