"""A YAML file with `--set` overrides as one mapping that knows where each value came from."""

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from tq_halp.errors import InputError

# Far more than any settings need: a larger file is a mistake, or an attack on the memory.
LARGEST_FILE = 1_000_000  # characters
MOST_VALUES = 100_000
DEEPEST = 50

KeyPath = tuple[Any, ...]  # strings and, in lists, integers


class Settings:
    """Plain values, `values`, and the origin of each: "file:line" or "--set key".

    Args:
        path: a YAML file whose top level is a mapping.

    Raises:
        InputError: the file is missing, unreadable, empty, not YAML, no mapping, or repeats a key.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._origins: dict[KeyPath, str] = {}
        self._overridden: set[KeyPath] = set()
        self._count = 0
        #: The file's content.
        self.text = read_text(self.path)
        self.values = self._plain(_mapping(self.path, self.text), ())

    def override(self, assignment: str) -> None:
        """Applies one `key.path=value`. The value is YAML, so `null` and `[1, 2]` work.

        Raises:
            InputError: it is not of that form, or the path leads through a value that is no
                mapping.
        """
        key, equals, text = assignment.partition("=")
        path = tuple(part.strip() for part in key.split("."))
        if not equals or not all(path):
            raise InputError(f"--set {assignment}: expected key.path=value, e.g. train.epochs=3")
        if not text.strip():
            raise InputError(f"--set {assignment}: expected a value behind =; none at all is null")
        try:
            value = YAML(typ="safe", pure=True).load(text)
        except YAMLError as error:
            reason = _reason(error)
            raise InputError(f"--set {assignment}: the value is not YAML: {reason}") from error
        self.set(path, value, f"--set {key.strip()}")

    def set(self, path: KeyPath, value: Any, origin: str) -> None:
        """Sets the value at `path`.

        Args:
            origin: where it came from, for an error.

        Raises:
            InputError: the path leads through a value that is no mapping.
        """
        section = self.values
        for depth, part in enumerate(path[:-1]):
            if section.get(part) is None:
                section[part] = {}
                self._origins.setdefault(path[: depth + 1], origin)
            section = section[part]
            if not isinstance(section, dict):
                inner = ".".join(map(str, path[: depth + 1]))
                raise InputError(f"{origin}: {inner} is {section!r}, not a mapping")
        section[path[-1]] = value
        self._origins = {p: o for p, o in self._origins.items() if p[: len(path)] != path}
        self._origins[path] = origin
        self._overridden.add(path)

    def is_overridden(self, path: KeyPath) -> bool:
        """Whether the value at `path`, a mapping around it or something in it came by `set`."""
        return any(
            path[: len(each)] == each or each[: len(path)] == path for each in self._overridden
        )

    def origin(self, path: Iterable[str | int | float | None]) -> str:
        """Where the value at `path`, or the nearest mapping around it, came from."""
        path = tuple(path)
        while path and path not in self._origins:
            path = path[:-1]
        return self._origins.get(path, str(self.path))

    def subject(self, path: Iterable[str | int | float | None]) -> str:
        """How an error about the value at `path` begins: its origin and its key."""
        path = tuple(path)
        origin, key = self.origin(path), ".".join(map(str, path))
        return origin if origin == f"--set {key}" else f"{origin}: {key}"

    def _plain(self, node: Any, path: KeyPath) -> Any:
        """`node` as plain Python values; records the line of every key."""
        self._count += 1
        # Aliases (*name) can stand for exponentially many values, or hold themselves.
        if self._count > MOST_VALUES or len(path) > DEEPEST:
            raise InputError(
                f"{self.origin(path)}: more than {MOST_VALUES} values or {DEEPEST} levels, aliases "
                "included; expected the settings of one run"
            )
        if isinstance(node, CommentedMap):
            for key in node:
                if not isinstance(key, (str, bool, int, float, type(None))):
                    raise InputError(
                        f"{self.path}:{node.lc.line + 1}: a key must be a word. Received: {key!r}"
                    )
                # A key that came by a merge (<<: *base) has no line of its own.
                line = node.lc.key(key)[0] if key in (node.lc.data or ()) else node.lc.line
                inner = (*path, key)
                self._origins[inner] = f"{self.path}:{line + 1}"
            return {key: self._plain(value, (*path, key)) for key, value in node.items()}
        if isinstance(node, CommentedSeq):
            for index in range(len(node)):
                inner = (*path, index)
                self._origins[inner] = f"{self.path}:{node.lc.item(index)[0] + 1}"
            return [self._plain(value, (*path, index)) for index, value in enumerate(node)]
        for plain in (bool, int, float, str):  # ruamel's scalars are subclasses.
            if isinstance(node, plain):
                return plain(node)
        if node is not None:
            raise InputError(
                f"{self.origin(path)}: must be a text, a number, true, false, null, a list or a "
                f"mapping. Received: {type(node).__name__} {node}"
            )
        return node


def suggestion(word: object, known: Sequence[str]) -> str:
    """ "; did you mean ...?" if a known word is similar, else the list of known words."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(str(word).lower(), by_lower, n=1)
    return f"; did you mean {by_lower[close[0]]!r}?" if close else f"; known: {', '.join(known)}"


def read_text(path: Path, what: str = "config") -> str:
    """The text of a file.

    Args:
        what: the kind of file, for an error.

    Raises:
        InputError: it is missing, a folder, unreadable or not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such {what} file") from error
    except IsADirectoryError as error:
        raise InputError(f"{path}: is a folder, expected a {what} file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file (UTF-8), expected YAML") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _mapping(path: Path, text: str) -> CommentedMap:
    """The content of a YAML file.

    Raises:
        InputError: it is not YAML, no mapping, too long, or repeats a key.
    """
    if len(text) > LARGEST_FILE:
        raise InputError(
            f"{path}:1: is {len(text)} characters long, expected settings of at most {LARGEST_FILE}"
        )
    try:
        content = YAML(typ="rt", pure=True).load(text)
    except DuplicateKeyError as error:
        line = error.problem_mark.line + 1
        key = (error.problem or "").partition('"')[2].partition('"')[0]
        raise InputError(f"{path}:{line}: key {key!r} appears a second time") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise InputError(f"{path}:{mark.line + 1}: not valid YAML: {_reason(error)}") from error
    except RecursionError as error:
        raise InputError(f"{path}:1: not valid YAML: nested too deeply") from error
    except Exception as error:  # ruamel raises many kinds
        raise InputError(f"{path}:1: not valid YAML: {_reason(error)}") from error
    if not isinstance(content, CommentedMap):
        kinds = {type(None): "nothing", CommentedSeq: "a list"}
        found = kinds.get(type(content), f"{content!r}")
        raise InputError(f"{path}: must be a mapping of settings. Received: {found}")
    return content


def _reason(error: Exception) -> str:
    lines = str(error).splitlines()
    return getattr(error, "problem", None) or (lines[0] if lines else type(error).__name__)
