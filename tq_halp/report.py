"""`python -m tq_halp.report`; the command itself is `tq_halp.commands.report`."""

import sys

from tq_halp.analysis import report
from tq_halp.commands.report import main

if __name__ == "__main__":
    sys.exit(main())

# `import tq_halp.report` binds the name to what stands here, and it is that of a function.
sys.modules[__name__] = report  # type: ignore[assignment]
