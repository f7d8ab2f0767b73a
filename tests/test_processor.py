"""Which instruction set the compiled ops take, from what the processor says of itself."""

import pytest

from tq_halp import cpu
from tq_halp.errors import InputError


@pytest.mark.parametrize(
    "flags, limit, expected",
    [
        ("avx2 fma", "", "avx2"),
        ("avx2 fma", "avx512", "avx2"),
        ("avx2 fma", "portable", "portable"),
        ("avx2", "", "portable"),
        ("fma avx2 avx512f avx512bw avx512dq avx512vl avx512_vnni", "", "avx512"),
        ("fma avx2 avx512f avx512bw avx512dq avx512vl avx512_vnni", "avx2", "avx2"),
        ("fma avx2 avx512f avx512bw avx512dq avx512vl", "", "avx2"),
    ],
)
def test_instruction_set(flags, limit, expected, tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nflags\t\t: {flags}\n")
    monkeypatch.setattr(cpu, "CPUINFO", path)
    monkeypatch.setenv("QUANT_OPS_ISA", limit)
    assert cpu.instruction_set() == expected
    monkeypatch.setattr(cpu, "CPUINFO", tmp_path / "none")
    assert cpu.instruction_set() == ("portable" if limit == "portable" else "unknown")


def test_ops_need_no_products_of_bytes(tmp_path, monkeypatch):
    path = tmp_path / "cpuinfo"
    path.write_text(
        "model name\t: Some CPU\nflags\t: fma avx2 avx512f avx512bw avx512dq avx512vl\n"
    )
    monkeypatch.setattr(cpu, "CPUINFO", path)
    monkeypatch.delenv("QUANT_OPS_ISA", raising=False)
    assert cpu.instruction_set(cpu.OPS) == "avx512"
    assert cpu.instruction_set(cpu.SOLVER) == "avx2"
    assert cpu.model_name() == "Some CPU"
    monkeypatch.setenv("QUANT_OPS_ISA", "sse")
    with pytest.raises(InputError, match="must be portable, avx2 or avx512, received 'sse'"):
        cpu.instruction_set()
