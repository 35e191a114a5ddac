"""Cases of `protocol/ops/convolution.py`. The references visit each output position in plain loops."""

import itertools
import math

import numpy as np

from tests.ops.case import array, case, layouts


def _positions(x, w, strides, padding, dilations):
    """The padding, the output dims, and for each output position the index of the padded input that it reads."""
    dims, sizes = x[1:-1], w[:-2]
    spans = [(k - 1) * d + 1 for k, d in zip(sizes, dilations, strict=True)]
    if padding == "SAME":
        outs = [math.ceil(d / s) for d, s in zip(dims, strides, strict=True)]
        total = [max((o - 1) * s + k - d, 0) for o, s, k, d in zip(outs, strides, spans, dims, strict=True)]
        pads = [(t // 2, t - t // 2) for t in total]
    else:
        pads = [(0, 0)] * len(dims) if padding == "VALID" else padding
        outs = [(d + sum(p) - k + s) // s for d, p, k, s in zip(dims, pads, spans, strides, strict=True)]
    index = {
        at: (
            slice(None),
            *(slice(a * s, a * s + k, d) for a, s, k, d in zip(at, strides, spans, dilations, strict=True)),
        )
        for at in itertools.product(*map(range, outs))
    }
    return [(0, 0), *pads, (0, 0)], outs, index


def _flat(x, n, first):
    x = np.moveaxis(x, -n - 1, -1) if first else x
    return x.reshape(-1, *x.shape[x.ndim - n - 1 :]) if x.size else x


def _back(y, lead, n, first):
    y = y.reshape(*lead, *y.shape[1:])
    return np.moveaxis(y, -1, -n - 1) if first else y


def _groups(x, w):
    """The input channels and output channels of each group."""
    depth, outs = w[-2:]
    count = x[-1] // depth
    return [
        (slice(g * depth, (g + 1) * depth), slice(g * outs // count, (g + 1) * outs // count)) for g in range(count)
    ]


def conv(input, filters, *, strides, padding, dilations, channels_first=False):
    n = len(strides)
    x = _flat(input, n, channels_first)
    pads, outs, index = _positions(x.shape, filters.shape, strides, padding, dilations)
    wide = np.pad(x, pads)
    y = np.zeros((len(x), *outs, filters.shape[-1]), x.dtype)
    for at, here in index.items():
        for ins, out in _groups(x.shape, filters.shape):
            y[(slice(None), *at, out)] = np.tensordot(wide[here][..., ins], filters[..., out], n + 1)
    return _back(y, input.shape[: input.ndim - n - 1], n, channels_first)


def backprop_input(filters, dy, *, input_sizes, strides, padding, dilations, channels_first=False):
    n = len(strides)
    dx = np.zeros(_flat(np.empty(input_sizes), n, channels_first).shape, dy.dtype)
    pads, _, index = _positions(dx.shape, filters.shape, strides, padding, dilations)
    wide, g = np.pad(dx, pads), _flat(dy, n, channels_first)
    for at, here in index.items():
        for ins, out in _groups(dx.shape, filters.shape):
            wide[here][..., ins] += np.tensordot(g[(slice(None), *at, out)], filters[..., out], (-1, -1))
    dx = wide[tuple(slice(a, a + d) for (a, _), d in zip(pads, dx.shape, strict=True))]
    return _back(dx, input_sizes[: -n - 1], n, channels_first)


def backprop_filter(input, dy, *, filter_sizes, strides, padding, dilations, channels_first=False):
    n = len(strides)
    x, g = _flat(input, n, channels_first), _flat(dy, n, channels_first)
    pads, _, index = _positions(x.shape, filter_sizes, strides, padding, dilations)
    wide, dw = np.pad(x, pads), np.zeros(filter_sizes, x.dtype)
    for at, here in index.items():
        for ins, out in _groups(x.shape, filter_sizes):
            dw[..., out] += np.tensordot(wide[here][..., ins], g[(slice(None), *at, out)], (0, 0))
    return dw


def rows(
    label, x, w, strides, padding, dilations=None, *, dtype="float32", first=False, layout=lambda a: a, loose=20.0
):
    """The op and both gradients at one geometry."""
    dilations = dilations or (1,) * len(strides)
    same = {"strides": strides, "padding": padding, "dilations": dilations, "channels_first": first}
    inputs, filters = layout(array(*x, dtype=dtype, seed="x")), layout(array(*w, dtype=dtype, seed="w"))
    shape = conv(np.zeros(x), np.zeros(w), **same).shape
    dy = layout(array(*shape, dtype=dtype, seed="dy"))
    more = {"label": label, "loose": loose, **same}
    return [
        case("conv", inputs, filters, ref=conv, **more),
        case("conv_backprop_input", filters, dy, ref=backprop_input, input_sizes=x, **more),
        case("conv_backprop_filter", inputs, dy, ref=backprop_filter, filter_sizes=w, **more),
    ]


def far(dilation):
    """All taps but the middle one are beyond the input: no padded copy could hold them."""
    x, w, dy = array(2, 5, 3), array(3, 3, 4), array(2, 5, 4)
    middle = np.array([0, 1, 0])[:, None, None]
    more = {"label": "far", "strides": (1,), "padding": "SAME", "dilations": (dilation,), "loose": 4.0}
    return [
        case("conv", x, w, ref=lambda x, w, **_: x @ w[1], **more),
        case("conv_backprop_input", w, dy, ref=lambda w, g, **_: g @ w[1].T, input_sizes=x.shape, **more),
        case(
            "conv_backprop_filter",
            x,
            dy,
            ref=lambda x, g, **_: middle * np.tensordot(x, g, ((0, 1), (0, 1))),
            filter_sizes=w.shape,
            **more,
        ),
    ]


CASES = [
    *(
        c
        for dtype in ("float16", "bfloat16", "float32", "float64", "int32")
        for c in rows(dtype, (2, 5, 6, 3), (3, 2, 3, 4), (1, 1), "VALID", dtype=dtype)
    ),
    *rows("same", (2, 5, 6, 3), (3, 4, 3, 2), (1, 1), "SAME"),
    *rows("same-strided", (2, 5, 6, 3), (3, 2, 3, 2), (2, 3), "SAME"),
    *rows("valid-strided", (1, 7, 6, 2), (3, 3, 2, 3), (2, 2), "VALID"),
    *rows("stride-far", (1, 4, 4, 2), (2, 2, 2, 3), (2**62, 2**62), "SAME"),
    *rows("stride-over-size", (1, 7, 6, 2), (1, 2, 2, 3), (3, 4), "SAME"),
    *rows("explicit", (1, 4, 5, 2), (3, 2, 2, 3), (1, 2), ((1, 2), (0, 1))),
    *rows("explicit-wide", (1, 4, 5, 2), (2, 2, 2, 3), (1, 1), ((3, 1), (0, 4))),
    *rows("dilated", (2, 7, 8, 2), (3, 2, 2, 3), (1, 1), "VALID", (2, 3)),
    *rows("dilated-same", (2, 5, 5, 2), (3, 2, 2, 3), (2, 1), "SAME", (2, 3)),
    *far(10**9),
    *rows("pointwise", (2, 3, 4, 5), (1, 1, 5, 2), (1, 1), "SAME"),
    *rows("many-outputs", (2, 4, 4, 1), (3, 3, 1, 7), (1, 1), "SAME"),
    *rows("grouped", (2, 5, 4, 6), (3, 3, 2, 9), (2, 1), "SAME"),
    *rows("depthwise", (2, 5, 4, 3), (3, 2, 1, 3), (1, 2), "SAME"),
    *rows("depthwise-multiplied", (2, 5, 4, 3), (3, 2, 1, 6), (1, 1), "VALID"),
    *rows("channels-first", (2, 3, 5, 6), (3, 2, 3, 4), (1, 2), "SAME", first=True),
    *rows("channels-first-depthwise", (2, 3, 5, 6), (3, 2, 1, 3), (1, 1), "VALID", first=True),
    *rows("batch-axes", (2, 3, 4, 4, 2), (2, 2, 2, 3), (1, 1), "VALID"),
    *rows("no-batch-axis", (1, 4, 4, 2), (2, 2, 2, 3), (1, 1), "VALID"),
    *rows("1d", (2, 9, 3), (4, 3, 5), (2,), "SAME"),
    *rows("1d-first", (2, 3, 9), (4, 3, 5), (1,), "VALID", (2,), first=True),
    *rows("3d", (1, 4, 5, 3, 2), (2, 3, 2, 2, 3), (1, 2, 1), "SAME"),
    *rows("strided-memory", (2, 5, 6, 3), (3, 2, 3, 4), (1, 1), "SAME", layout=layouts),
    *rows("no-images", (0, 5, 6, 3), (3, 2, 3, 4), (1, 1), "VALID"),
    *rows("no-outputs", (2, 5, 6, 3), (3, 2, 3, 0), (1, 1), "VALID"),
    *rows("no-positions", (2, 2, 6, 3), (3, 2, 3, 4), (1, 1), "VALID"),
]
