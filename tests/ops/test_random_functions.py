"""`tf.random`: seeds and what repeats, generators, arguments that are tensors, errors, and that nothing waits."""

import threading

import numpy as np
import pytest

import client as tf


def values(tensor):
    return tensor.numpy().tolist()


def waits(run):
    before = tf.stats()["waits"]
    run()
    return tf.stats()["waits"] - before


# --- the global seed ---


def draws():
    """One draw of each kind, as lists."""
    return [
        values(t)
        for t in (
            tf.random.normal([3]),
            tf.random.normal([3]),
            tf.random.normal([3], seed=5),
            tf.random.normal([3], seed=5),
            tf.random.normal([3], seed=6),
            tf.random.uniform([3]),
            tf.random.uniform([3], maxval=1000, dtype=tf.int32),
            tf.random.truncated_normal([3]),
            tf.random.shuffle(tf.range(20)),
            tf.random.shuffle(tf.range(20), seed=1),
            tf.random.categorical([[1.0, 2.0, 3.0, 4.0]], 20),
        )
    ]


@pytest.fixture(autouse=True)
def no_global_seed():
    tf.random.set_seed(None)
    yield
    tf.random.set_seed(None)


def test_the_same_global_seed_gives_the_same_sequence():
    tf.random.set_seed(1)
    first = draws()
    assert len({str(d) for d in first}) == len(first)
    tf.random.set_seed(1)
    assert draws() == first
    assert draws() != first
    tf.random.set_seed(2)
    assert all(a != b for a, b in zip(draws(), first, strict=True))


def test_an_op_seed_alone_repeats_and_without_any_seed_nothing_does():
    first = values(tf.random.normal([4], seed=3)), values(tf.random.normal([4], seed=3))
    assert first[0] != first[1]
    tf.random.set_seed(None)
    assert (values(tf.random.normal([4], seed=3)), values(tf.random.normal([4], seed=3))) == first
    unseeded = values(tf.random.normal([4]))
    tf.random.set_seed(None)
    assert values(tf.random.normal([4])) != unseeded


def test_op_seeds_count_for_each_op():
    """Another op's calls with the same seed don't change what an op gives."""
    tf.random.set_seed(1)
    alone = values(tf.random.normal([4], seed=3))
    tf.random.set_seed(1)
    tf.random.uniform([4], seed=3)
    tf.random.normal([4])
    assert values(tf.random.normal([4], seed=3)) == alone


@pytest.mark.parametrize("seed", [0, -1, 2**40, 2**63, 2**64 + 5, 1.5, np.int64(7), True])
def test_seeds_are_any_numbers(seed):
    tf.random.set_seed(seed)
    first = values(tf.random.normal([2], seed=seed))
    tf.random.set_seed(seed)
    assert values(tf.random.normal([2], seed=seed)) == first


def test_a_seed_may_be_a_known_tensor_and_no_other():
    tf.random.normal([2], seed=tf.constant(1))
    with pytest.raises(TypeError, match="stateless"):
        tf.random.normal([2], seed=tf.cast(tf.random.normal([]), tf.int32))


def test_threads_never_draw_the_same():
    tf.random.set_seed(1)
    found = []

    def run():
        for _ in range(50):
            found.append(tf.random.uniform([2], dtype=tf.float64))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({tuple(values(t)) for t in found}) == 200


# --- arguments ---


def test_means_and_bounds_that_broadcast():
    tf.random.set_seed(1)
    found = tf.random.normal([2, 3], mean=[0.0, 100.0, 200.0], stddev=tf.constant([[1.0], [2.0]]))
    assert np.abs(found.numpy() - [0, 100, 200]).max() < 20
    assert tf.random.normal([2], mean=np.zeros([3, 1], np.float32)).shape == (3, 2)
    found = tf.random.uniform([100, 2], [0.0, 10.0], [1.0, 11.0]).numpy()
    assert ((found >= [0, 10]) & (found < [1, 11])).all()
    found = tf.random.uniform([100], tf.constant(2.0), 3, tf.float32).numpy()
    assert ((found >= 2) & (found <= 3)).all()
    with pytest.raises(tf.errors.InvalidArgumentError, match="Incompatible shapes"):
        tf.random.normal([2], [0.0, 1.0, 2.0])


def test_numbers_and_tensors_scale_alike():
    plain = tf.random.stateless_normal([50], (1, 2), 3.0, 0.5)
    tensor = tf.random.stateless_normal([50], (1, 2), tf.constant(3.0), tf.constant(0.5))
    np.testing.assert_allclose(plain, tensor, rtol=1e-6)
    plain = tf.random.stateless_uniform([50], (1, 2), -3.0, 0.5)
    tensor = tf.random.stateless_uniform([50], (1, 2), tf.constant(-3.0), 0.5)
    np.testing.assert_allclose(plain, tensor, rtol=1e-6, atol=1e-6)


def test_shapes_seeds_and_counts_that_only_the_server_knows():
    two = tf.cast(tf.random.uniform([], 2, 3, dtype=tf.int32), tf.int32)
    seed = tf.stack([two, two * 2])
    shape = tf.stack([two, 3])
    results = []

    def run():
        results.append(tf.random.normal(shape))
        results.append(tf.random.stateless_normal([4], seed))
        results.append(tf.random.stateless_uniform(shape, seed, 0, two, tf.int32))
        results.append(tf.random.stateless_normal([2], tf.random.fold_in(seed, two)))
        results.append(tf.random.split(seed, two))
        results.append(tf.random.categorical([[1.0, 2.0]], two))
        results.append(tf.random.stateless_normal([2], [two, 7]))

    assert waits(run) == 0
    assert [tuple(r.shape) for r in results] == [(2, 3), (4,), (2, 3), (2,), (2, 2), (1, 2), (2,)]
    assert values(results[1]) == values(tf.random.stateless_normal([4], (2, 4)))
    assert values(results[3]) == values(tf.random.stateless_normal([2], tf.random.fold_in((2, 4), 2)))
    assert values(results[4]) == values(tf.random.split((2, 4)))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_float_dtypes(dtype):
    for draw in (tf.random.normal, tf.random.truncated_normal, tf.random.uniform):
        assert draw([3], dtype=dtype).dtype == dtype
        assert draw([0, 3], dtype=dtype).shape == (0, 3)
        assert draw([], dtype=dtype).shape == ()


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_integer_dtypes(dtype):
    found = tf.random.uniform([200], 3, 9, dtype=dtype)
    assert found.dtype == dtype
    assert set(values(found)) == set(range(3, 9))
    assert tf.random.stateless_uniform([3], (1, 2), None, None, dtype).dtype == dtype


def test_whole_ranges():
    found = tf.random.stateless_uniform([2000], (1, 2), None, None, tf.int32).numpy().astype(np.float64)
    assert found.min() < -2e9
    assert found.max() > 2e9


@pytest.mark.parametrize(
    ("run", "error", "text"),
    [
        (lambda: tf.random.uniform([2], dtype=tf.int32), ValueError, "Must specify maxval for integer dtype tf.int32"),
        (
            lambda: tf.random.uniform([2], 1, 1, tf.int32),
            tf.errors.InvalidArgumentError,
            "Need minval < maxval, got 1 >= 1",
        ),
        (lambda: tf.random.uniform([2], 1.5, 3, tf.int32), TypeError, "Cannot convert 1.5"),
        (lambda: tf.random.uniform([2], dtype=tf.complex64), ValueError, "invalid value tf.complex64"),
        (lambda: tf.random.uniform([2], None, None), ValueError, "minval"),
        (lambda: tf.random.normal([2], dtype=tf.int32), ValueError, "invalid value tf.int32"),
        (lambda: tf.random.normal([-1]), tf.errors.InvalidArgumentError, "Dimension -1 must be >= 0"),
        (lambda: tf.random.normal([2.5]), TypeError, "shape"),
        (lambda: tf.random.normal(["a"]), TypeError, "shape"),
        (
            lambda: tf.random.stateless_normal([2], 1),
            tf.errors.InvalidArgumentError,
            r"seed must have shape \[2\], not \[\]",
        ),
        (lambda: tf.random.stateless_normal([2], (1, 2, 3)), tf.errors.InvalidArgumentError, r"not \[3\]"),
        (lambda: tf.random.stateless_normal([2], (1.0, 2.0)), TypeError, "seed"),
        (lambda: tf.random.stateless_normal([2], (1, 2), alg="threefry"), ValueError, "threefry"),
        (lambda: tf.random.stateless_uniform([2], (1, 2), dtype=tf.int32), ValueError, "both None or not None"),
        (lambda: tf.random.categorical([1.0, 2.0], 3), tf.errors.InvalidArgumentError, "logits should be a matrix"),
        (lambda: tf.random.categorical([[1.0, 2.0]], -1), tf.errors.InvalidArgumentError, "non-negative"),
        (lambda: tf.random.categorical([[1.0, 2.0]], 1, tf.float32), ValueError, "invalid value tf.float32"),
        (lambda: tf.random.split((1, 2, 3)), tf.errors.InvalidArgumentError, r"seed must have shape \[2\]"),
    ],
)
def test_errors(run, error, text):
    with pytest.raises(error, match=text):
        run()


# --- seeds made of seeds ---


def test_split_and_fold_in():
    seeds = tf.random.split((1, 2), 3)
    assert seeds.dtype == tf.int32
    assert seeds.shape == (3, 2)
    assert tf.random.split(tf.constant([1, 2], tf.int64)).dtype == tf.int64
    assert tf.random.split((1, 2), 0).shape == (0, 2)
    folded = tf.random.fold_in((1, 2), 3)
    assert folded.dtype == tf.int32
    assert tf.random.fold_in((1, 2), tf.constant(3, tf.int64)).dtype == tf.int64
    assert values(folded) != values(tf.random.fold_in((1, 2), 4))
    first, second = tf.random.experimental.stateless_split((1, 2))
    assert values(tf.random.stateless_normal([3], first)) != values(tf.random.stateless_normal([3], second))


def test_known_seeds_are_split_without_the_server():
    before = tf.stats()["ops"]
    seed = tf.random.fold_in(tf.random.split((1, 2), 4)[1], 7)
    assert tf.stats()["ops"] == before
    on_the_server = tf.random.split(
        tf.cast(tf.random.uniform([2], 1, 2, tf.int32), tf.int32) * 0 + tf.constant([1, 2]), 4
    )
    assert values(tf.random.fold_in(on_the_server[1], 7)) == values(seed)


# --- generators ---


def test_a_generator_repeats_from_its_state():
    g = tf.random.Generator.from_seed(7)
    assert values(g.state) == [0, 0, 7]
    first = [values(g.normal([2, 2])), values(g.uniform([3])), values(g.truncated_normal([1], 5.0, 2.0))]
    assert values(g.state) == [8, 0, 7]
    assert g.algorithm == 1
    assert g.key.dtype == tf.int64
    again = tf.random.Generator.from_seed(7)
    copy = tf.random.Generator(copy_from=again)
    for one in (again, copy, tf.random.Generator.from_state([0, 0, 7], "philox")):
        assert [
            values(one.normal([2, 2])),
            values(one.uniform([3])),
            values(one.truncated_normal([1], 5.0, 2.0)),
        ] == first
    state = g.state
    after = values(g.normal([5]))
    assert values(g.normal([5])) != after
    g.reset(state)
    assert values(g.normal([5])) == after
    g.reset_from_seed(7)
    assert values(g.normal([2, 2])) == first[0]
    g.reset_from_key_counter(7, [4, 0])
    assert values(g.uniform([3])) == first[1]
    assert values(tf.random.Generator.from_key_counter(7, [4, 0], "philox").uniform([3])) == first[1]


def test_skipping_is_drawing():
    skipped, drawn = (tf.random.Generator.from_seed(3) for _ in range(2))
    assert values(skipped.skip(6)) == [0, 0, 3]
    drawn.normal([2, 3])
    assert values(skipped.state) == values(drawn.state)
    skipped.normal([0])
    assert values(skipped.uniform([4])) == values(drawn.uniform([4]))


def test_a_counter_carries_into_its_high_word():
    g = tf.random.Generator.from_state([-1, 0, 5], "philox")
    before = values(g.normal([1]))
    assert values(g.state) == [0, 1, 5]
    assert values(g.normal([1])) != before
    g = tf.random.Generator.from_state([-1, -1, 5], "philox")
    g.skip(2)
    assert values(g.state) == [1, 0, 5]


@pytest.mark.parametrize(
    ("seed", "state"),
    [
        (1, [0, 0, 1]),
        (-1, [0, -1, -1]),
        (2**63, [0, 0, -(2**63)]),
        (2**64 + 3, [0, 1, 3]),
        ([1, 2], [0, 1, 2]),
        ((1, 2, 3, 4), [1, 2, 3]),
    ],
)
def test_states_from_seeds(seed, state):
    assert values(tf.random.Generator.from_seed(seed).state) == state
    assert values(tf.random.create_rng_state(seed, "philox")) == state


def test_split_generators_are_unrelated():
    g = tf.random.Generator.from_seed(1)
    children = g.split(3)
    assert values(g.state) == [3, 0, 1]
    assert len({str(values(one.normal([4]))) for one in [g, *children]}) == 4
    seeds = g.make_seeds(2)
    assert seeds.shape == (2, 2)
    assert seeds.dtype == tf.int64
    assert values(tf.random.stateless_normal([2], seeds[:, 0])) != values(tf.random.stateless_normal([2], seeds[:, 1]))


def test_full_integers():
    g = tf.random.Generator.from_seed(1)
    assert g.uniform_full_int([3]).dtype == tf.uint64
    assert g.uniform_full_int([3], tf.int32).dtype == tf.int32
    assert g.uniform([3], None, None, tf.int64).dtype == tf.int64
    assert set(values(g.uniform([100], 0, 3, tf.int64))) == {0, 1, 2}


def test_gamma_poisson_and_binomial():
    tf.random.set_seed(1)
    found = tf.random.gamma([500], [0.5, 4.0], [[1.0], [2.0]])
    assert found.shape == (500, 2, 2)
    np.testing.assert_allclose(tf.reduce_mean(found, 0), [[0.5, 4.0], [0.25, 2.0]], rtol=0.25)
    assert values(tf.random.gamma([2], 0.0)) == [2.0**-126] * 2
    assert np.isnan(values(tf.random.gamma([], -1.0)))
    assert tf.random.stateless_gamma([3, 2], (1, 2), [1.0, 2.0], dtype=tf.float32).shape == (3, 2)
    found = tf.random.poisson([500], [1, 40], dtype=tf.int64)
    assert found.dtype == tf.int64
    np.testing.assert_allclose(found.numpy().mean(0), [1, 40], rtol=0.25)
    assert tf.random.stateless_poisson([3, 2], (1, 2), [1.0, 2.0]).dtype == tf.int32
    found = tf.random.stateless_binomial([500, 2], (1, 2), [10, 100], [0.5, 0.25])
    np.testing.assert_allclose(found.numpy().mean(0), [5, 25], rtol=0.25)
    g = tf.random.Generator.from_seed(1)
    assert values(g.binomial([2], 10, [0.0, 1.0])) == [0, 10]
    assert values(g.state) == [2, 0, 1]
    with pytest.raises(tf.errors.InvalidArgumentError, match="must end with broadcasted shape"):
        tf.random.stateless_gamma([3, 2], (1, 2), [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="float64"):
        tf.random.gamma([2], tf.constant(1.0, tf.float64))
    with pytest.raises(ValueError, match=r"invalid value tf\.int32"):
        tf.random.gamma([2], 1, dtype=tf.int32)


def test_generators_without_seeds_differ():
    one, two = (tf.random.Generator.from_non_deterministic_state() for _ in range(2))
    assert values(one.normal([4])) != values(two.normal([4]))


def test_the_global_generator():
    before = tf.random.get_global_generator()
    assert tf.random.experimental.get_global_generator() is before
    mine = tf.random.Generator.from_seed(1)
    tf.random.set_global_generator(mine)
    assert tf.random.get_global_generator() is mine
    with pytest.raises(TypeError):
        tf.random.set_global_generator(None)
    tf.random.set_global_generator(before)


def test_drawing_waits_for_nothing():
    g = tf.random.Generator.from_seed(1)
    shape = tf.stack([tf.cast(tf.random.uniform([], 2, 3, dtype=tf.int32), tf.int32), 3])

    def run():
        g.normal([2])
        g.normal(shape)
        g.uniform([2], 0, 5, tf.int32)
        g.split(2)
        g.make_seeds(2)
        g.skip(4)
        _ = g.state, g.key

    assert waits(run) == 0


@pytest.mark.parametrize(
    ("run", "error"),
    [
        (lambda: tf.random.Generator(), ValueError),
        (lambda: tf.random.Generator.from_state([1, 2], "philox"), ValueError),
        (lambda: tf.random.Generator.from_state([1.0, 2.0, 3.0], "philox"), TypeError),
        (lambda: tf.random.Generator.from_key_counter(1, 2, "philox"), ValueError),
        (lambda: tf.random.Generator.from_seed(1, alg="threefry"), ValueError),
        (lambda: tf.random.Generator.from_seed(1).uniform([2], 0, None, tf.int32), ValueError),
        (lambda: tf.random.Generator.from_seed(1).uniform([2], dtype=tf.bool), ValueError),
    ],
)
def test_generator_errors(run, error):
    with pytest.raises(error):
        run()
