"""Ops that change a variable. Their results are the variable's new value; a client asks for none of them."""

from __future__ import annotations

from protocol.attrs import Ints, Unknown
from protocol.errors import InvalidArgumentError
from protocol.ops.indexing import slicing_of
from protocol.ops.registry import ALL, NUMERIC, op
from protocol.slicing import Masks
from protocol.spec import Spec, broadcasts_to, format_shape, merge_shapes


def _assigned(ref: Spec, value: Spec) -> Spec:
    if value.dtype is not ref.dtype:
        raise InvalidArgumentError(f"a variable of {ref.dtype.name} cannot take a value of {value.dtype.name}")
    try:
        merge_shapes(ref.shape, value.shape)
    except InvalidArgumentError:
        raise ValueError(
            f"Cannot assign value to variable: Shape mismatch. The variable shape {format_shape(ref.shape)}, and the "
            f"assigned value shape {format_shape(value.shape)} are incompatible."
        ) from None
    return value


def _assigned_slice(
    ref: Spec,
    value: Spec,
    *,
    begin: Ints | Unknown,
    end: Ints | Unknown,
    strides: Ints | Unknown | None = None,
    begin_mask: int = 0,
    end_mask: int = 0,
    ellipsis_mask: int = 0,
    new_axis_mask: int = 0,
    shrink_axis_mask: int = 0,
) -> Spec:
    """The attributes are those of `strided_slice`, and `value` broadcasts to what that gives."""
    if value.dtype is not ref.dtype:
        raise InvalidArgumentError(f"a variable of {ref.dtype.name} cannot take a value of {value.dtype.name}")
    if ref.shape is not None and value.shape is not None:
        masks = Masks(begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
        slicing = slicing_of(len(ref.shape), begin, end, strides, masks)
        wanted = None if slicing is None else slicing.result(ref.shape)
        known = wanted is not None and None not in (*wanted, *value.shape)
        if known and not broadcasts_to(value.shape, wanted):
            raise InvalidArgumentError(
                f"Cannot broadcast input shape {format_shape(value.shape)} into final shape {format_shape(wanted)}"
            )
    return ref


op("assign", "ref:overwritten value", infer=_assigned, types=ALL, effect=True)
op("assign_add", "ref:variable value", infer=_assigned, types=NUMERIC, effect=True)
op("assign_sub", "ref:variable value", infer=_assigned, types=NUMERIC, effect=True)
op("assign_slice", "ref:variable value", infer=_assigned_slice, types=ALL, effect=True)
