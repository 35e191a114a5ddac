"""Arithmetic the client does itself, on small integers it knows, so that shape computations wait for nothing.

Owns: `FOLDS`: op name -> a function of (inputs, attrs, inferred spec) that gives the value, or None where it cannot be known here. `tf.shape(x)[0] * 2`,
`tf.stack([n, -1])` and casts of these keep their value and need no op on the server. Does not know sessions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from client.tensor import Operand
from protocol.spec import Spec

_LARGEST: Final = 64

Fold = Callable[[Sequence[Operand], Mapping[str, Any], Any], "np.ndarray[Any, Any] | None"]


def _known(inputs: Sequence[Operand]) -> list[np.ndarray[Any, Any]] | None:
    """The inputs' values, if all are small integers or bools known here."""
    values = []
    for tensor in inputs:
        value = getattr(tensor, "_value", None)
        if value is None or value.size > _LARGEST or type(tensor._operand) is int or value.dtype.kind not in "iub":
            return None
        values.append(value)
    return values


def _fold(compute: Callable[..., Any]) -> Fold:
    def fold(inputs: Sequence[Operand], attrs: Mapping[str, Any], inferred: Any) -> np.ndarray[Any, Any] | None:
        values = _known(inputs)
        if values is None or type(inferred) is not Spec or inferred.dtype.kind not in "iub":
            return None
        try:
            with np.errstate(all="ignore"):
                result = np.asarray(compute(*values, **attrs)).astype(inferred.dtype.numpy)
        except (ValueError, TypeError, IndexError, ZeroDivisionError):
            return None  # the server says what is wrong
        return result if result.shape == inferred.shape and result.size <= _LARGEST else None

    return fold


def _cast(x: np.ndarray[Any, Any], *, dtype: Any, **_: Any) -> np.ndarray[Any, Any]:
    return x.astype(dtype.numpy)


def _divide(compute: Callable[..., Any]) -> Callable[..., Any]:
    def run(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> Any:
        if not np.all(y):
            raise ZeroDivisionError
        return compute(x, y)

    return run


FOLDS: Final[dict[str, Fold]] = {
    "add": _fold(np.add),
    "subtract": _fold(np.subtract),
    "multiply": _fold(np.multiply),
    "floordiv": _fold(_divide(np.floor_divide)),
    "floormod": _fold(_divide(np.mod)),
    "maximum": _fold(np.maximum),
    "minimum": _fold(np.minimum),
    "negative": _fold(np.negative),
    "cast": _fold(_cast),
    "stack": _fold(lambda *xs, axis=0: np.stack(xs, axis)),
    "concat": _fold(lambda *xs, axis: np.concatenate(xs, axis)),
    "reshape": _fold(lambda x, *, shape: x.reshape(shape)),
    "reduce_prod": _fold(lambda x, *, axis=None, keepdims=False: np.prod(x, axis=axis, keepdims=keepdims)),
    "reduce_sum": _fold(lambda x, *, axis=None, keepdims=False: np.sum(x, axis=axis, keepdims=keepdims)),
}
