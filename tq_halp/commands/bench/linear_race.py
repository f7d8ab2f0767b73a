"""HALP and full-precision SVRG on one linear problem, timed in turns of one outer epoch."""

import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tq_halp.commands.bench.linear_data_sets import LinearData
from tq_halp.commands.bench.memory_bandwidth import MemoryReader
from tq_halp.errors import InputError
from tq_halp.linear.step_size import automatic_learning_rate

if TYPE_CHECKING:
    from quant_ops import LinearSolver

L2 = 1e-4


@dataclass(frozen=True)
class Contender:
    """An algorithm with its bits; 32 for float32 SVRG."""

    algorithm: str
    word_bits: int
    data_bits: int

    @property
    def label(self) -> str:
        """The contender in a figure, such as "HALP 8/8": bits of words and data."""
        return f"{self.algorithm.upper()} {self.word_bits}/{self.data_bits}"


BASELINE = Contender("svrg", 32, 32)


def contenders(word_bits: Sequence[int] | None, data_bits: Sequence[int]) -> tuple[Contender, ...]:
    """The baseline, then HALP with each pair of bits.

    Args:
        word_bits: None takes 8, and also 16 for 16-bit data.
    """
    words = word_bits or (8, 16)
    pairs = [(w, d) for w in words for d in data_bits if word_bits or w <= max(d, 8)]
    return BASELINE, *(Contender("halp", w, d) for w, d in pairs)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """The settings that all contenders of a race share."""

    batch_size: int
    threads: int
    epochs: int
    learning_rate: float
    passes: int = 1  # an epoch has so many steps per minibatch


def learning_rate(data: LinearData, batch_size: int) -> float:
    """The rate that the estimators would choose; all contenders use it."""
    setting = Setting(batch_size=batch_size, threads=1, epochs=0, learning_rate=0.0)
    return automatic_learning_rate(
        _solver(data, Contender("halp", 8, 8), setting),
        data.x.shape,
        loss=data.loss,
        batch_size=batch_size,
        largest_penalty=L2,
    )


def race(
    data: LinearData,
    entered: Sequence[Contender],
    setting: Setting,
    advance: Callable[[], object] = lambda: None,
) -> Iterator[dict[str, Any]]:
    """Times the contenders; yields one row for each, the baseline's first.

    All solvers exist at once. In each turn every solver runs one epoch, in an order that is
    reversed from turn to turn, and memory is read once. An epoch has `passes` steps for each
    minibatch.

    Args:
        advance: called after every epoch.

    Raises:
        InputError: there is no native library.
    """
    steps = setting.passes * -(-len(data.x) // setting.batch_size)
    solvers = {contender: _solver(data, contender, setting) for contender in entered}
    epochs = {contender: [solver.measurement] for contender, solver in solvers.items()}
    reader = MemoryReader(setting.threads)
    for turn in range(setting.epochs):
        for contender in list(solvers)[:: -1 if turn % 2 else 1]:
            solver = solvers[contender]
            epochs[contender].append(
                solver.epoch(setting.learning_rate, steps, n_threads=setting.threads)
            )
            advance()
        reader.turn()
    for contender, solver in solvers.items():
        yield {
            "data": data.name,
            "samples": len(data.x),
            "features": data.x.shape[1],
            "outputs": data.outputs,
            "algorithm": contender.algorithm,
            "word_bits": contender.word_bits,
            "data_bits": contender.data_bits,
            "batch_size": setting.batch_size,
            "threads": setting.threads,
            "learning_rate": setting.learning_rate,
            "passes": setting.passes,
            "steps": steps,
            "epochs": setting.epochs,
            "setup_seconds": solver.setup_seconds,
            "read_bytes_per_s": reader.best,
            **figures(epochs[contender], epochs[entered[0]]),
            **_bytes(data, contender, setting, epochs[contender], reader.best),
        }


def figures(epochs: Sequence[dict], baseline: Sequence[dict]) -> dict[str, float]:
    """Seconds and gradient norms of a contender, also as ratios to the baseline.

    The fastest inner loop, full gradient and epoch count, each on its own: a disturbance only makes
    a time longer. The medians show how much the run was disturbed.

    Args:
        epochs, baseline: measurements; the first is that of the start.
    """
    own, other = _seconds(epochs), _seconds(baseline)
    row = {}
    for part, values in own.items():
        row[f"{part}_seconds"], row[f"{part}_median"] = min(values), statistics.median(values)
    for part, values in own.items():
        row[f"{part}_ratio"] = min(other[part]) / min(values)
    row["median_ratio"] = statistics.median(other["total"]) / row["total_median"]
    norms = [
        _quotient(mine["gradient_norm"], others["gradient_norm"])
        for mine, others in zip(epochs[1:], baseline[1:], strict=True)
    ]
    row |= {"norm_worst": max(norms), "norm_last": norms[-1]}
    row |= {"first_norm": epochs[0]["gradient_norm"], "last_norm": epochs[-1]["gradient_norm"]}
    return row


def _seconds(epochs: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    """Seconds of each epoch's inner loop, full gradient and both."""
    pairs = [(e["inner_seconds"], e["gradient_seconds"]) for e in epochs[1:]]
    inner, gradient = (list(part) for part in zip(*pairs, strict=True))
    return {"inner": inner, "gradient": gradient, "total": list(map(sum, pairs))}


def _quotient(a: float, b: float) -> float:
    """a / b; 1 for 0 / 0 and infinity for other a / 0."""
    return a / b if b else 1.0 if a == b else float("inf")


def _bytes(
    data: LinearData,
    contender: Contender,
    setting: Setting,
    epochs: Sequence[dict[str, float]],
    read: float,
) -> dict[str, float]:
    """The bytes of data that an epoch reads, in its steps and full gradient, and their rate."""
    once = data.x.size * contender.data_bits / 8
    rate = (setting.passes + 1) * once / min(_seconds(epochs)["total"])
    return {"data_bytes": once, "bytes_per_s": rate, "of_read": rate / read}


def _solver(data: LinearData, contender: Contender, setting: Setting) -> "LinearSolver":
    """The contender's solver.

    Raises:
        InputError: there is no native library.
    """
    import quant_ops

    try:
        return quant_ops.LinearSolver(
            data.x,
            data.targets,
            loss=data.loss,
            algorithm=contender.algorithm,
            outputs=data.outputs,
            l2=L2,
            batch_size=setting.batch_size,
            word_bits=min(contender.word_bits, 16),
            data_bits=min(contender.data_bits, 16),
            n_threads=setting.threads,
        )
    except RuntimeError as error:
        raise InputError(str(error)) from error
