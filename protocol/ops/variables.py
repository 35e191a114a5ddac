"""Ops that change a variable. Their results are the variable's new value; a client asks for none of them."""

from __future__ import annotations

from protocol.errors import InvalidArgumentError
from protocol.ops.registry import ALL, NUMERIC, op
from protocol.spec import Spec, format_shape, merge_shapes


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


op("assign", "ref:overwritten value", infer=_assigned, types=ALL, effect=True)
op("assign_add", "ref:variable value", infer=_assigned, types=NUMERIC, effect=True)
op("assign_sub", "ref:variable value", infer=_assigned, types=NUMERIC, effect=True)
