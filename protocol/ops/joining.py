"""Joining, splitting, repeating and padding along axes."""

from __future__ import annotations

from typing import Literal

from protocol.attrs import Ints, Pairs, Unknown
from protocol.errors import InvalidArgumentError
from protocol.ops.registry import NUMERIC, op
from protocol.ops.rules import vector_length
from protocol.spec import Dim, Spec, element_count, format_shape, merge_shapes

MAX_PARTS = 2**16
"""Results of one op at most: an item of the stream names them all."""


def _check_parts(count: int) -> None:
    if count > MAX_PARTS:
        raise InvalidArgumentError(f"a tensor is taken apart into {MAX_PARTS} parts at most, not {count}")


def _ranked(values: tuple[Spec, ...]) -> int | None:
    """The rank of the first of `values` that has one."""
    return next((v.rank for v in values if v.rank is not None), None)


def _concat(*values: Spec, axis: int | Unknown) -> Spec:
    if not values:
        raise InvalidArgumentError("ConcatOp : at least one tensor is needed")
    dtype, rank = values[0].dtype, _ranked(values)
    if len(values) == 1:
        return values[0]
    if rank is None:
        return Spec(dtype, None)
    if rank == 0:
        raise InvalidArgumentError("ConcatOp : Can't concatenate scalars (use tf.stack instead)")
    first = next(v for v in values if v.shape is not None)
    for i, value in enumerate(values):
        if value.rank not in (rank, None):
            raise InvalidArgumentError(
                f"ConcatOp : Ranks of all input tensors should match: shape[0] = {format_shape(first.shape)} vs. "
                f"shape[{i}] = {format_shape(value.shape)}"
            )
    if isinstance(axis, Unknown):
        return Spec(dtype, (None,) * rank)
    if not -rank <= axis < rank:
        raise InvalidArgumentError(
            f"ConcatOp : Expected concatenating dimensions in the range [{-rank}, {rank}), but got {axis}"
        )
    at = axis % rank
    dims: list[Dim] = [None] * rank
    total: Dim = 0
    for i, value in enumerate(values):
        if value.shape is None:
            total = None
            continue
        length = value.shape[at]
        total = None if total is None or length is None else total + length
        for d, dim in enumerate(value.shape):
            if d == at or dim is None:
                continue
            if dims[d] not in (None, dim):
                raise InvalidArgumentError(
                    f"ConcatOp : Dimension {d} in both shapes must be equal: shape[0] = {format_shape(first.shape)} "
                    f"vs. shape[{i}] = {format_shape(value.shape)}"
                )
            dims[d] = dim
    dims[at] = total
    return Spec(dtype, tuple(dims))


def _stack(*values: Spec, axis: int = 0) -> Spec:
    if not values:
        raise InvalidArgumentError("at least one tensor is needed to stack")
    shape = values[0].shape
    for i, value in enumerate(values):
        try:
            shape = merge_shapes(shape, value.shape)
        except InvalidArgumentError:
            raise InvalidArgumentError(
                f"Shapes of all inputs must match: values[0].shape = {format_shape(values[0].shape)} != "
                f"values[{i}].shape = {format_shape(value.shape)}"
            ) from None
    if shape is None:
        return Spec(values[0].dtype, None)
    rank = len(shape) + 1
    if not -rank <= axis < rank:
        raise ValueError(f"Argument `axis` = {axis} not in range [{-rank}, {rank})")
    at = axis % rank
    return Spec(values[0].dtype, (*shape[:at], len(values), *shape[at:]))


def _unstack(value: Spec, *, num: int | None = None, axis: int = 0) -> tuple[Spec, ...]:
    rank = value.rank
    if num is not None and num < 0:
        raise InvalidArgumentError(f"num must be >= 0, not {num}")
    if value.shape is None or rank is None:
        if num is None:
            raise ValueError("Cannot infer argument `num` from shape <unknown>")
        _check_parts(num)
        return (Spec(value.dtype, None),) * num
    if not -rank <= axis < rank:
        raise ValueError(f"Argument `axis` = {axis} not in range [{-rank}, {rank})")
    at = axis % rank
    dim = value.shape[at]
    if num is None and dim is None:
        raise ValueError(f"Cannot infer argument `num` from shape {format_shape(value.shape)}")
    if None not in (num, dim) and num != dim:
        raise InvalidArgumentError(f"Input shape axis {at} must equal {num}, got shape {format_shape(value.shape)}")
    count = dim if num is None else num
    assert count is not None
    _check_parts(count)
    return (Spec(value.dtype, value.shape[:at] + value.shape[at + 1 :]),) * count


def split_sizes(dim: Dim, sizes: int | Ints, axis: int) -> tuple[Dim, ...]:
    """The parts of an axis of `dim`: a number of equal ones, or ones of given lengths, one of which may be -1."""
    if isinstance(sizes, int):
        _check_parts(sizes)
        if sizes < 1:
            raise InvalidArgumentError(f"Value for attr 'num_split' of {sizes} must be at least minimum 1")
        if dim is not None and dim % sizes:
            raise InvalidArgumentError(
                "Number of ways to split should evenly divide the split dimension, "
                f"but got split_dim {axis} (size = {dim}) and num_split {sizes}"
            )
        return (None if dim is None else dim // sizes,) * sizes
    if not sizes:
        raise InvalidArgumentError("Value for attr 'num_split' of 0 must be at least minimum 1")
    for i, size in enumerate(sizes):
        if size < -1:
            raise InvalidArgumentError(f"Split size at index {i} must be >= 0. Got: {size}")
    if sizes.count(-1) > 1:
        raise InvalidArgumentError("There can only be one -1 in the input.")
    given = sum(s for s in sizes if s != -1)
    if dim is not None and (given > dim if -1 in sizes else given != dim):
        raise InvalidArgumentError(
            "Determined shape must either match input shape along split_dim exactly if fully specified, or be less "
            f"than the size of the input along split_dim if not fully specified.  Got: {given}"
        )
    rest = None if dim is None else dim - given
    return tuple(rest if s == -1 else s for s in sizes)


def _split(
    value: Spec, *, num_or_size_splits: int | Ints | Unknown, axis: int | Unknown = 0, num: int | None = None
) -> tuple[Spec, ...]:
    """`num` is the number of parts where `num_or_size_splits` is unknown and so is its length."""
    rank = value.rank
    if rank is not None and not isinstance(axis, Unknown) and not -rank <= axis < rank:
        raise InvalidArgumentError(f"-input rank(-{rank}) <= split_dim < input rank ({rank}), but got {axis}")
    at = None if rank is None or isinstance(axis, Unknown) else axis % rank
    if isinstance(num_or_size_splits, Unknown):
        count = num if num_or_size_splits.spec.rank == 0 else vector_length(num_or_size_splits, "num_or_size_splits")
        count = num if count is None else count
        if count is None:
            raise ValueError("Cannot infer argument `num` from the shape of `num_or_size_splits`")
        sizes: tuple[Dim, ...] = (None,) * count
    else:
        dim = None if value.shape is None or at is None else value.shape[at]
        sizes = split_sizes(dim, num_or_size_splits, 0 if at is None else at)
    if num is not None and len(sizes) != num:
        raise InvalidArgumentError(f"num is {num}, but num_or_size_splits asks for {len(sizes)} parts")
    if value.shape is None or at is None:
        return (Spec(value.dtype, None if rank is None else (None,) * rank),) * len(sizes)
    before, after = value.shape[:at], value.shape[at + 1 :]
    return tuple(Spec(value.dtype, (*before, size, *after)) for size in sizes)


def _times(dim: Dim, factor: Dim) -> Dim:
    if 0 in (dim, factor):
        return 0
    return None if dim is None or factor is None else dim * factor


def _tile(input: Spec, *, multiples: Ints | Unknown) -> Spec:
    length = vector_length(multiples, "multiples")
    if None not in (length, input.rank) and length != input.rank:
        raise InvalidArgumentError(
            f"Expected multiples argument to be a vector of length {input.rank} but got length {length}"
        )
    rank = length if input.rank is None else input.rank
    if rank is None:
        return Spec(input.dtype, None)
    factors = (None,) * rank if isinstance(multiples, Unknown) else multiples
    for i, factor in enumerate(factors):
        if factor is not None and factor < 0:
            raise InvalidArgumentError(f"Expected multiples[{i}] >= 0, but got {factor}")
    dims = (None,) * rank if input.shape is None else input.shape
    return Spec(input.dtype, tuple(map(_times, dims, factors)))


def _repeated_axis(input: Spec, axis: int | None) -> int | None:
    """The axis counted from the front; None for the flattened input, or when the rank is not known."""
    rank = input.rank
    if axis is None or rank is None:
        return None
    if not -rank <= axis < rank:
        raise ValueError(f"axis={axis} out of bounds: expected {-rank}<=axis<{rank}")
    return axis % rank


def _repeat(input: Spec, *, repeats: int, axis: int | None = None) -> Spec:
    if repeats < 0:
        raise InvalidArgumentError(f"Expected repeats >= 0, but got {repeats}")
    at = _repeated_axis(input, axis)
    if axis is None:
        return Spec(input.dtype, (_times(element_count(input.shape), repeats) if input.is_static else None,))
    if input.shape is None or at is None:
        return Spec(input.dtype, None)
    return Spec(input.dtype, (*input.shape[:at], _times(input.shape[at], repeats), *input.shape[at + 1 :]))


def _repeat_each(input: Spec, repeats: Spec, *, axis: int | None = None) -> Spec:
    at = _repeated_axis(input, axis)
    if repeats.rank not in (0, 1, None):
        raise ValueError(f"Shape {format_shape(repeats.shape)} must have rank at most 1")
    if axis is None:
        dim = element_count(input.shape) if input.is_static else None
    else:
        dim = None if input.shape is None or at is None else input.shape[at]
    count = repeats.shape[0] if repeats.shape else None
    if dim is not None and count not in (None, 1, dim):
        raise ValueError(f"Dimensions {dim} and {count} are not compatible")
    if axis is None:
        return Spec(input.dtype, (None,))
    if input.shape is None or at is None:
        return Spec(input.dtype, None)
    return Spec(input.dtype, (*input.shape[:at], None, *input.shape[at + 1 :]))


Mode = Literal["REFLECT", "SYMMETRIC"]


def _paddings(input: Spec, paddings: Pairs | Unknown) -> tuple[tuple[Dim, Dim], ...] | None:
    """What stands before and after each axis; None where not even the number of axes is known."""
    if isinstance(paddings, Unknown):
        shape = paddings.spec.shape
        if shape is not None and (len(shape) != 2 or shape[1] not in (2, None)):
            raise InvalidArgumentError(f"paddings must be a matrix with 2 columns: {format_shape(shape)}")
        length = shape[0] if shape is not None else None
    else:
        length = len(paddings)
    if None not in (length, input.rank) and length != input.rank:
        raise InvalidArgumentError(
            f"The first dimension of paddings must be the rank of inputs[{length},2] {format_shape(input.shape)}"
        )
    if not isinstance(paddings, Unknown):
        for before, after in paddings:
            if before < 0 or after < 0:
                raise InvalidArgumentError(f"Paddings must be non-negative: {before} {after}")
        return paddings
    rank = length if input.rank is None else input.rank
    return None if rank is None else ((None, None),) * rank


def _pad(tensor: Spec, *, paddings: Pairs | Unknown) -> Spec:
    found = _paddings(tensor, paddings)
    if found is None:
        return Spec(tensor.dtype, None)
    dims = (None,) * len(found) if tensor.shape is None else tensor.shape
    return Spec(
        tensor.dtype,
        tuple(None if None in (d, a, b) else d + a + b for d, (a, b) in zip(dims, found, strict=True)),  # type: ignore[operator]
    )


def _pad_value(tensor: Spec, constant_values: Spec, *, paddings: Pairs | Unknown) -> Spec:
    if constant_values.rank not in (0, None):
        raise InvalidArgumentError(f"constant_values must be a scalar. Found: {format_shape(constant_values.shape)}")
    return _pad(tensor, paddings=paddings)


def _mirror_pad(tensor: Spec, *, paddings: Pairs | Unknown, mode: Mode) -> Spec:
    _check_mirror(tensor.shape or (), _paddings(tensor, paddings) or (), mode)
    return _pad(tensor, paddings=paddings)


def _check_mirror(shape: tuple[Dim, ...], paddings: tuple[tuple[Dim, Dim], ...], mode: Mode) -> None:
    reflect = mode == "REFLECT"
    for dim, (before, after) in zip(shape, paddings, strict=False):
        if dim is None or before is None or after is None:
            continue
        if reflect and (before >= dim or after >= dim) and (before or after):
            raise InvalidArgumentError(
                f"paddings must be less than the dimension size: {before}, {after} not less than {dim}"
            )
        if not reflect and (before > dim or after > dim):
            raise InvalidArgumentError(
                f"paddings must be no greater than the dimension size: {before}, {after} greater than {dim}"
            )


def _mirror_pad_grad(grad: Spec, *, paddings: Pairs | Unknown, mode: Mode) -> Spec:
    found = _paddings(grad, paddings)
    if found is None:
        return Spec(grad.dtype, None)
    dims = (None,) * len(found) if grad.shape is None else grad.shape
    shape = tuple(None if None in (d, a, b) else d - a - b for d, (a, b) in zip(dims, found, strict=True))  # type: ignore[operator]
    _check_mirror(shape, found, mode)
    return Spec(grad.dtype, shape)


op("concat", "*values", infer=_concat)
op("stack", "*values", infer=_stack)
op("unstack", "value", infer=_unstack)
op("split", "value", infer=_split)
op("tile", "input", infer=_tile, public="tile", doc="`input` repeated `multiples[i]` times along each axis i.")
op("repeat", "input", infer=_repeat)
op("repeat_each", "input repeats:index", infer=_repeat_each)
op("pad", "tensor", infer=_pad)
op("pad_value", "tensor constant_values", infer=_pad_value)
op("mirror_pad", "tensor", infer=_mirror_pad)
op("mirror_pad_grad", "grad", infer=_mirror_pad_grad, types=NUMERIC)
