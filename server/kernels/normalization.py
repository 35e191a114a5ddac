"""Kernel of the moments."""

from __future__ import annotations

import math
from typing import Any

from protocol.attrs import Axes
from protocol.spec import normalize_axes
from server.kernels.precision import widened
from server.kernels.registry import kernel


def _moments(xp: Any, x: Any, *, axes: Axes, keepdims: bool = False) -> tuple[Any, Any]:
    over = normalize_axes(axes, x.ndim)
    if over == tuple(range(len(over))):
        return _moments_of_rows(xp, x, len(over), keepdims)
    count = x.dtype.type(math.prod(x.shape[a] for a in over))
    mean = x.sum(axis=over, keepdims=True) / count
    centred = x - mean
    centred *= centred
    variance = centred.sum(axis=over, keepdims=keepdims) / count
    return mean.reshape(variance.shape), variance


def _moments_of_rows(xp: Any, x: Any, axes: int, keepdims: bool) -> tuple[Any, Any]:
    """Moments over the leading axes, as for a batch.

    A product with 1/n sums rows several times faster than NumPy's sum does, and rounds less.
    """
    rest = x.shape[axes:]
    rows, width = math.prod(x.shape[:axes]), math.prod(rest)
    shape = (1,) * axes + rest if keepdims else rest
    if not rows:
        return xp.full(shape, xp.nan, x.dtype), xp.full(shape, xp.nan, x.dtype)
    flat = x.reshape(rows, width)
    weights = xp.full(rows, 1 / rows, x.dtype)
    mean = weights @ flat
    centred = flat - mean
    centred *= centred
    return mean.reshape(shape), (weights @ centred).reshape(shape)


kernel("moments", widened(_moments))
