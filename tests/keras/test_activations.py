"""Activations against their formulas in NumPy, at special points too, and finding them by name."""

import warnings

import numpy as np
import pytest
from scipy import special

import client as tf
from tests.client.waiting import remote, waits

A = tf.keras.activations
X = np.array([-7.0, -3.0, -2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0, 3.0, 7.0], np.float32)
INF = np.float32(np.inf)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


# An activation, its arguments, and the same in double precision.
FORMULAS = [
    ("relu", {}, relu),
    ("relu", {"max_value": 2.0}, lambda x: np.clip(x, 0, 2)),
    ("relu", {"max_value": 6}, lambda x: np.clip(x, 0, 6)),
    ("relu", {"negative_slope": 0.25}, lambda x: np.where(x > 0, x, x / 4)),
    ("relu", {"threshold": 1.0}, lambda x: np.where(x > 1, x, 0)),
    ("relu", {"threshold": -1.0}, lambda x: np.where(x > -1, x, 0)),
    ("relu", {"threshold": 1.0, "max_value": 2.0}, lambda x: np.where(x > 1, np.minimum(x, 2), 0)),
    ("relu", {"negative_slope": 0.1, "max_value": 2.0}, lambda x: np.where(x > 0, np.minimum(x, 2), 0.1 * x)),
    ("relu", {"negative_slope": 0.1, "max_value": 6}, lambda x: np.where(x > 0, np.minimum(x, 6), 0.1 * x)),
    ("relu", {"negative_slope": 0.1, "threshold": 1.0}, lambda x: np.where(x > 1, x, 0.1 * (x - 1))),
    # Keras clips before it adds the slope, so that a negative threshold leaves zeros up to 0.
    ("relu", {"negative_slope": 0.1, "threshold": -1.0, "max_value": 2.0},
     lambda x: np.clip(x, 0, 2) - 0.1 * relu(-1 - x)),
    ("leaky_relu", {}, lambda x: np.where(x > 0, x, 0.2 * x)),
    ("leaky_relu", {"negative_slope": 0.5}, lambda x: np.where(x > 0, x, 0.5 * x)),
    ("relu6", {}, lambda x: np.clip(x, 0, 6)),
    ("elu", {}, lambda x: np.where(x > 0, x, np.expm1(x))),
    ("elu", {"alpha": 0.5}, lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    ("selu", {}, lambda x: 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))),
    ("celu", {}, lambda x: relu(x) + np.expm1(np.minimum(x, 0))),
    ("celu", {"alpha": 0.5}, lambda x: relu(x) + 0.5 * np.expm1(np.minimum(x, 0) / 0.5)),
    ("gelu", {}, lambda x: x * special.ndtr(x)),
    ("gelu", {"approximate": True}, lambda x: x / 2 * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))),
    ("silu", {}, lambda x: x * sigmoid(x)),
    ("swish", {}, lambda x: x * sigmoid(x)),
    ("mish", {}, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    ("softplus", {}, lambda x: np.log1p(np.exp(x))),
    ("softsign", {}, lambda x: x / (1 + np.abs(x))),
    ("sigmoid", {}, sigmoid),
    ("hard_sigmoid", {}, lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    ("hard_silu", {}, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    ("hard_swish", {}, lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    ("log_sigmoid", {}, lambda x: -np.log1p(np.exp(-x))),
    ("tanh", {}, np.tanh),
    ("exponential", {}, np.exp),
    ("linear", {}, lambda x: x),
    ("sparse_plus", {}, lambda x: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x))),
    ("sparse_sigmoid", {}, lambda x: np.clip((x + 1) / 2, 0, 1)),
    ("squareplus", {}, lambda x: (x + np.sqrt(x**2 + 4)) / 2),
    ("squareplus", {"b": 1}, lambda x: (x + np.sqrt(x**2 + 1)) / 2),
    ("soft_shrink", {}, lambda x: np.sign(x) * relu(np.abs(x) - 0.5)),
    ("soft_shrink", {"threshold": 2.0}, lambda x: np.sign(x) * relu(np.abs(x) - 2)),
    ("hard_shrink", {}, lambda x: np.where(np.abs(x) > 0.5, x, 0)),
    ("hard_shrink", {"threshold": 2.0}, lambda x: np.where(np.abs(x) > 2, x, 0)),
    ("hard_tanh", {}, lambda x: np.clip(x, -1, 1)),
    ("tanh_shrink", {}, lambda x: x - np.tanh(x)),
    ("threshold", {"threshold": 0.5, "default_value": -9.0}, lambda x: np.where(x > 0.5, x, -9)),
    ("softmax", {}, special.softmax),
    ("log_softmax", {}, special.log_softmax),
]  # fmt: skip
by_formula = pytest.mark.parametrize(("name", "options", "formula"), FORMULAS, ids=[f"{n}-{o}" for n, o, _ in FORMULAS])


@by_formula
def test_values(name, options, formula):
    expected = formula(X.astype(np.float64))
    with waits(0):
        found = getattr(A, name)(remote(X), **options)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found.numpy(), expected, rtol=2e-6, atol=2e-7)


@by_formula
def test_lists_doubles_variables_and_nothing(name, options, formula):
    function = getattr(A, name)
    expected = formula(X.astype(np.float64))
    if name != "linear":
        np.testing.assert_allclose(function(X.tolist(), **options).numpy(), expected, rtol=2e-6, atol=2e-7)
    double = function(tf.constant(X, tf.float64), **options)
    assert double.dtype == tf.float64
    np.testing.assert_allclose(double.numpy(), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(function(tf.Variable(X), **options), expected, rtol=2e-6, atol=2e-7)
    assert tuple(function(tf.zeros([3, 0]), **options).shape) == (3, 0)


@by_formula
def test_gradients(name, options, formula):
    at = np.array([-6.5, -2.75, -1.75, -0.75, -0.3, 0.3, 0.75, 1.75, 2.75, 6.5])  # no kinks here
    weights = np.linspace(1, 2, len(at))
    x = tf.constant(at)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(getattr(A, name)(x, **options) * weights)
    step = 1e-6
    numeric = [((formula(at + d) - formula(at - d)) * weights).sum() / (2 * step) for d in step * np.eye(len(at))]
    np.testing.assert_allclose(tape.gradient(total, x).numpy(), numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("name", "nan", "up", "down"),
    [
        ("relu", np.nan, INF, 0), ("leaky_relu", np.nan, INF, -INF), ("relu6", np.nan, 6, 0),
        ("elu", np.nan, INF, -1), ("celu", np.nan, INF, -1), ("softplus", np.nan, INF, 0),
        ("sigmoid", np.nan, 1, 0), ("hard_sigmoid", np.nan, 1, 0), ("tanh", np.nan, 1, -1),
        ("hard_tanh", np.nan, 1, -1), ("hard_silu", np.nan, INF, np.nan), ("log_sigmoid", np.nan, 0, -INF),
        ("sparse_plus", np.nan, INF, 0), ("sparse_sigmoid", np.nan, 1, 0), ("squareplus", np.nan, INF, np.nan),
        ("mish", np.nan, INF, np.nan), ("hard_shrink", 0, INF, -INF), ("soft_shrink", np.nan, INF, -INF),
    ],
)  # fmt: skip
def test_values_that_are_no_numbers(name, nan, up, down):
    found = getattr(A, name)(remote([np.nan, INF, -INF])).numpy()
    np.testing.assert_array_equal(found, np.array([nan, up, down], np.float32))


def test_gradients_at_kinks():
    """As TensorFlow has them; celu has no kink at 0."""
    x = tf.constant([-3.0, -1.0, 0.0, 1.0, 3.0])
    for name, expected in (
        ("relu", [0, 0, 0, 1, 1]),
        ("sparse_sigmoid", [0, 0, 0.5, 0, 0]),
        ("sparse_plus", [0, 0, 0.5, 1, 1]),
        ("hard_tanh", [0, 1, 1, 1, 0]),
        ("hard_sigmoid", [0, 1 / 6, 1 / 6, 1 / 6, 0]),
    ):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = getattr(A, name)(x)
        np.testing.assert_allclose(tape.gradient(y, x).numpy(), expected, rtol=1e-6, err_msg=name)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = A.celu(x)
    assert tape.gradient(y, x)[2].numpy() == 1


def test_those_that_are_one_op():
    x = remote(X)
    direct = (A.relu, A.leaky_relu, A.relu6, A.elu, A.selu, A.gelu, A.silu, A.softplus, A.softsign, A.softmax,
              A.log_softmax, A.sigmoid, A.log_sigmoid, A.tanh, A.exponential)  # fmt: skip
    for function in direct:
        before = tf.stats()["ops"]
        function(x)
        assert tf.stats()["ops"] - before == 1, function


@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (-1, 1), (0, 1, 2), None])
def test_softmax_axes(axis):
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32) * 30
    np.testing.assert_allclose(A.softmax(remote(x), axis=axis).numpy(), special.softmax(x, axis), rtol=1e-5, atol=1e-9)
    np.testing.assert_allclose(
        A.log_softmax(remote(x), axis=axis).numpy(), special.log_softmax(x, axis), rtol=1e-5, atol=1e-5
    )


def test_softmax_over_one_element_warns():
    with pytest.warns(UserWarning, match=r"softmax over axis -1 of a tensor of shape \(2, 1\)"):
        found = A.softmax(tf.zeros([2, 1]))
    assert found.numpy().tolist() == [[1.0], [1.0]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        A.softmax(tf.zeros([1, 2]))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_sparsemax_is_the_projection_onto_the_simplex(axis):
    x = np.random.default_rng(1).normal(size=(4, 5))
    found = A.sparsemax(remote(x), axis=axis).numpy()
    np.testing.assert_allclose(found.sum(axis), 1)
    assert (found >= 0).all() and (found == 0).any()
    # The conditions of the nearest point: x - p is the same number wherever p > 0, and at most that elsewhere.
    moved = np.moveaxis(x - found, axis, -1)
    support = np.moveaxis(found, axis, -1) > 0
    tau = np.where(support, moved, -np.inf).max(-1, keepdims=True)
    assert (np.abs(moved - tau)[support] < 1e-12).all()
    assert (moved <= tau + 1e-12).all()


def test_sparsemax_gradient():
    x = tf.constant([2.0, 1.5, 0.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        p = A.sparsemax(x)
    jacobian = tape.jacobian(p, x).numpy()  # on the support: identity minus 1/k
    np.testing.assert_allclose(jacobian, [[0.5, -0.5, 0], [-0.5, 0.5, 0], [0, 0, 0]], atol=1e-15)


def test_glu():
    x = np.random.default_rng(2).normal(size=(4, 6)).astype(np.float32)
    np.testing.assert_allclose(A.glu(remote(x)).numpy(), x[:, :3] * sigmoid(x[:, 3:]), rtol=1e-6)
    np.testing.assert_allclose(A.glu(remote(x), axis=0).numpy(), x[:2] * sigmoid(x[2:]), rtol=1e-6)
    with pytest.raises(ValueError, match="axis size must be divisible by 2"):
        A.glu(tf.zeros([3]))


def test_get():
    assert A.get(None) is A.linear
    assert A.get("swish") is A.silu is A.swish
    assert A.get("hard_swish") is A.hard_silu
    assert A.get(abs) is abs
    assert A.get({"class_name": "function", "config": "relu"}) is A.relu
    for wrong in ("nope", 3, {"class_name": "Nope", "config": {}}):
        with pytest.raises(ValueError, match="Could not interpret activation function identifier"):
            A.get(wrong)


def test_names_and_back():
    for name in ("relu", "softmax", "linear", "sparsemax", "hard_silu", "threshold"):
        assert A.serialize(getattr(A, name)) == name
        assert A.deserialize(name) is getattr(A, name)
    assert A.serialize(A.swish) == "silu"
    with pytest.raises(ValueError, match="no name"):
        A.serialize(lambda x: x)


def test_own_activations():
    @tf.keras.utils.register_keras_serializable("tests")
    def twice(x):
        return 2 * x

    assert A.serialize(twice) == "tests>twice"
    assert A.deserialize("tests>twice") is twice
    assert A.deserialize("half", custom_objects={"half": abs}) is abs
