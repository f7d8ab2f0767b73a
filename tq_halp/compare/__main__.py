"""`python -m tq_halp.compare`."""

import sys

from tq_halp.compare.command import main

if __name__ == "__main__":
    sys.exit(main())
