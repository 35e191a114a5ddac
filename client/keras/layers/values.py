"""What layers ask of the values they get: dtypes, shapes, whether tensors stand in them.

Owns: those questions. Does not know layers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import client as tf
from client import nest
from client.symbolic import symbol
from client.tensor import Composite, Operand
from protocol.dtypes import DType, as_dtype
from protocol.spec import Spec


def floating_dtype(dtype: Any) -> DType:
    """A layer's dtype argument: a name, a dtype, None for float32. Raises ValueError for a mixed policy."""
    if dtype is None:
        return as_dtype("float32")
    name = dtype if isinstance(dtype, str) else getattr(dtype, "name", dtype)
    if isinstance(name, str) and name.startswith("mixed_"):
        raise ValueError(f"mixed precision ({name!r}) is not supported: give a dtype such as 'float32' or 'bfloat16'")
    try:
        return as_dtype(dtype)
    except TypeError:
        raise ValueError(
            f"Cannot convert {dtype!r} to a layer's dtype: give the name of one, such as 'float32'"
        ) from None


def holds_tensors(value: Any) -> bool:
    """Whether tensors, arrays or symbolic tensors stand in a nested value."""
    return any(isinstance(v, Operand | Composite | np.ndarray) for v in nest.flatten(value))


def symbols_of(shape: Any, dtype: DType) -> Any:
    """Symbolic tensors of a shape, or of each of a list or dict of shapes."""
    if isinstance(shape, dict):
        return {k: symbols_of(s, dtype) for k, s in shape.items()}
    if isinstance(shape, list | tuple) and shape and isinstance(shape[0], list | tuple | tf.TensorShape):
        return [symbols_of(s, dtype) for s in shape]
    return symbol(Spec(dtype, tuple(tf.TensorShape(shape))), None)


def shape_of(value: Any) -> Any:
    """The shape, as a tuple, of a tensor or of each in a structure; None for what has none."""
    if isinstance(value, Operand):
        return tuple(value.shape)
    if nest.is_nested(value) and len(value) and holds_tensors(value):
        if isinstance(value, dict):
            return {k: shape_of(v) for k, v in value.items()}
        return [shape_of(v) for v in value]
    return None


def is_plain(value: Any) -> bool:
    """Whether a value can stand in a configuration as it is."""
    if value is None or isinstance(value, str | int | float | bool | DType):
        return True
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    return isinstance(value, list | tuple) and all(map(is_plain, value))
