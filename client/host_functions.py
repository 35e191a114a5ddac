"""`tf.py_function` and `tf.numpy_function`: Python code among ops.

Owns: their argument checks and the conversion of results. The code runs in this program, at the call; exceptions it
    raises are the caller's as they are.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from client import nest
from client.api import public
from client.convert import convert_to_tensor
from client.reading import fetch
from client.tensor import Operand, Tensor
from protocol.dtypes import DType, as_dtype
from protocol.errors import InvalidArgumentError


@public("py_function")
def py_function(
    func: Callable[..., Any] | None = None, inp: Any = None, Tout: Any = None, name: str | None = None
) -> Any:
    """`func(*inp)` with tensors, its results as tensors of the dtypes `Tout`.

    Nothing waits, unless `func` reads a value. Ops in `func` have gradients as anywhere else.

    Args:
        func: takes tensors; returns tensors, values that convert to them, or None. None: a decorator is returned.
        inp: a list of tensors, or values that convert to them.
        Tout: a dtype or `tf.TensorSpec`, or a list of them; an empty list where `func` returns None.
        name: ignored.

    Returns:
        A tensor; a list of them where `Tout` is a list.

    Raises:
        TypeError: `Tout` or `inp` is missing.
        ValueError: `func` is not callable, or a result has another dtype.
        tf.errors.InvalidArgumentError: another number of results than `Tout` has.

    >>> import client as tf
    >>> tf.py_function(lambda x: x + 1 if float(x) > 0 else x, [tf.constant(2.0)], tf.float32)
    <tf.Tensor: shape=(), dtype=float32, numpy=3.0>
    """
    if _is_decorator("tf.py_function", func, inp, Tout):
        return _decorator(py_function, Tout)
    assert func is not None
    tensors = [convert_to_tensor(v) for v in inp]
    several = isinstance(Tout, list | tuple)
    wanted = _dtypes(Tout)
    found = func(*tensors)
    values = list(found) if isinstance(found, list | tuple) else [] if found is None else [found]
    if len(values) < len(wanted) or (several and len(values) > len(wanted)):
        raise InvalidArgumentError(
            f"{_name(func)} returns {len(values)} values, but expects to see {len(wanted)} values."
        )
    results = [convert_to_tensor(v, dtype) for v, dtype in zip(values, wanted, strict=False)]
    return results if several else results[0]


@public("numpy_function")
def numpy_function(
    func: Callable[..., Any] | None = None,
    inp: Any = None,
    Tout: Any = None,
    stateful: bool = True,
    name: str | None = None,
) -> Any:
    """`func(*inp)` with NumPy arrays, its results as tensors. Waits once for all of `inp` that is not known here; has
    no gradient.

    Args:
        func: takes NumPy arrays; returns arrays, values that convert to tensors, or None. None: a decorator is
            returned.
        inp: a list of tensors, or values that convert to them.
        Tout: a dtype or a list of dtypes: what Python's numbers among the results become. Arrays keep theirs, as in
            TensorFlow's eager mode.
        stateful: ignored.
        name: ignored.

    Returns:
        A tensor, a list of them, or None, as `func` returns one or several values or None.

    Raises:
        TypeError: `Tout` or `inp` is missing.
        ValueError: `func` is not callable.

    >>> import client as tf
    >>> import numpy as np
    >>> tf.numpy_function(np.median, [tf.constant([3.0, 1.0, 2.0])], tf.float32)
    <tf.Tensor: shape=(), dtype=float32, numpy=2.0>
    """
    if _is_decorator("tf.numpy_function", func, inp, Tout):
        return _decorator(numpy_function, Tout)
    assert func is not None
    values = list(inp)
    arrays = fetch(*values) if len(values) > 1 else [fetch(*values)] if values else []
    results = nest.flatten(func(*arrays))
    wanted = _dtypes(Tout)
    hints = wanted if len(wanted) == len(results) else [None] * len(results)
    tensors = [_result(v, hint) for v, hint in zip(results, hints, strict=True)]
    return tensors[0] if len(tensors) == 1 else tensors


def _result(value: Any, hint: DType | None) -> Tensor | None:
    if value is None:
        return None
    is_python = not isinstance(value, Operand) and not hasattr(value, "dtype")
    return convert_to_tensor(value, dtype_hint=hint if is_python else None)


def _dtypes(wanted: Any) -> list[DType]:
    listed = wanted if isinstance(wanted, list | tuple) else [wanted]
    return [as_dtype(getattr(t, "dtype", t) if not isinstance(t, type) else t) for t in listed]


def _name(func: Any) -> str:
    return getattr(func, "__name__", repr(func))


def _is_decorator(which: str, func: Any, inp: Any, wanted: Any) -> bool:
    """Whether the call asks for a decorator. Raises TypeError and ValueError for calls that make no sense."""
    if wanted is None:
        raise TypeError(
            "Missing required argument: 'Tout'\n"
            f"  If using {which} as a decorator, set `Tout`\n"
            "  **by name** above the function:\n"
            f"  `@{which}(Tout=tout)`"
        )
    if func is None:
        if inp is not None:
            raise TypeError(f"Don't set the `inp` argument when using {which} as a decorator (`func=None`).")
        return True
    if inp is None:
        raise TypeError(
            "Missing argument `inp`:\n"
            "  You must set the `inp` argument (the list of arguments to the\n"
            f"  function), unless you use `{which}` as a decorator (`func=None`)."
        )
    if not callable(func):
        raise ValueError(f"Expected func to be callable. Received func={func} of type {type(func)}.")
    return False


def _decorator(op: Callable[..., Any], wanted: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def decorate(func: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(func)
        def called(*args: Any) -> Any:
            return op(func, inp=args, Tout=wanted)

        return called

    return decorate
