"""Reading and writing at given positions: index checks, and scatters in which duplicates count.

Owns: `in_range`, `row_numbers`, `take_rows`, `scatter_rows`, `add_rows`. A CPU raises for a bad index; a GPU does not
wait to see one: reads there give 0 and writes are dropped, as in TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from protocol.errors import InvalidArgumentError

SPARSE_WIDTH: Final = (
    8  # From this row width on, adding rows as a sparse product is 5 to 10 times faster than `np.add.at`.
)


def in_range(xp: Any, indices: Any, limit: int, name: str = "indices") -> tuple[Any, Any]:
    """`indices` fit for use along an axis of `limit`, and which of them were good (None for all of them).

    Raises:
        InvalidArgumentError: on a CPU, for the first index that is not in [0, limit).
    """
    if xp is not np:
        good = (indices >= 0) & (indices < limit)
        return xp.where(good, indices, 0), good
    if indices.size and (indices.min() < 0 or indices.max() >= limit):
        at = tuple(map(int, np.argwhere((indices < 0) | (indices >= limit))[0]))
        raise InvalidArgumentError(f"{_element(name, at)} = {indices[at]} is not in [0, {limit})")
    return indices, None


def _element(name: str, at: tuple[int, ...]) -> str:
    return f"{name}[{','.join(map(str, at))}]" if at else name


def row_numbers(xp: Any, indices: Any, dims: Sequence[int], place: str) -> tuple[Any, Any]:
    """The row-major number of the place in an array of `dims` that each row of `indices` names, and which are good.

    As with `in_range`, None says that all are.

    Raises:
        InvalidArgumentError: on a CPU, for the first row out of bounds, saying that it does not index into `place`.
    """
    limits = xp.asarray(dims, dtype="int64")
    good = ((indices >= 0) & (indices < limits)).all(axis=-1)
    if xp is np and not good.all():
        at = tuple(map(int, np.argwhere(~good)[0]))
        row = ", ".join(map(str, indices[at].tolist()))
        raise InvalidArgumentError(f"{_element('indices', at)} = [{row}] does not index into {place}")
    numbers = xp.zeros(indices.shape[:-1], "int64")
    for k, dim in enumerate(dims):
        numbers = numbers * dim + indices[..., k].astype("int64")  # else uint64 would make it floating-point
    return (numbers, None) if xp is np else (xp.where(good, numbers, 0), good)


def take_rows(xp: Any, table: Any, rows: Any, good: Any) -> Any:
    """`table[rows]`, with zeros where not `good`."""
    if not len(table):
        return xp.zeros(rows.shape + table.shape[1:], table.dtype)
    found = xp.take(table, rows, axis=0)
    if good is None:
        return found
    return xp.where(good.reshape(good.shape + (1,) * (found.ndim - good.ndim)), found, xp.zeros((), found.dtype))


def scatter_rows(xp: Any, how: str, target: Any, rows: Any, updates: Any, good: Any = None) -> Any:
    """A copy of `target` ([count, width]) with `updates` ([n, width]) worked into its `rows` ([n]).

    `how` is update, add, sub, min or max. Every duplicate counts; of several updates of a row the last one stays on
    a CPU, any one on a GPU.
    """
    if not updates.size:
        return target.copy()
    if how == "sub":
        how, updates = "add", -updates
    if xp is np:
        return _CPU[how](target, rows, updates)
    if good is not None:  # a spare row takes what must not be written
        rows = xp.where(good, rows, len(target))
        target = xp.concatenate([target, target[:1] if len(target) else xp.zeros((1, *target.shape[1:]), target.dtype)])
        return _scatter_gpu(xp, how, target, rows, updates)[:-1]
    return _scatter_gpu(xp, how, target.copy(), rows, updates)


def add_rows(xp: Any, count: int, rows: Any, updates: Any, good: Any = None) -> Any:
    """[count, width] zeros with `updates` ([n, width]) added to their `rows` ([n])."""
    return scatter_rows(xp, "add", xp.zeros((count, updates.shape[1]), updates.dtype), rows, updates, good)


def _half(dtype: Any) -> bool:
    return dtype.itemsize == 2 and dtype.kind not in "iu"


def _add_cpu(target: Any, rows: Any, updates: Any) -> Any:
    dtype, (count, width) = target.dtype, target.shape
    if _half(dtype):
        return _add_cpu(target.astype(np.float32), rows, updates.astype(np.float32)).astype(dtype)
    if width >= SPARSE_WIDTH and len(rows) * 4 >= count and dtype.kind in "fciu" and dtype.itemsize >= 4:
        from scipy.sparse import csc_array

        ones = np.ones(len(rows), dtype)
        return target + csc_array((ones, rows, np.arange(len(rows) + 1)), shape=(count, len(rows))) @ updates
    return _at(np.add)(target, rows, updates)


def _at(ufunc: Any) -> Callable[[Any, Any, Any], Any]:
    """`ufunc.at` over single elements: NumPy has a fast loop for that, and none for whole rows."""

    def run(target: Any, rows: Any, updates: Any) -> Any:
        width = target.shape[1]
        flat = target.flatten()
        places = rows if width == 1 else (rows[:, None] * width + np.arange(width)).reshape(-1)
        ufunc.at(flat, places, updates.reshape(-1))
        return flat.reshape(target.shape)

    return run


def _update_cpu(target: Any, rows: Any, updates: Any) -> Any:
    found = target.copy()
    found[rows] = updates
    return found


_CPU: Final[dict[str, Callable[[Any, Any, Any], Any]]] = {
    "update": _update_cpu,
    "add": _add_cpu,
    "min": _at(np.minimum),
    "max": _at(np.maximum),
}
# CUDA's atomics know few types: the others work in one of these, in which every value of theirs is exact.
_ATOMIC: Final = {
    "bool": "int32", "int8": "int32", "int16": "int32", "uint8": "uint32", "uint16": "uint32", "bfloat16": "float32",
}  # fmt: skip
_SIGN: Final = np.uint64(2**63)


def _scatter_gpu(xp: Any, how: str, target: Any, rows: Any, updates: Any) -> Any:
    if how == "update":
        target[rows] = updates
        return target
    import cupyx

    run, dtype = getattr(cupyx, f"scatter_{how}"), target.dtype
    if dtype.name == "int64":  # as uint64: sums wrap alike, and with the sign bit turned the order is the same
        turn = _SIGN if how != "add" else np.uint64(0)
        work = target.view("uint64") ^ turn
        run(work, rows, xp.ascontiguousarray(updates).view("uint64") ^ turn)
        return (work ^ turn).view("int64")
    narrow = "float32" if dtype.name == "float16" and how != "add" else _ATOMIC.get(dtype.name, dtype.name)
    work = target.astype(narrow)
    run(work, rows, updates.astype(narrow))
    return work.astype(dtype)
