"""The arithmetic core alone, as it is in the built library."""

import core_programs


def test_core(tmp_path):
    """The tests by hand, and that every instruction set gives the same bits for anything.

    All but team_test, which needs nothing of the library: test_linear_resources.py.
    """
    *tests, fuzzer = core_programs.link_with_library(tmp_path, ("[!t]*_test", "fuzz"))
    assert tests
    for program in tests:
        for instruction_set in core_programs.INSTRUCTION_SETS:
            assert "passed with" in core_programs.output(instruction_set, program)
    core_programs.fuzz(fuzzer, seed=1, count=3000)
