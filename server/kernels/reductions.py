"""Kernels of reductions and scans. Halves are summed in float32, and integers are averaged in 64 bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from protocol import dtypes
from protocol.dtypes import DType
from protocol.ops.reductions import reduction_axes
from server.kernels.precision import wide, widened
from server.kernels.registry import kernel

_FOLD_ROWS = 512
_FOLD_WIDTH = 8192  # elements of a partial sum: half of a typical L2 cache in float64


def _sum(xp: Any, x: Any, axes: tuple[int, ...], keepdims: bool, dtype: Any = None) -> Any:
    if x.size >= _FOLD_ROWS and xp is np and dtype is None and _is_leading(axes, x):
        rows = math.prod(x.shape[: len(axes)])
        if rows >= _FOLD_ROWS:
            shape = (1,) * len(axes) * keepdims + x.shape[len(axes) :]
            return _sum_rows(x.reshape(rows, x.size // rows)).reshape(shape)
    return x.sum(axis=axes, dtype=dtype or x.dtype, keepdims=keepdims)


def _is_leading(axes: tuple[int, ...], x: Any) -> bool:
    return axes[-1] == len(axes) - 1 < x.ndim - 1 and x.flags.c_contiguous


def _sum_rows(x: Any) -> Any:
    """The sum of the rows of a contiguous matrix, in two steps.

    NumPy adds rows one by one. Folding several into one long row first makes its inner loop long and the error small.
    """
    rows, width = x.shape
    fold = min(math.isqrt(rows), _FOLD_WIDTH // max(width, 1))
    if fold < 2:
        return x.sum(axis=0, dtype=x.dtype)
    even = rows // fold * fold
    folded = x[:even].reshape(rows // fold, fold * width).sum(axis=0, dtype=x.dtype)
    return folded.reshape(fold, width).sum(axis=0, dtype=x.dtype) + x[even:].sum(axis=0, dtype=x.dtype)


def _mean(xp: Any, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    count = math.prod(x.shape[a] for a in axes)
    if x.dtype.kind not in "iu":
        return _sum(xp, x, axes, keepdims) / count
    total = _sum(xp, x, axes, keepdims, xp.int64 if x.dtype.kind == "i" else xp.uint64)
    return divide_toward_zero(xp, total, max(count, 1)).astype(x.dtype)


def divide_toward_zero(xp: Any, total: Any, count: Any) -> Any:
    """Integer division as TensorFlow's and C's: -5 / 3 is -1. `count` is positive."""
    quotient = total // count
    return quotient + ((total < 0) & (quotient * count != total)).astype(quotient.dtype)


def _extreme(name: str) -> Callable[..., Any]:
    def run(xp: Any, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
        if x.size == 0:
            return xp.full(_left(x.shape, axes, keepdims), extreme_identity(x.dtype, name), x.dtype)
        return getattr(x, name)(axis=axes, keepdims=keepdims)

    return run


def extreme_identity(dtype: Any, name: str) -> Any:
    """What leaves any value as it is under `name` ("max" or "min"): an infinity, or an integer dtype's limit."""
    if np.dtype(dtype).kind == "f":
        return -math.inf if name == "max" else math.inf
    return getattr(np.iinfo(dtype), "min" if name == "max" else "max")


def _left(shape: Sequence[int], axes: tuple[int, ...], keepdims: bool) -> tuple[int, ...]:
    if keepdims:
        return tuple(1 if i in axes else d for i, d in enumerate(shape))
    return tuple(d for i, d in enumerate(shape) if i not in axes)


_max = _extreme("max")


def _logsumexp(xp: Any, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    top = _max(xp, x, axes, True)
    top = xp.where(xp.isfinite(top), top, xp.zeros((), x.dtype))
    found = xp.log(_sum(xp, xp.exp(x - top), axes, True)) + top
    return found.reshape(_left(x.shape, axes, keepdims))


def _square(x: Any) -> Any:
    """|x|^2."""
    return x.real * x.real + x.imag * x.imag if x.dtype.kind == "c" else x * x


def _norm(xp: Any, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    kind = x.dtype.kind
    if kind not in "iu":
        return xp.sqrt(_sum(xp, _square(x), axes, keepdims)).astype(x.dtype)
    root = xp.sqrt(_sum(xp, _square(x.astype(xp.float64)), axes, keepdims))
    return root.astype(xp.int64 if kind == "i" else xp.uint64).astype(x.dtype)


def _variance(xp: Any, x: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    return _mean(xp, _square(x - _mean(xp, x, axes, True)), axes, keepdims)


def _reduction(found: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel of `found(xp, x, axes, keepdims)`, which sees at least one axis, counted from the front."""

    def run(xp: Any, x: Any, axis: Any = None, keepdims: bool | None = False) -> Any:
        axes = reduction_axes(axis, x.ndim)
        if not axes:
            return found(xp, x.reshape(*x.shape, 1), (x.ndim,), False)
        return found(xp, x, axes, bool(keepdims))

    return widened(run)


for _name, _run in (
    ("reduce_sum", _sum),
    ("reduce_mean", _mean),
    ("reduce_max", _max),
    ("reduce_min", _extreme("min")),
    ("reduce_prod", lambda xp, x, axes, keepdims: xp.prod(x, axis=axes, dtype=x.dtype, keepdims=keepdims)),
    ("reduce_any", lambda xp, x, axes, keepdims: xp.any(x, axis=axes, keepdims=keepdims)),
    ("reduce_all", lambda xp, x, axes, keepdims: xp.all(x, axis=axes, keepdims=keepdims)),
    ("reduce_logsumexp", _logsumexp),
    ("reduce_euclidean_norm", _norm),
    ("reduce_variance", _variance),
    ("reduce_std", lambda xp, x, axes, keepdims: xp.sqrt(_variance(xp, x, axes, keepdims))),
):
    kernel(_name, _reduction(_run))


_count = _reduction(lambda xp, x, axes, keepdims: xp.sum(x, axis=axes, dtype=xp.int64, keepdims=keepdims))


def _count_nonzero(xp: Any, x: Any, axis: Any = None, keepdims: bool | None = None, dtype: DType = dtypes.int64) -> Any:
    return _count(xp, wide(x) != 0, axis=axis, keepdims=keepdims).astype(dtype.numpy)


def _zero_fraction(xp: Any, x: Any) -> Any:
    zeros = x.size - xp.count_nonzero(wide(x))
    return xp.asarray(xp.true_divide(zeros, x.size), dtype=xp.float32)


kernel("count_nonzero", _count_nonzero)
kernel("zero_fraction", _zero_fraction)


def _arg(name: str) -> Callable[..., Any]:
    """`argmax` or `argmin` that passes over NaNs, which NumPy's and CuPy's stop at."""
    method = "arg" + name

    def run(xp: Any, x: Any, axis: int | None = None, output_type: DType = dtypes.int64) -> Any:
        x = wide(x)
        # On a GPU, looking for NaNs first would wait for the device.
        if x.dtype.kind == "f" and (xp is not np or (x.size and np.isnan(x.max()))):
            x = xp.where(xp.isnan(x), x.dtype.type(extreme_identity(x.dtype, name)), x)
        return getattr(x, method)(axis=axis or 0).astype(output_type.numpy)

    return run


kernel("argmax", _arg("max"))
kernel("argmin", _arg("min"))


def _scan(identity: float, accumulate: Callable[..., Any]) -> Callable[..., Any]:
    def run(xp: Any, x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False) -> Any:
        axis %= x.ndim
        lead = (slice(None),) * axis
        flip = (*lead, slice(None, None, -1))
        x = x[flip] if reverse else x
        if exclusive:
            found = xp.empty(x.shape, x.dtype)
            found[(*lead, slice(0, 1))] = identity
            found[(*lead, slice(1, None))] = accumulate(xp, x[(*lead, slice(0, -1))], axis)
        else:
            found = accumulate(xp, x, axis)
        return found[flip] if reverse else found

    return widened(run)


def _accumulate_logaddexp(xp: Any, x: Any, axis: int) -> Any:
    if xp is np:
        return np.logaddexp.accumulate(x, axis=axis)
    return xp.moveaxis(doubling_scan(xp, xp.moveaxis(x, axis, 0), _logaddexp), 0, axis)


def _logaddexp(xp: Any, a: Any, b: Any) -> Any:
    """CuPy's own gives NaN for two equal infinities."""
    top = xp.maximum(a, b)
    return xp.where(xp.isinf(top), top, top + xp.log1p(xp.exp(-xp.abs(a - b))))


def doubling_scan(xp: Any, x: Any, combine: Callable[..., Any]) -> Any:
    """The inclusive scan along the first axis by any associative `combine(xp, a, b)`, in log2(n) whole-array steps."""
    step = 1
    while step < x.shape[0]:
        x = xp.concatenate((x[:step], combine(xp, x[step:], x[:-step])))
        step *= 2
    return x


kernel("cumsum", _scan(0, lambda xp, x, axis: xp.cumsum(x, axis=axis, dtype=x.dtype)))
kernel("cumprod", _scan(1, lambda xp, x, axis: xp.cumprod(x, axis=axis, dtype=x.dtype)))
kernel("cumulative_logsumexp", _scan(-math.inf, _accumulate_logaddexp))


def _sum_to_shape(xp: Any, x: Any, *, shape: tuple[int, ...]) -> Any:
    extra = x.ndim - len(shape)
    axes = tuple(range(extra)) + tuple(i + extra for i, d in enumerate(shape) if d == 1 and x.shape[i + extra] != 1)
    if not axes:
        return x
    return _sum(xp, x, axes, False).reshape(shape)


kernel("sum_to_shape", widened(_sum_to_shape))
