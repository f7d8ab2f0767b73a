"""`python -m tq_halp.report`; the command itself is `tq_halp.commands.report`."""

import sys

from tq_halp.analysis import report
from tq_halp.commands.report import main

if __name__ == "__main__":
    sys.exit(main())

# `tq_halp.report` is a function, also after `import tq_halp.report` has bound that name.
sys.modules[__name__] = report  # type: ignore[assignment]
