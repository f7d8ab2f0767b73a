"""Options that more than one command has."""

import argparse


def add_imports(parser: argparse.ArgumentParser) -> None:
    """Adds --import MODULE (attribute `imports`), for commands that load a saved model."""
    parser.add_argument(
        "--import",
        action="append",
        default=[],
        metavar="MODULE",
        dest="imports",
        help="module that registers classes of the model; may be repeated",
    )
