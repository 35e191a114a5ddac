"""Tensors from nothing but a shape, a range or a pattern."""

from __future__ import annotations

import math

from protocol.attrs import Ints, Unknown
from protocol.dtypes import DType, bool_, float32
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import FLOATS, op
from protocol.ops.rules import shape_from
from protocol.spec import Dim, Shape, Spec, broadcast_shapes, format_shape


def _size(value: int | Unknown, name: str) -> Dim:
    """A dim given as an attribute."""
    if isinstance(value, Unknown):
        if value.spec.rank not in (0, None):
            raise InvalidArgumentError(f"{name} must be a scalar, but got shape {format_shape(value.spec.shape)}")
        return None
    if value < 0:
        raise InvalidArgumentError(f"{name} must be non-negative, got: {value}")
    return value


def _filled(*, shape: int | Ints | Unknown, dtype: DType = float32) -> Spec:
    return Spec(dtype, shape_from(shape))


def _like(input: Spec, *, dtype: DType | None = None) -> Spec:
    return Spec(dtype or input.dtype, input.shape)


def _fill(value: Spec, *, dims: int | Ints | Unknown) -> Spec:
    if value.rank not in (0, None):
        raise InvalidArgumentError(f"value must represent a scalar, got shape {format_shape(value.shape)}")
    return Spec(value.dtype, shape_from(dims, "dims"))


def _eye(
    *,
    num_rows: int | Unknown,
    num_columns: int | Unknown | None = None,
    batch_shape: Ints | Unknown | None = None,
    dtype: DType = float32,
) -> Spec:
    batch: Shape = () if batch_shape is None else shape_from(batch_shape, "batch_shape")
    rows = _size(num_rows, "num_rows")
    columns = rows if num_columns is None else _size(num_columns, "num_columns")
    return Spec(dtype, None if batch is None else (*batch, rows, columns))


def range_length(start: float, limit: float, delta: float) -> int:
    """How many of start, start + delta, ... come before `limit`: exact for integers, rounded as in TensorFlow."""
    if delta == 0:
        raise InvalidArgumentError(f"Requires delta != 0: {delta}")
    if delta > 0 and not start <= limit:
        raise InvalidArgumentError(f"Requires start <= limit when delta > 0: {start}/{limit}")
    if not delta > 0 and not start >= limit:
        raise InvalidArgumentError(f"Requires start >= limit when delta < 0: {start}/{limit}")
    if isinstance(start, int) and isinstance(limit, int) and isinstance(delta, int):
        return -((start - limit) // delta)
    steps = abs((limit - start) / delta)
    if not steps < 2**63:
        raise InvalidArgumentError(f"Requires ((limit - start) / delta) <= {2**63 - 1}")
    return math.ceil(steps)


def _range(
    *, start: int | float | Unknown, limit: int | float | Unknown, delta: int | float | Unknown, dtype: DType
) -> Spec:
    if dtype.is_bool or dtype.is_complex:
        raise TypeError(f"a range of {dtype.name} is not defined")
    bounds = (start, limit, delta)
    for value in bounds:
        if isinstance(value, Unknown) and value.spec.rank not in (0, None):
            raise InvalidArgumentError(f"the bounds of a range must be scalars, not {value.spec}")
        if isinstance(value, float) and dtype.is_integer:
            raise TypeError(f"Cannot convert {value} to EagerTensor of dtype {dtype.name}")
    if isinstance(start, Unknown) or isinstance(limit, Unknown) or isinstance(delta, Unknown):
        return Spec(dtype, (None,))
    length = range_length(start, limit, delta)
    if dtype.is_integer and length:
        last = start + (length - 1) * delta
        if min(start, last) < dtype.min or max(start, last) > dtype.max:
            raise InvalidArgumentError(f"a range from {start} to {last} does not fit {dtype.name}")
    return Spec(dtype, (length,))


def linspace_axis(rank: int, axis: int) -> int:
    """The axis of a linspace of `rank` axes, counted from the front. Raises InvalidArgumentError."""
    if not -rank <= axis < rank:
        raise InvalidArgumentError(f"Tried to expand dim index {axis} for tensor with {rank - 1} dimensions.")
    return axis % rank


def _linspace(start: Spec, stop: Spec, *, num: int | Unknown, axis: int = 0) -> Spec:
    length = _size(num, "num")
    ends = broadcast_shapes(start.shape, stop.shape)
    if ends is None:
        return Spec(start.dtype, None)
    at = linspace_axis(len(ends) + 1, axis)
    return Spec(start.dtype, (*ends[:at], length, *ends[at:]))


def _one_hot(indices: Spec, *values: Spec, depth: int | Unknown, axis: int = -1, dtype: DType = float32) -> Spec:
    """`values` are the value where hot and the value where not, in `dtype`; one and zero if absent."""
    if len(values) not in (0, 2):
        raise InvalidArgumentError(f"one_hot takes both values or none, not {len(values)}")
    for value in values:
        if value.dtype is not dtype or value.rank not in (0, None):
            raise InvalidArgumentError(f"on_value and off_value must be {dtype.name} scalars, not {value}")
    length = _size(depth, "depth")
    if indices.shape is None:
        return Spec(dtype, None)
    rank = len(indices.shape) + 1
    if not -1 <= axis < rank:
        raise InvalidArgumentError(f"Expected axis to be -1 or between [0, {rank}).  But received: {axis}")
    at = rank - 1 if axis == -1 else axis
    return Spec(dtype, (*indices.shape[:at], length, *indices.shape[at:]))


def _sequence_mask(lengths: Spec, *, maxlen: int | Unknown | None = None, dtype: DType = bool_) -> Spec:
    if isinstance(maxlen, Unknown) and maxlen.spec.rank not in (0, None):
        raise ValueError(
            f"Argument `maxlen` must be scalar for sequence_mask, received shape {format_shape(maxlen.spec.shape)}"
        )
    length = None if maxlen is None else _size(maxlen, "maxlen")
    return Spec(dtype, None if lengths.shape is None else (*lengths.shape, length))


op("zeros", "", infer=_filled, public="zeros", doc="Zeros (False for bool) of `shape`.")
op("ones", "", infer=_filled, public="ones", doc="Ones (True for bool) of `shape`.")
op(
    "zeros_like",
    "input",
    infer=_like,
    public="zeros_like",
    doc="Zeros in the shape of `input`, in its dtype or in `dtype`.",
)
op(
    "ones_like",
    "input",
    infer=_like,
    public="ones_like",
    doc="Ones in the shape of `input`, in its dtype or in `dtype`.",
)
op("fill", "value", infer=_fill)
op(
    "eye",
    "",
    infer=_eye,
    public="eye linalg.eye",
    doc="Ones on the main diagonal and zeros elsewhere, for each entry of `batch_shape`.",
)
op("range", "", infer=_range)
op("linspace", "start stop", infer=_linspace, types=FLOATS)
op("one_hot", "indices:int *values", infer=_one_hot)
op(
    "sequence_mask",
    "lengths:int",
    infer=_sequence_mask,
    public="sequence_mask",
    doc="result[..., j] is whether j < lengths[...]; the last axis is `maxlen` long, by default the largest length.",
)
