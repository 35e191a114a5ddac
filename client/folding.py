"""Arithmetic the client does itself, on small integers it knows, so that shape computations wait for nothing.

Owns: `fold` and its table of NumPy counterparts. `tf.shape(x)[0] * 2`,
`tf.stack([n, -1])` and casts of these keep their value and need no op on the server. Does not know sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from client.tensor import Operand
from protocol import philox
from protocol.ops.indexing import slicing_of
from protocol.slicing import Masks
from protocol.spec import Spec

_LARGEST: Final = 64


def fold(op: str, inputs: Sequence[Operand], attrs: Mapping[str, Any], inferred: Any) -> np.ndarray[Any, Any] | None:
    """The result of an op whose inputs are small integers known here; None where it is the server's to compute."""
    compute = _FOLDS.get(op)
    if compute is None or type(inferred) is not Spec or inferred.dtype.kind not in "iub":
        return None
    values = [getattr(t, "_value", None) for t in inputs]
    if not values or any(v is None or v.size > _LARGEST or v.dtype.kind not in "iub" for v in values):
        return None
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(compute(*values, **attrs)).astype(inferred.dtype.numpy)
    except (ValueError, TypeError, IndexError, ZeroDivisionError):
        return None  # the server says what is wrong
    return result if result.shape == inferred.shape and result.size <= _LARGEST else None


def _cast(x: np.ndarray[Any, Any], *, dtype: Any, **_: Any) -> np.ndarray[Any, Any]:
    return x.astype(dtype.numpy)


def _divide(compute: Callable[..., Any]) -> Callable[..., Any]:
    def run(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> Any:
        if not np.all(y):
            raise ZeroDivisionError
        return compute(x, y)

    return run


def _strided_slice(x: np.ndarray[Any, Any], *, begin: Any, end: Any, strides: Any = None, **masks: int) -> Any:
    slicing = slicing_of(x.ndim, begin, end, strides, Masks(**masks))
    assert slicing is not None
    return x[slicing.key(x.shape)]


def _gather(x: np.ndarray[Any, Any], indices: np.ndarray[Any, Any], *, axis: int = 0, batch_dims: int = 0) -> Any:
    if batch_dims or np.any(indices < 0):
        raise ValueError
    return np.take(x, indices, axis)


_FOLDS: Final[dict[str, Callable[..., Any]]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "floordiv": _divide(np.floor_divide),
    "floormod": _divide(np.mod),
    "maximum": np.maximum,
    "minimum": np.minimum,
    "negative": np.negative,
    "equal": np.equal,
    "not_equal": np.not_equal,
    "less": np.less,
    "less_equal": np.less_equal,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "logical_and": np.logical_and,
    "logical_or": np.logical_or,
    "logical_not": np.logical_not,
    "cast": _cast,
    "stack": lambda *xs, axis=0: np.stack(xs, axis),
    "strided_slice": _strided_slice,
    "gather": _gather,
    "expand_dims": lambda x, *, axis: np.expand_dims(x, axis),
    "concat": lambda *xs, axis: np.concatenate(xs, axis),
    "reshape": lambda x, *, shape: x.reshape(shape),
    "reduce_prod": lambda x, *, axis=None, keepdims=False: np.prod(x, axis=axis, keepdims=keepdims),
    "reduce_sum": lambda x, *, axis=None, keepdims=False: np.sum(x, axis=axis, keepdims=keepdims),
    "reduce_all": lambda x, *, axis=None, keepdims=False: np.all(x, axis=axis, keepdims=keepdims),
    "reduce_any": lambda x, *, axis=None, keepdims=False: np.any(x, axis=axis, keepdims=keepdims),
    "random_split": lambda seed, *, num=2: philox.split(seed, num),
    "random_fold_in": philox.fold_in,
}
