"""`python -m tq_halp.doctor`."""

import sys

from tq_halp.doctor import main

if __name__ == "__main__":
    sys.exit(main())
