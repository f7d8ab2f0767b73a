"""Who builds layers meanwhile, in another thread or task, builds what Keras builds."""

import asyncio
import contextvars
import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import layers

from tests.mappings import W8
from tests.quantization_map.own_models import own_model
from tq_halp import QuantizationMap
from tq_halp.layers import QuantDense, QuantLSTM
from tq_halp.layers.keras_class_table import QUANTIZED

W4 = {"format": "fixed_point", "word_bits": 4, "frac_bits": 2}


def everything(weights):
    return QuantizationMap.from_dict(
        {"version": 1, "rules": [{"layers": ".*", "weights": weights}]}
    )


MAP, OTHER = everything(W8), everything(W4)


@pytest.fixture(autouse=True)
def keras_is_as_it_was():
    before = {each: vars(each).get("__new__") for each in QUANTIZED}
    yield
    assert {each: vars(each).get("__new__") for each in QUANTIZED} == before
    assert type(layers.Dense(2)) is layers.Dense


def kinds():
    """What the constructors of Keras give here, arguments and all."""
    made = [layers.Dense(2, name="d"), layers.LSTM(3, name="l"), layers.Embedding(4, 2, name="e")]
    both = layers.Bidirectional(layers.GRU(2))
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2, activation="relu")])
    assert (made[0].units, made[1].units, made[2].input_dim) == (2, 3, 4)
    assert model(np.ones((1, 3), "float32")).shape == (1, 2)
    found = [*made, both.forward_layer, both.backward_layer, *model.layers]
    return {type(layer).__module__.split(".")[0] for layer in found}


def while_another_thread_builds(work):
    """The kinds of layers that a thread gets from its constructors while `work()` runs here."""
    found, failures, done = set(), [], threading.Event()
    started = threading.Event()

    def build():
        try:
            while not done.is_set():
                found.update(kinds())
                started.set()
        except BaseException as error:  # noqa: BLE001 - told below
            failures.append(error)
            started.set()

    thread = threading.Thread(target=build)
    thread.start()
    started.wait()
    try:
        work()
    finally:
        done.set()
        thread.join()
    assert not failures, failures
    return found


def test_a_thread_builds_plain_layers_while_scopes_open_and_close():
    def work():
        for _ in range(20):
            with MAP.scope():
                assert type(layers.Dense(2)) is QuantDense
                assert type(layers.LSTM(2)) is QuantLSTM
            assert type(layers.Dense(2)) is layers.Dense
            with pytest.raises(ZeroDivisionError), MAP.scope():
                raise ZeroDivisionError

    assert while_another_thread_builds(work) == {"keras"}


def test_a_thread_builds_plain_layers_while_a_subclassed_model_is_copied():
    source = own_model()

    def work():
        for _ in range(3):
            assert type(MAP.apply(source).block.first) is QuantDense

    assert while_another_thread_builds(work) == {"keras"}


def test_a_thread_of_a_pool_that_was_started_inside_builds_plain_layers():
    with MAP.scope(), ThreadPoolExecutor(1) as pool:
        assert pool.submit(kinds).result() == {"keras"}
        # Unless it is given the context: then it builds for who gave it.
        given = contextvars.copy_context()
        assert type(pool.submit(given.run, layers.Dense, 2).result()) is QuantDense


def test_two_scopes_in_two_threads_at_once():
    both_inside, found = threading.Barrier(2), {}

    def build(name, quantization):
        with quantization.scope():
            both_inside.wait()
            found[name] = [layers.Dense(2).quantizers["weights"].format.word_bits for _ in range(9)]
            both_inside.wait()

    threads = [
        threading.Thread(target=build, args=("eight", MAP)),
        threading.Thread(target=build, args=("four", OTHER)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {"eight": [8] * 9, "four": [4] * 9}


def test_the_scope_that_closes_first_leaves_the_other_one_open():
    opened, closed, found = threading.Event(), threading.Event(), []

    def hold():
        with MAP.scope():
            opened.set()
            closed.wait()
            found.append(layers.Dense(2))

    thread = threading.Thread(target=hold)
    thread.start()
    opened.wait()
    with OTHER.scope():
        layers.Dense(2)
    assert type(layers.Dense(2)) is layers.Dense
    closed.set()
    thread.join()
    assert type(found[0]) is QuantDense


def test_nested_scopes_and_exceptions():
    with MAP.scope():
        with pytest.raises(ZeroDivisionError), OTHER.scope():
            raise ZeroDivisionError
        with OTHER.scope():
            inner = layers.Dense(2)
        outer = layers.Dense(2)
        plain = keras.Sequential([keras.Input((3,)), layers.Flatten(), layers.Dense(2, name="d")])
        applied = OTHER.apply(plain)  # which no scope around it changes
    bits = [each.quantizers["weights"].format.word_bits for each in (inner, outer)]
    assert bits == [4, 8]
    assert applied.layers[1].quantizers["weights"].format.word_bits == 4


def test_tasks_that_take_turns():
    async def quantized(quantization, turns):
        found = []
        with quantization.scope():
            for _ in range(turns):
                found.append(layers.Dense(2).quantizers["weights"].format.word_bits)
                await asyncio.sleep(0)
            in_thread = await asyncio.to_thread(layers.Dense, 2)  # in a copy of the context
        return [*found, in_thread.quantizers["weights"].format.word_bits]

    async def plain(turns):
        found = set()
        for _ in range(turns):
            found |= kinds()
            await asyncio.sleep(0)
        return found

    async def all_at_once():
        return await asyncio.gather(quantized(MAP, 3), plain(3), quantized(OTHER, 5), plain(6))

    assert asyncio.run(all_at_once()) == [[8] * 4, {"keras"}, [4] * 6, {"keras"}]


def test_a_task_that_outlives_its_scope_builds_plain_layers():
    async def later(scope_is_over):
        await scope_is_over.wait()
        return kinds()

    async def all_at_once():
        scope_is_over = asyncio.Event()
        with MAP.scope():
            layers.Dense(2)
            task = asyncio.create_task(later(scope_is_over))
            await asyncio.sleep(0)
        with ThreadPoolExecutor(1) as pool, OTHER.scope():  # so that the classes are watched
            layers.Dense(2)
            scope_is_over.set()
            found = await task
            assert pool.submit(kinds).result() == {"keras"}
        return found

    assert asyncio.run(all_at_once()) == {"keras"}


def test_a_scope_that_a_generator_closes_in_another_context():
    def builder():
        with MAP.scope():
            yield layers.Dense(2)

    steps = builder()
    assert type(next(steps)) is QuantDense
    contextvars.copy_context().run(list, steps)  # the rest of it, as an event loop may
    with OTHER.scope():
        assert layers.Dense(2).quantizers["weights"].format.word_bits == 4
        assert contextvars.Context().run(kinds) == {"keras"}
    assert kinds() == {"keras"}


def test_a_model_in_use_in_another_thread_is_not_touched_by_its_copying():
    """Not even for a moment: no attribute of the model or of a layer in it is set."""
    inputs = keras.Input((3,), name="x")
    model = keras.Model(inputs, layers.Dense(2, name="d")(inputs))
    model.compile("sgd", lambda y, p: keras.ops.mean((y - p) ** 2, axis=-1))
    seen = set()

    class Watched(type(model)):
        def __setattr__(self, name, value):
            if self is model:
                seen.add(name)
            super().__setattr__(name, value)

    model.__class__ = Watched
    before = {layer.name: dict(vars(layer)) for layer in model.layers}
    quantized = MAP.apply(model)
    assert not seen and quantized.compiled
    assert {layer.name: dict(vars(layer)) for layer in model.layers} == before
