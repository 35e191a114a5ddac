"""Indexing of tensors, shapes that only the server knows, what the ops refuse, and the kernels' way on a GPU."""

import sys
import types

import numpy as np
import pytest

import client as tf
from protocol import dtypes
from protocol.attrs import Unknown
from protocol.errors import InvalidArgumentError
from protocol.ops import lookup
from protocol.spec import Spec
from server.kernels import KERNELS
from tests.ops.case import check
from tests.ops.cases import creation, indexing, joining, scatter

X = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
F32, I32 = dtypes.float32, dtypes.int32


@pytest.fixture(scope="module")
def x():
    return tf.constant(X)


def hidden(*numbers):
    """Integers that only the server knows: a scalar for one, a vector for several."""
    table = tf.constant(np.arange(100, dtype=np.int32) - 50)
    found = tf.gather(table, [n + 50 for n in numbers] if len(numbers) > 1 else numbers[0] + 50)
    assert found._value is None
    return found


KEYS = [
    np.s_[1], np.s_[-1], np.s_[1, 2, 3], np.s_[:, 1], np.s_[..., 1], np.s_[1:, ::-1], np.s_[None, ..., None], np.s_[()],
    np.s_[...], np.s_[5:], np.s_[-100:100], np.s_[100:-100:-1], np.s_[:, None, 1:, ::2], np.s_[0, ..., 1:3],
    np.s_[::2, ::-2], np.s_[np.int64(1)], np.s_[np.array(1)], np.s_[np.array([True, False])], np.s_[:, 2:1],
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_getitem_is_numpys(x, key):
    found = x[key]
    assert found._spec.shape == X[key].shape
    assert np.array_equal(found.numpy(), X[key])


def test_getitem_beyond_numpy(x):
    assert x[[0, 1]].shape == (4,)  # a list is a tuple of indices, as in TensorFlow
    assert x[tf.newaxis].shape == (1, 2, 3, 4)
    assert x[tf.constant(1), tf.constant(0, tf.int64) :].shape == (3, 4)
    assert np.array_equal(x[x > 20.0].numpy(), X[X > 20])
    assert tf.constant(5)[None, ...].shape == (1,)


DYNAMIC = [  # what the client knows of the shape, with and without tensors that only the server knows
    (lambda x, i: x[i(1)], X[1], (3, 4)),
    (lambda x, i: x[:, i(-1)], X[:, -1], (2, 4)),
    (lambda x, i: x[i(1), 1:], X[1, 1:], (2, 4)),
    (lambda x, i: x[0, None, i(1), i(1) : i(3)], X[0, None, 1, 1:3], (1, None)),
    (lambda x, i: x[..., i(1) :, ::-1], X[..., 1:, ::-1], (2, None, 4)),
    (lambda x, i: x[:, :: i(2)], X[:, ::2], (None, None, 4)),
    (lambda x, i: x[tf.cast(i(1), tf.int64), i(2)], X[1, 2], (4,)),
    (lambda x, i: tf.reshape(x, [i(4), -1]), X.reshape(4, 6), (None, None)),
    (lambda x, i: tf.reshape(x, i(4, 6)), X.reshape(4, 6), (None, None)),
    (lambda x, i: tf.transpose(x, i(2, 0, 1)), X.transpose(2, 0, 1), (None,) * 3),
    (lambda x, i: tf.concat([x, x], i(1)), np.concatenate([X, X], 1), (None,) * 3),
    (lambda x, i: tf.split(x, i(1, 2), axis=1)[1], X[:, 1:], (2, None, 4)),
    (lambda x, i: tf.pad(x, [[0, i(1)], [0, 0], [2, 0]]), np.pad(X, ((0, 1), (0, 0), (2, 0))), (None,) * 3),
    (lambda x, i: tf.tile(x, [1, i(2), 1]), np.tile(X, (1, 2, 1)), (None,) * 3),
    (lambda x, i: tf.gather(x, [0], axis=i(1)), X[:, [0]], (None,) * 3),
    (lambda x, i: tf.slice(x, [0, i(1), 0], [1, 1, -1]), X[:1, 1:2], (1, 1, None)),
    (lambda x, i: tf.broadcast_to(x, i(2, 2, 3, 4)), np.broadcast_to(X, (2, 2, 3, 4)), (None,) * 4),
    (lambda x, i: tf.zeros([i(2), 3]), np.zeros((2, 3)), (None, None)),
    (lambda x, i: tf.zeros(i(2)), np.zeros(2), (None,)),
    (lambda x, i: tf.range(i(4)), np.arange(4), (None,)),
    (lambda x, i: tf.one_hot([1], i(3)), np.eye(3)[[1]], (1, None)),
    (lambda x, i: tf.repeat(x, i(2), axis=1), np.repeat(X, 2, 1), (2, None, 4)),
    (lambda x, i: tf.shape(tf.boolean_mask(x, x > 20.0)), [3], (1,)),
    (lambda x, i: tf.size(x[x > 20.0]), 3, ()),
    (lambda x, i: tf.ensure_shape(tf.where(x > 20.0), [None, 3]), np.argwhere(X > 20), (None, 3)),
    (lambda x, i: tf.meshgrid(tf.reshape(tf.where(x > 22.0), [-1]), [1, 2])[1], [[1] * 3, [2] * 3], (None, None)),
]


@pytest.mark.parametrize("build, wanted, shape", DYNAMIC)
def test_what_only_the_server_knows_waits_for_nothing(x, build, wanted, shape):
    hidden(0)
    waits = tf.stats()["waits"]
    found = build(x, hidden)
    assert tf.stats()["waits"] == waits
    assert len(found._spec.shape) == len(shape)
    assert all(a is None or a == b for a, b in zip(shape, found._spec.shape, strict=True))
    assert np.array_equal(found.numpy(), wanted)


def test_shapes_are_values_that_the_client_knows(x):
    rows = tf.shape(x)[0]
    assert rows._value == 2
    assert [d._value for d in tf.unstack(tf.shape(x))] == [2, 3, 4]
    assert tf.reshape(x, [rows * 3, -1])._spec.shape == (6, 4)
    assert tf.transpose(x, tf.concat([[2], tf.range(2)], 0))._spec.shape == (4, 2, 3)
    assert tf.size(x)._value == 24
    assert tf.rank(x)._value == 3
    assert tf.boolean_mask(x, [True, False])._spec.shape == (1, 3, 4)


REFUSED = [
    (lambda x: x[5], InvalidArgumentError, "slice index 5 of dimension 0 out of bounds"),
    (lambda x: x[0, 0, 0, 0], InvalidArgumentError, "input has only 3 dims"),
    (lambda x: x[..., ...], InvalidArgumentError, "Multiple ellipses"),
    (lambda x: x[::0], InvalidArgumentError, r"strides\[0\] must be non-zero"),
    (lambda x: tf.constant(5)[0], InvalidArgumentError, "slice scalar input"),
    (lambda x: x[1.5], TypeError, "Only integers, slices"),
    (lambda x: x["a"], TypeError, "Only integers, slices"),
    (lambda x: x[1.5:], TypeError, "Only integers, slices"),
    (lambda x: x[np.array([0, 1])], TypeError, "Only integers, slices"),
    (lambda x: x[tf.constant([0, 1])], TypeError, "Only integers, slices"),
    (lambda x: x[0, x > 5.0], TypeError, "Only integers, slices"),
    (lambda x: x[True], ValueError, "mask cannot be scalar"),
    (lambda x: tf.reshape(x, [5, -1]), InvalidArgumentError, "requires a multiple of 5"),
    (lambda x: tf.reshape(x, [-1, -1]), InvalidArgumentError, "Only one input size may be -1"),
    (lambda x: tf.reshape(x, [5, 5]), InvalidArgumentError, "24 values, but the requested shape has 25"),
    (lambda x: tf.transpose(x, [0, 0, 1]), InvalidArgumentError, "2 is missing from"),
    (lambda x: tf.expand_dims(x, 5), InvalidArgumentError, "expand dim index 5"),
    (lambda x: tf.squeeze(x, 0), InvalidArgumentError, "expected a dimension of 1, got 2"),
    (lambda x: tf.concat([x, x[:, :2]], 0), InvalidArgumentError, "Dimension 1 in both shapes must be equal"),
    (lambda x: tf.concat([1.0, 2.0], 0), InvalidArgumentError, "concatenate scalars"),
    (lambda x: tf.stack([x, x], 5), ValueError, "not in range"),
    (lambda x: tf.unstack(x, num=3), InvalidArgumentError, "must equal 3"),
    (lambda x: tf.unstack(tf.boolean_mask(x, x > 5.0)), ValueError, "Cannot infer argument `num`"),
    (lambda x: tf.split(x, 3), InvalidArgumentError, "evenly divide"),
    (lambda x: tf.split(x, [1, -1, -1], axis=1), InvalidArgumentError, "only be one -1"),
    (lambda x: tf.tile(x, [1, 2]), InvalidArgumentError, "vector of length 3"),
    (lambda x: tf.pad(x, [1, 2]), InvalidArgumentError, "2 columns"),
    (lambda x: tf.pad(x, [[0, 0], [0, 3], [0, 0]], "REFLECT"), InvalidArgumentError, "less than the dimension size"),
    (lambda x: tf.pad(x, [[0, 0]] * 3, "FOO"), ValueError, "Received `mode` = FOO"),
    (lambda x: tf.gather(x, [0], axis=4), InvalidArgumentError, "at least rank 5"),
    (lambda x: tf.gather(x, [0], batch_dims=1), InvalidArgumentError, "should be equal to indices.shape"),
    (lambda x: tf.gather_nd(x, [[0, 0, 0, 0]]), InvalidArgumentError, "saw: 4 vs. 3"),
    (lambda x: tf.scatter_nd([[0], [1]], [1.0, 2.0, 3.0], [5]), InvalidArgumentError, "Outer dimensions"),
    (lambda x: tf.boolean_mask(x, [True], axis=1), ValueError, "incompatible"),
    (lambda x: tf.where([True], x), ValueError, "both be non-None"),
    (lambda x: tf.where([True, False], [1, 2, 3], 0), InvalidArgumentError, "must be broadcastable"),
    (lambda x: tf.slice(x, [0, 0, 5], [1, 1, -1]), InvalidArgumentError, r"begin\[2\] in \[0, 4\], but got 5"),
    (lambda x: tf.broadcast_to(x, [4]), InvalidArgumentError, "Rank of input"),
    (lambda x: tf.zeros([-1]), InvalidArgumentError, "Dimension -1 must be >= 0"),
    (lambda x: tf.zeros([2**30, 2**30]), InvalidArgumentError, "more than"),
    (lambda x: tf.range(5, 1), InvalidArgumentError, "start <= limit"),
    (lambda x: tf.range(1, 5, 0), InvalidArgumentError, "delta != 0"),
    (lambda x: tf.range(0.0, float("inf")), InvalidArgumentError, "Requires"),
    (lambda x: tf.range(1, 5.5, dtype=tf.int32), TypeError, "Cannot convert 5.5"),
    (lambda x: tf.one_hot([0], -3), InvalidArgumentError, "depth must be non-negative"),
    (lambda x: tf.one_hot([0], 3, on_value=5, off_value=1.5), TypeError, "don't match"),
    (lambda x: tf.linspace(0.0, 1.0, 5.0), TypeError, "integer"),
    (lambda x: tf.meshgrid([1], indexing="a"), ValueError, "'xy' or 'ij'"),
    (lambda x: tf.broadcast_static_shape([2], [3]), ValueError, "Incompatible shapes"),
    (lambda x: tf.repeat([1, 2, 3], [1, 0]), ValueError, "not compatible"),
    (lambda x: tf.reverse_sequence(x, [1, 1]), TypeError, "seq_axis"),
]


@pytest.mark.parametrize("build, kind, text", REFUSED)
def test_what_is_refused_at_once(x, build, kind, text):
    with pytest.raises(kind, match=text):
        build(x)


LATE = [
    (lambda x: tf.gather(x, [[0, 7]], axis=1), r"indices\[0,1\] = 7 is not in \[0, 3\)"),
    (lambda x: tf.gather(x, 7), r"indices = 7 is not in \[0, 2\)"),
    (lambda x: tf.gather_nd(x, [[0, 0], [0, 7]]), r"indices\[1\] = \[0, 7\] does not index into param shape \[2,3,4\]"),
    (lambda x: tf.scatter_nd([[0], [-1]], [1.0, 2.0], [5]), r"indices\[1\] = \[-1\] does not index into shape \[5\]"),
    (lambda x: x[hidden(5)], "slice index 5 of dimension 0 out of bounds"),
    (lambda x: tf.repeat(x, [1, -1], axis=0), "negative"),
    (lambda x: tf.reverse_sequence(x, [1, 4], seq_axis=1), "seq_lens"),
    (lambda x: tf.ensure_shape(tf.where(x > 20.0), [4, 3]), "is not compatible with expected shape"),
    (lambda x: tf.broadcast_dynamic_shape(hidden(2, 3), [3, 3]), "Incompatible shapes"),
]


@pytest.mark.parametrize("build, text", LATE)
def test_what_only_the_server_can_refuse(x, build, text, capfd):
    with pytest.raises(InvalidArgumentError, match=text):
        build(x).numpy()
    assert "failed" in capfd.readouterr().err


def test_rules_with_attributes_that_are_tensors():
    """What the client says while only the server knows an attribute never contradicts what the value gives."""
    for name, spec, attrs, value in (
        ("reshape", Spec(F32, (2, 3)), {"shape": Unknown(Spec(I32, (2,)))}, {"shape": (3, 2)}),
        ("reshape", Spec(F32, None), {"shape": Unknown(Spec(I32, None))}, {"shape": (3, 2)}),
        ("pad", Spec(F32, None), {"paddings": Unknown(Spec(I32, (2, 2)))}, {"paddings": ((1, 1), (0, 2))}),
        (
            "strided_slice",
            Spec(F32, (2, 3)),
            {"begin": Unknown(Spec(I32, None)), "end": Unknown(Spec(I32, None))},
            None,
        ),
        ("roll", Spec(F32, (2,)), {"shift": Unknown(Spec(I32, ())), "axis": 0}, {"shift": 1, "axis": 0}),
    ):
        less = lookup(name).infer((spec,), attrs)
        assert less.dtype is F32
        if value is not None:
            more = lookup(name).infer((spec,), value)
            assert less.shape is None or more.shape is None or len(less.shape) == len(more.shape)


class Stranger:
    """An array module that is not NumPy, and does what NumPy does."""

    def __getattr__(self, name):
        return getattr(np, name)


@pytest.fixture
def cupyx(monkeypatch):
    """CuPy's scatters, which know only the types of CUDA's atomics."""
    fake = types.ModuleType("cupyx")
    add = {"int32", "uint32", "uint64", "float16", "float32", "float64", "complex64", "complex128"}

    def scatter(ufunc, names):
        def run(target, rows, updates):
            assert target.dtype.name in names and updates.dtype == target.dtype
            ufunc.at(target, rows, updates)

        return run

    order = {"int32", "uint32", "uint64", "float32", "float64"}
    fake.scatter_add = scatter(np.add, add)
    fake.scatter_min, fake.scatter_max = scatter(np.minimum, order), scatter(np.maximum, order)
    monkeypatch.setitem(sys.modules, "cupyx", fake)


FAMILIES = indexing.CASES + scatter.CASES + joining.CASES + creation.CASES


@pytest.mark.parametrize("case", FAMILIES, ids=lambda c: c.name)
def test_the_way_on_a_gpu(case, cupyx):
    with np.errstate(all="ignore"):
        found = KERNELS[case.op](Stranger(), *case.inputs, **case.attrs)
    check(case, found if type(found) is tuple else (found,))


def test_a_gpu_reads_zeros_and_drops_writes_where_an_index_is_bad(cupyx):
    table, bad = np.float32([[1, 2], [3, 4]]), np.array([1, 7, -1])
    rows, updates = bad[:, None], np.ones((3, 2), np.float32)
    assert KERNELS["gather"](Stranger(), table, bad).tolist() == [[3, 4], [0, 0], [0, 0]]
    assert KERNELS["gather_nd"](Stranger(), table, rows).tolist() == [[3, 4], [0, 0], [0, 0]]
    assert KERNELS["scatter_nd"](Stranger(), rows, updates, shape=(2, 2)).tolist() == [[0, 0], [1, 1]]
    assert KERNELS["gather_grad"](Stranger(), updates, bad, shape=(2, 2)).tolist() == [[0, 0], [1, 1]]
    found = KERNELS["tensor_scatter_nd_update"](Stranger(), table, rows, updates)
    assert found.tolist() == [[1, 2], [1, 1]]
