"""The benchmark command: small sizes, so that what is tested is that it works."""

import pytest

from tq_halp import bench


def test_ops_prints_a_ratio_for_every_op(capsys):
    assert bench.main(["ops", "--size", "1000", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    for expected in ("fixed_point", "scaled_integer", "stochastic", "bfloat16", "1.00"):
        assert expected in printed


@pytest.mark.parametrize("arguments", [["linear"], ["ops", "--size", "0"]])
def test_wrong_arguments(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        bench.main(arguments)
    assert stopped.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
