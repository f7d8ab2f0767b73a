"""`python -m tq_halp.report`."""

import sys

from tq_halp.report.command import main

if __name__ == "__main__":
    sys.exit(main())
