"""Kernels of segment reductions, and the grouped sums and counts that `bincount` shares.

Rows are a matrix (one row for each id) and ids a vector. On the CPU, ids out of range are an error; on a GPU, where
looking would wait for the device, they are dropped, as in TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from protocol.dtypes import BY_NUMPY
from protocol.errors import InvalidArgumentError
from server.kernels import room
from server.kernels.precision import wide
from server.kernels.reductions import divide_toward_zero
from server.kernels.registry import kernel

_FEW = 1024
"""Elements up to which NumPy's plain loop is faster than setting up a sparse product."""


def group_sums(xp: Any, rows: Any, ids: Any, count: int) -> Any:
    """result[i] is the sum of the rows whose id is i, for ids in [0, count)."""
    if rows.dtype.kind == "c":  # neither a sparse product (inf * 0j) nor an atomic addition does it
        pairs = xp.ascontiguousarray(rows).view(rows.real.dtype)
        return group_sums(xp, pairs, ids, count).view(rows.dtype)
    if not rows.size or not count:
        return xp.zeros((count, rows.shape[1]), rows.dtype)
    if xp is not np or rows.size < _FEW:
        return _add_at(xp, rows, ids, count)
    if rows.shape[1] == 1 and rows.dtype.kind == "f":
        return np.bincount(ids, rows[:, 0], count).astype(rows.dtype)[:, None]
    return _selection(rows.dtype, ids, count) @ rows


def _add_at(xp: Any, rows: Any, ids: Any, count: int) -> Any:
    """One by one on the CPU; on a GPU by atomic additions, which exist for 32 bits and, of integers, unsigned 64."""
    kind = rows.dtype
    if kind.itemsize < 4:
        rows = rows.astype(xp.int32)
    elif kind == np.int64:
        rows = rows.view(xp.uint64)
    sums = xp.zeros((count, rows.shape[1]), rows.dtype)
    xp.add.at(sums, ids, rows)
    return sums.view(kind) if kind.itemsize == rows.dtype.itemsize else sums.astype(kind)


def _selection(dtype: Any, ids: Any, count: int) -> Any:
    """The sparse matrix with a one at (ids[j], j): its product adds up rows by id at memory speed, in order."""
    from scipy.sparse import csc_array

    index = np.int32 if max(count, ids.size) < 2**31 else np.int64
    columns = np.arange(ids.size + 1, dtype=index)
    return csc_array((np.ones(ids.size, dtype), ids.astype(index), columns), shape=(count, ids.size))


def group_counts(xp: Any, ids: Any, count: int) -> Any:
    """How often each id in [0, count) occurs, as an integer vector."""
    if xp is np:
        return np.bincount(ids, minlength=count)
    return group_sums(xp, xp.ones((ids.size, 1), xp.int32), ids, count)[:, 0]


# A reduction gets the rows (halves widened), the ids, the number of groups and the dtype that the data had before.


def _sum(xp: Any, rows: Any, ids: Any, count: int, dtype: Any) -> Any:
    return group_sums(xp, rows, ids, count)


def _mean(xp: Any, rows: Any, ids: Any, count: int, dtype: Any) -> Any:
    """Integers are averaged in 64 bits and rounded toward zero."""
    members = xp.maximum(group_counts(xp, ids, count), 1)[:, None]
    if rows.dtype.kind in "iu":
        sums = _long_sums(xp, rows, ids, count)
        return divide_toward_zero(xp, sums, members.astype(sums.dtype))
    return group_sums(xp, rows, ids, count) / members.astype(rows.real.dtype)


def _true_mean(xp: Any, rows: Any, ids: Any, count: int, dtype: Any) -> Any:
    """Integers give floats here, as TensorFlow's division does."""
    if rows.dtype.kind not in "iu":
        return _mean(xp, rows, ids, count, dtype)
    members = xp.maximum(group_counts(xp, ids, count), 1)[:, None]
    return (_long_sums(xp, rows, ids, count) / members).astype(xp.float32 if dtype.itemsize < 4 else xp.float64)


def _long_sums(xp: Any, rows: Any, ids: Any, count: int) -> Any:
    return group_sums(xp, rows.astype(xp.int64 if rows.dtype.kind == "i" else xp.uint64), ids, count)


def _sqrt_n(xp: Any, rows: Any, ids: Any, count: int, dtype: Any) -> Any:
    members = xp.maximum(group_counts(xp, ids, count), 1)[:, None]
    return group_sums(xp, rows, ids, count) / xp.sqrt(members).astype(rows.dtype)


def _combined(ufunc: str, empty: Callable[[Any], Any]) -> Callable[..., Any]:
    """Groups combined by `ufunc`; a group without members is `empty(dtype)`."""

    def run(xp: Any, rows: Any, ids: Any, count: int, dtype: Any) -> Any:
        found = xp.full((count, rows.shape[1]), empty(dtype), rows.dtype)
        if not rows.size or not count:
            return found
        if xp is not np or (ids[1:] < ids[:-1]).any():
            order = xp.argsort(ids, kind="stable")
            rows, ids = rows[order], ids[order]
        combine = getattr(xp, ufunc)
        if xp is not np:
            return _scan_groups(xp, rows, ids, combine, found)
        starts = np.flatnonzero(np.concatenate(([True], ids[1:] != ids[:-1])))
        found[ids[starts]] = combine.reduceat(rows, starts, axis=0, dtype=rows.dtype)
        return found

    return run


def _scan_groups(xp: Any, rows: Any, ids: Any, combine: Any, found: Any) -> Any:
    """Sorted groups combined in log2(n) whole-array steps, each doubling what a row covers: CuPy has no `reduceat`."""
    step = 1
    while step < ids.size:
        same = (ids[step:] == ids[:-step])[:, None]
        rows = xp.concatenate((rows[:step], xp.where(same, combine(rows[step:], rows[:-step]), rows[step:])))
        step *= 2
    last = xp.concatenate((ids[1:] != ids[:-1], xp.ones(1, bool)))
    target = xp.concatenate((found, found[:1]))  # one row more, for all that are not the last of their group
    target[xp.where(last, ids, len(found))] = rows
    return target[:-1]


def _constant(value: int) -> Callable[[Any], Any]:
    return lambda dtype: value


def _limit(which: str) -> Callable[[Any], Any]:
    return lambda dtype: getattr(BY_NUMPY[dtype], which)


# --- sorted ids ------------------------------------------------------------------------------------------------------


def _segment(reduce: Callable[..., Any]) -> Callable[..., Any]:
    def run(xp: Any, data: Any, segment_ids: Any) -> Any:
        count = _last_segment(xp, segment_ids) + 1
        rest = data.shape[1:]
        room.ask((count, *rest), data.dtype)
        rows = wide(data).reshape(segment_ids.size, math.prod(rest))
        return reduce(xp, rows, segment_ids, count, data.dtype).astype(data.dtype, copy=False).reshape(count, *rest)

    return run


def _last_segment(xp: Any, ids: Any) -> int:
    """The last of the sorted `ids`, -1 if there is none; the result's size depends on it, so a GPU is waited for."""
    if not ids.size:
        return -1
    checks = xp.stack((ids[0], ids[-1], (ids[1:] < ids[:-1]).any().astype(ids.dtype)))
    first, last, unsorted = checks.tolist()
    if unsorted:
        raise InvalidArgumentError("segment ids are not increasing")
    if first < 0:
        raise InvalidArgumentError(
            f"Segment id {first} out of range [0, {last + 1}), possibly because 'segment_ids' input is not sorted."
        )
    return int(last)


for _name, _reduce in (
    ("sum", _sum),
    ("mean", _mean),
    ("max", _combined("maximum", _constant(0))),
    ("min", _combined("minimum", _constant(0))),
    ("prod", _combined("multiply", _constant(1))),
):
    kernel(f"segment_{_name}", _segment(_reduce))


# --- unsorted ids ----------------------------------------------------------------------------------------------------


def _unsorted(reduce: Callable[..., Any]) -> Callable[..., Any]:
    def run(xp: Any, data: Any, segment_ids: Any, num_segments: int) -> Any:
        rest = data.shape[segment_ids.ndim :]
        rows = wide(data).reshape(segment_ids.size, math.prod(rest))
        ids = segment_ids.reshape(-1).astype(xp.int64)
        rows, ids, count = _in_range(xp, rows, ids, num_segments, segment_ids.shape)
        found = reduce(xp, rows, ids, count, data.dtype)[:num_segments].reshape(num_segments, *rest)
        return found if data.dtype.kind in "iu" else found.astype(data.dtype, copy=False)

    return run


def _in_range(xp: Any, rows: Any, ids: Any, count: int, shape: tuple[int, ...]) -> tuple[Any, Any, int]:
    """Rows and ids to keep, and how many groups to make: on a GPU one more, which takes what is dropped."""
    if xp is not np:
        return rows, xp.where((ids >= 0) & (ids < count), ids, count), count + 1
    if not ids.size:
        return rows, ids, count
    if ids.max() >= count:
        at = int(np.argmax(ids >= count))
        place = ", ".join(str(int(i)) for i in np.unravel_index(at, shape))
        raise InvalidArgumentError(f"segment_ids[{place}] = {ids[at]} is out of range [0, {count})")
    if ids.min() < 0:
        keep = ids >= 0
        return rows[keep], ids[keep], count
    return rows, ids, count


for _name, _reduce in (
    ("sum", _sum),
    ("mean", _true_mean),
    ("sqrt_n", _sqrt_n),
    ("max", _combined("maximum", _limit("min"))),
    ("min", _combined("minimum", _limit("max"))),
    ("prod", _combined("multiply", _constant(1))),
):
    kernel(f"unsorted_segment_{_name}", _unsorted(_reduce))


def _segment_rows(xp: Any, params: Any, segment_ids: Any) -> Any:
    """Ids out of range give zeros on a GPU."""
    count, ids = len(params), segment_ids.astype(xp.int64)
    shape = (*ids.shape, *params.shape[1:])
    if xp is np and ids.size and ids.max() >= count:
        raise InvalidArgumentError(f"segment_ids has an id out of range [0, {count})")
    if not count or not ids.size:
        return xp.zeros(shape, params.dtype)
    kept = (ids >= 0) & (ids < count)
    if xp is np and kept.all():
        return params[ids]
    rows = params[xp.where(kept, ids, 0)]
    return xp.where(kept.reshape(ids.shape + (1,) * (params.ndim - 1)), rows, params.dtype.type(0))


kernel("segment_rows", _segment_rows)
