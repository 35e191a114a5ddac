"""Elementwise math that is more than one op: integer division, casts, clipping, sums and norms of lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from client.api import public
from client.convert import convert_to_tensor
from client.dispatch import call
from client.tensor import Composite, Operand, Tensor
from protocol.dtypes import DType, as_dtype, float32, float64
from protocol.spec import merge_shapes


def _operand(value: Any, dtype_hint: DType | None = None) -> Operand:
    """A tensor or variable as it is, anything else as a tensor."""
    return value if isinstance(value, Operand) else convert_to_tensor(value, dtype_hint=dtype_hint)


def _quotient(op: str, x: Any, y: Any) -> Tensor:
    """A division of floats, for which integers are cast: those up to 16 bits to float32, the others to float64."""
    x = _operand(x)
    dtype = x.dtype
    y = _operand(y, dtype)
    if y.dtype is not dtype:
        raise TypeError(f"`x` and `y` must have the same dtype, got {dtype!r} != {y.dtype!r}.")
    if dtype.is_bool:
        raise TypeError(f"Invalid dtype {dtype!r} in {op}. Expected a number.")
    if dtype.is_integer:
        wide = float32 if dtype.size <= 2 else float64
        x, y = call("cast", x, dtype=wide), call("cast", y, dtype=wide)
    return call(op, x, y)  # type: ignore[no-any-return]


@public("truediv", "math.truediv")
def truediv(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y, elementwise, as Python 3 divides: of integers the quotient is a float.

    Args:
        x: a tensor of numbers.
        y: a tensor of the same dtype, of a shape that broadcasts with x's.
        name: ignored.

    Returns:
        A tensor of the broadcast shape and of x's dtype; float32 for integers up to 16 bits, float64 for the others.

    Raises:
        TypeError: the dtypes differ, or are bool.
        tf.errors.InvalidArgumentError: the shapes don't broadcast.

    >>> import client as tf
    >>> tf.truediv(3, 2)
    <tf.Tensor: shape=(), dtype=float64, numpy=1.5>
    """
    return _quotient("divide", x, y)


@public("divide", "math.divide")
def divide(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y by Python's operator, so that a Python number takes the other operand's dtype.

    Args:
        x: a tensor or a number.
        y: a tensor or a number, of a shape that broadcasts with x's.
        name: ignored.

    Returns:
        What `x / y` gives; of two integers a float, as in `tf.truediv`.

    Raises:
        TypeError: two tensors of different dtypes, or bools.

    >>> import client as tf
    >>> tf.divide(3, tf.constant([2.0, 4.0]))
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([1.5 , 0.75], dtype=float32)>
    """
    if not isinstance(x, Operand) and not isinstance(y, Operand):
        x = convert_to_tensor(x)
    return x / y  # type: ignore[no-any-return]


@public("math.divide_no_nan")
def divide_no_nan(x: Any, y: Any, name: str | None = None) -> Tensor:
    """x / y, elementwise, and 0 where y is 0, whatever x is.

    Args:
        x: a tensor of numbers; integers are cast as in `tf.truediv`.
        y: a tensor of the same dtype, of a shape that broadcasts with x's.
        name: ignored.

    Raises:
        TypeError: the dtypes differ, or are bool.

    >>> import client as tf
    >>> tf.math.divide_no_nan([1.0, 3.0], [0.0, 2.0])
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([0. , 1.5], dtype=float32)>
    """
    return _quotient("divide_no_nan", x, y)


@public("scalar_mul", "math.scalar_mul")
def scalar_mul(scalar: Any, x: Any, name: str | None = None) -> Tensor:
    """A number times a tensor.

    Args:
        scalar: a scalar of x's dtype.
        x: a tensor.
        name: ignored.

    Raises:
        ValueError: `scalar` has another shape than (), or another dtype than x.

    >>> import client as tf
    >>> tf.scalar_mul(2.0, tf.constant([1.0, 2.0]))
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([2., 4.], dtype=float32)>
    """
    x = _operand(x)
    factor = convert_to_tensor(scalar, x.dtype)
    if factor._spec.rank not in (0, None):
        raise ValueError(f"The input scalar must be a 0-D value. Received shape {factor.shape}.")
    return call("multiply", factor, x)  # type: ignore[no-any-return]


@public("cast", "dtypes.cast")
def cast(x: Any, dtype: Any, name: str | None = None) -> Tensor:
    """`x` in another dtype.

    A float becomes an integer by losing its fraction (what does not fit becomes any integer, see `tf.saturate_cast`), a
    complex number becomes a real one by its real part, and whatever is not zero becomes True.

    Args:
        x: a tensor, or what converts to one.
        dtype: the wanted dtype.
        name: ignored.

    Returns:
        A tensor of x's shape; x itself if it has the dtype already.

    Raises:
        TypeError: there is no such dtype.

    >>> import client as tf
    >>> tf.cast([1.8, -2.2], tf.int32)
    <tf.Tensor: shape=(2,), dtype=int32, numpy=array([ 1, -2], dtype=int32)>
    """
    wanted = as_dtype(dtype)
    x = convert_to_tensor(x)
    return x if x.dtype is wanted else call("cast", x, dtype=wanted)  # type: ignore[no-any-return]


@public("saturate_cast", "dtypes.saturate_cast")
def saturate_cast(value: Any, dtype: Any, name: str | None = None) -> Tensor:
    """`value` in another dtype, where numbers outside of its range become its smallest or largest number.

    Args:
        value: a tensor of numbers. Of complex ones both parts are clipped; a real `dtype` keeps the real part.
        dtype: the wanted dtype.
        name: ignored.

    Raises:
        TypeError: one of the dtypes is bool, or there is no such dtype.

    >>> import client as tf
    >>> tf.saturate_cast([300.0, -5.0, 7.9], tf.uint8)
    <tf.Tensor: shape=(3,), dtype=uint8, numpy=array([255,   0,   7], dtype=uint8)>
    """
    wanted = as_dtype(dtype)
    tensor = convert_to_tensor(value)
    if wanted.is_bool or tensor.dtype.is_bool:
        raise TypeError(f"Cannot find minimum value of bool to cast {tensor.dtype!r} to {wanted!r}.")
    if tensor.dtype.is_complex:
        real = _into_range(call("real", tensor), wanted.real_dtype)
        tensor = (
            call("complex", real, _into_range(call("imag", tensor), wanted.real_dtype)) if wanted.is_complex else real
        )
    else:
        tensor = _into_range(tensor, wanted.real_dtype)
    return cast(tensor, wanted)


def _into_range(x: Tensor, target: DType) -> Tensor:
    """`x`, of a real dtype, clipped to what `target` can hold."""
    source = x.dtype
    (low, high), (lowest, highest) = _limits(source), _limits(target)
    if lowest <= low and high <= highest:
        return x
    return clip_by_value(x, _inward(source, max(low, lowest)), _inward(source, min(high, highest)))


def _limits(dtype: DType) -> tuple[float, float]:
    convert = int if dtype.is_integer else float  # Python compares an int and a float exactly
    return convert(dtype.min), convert(dtype.max)


def _inward(dtype: DType, bound: float) -> Any:
    """`bound` in `dtype`; where it has no such number, the next one towards zero."""
    if dtype.is_integer:
        return dtype.as_numpy_dtype(int(bound))
    value = dtype.as_numpy_dtype(float(bound))
    return np.nextafter(value, dtype.as_numpy_dtype(0)) if abs(float(value)) > abs(bound) else value


@public("clip_by_value")
def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Tensor:
    """`t` between two bounds, elementwise: max(min(t, clip_value_max), clip_value_min).

    Args:
        t: a tensor of real numbers; of `tf.IndexedSlices`, the values.
        clip_value_min: the smallest value, of t's dtype and of a shape that broadcasts to t's.
        clip_value_max: the largest value, likewise.
        name: ignored.

    Raises:
        tf.errors.InvalidArgumentError: a bound would make the result larger than `t` (a ValueError too).
        TypeError: a bound has no value in t's dtype.

    >>> import client as tf
    >>> tf.clip_by_value([-1.0, 0.5, 9.0], 0.0, 1.0)
    <tf.Tensor: shape=(3,), dtype=float32, numpy=array([0. , 0.5, 1. ], dtype=float32)>
    """
    if isinstance(t, Composite):
        return t._with_rows(clip_by_value(t._rows(), clip_value_min, clip_value_max))  # type: ignore[no-any-return]
    t = _operand(t)
    below = _of_shape(t, call("minimum", t, clip_value_max))
    return _of_shape(t, call("maximum", below, clip_value_min))


def _of_shape(t: Operand, result: Tensor) -> Tensor:
    """`result`, refused if its shape is not that of `t`."""
    merge_shapes(t._spec.shape, result._spec.shape)
    return result


@public("clip_by_norm")
def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: str | None = None) -> Tensor:
    """`t` scaled down so that its L2 norm is at most `clip_norm`: t * clip_norm / max(norm(t), clip_norm).

    Args:
        t: a tensor of floats; of `tf.IndexedSlices`, the values.
        clip_norm: the largest norm, over 0; a scalar, or of a shape that broadcasts to t's.
        axes: the axes over which a norm is computed; None: all, one norm for the whole tensor.
        name: ignored.

    Raises:
        tf.errors.InvalidArgumentError: `t` has no floats, or `clip_norm` would make the result larger than `t`.

    >>> import client as tf
    >>> tf.clip_by_norm([3.0, 4.0], 1.0)
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([0.6, 0.8], dtype=float32)>
    """
    if isinstance(t, Composite):
        return t._with_rows(clip_by_norm(t._rows(), clip_norm, axes))  # type: ignore[no-any-return]
    t = _operand(t)
    squares = call("reduce_sum", call("square", t), axis=axes, keepdims=True)
    # The gradient of sqrt is infinite at 0: an all-zero tensor goes another way.
    positive = call("greater", squares, 0)
    norm = call("select", positive, call("sqrt", call("select", positive, squares, 1)), squares)
    largest = call("maximum", _operand(clip_norm, t.dtype), 0)
    scaled = _of_shape(t, call("multiply", t, largest))
    return call("divide", scaled, call("maximum", norm, largest))  # type: ignore[no-any-return]


def _tensors(t_list: Any) -> list[Operand | None]:
    """The tensors of a list in which some may be None. Raises TypeError unless it is a sequence."""
    if not isinstance(t_list, Sequence) or isinstance(t_list, str):
        raise TypeError(f"`t_list` should be a sequence of tensors. Received {type(t_list)}.")
    return [None if t is None else _operand(t._rows() if isinstance(t, Composite) else t) for t in t_list]


@public("linalg.global_norm")
def global_norm(t_list: Any, name: str | None = None) -> Tensor:
    """The L2 norm of all tensors together: sqrt(sum of squares of every element).

    Args:
        t_list: a list of tensors of one float dtype, of any shapes; None entries are skipped.
        name: ignored.

    Returns:
        A scalar; 0.0 if there is no tensor.

    Raises:
        TypeError: `t_list` is no sequence.

    >>> import client as tf
    >>> tf.linalg.global_norm([tf.constant([3.0, 0.0]), None, tf.constant([[4.0]])])
    <tf.Tensor: shape=(), dtype=float32, numpy=5.0>
    """
    tensors = [t for t in _tensors(t_list) if t is not None]
    return call("global_norm", *tensors) if tensors else convert_to_tensor(0.0)


@public("clip_by_global_norm")
def clip_by_global_norm(
    t_list: Any, clip_norm: Any, use_norm: Any = None, name: str | None = None
) -> tuple[list[Tensor | None], Tensor]:
    """All tensors scaled down by one factor, so that their common L2 norm is at most `clip_norm`.

    Each becomes t * clip_norm / max(norm, clip_norm).

    Args:
        t_list: a list of tensors of floats (usually gradients); None entries stay None.
        clip_norm: the largest norm, a positive scalar.
        use_norm: the norm to assume; None: `tf.linalg.global_norm(t_list)`.
        name: ignored.

    Returns:
        The list of scaled tensors, and the norm before scaling. An infinite or NaN norm makes every element NaN.

    Raises:
        TypeError: `t_list` is no sequence.

    >>> import client as tf
    >>> clipped, norm = tf.clip_by_global_norm([tf.constant([3.0]), tf.constant([4.0])], 1.0)
    >>> norm
    <tf.Tensor: shape=(), dtype=float32, numpy=5.0>
    >>> clipped[1]
    <tf.Tensor: shape=(1,), dtype=float32, numpy=array([0.8], dtype=float32)>
    """
    tensors = _tensors(t_list)
    norm = global_norm(tensors) if use_norm is None else convert_to_tensor(use_norm)
    # A norm of 0 gives 1 / 0 = inf and so the factor 1; norm - norm is 0, or NaN where the norm is not finite.
    largest = _operand(clip_norm, norm.dtype)
    factor = call("multiply", largest, call("minimum", call("reciprocal", norm), call("reciprocal", largest)))
    scale = call("add", factor, call("subtract", norm, norm))
    scaled = [None if t is None else call("multiply", t, cast(scale, t.dtype)) for t in tensors]
    return [
        t._with_rows(s) if isinstance(t, Composite) and s is not None else s
        for t, s in zip(t_list, scaled, strict=True)
    ], norm


@public("add_n", "math.add_n")
def add_n(inputs: Any, name: str | None = None) -> Tensor:
    """The sum of several tensors of one shape and dtype.

    Args:
        inputs: a list of tensors, or a tensor, whose slices along the first axis are added.
        name: ignored.

    Raises:
        ValueError: the list is empty.
        tf.errors.InvalidArgumentError: the shapes or dtypes differ.

    >>> import client as tf
    >>> tf.add_n([tf.constant([1, 2]), tf.constant([3, 4]), tf.constant([5, 6])])
    <tf.Tensor: shape=(2,), dtype=int32, numpy=array([ 9, 12], dtype=int32)>
    """
    tensors = list(inputs)
    if len(tensors) == 1:
        return convert_to_tensor(tensors[0])
    return call("add_n", *tensors)  # type: ignore[no-any-return]


@public("math.accumulate_n")
def accumulate_n(inputs: Any, shape: Any = None, tensor_dtype: Any = None, name: str | None = None) -> Tensor:
    """The sum of several tensors of one shape and dtype, as `tf.add_n`.

    Args:
        inputs: a list of tensors.
        shape: the shape that they must have.
        tensor_dtype: the dtype that they must have.
        name: ignored.

    Raises:
        ValueError: no list, an empty one, or different dtypes or shapes.
        TypeError: another dtype than `tensor_dtype`.

    >>> import client as tf
    >>> tf.math.accumulate_n([tf.constant([1, 2]), tf.constant([3, 4])])
    <tf.Tensor: shape=(2,), dtype=int32, numpy=array([4, 6], dtype=int32)>
    """
    if not isinstance(inputs, list | tuple) or not inputs:
        raise ValueError("inputs must be a list of at least one Tensor with the same dtype and shape")
    tensors = [_operand(t) for t in inputs]
    dtype = tensors[0].dtype
    if any(t.dtype is not dtype for t in tensors):
        raise ValueError("inputs must be a list of at least one Tensor with the same dtype and shape")
    if tensor_dtype is not None and as_dtype(tensor_dtype) is not dtype:
        raise TypeError(f"The `tensor_dtype` argument is {as_dtype(tensor_dtype)}, but `input` is of type {dtype}.")
    wanted = None if shape is None else tuple(None if d is None else int(d) for d in shape)
    for t in tensors:
        wanted = merge_shapes(wanted, t._spec.shape)
    return add_n(tensors)
