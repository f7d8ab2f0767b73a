"""`python -m tq_halp.plan`; the command itself is `tq_halp.commands.plan`."""

import sys

from tq_halp.commands.plan import main

if __name__ == "__main__":
    sys.exit(main())
