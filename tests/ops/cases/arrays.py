"""Cases of `protocol/ops/arrays.py`."""

import numpy as np

from protocol import dtypes
from tests.ops.case import array, case, layouts

I32 = np.int32


def every_dtype(op, shape, ref, /, **attrs):
    return [case(op, array(*shape, dtype=t, seed=op), ref=ref, label=t.name, **attrs) for t in dtypes.ALL]


def rows(op, ref, *entries):
    """A row for each (label, input shape, attributes)."""
    return [case(op, array(*shape, seed=op), ref=ref, label=label, **attrs) for label, shape, attrs in entries]


def reshape(x, *, shape):
    size = int(np.prod([d for d in shape if d != -1]))
    return np.array(x.ravel().tolist(), x.dtype).reshape([x.size // size if d == -1 else d for d in shape])


def transpose(x, *, perm=None, conjugate=False):
    order = perm if perm is not None else range(x.ndim)[::-1]
    found = np.moveaxis(x, order, range(x.ndim)) if x.ndim else x
    return np.conj(found) if conjugate else found


def expand_dims(x, *, axis):
    shape = list(x.shape)
    shape.insert(axis if axis >= 0 else axis + x.ndim + 1, 1)
    return x.reshape(shape)


def squeeze(x, *, axis=None):
    axes = (axis,) if isinstance(axis, int) else axis
    return np.squeeze(x, axes or None)


def roll(x, *, shift, axis):
    for s, a in zip(np.atleast_1d(shift), np.atleast_1d(axis), strict=True):
        order = [(i - s) % x.shape[a] for i in range(x.shape[a])]
        x = np.take(x, np.array(order, int), axis=a)
    return x


def space_to_depth(x, *, block_size, data_format="NHWC"):
    if data_format == "NCHW":
        return np.moveaxis(space_to_depth(np.moveaxis(x, 1, -1), block_size=block_size), -1, 1)
    return np.concatenate(
        [x[:, i::block_size, j::block_size] for i in range(block_size) for j in range(block_size)], -1
    )


def depth_to_space(x, *, block_size, data_format="NHWC"):
    if data_format == "NCHW":
        return np.moveaxis(depth_to_space(np.moveaxis(x, 1, -1), block_size=block_size), -1, 1)
    n, h, w, c = x.shape
    found = np.zeros((n, h * block_size, w * block_size, c // block_size**2), x.dtype)
    for k, part in enumerate(np.split(x, block_size**2, -1)):
        found[:, k // block_size :: block_size, k % block_size :: block_size] = part
    return found


def reverse_sequence(x, lengths, *, seq_axis, batch_axis=0):
    found = np.moveaxis(x.copy(), (batch_axis, seq_axis), (0, 1))
    for row, n in zip(found, lengths, strict=True):
        row[:n] = row[:n][::-1].copy()
    return np.moveaxis(found, (0, 1), (batch_axis, seq_axis))


def shape(x, *, out_type=I32):
    return np.array(np.shape(x), out_type)


CASES = [
    *every_dtype("reshape", (2, 6), reshape, shape=(3, -1)),
    *rows(
        "reshape",
        reshape,
        ("scalar", (1, 1), {"shape": ()}),
        ("to vector", (), {"shape": (-1,)}),
        ("deep", (2, 3, 4), {"shape": (1, 2, 1, 3, 2, -1)}),
        ("empty", (0, 3), {"shape": (3, -1)}),
        ("exact", (2, 3), {"shape": (6,)}),
    ),
    case("reshape", np.zeros((0, 3)), ref=lambda x, shape: np.zeros((3, 0)), label="empty both", shape=(-1, 0)),
    case("reshape", layouts(array(4, 3)), ref=reshape, label="strided", shape=(2, 6)),
    *every_dtype("transpose", (2, 3, 4), transpose, perm=(2, 0, 1)),
    *rows(
        "transpose",
        transpose,
        ("reversed", (2, 3, 4), {}),
        ("scalar", (), {}),
        ("empty", (0, 3), {"perm": (1, 0)}),
        ("negative", (2, 3, 4), {"perm": (-1, 0, 1)}),
        ("deep", (1, 2, 3, 1, 2, 3), {"perm": (5, 0, 3, 1, 4, 2)}),
    ),
    case("transpose", array(2, 3, dtype="complex64"), ref=transpose, label="conjugate", conjugate=True),
    *every_dtype("expand_dims", (2, 3), expand_dims, axis=1),
    *rows(
        "expand_dims",
        expand_dims,
        ("scalar", (), {"axis": -1}),
        ("last", (2, 3), {"axis": -1}),
        ("first", (2, 0), {"axis": -3}),
        ("deep", (1, 2, 1, 2, 1), {"axis": 3}),
    ),
    *every_dtype("squeeze", (1, 3, 1), squeeze),
    *rows(
        "squeeze",
        squeeze,
        ("one", (1, 2, 1), {"axis": -1}),
        ("some", (1, 2, 1, 0, 1), {"axis": (0, -1)}),
        ("none to drop", (2,), {}),
        ("no axes", (1, 2), {"axis": ()}),
        ("scalar", (), {}),
    ),
    *every_dtype("reverse", (2, 3), lambda x, axis: x[:, ::-1], axis=(-1,)),
    *rows(
        "reverse",
        lambda x, axis: np.flip(x, axis),
        ("two", (2, 3, 4), {"axis": (0, 2)}),
        ("no axes", (2, 3), {"axis": ()}),
        ("empty", (0, 3), {"axis": (0,)}),
        ("one", (5,), {"axis": 0}),
    ),
    *every_dtype("roll", (2, 5), roll, shift=2, axis=1),
    *rows(
        "roll",
        roll,
        ("back", (5,), {"shift": -7, "axis": 0}),
        ("two", (3, 4), {"shift": (1, -2), "axis": (0, 1)}),
        ("twice", (5,), {"shift": (1, 2), "axis": (0, 0)}),
        ("deep", (1, 2, 1, 3, 2), {"shift": (1, 1), "axis": (3, -1)}),
    ),
    case("roll", np.zeros((0, 3)), ref=lambda x, **_: x, label="empty", shift=1, axis=0),
    *every_dtype("broadcast_to", (3, 1), lambda x, shape: np.ones(shape, x.dtype) * x, shape=(2, 3, 4)),
    *rows(
        "broadcast_to",
        lambda x, shape: np.zeros(shape) + x,
        ("scalar", (), {"shape": (2, 2)}),
        ("scalar to scalar", (), {"shape": ()}),
        ("empty", (1, 3), {"shape": (0, 3)}),
        ("deep", (1, 2, 1), {"shape": (2, 1, 2, 3, 2, 4)}),
    ),
    *every_dtype("identity", (2, 3), lambda x: x),
    *every_dtype("stop_gradient", (2, 3), lambda x: x),
    *every_dtype("ensure_shape", (2, 3), lambda x, shape: x, shape=(2, -1)),
    case("ensure_shape", array(2, 3), ref=lambda x, shape: x, label="any", shape=None),
    *every_dtype("shape", (2, 0, 3), shape),
    case("shape", array(), ref=shape, label="scalar"),
    case("shape", array(2, 3), ref=shape, label="as int64", out_type=dtypes.int64),
    case("size", array(2, 3), ref=lambda x: I32(6)),
    case("size", array(0, 3), ref=lambda x, out_type: np.int64(0), label="as int64", out_type=dtypes.int64),
    case("rank", array(2, 3), ref=lambda x: I32(2)),
    case("rank", array(), ref=lambda x: I32(0), label="scalar"),
    *[
        case(
            "broadcast_args",
            np.array(x, t),
            np.array(y, t),
            ref=lambda x, y: np.array(np.broadcast_shapes(tuple(x), tuple(y))),
            label=f"{label} {t.__name__}",
        )
        for t in (np.int32, np.int64)
        for label, x, y in (("same", [2, 1], [2, 3]), ("longer", [1], [4, 0, 5]), ("scalar", [], [2]))
    ],
    *every_dtype("space_to_depth", (2, 4, 6, 3), space_to_depth, block_size=2),
    *rows(
        "space_to_depth",
        space_to_depth,
        ("NCHW", (1, 2, 6, 3), {"block_size": 3, "data_format": "NCHW"}),
        ("empty", (0, 4, 4, 1), {"block_size": 2}),
    ),
    *every_dtype("depth_to_space", (2, 2, 3, 8), depth_to_space, block_size=2),
    *rows(
        "depth_to_space",
        depth_to_space,
        ("NCHW", (1, 18, 2, 3), {"block_size": 3, "data_format": "NCHW"}),
        ("empty", (0, 2, 2, 4), {"block_size": 2}),
    ),
    *[
        case(
            "reverse_sequence",
            array(3, 4, 2, dtype=t),
            np.array([0, 4, 3], np.int64),
            ref=reverse_sequence,
            label=t.name,
            seq_axis=1,
        )
        for t in dtypes.ALL
    ],
    case(
        "reverse_sequence",
        array(2, 4, 3),
        np.array([2, 1, 0], I32),
        ref=reverse_sequence,
        label="axes",
        seq_axis=0,
        batch_axis=-1,
    ),
    case("reverse_sequence", array(0, 4), np.zeros(0, I32), ref=lambda x, n, seq_axis: x, label="empty", seq_axis=1),
]
