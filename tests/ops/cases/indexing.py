"""Cases of `protocol/ops/indexing.py`."""

import numpy as np

from protocol import dtypes
from tests.ops.case import array, case, layouts

I32 = np.int32


def gather(params, indices, *, axis=0, batch_dims=0):
    batch = batch_dims % indices.ndim if batch_dims < 0 else batch_dims
    at = axis % params.ndim
    found = np.zeros(params.shape[:at] + indices.shape[batch:] + params.shape[at + 1 :], params.dtype)
    for outer in np.ndindex(params.shape[:at]):
        for inner in np.ndindex(indices.shape[batch:]):
            found[outer + inner] = params[outer][indices[outer[:batch] + inner]]
    return found


def gather_grad(grad, indices, *, shape, axis=0, batch_dims=0):
    batch = batch_dims % indices.ndim if batch_dims < 0 else batch_dims
    at = axis % len(shape)
    found = np.zeros(shape, grad.dtype)
    for outer in np.ndindex(shape[:at]):
        for inner in np.ndindex(indices.shape[batch:]):
            found[outer][indices[outer[:batch] + inner]] += grad[outer + inner]
    return found


def gather_nd(params, indices, *, batch_dims=0):
    found = [params[at[:batch_dims] + tuple(indices[at])] for at in np.ndindex(indices.shape[:-1])]
    tail = params.shape[batch_dims + indices.shape[-1] :]
    return np.array(found, params.dtype).reshape(indices.shape[:-1] + tail)


def boolean_mask(x, mask, *, axis=None):
    at = (axis or 0) % x.ndim
    rows = x.reshape(*x.shape[:at], mask.size, *x.shape[at + mask.ndim :])
    return np.compress(mask.ravel(), rows, at)


def where(condition):
    hits = [at for at in np.ndindex(condition.shape) if condition[at]]
    return np.array(hits, np.int64).reshape(-1, condition.ndim)


def select(condition, x, y):
    both = np.broadcast_arrays(condition, x, y)
    values = [a if c else b for c, a, b in zip(*(v.ravel() for v in both), strict=True)]
    return np.array(values, x.dtype).reshape(both[0].shape)


def sliced(x, *, begin, size):
    for axis, (b, s) in enumerate(zip(begin, size, strict=True)):
        x = np.take(x, np.arange(b, x.shape[axis] if s == -1 else b + s), axis)
    return x


def placed(shape, dy, key):
    found = np.zeros(shape, dy.dtype)
    found[key] = dy
    return found


def slices(label, shape, key, dtype="float32", **attrs):
    """A slice and its gradient: `key` is what NumPy takes for the same."""
    x = array(*shape, dtype=dtype, seed=label)
    dy = array(*np.shape(x[key]), dtype=dtype, seed=label)
    yield case("strided_slice", x, ref=lambda x, **_: x[key], label=label, **attrs)
    if dtype != "bool":
        yield case(
            "strided_slice_grad", dy, ref=lambda dy, **_: placed(shape, dy, key), label=label, shape=shape, **attrs
        )


SLICES = [
    *[
        row
        for t in dtypes.ALL
        for row in slices(t.name, (4, 5), np.s_[1:3, ::2], t.name, begin=(1, 0), end=(3, 5), strides=(1, 2))
    ],
    *slices("fewer items", (4, 5), np.s_[1:3], begin=(1,), end=(3,)),
    *slices("no items", (2, 3), np.s_[...], begin=(), end=()),
    *slices("negative", (6,), np.s_[-4:-1], begin=(-4,), end=(-1,)),
    *slices("clipped", (3,), np.s_[-9:9], begin=(-9,), end=(9,)),
    *slices("backward", (6,), np.s_[::-2], begin=(0,), end=(0,), strides=(-2,), begin_mask=1, end_mask=1),
    *slices("backward part", (6,), np.s_[4:1:-1], begin=(4,), end=(1,), strides=(-1,)),
    *slices("empty", (6,), np.s_[3:2], begin=(3,), end=(2,)),
    *slices("empty backward", (6,), np.s_[-9:2:-1], begin=(-9,), end=(2,), strides=(-1,)),
    *slices("of empty", (0, 3), np.s_[::-1, 1:], begin=(0, 1), end=(0, 0), strides=(-1, 1), begin_mask=1, end_mask=3),
    *slices("open", (4, 5), np.s_[:2, 3:], begin=(3, 3), end=(2, 1), begin_mask=1, end_mask=2),
    *slices("index", (4, 5), np.s_[-1], begin=(-1,), end=(0,), shrink_axis_mask=1),
    *slices("to scalar", (4, 5), np.s_[1, 2], begin=(1, 2), end=(2, 3), shrink_axis_mask=3),
    *slices("new axes", (4, 5), np.s_[None, 1:, None], begin=(0, 1, 0), end=(0, 4, 0), new_axis_mask=5),
    *slices("of scalar", (), np.s_[None], begin=(0,), end=(0,), new_axis_mask=1),
    *slices(
        "ellipsis",
        (2, 3, 4, 5),
        np.s_[1, ..., None, 2:],
        begin=(1, 0, 0, 2),
        end=(2, 0, 0, 5),
        ellipsis_mask=2,
        new_axis_mask=4,
        shrink_axis_mask=1,
    ),
    *slices("ellipsis of nothing", (4, 5), np.s_[1:, ..., 2:], begin=(1, 0, 2), end=(4, 0, 5), ellipsis_mask=2),
    *slices(
        "deep",
        (1, 2, 3, 2, 1, 4),
        np.s_[:, 1, ::2, ..., 1:3],
        begin=(0, 1, 0, 0, 1),
        end=(1, 2, 3, 0, 3),
        strides=(1, 1, 2, 1, 1),
        ellipsis_mask=8,
        shrink_axis_mask=2,
    ),
    # Ellipsis wins over new axis, new axis over shrink.
    *slices(
        "mask priority",
        (2, 3),
        np.s_[..., None, 1],
        begin=(0, 0, 1),
        end=(0, 0, 0),
        ellipsis_mask=1,
        new_axis_mask=3,
        shrink_axis_mask=7,
    ),
]


def gathers(label, params, indices, **attrs):
    """A gather and its gradient."""
    out = gather(params, indices, **attrs)
    yield case("gather", params, indices, ref=gather, label=label, **attrs)
    if params.dtype != bool:
        grad = array(*out.shape, dtype=params.dtype, seed=label)
        yield case("gather_grad", grad, indices, ref=gather_grad, label=label, shape=params.shape, loose=4.0, **attrs)


GATHERS = [
    *[row for t in dtypes.ALL for row in gathers(t.name, array(4, 3, dtype=t), I32([[0, 3], [3, 1]]))],
    *[row for t in dtypes.INTS for row in gathers(f"by {t.name}", array(4, 3), np.array([2, 0, 2], t.numpy), axis=1)],
    *gathers("scalar index", array(4, 3), I32(2)),
    *gathers("vector", array(5), I32([[1, 1]]), axis=-1),
    *gathers("no indices", array(4, 3), np.zeros((0, 2), I32)),
    *gathers("empty rows", array(4, 0), I32([1, 2])),
    *gathers("empty outer", array(0, 3), I32([1, 2]), axis=1),
    *gathers("middle", array(2, 3, 4), I32([[0, 2], [1, 1]]), axis=1),
    *gathers("batch", array(2, 3, 4), I32([[0, 2], [1, 1]]), axis=1, batch_dims=1),
    *gathers("batch later", array(2, 3, 4), I32([[0, 3, 3], [1, 1, 2]]), axis=2, batch_dims=1),
    *gathers("batch negative", array(2, 3, 4), I32([[0, 2], [1, 1]]), axis=-1, batch_dims=-1),
    *gathers("batch all", array(2, 3, 4), I32([[0, 2, 1], [3, 1, 0]]), axis=2, batch_dims=2),
    *gathers("batch deep", array(2, 1, 2, 3, 2), I32([[[[1], [2]]]] * 2), axis=3, batch_dims=3),
    *gathers("strided", layouts(array(4, 3)), layouts(I32([[0, 3], [3, 1]]))),
    *gathers("wide with duplicates", array(6, 16), I32([5, 0, 5, 5, 1, 0])),
]

CASES = [
    *GATHERS,
    *[case("gather_nd", array(3, 4, dtype=t), I32([[0, 3], [2, 1]]), ref=gather_nd, label=t.name) for t in dtypes.ALL],
    *[
        case("gather_nd", params, np.array(indices), ref=gather_nd, label=label, **attrs)
        for label, params, indices, attrs in (
            ("rows", array(3, 4), [[[1], [2]]], {}),
            ("whole", array(3, 4), np.zeros((2, 0), I32), {}),
            ("none", array(3, 4), np.zeros((0, 2), I32), {}),
            ("one", array(3, 4), [1, 2], {}),
            ("empty rows", array(3, 0), [[1]], {}),
            ("batch", array(2, 3, 4), [[[2], [0]], [[1], [1]]], {"batch_dims": 1}),
            ("batch two", array(2, 3, 4, 2), np.ones((2, 3, 1), I32), {"batch_dims": 2}),
            ("deep", array(2, 1, 2, 1, 2, 3), [[1, 0, 1, 0, 1]], {}),
        )
    ],
    *[
        case(
            "boolean_mask",
            array(3, 2, dtype=t),
            np.array([1, 0, 1], bool),
            ref=boolean_mask,
            label=t.name,
            static=False,
        )
        for t in dtypes.ALL
    ],
    *[
        case("boolean_mask", array(*shape), mask, ref=boolean_mask, label=label, static=False, **attrs)
        for label, shape, mask, attrs in (
            ("axis", (2, 3), np.array([0, 1, 1], bool), {"axis": 1}),
            ("negative axis", (2, 3, 4), array(3, dtype=bool), {"axis": -2}),
            ("matrix", (2, 3, 4), array(2, 3, dtype=bool), {}),
            ("inner matrix", (2, 3, 4), array(3, 4, dtype=bool), {"axis": 1}),
            ("all", (2, 3), array(2, 3, dtype=bool), {}),
            ("nothing", (3,), np.zeros(3, bool), {}),
            ("empty", (0, 3), np.zeros(0, bool), {}),
        )
    ],
    *[case("where", array(3, 4, dtype=t, low=0), ref=where, label=t.name, static=False) for t in dtypes.ALL],
    case("where", np.float32([np.nan, 0.0, -0.0, np.inf]), ref=where, label="special", static=False),
    case("where", np.zeros((0, 3), bool), ref=where, label="empty", static=False),
    case("where", array(2, 1, 2, 2, 1, 2, dtype=bool), ref=where, label="deep", static=False),
    *[
        case(
            "select",
            array(2, 3, dtype=bool),
            array(2, 3, dtype=t),
            array(2, 3, dtype=t, seed="y"),
            ref=select,
            label=t.name,
        )
        for t in dtypes.ALL
    ],
    case("select", array(3, dtype=bool), array(), array(2, 1), ref=select, label="broadcast"),
    case("select", np.array(True), array(), array(), ref=select, label="scalar"),
    case("select", array(1, dtype=bool), array(0, 3), array(3), ref=select, label="empty"),
    case(
        "select",
        np.array([True, False]),
        np.float32([np.nan, np.inf]),
        np.float32([1, 2]),
        ref=select,
        label="special",
        gradient=False,
    ),
    case("select", array(1, 2, 1, 2, 1, dtype=bool), array(2, 1, 2), array(2, 1, 1, 1, 2), ref=select, label="deep"),
    *[case("slice", array(3, 4, dtype=t), ref=sliced, label=t.name, begin=(1, 0), size=(2, -1)) for t in dtypes.ALL],
    case("slice", array(), ref=sliced, label="scalar", begin=(), size=()),
    case("slice", array(3, 4), ref=sliced, label="empty", begin=(3, 4), size=(-1, 0)),
    case("slice", layouts(array(3, 4)), ref=sliced, label="strided", begin=(0, 1), size=(3, 2)),
    case("slice", array(1, 2, 3, 2, 1), ref=sliced, label="deep", begin=(0, 1, 1, 0, 0), size=(1, 1, 2, -1, 1)),
    *SLICES,
]
