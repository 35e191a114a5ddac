"""`tf.Variable`: names, changes as a whole, of slices and of rows, and what a tape sees of them."""

import copy

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits


def test_slices_can_be_assigned():
    v = tf.Variable(np.zeros((4, 3), np.float32))
    expected = np.zeros((4, 3), np.float32)
    with waits(0):
        v[0].assign([1.0, 2.0, 3.0])
        v[1:, 0].assign(5.0)
        v[..., -1].assign(remote([6.0, 7.0, 8.0, 9.0]))
        v[remote(2)].assign([0.5, 0.5, 0.5])
        v[::-2, tf.newaxis].assign(tf.constant([[[4.0, 4.0, 4.0]], [[3.0, 3.0, 3.0]]]))
    expected[0] = [1, 2, 3]
    expected[1:, 0] = 5
    expected[..., -1] = [6, 7, 8, 9]
    expected[2] = 0.5
    expected[::-2] = [[4], [3]]
    assert np.array_equal(v, expected)
    assert v[0].assign([0.0, 0.0, 0.0]) is v


def test_slice_assignment_errors():
    v = tf.Variable(np.zeros((4, 3), np.float32))
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"Cannot broadcast input shape \[2\] into final"):
        v[0].assign([7.0, 7.0])
    with pytest.raises(AttributeError, match="object has no attribute 'assign'"):
        (v * 1.0)[0].assign(1.0)
    with pytest.raises(AttributeError):
        v[0].assign_add(1.0)
    with pytest.raises(TypeError):
        v[0] = 1.0
    with pytest.raises((TypeError, ValueError)):
        v[0].assign(tf.constant([1, 2, 3]))


SCATTERS = {
    "update": lambda old, new: new,
    "add": np.add,
    "sub": np.subtract,
    "max": np.maximum,
    "min": np.minimum,
}


@pytest.mark.parametrize("how", SCATTERS)
def test_scatters(how):
    start = np.arange(12, dtype=np.float32).reshape(4, 3)
    v = tf.Variable(start)
    expected = start.copy()
    rows = tf.IndexedSlices(tf.constant([[5.0, 5.0, 5.0], [1.0, 9.0, 2.0]]), tf.constant([3, 1]))
    with waits(0):
        assert getattr(v, f"scatter_nd_{how}")([[0, 1], [2, 2]], [4.0, 0.5]) is v
        getattr(v, f"scatter_{how}")(rows)
    for place, new in (((0, 1), 4.0), ((2, 2), 0.5), (3, [5, 5, 5]), (1, [1, 9, 2])):
        expected[place] = SCATTERS[how](expected[place], new)
    assert np.array_equal(v, expected)
    with pytest.raises(TypeError, match="`sparse_delta` must be"):
        v.scatter_add(tf.ones([4, 3]))


def test_reading_rows():
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    assert v.gather_nd([[0, 1], [1, 0]]).numpy().tolist() == [2.0, 3.0]
    assert v.sparse_read([1]).numpy().tolist() == [[3.0, 4.0]]


def test_changes_are_no_part_of_a_gradient():
    v = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        y = v * v
        v[0].assign(10.0)
        v.scatter_nd_add([[1]], [5.0])
        z = y + v
    assert tape.gradient(z, v).numpy().tolist() == [3.0, 5.0]
    assert v.numpy().tolist() == [10.0, 7.0]


def test_names():
    with tf.name_scope("outer"), tf.name_scope("inner"):
        v = tf.Variable(1.0, name="w")
    assert v.name == "outer/inner/w:0" and tf.Variable(1.0).name == "Variable:0"
    assert repr(v) == "<tf.Variable 'outer/inner/w:0' shape=() dtype=float32, numpy=1.0>"


def test_a_deep_copy_is_a_variable_of_its_own():
    v = tf.Variable([1.0, 2.0])
    w = copy.deepcopy(v)
    v.assign([3.0, 4.0])
    assert w.numpy().tolist() == [1.0, 2.0]


def test_it_is_deleted_with_its_last_reference():
    tf.sync()
    before = tf.stats()["server_tensors"]
    v = tf.Variable(tf.zeros([10]))
    tf.sync()
    assert tf.stats()["server_tensors"] == before + 1
    del v
    tf.sync()
    tf.sync()
    assert tf.stats()["server_tensors"] == before
