"""`python -m tq_halp COMMAND ...`."""

import sys

from tq_halp.commands.dispatch import main

if __name__ == "__main__":
    sys.exit(main())
