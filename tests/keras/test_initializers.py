"""Initializers: their distributions against formulas, what a seed fixes, and that nothing waits."""

import math

import numpy as np
import pytest
from scipy import stats

import client as tf
from tests.client.waiting import remote, waits

I = tf.keras.initializers  # noqa: E741
SHAPE = (100, 400)
CUT = stats.truncnorm(-2, 2)


def normal(mean, deviation):
    return stats.norm(mean, deviation)


def uniform(low, high):
    return stats.uniform(low, high - low)


def truncated(mean, deviation):
    """A normal distribution with this deviation before it is cut at two of them."""
    return stats.truncnorm(-2, 2, mean, deviation)


def scaled(distribution, variance):
    """What VarianceScaling promises: mean 0 and a variance, exactly."""
    if distribution == "uniform":
        limit = math.sqrt(3 * variance)
        return uniform(-limit, limit)
    if distribution == "untruncated_normal":
        return normal(0, math.sqrt(variance))
    return truncated(0, math.sqrt(variance) / CUT.std())


# An initializer's class, its arguments, and the distribution of the values of a (100, 400) matrix.
DISTRIBUTIONS = [
    (I.RandomNormal, {}, normal(0, 0.05)),
    (I.RandomNormal, {"mean": 3.0, "stddev": 2.0}, normal(3, 2)),
    (I.RandomUniform, {}, uniform(-0.05, 0.05)),
    (I.RandomUniform, {"minval": 1.0, "maxval": 4.0}, uniform(1, 4)),
    (I.TruncatedNormal, {}, truncated(0, 0.05)),
    (I.TruncatedNormal, {"mean": -1.0, "stddev": 0.5}, truncated(-1, 0.5)),
    (I.VarianceScaling, {}, scaled("truncated_normal", 1 / 100)),
    (I.VarianceScaling, {"scale": 3.0, "mode": "fan_out"}, scaled("truncated_normal", 3 / 400)),
    (I.VarianceScaling, {"mode": "fan_avg", "distribution": "uniform"}, scaled("uniform", 1 / 250)),
    (I.VarianceScaling, {"distribution": "untruncated_normal"}, scaled("untruncated_normal", 1 / 100)),
    (I.VarianceScaling, {"distribution": "NORMAL"}, scaled("truncated_normal", 1 / 100)),
    (I.VarianceScaling, {"input_axes": [1], "output_axes": [0]}, scaled("truncated_normal", 1 / 400)),
    (I.GlorotNormal, {}, scaled("truncated_normal", 2 / 500)),
    (I.GlorotUniform, {}, uniform(-math.sqrt(6 / 500), math.sqrt(6 / 500))),
    (I.HeNormal, {}, scaled("truncated_normal", 2 / 100)),
    (I.HeUniform, {}, uniform(-math.sqrt(6 / 100), math.sqrt(6 / 100))),
    (I.HeUniform, {"input_axes": (1,), "output_axes": (0,)}, uniform(-math.sqrt(6 / 400), math.sqrt(6 / 400))),
    (I.LecunNormal, {}, scaled("truncated_normal", 1 / 100)),
    (I.LecunUniform, {}, uniform(-math.sqrt(3 / 100), math.sqrt(3 / 100))),
]
by_distribution = pytest.mark.parametrize(
    ("kind", "options", "expected"), DISTRIBUTIONS, ids=[f"{k.__name__}-{o}" for k, o, _ in DISTRIBUTIONS]
)


@by_distribution
def test_distributions(kind, options, expected):
    with waits(0):
        drawn = kind(**options, seed=11)(SHAPE)
    assert drawn.dtype == tf.float32 and tuple(drawn.shape) == SHAPE
    values = drawn.numpy().astype(np.float64).ravel()
    error = expected.std() / math.sqrt(values.size)
    assert abs(values.mean() - expected.mean()) < 4 * error
    np.testing.assert_allclose(values.std(), expected.std(), rtol=0.02)
    low, high = expected.support()
    assert values.min() >= low - 1e-6 and values.max() <= high + 1e-6
    assert stats.kstest(values, expected.cdf).pvalue > 1e-3


@by_distribution
def test_a_seed_fixes_the_values(kind, options, expected):
    first = kind(**options, seed=5)
    values = first((3, 4)).numpy()
    np.testing.assert_array_equal(first((3, 4)).numpy(), values)
    np.testing.assert_array_equal(kind(**options, seed=np.int64(5))((3, 4)).numpy(), values)
    tf.random.set_seed(99)
    np.testing.assert_array_equal(kind.from_config(first.get_config())((3, 4)).numpy(), values)
    assert (kind(**options, seed=6)((3, 4)).numpy() != values).any()


def make_several():
    return [draw((2, 5)).numpy() for draw in (I.GlorotUniform(), I.HeNormal(), I.RandomNormal(), I.Orthogonal())]


@pytest.mark.parametrize("fix", [tf.random.set_seed, tf.keras.utils.set_random_seed])
def test_the_global_seed_fixes_those_without_their_own(fix):
    fix(3)
    first = make_several()
    other = make_several()
    fix(3)
    for a, b, c in zip(first, other, make_several(), strict=True):
        np.testing.assert_array_equal(a, c)
        assert (a != b).any()


def test_without_a_seed_each_call_draws_anew():
    draw = I.GlorotNormal()
    assert (draw((4, 4)).numpy() != draw((4, 4)).numpy()).any()
    assert draw.get_config()["seed"] is None


@pytest.mark.parametrize("seed", [-1, 2**31, 2**63, -(2**63), 2**100])
def test_any_integer_is_a_seed(seed):
    assert np.isfinite(I.RandomNormal(seed=seed)((3,)).numpy()).all()


@pytest.mark.parametrize("seed", ["a", 1.5, [1]])
def test_other_seeds_are_refused(seed):
    with pytest.raises(ValueError, match="`seed` argument should be an integer"):
        I.GlorotUniform(seed=seed)


# Shapes with their fan-in and fan-out: (rows, columns), and a convolution's window counts for both.
@pytest.mark.parametrize(
    ("shape", "fan_in", "fan_out"),
    [((), 1, 1), ((7,), 7, 7), ((7, 9), 7, 9), ((3, 7, 9), 21, 27), ((3, 5, 7, 9), 105, 135),
     ((2, 3, 5, 7, 9), 210, 270)],
)  # fmt: skip
def test_fans(shape, fan_in, fan_out):
    for mode, n in (("fan_in", fan_in), ("fan_out", fan_out), ("fan_avg", (fan_in + fan_out) / 2)):
        values = I.VarianceScaling(mode=mode, distribution="uniform", seed=1)(shape).numpy()
        unit = I.RandomUniform(-1.0, 1.0, seed=1)(shape).numpy()
        np.testing.assert_allclose(values, unit * math.sqrt(3 / n), rtol=1e-5, atol=1e-7)


def test_nothing_and_other_dtypes():
    for kind, options, _ in DISTRIBUTIONS:
        draw = kind(**options)
        assert draw((0, 3)).numpy().shape == (0, 3)
        for dtype in ("float16", "float64", tf.float64):
            assert draw((2, 3), dtype=dtype).dtype == dtype
    with pytest.raises(ValueError, match="Accepted dtypes are"):
        I.RandomNormal()((2,), dtype="int32")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"scale": 0.0}, "Argument `scale` must be positive float"),
        ({"scale": -1.0}, "Argument `scale` must be positive float"),
        ({"mode": "fan"}, "Invalid `mode` argument: fan"),
        ({"distribution": "cauchy"}, "Invalid `distribution` argument: cauchy"),
    ],
)
def test_variance_scaling_refuses(options, text):
    with pytest.raises(ValueError, match=text):
        I.VarianceScaling(**options)


def test_constants():
    with waits(0):
        found = [
            I.Zeros()((2, 3)),
            I.Ones()((2,), dtype="int32"),
            I.Constant()((2,)),
            I.Constant(2.5)((1, 2)),
            I.Constant(7)((2,), dtype="int64"),
            I.Constant(True)((2,), dtype="bool"),
            I.Constant([1.0, 2.0])((2, 2)),
            I.Constant(remote(4.0))((2,)),
            I.Identity()((2, 3)),
            I.IdentityInitializer(gain=2.0)((2, 2), dtype="float64"),
            I.Zeros()(tf.TensorShape([0, 2])),
        ]
    expected = [
        np.zeros((2, 3), "float32"), np.ones(2, "int32"), np.zeros(2, "float32"), np.full((1, 2), 2.5, "float32"),
        np.full(2, 7, "int64"), np.ones(2, bool), np.array([[1, 2], [1, 2]], "float32"), np.full(2, 4, "float32"),
        np.eye(2, 3, dtype="float32"), 2 * np.eye(2), np.zeros((0, 2), "float32"),
    ]  # fmt: skip
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.numpy(), b, strict=True)
    with pytest.raises(ValueError, match=r"can only be used for 2D matrices. Received: shape=\(2, 3, 4\) of rank 3"):
        I.Identity()((2, 3, 4))


@pytest.mark.parametrize("shape", [(5, 5), (3, 8), (8, 3), (2, 3, 4), (3, 3, 2, 50), (0, 2), (1, 1)])
@pytest.mark.parametrize("gain", [1.0, 2.5])
def test_orthogonal(shape, gain):
    with waits(0):
        drawn = I.Orthogonal(gain, seed=3)(shape, dtype="float64")
    matrix = drawn.numpy().reshape(-1, shape[-1])
    rows, columns = matrix.shape
    product = matrix @ matrix.T if rows < columns else matrix.T @ matrix
    if 0 not in shape:
        np.testing.assert_allclose(product, gain**2 * np.eye(min(rows, columns)), atol=1e-12)
    assert drawn.numpy().shape == shape


def test_orthogonal_matrices_are_uniform():
    """The top left element of a random 3 x 3 rotation or reflection is uniform between -1 and 1 (Archimedes)."""
    drawn = tf.stack([I.Orthogonal(seed=s)((3, 3)) for s in range(400)])
    assert stats.kstest(drawn[:, 0, 0].numpy(), stats.uniform(-1, 2).cdf).pvalue > 1e-3
    assert stats.kstest(drawn[:, 2, 1].numpy(), stats.uniform(-1, 2).cdf).pvalue > 1e-3


def test_orthogonal_needs_two_axes():
    with pytest.raises(ValueError, match=r"must be at least two-dimensional. Received: shape=\(3,\) of rank 1"):
        I.Orthogonal()((3,))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("zeros", I.Zeros), ("zero", I.Zeros), ("Zeros", I.Zeros), ("ones", I.Ones), ("one", I.Ones),
        ("constant", I.Constant), ("identity", I.Identity), ("IdentityInitializer", I.Identity),
        ("normal", I.RandomNormal), ("random_normal", I.RandomNormal), ("uniform", I.RandomUniform),
        ("random_uniform", I.RandomUniform), ("truncated_normal", I.TruncatedNormal),
        ("variance_scaling", I.VarianceScaling), ("glorot_normal", I.GlorotNormal),
        ("glorot_uniform", I.GlorotUniform), ("GlorotUniform", I.GlorotUniform), ("he_normal", I.HeNormal),
        ("he_uniform", I.HeUniform), ("lecun_normal", I.LecunNormal), ("lecun_uniform", I.LecunUniform),
        ("orthogonal", I.Orthogonal), ("OrthogonalInitializer", I.Orthogonal),
    ],
)  # fmt: skip
def test_names(name, kind):
    assert type(I.get(name)) is kind
    assert getattr(I, name, kind) is kind


def test_get():
    assert I.get(None) is None
    assert type(I.get(I.HeNormal)) is I.HeNormal
    made = I.Ones()
    assert I.get(made) is made
    assert I.get(np.zeros) is np.zeros
    for wrong in ("nope", 3, [1.0]):
        with pytest.raises(ValueError, match="Could not interpret initializer identifier"):
            I.get(wrong)


@pytest.mark.parametrize("convert", [np.asarray, tf.constant])
def test_arrays_and_tensors_stand_for_their_value(convert):
    given = convert(np.arange(6.0).reshape(2, 3))
    draw = I.get(given)
    shape = tuple(given.shape)
    np.testing.assert_array_equal(draw(shape, dtype="float32").numpy(), np.arange(6, dtype="float32").reshape(shape))
    with pytest.raises(ValueError, match=r"Expected `shape` to be .* for direct tensor as initializer"):
        draw((6, 1))


@pytest.mark.parametrize(
    "made",
    [
        I.Zeros(), I.Ones(), I.Constant(2.0), I.Constant(np.arange(3.0)), I.Identity(3.0), I.RandomNormal(1.0, 2.0, 3),
        I.RandomUniform(1.0, 2.0, 3), I.TruncatedNormal(1.0, 2.0, 3), I.Orthogonal(2.0, 3), I.GlorotUniform(7),
        I.VarianceScaling(2.0, "fan_out", "uniform", 5, [0], [1]), I.HeNormal(4, [1], [0]),
    ],
    ids=lambda made: type(made).__name__,
)  # fmt: skip
def test_configurations_make_the_same_again(made):
    config = I.serialize(made)
    assert config["class_name"] == type(made).__name__
    again = I.deserialize(config)
    assert type(again) is type(made) and again is not made
    assert again.get_config() == made.get_config() == made.clone().get_config()
    np.testing.assert_array_equal(again((3, 3)).numpy(), made((3, 3)).numpy())


def test_configurations_are_keras():
    assert I.VarianceScaling().get_config() == {
        "seed": None, "scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal", "input_axes": None,
        "output_axes": None,
    }  # fmt: skip
    assert I.GlorotUniform(seed=1).get_config() == {"seed": 1, "input_axes": None, "output_axes": None}
    assert I.Orthogonal().get_config() == {"seed": None, "gain": 1.0}
    assert I.RandomNormal().get_config() == {"mean": 0.0, "stddev": 0.05, "seed": None}
    assert I.RandomUniform().get_config() == {"minval": -0.05, "maxval": 0.05, "seed": None}


def test_own_initializers():
    class Counting(I.Initializer):
        def __call__(self, shape, dtype=None):
            return tf.reshape(tf.range(float(math.prod(shape))), shape)

    layer = tf.keras.layers.Dense(2, kernel_initializer=Counting(), bias_initializer=np.array([5.0, 6.0]))
    layer.build((None, 3))
    np.testing.assert_array_equal(layer.kernel.numpy(), np.arange(6).reshape(3, 2))
    np.testing.assert_array_equal(layer.bias.numpy(), [5, 6])
    with pytest.raises(NotImplementedError):
        I.Initializer()((2,))
