"""The process of one run: the train command, which stops when its parent has ended."""

import os
import signal
import sys
import threading

from tq_halp.commands import train


def main() -> int:
    """Trains with the command line's arguments. Standard input is a pipe that nobody writes to."""
    threading.Thread(target=_stop_with_parent, daemon=True).start()
    return train.main()


def _stop_with_parent() -> None:
    """Sends SIGTERM to this process when the parent closes its end of the pipe."""
    os.read(0, 1)  # Returns when the other end is closed, however that process ends.
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
