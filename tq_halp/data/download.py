"""Download of a data set's files: checked, atomic, and quick to give up without a network."""

import tarfile
import threading
import warnings
from pathlib import Path, PurePosixPath

from tq_halp.atomic_files import replacing
from tq_halp.data.files import KnownSet

#: Seconds to wait for a connection, and for its next bytes.
CONNECT_TIMEOUT, READ_TIMEOUT = 4.0, 10.0
#: Seconds after which a network that has not answered at all counts as absent.
ANSWER_TIMEOUT = 6.0


def fetch(known: KnownSet, folder: Path) -> Path | None:
    """Downloads the files of `known` that `folder` lacks.

    A file gets its name only when it is complete and its checksum is right (pooch writes to a
    temporary name first). Proxies come from the environment.

    Returns:
        The folder; None if the download failed, with a warning if the network answered.
    """
    missing = known.missing_from(folder)
    files = [known.archive] if known.archive else [f for f in known.files if f.name in missing]
    if not all(file.url for file in files) or not _answers(files[0].url):
        return None
    import pooch

    downloader = pooch.HTTPDownloader(timeout=(CONNECT_TIMEOUT, READ_TIMEOUT))
    try:
        for file in files:
            pooch.retrieve(
                file.url,
                known_hash=f"sha256:{file.sha256}",
                fname=file.name,
                path=folder,
                downloader=downloader,
            )
        if known.archive:
            _unpack(folder / known.archive.name, missing)
    # requests' errors are OSErrors; pooch reports a wrong checksum as a ValueError.
    except (OSError, ValueError) as error:
        warnings.warn(f"{known.name}: could not be fetched: {error}", stacklevel=2)
        return None
    return folder


def _unpack(archive: Path, names: list[str]) -> None:
    """Extracts the members with these file names beside the archive, and removes the archive."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = PurePosixPath(member.name).name
            content = tar.extractfile(member) if name in names and member.isfile() else None
            if content is not None:
                with replacing(archive.with_name(name)) as path:
                    path.write_bytes(content.read())
    archive.unlink()


def _answers(url: str) -> bool:
    """Whether `url` responds within `ANSWER_TIMEOUT` seconds in all.

    The thread also bounds what no socket timeout does: name resolution, and several addresses tried
    in turn. It is a daemon, so that a resolver that hangs cannot keep the process alive.
    """
    ok = threading.Event()

    def probe() -> None:
        import requests

        try:
            timeout = (CONNECT_TIMEOUT, CONNECT_TIMEOUT)
            with requests.get(url, timeout=timeout, stream=True) as response:
                if response.ok:
                    ok.set()
        except OSError:
            return

    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(ANSWER_TIMEOUT)
    return ok.is_set()
