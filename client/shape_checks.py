"""Assertions about dtypes, ranks and shapes: `tf.debugging.assert_rank`, `assert_shapes`, `assert_type` and their like.

Owns: deciding them and their messages. Does not know values (`client.value_checks`).

Nothing waits, except for the shape of a tensor that only the server knows, such as a result of `tf.boolean_mask`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from client.api import public
from client.convert import convert_to_tensor
from client.tensor import Operand, Tensor
from protocol.dtypes import DType, as_dtype, float32, int32


def _prefix(message: str | None) -> str:
    return f"{message}.  " if message else ""


# --- dtypes ----------------------------------------------------------------------------------------------------------


@public("debugging.assert_type")
def assert_type(tensor: Any, tf_type: Any, message: str | None = None, name: str | None = None) -> None:
    """Check the dtype of a tensor. Raises TypeError.

    >>> import client as tf
    >>> tf.debugging.assert_type(tf.constant(1.0), tf.float32)
    """
    wanted, found = as_dtype(tf_type), convert_to_tensor(tensor).dtype
    if found is not wanted:
        raise TypeError(f"{_prefix(message)}tensor must be of type {wanted!r}; got {found!r}")


@public("debugging.assert_integer")
def assert_integer(x: Any, message: str | None = None, name: str | None = None) -> None:
    """Check that a tensor is of an integer dtype. Raises TypeError.

    >>> import client as tf
    >>> tf.debugging.assert_integer(tf.constant([1, 2]))
    """
    dtype = convert_to_tensor(x).dtype
    if not dtype.is_integer:
        raise TypeError(f'{_prefix(message)}Expected "x" to be integer type.  Found: tensor of dtype {dtype!s}')


@public("debugging.is_numeric_tensor")
def is_numeric_tensor(tensor: Any) -> bool:
    """Whether it is a tensor, and of numbers: not of bools.

    >>> import client as tf
    >>> tf.debugging.is_numeric_tensor(tf.constant(1)), tf.debugging.is_numeric_tensor(1)
    (True, False)
    """
    return isinstance(tensor, Tensor) and tensor.dtype.is_numeric


@public("debugging.assert_same_float_dtype")
def assert_same_float_dtype(tensors: Any = None, dtype: Any = None) -> DType:
    """The floating-point dtype that all of `tensors` have.

    Args:
        tensors: tensors; None among them is passed over.
        dtype: the dtype they should have. None: the first one's; float32 when there is none.

    Raises:
        ValueError: they differ, or are of no floating-point dtype.

    >>> import client as tf
    >>> tf.debugging.assert_same_float_dtype([tf.constant(1.0), tf.zeros([2])])
    tf.float32
    """
    wanted = None if dtype is None else as_dtype(dtype)
    first = ""
    for tensor in tensors or ():
        if tensor is None:
            continue
        if wanted is None:
            wanted, first = tensor.dtype, f" as {_named(tensor)}"
        elif tensor.dtype is not wanted:
            raise ValueError(f"{_named(tensor)}, type={tensor.dtype!s}, must be of the same type ({wanted!s}){first}.")
    wanted = wanted or float32
    if not wanted.is_floating:
        raise ValueError(f"Expected floating point type, got {wanted!s}.")
    return wanted


def _named(tensor: Any) -> str:
    """A tensor in a message, without its value: that would wait."""
    return f"tensor {tensor._spec}" if isinstance(tensor, Operand) else str(tensor)


@public("debugging.assert_proper_iterable")
def assert_proper_iterable(values: Any) -> None:
    """Check that `values` can be iterated over, and is neither a tensor, an array nor a string. Raises TypeError.

    >>> import client as tf
    >>> tf.debugging.assert_proper_iterable([tf.constant(1)])
    """
    if isinstance(values, Tensor | np.ndarray | bytes | str):
        raise TypeError(f'Expected argument "values" to be a "proper" iterable.  Found: {type(values)}')
    if not hasattr(values, "__iter__"):
        raise TypeError(f'Expected argument "values" to be iterable.  Found: {type(values)}')


# --- ranks -----------------------------------------------------------------------------------------------------------


def _rank(value: Any) -> int:
    rank = convert_to_tensor(value)
    assert_type(rank, int32)
    if rank.ndim != 0:
        raise ValueError("Rank must be a scalar.")
    return int(rank)


def _wrong_rank(tensor: Tensor, wanted: str, message: str | None) -> ValueError:
    return ValueError(
        f"{_prefix(message)}Tensor  must have rank {wanted}.  Received rank {tensor.ndim}, shape {tensor.shape}"
    )


@public("debugging.assert_rank", "assert_rank")
def assert_rank(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """Check the number of dims of a tensor. Raises ValueError; TypeError when `rank` is no integer.

    >>> import client as tf
    >>> tf.debugging.assert_rank(tf.zeros([2, 3]), 2)
    """
    tensor, wanted = convert_to_tensor(x), _rank(rank)
    if tensor.ndim != wanted:
        raise _wrong_rank(tensor, str(wanted), message)


@public("debugging.assert_rank_at_least")
def assert_rank_at_least(x: Any, rank: Any, message: str | None = None, name: str | None = None) -> None:
    """Check that a tensor has at least `rank` dims. Raises ValueError; TypeError when `rank` is no integer.

    >>> import client as tf
    >>> tf.debugging.assert_rank_at_least(tf.zeros([2, 3]), 1)
    """
    tensor, wanted = convert_to_tensor(x), _rank(rank)
    if tensor.ndim < wanted:
        raise _wrong_rank(tensor, f"at least {wanted}", message)


@public("debugging.assert_rank_in")
def assert_rank_in(x: Any, ranks: Any, message: str | None = None, name: str | None = None) -> None:
    """Check that the number of dims of a tensor is one of `ranks`. Raises ValueError; TypeError when one is no integer.

    >>> import client as tf
    >>> tf.debugging.assert_rank_in(tf.zeros([2, 3]), (2, 4))
    """
    tensor, wanted = convert_to_tensor(x), tuple(map(_rank, ranks))
    if tensor.ndim not in wanted:
        raise _wrong_rank(tensor, f"in {wanted}", message)


@public("debugging.assert_scalar")
def assert_scalar(tensor: Any, message: str | None = None, name: str | None = None) -> None:
    """Check that a tensor has no dims. Raises ValueError.

    >>> import client as tf
    >>> tf.debugging.assert_scalar(tf.constant(1))
    """
    found = convert_to_tensor(tensor)
    if found.ndim != 0:
        raise ValueError(f"{_prefix(message)}Expected scalar shape, saw shape: {found.shape}.")


# --- shapes with symbols ---------------------------------------------------------------------------------------------


@public("debugging.assert_shapes")
def assert_shapes(
    shapes: Any, data: Any = None, summarize: int | None = None, message: str | None = None, name: str | None = None
) -> None:
    """Check the shapes of several tensors against each other, written with symbols.

    Args:
        shapes: (tensor, shape) pairs, in a list or a dict. A shape is an iterable (a string too) of sizes, of symbols
            that stand for the same size everywhere, and of None or "." for any size. A first entry `...` or "*"
            stands for any number of dims.
            Scalars count as shape [1]. A shape that is None is not checked.
        data: ignored.
        summarize: ignored.
        message: a text to put before the message.
        name: ignored.

    Raises:
        ValueError: a shape does not fit, or is not written in that way.

    >>> import client as tf
    >>> x, y, labels = tf.zeros([16, 32]), tf.zeros([16, 8]), tf.zeros([16])
    >>> tf.debugging.assert_shapes([(x, ("N", "D")), (y, ("N", None)), (labels, "N")])
    """
    pairs = shapes.items() if isinstance(shapes, Mapping) else shapes
    wanted = [_Wanted(convert_to_tensor(x), shape, message) for x, shape in pairs if shape is not None]
    for one in wanted:
        one.check_rank()
    sizes: dict[Any, tuple[int, str]] = {}  # symbol -> its size, and what said so
    for one in wanted:
        one.check_sizes(sizes)


class _Wanted:
    """What one tensor's shape should be."""

    def __init__(self, tensor: Tensor, shape: Any, message: str | None) -> None:
        self.tensor = tensor
        self.message = message
        self.shown = f"shape={tensor.shape} dtype={tensor.dtype.name}"
        if not hasattr(shape, "__iter__") and not hasattr(shape, "__getitem__"):
            raise ValueError(
                f"{_prefix(message)}Tensor {self.shown}.  Specified shape must be an iterable.  "
                f"An iterable has the attribute `__iter__` or `__getitem__`.  Received specified shape: {shape}"
            )
        symbols: Sequence[Any] = tuple(shape)
        for i, symbol in enumerate(symbols[1:], 1):
            if _is_rest(symbol):
                raise ValueError(
                    f"{_prefix(message)}Tensor {self.shown} specified shape index {i}.  Symbol `...` or `*` for a "
                    "variable number of unspecified dimensions is only allowed as the first entry"
                )
        self.open = bool(symbols) and _is_rest(symbols[0])
        self.symbols = (symbols[1:] if self.open else symbols) or (1,)

    def check_rank(self) -> None:
        rank = len(self.symbols)
        if self.open:
            if rank > 1:
                assert_rank_at_least(self.tensor, rank, self.message)
        elif rank > 1:
            assert_rank(self.tensor, rank, self.message)
        else:
            assert_rank_in(self.tensor, (0, 1), self.message)

    def check_sizes(self, sizes: dict[Any, tuple[int, str]]) -> None:
        dims = tuple(self.tensor.shape) or (1,)
        for i, symbol in enumerate(self.symbols):
            if symbol is None or (isinstance(symbol, str) and symbol == "."):
                continue
            axis = i - len(self.symbols) if self.open else i
            actual = dims[axis]
            assert actual is not None
            size = _number(symbol)
            if size is not None:
                expected, why = size, "Specified explicitly"
            elif symbol in sizes:
                expected, why = sizes[symbol]
            else:
                sizes[symbol] = actual, f"Specified by tensor {self.shown} dimension {axis}"
                continue
            if actual != expected:
                raise ValueError(
                    f"{_prefix(self.message)}{why}.  Tensor {self.shown} dimension {axis} must have size {expected}.  "
                    f"Received size {actual}, shape {self.tensor.shape}"
                )


def _is_rest(symbol: Any) -> bool:
    return symbol is Ellipsis or (isinstance(symbol, str) and symbol == "*")


def _number(symbol: Any) -> int | None:
    """The size that a symbol is itself, None when it is a name."""
    try:
        return int(symbol)
    except (TypeError, ValueError):
        return None
