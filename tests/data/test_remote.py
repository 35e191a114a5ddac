"""Datasets and the server: who waits, what is sent, what is computed where."""

import gc
import threading
import weakref

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits
from tests.support import wait_until

D = tf.data.Dataset
BIG = np.arange(200_000, dtype=np.float32).reshape(1000, 200)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: D.from_tensor_slices(x).shuffle(500, seed=1).batch(32).repeat(2).prefetch(2),
        lambda x: D.from_tensor_slices((x, x)).batch(32).map(lambda a, b: tf.reduce_sum(a * b)),
        lambda x: D.from_tensor_slices(x).map(lambda v: v * 2).batch(16).unbatch().take(50),
        lambda x: D.zip((D.from_tensor_slices(x), D.range(1000))).enumerate().batch(100),
        lambda x: D.from_tensor_slices(x).window(10).flat_map(lambda w: w.batch(10)),
        lambda x: D.from_tensor_slices(x).take(9).padded_batch(4, padded_shapes=[210]),
        lambda x: D.from_tensor_slices(x).batch(100).scan(0.0, lambda s, v: (s + tf.reduce_max(v), s)),
        lambda x: D.from_tensors(x).cache().repeat(3),
    ],
)
@pytest.mark.parametrize("place", [np.asarray, remote])
def test_iterating_never_waits(make, place):
    source = place(BIG)
    tf.sync()
    with waits(0):
        elements = list(make(source))
        assert make(source).element_spec is not None
    assert elements
    local = list(make(BIG))
    for a, b in zip(elements, local, strict=True):
        for x, y in zip(tf.nest.flatten(a), tf.nest.flatten(b), strict=True):
            np.testing.assert_allclose(x, y, 1e-6)


def test_reducing_never_waits():
    with waits(0):
        total = D.from_tensor_slices(remote(BIG)).batch(100).reduce(0.0, lambda s, x: s + tf.reduce_mean(x))
    assert float(total) == pytest.approx(BIG.mean() * 10)


def test_of_a_server_tensor_only_positions_travel():
    x, y = remote(BIG), remote(np.arange(1000, dtype=np.int32))
    dataset = D.from_tensor_slices((x, y)).shuffle(1000, seed=2).batch(100)
    tf.sync()
    before = tf.stats()
    batches = list(dataset)
    after = tf.stats()
    assert after["bytes_sent"] - before["bytes_sent"] < 1000 * 4 * 2 + 10 * 500
    assert after["ops"] - before["ops"] == 20  # a gather for each component and batch
    rows = np.concatenate([b.numpy() for _, b in batches])
    assert sorted(rows.tolist()) == list(range(1000))
    np.testing.assert_array_equal(np.concatenate([a.numpy() for a, _ in batches]), BIG[rows])


def test_slices_in_order_send_next_to_nothing():
    x = remote(BIG)
    tf.sync()
    before = tf.stats()["bytes_sent"]
    batches = list(D.from_tensor_slices(x).batch(100))
    assert tf.stats()["bytes_sent"] - before < 10 * 100
    np.testing.assert_array_equal(np.concatenate([b.numpy() for b in batches]), BIG)


def test_rows_for_a_function_come_from_one_gather():
    x = remote(BIG)
    tf.sync()
    before = tf.stats()["ops"]
    batch = next(iter(D.from_tensor_slices(x).map(lambda v: v + 1).batch(10)))
    assert tf.stats()["ops"] - before == 1 + 1 + 10 + 1
    np.testing.assert_array_equal(batch, BIG[:10] + 1)


def test_host_values_stay_on_the_host_until_they_are_asked_for():
    tf.sync()
    before = tf.stats()["bytes_sent"]
    dataset = D.from_tensor_slices(BIG).shuffle(1000).batch(100).cache().repeat()
    iterator = iter(dataset)
    assert tf.stats()["bytes_sent"] - before < 1000
    next(iterator)
    assert tf.stats()["bytes_sent"] - before < 100 * 200 * 4 + 2000
    before = tf.stats()["bytes_sent"]
    arrays = list(D.from_tensor_slices(BIG).batch(100).as_numpy_iterator())
    assert tf.stats()["bytes_sent"] - before < 1000
    np.testing.assert_array_equal(np.concatenate(arrays), BIG)
    with pytest.raises(ValueError, match="read-only"):
        arrays[0][0] = 1


def test_a_predicate_waits_once_for_many_elements():
    x = remote(np.arange(200))
    tf.sync()
    with waits(9):  # 1 + 2 + 4 + 8 + 16 + 32 + 64 + 64 + 9
        found = list(D.from_tensor_slices(x).filter(lambda v: v % 2 == 0))
    assert [int(v) for v in found[:3]] == [0, 2, 4]
    with waits(0):  # known here
        assert len(list(D.range(100).filter(lambda v: int(v) % 2 == 0))) == 50
    with waits(3):  # 1 + 2 + 4
        assert len(list(D.from_tensor_slices(x).take_while(lambda v: v < 5))) == 5


def test_what_fails_while_looking_ahead_comes_in_its_place():
    def numbers():
        yield from range(5)
        raise RuntimeError("after five")

    dataset = D.from_generator(numbers, tf.int32).filter(lambda v: tf.identity(v) >= 0)
    found = []
    with pytest.raises(RuntimeError, match="after five"):
        for value in dataset:
            found.append(int(value))
    assert found == [0, 1, 2, 3, 4]


def test_values_are_read_ahead():
    dataset = D.from_tensor_slices(remote(BIG)).batch(10).map(lambda x: (tf.reduce_sum(x), x[0, 0]))
    with waits(0):
        found = list(dataset.as_numpy_iterator())
    np.testing.assert_allclose([s for s, _ in found], BIG.reshape(100, 10, 200).sum((1, 2)))
    assert [v for _, v in found] == BIG[::10, 0].tolist()


def test_a_cache_of_server_tensors_computes_once():
    calls = []
    dataset = D.range(3).map(lambda x: calls.append(1) or tf.identity(x)).cache()
    assert [int(x) for x in dataset] == [int(x) for x in dataset] == [0, 1, 2]
    assert len(calls) == 3
    partial = D.range(3).map(lambda x: calls.append(1) or x).cache()
    next(iter(partial))
    assert [int(x) for x in partial] == [0, 1, 2]


def test_functions_are_recorded():
    w = tf.Variable(2.0)
    dataset = D.from_tensor_slices([1.0, 2.0, 3.0]).map(lambda x: x * w)
    with tf.GradientTape() as tape:
        loss = tf.add_n(list(dataset))
    assert float(tape.gradient(loss, w)) == 6.0


# --- threads ---------------------------------------------------------------------------------------------------------


def prefetchers():
    return [t for t in threading.enumerate() if t.name == "telegrad-prefetch"]


def test_prefetch_works_ahead_and_not_further():
    made = []
    enough = threading.Event()

    def numbers():
        for i in range(100):
            made.append(i)
            if len(made) >= 3:
                enough.set()
            yield i

    iterator = iter(D.from_generator(numbers, tf.int32).prefetch(3))
    assert not made
    assert int(next(iterator)) == 0
    assert enough.wait(10)
    assert len(made) <= 4
    assert [int(x) for x in iterator] == list(range(1, 100))


def test_threads_end_with_their_iterators():
    gc.collect()
    wait_until(lambda: not prefetchers(), 10)
    closed = threading.Event()

    def endless():
        try:
            while True:
                yield np.zeros(10, np.float32)
        finally:
            closed.set()

    iterator = iter(D.from_generator(endless, output_signature=tf.TensorSpec([10])).prefetch(2).batch(3).prefetch(2))
    next(iterator)
    assert len(prefetchers()) == 2
    del iterator
    assert closed.wait(10)
    wait_until(lambda: not prefetchers(), 10)
    assert sum(1 for _ in D.range(10).prefetch(2)) == 10
    wait_until(lambda: not prefetchers(), 10)


def test_many_abandoned_iterators_leave_nothing():
    dataset = D.from_tensor_slices(BIG).batch(100).prefetch(2)
    tf.sync()
    for _ in range(20):
        next(iter(dataset))
    wait_until(lambda: not prefetchers(), 10)
    gc.collect()
    before = tf.stats()["server_tensors"]
    for _ in range(20):
        next(iter(dataset))
    wait_until(lambda: not prefetchers(), 10)
    gc.collect()
    assert tf.stats()["server_tensors"] <= before


def test_elements_that_take_long_are_left_to_a_thread(monkeypatch):
    monkeypatch.setattr("client.data.ahead._SLOW", -1.0)
    iterator = iter(D.range(100).shuffle(100, seed=1).batch(2).prefetch(3))
    found = [next(iterator) for _ in range(10)]
    assert len(prefetchers()) == 1
    found += list(iterator)
    expected = list(D.range(100).shuffle(100, seed=1).batch(2))
    assert [b.numpy().tolist() for b in found] == [b.numpy().tolist() for b in expected]
    wait_until(lambda: not prefetchers(), 10)


def test_failures_in_a_thread_are_raised_where_the_element_would_be():
    def failing(x):
        if int(x) == 3:
            raise KeyError("three")
        return x

    iterator = iter(D.range(10).map(failing).prefetch(8))
    assert [int(next(iterator)) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="three"):
        next(iterator)


def test_functions_in_a_thread_are_not_on_the_programs_tape():
    w = tf.Variable(2.0)
    iterator = iter(D.from_tensor_slices([1.0]).map(lambda x: x * w).prefetch(1))
    with tf.GradientTape() as tape:
        y = next(iterator)
    assert tape.gradient(y, w) is None


def test_a_dropped_iterator_closes_its_generator():
    closed = []

    def numbers():
        try:
            yield from range(10)
        finally:
            closed.append(True)

    iterator = iter(D.from_generator(numbers, tf.int32))
    next(iterator)
    del iterator
    gc.collect()
    assert closed
    dataset = D.from_generator(numbers, tf.int32).batch(2)
    iterator = iter(dataset)
    alive = weakref.ref(iterator)
    next(iterator)
    del iterator
    gc.collect()
    assert alive() is None and len(closed) == 2
