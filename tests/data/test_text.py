"""Tokens, vocabulary and windows, on texts small enough to check by eye."""

import numpy as np
import pytest

from tq_halp.data import text
from tq_halp.errors import InputError


def test_a_line_ends_with_eos():
    assert text.words_with_eos(" a b \n c \n") == ["a", "b", "<eos>", "c", "<eos>"]


def test_signs_stand_alone_and_runs_are_one():
    assert text.words_and_signs("x_1 = f(a)...\n-----") == "x_1 = f ( a ) ... -----".split()


def test_vocabulary_ranks_by_frequency_then_alphabet():
    assert text.vocabulary("b a b c a b".split()) == {"b": 0, "a": 1, "c": 2}
    assert text.vocabulary("c b a".split()) == {"a": 0, "b": 1, "c": 2}


@pytest.mark.parametrize("size", [2, 3])
def test_capped_vocabulary_holds_size_tokens_with_unknown(size):
    index = text.vocabulary("a a a b b c c d".split(), size)
    assert len(index) == size
    assert index["<unk>"] == size - 1
    assert text.encode(["a", "d", "never seen"], index).tolist() == [0, size - 1, size - 1]


def test_cap_at_or_above_the_distinct_tokens_changes_nothing():
    assert text.vocabulary(list("aab"), 2) == text.vocabulary(list("aab"))


def test_unknown_of_the_text_itself_is_kept_once():
    assert text.vocabulary("a <unk> a b <unk> b c".split(), 4) == {
        "a": 0,
        "b": 1,
        "c": 2,
        "<unk>": 3,
    }


def test_rare_tokens_become_unknown():
    assert text.vocabulary("a a b".split(), min_count=2) == {"a": 0, "<unk>": 1}


def test_unknown_token_without_unk_is_an_error():
    with pytest.raises(InputError, match="'z'"):
        text.encode(["a", "z"], {"a": 0})


def test_windows_do_not_overlap_and_drop_the_rest():
    x, y = text.windows(np.arange(10, dtype=np.int32), 4)
    assert x.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert y.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert x.dtype == y.dtype == np.int32


def test_last_window_needs_the_token_after_it():
    assert len(text.windows(np.arange(8), 4)[0]) == 1
    assert len(text.windows(np.arange(9), 4)[0]) == 2
    assert len(text.windows(np.arange(9), 4, limit=8)[0]) == 1


def test_too_few_tokens_for_a_window():
    with pytest.raises(
        InputError, match=r"data\.sequence_length: 4 .* at least 5 tokens. Received: 4"
    ):
        text.windows(np.arange(4), 4)
