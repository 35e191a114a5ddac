"""Cases of `protocol/ops/pooling.py`. The references visit each window in plain loops."""

import itertools
import math

import numpy as np

from protocol.ops import lookup
from tests.ops.case import array, case, layouts


def _windows(shape, window, strides, padding):
    """The output's shape, and for each output position the index of what its window covers."""
    starts = []
    for axis, (d, k, s) in enumerate(zip(shape, window, strides, strict=True)):
        if padding == "SAME":
            out = math.ceil(d / s)
            before = max((out - 1) * s + k - d, 0) // 2
        else:
            before, after = (0, 0) if padding == "VALID" else padding[axis]
            out = (d + before + after - k + s) // s
        starts.append([(max(o * s - before, 0), min(o * s - before + k, d)) for o in range(out)])
    index = {
        at: tuple(slice(*starts[axis][o]) for axis, o in enumerate(at))
        for at in itertools.product(*(range(len(s)) for s in starts))
    }
    return tuple(map(len, starts)), index


def _pool(reduce):
    def ref(x, *, window, strides, padding):
        shape, index = _windows(x.shape, window, strides, padding)
        y = np.zeros(shape, x.dtype)
        for at, here in index.items():
            y[at] = reduce(x[here])
        return y

    return ref


def _first(x, here):
    """The index in x of the first maximum of a window."""
    return tuple(i + s.start for i, s in zip(np.unravel_index(np.argmax(x[here]), x[here].shape), here, strict=True))


def max_grad(x, y, g, *, window, strides, padding):
    dx = np.zeros_like(x)
    for at, here in _windows(x.shape, window, strides, padding)[1].items():
        dx[_first(x, here)] += g[at]
    return dx


def max_pick(x, y, v, *, window, strides, padding):
    shape, index = _windows(x.shape, window, strides, padding)
    picked = np.zeros(shape, v.dtype)
    for at, here in index.items():
        picked[at] = v[_first(x, here)]
    return picked


def avg_grad(g, *, input_sizes, window, strides, padding):
    dx = np.zeros(input_sizes, g.dtype)
    for at, here in _windows(input_sizes, window, strides, padding)[1].items():
        dx[here] += g[at] / dx[here].size
    return dx


maximum, average = _pool(np.max), _pool(np.mean)


def rows(label, x, window, strides, padding, *, dtype="float32", layout=lambda a: a, ties=False):
    """Both kinds of pooling and their gradients at one geometry; `ties` makes equal maxima common."""
    same = {"window": window, "strides": strides, "padding": padding}
    inputs = array(*x, dtype=dtype, seed="x", low=-9, high=9)
    inputs = layout(np.maximum(np.round(inputs / 9), 0).astype(inputs.dtype) if ties else inputs)
    y = maximum(inputs, **same)
    dy, values = layout(array(*y.shape, dtype=dtype, seed="dy")), layout(array(*x, dtype=dtype, seed="v"))
    more = {"label": label, "gradient": not ties, "loose": 4.0, **same}
    found = [
        case("max_pool", inputs, ref=maximum, **more),
        case("max_pool_grad", inputs, y, dy, ref=max_grad, fixed=(0, 1), **more),
        case("max_pool_pick", inputs, y, values, ref=max_pick, fixed=(0, 1), **more),
    ]
    if dtype in {t.name for t in lookup("avg_pool").types}:
        found += [
            case("avg_pool", inputs, ref=average, **more),
            case("avg_pool_grad", dy, ref=avg_grad, input_sizes=x, **more),
        ]
    return found


CASES = [
    *(
        c
        for t in lookup("max_pool").types
        for c in rows(t.name, (2, 4, 5, 3), (1, 2, 2, 1), (1, 2, 2, 1), "VALID", dtype=t.name)
    ),
    *rows("same", (2, 5, 4, 3), (1, 3, 2, 1), (1, 1, 1, 1), "SAME"),
    *rows("same-strided", (2, 5, 4, 3), (1, 3, 2, 1), (1, 2, 2, 1), "SAME"),
    *rows("overlapping", (1, 6, 7, 2), (1, 3, 3, 1), (1, 2, 2, 1), "VALID"),
    *rows("ties", (2, 6, 7, 2), (1, 3, 3, 1), (1, 2, 2, 1), "SAME", ties=True),
    *rows("explicit", (1, 4, 5, 2), (1, 3, 2, 1), (1, 2, 1, 1), ((0, 0), (2, 1), (0, 1), (0, 0))),
    *rows("channels-first", (2, 3, 5, 4), (1, 1, 2, 2), (1, 1, 2, 1), "SAME"),
    *rows("over-channels", (2, 3, 2, 6), (1, 1, 1, 3), (1, 1, 1, 3), "VALID"),
    *rows("1d", (2, 7, 3), (1, 3, 1), (1, 2, 1), "SAME"),
    *rows("3d", (1, 4, 3, 4, 2), (1, 2, 2, 3, 1), (1, 2, 1, 2, 1), "SAME"),
    *rows("huge-window", (1, 3, 3, 2), (1, 10**9, 10**9, 1), (1, 1, 2, 1), "SAME"),
    *rows("stride-over-window", (1, 7, 6, 2), (1, 1, 2, 1), (1, 3, 4, 1), "VALID"),
    *rows("whole", (1, 3, 3, 2), (1, 1, 1, 1), (1, 1, 1, 1), "VALID"),
    *rows("strided-memory", (2, 5, 4, 3), (1, 3, 2, 1), (1, 2, 2, 1), "SAME", layout=layouts),
    *rows("empty", (0, 4, 4, 3), (1, 2, 2, 1), (1, 2, 2, 1), "VALID"),
    *rows("no-windows", (1, 3, 4, 3), (1, 4, 2, 1), (1, 1, 2, 1), "VALID"),
    case(
        "max_pool_pick",
        np.array([[[1], [3], [3], [2], [0]]], np.float32),
        np.array([[[3], [3]]], np.float32),
        np.arange(2**60, 2**60 + 5).reshape(1, 5, 1),
        ref=max_pick,
        label="integers",
        gradient=False,
        window=(1, 3, 1),
        strides=(1, 2, 1),
        padding=((0, 0), (0, 0), (0, 0)),
    ),
    case(
        "max_pool",
        np.array([[[np.nan], [1.0], [np.inf], [-np.inf], [-np.inf]]], np.float32),
        ref=maximum,
        label="special",
        gradient=False,
        window=(1, 2, 1),
        strides=(1, 1, 1),
        padding="VALID",
    ),
]
