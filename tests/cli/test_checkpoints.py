"""Checkpoint files: whole or not used, of this run or not used, and what is not used is said."""

import math

import ml_dtypes
import numpy as np
import pytest

from tq_halp.commands.running import checkpoint_format
from tq_halp.commands.running.checkpoint_folder import Checkpoint, Checkpoints, files
from tq_halp.commands.running.checkpoint_format import DamagedError
from tq_halp.commands.running.run_identity import differences
from tq_halp.errors import InputError

ARRAYS = [
    np.array(-0.0),
    np.array([[1.5, np.nan], [np.inf, -2.0]], np.float32),
    np.array([2**62, -1], np.int64),
    np.array([0.1, 3.0], ml_dtypes.bfloat16),
    np.zeros((3, 0), np.float16),
    np.array([True, False]),
]


def write(path, contents=None, arrays=ARRAYS):
    checkpoint_format.write(path, contents or {}, [lambda a=array: a for array in arrays])


def at_step(total_steps):
    return Checkpoint(0, total_steps, total_steps, [{"epoch": 0}], 1.5, {"segment_length": 3})


def saved(folder, steps, identity):
    checkpoints = Checkpoints(folder, identity)
    for total_steps in steps:
        checkpoints.save(at_step(total_steps), [lambda n=total_steps: np.array(n)])
    return checkpoints


def test_what_was_written_is_read(tmp_path):
    contents = {"a": 0.1, "b": [None, "c", -math.inf], "d": {"e": 2**60}}
    write(tmp_path / "a", contents)
    read, arrays = checkpoint_format.read(tmp_path / "a")
    assert read == contents
    for array, original in zip(arrays, ARRAYS, strict=True):
        assert (array.dtype, array.shape) == (original.dtype, original.shape)
        assert array.tobytes() == original.tobytes()


def test_every_altered_byte_and_every_missing_end_is_noticed(tmp_path):
    write(tmp_path / "a", {"b": 1}, ARRAYS[:2])
    whole = (tmp_path / "a").read_bytes()
    for position in range(len(whole)):
        for damaged in (
            whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :],
            whole[:position],
        ):
            (tmp_path / "a").write_bytes(damaged)
            with pytest.raises(DamagedError):
                checkpoint_format.read(tmp_path / "a")
    (tmp_path / "a").write_bytes(whole + b"\0")
    with pytest.raises(DamagedError, match="checksum"):
        checkpoint_format.read(tmp_path / "a")


def test_the_last_three_stay_and_the_newest_is_used(tmp_path):
    checkpoints = saved(tmp_path, [1, 2, 5, 10], {"seed": 1})
    assert [path.name for path in files(tmp_path)] == [
        f"step-{step:010d}.checkpoint" for step in (2, 5, 10)
    ]
    newest = checkpoints.newest()
    assert newest.total_steps == 10 and newest.arrays == [np.array(10)]
    assert (newest.rows, newest.seconds, newest.host_state) == (
        [{"epoch": 0}],
        1.5,
        {"segment_length": 3},
    )


def test_damaged_ones_are_said_and_the_one_before_is_used(tmp_path):
    checkpoints = saved(tmp_path, [1, 2, 3], {})
    (tmp_path / ".writing-step-0000000004.checkpoint").write_text("half")
    third, second, first = reversed(files(tmp_path))
    third.write_bytes(third.read_bytes()[:-1])
    with pytest.warns(UserWarning, match=r"0003.checkpoint is damaged: .*; using .*0002"):
        assert checkpoints.newest().total_steps == 2
    assert len(list(tmp_path.iterdir())) == 3
    second.write_bytes(b"")
    first.unlink()
    with pytest.raises(InputError, match=r"0003.* is damaged.*; .*0002.* is no checkpoint"):
        checkpoints.newest()


def test_those_of_another_run_are_said_with_what_differs(tmp_path):
    saved(tmp_path, [1], {"seed": 1, "optimizer.name": "SGD"})
    saved(tmp_path, [2], {"seed": 2, "optimizer.name": "SGD"})
    ours = Checkpoints(tmp_path, {"seed": 1, "optimizer.name": "SGD"})
    with pytest.warns(UserWarning, match="0002.checkpoint is of another run: seed 2, here 1"):
        assert ours.newest().total_steps == 1
    theirs = Checkpoints(tmp_path, {"seed": 1, "optimizer.name": "Adam"})
    with pytest.raises(InputError, match="optimizer.name 'SGD', here 'Adam'"):
        theirs.newest()


def test_those_of_another_version_are_said(tmp_path):
    saved(tmp_path, [1], {})
    strict = Checkpoints(tmp_path, {}, mismatch=lambda arrays: f"holds {len(arrays)} variables")
    with pytest.raises(InputError, match="0001.checkpoint holds 1 variables"):
        strict.newest()


def test_differences_are_those_of_either_side():
    assert differences({"a": 1, "b": None}, {"a": 1, "b": None}) == ""
    assert differences({"a": 1}, {"b": 2}) == "a 1, here None, b None, here 2"
