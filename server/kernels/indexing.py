"""Kernels of slices, gathers and masks."""

from __future__ import annotations

from math import prod
from typing import Any

from protocol.ops.indexing import gather_axes, slicing_of
from protocol.slicing import Masks, Slicing
from server.kernels import room
from server.kernels.positions import add_rows, in_range, row_numbers, take_rows
from server.kernels.registry import kernel


def _gather(xp: Any, params: Any, indices: Any, *, axis: int = 0, batch_dims: int = 0) -> Any:
    axes = gather_axes(params.ndim, indices.ndim, axis, batch_dims)
    assert axes is not None
    at, batch = axes
    safe, good = in_range(xp, indices, params.shape[at])
    shape = params.shape[:at] + indices.shape[batch:] + params.shape[at + 1 :]
    if not batch and good is None:
        return xp.take(params, safe, axis=at) if safe.size else xp.zeros(shape, params.dtype)
    rows, table = _rows(xp, safe, params.shape, at, batch)
    if good is not None:
        good = xp.broadcast_to(_between(good, batch), rows.shape)
    return take_rows(xp, params.reshape(table), rows, good).reshape(shape)


def _between(indices: Any, batch: int) -> Any:
    """[batches, 1, indices a batch]: room in the middle for the axes between the batch axes and the gathered one."""
    return indices.reshape(prod(indices.shape[:batch]), 1, prod(indices.shape[batch:]))


def _rows(xp: Any, indices: Any, shape: tuple[int, ...], at: int, batch: int) -> tuple[Any, tuple[int, int]]:
    """An array of `shape` as a table: the numbers [batches, outer, indices a batch] of the rows, and [rows, width]."""
    batches, outer, length = prod(shape[:batch]), prod(shape[batch:at]), shape[at]
    starts = xp.arange(batches * outer).reshape(batches, outer, 1) * length
    return starts + _between(indices, batch).astype("int64"), (batches * outer * length, prod(shape[at + 1 :]))


def _gather_grad(
    xp: Any, grad: Any, indices: Any, *, shape: tuple[int, ...], axis: int = 0, batch_dims: int = 0
) -> Any:
    axes = gather_axes(len(shape), indices.ndim, axis, batch_dims)
    assert axes is not None
    at, batch = axes
    safe, good = in_range(xp, indices, shape[at])
    rows, (count, width) = _rows(xp, safe, shape, at, batch)
    if good is not None:
        good = xp.broadcast_to(_between(good, batch), rows.shape).reshape(-1)
    return add_rows(xp, count, rows.reshape(-1), grad.reshape(rows.size, width), good).reshape(shape)


def _gather_nd(xp: Any, params: Any, indices: Any, *, batch_dims: int = 0) -> Any:
    depth = indices.shape[-1]
    inner, shape = params.shape[batch_dims : batch_dims + depth], params.shape
    named = f"param shape [{','.join(map(str, shape))}]"
    numbers, good = row_numbers(xp, indices, inner, named)
    batch = indices.shape[:batch_dims]
    starts = xp.arange(prod(batch)).reshape(batch + (1,) * (numbers.ndim - batch_dims)) * prod(inner)
    width = prod(shape[batch_dims + depth :])
    table = params.reshape(prod(batch) * prod(inner), width)
    found = take_rows(xp, table, numbers + starts, good)
    return found.reshape(indices.shape[:-1] + shape[batch_dims + depth :])


def _boolean_mask(xp: Any, tensor: Any, mask: Any, *, axis: int | None = None) -> Any:
    at = (axis or 0) % tensor.ndim
    return tensor[(slice(None),) * at + (mask,)]


def _where(xp: Any, condition: Any) -> Any:
    hit = condition if condition.dtype.kind == "b" else condition != 0
    room.ask((int(xp.count_nonzero(hit)), hit.ndim), xp.int64, times=2)
    return xp.stack(xp.nonzero(hit), axis=1).astype("int64", copy=False)


def _slice(xp: Any, input_: Any, *, begin: tuple[int, ...], size: tuple[int, ...]) -> Any:
    bounds = zip(begin, size, strict=True)
    return input_[(*tuple(slice(b, None if s == -1 else b + s) for b, s in bounds), Ellipsis)]


def slicing(rank: int, begin: Any, end: Any, strides: Any, masks: dict[str, int]) -> Slicing:
    """What the attributes of `strided_slice` mean for an array of `rank` axes."""
    found = slicing_of(rank, begin, end, strides, Masks(**masks))
    assert found is not None
    return found


def _strided_slice(xp: Any, input_: Any, *, begin: Any, end: Any, strides: Any = None, **masks: int) -> Any:
    return input_[slicing(input_.ndim, begin, end, strides, masks).key(input_.shape)]


def _strided_slice_grad(
    xp: Any, dy: Any, *, shape: tuple[int, ...], begin: Any, end: Any, strides: Any = None, **masks: int
) -> Any:
    found = xp.zeros(shape, dy.dtype)
    found[slicing(len(shape), begin, end, strides, masks).key(shape)] = dy
    return found


kernel("gather", _gather)
kernel("gather_grad", _gather_grad)
kernel("gather_nd", _gather_nd)
kernel("boolean_mask", _boolean_mask)
kernel("where", _where)
kernel("select", lambda xp, condition, x, y: xp.where(condition, x, y))
kernel("slice", _slice)
kernel("strided_slice", _strided_slice)
kernel("strided_slice_grad", _strided_slice_grad)
