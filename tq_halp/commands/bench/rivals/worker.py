"""One problem with so many threads: `python -m tq_halp.commands.bench.rivals.worker NAME THREADS
SCALE` writes one JSON object per line, the rows of `race.run`.

Only `process` starts it, and nobody imports it.
"""

import json
import os
import signal
import sys


def main() -> None:
    """Races and writes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command, which ends this one
    name, threads, scale = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    from tq_halp.commands.bench.rivals import problems, race

    made = problems.problem(name, scale)
    if made is None:
        return
    for row in race.run(made, threads):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
