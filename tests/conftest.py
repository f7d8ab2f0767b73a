"""What holds for every test: fixed seeds, and no test that depends on the machine's speed."""

import gc
import os
import random
import sys

import hypothesis
import numpy as np
import pytest

# TensorFlow's C++ log on start-up would bury a failing test's own output.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# derandomize: the same examples on every run. No deadline: tracing makes a first call slow.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_collection_finish():
    """Makes garbage collections rare, and keeps what was imported out of all of them.

    TensorFlow and Keras are 400,000 objects: with Python's own thresholds, half of the time of
    the tests would go into walking them again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def custom_gradients():
    """TensorFlow's table of the gradients of every `tf.custom_gradient` that a graph has."""
    if "tensorflow" not in sys.modules:
        return {}
    registry = sys.modules["tensorflow.python.framework.ops"].gradient_registry._registry
    return registry if isinstance(registry, dict) else {}


@pytest.fixture(autouse=True, scope="module")
def free_memory():
    """Frees the models and graphs of a module at its end: most of them are in reference cycles.

    The table of gradients, which nothing leaves, would keep the graphs: gigabytes of them.
    """
    before = set(custom_gradients())
    yield
    for name in set(custom_gradients()) - before:
        if name.startswith("CustomGradient-"):
            del custom_gradients()[name]
    gc.collect()


@pytest.fixture(autouse=True, scope="module")
def no_autotuning():
    """Iterators of `tf.data` without the thread that tunes their buffers.

    Where the processor is busy, TensorFlow waits for that thread at the end of each epoch, about
    as long as the epoch took: a third of the time of the tests of `fit`.
    """
    if "tensorflow" not in sys.modules:
        yield
        return
    tf = sys.modules["tensorflow"]
    options = tf.data.Options()
    options.autotune.enabled = False
    with pytest.MonkeyPatch.context() as patch:
        # TensorFlow calls this method with every data set that it makes an iterator of.
        name = "_apply_debug_options"
        patch.setattr(tf.data.Dataset, name, lambda data: data.with_options(options))
        yield


@pytest.fixture(autouse=True)
def fresh_state():
    """Seeds every global generator, and has Keras forget its names and its dtype policy.

    Without importing what the test does not need. Keras derives its policy from floatx once, at
    the first layer ever built: a test that sets floatx would depend on the tests before it.
    """
    random.seed(0)
    np.random.seed(0)
    if "tensorflow" in sys.modules:
        sys.modules["tensorflow"].random.set_seed(0)
    if "keras" in sys.modules:
        sys.modules["keras"].utils.clear_session(free_memory=False)
        sys.modules["keras"].utils.set_random_seed(0)
