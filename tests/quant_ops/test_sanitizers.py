"""Random calls of the arithmetic core under AddressSanitizer, UndefinedBehaviorSanitizer and
ThreadSanitizer: QUANT_OPS_FUZZ_CALLS says how many, with each instruction set; `make fuzz` sets it.
Without it they are left out: everything is compiled once more for each sanitizer.

Not optimised: that compiles in a quarter of the time, and nothing wrong is optimised away. Casts of
numbers that do not fit are errors; divisions by zero are not: a scale of 0 divides, and IEEE 754
says what by.
"""

import os
import subprocess

import core_programs
import pytest

CALLS = int(os.environ.get("QUANT_OPS_FUZZ_CALLS", "400"))
PLAIN = ("-O0", "-g1", "-fno-sanitize-recover=all")
MEMORY = (*PLAIN, "-fsanitize=address,undefined,float-cast-overflow")
THREADS = (*PLAIN, "-fsanitize=thread")
when_asked = pytest.mark.skipif(
    "QUANT_OPS_FUZZ_CALLS" not in os.environ, reason="QUANT_OPS_FUZZ_CALLS is not set: make fuzz"
)


def require(folder, options):
    """Skips the test unless the compiler has the sanitizers and they run on this machine."""
    source, program = folder / "empty.cc", folder / "empty"
    source.write_text("int main() {}\n")
    command = [*core_programs.compiler(), *options, str(source), "-o", str(program)]
    for words in (command, [str(program)]):
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(
                f"no {options[-1]}: {(done.stderr.splitlines() or ['it does not run'])[-1]}"
            )


@pytest.mark.slow
@when_asked
def test_memory_and_arithmetic(tmp_path):
    require(tmp_path, MEMORY)
    names = ("fuzz", "rounded_matmul_test")
    fuzzer, products = core_programs.compile_programs(tmp_path, names, MEMORY)
    core_programs.fuzz(fuzzer, seed=1, count=CALLS)
    for instruction_set in core_programs.INSTRUCTION_SETS:
        assert "passed with" in core_programs.output(instruction_set, products)


@pytest.mark.slow
@when_asked
def test_threads(tmp_path):
    """Each check shares a few tensors out to a few threads."""
    require(tmp_path, THREADS)
    [program] = core_programs.compile_programs(tmp_path, ("threads",), THREADS)
    core_programs.fuzz(program, seed=1, count=CALLS // 10)
