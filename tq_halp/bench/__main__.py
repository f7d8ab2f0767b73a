"""`python -m tq_halp.bench`."""

import sys

from tq_halp.bench import main

if __name__ == "__main__":
    sys.exit(main())
