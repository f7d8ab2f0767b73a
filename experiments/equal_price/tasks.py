"""The tasks: which data and model, how many gradients, which rates, and what comes first."""

import dataclasses
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from experiments.equal_price.candidates import (
    MOMENTUM,
    PLAIN,
    RATE,
    WITH_MOMENTUM,
    Family,
    Rates,
    frac_bits,
    in_order,
)
from tq_halp.commands.compare.candidates import Candidate
from tq_halp.errors import InputError

ROOT = pathlib.Path(__file__).resolve().parents[2]
TUNE_SEED = 1000
#: Candidates of so many bits; in the order of importance.
Tiers = list[tuple[int, list[Candidate]]]


@dataclass(frozen=True)
class Task:
    """One data set and model.

    Args:
        name: on the command line.
        title: in words.
        config: a file in ``configs/``.
        metric: "accuracy" or "perplexity", of the validation and the test examples.
        settings: of all runs, "key=value".
        budget: passes over the training data of a compared run.
        tuning_budget: of a tuning run.
        rates: by setting; none for a setting that the task does not have.
        bits: word lengths, the most important first.
        ranges, table: as of ``Family``.
        quick: settings that make it small.
        seeds: of the compared runs.
    """

    name: str
    title: str
    config: str
    metric: str
    settings: tuple[str, ...]
    budget: float
    tuning_budget: float
    rates: Mapping[str, Rates] = field(default_factory=dict)
    bits: tuple[int, ...] = (4, 8, 3, 2)
    ranges: tuple[float, float] = (1.0, 0.5)
    table: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)

    @property
    def config_path(self) -> str:
        """The config file."""
        return str(ROOT / "configs" / self.config)

    @property
    def higher_is_better(self) -> bool:
        """Of the metric."""
        return self.metric == "accuracy"

    @property
    def kinds(self) -> tuple[str, ...]:
        """The settings that it has, of PLAIN and MOMENTUM."""
        return tuple(self.rates)

    def tiers(self, setting: str) -> Tiers:
        """The candidates with their bits, in the order of importance.

        Raises:
            InputError: the task has no such setting.
        """
        self._check(setting)
        shared, rates = self.settings, self.rates[setting]
        family = Family(setting, rates, shared, self.ranges, self.table)
        return in_order(family, self.bits)

    def _check(self, setting: str) -> None:
        if setting not in self.kinds:
            raise InputError(f"--setting {setting}: {self.name} has only {', '.join(self.kinds)}")

    def made_quick(self) -> "Task":
        """The same with little data, three passes and one seed."""
        changed = {"settings": (*self.settings, *self.quick), "budget": 3.0, "tuning_budget": 3.0}
        return dataclasses.replace(self, **changed, seeds=self.seeds[:1])


class SmallCifar(Task):
    """Nothing is tuned: the rate is the same for all, and each range of LP-SGD has its label."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """MOMENTUM alone."""
        return (MOMENTUM,)

    def tiers(self, setting: str) -> Tiers:
        """As of ``Task``."""
        self._check(setting)
        four, three = "algorithm.word_bits=4", "algorithm.word_bits=3"
        moved = "algorithm.mu=displacement"
        best = f"algorithm.frac_bits={frac_bits(4, 0.5)}"
        ranges = [
            self._made(f"lp4_{r:g}", "lp_sgd", four, f"algorithm.frac_bits={frac_bits(4, r)}")
            for r in (0.5, 1.0, 0.25, 2.0)
        ]
        feedback = [
            self._made(f"lp4+{how}", "lp_sgd", four, best, f"algorithm.error_feedback={how}")
            for how in ("momentum", "exact")
        ]
        first = [self._made("sgd", "sgd"), self._made("bcsgd4", "bc_sgd", four), *ranges[:2]]
        table = self._made("bcsaga4", "bc_saga", four, moved)
        channels = self._made("bcsgd4_channels", "bc_sgd", four, "algorithm.scale=per_channel")
        halp = self._made("halp4", "halp", four, moved)
        rest = [channels, halp, *feedback, table, *ranges[2:]]
        return [(4, first), (4, rest), (3, [self._made("bcsgd3", "bc_sgd", three)])]

    def _made(self, label: str, algorithm: str, *settings: str) -> Candidate:
        rate = f"{RATE}.config.initial_learning_rate=0.1"
        return Candidate(label, algorithm, (*self.settings, *WITH_MOMENTUM, rate, *settings))


_MNIST = Task(
    "mnist",
    "softmax regression on MNIST, 55,000 images",
    "mnist_logistic.yaml",
    "accuracy",
    settings=(),
    budget=12,
    tuning_budget=12,
    rates={
        PLAIN: Rates((0.1, 0.2, 0.4, 0.8), (0.3, 0.6)),
        MOMENTUM: Rates((0.02, 0.05, 0.1, 0.2), (0.05, 0.1)),
    },
    bits=(8, 4, 3, 2),
    quick=("data.limit=2000", "data.validation_limit=1000"),
)
_SHAKESPEARE = Task(
    "shakespeare",
    "character LSTM on Tiny Shakespeare, 1,000,000 characters",
    "lstm_tiny_shakespeare.yaml",
    "perplexity",
    settings=("data.limit=1000000",),
    budget=12,
    # Short runs mislead: after 3 passes LP-SGD is best at rates that are too high for 12.
    tuning_budget=12,
    rates={
        PLAIN: Rates((1, 2, 4, 8), (2, 4)),
        MOMENTUM: Rates((0.5, 1, 2, 4), (1, 2)),
    },
    quick=("data.limit=10000", "data.validation_limit=5000"),
)
_PTB = Task(
    "ptb",
    "word LSTM on Penn Treebank, 464,800 words",
    "lstm_ptb.yaml",
    "perplexity",
    settings=("data.limit=464800",),
    budget=12,
    tuning_budget=3,
    rates={
        PLAIN: Rates((5, 10, 20, 40), (10, 20)),
        MOMENTUM: Rates((1, 2, 4, 8), (2, 4)),
    },
    # In float32 it would take 4.5 GB for each run.
    table=("algorithm.table_format=8", "algorithm.table_packed=true"),
    quick=("data.limit=10000", "data.validation_limit=5000", "data.vocabulary_size=2000"),
)
_CIFAR = Task(
    "cifar10",
    "residual network on CIFAR-10, 10,000 images",
    "cifar10_resnet.yaml",
    "accuracy",
    settings=("data.limit=10000", "data.validation_limit=5000"),
    budget=36,
    tuning_budget=6,
    rates={
        PLAIN: Rates((0.05, 0.1, 0.2, 0.4), (0.1, 0.3)),
        MOMENTUM: Rates((0.02, 0.05, 0.1, 0.2), (0.05, 0.1)),
    },
    quick=("data.limit=500", "data.validation_limit=500"),
)
_SMALL_CIFAR = SmallCifar(
    "cifar10_small",
    "residual network on CIFAR-10, 5,000 images, nothing tuned",
    "cifar10_resnet.yaml",
    "accuracy",
    settings=("data.limit=5000", "data.validation_limit=2000"),
    budget=24,
    tuning_budget=24,
    quick=("data.limit=500", "data.validation_limit=500"),
)
TASKS = {task.name: task for task in (_MNIST, _SMALL_CIFAR, _SHAKESPEARE, _PTB, _CIFAR)}
