"""The processor as Linux describes it, and which instruction set the compiled ops take there."""

import pytest

from quant_ops import library
from quant_ops.format_facts import INSTRUCTION_SETS
from quant_ops.linear import engine
from tq_halp import processor_info

FLAGS = {
    "avx512": {"avx512f", "avx512bw", "avx512dq", "avx512vl", "fma"},
    "avx2": {"avx2", "fma"},
    "portable": set(),
}


def test_flags_and_name(tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    path.write_text(
        "model name\t: Some CPU\nflags\t: fma avx2\n\nmodel name: Another\nflags: sse\n"
    )
    monkeypatch.setattr(processor_info, "CPUINFO", path)
    assert processor_info.flags() == {"fma", "avx2"} and processor_info.model_name() == "Some CPU"
    monkeypatch.setattr(processor_info, "CPUINFO", tmp_path / "none")
    assert processor_info.flags() == set() and processor_info.model_name() == ""


@pytest.fixture
def native():
    if library.LIBRARY.load() is None:
        pytest.skip("the native library is not built")
    if not processor_info.flags():
        pytest.skip("the processor's flags are not known")


@pytest.mark.parametrize("compiled, more", [(library, set()), (engine, {"avx512_vnni"})])
def test_instruction_set_is_the_best_that_the_flags_name(native, monkeypatch, compiled, more):
    needed = FLAGS | {"avx512": FLAGS["avx512"] | more}
    there = [name for name in INSTRUCTION_SETS if needed[name] <= processor_info.flags()]
    assert compiled.available_instruction_sets() == tuple(there)
    for index, limit in enumerate(INSTRUCTION_SETS):
        monkeypatch.setenv("QUANT_OPS_ISA", limit)
        best = next(name for name in INSTRUCTION_SETS[index:] if name in there)
        assert compiled.instruction_set() == best
    monkeypatch.setenv("QUANT_OPS_ISA", "")
    assert compiled.instruction_set() == there[0]


def test_a_limit_that_names_none(monkeypatch):
    monkeypatch.setenv("QUANT_OPS_ISA", "sse")
    with pytest.raises(ValueError, match="must be portable, avx2 or avx512. Received: 'sse'"):
        library.instruction_set()


def test_no_native_library(tmp_path, monkeypatch):
    monkeypatch.setattr(library, "LIBRARY", library.NativeLibrary(tmp_path))
    with pytest.raises(RuntimeError, match="has no native library"):
        library.instruction_set()
    monkeypatch.setattr(engine, "FOLDER", tmp_path)
    with pytest.raises(RuntimeError, match="has no linear engine"):
        engine.instruction_set()
