"""What values come back: every dtype and shape, bit by bit, random generators and the positions of iterators."""

import ml_dtypes
import numpy as np

from tests.peers.checkpoints.programs import claims, program, raised, saved, values

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
FLOATS = ("float16", "float32", "float64")
SHAPES = ((), (0,), (1,), (3, 0, 2), (2, 1, 3), (1, 1, 1, 1, 2), (1000,))


def bits(value):
    """A value's bytes, so that NaN and -0 count."""
    array = np.asarray(value)
    return [array.dtype.name, array.shape, array.tobytes()]


def returns(tf, folder, arrays):
    """Whether each array comes back as it was, bit by bit, and what came of its shape and dtype."""
    made = {f"v{i}": tf.Variable(tf.constant(each)) for i, each in enumerate(arrays)}
    path = saved(tf, folder, **made)
    found = {name: tf.Variable(tf.zeros(v.shape, v.dtype)) for name, v in made.items()}
    status = tf.train.Checkpoint(**found).restore(path)
    return [bits(v.numpy()) == bits(each) for v, each in zip(found.values(), arrays, strict=True)], claims(status)


@program
def integers(tf, folder):
    arrays = [np.array([np.iinfo(t).min, 0, 1, np.iinfo(t).max], t) for t in INTEGERS]
    return {"found": returns(tf, folder, arrays)}


@program
def floats(tf, folder):
    made = []
    for name in FLOATS:
        limits = np.finfo(name)
        special = [0.0, -0.0, np.inf, -np.inf, np.nan, limits.max, limits.tiny, limits.smallest_subnormal, 0.1]
        made.append(np.array(special, name))
    return {"found": returns(tf, folder, made)}


@program
def brain_floats(tf, folder):
    made = np.array([0.0, -0.0, np.inf, np.nan, 1.0 / 3.0, 3e38], ml_dtypes.bfloat16)
    return {"found": returns(tf, folder, [made, made.reshape(2, 3), made[0]])}


@program
def booleans_and_complex(tf, folder):
    pairs = np.array([1 + 2j, complex(np.inf, -0.0), complex(np.nan, 1.0)])
    arrays = [np.array([True, False]), np.array(True), pairs.astype(np.complex64), pairs.reshape(3, 1)]
    return {"found": returns(tf, folder, arrays)}


@program
def shapes(tf, folder):
    arrays = [np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape) for shape in SHAPES]
    return {"found": returns(tf, folder, arrays)}


@program
def many_variables(tf, folder):
    same, asserted = returns(tf, folder, [np.float32(i) for i in range(300)])
    return {"same": all(same), "claims": asserted}


@program
def a_large_one_between_small_ones(tf, folder):
    large = np.random.default_rng(1).normal(size=(700, 800)).astype(np.float32)
    return {"found": returns(tf, folder, [np.float32(1), large, np.int8(2), large[:1]])}


@program
def variables_that_are_not_trained(tf, folder):
    path = saved(tf, folder, v=tf.Variable(1.0, trainable=False))
    v = tf.Variable(0.0, trainable=False)
    tf.train.Checkpoint(v=v).restore(path)
    return {"value": values(v), "trainable": v.trainable}


@program
def what_is_done_after_the_save_is_not_in_it(tf, folder):
    v = tf.Variable(tf.ones([3]))
    checkpoint = tf.train.Checkpoint(v=v)
    path = checkpoint.save(str(folder / "c"))
    for _ in range(5):
        v.assign_add([1.0, 2.0, 3.0])
    checkpoint.restore(path)
    return {"value": values(v)}


@program
def tapes_see_the_restored_value(tf, folder):
    v = tf.Variable(3.0)
    checkpoint = tf.train.Checkpoint(v=v)
    path = checkpoint.save(str(folder / "c"))
    v.assign(10.0)
    with tf.GradientTape() as tape:
        before = v * v
    checkpoint.restore(path)
    with tf.GradientTape() as again:
        after = v * v
    return {"gradients": [tape.gradient(before, v).numpy(), again.gradient(after, v).numpy()]}


@program
def random_generators(tf, folder):
    generator = tf.random.Generator.from_seed(1234)
    generator.normal([3])
    checkpoint = tf.train.Checkpoint(generator=generator)
    path = checkpoint.save(str(folder / "c"))
    first = [generator.normal([2, 3]).numpy(), generator.uniform([5]).numpy()]
    status = checkpoint.restore(path)
    again = [generator.normal([2, 3]).numpy(), generator.uniform([5]).numpy()]
    other = tf.random.Generator.from_seed(99)
    second = tf.train.Checkpoint(generator=other).restore(path)
    moved = [other.normal([2, 3]).numpy(), other.uniform([5]).numpy()]
    return {
        "again": [np.array_equal(x, y) for x, y in zip(first, again, strict=True)],
        "another": [np.array_equal(x, y) for x, y in zip(first, moved, strict=True)],
        "claims": [claims(status), claims(second)],
    }


@program
def random_generators_attached_later(tf, folder):
    generator = tf.random.Generator.from_seed(7)
    generator.uniform([10])
    path = saved(tf, folder, generator=generator)
    expected = generator.uniform([4]).numpy()
    checkpoint = tf.train.Checkpoint()
    status = checkpoint.restore(path)
    checkpoint.generator = other = tf.random.Generator.from_seed(8)
    return {"same": np.array_equal(expected, other.uniform([4]).numpy()), "claims": claims(status)}


def positions(tf, folder, make, skipped, wanted=4):
    """The next elements after the save, those after a restore, and those of another iterator restored."""

    def take(iterator):
        return [np.asarray(x).tolist() for x, _ in zip(iterator, range(wanted), strict=False)]

    iterator = iter(make(tf.data.Dataset))
    for _ in range(skipped):
        next(iterator)
    checkpoint = tf.train.Checkpoint(iterator=iterator)
    path = checkpoint.save(str(folder / "c"))
    first = take(iterator)
    status = checkpoint.restore(path)
    again = take(iterator)
    other = iter(make(tf.data.Dataset))
    second = tf.train.Checkpoint(iterator=other).restore(path)
    return first, again, take(other), [claims(status), claims(second)]


@program
def positions_of_iterators(tf, folder):
    made = {
        "range": lambda d: d.range(10),
        "batch": lambda d: d.range(20).batch(2),
        "repeat": lambda d: d.range(3).repeat(),
        "map": lambda d: d.range(10).map(lambda x: x * x),
        "zip": lambda d: d.zip((d.range(9), d.range(10, 19))).map(lambda a, b: a + b),
        "concatenate": lambda d: d.range(4).concatenate(d.range(10, 14)),
        "skip and take": lambda d: d.range(10).skip(2).take(5),
        "prefetch": lambda d: d.range(10).batch(2).prefetch(2),
        "filter": lambda d: d.range(20).filter(lambda x: x % 2 == 0),
        "interleave": lambda d: d.range(3).interleave(lambda x: d.range(3).map(lambda y: x * 10 + y), cycle_length=2),
        "window": lambda d: d.range(12).batch(3).unbatch(),
        "arrays": lambda d: d.from_tensor_slices(np.arange(12.0).reshape(6, 2)),
        "enumerate": lambda d: d.range(5, 12).enumerate().map(lambda i, x: i * 100 + x),
        "scan": lambda d: d.range(9).scan(np.int64(0), lambda s, x: (s + x, s + x)),
    }
    found = {}
    for name, make in made.items():
        (folder / name).mkdir()
        first, again, other, asserted = positions(tf, folder / name, make, 3)
        found[name] = [first, again == first, other == first, asserted]
    return found


@program
def positions_of_shuffled_iterators(tf, folder):
    made = {
        "shuffle": lambda d: d.range(30).shuffle(8, seed=3),
        "batched": lambda d: d.range(30).shuffle(30, seed=3).batch(4),
        "once": lambda d: d.range(12).shuffle(12, seed=5, reshuffle_each_iteration=False).repeat(2),
        "each time": lambda d: d.range(6).shuffle(6, seed=5).repeat(3).batch(2),
        "after batches": lambda d: d.range(40).batch(2).shuffle(5, seed=1).prefetch(1),
    }
    found = {}
    for name, make in made.items():
        (folder / name).mkdir()
        first, again, _, asserted = positions(tf, folder / name, make, 5)
        found[name] = [again == first, len(first), asserted]
    return found


@program
def iterators_at_their_end(tf, folder):
    iterator = iter(tf.data.Dataset.range(3))
    checkpoint = tf.train.Checkpoint(iterator=iterator)
    paths = [checkpoint.save(str(folder / "c"))]
    for _ in range(3):
        next(iterator)
    paths.append(checkpoint.save(str(folder / "c")))
    found = [next(iterator, None) is None]
    paths.append(checkpoint.save(str(folder / "c")))
    for path in paths:
        checkpoint.restore(path)
        found.append([int(x) for x in iterator])
    return {"found": found}


@program
def iterators_attached_later(tf, folder):
    dataset = tf.data.Dataset.range(10).batch(3)
    iterator = iter(dataset)
    next(iterator)
    path = saved(tf, folder, parts={"iterators": [iterator]})
    checkpoint = tf.train.Checkpoint(parts={"iterators": []})
    status = checkpoint.restore(path)
    other = iter(dataset)
    checkpoint.parts["iterators"].append(other)
    return {"next": next(other).numpy(), "claims": claims(status)}


@program
def two_iterators_of_a_dataset(tf, folder):
    dataset = tf.data.Dataset.range(10)
    one, two = iter(dataset), iter(dataset)
    for _ in range(4):
        next(one)
    next(two)
    checkpoint = tf.train.Checkpoint(one=one, two=two)
    path = checkpoint.save(str(folder / "c"))
    next(one), next(two)
    checkpoint.restore(path)
    return {"next": [int(next(one)), int(next(two))]}


@program
def datasets_have_no_state(tf, folder):
    path = saved(tf, folder, dataset=tf.data.Dataset.range(3), v=tf.Variable(1.0))
    v = tf.Variable(0.0)
    status = tf.train.Checkpoint(dataset=tf.data.Dataset.range(3), v=v).restore(path)
    return {"value": values(v), "claims": claims(status)}


def refuses(checkpoint, path):
    """Whether a restore, or the claim that it restored everything, fails."""
    return raised(lambda: checkpoint.restore(path).assert_consumed()) is not None


@program
def objects_where_others_were(tf, folder):
    made = {
        "variable": lambda: tf.Variable(1.0),
        "iterator": lambda: iter(tf.data.Dataset.range(3)),
        "module": tf.Module,
    }
    found = {}
    for old in ("variable", "iterator"):
        path = saved(tf, folder, x=made[old](), v=tf.Variable(1.0))
        for new in made:
            if new != old:
                checkpoint = tf.train.Checkpoint(x=made[new](), v=tf.Variable(0.0))
                found[f"{old}, {new}"] = refuses(checkpoint, path)
    return {"refused": found}
