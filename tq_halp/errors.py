"""The one exception that means: the user's input was wrong, and here is what would be right.

And of any other exception, the line that holds its reason.
"""

import re
import textwrap

# What Keras and TensorFlow put around a reason, line by line.
_AROUND = re.compile(
    r"\s|File \"|in user code:|Graph execution error:|Detected at node |Traceback |"
    r"Exception encountered when calling |Could not automatically infer the output shape|"
    r"Arguments received by |Stack trace for op |\d+ root error\(s\) found"
)
_KIND = re.compile(r"[\w.]*(?:Error|Exception): ")
_COLOUR = re.compile(r"\x1b\[\d*m")
_NUMBERED = re.compile(r"^ *\(\d+\) +", re.MULTILINE)


class InputError(ValueError):
    """Wrong input (a config, a map, a file, an argument).

    The message names the argument or ``file:line``, what was received and what would be valid; it
    is all the user needs to see. The command line prints it alone and exits with status 2.
    """


def reason(error: BaseException) -> str:
    """The line of an exception's message that says why; its kind where there is none."""
    text = _NUMBERED.sub("", _COLOUR.sub("", str(error)).strip())
    first, newline, rest = text.partition("\n")
    lines = [first, *textwrap.dedent(rest).splitlines()] if newline else [first]
    for line in lines:
        said = _KIND.sub("", line, count=1) if _KIND.match(line) else line
        if said.strip() and not _AROUND.match(said):
            return said.strip()
    return type(error).__name__
