"""From Python and NumPy values to tensors.

Owns: `convert_to_tensor`, `constant`, the conversion of an op's operands, and which values travel inside the items that
use them. Does not know promotion's rules (`protocol.promotion`).
"""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import msgpack
import numpy as np

from client import context, devices
from client.shape import TensorShape
from client.tensor import Composite, Operand, Tensor
from protocol import promotion, wire
from protocol.dtypes import BY_NUMPY, DType, as_dtype, bool_, int32
from protocol.errors import OpError
from protocol.ops import Op
from protocol.spec import Spec
from protocol.wire import MAX_INLINE, Item

_LITERAL: Final = 128
"""Bytes up to which a known value stays here until an op needs it there."""
_SCALAR_DATA: Final = 2 + 16
"""Bytes, head included, up to which a known value is written into each item that uses it: any dtype's scalar."""
_KEEP: Final = 4096
"""Bytes up to which a constant's value is kept here, so that reading it does not wait."""
_SCALARS: Final = 4096

_NUMBERS: Final = frozenset((float, int, bool))

_scalars: dict[Any, Tensor] = {}


def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None, name: str | None = None) -> Tensor:
    """`value` as a tensor: a tensor as it is, a variable's value now, anything else as `tf.constant` would make it.

    Args:
        value: a tensor, variable, number, NumPy array or scalar, nested list of these, or an object with `__array__`.
        dtype: the dtype it must have; a tensor of another is refused, not cast.
        dtype_hint: a dtype to prefer where `value` allows it.
        name: ignored.

    Raises:
        TypeError, ValueError: it cannot be converted, or not to `dtype`.

    >>> import client as tf
    >>> tf.convert_to_tensor([1, 2, 3]).dtype
    tf.int32
    """
    if isinstance(value, Operand):
        tensor = value if isinstance(value, Tensor) else value._snapshot()
        if dtype is not None and tensor._spec.dtype is not as_dtype(dtype):
            raise ValueError(
                f"Tensor conversion requested dtype {as_dtype(dtype).name} for Tensor with dtype "
                f"{tensor._spec.dtype.name}: {tensor._spec}"
            )
        return tensor
    if isinstance(value, Composite):
        return convert_to_tensor(value._dense(), dtype)
    wanted = None if dtype is None else as_dtype(dtype)
    hint = None if dtype_hint is None else as_dtype(dtype_hint)
    found = _converted(value, wanted, hint)
    if type(value) in _NUMBERS:  # those of operands are shared, and this one's caller may have it watched
        return Tensor(None, found._spec, found._operand, found._value)
    return found


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str = "Const") -> Tensor:
    """A tensor with the value of a number, nested list or NumPy array. Its bytes have been copied when this returns.

    Args:
        value: numbers, nested lists of them, or a NumPy array; a tensor is taken as it is.
        dtype: the element type; None: int32 and float32 for Python's numbers, the array's own for NumPy's.
        shape: a shape to reshape to; a single element is repeated to fill it.
        name: ignored.

    Raises:
        TypeError: the value does not fit `dtype`, is a string, or has elements of no numeric type.
        ValueError: ragged lists, or a wrong number of elements for `shape`.

    >>> import client as tf
    >>> tf.constant(7, shape=[2, 2])
    <tf.Tensor: shape=(2, 2), dtype=int32, numpy=
    array([[7, 7],
           [7, 7]], dtype=int32)>
    """
    if isinstance(value, Operand | Composite):
        tensor = convert_to_tensor(value)
        if dtype is not None and tensor._spec.dtype is not as_dtype(dtype):
            from client.dispatch import call

            tensor = call("cast", tensor, dtype=as_dtype(dtype))
        array = None
    else:
        array = promotion.to_array(value, None if dtype is None else as_dtype(dtype))
    if shape is not None:
        dims: tuple[Any, ...] = tuple(TensorShape(shape))
        if array is None:
            from client.dispatch import call

            return call("reshape", tensor, shape=dims)  # type: ignore[no-any-return]
        if array.size == 1:
            array = np.full(dims, array.reshape(())[()], array.dtype)
        elif array.size != np.prod(dims, dtype=np.int64):
            raise TypeError(
                "Eager execution of tf.constant with unsupported shape. "
                f"Tensor {array!r:.60} (converted from {value!r:.60}) has {array.size} elements, "
                f"but got `shape` {dims} with {int(np.prod(dims, dtype=np.int64))} elements)."
            )
        else:
            array = array.reshape(dims)
    return tensor if array is None else from_array(array, copied=array is not value)


def _converted(value: Any, dtype: DType | None, hint: DType | None) -> Tensor:
    kind = type(value)
    if kind is float or kind is int or kind is bool:
        # Python's numbers come again and again (`x + 1`); they are immutable, and so is their tensor. The sign tells
        # -0.0 from 0.0.
        key = (value, kind, dtype, hint, value == 0 and str(value))
        found = _scalars.get(key)
        if found is None:
            found = constant_value_tensor(promotion.to_array(value, dtype, hint))
            if len(_scalars) >= _SCALARS:
                _scalars.clear()
            _scalars[key] = found
        return found
    if kind in (list, tuple) and any(isinstance(v, Operand | Composite) for v in _leaves(value)):
        return _stacked(value, dtype, hint)
    if isinstance(value, Composite):
        return convert_to_tensor(value, dtype)
    if isinstance(value, TensorShape):
        if not value.is_fully_defined():
            raise ValueError(f"Cannot convert a partially known TensorShape {value} to a Tensor.")
        value, dtype = value.as_list(), dtype or int32
    array = promotion.to_array(value, dtype, hint)
    return from_array(array, copied=array is not value)


def _leaves(value: Any) -> Any:
    for item in value:
        if type(item) in (list, tuple):
            yield from _leaves(item)
        else:
            yield item


def _stacked(value: Sequence[Any], dtype: DType | None, hint: DType | None) -> Tensor:
    """A (nested) list with tensors among its items: stacked, in the first tensor's dtype."""
    from client.dispatch import call

    dtype = dtype or next(v.dtype for v in _leaves(value) if isinstance(v, Operand | Composite))
    rows = [_stacked(v, dtype, hint) if type(v) in (list, tuple) else convert_to_tensor(v, dtype) for v in value]
    return call("stack", *rows, axis=0)  # type: ignore[no-any-return]


def constant_value_tensor(value: np.ndarray[Any, Any]) -> Tensor:
    """A tensor whose value the client knows. A small one needs no server: it travels inside the items that use it."""
    if value.nbytes > _LITERAL:
        return from_array(value, copied=True)
    value.flags.writeable = False
    return Tensor(None, Spec(BY_NUMPY[value.dtype], value.shape), wire.array_ext(value), value)


def from_array(value: np.ndarray[Any, Any], copied: bool = False) -> Tensor:
    """A tensor with the value of a C-contiguous array, which is copied first unless it is nobody else's."""
    if value.nbytes <= _LITERAL and devices.innermost() is None:
        return constant_value_tensor(value if copied else value.copy())
    session = context.session()
    session.check()
    spec = Spec(BY_NUMPY[value.dtype], value.shape)
    identifier = next(session.ids)
    place = devices.innermost()
    device = () if place is None else (place,)
    if value.nbytes > MAX_INLINE:
        upload = session.transfers.upload(value, copied)
        session.issue((Item.UPLOAD, identifier, upload, spec.dtype, spec.shape, *device))
    else:
        session.issue((Item.CONST, identifier, wire.array_ext(value), *device), value.nbytes)
    known = None
    if value.nbytes <= _KEEP:
        known = value if copied else value.copy()
        known.flags.writeable = False
    return Tensor(session, spec, identifier, known, place)


def materialize(tensor: Tensor) -> int:
    """The id of a tensor on the server; one that so far travelled inside items is sent as a tensor of its own."""
    if type(tensor._operand) is msgpack.ExtType:
        session = context.session()
        identifier = next(session.ids)
        session.issue((Item.CONST, identifier, tensor._operand))
        tensor._session, tensor._operand = session, identifier
    elif tensor._session is not None:
        tensor._session.check()  # it may be from before connect()
    found: int = tensor._operand
    return found


def operand_of(tensor: Operand) -> Any:
    """What stands for a tensor in an item: its id, or a scalar's value. A larger value becomes a tensor when used."""
    operand = tensor._operand
    if type(operand) is msgpack.ExtType and len(operand.data) <= _SCALAR_DATA:
        return operand
    return materialize(tensor)  # type: ignore[arg-type]


def static_value(value: Any) -> np.ndarray[Any, Any] | None:
    """The value of a tensor where the client knows it, and so need not wait for it; None otherwise."""
    return value._value if isinstance(value, Tensor) else None


def convert_operands(op: Op, values: Sequence[Any]) -> list[Operand]:
    """An op's operands as tensors and variables, by its dtype groups.

    Values of the shared group T take the dtype of the first tensor among them; without one, the first value's natural
    dtype.
    """
    if op.name in _rules() and len(values) == 2:
        wanted = resolve(op.name, op, *values).operand
        return [v if isinstance(v, Operand) else _converted(v, wanted, None) for v in values]
    groups = op.input_groups(len(values)) if len(values) >= len(op.groups) - op.variadic else op.groups
    shared: DType | None = None
    for value, group in zip(values, groups, strict=False):
        if group == "T" and isinstance(value, Operand):
            shared = value._spec.dtype
            break
    found: list[Operand] = []
    for value, group in zip(values, groups, strict=False):
        if isinstance(value, Operand):
            found.append(value)
        elif group == "T":
            tensor = _converted(value, shared, None if shared is not None else _hint(op))
            shared = shared or tensor._spec.dtype
            found.append(tensor)
        elif group == "bool":
            found.append(_converted(value, bool_, None))
        else:
            found.append(_converted(value, None, int32 if group == "index" else None))
    found.extend(v if isinstance(v, Operand) else _converted(v, None, None) for v in values[len(found) :])
    return found


def resolve(rule: str, op: Op, x: Any, y: Any) -> promotion.Resolution:
    """The dtypes of a call on two operands. Raises what `promotion.resolve` does, with the operands in the text."""
    left, right = (v._spec.dtype if isinstance(v, Operand) else v for v in (x, y))
    try:
        return promotion.resolve(rule, left, right)
    except (OpError, TypeError, ValueError) as error:
        if not str(error).startswith(rule):  # a value that converts to nothing, which the text says
            raise
        raise type(error)(f"{error} {op.called_on([_described(x), _described(y)])}. Convert with tf.cast") from None


def _described(value: Any) -> str:
    if isinstance(value, Operand):
        return str(value._spec)
    if isinstance(value, np.ndarray | np.generic):
        return f"NumPy's {value.dtype}{list(value.shape)}"
    return reprlib.repr(value)


@cache
def _rules() -> frozenset[str]:
    """The functions of two operands whose conversion was measured, operand by operand."""
    return frozenset(promotion.rules())


def _hint(op: Op) -> DType | None:
    """What an op that takes no integers prefers for Python's: `tf.sqrt(4)` is a float's root."""
    from protocol.dtypes import float32

    return float32 if float32 in op.types and int32 not in op.types else None
