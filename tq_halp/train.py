"""`python -m tq_halp.train`; the command itself is `tq_halp.commands.train`."""

import sys

from tq_halp.commands.train import main

if __name__ == "__main__":
    sys.exit(main())
