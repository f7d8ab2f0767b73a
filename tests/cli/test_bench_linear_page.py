"""The page of experiments/lm_halp_speed: its tables from made-up rows."""

from experiments.lm_halp_speed import tables


def row(ratio, bits=(8, 8), data="a", isa="avx512", batch_size=64, threads=1, norm=1.0):
    """One of `speed.csv`, where SVRG takes a second per epoch and memory is read at 10 GB/s."""
    numbers = dict.fromkeys(("inner_ratio", "gradient_ratio", "total_ratio", "median_ratio"), ratio)
    seconds = {f"{part}_seconds": 0.5 / ratio for part in ("inner", "gradient")}
    numbers |= seconds | {"total_seconds": 1 / ratio, "setup_seconds": 0.25}
    numbers |= {"bytes_per_s": 2e9, "read_bytes_per_s": 1e10, "of_read": 0.2}
    numbers |= {"samples": 1e5, "features": 100.0, "passes": 1.0}
    numbers |= {"word_bits": float(bits[0]), "data_bits": float(bits[1])}
    numbers |= {"batch_size": float(batch_size), "threads": float(threads)}
    algorithm = "svrg" if bits[0] == 32 else "halp"
    norms = {"norm_worst": norm, "norm_last": 1.0}
    return numbers | norms | {"isa": isa, "algorithm": algorithm, "data": data}


def test_targets_are_geometric_means():
    rows = [row(2.0, norm=1.6), row(8.0, data="b"), row(1.0, (32, 32)), row(3.0, isa="avx2")]
    rows += [row(1.0, batch_size=1)]
    head, rule, best, one, avx2 = tables.targets(rows).splitlines()
    assert head.count("|") == rule.count("|") == best.count("|")
    assert best == "| avx512 | 64 | 1 | 8/8 | 4 | 4.00 | 4.00 | 4.00 | yes | 1.60 |"
    assert one == "| avx512 | 1 | 1 | 8/8 |  | 1.00 | 1.00 | 1.00 |  | 1.00 |"
    assert avx2.startswith("| avx2 | 64 | 1 | 8/8 | 3 | 3.00 |") and "| yes |" in avx2


def test_where_avx2_is_the_best_both_targets_are_judged():
    rows = [row(3.5, isa="avx2"), row(6.0, (8, 4), isa="avx2"), row(2.0, (8, 16), isa="avx2")]
    assert "| 8/8 | 4, 3 | 3.50 | 3.50 | 3.50 | no, yes |" in tables.targets(rows)
    verdict = tables.verdict(rows).splitlines()
    assert verdict[0] == ("- 8/4, avx2, 1 thread: 6.00 times as fast as SVRG, 6 wanted: met.")
    assert verdict[1].endswith(
        "3.50 times as fast as SVRG, 4 wanted: falls short by a factor of 1.14."
    )
    assert verdict[2].endswith("3 wanted: met.")
    assert "in 3 of 3 runs; the largest ratio is 1.00" in verdict[3]


def test_norms_and_disturbances_are_judged():
    busy = row(4.0, data="b", norm=1.5) | {"median_ratio": 3.0}
    verdict = tables.verdict([row(4.0, norm=1.51), busy])
    assert "in 1 of 2 runs; the largest ratio is 1.51" in verdict
    assert "In 1 of these runs" in verdict


def test_details():
    _, _, line = tables.details([row(4.0)]).splitlines()
    times = "0.25 | 125.0 | 125.0 | 250.0 | 4.00 | 4.00 | 2.0 | 0.20 | 1.00 | 1.00 |"
    assert line == f"| avx512 | a | 1 | HALP 8/8 | {times}"


def test_profile():
    """10^7 elements of a byte at 10 GB/s: 0.1 ns each; half a second for them: 50 ns."""
    small = row(2.0) | {"samples": 1e3, "passes": 8.0, "inner_seconds": 0.004}
    _, _, line = tables.profile([row(1.0)], [small]).splitlines()
    assert line == "| avx512 | a | HALP 8/8 | 0.100 | 5.000 | 50.000 | 2500.000 | 50.000 | 2.00 |"


def test_reference():
    def norms(name, *values):
        names = {"problem": "least squares", "algorithm": name}
        return [names | {"epoch": float(k), "gradient_norm": v} for k, v in values]

    rows = norms("SVRG, float64", (0, 9.8), (1, 8.0), (1, 8.4), (2, 5.0))
    rows += norms("HALP 8/8, μ = 3", (0, 9.8), (1, 7.1)) + norms("HALP 8/8, μ = auto", (1, 2.0))
    rows += norms("HALP 8/8, μ = auto", (0, 9.8))
    head, _, svrg, halp, other = tables.reference(rows).splitlines()
    assert "| k = 0 | k = 1 | within" in head
    assert svrg == "| SVRG, float64 | 9.8 (9.8, 1.00) | 8.2 (4.1, 2.00) | yes |"
    assert halp == "| HALP 8/8, μ = 3 | 9.8 (9.8, 1.00) | 7.1 (3.5, 2.03) | no |"
    assert other == "| HALP 8/8, μ = auto | 9.8 | 2 |  |"


def test_csv_and_back(tmp_path):
    path = tmp_path / "rows.csv"
    tables.write([{"isa": "avx2", "threads": 2, "final_accuracy": ""}], path)
    assert tables.read(path) == [{"isa": "avx2", "threads": 2.0, "final_accuracy": None}]
