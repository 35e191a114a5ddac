"""Moments: mean and variance in one op, for normalisation."""

from __future__ import annotations

from protocol.attrs import Axes
from protocol.ops.registry import FLOATS, op
from protocol.spec import Shape, Spec, normalize_axes


def _moments(x: Spec, *, axes: Axes, keepdims: bool = False) -> tuple[Spec, Spec]:
    if x.shape is None:
        shape: Shape = () if axes is None and not keepdims else None
    else:
        over = normalize_axes(axes, len(x.shape))
        kept = enumerate(x.shape)
        shape = tuple(1 if i in over else d for i, d in kept if keepdims or i not in over)
    return Spec(x.dtype, shape), Spec(x.dtype, shape)


op("moments", "x", infer=_moments, types=FLOATS)
