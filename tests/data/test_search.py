"""Where files are looked for, in which order, and what happens when they are wrong or nowhere."""

import hashlib
import socket
import threading
import time

import pytest

from tq_halp.data import download, files, language, load_language, locate
from tq_halp.errors import InputError

CONTENT = b"to be or not to be\n" * 20


@pytest.fixture
def known(monkeypatch):
    """Tiny Shakespeare shrunk to 380 bytes, so that the tests can write true copies of it."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    file = files.KnownFile("input.txt", len(CONTENT), digest, "http://127.0.0.1:9/input.txt")
    small = files.KnownSet("tiny_shakespeare", ("tiny_shakespeare", "tinyshakespeare"), (file,))
    monkeypatch.setattr(language, "TINY_SHAKESPEARE", small)
    return small


@pytest.fixture
def places(known, tmp_path, monkeypatch):
    """The folder of every place that is searched, in order; none exists yet, nothing is fetched."""
    monkeypatch.setenv("TQ_HALP_DATA", str(tmp_path / "env"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    # locate's file is taken to be <tmp>/checkout/tq_halp/data/locate.py
    monkeypatch.setattr(locate, "__file__", str(tmp_path / "checkout/tq_halp/data/locate.py"))
    monkeypatch.setattr(download, "fetch", lambda known, folder: None)
    (tmp_path / "env").mkdir()
    return [
        tmp_path / "env" / "tiny_shakespeare",
        tmp_path / "env" / "tinyshakespeare",
        tmp_path / "shared" / "data" / "tiny_shakespeare",
        tmp_path / "shared" / "data" / "tinyshakespeare",
        tmp_path / "cache" / "tq_halp" / "tiny_shakespeare",
    ]


def put(folder, content=CONTENT):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "input.txt").write_bytes(content)


def test_the_first_place_that_has_the_files_wins(known, places, tmp_path):
    assert locate.locate(known) is None
    for place in reversed(places):
        put(place)
        assert locate.locate(known) == place
    put(tmp_path / "given")
    assert locate.locate(known, tmp_path / "given") == tmp_path / "given"


def test_without_xdg_the_cache_is_in_the_home(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert locate.cache_folder("ptb") == tmp_path / ".cache" / "tq_halp" / "ptb"


def test_data_variable_that_names_no_folder(known, places, monkeypatch):
    monkeypatch.setenv("TQ_HALP_DATA", "no/such/folder")
    with pytest.raises(InputError, match="TQ_HALP_DATA: no/such/folder is not a folder"):
        locate.locate(known)


@pytest.mark.parametrize("exists", [True, False])
def test_given_folder_without_the_files_is_an_error(known, places, tmp_path, exists):
    put(places[0])
    if exists:
        (tmp_path / "given").mkdir()
    with pytest.raises(InputError, match=r"data\.dir: .*given .*input\.txt"):
        load_language("tiny_shakespeare", directory=tmp_path / "given")


@pytest.mark.parametrize(
    "content, message",
    [
        (CONTENT[:-1], "must have 380 bytes. Received: 379"),
        (b"", "must have 380 bytes. Received: 0"),
        (CONTENT.replace(b"not", b"now"), "must have the SHA-256 .*. Received: "),
    ],
)
def test_truncated_or_altered_file(known, places, content, message):
    put(places[0], content)
    with pytest.raises(InputError, match=message):
        load_language("tiny_shakespeare", sequence_length=5)


def test_found_nowhere_trains_on_the_manual_and_says_so(known, places):
    with pytest.warns(UserWarning, match="tiny_shakespeare was found neither.*python_docs"):
        dataset = load_language("tiny_shakespeare")
    assert (dataset.name, dataset.requested, dataset.is_fallback) == (
        "python_docs",
        "tiny_shakespeare",
        True,
    )
    assert "pydoc_data" in dataset.source


def test_fetch_gives_up_at_once_where_nothing_listens(known, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    assert download.fetch(known, tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_fetch_gives_up_on_a_network_that_does_not_answer(known, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(download, "ANSWER_TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # Accepts, and never says a word.
        file = known.files[0]
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/input.txt"
        mute = files.KnownFile(file.name, file.size, file.sha256, url)
        start = time.monotonic()
        assert download.fetch(files.KnownSet("x", ("x",), (mute,)), tmp_path) is None
        # 0.3 s for the answer; the rest allows for a machine that is busy.
        assert time.monotonic() - start < 3


@pytest.mark.parametrize("served, complete", [(CONTENT, True), (CONTENT[:100], False)])
def test_fetch_keeps_only_what_has_the_right_checksum(
    known, tmp_path, monkeypatch, served, complete
):
    monkeypatch.setenv("NO_PROXY", "*")
    with serve(served) as url:
        file = known.files[0]
        there = files.KnownFile(file.name, file.size, file.sha256, url)
        wanted = files.KnownSet("x", ("x",), (there,))
        if complete:
            assert download.fetch(wanted, tmp_path / "cache") == tmp_path / "cache"
            assert (tmp_path / "cache" / "input.txt").read_bytes() == CONTENT
        else:
            with pytest.warns(UserWarning, match="could not be fetched"):
                assert download.fetch(wanted, tmp_path / "cache") is None
            assert not (tmp_path / "cache" / "input.txt").exists()


class serve:
    """A web server on this machine that answers every request with the same bytes."""

    def __init__(self, content):
        from http.server import BaseHTTPRequestHandler, HTTPServer

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()
        return f"http://127.0.0.1:{self.server.server_port}/input.txt"

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
