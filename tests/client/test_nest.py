"""`tf.nest`: what it walks, in which order, and what it says about structures that differ."""

from collections import OrderedDict, defaultdict, deque, namedtuple

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits

nest = tf.nest
Point = namedtuple("Point", "x y")
Pair = namedtuple("Pair", "x y")


@pytest.mark.parametrize(
    ("structure", "leaves"),
    [
        ({"b": 1, "a": [2, (3,)]}, [2, 3, 1]),
        (OrderedDict([("b", 1), ("a", 2)]), [2, 1]),
        (defaultdict(int, {"b": 1, "a": 2}), [2, 1]),
        (Point(1, Point(2, 3)), [1, 2, 3]),
        ([[], (), {}], []),
        (None, [None]),
        ("abc", ["abc"]),
        (b"abc", [b"abc"]),
        ({1, 2}, [{1, 2}]),
        (range(3), [0, 1, 2]),
        (deque([1, 2]), [1, 2]),
        (tf.TensorShape([1, 2]), [tf.TensorShape([1, 2])]),
        ({"b": 1, "a": 2}.items(), ["b", 1, "a", 2]),
    ],
)
def test_flatten(structure, leaves):
    assert nest.flatten(structure) == leaves


def test_arrays_and_tensors_are_leaves():
    array, tensor = np.ones(2), tf.zeros([2])
    found = nest.flatten({"x": array, "y": [tensor]})
    assert found[0] is array
    assert found[1] is tensor
    assert not nest.is_nested(array)
    assert not nest.is_nested(tensor)


def test_is_nested():
    assert all(map(nest.is_nested, ([], (), {}, Point(1, 2), deque(), {}.values())))
    assert not any(map(nest.is_nested, ("ab", b"ab", None, 1, {1}, np.ones(2))))


def test_keys_that_cannot_be_sorted_are_refused():
    with pytest.raises(TypeError, match="not supported"):
        nest.flatten({1: 2, "a": 3})


@pytest.mark.parametrize(
    "structure",
    [
        [1, (2, {"c": 3, "b": Point(4, [])})],
        OrderedDict([("b", 1), ("a", (2, 3))]),
        defaultdict(int, {"b": 1, "a": 2}),
        deque([1, [2]]),
        5,
    ],
)
def test_pack_undoes_flatten(structure):
    packed = nest.pack_sequence_as(structure, nest.flatten(structure))
    assert packed == structure
    assert type(packed) is type(structure)
    assert list(packed) == list(structure) if isinstance(structure, dict) else True


def test_packing_keeps_the_order_of_keys_but_fills_by_sorted_key():
    packed = nest.pack_sequence_as(OrderedDict([("b", 0), ("a", 0)]), [10, 20])
    assert list(packed.items()) == [("b", 20), ("a", 10)]
    assert nest.pack_sequence_as(defaultdict(list, a=0), [1]).default_factory is list
    assert nest.pack_sequence_as({"b": 1, "a": 2}.values(), [10, 20]) == [10, 20]


@pytest.mark.parametrize(
    ("structure", "flat", "error", "text"),
    [
        ([1, [2]], [3], ValueError, "Structure had 2 atoms, but flat_sequence had 1 items"),
        ([1, [2]], [3, 4, 5], ValueError, "Structure had 2 atoms, but flat_sequence had 3 items"),
        ([1, [2]], 3, TypeError, "found incompatible type `<class 'int'>` instead"),
        ([1, 2], "ab", TypeError, "found incompatible type `<class 'str'>` instead"),
        (1, [3, 4], ValueError, "nest cannot guarantee that it is safe to map one to the other"),
    ],
)
def test_pack_refuses(structure, flat, error, text):
    with pytest.raises(error, match=text):
        nest.pack_sequence_as(structure, flat)


@pytest.mark.parametrize(
    ("first", "second", "error", "text"),
    [
        ([1, 2], [1], ValueError, "don't have the same number of elements. First structure: type=list"),
        (
            [1, 2],
            [1, [2]],
            ValueError,
            r'"type=list str=\[2\]" is a sequence, while substructure "type=int str=2" is not',
        ),
        ([1], 1, ValueError, "is a sequence, while substructure"),
        ([1, 2], (1, 2), TypeError, "has type list, while second structure .* has type tuple"),
        ({"a": 1}, {"b": 1}, ValueError, r"set of keys. First structure has keys type=list str=\['a'\]"),
        ({"a": 1}, [1], TypeError, "has type dict, while second structure .* has type list"),
        (Point(1, 2), Pair(1, 2), TypeError, "has type Point, while second structure .* has type Pair"),
        (Point(1, 2), (1, 2), TypeError, "has type Point"),
        (Point(1, 2), namedtuple("Point", "x z")(1, 2), TypeError, "has type Point"),
        ([[1], [2]], [[1], (2,)], TypeError, "has type list"),
    ],
)
def test_structures_that_differ(first, second, error, text):
    with pytest.raises(error, match=text) as raised:
        nest.assert_same_structure(first, second)
    assert str(raised.value).startswith("The two structures don't have the same nested structure.\n\nFirst structure: ")
    assert "Entire first structure:\n" in str(raised.value)


def test_structures_that_are_the_same():
    nest.assert_same_structure({"a": 1}, OrderedDict(a=2))
    nest.assert_same_structure({"a": 1}, defaultdict(int, a=2))
    nest.assert_same_structure(Point(1, 2), namedtuple("Point", "x y")(3, 4))
    nest.assert_same_structure([1, 2], (1, 2), check_types=False)
    nest.assert_same_structure({"a": 1}, {"b": 1}, check_types=False)
    nest.assert_same_structure(1, "x")


def test_the_form_in_an_error():
    with pytest.raises(ValueError) as raised:
        nest.assert_same_structure([1, {"a": (2,)}], [1])
    assert str(raised.value).endswith("Entire first structure:\n[., {'a': (.,)}]\nEntire second structure:\n[.]")


def test_an_error_shows_tensors_without_reading_them():
    with waits(0), pytest.raises(ValueError, match=r"type=list str=\[<float32\[2\]>\]"):
        nest.assert_same_structure([remote([1.0, 2.0])], [])


def test_map_structure():
    assert nest.map_structure(lambda x: x + 1, 1) == 2
    assert nest.map_structure(lambda x, y: x + y, {"b": 1, "a": 2}, {"a": 3, "b": 4}) == {"b": 5, "a": 5}
    assert nest.map_structure(lambda x: x + 1, Point(1, [2])) == Point(2, [3])
    assert nest.map_structure(lambda x, y: x + y, [1, 2], (3, 4), check_types=False) == [4, 6]
    assert nest.map_structure(lambda x: x, []) == []
    tensors = nest.map_structure(lambda x: x * 2, {"w": tf.constant([1.0]), "b": (tf.constant(2.0),)})
    assert float(tensors["b"][0]) == 4.0


def test_map_structure_refuses():
    with pytest.raises(TypeError, match="func must be callable, got: 3"):
        nest.map_structure(3, [1])
    with pytest.raises(ValueError, match="Must provide at least one structure"):
        nest.map_structure(lambda: 1)
    with pytest.raises(ValueError, match="not: `foo`"):
        nest.map_structure(lambda x: x, [1], foo=3)
    with pytest.raises(TypeError, match="has type tuple"):
        nest.map_structure(lambda x, y: x, (1, 2), Point(3, 4))
