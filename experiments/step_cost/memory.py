"""Trains a large model by one algorithm and prints what the process needed, as JSON.

    python -m experiments.step_cost.memory "HALP, 8 bits" 2048

24 dense layers of so many units, 16 samples a minibatch, so that there is little but parameters,
and of these a twenty-fourth in each tensor. Two epochs: with snapshots, ends of segments and
diagnostics.
"""

import json
import sys

import keras
import numpy as np
import tensorflow as tf

from tq_halp.commands.bench.step_race import KINDS

LAYERS, BATCH, STEPS = 24, 16, 6


def most_resident():
    """Bytes of main memory that this process held at its worst (Linux)."""
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def main():
    units = int(sys.argv[2])
    dense = [keras.layers.Dense(units, "relu", use_bias=False) for _ in range(LAYERS)]
    model = keras.Sequential([keras.Input((units,)), *dense])
    trainer = KINDS[sys.argv[1]](model)
    trainer.compile(keras.optimizers.SGD(1e-3), loss="mse")
    x = np.random.default_rng(0).normal(size=(STEPS * BATCH, units)).astype("float32")
    tf.config.experimental.reset_memory_stats("CPU:0")
    trainer.fit(x, x, batch_size=BATCH, epochs=2, verbose=0)
    parameters = 4 * sum(int(np.prod(v.shape)) for v in model.trainable_variables)
    own = sum(v.value.dtype.size * int(np.prod(v.shape)) for v in trainer.variables)
    found = {
        "parameters": parameters,
        "variables": own,
        "tensors": tf.config.experimental.get_memory_info("CPU:0")["peak"],
        "resident": most_resident(),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
