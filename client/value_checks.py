"""Assertions about values: `tf.debugging.assert_equal`, `assert_less`, `assert_near`, `check_numerics` and their like.

Owns: deciding them and their messages. Does not know shapes as such (`client.shape_checks`).

An assertion raises on its own line, as in TensorFlow, so it has to know: what the client knows (a shape, a small
constant, a value read before) it decides here; for anything else it waits once, for one bool that the server reduces.
Only a failure reads the values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

import ml_dtypes
import numpy as np

from client.api import public
from client.convert import convert_to_tensor, static_value
from client.dispatch import call
from client.reading import fetch
from client.tensor import Operand, Tensor
from protocol.errors import InvalidArgumentError
from protocol.ops import OPS

_Array = np.ndarray[Any, Any]

_SUMMARIZE: Final = 3
_COMPARISONS: Final[dict[str, tuple[str, Callable[..., Any]]]] = {
    "==": ("equal", np.equal),
    "!=": ("not_equal", np.not_equal),
    "<": ("less", np.less),
    "<=": ("less_equal", np.less_equal),
    ">": ("greater", np.greater),
    ">=": ("greater_equal", np.greater_equal),
}


# --- deciding --------------------------------------------------------------------------------------------------------


def _holds(symbol: str, x: Tensor, y: Tensor) -> bool:
    """Whether a comparison holds for all elements: without a wait where both values are known, or nothing is
    compared.
    """
    op, compute = _COMPARISONS[symbol]
    result = OPS[op].infer((x._spec, y._spec), {})
    if 0 in (result.shape or ()):  # type: ignore[union-attr]
        return True
    left, right = static_value(x), static_value(y)
    if left is None or right is None:
        return bool(call("reduce_all", call(op, x, y)))
    with np.errstate(all="ignore"):
        return bool(np.all(compute(left, right)))


def _operands(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Both as tensors. Python's numbers follow the dtype of the other side; nothing is cast, so nothing is rounded
    before it is compared.
    """
    hint = next((v.dtype for v in (x, y) if isinstance(v, Operand)), None)
    left, right = (convert_to_tensor(v, dtype_hint=None if hasattr(v, "dtype") else hint) for v in (x, y))
    return left, right


def _arrays(*values: Any) -> list[_Array]:
    """The values of at least two tensors, in one wait."""
    return [np.asarray(v) for v in fetch(*values)]


# --- telling ---------------------------------------------------------------------------------------------------------


def _entries(summarize: int | None) -> int | None:
    """How many entries of a tensor a message shows; None is all."""
    if summarize is None:
        return _SUMMARIZE
    return None if summarize < 0 else summarize


def _described(tensor: Tensor) -> str:
    return f"shape={tensor.shape} dtype={tensor.dtype.name}"


def _listed(value: _Array, summarize: int | None) -> str:
    """`['1.0', '2.0', '...']`."""
    if not value.ndim:
        return str(value[()])
    flat = value.reshape(-1)
    shown = [str(v) for v in flat[: _entries(summarize)]]
    return str(shown if len(shown) == flat.size else [*shown, "..."])


def _differences(symbol: str, x: _Array, y: _Array, summarize: int | None) -> list[str]:
    lines = [f"Condition x {symbol} y did not hold."]
    count = _entries(summarize)
    if count == 0:
        return lines
    if x.ndim and x.shape == y.shape:
        with np.errstate(all="ignore"):
            wrong = ~np.asarray(_COMPARISONS[symbol][1](x, y))
        indices = np.argwhere(wrong)[:count]
        lines += [
            f"Indices of first {len(indices)} different values:",
            str(indices),
            "Corresponding x values:",
            str(x[wrong][:count]),
            "Corresponding y values:",
            str(y[wrong][:count]),
        ]
    for name, value in (("x", x), ("y", y)):
        first = value.reshape(-1)[:count]
        lines += [f"First {first.size} elements of {name}:", str(first)]
    return lines


def _failure(lines: Iterable[str], message: str | None) -> InvalidArgumentError:
    return InvalidArgumentError("\n".join(lines if message is None else [message, *lines]))


# --- comparing two tensors -------------------------------------------------------------------------------------------


def _assert_comparison(symbol: str, x: Any, y: Any, message: str | None, summarize: int | None) -> None:
    left, right = _operands(x, y)
    if not _holds(symbol, left, right):
        a, b = _arrays(left, right)
        raise _failure(_differences(symbol, a, b, summarize), message)


_COMPARISON_DOC: Final = """Check that `x {symbol} y` holds for all pairs of elements; `x` and `y` may broadcast.

    No wait where the values are known here, else one.

    Args:
        x: a tensor, or a value that converts to one, or a shape.
        y: another, of the same dtype.
        message: a text to put before the message.
        summarize: how many entries of each tensor the message shows: 3 by default, all if negative.
        name: ignored.

    Raises:
        tf.errors.InvalidArgumentError: it does not hold, or dtypes or shapes do not fit.

    >>> import client as tf
    >>> tf.debugging.{name}({example})
    """


def _comparison(name: str, symbol: str, example: str, *paths: str) -> Callable[..., None]:
    """The public assertion of one comparison."""

    def check(
        x: Any, y: Any, message: str | None = None, summarize: int | None = None, name: str | None = None
    ) -> None:
        if symbol != "==" or x is not y:
            _assert_comparison(symbol, x, y, message, summarize)

    check.__name__ = check.__qualname__ = name
    check.__doc__ = _COMPARISON_DOC.format(name=name, symbol=symbol, example=example)
    return public(f"debugging.{name}", *paths)(check)


assert_equal = _comparison("assert_equal", "==", "tf.zeros([32, 10]).shape, (32, 10)", "assert_equal")
assert_less = _comparison("assert_less", "<", "[1, 2], 3", "assert_less")
assert_less_equal = _comparison("assert_less_equal", "<=", "[1, 2], 2")
assert_greater = _comparison("assert_greater", ">", "[1, 2], 0", "assert_greater")
assert_greater_equal = _comparison("assert_greater_equal", ">=", "[1, 2], 1")


@public("debugging.assert_none_equal")
def assert_none_equal(
    x: Any, y: Any, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> None:
    """Check that `x != y` holds for all pairs of elements: as `tf.debugging.assert_equal`, but for the order of the
    arguments.

    >>> import client as tf
    >>> tf.debugging.assert_none_equal([1, 2], 0)
    """
    _assert_comparison("!=", x, y, message, summarize)


# --- signs -----------------------------------------------------------------------------------------------------------

_SIGN_DOC: Final = """Check that `x {symbol} 0` holds for all elements.

    No wait where the value is known here, else one.

    Args:
        x: a tensor, or a value that converts to one.
        message: a text to put before the message.
        summarize: how many entries the message shows: 3 by default, all if negative.
        name: ignored.

    Raises:
        tf.errors.InvalidArgumentError: it does not hold.

    >>> import client as tf
    >>> tf.debugging.{name}({example})
    """


def _sign(name: str, symbol: str, example: str) -> Callable[..., None]:
    """The public assertion of one sign."""

    def check(x: Any, message: str | None = None, summarize: int | None = None, name: str | None = None) -> None:
        tensor = convert_to_tensor(x)
        if not _holds(symbol, tensor, convert_to_tensor(0, tensor.dtype)):
            lines = [
                f"Condition x {symbol} 0 did not hold element-wise:",
                f"x ({_described(tensor)}) = ",
                _listed(np.asarray(fetch(tensor)), summarize),
            ]
            raise _failure(lines, f"{message}.  " if message else None)

    check.__name__ = check.__qualname__ = name
    check.__doc__ = _SIGN_DOC.format(name=name, symbol=symbol, example=example)
    return public(f"debugging.{name}")(check)


assert_positive = _sign("assert_positive", ">", "[0.5, 1.0]")
assert_negative = _sign("assert_negative", "<", "[-0.5, -1.0]")
assert_non_negative = _sign("assert_non_negative", ">=", "[0.0, 1.0]")
assert_non_positive = _sign("assert_non_positive", "<=", "[0.0, -1.0]")


# --- tolerance and finiteness ----------------------------------------------------------------------------------------


@public("debugging.assert_near")
def assert_near(
    x: Any,
    y: Any,
    rtol: Any = None,
    atol: Any = None,
    message: str | None = None,
    summarize: int | None = None,
    name: str | None = None,
) -> None:
    """Check that `|x - y| < atol + rtol * |y|` holds for all pairs of elements; `x` and `y` may broadcast.

    No wait where the values are known here, else one.

    Args:
        x: a floating-point or complex tensor, or a value that converts to one.
        y: another, of the same dtype.
        rtol: relative tolerance; None: ten times the dtype's epsilon.
        atol: absolute tolerance; None: the same.
        message: a text to put before the message.
        summarize: how many entries of each tensor the message shows: 3 by default, all if negative.
        name: ignored.

    Raises:
        tf.errors.InvalidArgumentError: it does not hold.
        ValueError: dtypes differ, or are integers.

    >>> import client as tf
    >>> tf.debugging.assert_near(tf.constant([0.1]) * 3, [0.3])
    """
    left = convert_to_tensor(x)
    right = convert_to_tensor(y, left.dtype)
    real = left.dtype.real_dtype
    if not real.is_floating:
        raise ValueError(f"data type {real.name} not inexact")
    epsilon = float(ml_dtypes.finfo(real.numpy).eps)  # type: ignore[no-untyped-call]
    relative, absolute = (convert_to_tensor(10 * epsilon if t is None else t, real) for t in (rtol, atol))
    known = [static_value(t) for t in (left, right, relative, absolute)]
    if all(v is not None for v in known):
        with np.errstate(all="ignore"):
            a, b, r, s = known
            holds = bool(np.all(np.abs(a - b) < s + r * np.abs(b)))  # type: ignore[operator, arg-type]
    else:
        tolerance = call("add", absolute, call("multiply", relative, call("abs", right)))
        holds = _holds("<", call("abs", call("subtract", left, right)), tolerance)
    if not holds:
        a, b, r, s = _arrays(left, right, relative, absolute)
        lines = [
            f"x and y not equal to tolerance rtol = {r!s}, atol = {s!s}",
            f"x ({_described(left)}) = ",
            _listed(a, summarize),
            f"y ({_described(right)}) = ",
            _listed(b, summarize),
        ]
        raise _failure(lines, f"{message}.  " if message else None)


@public("debugging.check_numerics")
def check_numerics(tensor: Any, message: str, name: str | None = None) -> Tensor:
    """The tensor, if it has neither NaN nor infinite values. No wait where its value is known here, else one.

    Args:
        tensor: a floating-point tensor, or a value that converts to one.
        message: what the error's message starts with.
        name: ignored.

    Raises:
        tf.errors.InvalidArgumentError: it has such values, or is not of a floating-point dtype.
        TypeError: `message` is no text.

    A gradient that goes back through it is not checked, as TensorFlow's is: `tf.debugging.enable_check_numerics` does
    that.

    >>> import client as tf
    >>> tf.debugging.check_numerics(tf.constant([1.0, 2.0]), "activations")
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([1., 2.], dtype=float32)>
    """
    if not isinstance(message, str | bytes):
        raise TypeError(f"Expected string for argument 'message' not {message!r}.")
    found = convert_to_tensor(tensor)
    if not found.dtype.is_floating:
        raise InvalidArgumentError(
            f"Value for attr 'T' of {found.dtype.name} is not in the list of allowed values: "
            "bfloat16, half, float, double"
        )
    known = static_value(found)
    if known is None:
        has_nan, has_inf = fetch(*[call("reduce_any", call(op, found)) for op in ("is_nan", "is_inf")])
    else:
        has_nan, has_inf = np.isnan(known).any(), np.isinf(known).any()
    wrong = " and ".join(kind for kind, present in (("Inf", has_inf), ("NaN", has_nan)) if present)
    if wrong:
        text = message if isinstance(message, str) else message.decode(errors="replace")
        raise InvalidArgumentError(f"{text} : Tensor had {wrong} values")
    return found


@public("debugging.assert_all_finite")
def assert_all_finite(x: Any, message: str, name: str | None = None) -> Tensor:
    """The tensor, if it has neither NaN nor infinite values: `tf.debugging.check_numerics` by another name.

    >>> import client as tf
    >>> tf.debugging.assert_all_finite([1.0, 2.0], "gradients").shape
    TensorShape([2])
    """
    return check_numerics(x, message)


@public("debugging.Assert", "Assert")
def Assert(condition: Any, data: Any, summarize: int | None = None, name: str | None = None) -> None:
    """Check that `condition` is true. Waits once for it, unless it is a Python bool or its value is known here.

    Args:
        condition: a bool, or a tensor of one element.
        data: tensors and texts to show when it is false.
        summarize: how many entries of each tensor the message shows: 3 by default, all if negative.
        name: ignored.

    Raises:
        tf.errors.InvalidArgumentError: it is false.

    >>> import client as tf
    >>> x = tf.constant([1, 2])
    >>> tf.Assert(tf.reduce_all(x > 0), [x])
    """
    if condition:
        return
    texts = [_summary(item, _entries(summarize)) for item in data]
    raise InvalidArgumentError(f"Expected '{condition}' to be true. Summarized data: " + "\n".join(texts))


def _summary(item: Any, count: int | None) -> str:
    if isinstance(item, str):
        return item
    value = np.asarray(fetch(item))
    shown = [str(v) for v in value.reshape(-1)[:count]]
    return ", ".join(shown if len(shown) == value.size else [*shown, "..."])
