"""What `--resume` finds in a folder: a run to continue, a finished one, or none."""

from pathlib import Path

from tq_halp import config as configs
from tq_halp.commands.running import checkpoint_format
from tq_halp.commands.running.checkpoint_folder import files as checkpoint_files
from tq_halp.commands.running.checkpoint_format import DamagedError
from tq_halp.commands.running.run_directory import check_free, status_of
from tq_halp.commands.running.run_identity import differences, identity, settings
from tq_halp.config import Config
from tq_halp.data import Dataset
from tq_halp.errors import InputError

#: What --resume finds: a finished run, one with a checkpoint, or no run.
FINISHED, STARTED, NOTHING = "finished", "started", "nothing"
#: Files that may be in the folder without a run: they were found to be of the same run.
KNOWN = ("config.yaml",)


def found_in(path: Path, config: Config, dataset: Dataset) -> str:
    """What a folder holds for the run of `config`: FINISHED, STARTED or NOTHING.

    The checkpoints of a started run are checked when it continues.

    Raises:
        InputError: the folder holds another run or other files, or they cannot be read.
    """
    status, file = status_of(path), path / "config.yaml"
    if status != FINISHED and checkpoint_files(path / "checkpoints"):
        return STARTED
    if status is None and not _is_written_by_run(file):
        check_free(path)
        return NOTHING
    if status == FINISHED or file.exists():
        ours = identity(config, dataset)
        different = differences(_recorded(path, ours), ours)
        if different:
            raise InputError(
                f"--resume: {path} holds another run: {different}; name another --run-dir"
            )
    if status == FINISHED:
        return FINISHED
    check_free(path, KNOWN)
    return NOTHING


def _is_written_by_run(file: Path) -> bool:
    try:
        return file.read_text(encoding="utf-8").startswith(configs.WRITTEN_BY_RUN)
    except (OSError, UnicodeDecodeError):
        return False


def _recorded(path: Path, ours: dict) -> dict:
    """The identity in the newest whole checkpoint, else the settings in config.yaml."""
    for checkpoint in reversed(checkpoint_files(path / "checkpoints")):
        try:
            return checkpoint_format.read(checkpoint)[0]["identity"]
        except DamagedError:
            continue
    known = {key: value for key, value in ours.items() if key == "checksum of the data"}
    return {**settings(configs.load(path / "config.yaml")), **known}
