"""What `x[...]` means for tensors and variables: TensorFlow's `Tensor.__getitem__`.

Owns: `getitem`. Integers, slices, `...`, `tf.newaxis` (`None`) and scalar integer tensors, alone or in a tuple,
become one `strided_slice`; a mask of bools becomes
`tf.boolean_mask`. Does not know how a slice is computed (`protocol.slicing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from client.convert import convert_to_tensor, static_value
from client.dispatch import call, execute
from client.tensor import Operand, Tensor
from protocol.dtypes import int16, int32, int64
from protocol.ops import OPS

_SLICE: Final = OPS["strided_slice"]
_INDICES: Final = (int16, int32, int64)
_ALLOWED: Final = (
    "Only integers, slices (`:`), ellipsis (`...`), tf.newaxis (`None`) and scalar tf.int32/tf.int64 tensors are "
    "valid indices"
)
_FULL: Final = slice(None)


def getitem(x: Operand, key: Any) -> Tensor:
    """The part of `x` that `key` names. Nothing waits: an index that is a tensor stays on the server.

    Raises:
        TypeError: an index of another kind, such as a float or an array of integers.
        tf.errors.InvalidArgumentError: an index out of range (where only the server knows it: at the next wait), or
            more indices than axes.
        ValueError: a mask that does not fit the shape.

    >>> import client as tf
    >>> x = tf.constant([[1, 2, 3], [4, 5, 6]])
    >>> x[-1, ::2]
    <tf.Tensor: shape=(2,), dtype=int32, numpy=array([4, 6], dtype=int32)>
    >>> x[x > 4]
    <tf.Tensor: shape=(2,), dtype=int32, numpy=array([5, 6], dtype=int32)>
    """
    if type(x) is not Tensor:
        found = _part(x, key)
        found._origin = (x, key)
        return found
    return _part(x, key)


def _part(x: Operand, key: Any) -> Tensor:
    if type(key) is int:
        return execute(_SLICE, (x,), {"begin": (key,), "end": (key,), "shrink_axis_mask": 1})  # type: ignore[no-any-return]
    if _is_mask(key):
        from client.ops.indexing import boolean_mask

        return boolean_mask(x, key)
    items = [_item(i) for i in key] if isinstance(key, tuple | list) else [_item(key)]
    if any(map(_waits, items)):
        fixed = [_FULL if _waits(i) else i for i in items]
        if any(i is not None and i is not Ellipsis and i != _FULL for i in fixed):
            # What is known goes first, so that its part of the shape stays known.
            x = _apply(x, fixed)
            items = [_FULL if not _waits(i) and i is not Ellipsis else i for i in items if not isinstance(i, int)]
    return _apply(x, items)


def _is_mask(key: Any) -> bool:
    if isinstance(key, Operand):
        return key.dtype.is_bool
    return isinstance(key, bool) or (isinstance(key, np.ndarray) and key.dtype == bool)


def _item(item: Any) -> Any:
    """One item between the brackets, with plain integers wherever their values are known here."""
    if item is None or item is Ellipsis:
        return item
    if isinstance(item, slice):
        return slice(*(None if b is None else _index(b) for b in (item.start, item.stop, item.step)))
    return _index(item)


def _index(value: Any) -> int | Tensor:
    """An index or a bound: an int where it is known here, else a scalar tensor. Raises TypeError."""
    if type(value) is int:
        return value
    if isinstance(value, Operand):
        spec = value._spec
        if spec.dtype not in _INDICES or spec.rank not in (0, None):
            raise TypeError(f"{_ALLOWED}, got a tensor of {spec}")
        tensor = convert_to_tensor(value)
        known = static_value(tensor)
        return tensor if known is None else int(known)
    if isinstance(value, bool | np.bool_ | float | np.floating) or (isinstance(value, np.ndarray) and value.ndim):
        raise TypeError(f"{_ALLOWED}, got {value!r}")
    try:
        return int(value.__index__())
    except (AttributeError, TypeError):
        raise TypeError(f"{_ALLOWED}, got {value!r}") from None


def _waits(item: Any) -> bool:
    """Whether only the server knows a value in `item`."""
    if isinstance(item, slice):
        return any(isinstance(b, Tensor) for b in (item.start, item.stop, item.step))
    return isinstance(item, Tensor)


def _apply(x: Operand, items: Sequence[Any]) -> Tensor:
    """One `strided_slice` of what `_item` gave."""
    return execute(_SLICE, (x,), _attributes(items))  # type: ignore[no-any-return]


def slice_attributes(key: Any) -> dict[str, Any]:
    """The attributes of `strided_slice` for the key of `x[key]`. Raises TypeError for a mask of bools."""
    if _is_mask(key):
        raise TypeError(f"{_ALLOWED}, got {key!r}")
    return _attributes([_item(i) for i in key] if isinstance(key, tuple | list) else [_item(key)])


def _attributes(items: Sequence[Any]) -> dict[str, Any]:
    bounds: list[tuple[Any, ...]] = []
    masks = {"begin_mask": 0, "end_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0}
    for i, item in enumerate(items):
        bit = 1 << i
        if item is None:
            masks["new_axis_mask"] |= bit
            bounds.append((0, 0, 1))
        elif item is Ellipsis:
            masks["ellipsis_mask"] |= bit
            bounds.append((0, 0, 1))
        elif isinstance(item, slice):
            masks["begin_mask"] |= bit if item.start is None else 0
            masks["end_mask"] |= bit if item.stop is None else 0
            bounds.append(tuple(d if b is None else b for b, d in ((item.start, 0), (item.stop, 0), (item.step, 1))))
        else:
            masks["shrink_axis_mask"] |= bit
            bounds.append((item, item, 1))
    begin, end, strides = zip(*bounds, strict=True) if bounds else ((), (), ())
    attrs: dict[str, Any] = {"begin": _vector(begin), "end": _vector(end), "strides": _vector(strides)}
    return attrs | {name: mask for name, mask in masks.items() if mask}


def _vector(values: Sequence[Any]) -> Any:
    """A tuple of integers; a tensor if one of `values` is."""
    tensors = [v for v in values if isinstance(v, Tensor)]
    if not tensors:
        return tuple(values)
    if len({t._spec.dtype for t in tensors}) > 1:
        values = [call("cast", v, dtype=int64) if isinstance(v, Tensor) else np.int64(v) for v in values]
    return call("stack", *values)
