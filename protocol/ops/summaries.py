"""Ops that make a small thing to look at of a large tensor, where the tensor is."""

from __future__ import annotations

from protocol import histograms
from protocol.attrs import Unknown
from protocol.dtypes import float64
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import op
from protocol.spec import Spec, checked_shape, format_shape


def _histogram_buckets(data: Spec, *, buckets: int | Unknown = histograms.DEFAULT) -> Spec:
    """Formula and edge cases: `protocol.histograms`."""
    if isinstance(buckets, Unknown):
        if buckets.spec.rank not in (0, None):
            raise InvalidArgumentError(f"buckets must be a scalar, got shape {format_shape(buckets.spec.shape)}")
        return Spec(float64, (None, 3))
    return Spec(float64, checked_shape((max(buckets, 0), 3)))


op("histogram_buckets", "data", infer=_histogram_buckets)
