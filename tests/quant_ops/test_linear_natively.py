"""Random linear models, a few epochs of each, under sanitizers and with every instruction set:
QUANT_OPS_FUZZ_CALLS says how many (a tenth of it, as each is some thousand calls' work)."""

import core_programs
import pytest
import test_sanitizers

COUNT = test_sanitizers.CALLS // 10


@pytest.mark.slow
@test_sanitizers.when_asked
def test_memory_and_arithmetic(tmp_path):
    test_sanitizers.require(tmp_path, test_sanitizers.MEMORY)
    program = core_programs.compile_linear(tmp_path, test_sanitizers.MEMORY)
    core_programs.fuzz(program, seed=1, count=COUNT)


@pytest.mark.slow
@test_sanitizers.when_asked
def test_threads(tmp_path):
    """Solvers share the work of a step, and of the passes over all the data, out to threads."""
    test_sanitizers.require(tmp_path, test_sanitizers.THREADS)
    program = core_programs.compile_linear(tmp_path, test_sanitizers.THREADS)
    core_programs.output("avx2", program, 1, COUNT)  # all sets share the code that has threads
