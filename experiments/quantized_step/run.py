"""A training step of a quantized model against the same step of plain Keras: what does it cost?

    python -m experiments.quantized_step.run                all models: about two minutes each
    python -m experiments.quantized_step.run --only lstm    one of them

Every variant of a model makes the same step on the same data, `train_on_batch` as a user calls it.
All take turns, in an order that is reversed from turn to turn. On a quiet machine the fastest turns
say most, on a busy one the median of the ratios within a turn, best of processor time, that of all
threads together. Where qkeras-v3 can be imported its layers run along. Writes ``<model>.csv`` and
what stands between the marks of ``README.md``.
"""

import argparse
import importlib.metadata
import importlib.util
import os
import pathlib
import runpy
import time

if __name__ == "__main__" and not __package__:  # started by its path
    start = runpy.run_path(f"{pathlib.Path(__file__).parents[1]}/start_as_module.py")
    start["start_as_module"](__file__)

import keras
import numpy as np

import tq_halp
from experiments.machine_description import machine
from experiments.markdown_sections import fill
from experiments.quantized_step.resnet8 import cifar10, resnet8
from tq_halp.commands.bench.results_table import write_csv
from tq_halp.models import lstm_language_model

HERE = pathlib.Path(__file__).resolve().parent


def fixed_point(frac_bits):
    return {
        "format": "fixed_point",
        "word_bits": 8,
        "frac_bits": frac_bits,
        "rounding": "stochastic",
    }


W, A, G, E = "weights", "activations", "gradients", "errors"
LSTM = {W: fixed_point(7), A: fixed_point(5), G: fixed_point(13), E: fixed_point(16)}
INSIDE = {"bias": fixed_point(7), "state": fixed_point(6), "gates": fixed_point(7)}
RESNET = {W: fixed_point(6), A: fixed_point(4), G: fixed_point(10), E: fixed_point(14)}


def variants_of(roles):
    """Each role alone, and all of them."""
    alone = {role: {role: quantizer} for role, quantizer in roles.items()}
    return {"plain Keras": {}, **alone, "W, A, G, E": roles}


def lstm():
    """The variants, their data and its name, and the ratio "W, A, G, E" shall stay below."""
    tokens, targets = np.random.default_rng(0).integers(0, 10_000, (2, 20, 35), dtype="int32")
    model = lstm_language_model(10_000, embedding=200, units=200, layers=2, initial_range=0.1)
    variants = mapped(model, {**variants_of(LSTM), "W, A, G, E, bias, state, gates": LSTM | INSIDE})
    if importlib.util.find_spec("qkeras"):
        version = importlib.metadata.version("qkeras-v3")
        variants[f"qkeras-v3 {version}: W, A (but for the embedding)"] = qkeras_lstm()
    return variants, (tokens, targets), "random tokens", 1.25


def resnet():
    data, source = cifar10()
    return mapped(resnet8(), variants_of(RESNET)), data, source, 1.4


def mapped(model, variants):
    """Of each variant's roles the model, quantized in every layer that has them."""
    return {
        name: tq_halp.QuantizationMap.from_dict(
            {"version": 1, "rules": [{"layers": ".*", **roles}]}
        ).apply(model)
        if roles
        else model
        for name, roles in variants.items()
    }


def qkeras_lstm():
    """The same network of qkeras' layers, which quantize weights and outputs."""
    import qkeras

    def bits(integer):
        return qkeras.quantized_bits(8, integer, alpha=1.0, use_stochastic_rounding=True)

    x = tokens = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(10_000, 200)(x)
    for _ in range(2):
        x = qkeras.QLSTM(
            200,
            return_sequences=True,
            kernel_quantizer=bits(0),
            recurrent_quantizer=bits(0),
            bias_quantizer=bits(0),
        )(x)
        x = qkeras.QActivation(bits(2))(x)
    x = qkeras.QDense(10_000, kernel_quantizer=bits(0), bias_quantizer=bits(0))(x)
    return keras.Model(tokens, qkeras.QActivation(bits(2))(x))


MODELS = {"lstm": lstm, "resnet8": resnet}


def measure(variants, data, turns):
    """[(wall-clock, processor) seconds] of each variant, one pair a turn."""
    for model in variants.values():
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1), loss=loss)
        model.train_on_batch(*data)
        model.train_on_batch(*data)
    seconds = {name: [] for name in variants}
    for turn in range(turns):
        for name in list(variants)[:: -1 if turn % 2 else 1]:
            start = time.perf_counter(), time.process_time()
            variants[name].train_on_batch(*data)
            end = time.perf_counter(), time.process_time()
            seconds[name].append((end[0] - start[0], end[1] - start[1]))
    return seconds


def table(seconds):
    """The table, the CSV's rows, and the ratios of "W, A, G, E"."""
    plain = np.array(seconds["plain Keras"])
    lines = [
        "| quantized | fastest step, ms | ratio to plain Keras | median ratio of a turn "
        "| median ratio of a turn, processor time |",
        "|---|---|---|---|---|",
    ]
    ratios = {}
    for name, turns in seconds.items():
        turns = np.array(turns)
        fastest = turns[:, 0].min()
        ratios[name] = (fastest / plain[:, 0].min(), *np.median(turns / plain, axis=0))
        shown = " | ".join(f"{ratio:.2f}" for ratio in ratios[name])
        lines.append(f"| {name} | {1e3 * fastest:.0f} | {shown} |")
    rows = [
        {"variant": name, "turn": turn, "wall_seconds": wall, "processor_seconds": processor}
        for name, turns in seconds.items()
        for turn, (wall, processor) in enumerate(turns)
    ]
    return "\n".join(lines), rows, ratios["W, A, G, E"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=MODELS, help="default: all of them")
    parser.add_argument("--turns", type=int, default=60, help="default: %(default)s")
    options = parser.parse_args()
    for name in [options.only] if options.only else MODELS:
        variants, data, source, limit = MODELS[name]()
        load = os.getloadavg()[0]
        text, rows, ratios = table(measure(variants, data, options.turns))
        write_csv(HERE / f"{name}.csv", list(rows[0]), rows)
        fill(HERE / "README.md", name, text)
        fill(HERE / "README.md", f"{name} machine", f"{machine(load)} Data: {source}.")
        print(f"{name}: {source}", text, sep="\n")
        print("W, A, G, E:", *(f"{ratio:.2f}" for ratio in ratios), f"at most {limit}")


if __name__ == "__main__":
    main()
