"""The arithmetic core alone, compiled with the library's own flags."""

import core_programs
import pytest


@pytest.mark.slow
def test_core(tmp_path):
    """The tests by hand, and that every instruction set gives the same bits for anything."""
    *tests, fuzzer = core_programs.compile_programs(tmp_path, ("*_test", "fuzz"))
    assert tests
    for program in tests:
        for instruction_set in core_programs.INSTRUCTION_SETS:
            assert "passed with" in core_programs.output(instruction_set, program)
    core_programs.fuzz(fuzzer, seed=1, count=3000)
