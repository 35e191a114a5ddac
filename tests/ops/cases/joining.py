"""Cases of `protocol/ops/joining.py`."""

import numpy as np

from protocol import dtypes
from tests.ops.case import array, case, layouts

I32 = np.int32


def concat(*values, axis):
    at = axis % values[0].ndim
    rows = [row for v in values for row in np.moveaxis(v, at, 0)]
    inner = np.moveaxis(values[0], at, 0).shape[1:]
    return np.moveaxis(np.array(rows, values[0].dtype).reshape(len(rows), *inner), 0, at)


def stack(*values, axis=0):
    return concat(*(np.expand_dims(v, axis) for v in values), axis=axis)


def unstack(x, *, num=None, axis=0):
    return tuple(np.take(x, i, axis) for i in range(x.shape[axis]))


def split(x, *, num_or_size_splits, axis=0, num=None):
    sizes = num_or_size_splits
    if isinstance(sizes, int):
        return tuple(np.split(x, sizes, axis))
    rest = x.shape[axis] - sum(s for s in sizes if s != -1)
    return tuple(np.split(x, np.cumsum([rest if s == -1 else s for s in sizes])[:-1], axis))


def tile(x, *, multiples):
    for axis, n in enumerate(multiples):
        x = np.take(x, np.tile(np.arange(x.shape[axis]), n), axis)
    return x


def repeat(x, repeats, axis=None):
    if axis is None:
        x, axis = x.reshape(-1), 0
    counts = np.broadcast_to(repeats, (x.shape[axis],))
    return np.take(x, np.array([i for i, n in enumerate(counts) for _ in range(n)], int), axis)


def padded(x, *, paddings, value=0):
    found = np.full([b + d + a for (b, a), d in zip(paddings, x.shape, strict=True)], value, x.dtype)
    for at in np.ndindex(x.shape):
        found[tuple(i + b for i, (b, _) in zip(at, paddings, strict=True))] = x[at]
    return found


def mirrored(size, before, after, mode):
    edge = 1 if mode == "REFLECT" else 0
    left = [before - i - (1 - edge) for i in range(before)]
    return np.array([*left, *range(size), *[size - 1 - edge - i for i in range(after)]], int)


def mirror_pad(x, *, paddings, mode):
    for axis, (before, after) in enumerate(paddings):
        x = np.take(x, mirrored(x.shape[axis], before, after, mode), axis)
    return x


def mirror_pad_grad(g, *, paddings, mode):
    for axis, (before, after) in enumerate(paddings):
        places = mirrored(g.shape[axis] - before - after, before, after, mode)
        matrix = np.zeros((g.shape[axis] - before - after, g.shape[axis]))
        matrix[places, np.arange(len(places))] = 1
        g = np.moveaxis(np.tensordot(matrix, g, (1, axis)), 0, axis)
    return g


def each(op, shapes, ref, /, types=dtypes.ALL, **attrs):
    return [
        case(op, *(array(*s, dtype=t, seed=f"{op}{i}") for i, s in enumerate(shapes)), ref=ref, label=t.name, **attrs)
        for t in types
    ]


def rows(op, ref, *entries):
    """A row for each (label, input shapes, attributes)."""
    return [
        case(op, *(array(*s, seed=f"{op}{i}") for i, s in enumerate(shapes)), ref=ref, label=label, **attrs)
        for label, shapes, attrs in entries
    ]


CASES = [
    *each("concat", [(2, 3), (2, 1), (2, 0)], concat, axis=1),
    *rows(
        "concat",
        concat,
        ("first", [(2, 3), (1, 3)], {"axis": 0}),
        ("negative", [(2, 1, 3), (2, 1, 4)], {"axis": -1}),
        ("single", [(2, 3)], {"axis": 0}),
        ("empty", [(0, 3), (0, 3)], {"axis": 0}),
        ("deep", [(1, 2, 1, 2, 1, 2), (1, 2, 3, 2, 1, 2)], {"axis": 2}),
    ),
    case("concat", layouts(array(2, 3)), layouts(array(2, 3)), ref=concat, label="strided", axis=1),
    *each("stack", [(2, 3), (2, 3)], stack),
    *rows(
        "stack",
        stack,
        ("scalars", [(), (), ()], {}),
        ("middle", [(2, 3), (2, 3)], {"axis": 1}),
        ("last", [(2, 3), (2, 3)], {"axis": -1}),
        ("single", [(0, 2)], {"axis": 0}),
        ("deep", [(1, 2, 1, 2, 1)] * 2, {"axis": -3}),
    ),
    *each("unstack", [(2, 3)], unstack, num=2),
    *rows(
        "unstack",
        unstack,
        ("last", [(2, 3)], {"num": 3, "axis": -1}),
        ("scalars", [(3,)], {"num": 3}),
        ("empty", [(2, 0)], {"num": 2}),
        ("nothing", [(0, 2)], {"num": 0}),
        ("deep", [(1, 2, 1, 2, 3)], {"num": 2, "axis": 3}),
    ),
    *each("split", [(4, 3)], split, num_or_size_splits=2),
    *rows(
        "split",
        split,
        ("sizes", [(2, 6)], {"num_or_size_splits": (1, 3, 2), "axis": 1}),
        ("rest", [(2, 6)], {"num_or_size_splits": (1, -1, 0, 2), "axis": -1}),
        ("one", [(3,)], {"num_or_size_splits": 1, "num": 1}),
        ("empty", [(0, 2)], {"num_or_size_splits": 3}),
        ("deep", [(1, 2, 1, 2, 3)], {"num_or_size_splits": 3, "axis": 4}),
    ),
    *each("tile", [(2, 3)], tile, multiples=(2, 1)),
    *rows(
        "tile",
        tile,
        ("scalar", [()], {"multiples": ()}),
        ("zero", [(2, 3)], {"multiples": (1, 0)}),
        ("empty", [(0, 3)], {"multiples": (2, 2)}),
        ("deep", [(1, 2, 1, 2, 2)], {"multiples": (3, 1, 2, 1, 2)}),
    ),
    *each("repeat", [(2, 3)], repeat, repeats=2, axis=1),
    *rows(
        "repeat",
        repeat,
        ("flat", [(2, 3)], {"repeats": 3}),
        ("scalar", [()], {"repeats": 4}),
        ("zero", [(2, 3)], {"repeats": 0, "axis": 0}),
        ("empty", [(0, 3)], {"repeats": 2, "axis": -2}),
        ("deep", [(1, 2, 1, 2, 2)], {"repeats": 2, "axis": 3}),
    ),
    *[
        case(
            "repeat_each",
            array(2, 3, dtype=t),
            np.array([1, 0, 2], I32),
            ref=repeat,
            label=t.name,
            static=False,
            axis=-1,
        )
        for t in dtypes.ALL
    ],
    *[
        case("repeat_each", x, np.array(n, np.int64), ref=repeat, label=label, static=False, **attrs)
        for label, x, n, attrs in (
            ("flat", array(2, 2), [1, 2, 0, 3], {}),
            ("scalar count", array(2, 3), 2, {"axis": 0}),
            ("one count", array(2, 3), [2], {"axis": 0}),
            ("scalar", array(), 3, {}),
            ("empty", array(0, 3), np.zeros(0, np.int64), {"axis": 0}),
        )
    ],
    *each("pad", [(2, 3)], padded, paddings=((1, 2), (0, 1))),
    *rows(
        "pad",
        padded,
        ("scalar", [()], {"paddings": ()}),
        ("empty", [(0, 2)], {"paddings": ((1, 1), (0, 0))}),
        ("deep", [(1, 2, 1, 2, 1)], {"paddings": ((0, 1), (1, 0), (2, 0), (0, 0), (0, 1))}),
    ),
    *[
        case(
            "pad_value",
            array(2, 3, dtype=t),
            array(dtype=t, seed="v"),
            ref=lambda x, v, paddings: padded(x, paddings=paddings, value=v),
            label=t.name,
            paddings=((1, 2), (0, 1)),
        )
        for t in dtypes.ALL
    ],
    *each("mirror_pad", [(3, 4)], mirror_pad, paddings=((2, 1), (0, 3)), mode="REFLECT"),
    *rows(
        "mirror_pad",
        mirror_pad,
        ("symmetric", [(3, 4)], {"paddings": ((3, 1), (0, 4)), "mode": "SYMMETRIC"}),
        ("scalar", [()], {"paddings": (), "mode": "SYMMETRIC"}),
        ("empty", [(0, 2)], {"paddings": ((0, 0), (1, 1)), "mode": "REFLECT"}),
        ("deep", [(1, 2, 1, 2, 3)], {"paddings": ((1, 0), (1, 2), (0, 1), (0, 0), (2, 3)), "mode": "SYMMETRIC"}),
    ),
    *each(
        "mirror_pad_grad",
        [(6, 7)],
        mirror_pad_grad,
        types=dtypes.FLOATS + dtypes.COMPLEX + (dtypes.int32,),
        paddings=((2, 1), (0, 3)),
        mode="REFLECT",
    ),
    *rows(
        "mirror_pad_grad",
        mirror_pad_grad,
        ("symmetric", [(7, 8)], {"paddings": ((3, 1), (0, 4)), "mode": "SYMMETRIC"}),
        ("both ends", [(8,)], {"paddings": ((2, 3),), "mode": "SYMMETRIC"}),
        ("scalar", [()], {"paddings": (), "mode": "SYMMETRIC"}),
        ("empty", [(0, 4)], {"paddings": ((0, 0), (1, 1)), "mode": "REFLECT"}),
    ),
]
