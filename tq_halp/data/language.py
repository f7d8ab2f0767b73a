"""The language-model sets: ptb, tiny_shakespeare and python_docs."""

import os
import platform
import warnings
from collections.abc import Sequence

import numpy as np

from tq_halp.data import text
from tq_halp.data.dataset import Dataset
from tq_halp.data.files import PTB, TINY_SHAKESPEARE, KnownSet, read_verified
from tq_halp.data.locate import cache_folder, locate

_TRAIN, _VALIDATION = 0.90, 0.95  # ends of these parts, as fractions; the rest is the test


def load_language(
    name: str,
    *,
    directory: str | os.PathLike | None = None,
    sequence_length: int = 35,
    limit: int | None = None,
    validation_limit: int | None = None,
    vocabulary_size: int | None = 10_000,
) -> Dataset:
    """A language-model set as windows of `sequence_length` tokens.

    Args:
        name: "ptb" (words), "tiny_shakespeare" (characters) or "python_docs" (words and signs).
        directory: folder of the files; None searches (see `locate`).
        sequence_length: tokens in a window.
        limit: maximum number of training tokens; None takes all. The vocabulary is that of the
            whole training text, so a limit does not change the model.
        validation_limit: maximum number of validation tokens, and of test tokens.
        vocabulary_size: maximum number of distinct tokens, `<unk>` included; None for no maximum.

    Returns:
        The set; `python_docs`, with a warning, if `name` was not found. x and y are int32
        (windows, sequence_length).

    Raises:
        InputError: `directory` lacks the files, or a file is truncated or altered.
    """
    actual, source, (train, *others) = _read(name, directory)
    # A manual has many words once. As <unk> they stand for the words of the validation text that
    # training lacks. PTB has its own <unk>, and characters need none.
    index = text.vocabulary(train, vocabulary_size, 2 if actual == "python_docs" else 1)
    validation, test = (
        _windows(part, index, sequence_length, validation_limit, "data.validation_limit")
        for part in others
    )
    return Dataset(
        name=actual,
        requested=name,
        train=_windows(train, index, sequence_length, limit, "data.limit"),
        validation=validation,
        test=test,
        vocabulary_size=len(index),
        source=source,
    )


def _windows(
    tokens: Sequence[str], index: dict[str, int], length: int, limit: int | None, key: str
) -> tuple[np.ndarray, np.ndarray]:
    return text.windows(text.encode(tokens[:limit], index), length, limit, key)


def _read(
    name: str, directory: str | os.PathLike | None
) -> tuple[str, str, Sequence[Sequence[str]]]:
    """The name of the set that was read, its source, and its tokens: training, validation, test."""
    if name == "python_docs":
        return _read_python_docs()
    known = {"ptb": PTB, "tiny_shakespeare": TINY_SHAKESPEARE}[name]
    folder = locate(known, directory)
    if folder is None:
        _warn_of_fallback(known)
        return _read_python_docs()
    if known is PTB:
        parts = [text.words_with_eos(read_verified(folder, file)) for file in PTB.files]
        return name, str(folder), parts
    return name, str(folder), _split(read_verified(folder, TINY_SHAKESPEARE.files[0]))


def _read_python_docs() -> tuple[str, str, Sequence[Sequence[str]]]:
    """The reference manual that CPython carries; its size depends on the Python version."""
    from pydoc_data.topics import topics

    # Every topic is split: the last few topics alone would be mostly tables.
    parts: tuple[list[str], ...] = ([], [], [])
    for key in sorted(topics):
        for part, tokens in zip(parts, _split(text.words_and_signs(topics[key])), strict=True):
            part.extend(tokens)
    source = f"pydoc_data.topics of Python {platform.python_version()}"
    return "python_docs", source, parts


def _split(tokens: Sequence[str]) -> Sequence[Sequence[str]]:
    """The first 90 % of the tokens, the next 5 % and the last 5 %."""
    train, validation = (int(len(tokens) * share) for share in (_TRAIN, _VALIDATION))
    return tokens[:train], tokens[train:validation], tokens[validation:]


def _warn_of_fallback(known: KnownSet) -> None:
    warnings.warn(
        f"{known.name} was found neither on this machine nor on the network: training on "
        "python_docs, the Python reference manual, instead. To use "
        f"{known.name}, put {', '.join(file.name for file in known.files)} into "
        f"{cache_folder(known.name)} or name their folder in data.dir.",
        stacklevel=2,
    )
