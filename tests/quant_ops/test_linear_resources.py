"""Threads and memory that cannot be had: an error, and a solver that goes on as if nothing was."""

import subprocess
import sys
import textwrap

import core_programs
import numpy as np
import pytest

from quant_ops import build
from quant_ops.linear import ALGORITHMS, LinearSolver

# Refuses all threads but so many.
REFUSING_THREADS = """
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

extern "C" {
int threads_left = 1000000;
}

extern "C" int pthread_create(pthread_t* id, const pthread_attr_t* attributes,
                              void* (*start)(void*), void* argument) {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  if (__atomic_fetch_sub(&threads_left, 1, __ATOMIC_SEQ_CST) <= 0) return EAGAIN;
  return create(id, attributes, start, argument);
}
"""

# Refuses what the native library asks for, by aligned_alloc or new, and nobody else. Less than
# 2 KiB TensorFlow's own frames ask for too, and let no exception through.
REFUSING_MEMORY = """
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <new>

extern "C" {
long allocations_left = -1;  // -1: any number
}

static bool refuses(size_t size, const void* caller) {
  Dl_info info;
  if (allocations_left < 0) return false;
  if (!dladdr(caller, &info) || !strstr(info.dli_fname, "_linear_engine")) return false;
  return allocations_left == 0 || --allocations_left < 0;
}

extern "C" void* aligned_alloc(size_t alignment, size_t size) {
  using Allocate = void* (*)(size_t, size_t);
  static const auto allocate = reinterpret_cast<Allocate>(dlsym(RTLD_NEXT, "aligned_alloc"));
  return refuses(size, __builtin_return_address(0)) ? nullptr : allocate(alignment, size);
}

void* operator new(size_t size) {
  void* const memory = refuses(size, __builtin_return_address(0)) ? nullptr : malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept { free(memory); }
void operator delete(void* memory, size_t) noexcept { free(memory); }
"""

SETUP = """
import ctypes, os, sys
import numpy as np
from quant_ops.linear import LinearSolver

refusing = ctypes.CDLL(os.environ["LD_PRELOAD"])
draw = np.random.default_rng(0)
x = draw.standard_normal((5000, 600)).astype(np.float32)
y = x[:, 0] - x[:, 1]
def made(n_threads=1):
    return LinearSolver(x, y, loss="squared", algorithm=algorithm, intercept=True, batch_size=500,
                        word_bits=16, n_threads=n_threads)

def epochs(solver, *numbers_of_threads):
    for n in numbers_of_threads:
        m = solver.epoch(1e-4, 7, n_threads=n)
    return solver.weights(), {k: v for k, v in m.items() if "seconds" not in k}

def refused(work):
    try:
        work()
    except (RuntimeError, MemoryError) as error:
        return f"{type(error).__name__}: {error}"

def same(a, b):
    np.testing.assert_array_equal(a[0], b[0])
    assert a[1] == b[1]

code = compile(sys.argv[1], "the test", "exec")
for algorithm in sys.argv[2:]:
    made(4), epochs(made(), 4)
    exec(code)
    print(algorithm)
"""


def run(tmp_path, library, code, algorithms):
    """The code for each algorithm; in one new process."""
    source, target = tmp_path / "refusing.cc", tmp_path / "refusing.so"
    source.write_text(library)
    command = [*core_programs.compiler(), "-shared", "-fPIC", "-O1", str(source), "-o", str(target)]
    subprocess.run([*command, "-ldl"], check=True)
    done = subprocess.run(
        ["env", f"LD_PRELOAD={target}", sys.executable, "-c", SETUP, textwrap.dedent(code)]
        + [*algorithms],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == algorithms


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="LD_PRELOAD is Linux's")


@on_linux
def test_threads_that_cannot_be_started(tmp_path):
    """The first, the second or the third of an epoch's: no thread is left, nothing has changed."""
    code = """
    left = ctypes.c_int.in_dll(refusing, "threads_left")
    expected = epochs(made(), 1, 1)
    for number in range(3):
        solver = made()
        solver.epoch(1e-4, 7)
        left.value = number
        message = refused(lambda: solver.epoch(1e-4, 7, n_threads=4))
        maker = refused(lambda: made(4))
        left.value = 10**6
        for text in (message, maker):
            assert text.startswith("RuntimeError: a thread could not be started (Resource"), text
            assert text.endswith("a smaller n_threads needs fewer, 1 needs none"), text
        same(epochs(solver, 1), expected)
    if algorithm != "svrg":  # whose sums depend on the number of threads
        same(epochs(solver, 3), epochs(made(), 1, 1, 4))
    """
    run(tmp_path, REFUSING_THREADS, code, ["halp", "lp_svrg", "svrg"])


@on_linux
def test_memory_that_cannot_be_had(tmp_path):
    """Whichever request is refused: those of an epoch all come before its first step."""
    code = """
    left = ctypes.c_long.in_dll(refusing, "allocations_left")
    expected = epochs(made(), 1, 2)
    counts = []
    for work_of in (lambda solver: made(2), lambda solver: solver.epoch(1e-4, 7, n_threads=2)):
        for number in range(100):
            solver = made()
            solver.epoch(1e-4, 7)
            left.value = number
            message = refused(lambda: work_of(solver))
            left.value = -1
            if message is None:
                break
            assert message == "MemoryError: there is not enough memory", message
            same(epochs(solver, 2), expected)
        counts.append(number)
    assert min(counts) > 3 and max(counts) < 100, counts
    """
    run(tmp_path, REFUSING_MEMORY, code, ["halp", "lp_sgd", "svrg"])


@pytest.mark.parametrize("n_threads", [0, -1, 1025, 10**6, 2**63, 1.5, True])
def test_numbers_of_threads_that_are_none(n_threads):
    x, y = np.eye(4), np.arange(4.0)
    with pytest.raises(ValueError, match=r"n_threads must be an integer from 1 to 1024. Received:"):
        LinearSolver(x, y, loss="squared", n_threads=n_threads)
    solver = LinearSolver(x, y, loss="squared")
    with pytest.raises(ValueError, match=r"n_threads must be an integer from 1 to 1024. Received:"):
        solver.epoch(0.1, 1, n_threads=n_threads)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_more_threads_than_rows_and_columns(algorithm):
    x, y = np.eye(4), np.arange(4.0)
    alone, shared = (
        LinearSolver(x, y, loss="squared", algorithm=algorithm, n_threads=n) for n in (1, 1024)
    )
    alone.epoch(0.1, 5)
    shared.epoch(0.1, 5, n_threads=1024)
    np.testing.assert_array_equal(alone.weights(), shared.weights())


def test_a_team_natively(tmp_path):
    program = tmp_path / "team_test"
    source = str(core_programs.TESTS / "team_test.cc")
    build.run_all({program: [*core_programs.compiler(), *build.FLAGS, "-pthread", source]})
    assert core_programs.output("portable", program).startswith("passed")
