"""Buckets of a histogram, as TensorBoard draws them: one formula, run by the server's kernel and by the client for
what never left it.

Owns: `buckets`. Does not know summaries or sessions. `xp` is `numpy` or `cupy`.

    width = (max - min) / k,    bucket i = [min + i width, min + (i + 1) width),    i(x) = floor((x - min) / width)

in float64; the last bucket is closed. As in `tensorboard.plugins.histogram.summary_v2`: no data gives zeros; one value
alone gives buckets of no width with all of it in the last; what has no bucket, because it or an edge is not finite,
is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from typing import Any, Final

import numpy as np

DEFAULT: Final = 30
"""Buckets where nothing else is said."""
_AT_ONCE: Final = 2**20
"""Elements that are looked at together: what is computed of them takes 8 bytes each."""


def buckets(xp: Any, data: Any, count: int) -> Any:
    """The histogram of all elements, float64 of shape [count, 3]: left edge, right edge, number.

    Args:
        xp: `numpy` or `cupy`.
        data: an array of any shape and dtype; of complex numbers, the real parts.
        count: how many buckets; below 1: none.
    """
    if count < 1 or not data.size:
        return xp.zeros((max(count, 0), 3), xp.float64)
    with np.errstate(all="ignore"):
        low = reduce(xp.minimum, [part.min() for part in _parts(xp, data)])
        high = reduce(xp.maximum, [part.max() for part in _parts(xp, data)])
        width = (high - low) / count
        counts = sum(_counts(xp, part, low, width, count) for part in _parts(xp, data))
        all_in_last = xp.where(xp.arange(count) == count - 1, data.size, 0)
        counts = xp.where(high - low == 0, all_in_last, counts)
        edges = xp.concatenate([low[None], low + width * xp.arange(1, count), high[None]])
        return xp.stack([edges[:-1], edges[1:], counts.astype(xp.float64)], axis=1)


def _parts(xp: Any, data: Any) -> Iterator[Any]:
    flat = (data.real if data.dtype.kind == "c" else data).reshape(-1)
    for start in range(0, flat.size, _AT_ONCE):
        yield flat[start : start + _AT_ONCE].astype(xp.float64)


def _counts(xp: Any, part: Any, low: Any, width: Any, count: int) -> Any:
    place = xp.floor((part - low) / width)
    place = xp.where(place >= 0, xp.minimum(place, count - 1), count)  # a NaN is not: it goes beyond the last
    return xp.bincount(place.astype(xp.int64), minlength=count + 1)[:count]
