"""Facts about the sets themselves; those whose files are absent say so and are skipped."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from tq_halp.config.sections.data import LinearRegression, PythonDocs
from tq_halp.data import download, linear_regression, load, load_language, text
from tq_halp.data.files import PTB, TINY_SHAKESPEARE, read_verified
from tq_halp.data.locate import locate


def folder_of(known, monkeypatch):
    monkeypatch.setattr(download, "fetch", lambda known, folder: None)
    folder = locate(known)
    if folder is None:
        pytest.skip(f"{known.name} is not on this machine; set TQ_HALP_DATA to the folder above it")
    return folder


def test_ptb_is_mikolovs(monkeypatch):
    folder = folder_of(PTB, monkeypatch)
    train, *others = (text.words_with_eos(read_verified(folder, f)) for f in PTB.files)
    assert [len(train), *map(len, others)] == [929_589, 73_760, 82_430]
    assert len(set(train)) == 10_000
    assert set().union(*others) <= set(train)


def test_ptb_limit_cuts_the_training_text_only(monkeypatch):
    folder = folder_of(PTB, monkeypatch)
    whole = load_language("ptb", directory=folder)
    cut = load_language("ptb", directory=folder, limit=1000)
    assert cut.train_size == 999 // 35
    assert np.array_equal(cut.train[0], whole.train[0][: cut.train_size])
    assert np.array_equal(cut.validation[0], whole.validation[0])
    assert cut.vocabulary_size == whole.vocabulary_size == 10_000


def test_tiny_shakespeare_is_characters(monkeypatch):
    folder = folder_of(TINY_SHAKESPEARE, monkeypatch)
    dataset = load_language("tiny_shakespeare", directory=folder, sequence_length=50)
    assert dataset.vocabulary_size == 65
    # 90 and 5 percent of 1,115,394 characters, less the one that only ever is a next character.
    assert dataset.train_size == (1_003_854 - 1) // 50
    assert len(dataset.validation[0]) == len(dataset.test[0]) == (55_770 - 1) // 50
    test = dataset.test[0].ravel()
    whole = read_verified(folder, TINY_SHAKESPEARE.files[0])[1_059_624:]
    # The first of the test's characters, by their ranks in the whole training text.
    ranks = text.vocabulary(read_verified(folder, TINY_SHAKESPEARE.files[0])[:1_003_854])
    assert test[:100].tolist() == [ranks[c] for c in whole[:100]]


def test_python_docs_needs_no_file():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = load_language("python_docs", sequence_length=20)
    assert dataset.name == "python_docs" and not dataset.is_fallback
    (x, y), (vx, vy) = dataset.train, dataset.validation
    assert np.array_equal(x.ravel()[1:], y.ravel()[:-1])
    assert max(a.max() for a in (x, y, vx, vy)) < dataset.vocabulary_size
    # The manual differs between versions of Python; in none is it tiny.
    assert 50_000 < x.size < 500_000 and 2_000 < vx.size < x.size / 15


def test_python_docs_vocabulary_can_be_capped():
    dataset = load_language("python_docs", vocabulary_size=100, limit=3000)
    assert dataset.vocabulary_size == 100 and dataset.train[0].max() == 99


def test_linear_regression_is_the_documented_problem():
    dataset = linear_regression()
    x, y = dataset.train
    assert x.shape == (1000, 100) and y.shape == (1000, 1) and x.dtype == y.dtype == np.float64
    # Marchenko-Pastur: the spectrum of XᵀX/N lies about (1 ± √(d/N))² = 0.47 .. 1.73; fluctuations
    # at this size are about N^(-2/3) = 0.01 of it, ten of them are allowed.
    eigenvalues = np.linalg.eigvalsh(x.T @ x / 1000)
    assert 0.37 < eigenvalues[0] < 0.57 and 1.63 < eigenvalues[-1] < 1.83
    residual = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    # Variance 0.01 · χ²(900)/900: the standard deviation is 0.01·√(2/900) = 0.0005; five of them.
    assert abs(np.sum(residual**2) / 900 - 0.01) < 0.0025


def test_linear_regression_depends_on_its_seed_alone():
    first = linear_regression(seed=1)
    np.random.seed(99)
    assert np.array_equal(first.train[0], linear_regression(seed=1).train[0])
    assert not np.array_equal(first.train[0], linear_regression(seed=2).train[0])
    assert np.array_equal(first.train[0][:7], linear_regression(seed=1, limit=7).train[0])


@pytest.mark.parametrize(
    "section, size",
    [
        (LinearRegression(limit=700, samples=900), 700),
        (PythonDocs(limit=700, sequence_length=6), 699 // 6),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_load_takes_a_config_section(section, size):
    dataset = load(section)
    assert dataset.name == section.name
    assert dataset.train_size == size


def test_load_takes_anything_with_the_fields():
    settings = SimpleNamespace(name="python_docs", limit=100)
    assert load(settings).train_size == 99 // 35
