"""Merging layers against NumPy."""

import functools

import numpy as np
import pytest

import client as tf
from client.keras.layers import masks
from tests.client.waiting import remote, waits

L = tf.keras.layers
RNG = np.random.default_rng(6)
A, B = (RNG.normal(size=(2, 3, 4)).astype(np.float32) for _ in range(2))
C, ROW = RNG.normal(size=(2, 1, 4)).astype(np.float32), RNG.normal(size=(2, 4)).astype(np.float32)
KEEP = np.array([[True, False, True], [False, False, True]])
OTHER = np.array([[False, False, True], [True, False, True]])

JOINED = {
    "Add": lambda xs: sum(xs),
    "Multiply": lambda xs: functools.reduce(np.multiply, xs),
    "Average": lambda xs: sum(xs) / len(xs),
    "Maximum": lambda xs: functools.reduce(np.maximum, xs),
    "Minimum": lambda xs: functools.reduce(np.minimum, xs),
}


def masked(x, mask):
    """The tensor, of which a mask says what counts."""
    found = tf.identity(tf.constant(x))
    masks.put(found, tf.constant(mask))
    return found


@pytest.mark.parametrize("name", JOINED)
def test_joined(name):
    layer = getattr(L, name)()
    with waits(0):
        found = layer([remote(x) for x in (A, B, C, ROW)])
    np.testing.assert_allclose(found.numpy(), JOINED[name]([A, B, C, ROW[:, None]]), rtol=1e-5)
    np.testing.assert_array_equal(getattr(L, name.lower())([A, B]).numpy(), getattr(L, name)()([A, B]).numpy())
    np.testing.assert_array_equal(getattr(L, name)()([A]).numpy(), A)
    again = L.deserialize(L.serialize(layer))
    np.testing.assert_array_equal(again([A, B, C, ROW]).numpy(), found.numpy())
    inputs = [tf.keras.Input(s) for s in ((None, 4), (3, 1), (4,))]
    assert getattr(L, name)()(inputs).shape == (None, 3, 4)
    np.testing.assert_array_equal(getattr(L, name)()([np.zeros((0, 2))] * 2).numpy(), np.zeros((0, 2)))


def test_subtract():
    np.testing.assert_array_equal(L.Subtract()([A, C]).numpy(), A - C)
    np.testing.assert_array_equal(L.subtract([A, ROW]).numpy(), A - ROW[:, None])
    with pytest.raises(ValueError, match="exactly 2 inputs"):
        L.Subtract()([A, B, C])


def test_one_op_for_two():
    """Joining n tensors of the same rank is n - 1 ops."""
    tensors = [remote(x) for x in (A, B, A)]
    for name in ("Add", "Multiply", "Maximum"):
        layer = getattr(L, name)()
        layer(tensors)
        before = tf.stats()["ops"]
        with waits(0):
            layer(tensors)
        assert tf.stats()["ops"] - before == 2


# --- masks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Add", "Average", "Multiply", "Maximum", "Minimum"])
def test_counts_where_one_counts(name):
    with waits(0):
        found = getattr(L, name)()([masked(A, KEEP), masked(B, OTHER)])
    np.testing.assert_array_equal(masks.of(found), KEEP | OTHER)
    assert masks.of(getattr(L, name)()([masked(A, KEEP), tf.constant(B)])) is None


def test_what_does_not_count_has_no_part_in_products_and_extremes():
    """Where one of two does not count, the result is the other; a product is 0 where neither does."""
    keep, other = KEEP[..., None], OTHER[..., None]
    both, one, two = keep & other, keep & ~other, ~keep & other
    for name in ("Multiply", "Maximum", "Minimum"):
        found = getattr(L, name)()([masked(A, KEEP), masked(B, OTHER)]).numpy()
        wanted = np.select([both, one, two], [JOINED[name]([A, B]), A, B], 0.0)
        seen = np.broadcast_to(both | one | two, A.shape)
        np.testing.assert_allclose(found[seen], wanted[seen], rtol=1e-6)
        if name == "Multiply":
            assert (found[~seen] == 0).all()
        found = getattr(L, name)()([tf.constant(A), masked(B, OTHER)]).numpy()
        np.testing.assert_allclose(found, np.where(other, JOINED[name]([A, B]), A), rtol=1e-6)


def test_masks_side_by_side():
    tensors = [masked(A, KEEP), masked(B, OTHER)]
    np.testing.assert_array_equal(masks.of(L.Concatenate(1)(tensors)), np.concatenate([KEEP, OTHER], 1))
    np.testing.assert_array_equal(masks.of(L.Concatenate()(tensors)), KEEP | OTHER)
    half = masks.of(L.Concatenate(1)([masked(A, KEEP), tf.constant(B)]))
    np.testing.assert_array_equal(half, np.concatenate([KEEP, np.ones_like(KEEP)], 1))
    assert masks.of(L.Dot(2)(tensors)) is None


# --- Concatenate and Dot ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [-1, 0, 1, 2])
def test_concatenate(axis):
    layer = L.Concatenate(axis)
    with waits(0):
        found = layer([remote(A), remote(B)])
    np.testing.assert_array_equal(found.numpy(), np.concatenate([A, B], axis))
    np.testing.assert_array_equal(L.concatenate([A, B], axis=axis).numpy(), found.numpy())
    assert L.deserialize(L.serialize(layer)).axis == axis
    uneven = L.Concatenate(1)([tf.keras.Input((None, 4)), tf.keras.Input((2, 4))])
    assert uneven.shape == (None, None, 4)


DOTS = [
    ((2, 3, 4), (2, 5, 4), 2, "bij,bkj->bik"),
    ((2, 3, 4), (2, 3, 5), 1, "bij,bik->bjk"),
    ((2, 3, 4), (2, 5, 3), (1, 2), "bij,bki->bjk"),
    ((2, 3, 4), (2, 4), (2, 1), "bij,bj->bi"),
    ((2, 4), (2, 3, 4), (1, -1), "bj,bij->bi"),
    ((2, 6, 5, 4), (2, 3, 4), -1, "bhwj,bij->bhwi"),
    ((2, 4), (2, 4), 1, "bi,bi->b"),
]


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize(("first", "second", "axes", "equation"), DOTS)
def test_dot(first, second, axes, equation, normalize):
    x, y = (RNG.normal(size=s).astype(np.float32) for s in (first, second))
    layer = L.Dot(axes, normalize=normalize)
    with waits(0):
        found = layer([remote(x), remote(y)])
    a, b = (axes, axes) if isinstance(axes, int) else axes
    if normalize:
        x, y = x / np.linalg.norm(x, axis=a, keepdims=True), y / np.linalg.norm(y, axis=b, keepdims=True)
    wanted = np.einsum(equation, x, y)
    wanted = wanted[:, None] if wanted.ndim == 1 else wanted
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-5)
    again = L.deserialize(L.serialize(layer))
    assert again.get_config() == layer.get_config()
    assert layer.compute_output_shape([first, second]) == wanted.shape
    symbols = layer([tf.keras.Input(first[1:]), tf.keras.Input(second[1:])])
    assert symbols.shape == (None, *wanted.shape[1:])


def test_in_a_model():
    left, right = tf.keras.Input((4,)), tf.keras.Input((4,))
    outputs = L.Concatenate()([L.Add()([left, right]), L.Dot(1, normalize=True)([left, right])])
    model = tf.keras.Model([left, right], outputs)
    x, y = A[:, 0], B[:, 0]
    cosine = (x * y).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
    found = model([tf.constant(x), tf.constant(y)])
    np.testing.assert_allclose(found.numpy(), np.concatenate([x + y, cosine[:, None]], 1), rtol=1e-5)


WRONG = {
    "list of inputs": lambda: L.Add()(tf.constant(A)),
    "incompatible shapes": lambda: L.Multiply()([A, A[:, :2]]),
    "different batch sizes": lambda: L.Maximum()([A, A[:1]]),
    "matching shapes except for": lambda: L.Concatenate()([A, A[:, :2]]),
    "`Concatenate` layer should be called on a list": lambda: L.Concatenate()(tf.constant(A)),
    "two of them": lambda: L.Dot((1, 2, 3)),
    "an int or two": lambda: L.Dot((1, "a")),
    "axis values 3": lambda: L.Dot(1)([tf.ones((2, 3)), tf.ones((2, 4))]),
    "exactly 2": lambda: L.Dot(1)([tf.ones((2, 3))] * 3),
    "rank < 2": lambda: L.Dot(0)([tf.ones((2,)), tf.ones((2,))]),
    "over axis 0": lambda: L.Dot(0)([tf.ones((2, 3)), tf.ones((2, 3))]),
    "batch sizes. Received inputs": lambda: L.Dot(1)([tf.ones((2, 3)), tf.ones((4, 3))]),
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong(words):
    with pytest.raises(ValueError, match=words):
        WRONG[words]()


def test_axes_of_another_type():
    with pytest.raises(TypeError, match="should be a list or an int"):
        L.Dot("a")
