"""Text to tokens to arrays for a language model."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from tq_halp.data.dataset import Examples
from tq_halp.errors import InputError

EOS, UNKNOWN = "<eos>", "<unk>"
_WORD_OR_SIGNS = re.compile(r"\w+|([^\w\s])\1*")


def words_with_eos(text: str) -> list[str]:
    """Mikolov's word-level tokens: the words between white space, `<eos>` for each line end."""
    return text.replace("\n", f" {EOS} ").split()


def words_and_signs(text: str) -> list[str]:
    """Runs of word characters, and runs of one repeated other visible character.

    Without such runs the ruled lines of tables would be most of the tokens.
    """
    return [match.group() for match in _WORD_OR_SIGNS.finditer(text)]


def vocabulary(
    tokens: Iterable[str], size: int | None = None, min_count: int = 1
) -> dict[str, int]:
    """Token -> index, the most frequent first, ties in alphabetical order.

    Tokens seen fewer than `min_count` times, and the rarest beyond `size` entries in all, are
    replaced by `<unk>`. The vocabulary has `<unk>` if any token was replaced, or if the text holds
    it.
    """
    counts = Counter(tokens)
    kept = [token for token in counts if counts[token] >= min_count and token != UNKNOWN]
    kept.sort(key=lambda token: (-counts[token], token))
    if len(kept) < len(counts) or (size is not None and len(kept) > size):
        kept = kept[: None if size is None else size - 1] + [UNKNOWN]
    return {token: index for index, token in enumerate(kept)}


def encode(tokens: Sequence[str], index: dict[str, int]) -> np.ndarray:
    """Token indices, int32 (len(tokens),); tokens outside `index` become `<unk>`.

    Raises:
        InputError: a token is unknown and the vocabulary has no `<unk>`.
    """
    unknown = index.get(UNKNOWN)
    if unknown is None:
        outside = next((token for token in tokens if token not in index), None)
        if outside is not None:
            raise InputError(f"token {outside!r} is not in the vocabulary, which has no {UNKNOWN}")
    return np.fromiter((index.get(t, unknown) for t in tokens), np.int32, len(tokens))


def windows(
    tokens: np.ndarray, length: int, limit: int | None = None, key: str = "data.limit"
) -> Examples:
    """Non-overlapping windows x and their next tokens y, each (n, length); the rest is dropped.

    x[i, j] = tokens[i·length + j], y[i, j] = tokens[i·length + j + 1].

    Args:
        limit: maximum number of tokens.
        key: the setting of the limit, for an error.

    Raises:
        InputError: there are fewer than length + 1 tokens.
    """
    tokens = tokens[:limit]
    count = (len(tokens) - 1) // length
    if count < 1:
        raise InputError(
            f"data.sequence_length: {length} needs at least {length + 1} tokens. Received: "
            f"{len(tokens)}; lower it or raise {key}"
        )
    x = tokens[: count * length].reshape(count, length)
    y = tokens[1 : count * length + 1].reshape(count, length)
    return x, y
