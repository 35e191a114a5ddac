"""Kernels of sorting, search and counting. NaNs count as greater than all numbers; equal elements keep their order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protocol import dtypes
from protocol.dtypes import DType
from protocol.errors import InvalidArgumentError
from server.kernels import room
from server.kernels.precision import wide, widened
from server.kernels.registry import kernel
from server.kernels.segments import group_counts, group_sums


def _sort(xp: Any, values: Any, axis: int = -1, direction: str = "ASCENDING") -> Any:
    found = xp.sort(values, axis=axis)
    return found if direction == "ASCENDING" else xp.flip(found, axis)


def _argsort(xp: Any, values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = False) -> Any:
    return _order(xp, wide(values), axis, direction == "DESCENDING").astype(xp.int32)


def _order(xp: Any, values: Any, axis: int, descending: bool) -> Any:
    """The stable order along `axis`. Descending is that of the reversed values, read backward: ties keep theirs."""
    if not values.size:
        return xp.zeros(values.shape, xp.int64)
    if not descending:
        return xp.argsort(values, axis=axis, kind="stable")
    return values.shape[axis] - 1 - xp.flip(xp.argsort(xp.flip(values, axis), axis=axis, kind="stable"), axis)


kernel("sort", widened(_sort))
kernel("argsort", _argsort)


# --- top k -----------------------------------------------------------------------------------------------------------


def _top_k(xp: Any, values: Any, k: int = 1, sorted: bool = True, index_type: DType = dtypes.int32) -> tuple[Any, Any]:
    shape = (*values.shape[:-1], k)
    rows = values.reshape(math.prod(values.shape[:-1]), values.shape[-1])
    if not math.prod(shape):
        return xp.empty(shape, values.dtype), xp.empty(shape, index_type.numpy)
    found = _top_indices(xp, wide(rows), k)
    return xp.take_along_axis(rows, found, 1).reshape(shape), found.astype(index_type.numpy).reshape(shape)


def _top_indices(xp: Any, rows: Any, k: int) -> Any:
    if k == 1:
        return rows.argmax(axis=1)[:, None]
    chosen = _partial(rows, k) if xp is np and 4 * k <= rows.shape[1] else None
    if chosen is None:
        return _order(xp, rows, 1, True)[:, :k]
    return np.take_along_axis(chosen, _order(np, np.take_along_axis(rows, chosen, 1), 1, True), 1)


def _partial(rows: Any, k: int) -> Any:
    """The columns of each row's k largest, from the left, without sorting the rows; None if there are NaNs."""
    if rows.dtype.kind == "f" and np.isnan(rows.max()):
        return None
    least = np.partition(rows, rows.shape[1] - k, axis=1)[:, rows.shape[1] - k, None]
    take = rows >= least
    if np.count_nonzero(take) > k * len(rows):  # the least is there more often than it is needed: its leftmost count
        above = rows > least
        ties = take ^ above
        take = above | (ties & (ties.cumsum(axis=1) <= k - above.sum(axis=1, keepdims=True)))
    return np.nonzero(take)[1].reshape(len(rows), k)


def _in_top_k(xp: Any, targets: Any, predictions: Any, k: int) -> Any:
    rows, classes = predictions.shape
    if not predictions.size:
        return xp.zeros(rows, bool)
    predictions = wide(predictions)
    known = (targets >= 0) & (targets < classes)
    target = xp.take_along_axis(predictions, xp.where(known, targets, 0)[:, None].astype(xp.int64), 1)
    return known & xp.isfinite(predictions).all(axis=1) & ((predictions > target).sum(axis=1) < k)


kernel("top_k", _top_k)
kernel("in_top_k", _in_top_k)


# --- unique values and search ----------------------------------------------------------------------------------------


def _unique_with_counts(xp: Any, x: Any, out_idx: DType = dtypes.int32) -> tuple[Any, Any, Any]:
    """Values in the order of their first occurrence. Every NaN is a value of its own, as in TensorFlow."""
    index, size = out_idx.numpy, x.size
    if not size:
        return x, xp.empty(0, index), xp.empty(0, index)
    room.ask(x.shape, xp.int64, times=8)  # of a byte each, orders and places are many times as much
    keys = wide(x)
    order = xp.argsort(keys, kind="stable")
    keys = keys[order]
    opens = xp.concatenate((xp.ones(1, bool), keys[1:] != keys[:-1]))  # where the next value begins
    firsts = order[opens]
    by_place = xp.argsort(firsts)
    place = _inverse(xp, by_place)
    found = xp.empty(size, xp.int64)
    found[order] = place[xp.cumsum(opens) - 1]
    starts = xp.flatnonzero(opens)
    counts = xp.diff(xp.concatenate((starts, xp.full(1, size, starts.dtype))))
    return x[firsts[by_place]], found.astype(index), counts[by_place].astype(index)


def _inverse(xp: Any, permutation: Any) -> Any:
    found = xp.zeros(permutation.shape, permutation.dtype)
    found[permutation] = xp.arange(permutation.size, dtype=permutation.dtype)
    return found


def _searchsorted(xp: Any, sequence: Any, values: Any, side: str = "left", out_type: DType = dtypes.int32) -> Any:
    sequence, values = wide(sequence), wide(values)
    if not values.size:
        return xp.zeros(values.shape, out_type.numpy)
    length = sequence.shape[-1]
    if sequence.size != length:
        rows = sequence.reshape(-1, length)
        found = _search_rows(xp, rows, values.reshape(len(rows), values.shape[-1]), side)
        return found.reshape(values.shape).astype(out_type.numpy)
    found = xp.searchsorted(sequence.reshape(-1), values, side=side)
    if (
        values.dtype.kind == "f"
    ):  # comparing with NaN is false, so TensorFlow's search goes on to the end, or not at all
        found = xp.where(xp.isnan(values), 0 if side == "left" else length, found)
    return found.astype(out_type.numpy)


def _search_rows(xp: Any, rows: Any, values: Any, side: str) -> Any:
    """A binary search in each row for the values of the same row, all in step."""
    length = rows.shape[1]
    low = xp.zeros(values.shape, xp.int64)
    high = xp.full(values.shape, length, xp.int64)
    for _ in range(length.bit_length()):
        middle = (low + high) // 2
        probe = xp.take_along_axis(rows, xp.minimum(middle, length - 1), 1)
        onward = (probe < values if side == "left" else ~(values < probe)) & (low < high)
        low, high = xp.where(onward, middle + 1, low), xp.where(onward, high, middle)
    return low


def _invert_permutation(xp: Any, x: Any) -> Any:
    if xp is np:  # on a GPU, looking would wait for the device
        outside = (x < 0) | (x >= x.size)
        if outside.any():
            raise InvalidArgumentError(f"{x[outside][0]} is not between 0 and {x.size}")
        repeated = np.bincount(x, minlength=x.size) > 1
        if repeated.any():
            raise InvalidArgumentError(f"{repeated.argmax()} is duplicated in the input.")
    return _inverse(xp, x)


kernel("unique_with_counts", _unique_with_counts)
kernel("unique", lambda xp, x, out_idx=dtypes.int32: _unique_with_counts(xp, x, out_idx)[:2])
kernel("searchsorted", _searchsorted)
kernel("invert_permutation", _invert_permutation)


# --- bincount --------------------------------------------------------------------------------------------------------


def _bincount(
    xp: Any,
    arr: Any,
    *weights: Any,
    minlength: int | None = None,
    maxlength: int | None = None,
    dtype: DType = dtypes.int32,
    axis: int | None = None,
    binary_output: bool = False,
) -> Any:
    rows = arr.shape[0] if axis == -1 and arr.ndim == 2 else 1
    lead = (rows,) if axis == -1 and arr.ndim == 2 else ()
    bins, cut = _bins(xp, arr, minlength, maxlength)
    result = weights[0].dtype if weights else dtype.numpy
    room.ask((rows, bins + 1), xp.int64, times=2)
    values = arr.reshape(rows, arr.size // rows if rows else 0).astype(xp.int64)
    groups = rows * bins + 1  # one more than there are bins, for what is beyond the last
    inside = (values >= 0) & (values < bins) if cut else None  # a uint64 over int64's limit is negative by now
    if rows > 1:
        values = values + xp.arange(rows)[:, None] * bins
    ids = (xp.where(inside, values, groups - 1) if cut else values).reshape(-1)
    if weights and weights[0].size:
        counts = group_sums(xp, wide(weights[0]).reshape(-1, 1), ids, groups)[:, 0]
    else:
        counts = group_counts(xp, ids, groups)
    counts = counts[:-1] > 0 if binary_output else counts[:-1]
    return counts.astype(result).reshape(*lead, bins)


def _bins(xp: Any, arr: Any, minlength: int | None, maxlength: int | None) -> tuple[int, bool]:
    """The number of bins, and whether values are beyond the last. The greatest decides, so a GPU is waited for."""
    bins = 0
    if arr.size:
        low, high = xp.stack((arr.min(), arr.max())).tolist()
        if low < 0:
            raise InvalidArgumentError("Input arr must be non-negative!")
        bins = high + 1
    wanted = max(bins, minlength or 0)
    if maxlength is not None:
        wanted = min(wanted, maxlength)
    return wanted, bins > wanted


kernel("bincount", _bincount)
