"""The exception for wrong input, and the reason of any other exception in one line."""

import itertools
import re
import textwrap

#: Largest number of characters of a reason.
LONGEST = 300
# Beginnings of the lines that Keras and TensorFlow put around a reason.
_AROUND = re.compile(
    r"\s|File \"|in user code:|Graph execution error:|Detected at node |Traceback |"
    r"Exception encountered when calling |Could not automatically infer the output shape|"
    r"Arguments received by |Stack trace for op |\d+ root error\(s\) found"
)
_KIND = re.compile(r"[\w.]*(?:Error|Exception): ")
_COLOUR = re.compile(r"\x1b\[\d*m")
_NUMBERED = re.compile(r"^ *\(\d+\) +", re.MULTILINE)


class InputError(ValueError):
    """Wrong input: a config, a map, a file or an argument.

    The message names the argument or ``file:line``, what was received and what would be valid; the
    user needs nothing else. The command line prints the message alone and exits with status 2.
    """


def reason(error: BaseException) -> str:
    """The reason in an exception's message, in one line; the exception's kind if it has none.

    Stack traces and other lines that Keras and TensorFlow put around the reason are left out.
    """
    text = _NUMBERED.sub("", _COLOUR.sub("", str(error)).strip())
    first, newline, rest = text.partition("\n")
    lines = [first, *textwrap.dedent(rest).splitlines()] if newline else [first]
    for number, line in enumerate(lines):
        said = _KIND.sub("", line, count=1) if _KIND.match(line) else line
        if said.strip() and not _AROUND.match(said):
            more = itertools.takewhile(_goes_on, lines[number + 1 :])
            return textwrap.shorten(" ".join([said, *more]), LONGEST, placeholder=" ...")
    return type(error).__name__


def _goes_on(line: str) -> bool:
    """Whether a line continues the reason."""
    return bool(line.strip()) and "[[" not in line and not _AROUND.match(line.strip())
