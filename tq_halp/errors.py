"""The one exception that means: the user's input was wrong, and here is what would be right."""


class InputError(ValueError):
    """Wrong input (a config, a map, a file, an argument).

    The message names the argument or ``file:line``, what was received and what would be valid; it
    is all the user needs to see. The command line prints it alone and exits with status 2.
    """
