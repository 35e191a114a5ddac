"""Products whose public face is more than an op's: matmul's casts, matvec, the forms of tensordot's axes, einsum."""

from __future__ import annotations

from typing import Any

import numpy as np

from client.api import public
from client.convert import convert_operands, convert_to_tensor, static_value
from client.dispatch import call
from client.tensor import Operand, Tensor
from protocol.dtypes import as_dtype
from protocol.ops import OPS


@public("matmul", "linalg.matmul")
def matmul(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    transpose_b: bool = False,
    adjoint_a: bool = False,
    adjoint_b: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    output_type: Any = None,
    grad_a: bool = False,
    grad_b: bool = False,
    name: str | None = None,
) -> Tensor:
    """The matrix product a @ b: result[..., i, j] = sum over k of a[..., i, k] * b[..., k, j].

    Args:
        a: a tensor of numbers of shape [..., n, k]; leading dims broadcast with b's.
        b: a tensor of the same dtype, of shape [..., k, m].
        transpose_a: multiply by the transpose of each matrix of `a`.
        transpose_b: the same for `b`.
        adjoint_a: multiply by the conjugate transpose of each matrix of `a`.
        adjoint_b: the same for `b`.
        a_is_sparse: ignored.
        b_is_sparse: ignored.
        output_type: the result's dtype, in which the product is computed; None: that of `a` and `b`.
        grad_a: ignored.
        grad_b: ignored.
        name: ignored.

    Returns:
        A tensor of shape [..., n, m]. Halves are summed in float32; integers wrap around.

    Raises:
        tf.errors.InvalidArgumentError: a rank below 2, or dims that don't fit.
        ValueError: a transpose and an adjoint of the same operand.

    >>> import client as tf
    >>> tf.matmul([[1, 2], [3, 4]], [[5], [6]])
    <tf.Tensor: shape=(2, 1), dtype=int32, numpy=
    array([[17],
           [39]], dtype=int32)>
    """
    if output_type is not None:
        wanted = as_dtype(output_type)
        a, b = (call("cast", convert_to_tensor(x), dtype=wanted) for x in (a, b))
    if not (transpose_a or transpose_b or adjoint_a or adjoint_b):
        return call("matmul", a, b)  # type: ignore[no-any-return]
    return call(  # type: ignore[no-any-return]
        "matmul",
        a,
        b,
        transpose_a=bool(transpose_a),
        transpose_b=bool(transpose_b),
        adjoint_a=bool(adjoint_a),
        adjoint_b=bool(adjoint_b),
    )


@public("linalg.matvec")
def matvec(
    a: Any,
    b: Any,
    transpose_a: bool = False,
    adjoint_a: bool = False,
    a_is_sparse: bool = False,
    b_is_sparse: bool = False,
    name: str | None = None,
) -> Tensor:
    """The product of matrices and vectors: result[..., i] = sum over k of a[..., i, k] * b[..., k].

    Args:
        a: a tensor of numbers of shape [..., n, k]; leading dims broadcast with b's.
        b: a tensor of the same dtype, of shape [..., k].
        transpose_a: multiply by the transpose of each matrix.
        adjoint_a: multiply by the conjugate transpose of each matrix.
        a_is_sparse: ignored.
        b_is_sparse: ignored.
        name: ignored.

    Returns:
        A tensor of shape [..., n].

    Raises:
        tf.errors.InvalidArgumentError: dims that don't fit.
        ValueError: both `transpose_a` and `adjoint_a`.

    >>> import client as tf
    >>> tf.linalg.matvec([[1, 2], [3, 4]], [5, 6])
    <tf.Tensor: shape=(2,), dtype=int32, numpy=array([17, 39], dtype=int32)>
    """
    a, b = convert_operands(OPS["matmul"], (a, b))
    columns = call("expand_dims", b, axis=-1)
    found = matmul(a, columns, transpose_a=transpose_a, adjoint_a=adjoint_a)
    return call("squeeze", found, axis=(-1,))  # type: ignore[no-any-return]


@public("tensordot", "linalg.tensordot")
def tensordot(a: Any, b: Any, axes: Any, name: str | None = None) -> Tensor:
    """Products of `a` and `b`, summed over pairs of axes. tensordot(a, b, 1) of matrices is their matrix product.

    Args:
        a: a tensor of numbers.
        b: a tensor of the same dtype.
        axes: a number n: the last n axes of `a` with the first n of `b`, in order; or two axes, or two lists of axes
            of the same length: those of `a` with those of `b`.
        name: ignored.

    Returns:
        A tensor with the other axes of `a`, then those of `b`.

    Raises:
        ValueError: `axes` of another form, or lists of different lengths.
        tf.errors.InvalidArgumentError: axes out of range or repeated, or dims that don't fit (a ValueError too).

    >>> import client as tf
    >>> tf.tensordot([[1, 2], [3, 4]], [[1, 0], [0, 1]], axes=2)
    <tf.Tensor: shape=(), dtype=int32, numpy=5>
    """
    a, b = convert_operands(OPS["tensordot"], (a, b))
    a_axes, b_axes = _contraction(axes, a)
    return call("tensordot", a, b, a_axes=a_axes, b_axes=b_axes)  # type: ignore[no-any-return]


def _contraction(axes: Any, a: Operand) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of each operand that `axes` pairs."""
    if isinstance(axes, Operand):
        axes = static_value(axes)
        if axes is None:
            raise ValueError("`axes` must be known here: a number, lists or a constant, not the result of an op.")
    if isinstance(axes, np.ndarray):
        axes = axes.tolist()
    if isinstance(axes, int | np.integer):
        if axes < 0:
            raise ValueError(f"`axes` must be at least 0. Received: {axes}.")
        rank = a._spec.rank
        if rank is not None and axes > rank:
            raise ValueError(
                f"`axes` must not be larger than the number of dimensions of tensor {a._spec}. "
                f"Received {axes}, vs tensor dimensions {rank}."
            )
        return tuple(range(-int(axes), 0)), tuple(range(axes))
    if not isinstance(axes, list | tuple) or len(axes) != 2:
        raise ValueError(f"`axes` must be an integer or have length 2. Received {axes}.")
    first, second = (tuple(int(i) for i in np.ravel(np.asarray(side, np.int64))) for side in axes)
    return first, second


@public("einsum", "linalg.einsum")
def einsum(equation: str, *inputs: Any, **kwargs: Any) -> Tensor:
    """Sums of products, with axes named by letters: "ij,jk->ik" is a matrix product, "ii" a trace.

    Args:
        equation: the labels of each input's axes, separated by commas, then "->" and the result's labels. Labels that
            the result lacks are summed over; one that an input repeats takes its diagonal; "..." stands for any number
            of axes, which broadcast. Without "->" the result has the axes of "...", then the labels that occur once,
            in order.
        *inputs: tensors of numbers, of one dtype, as many as the equation says.
        **kwargs: `optimize`, `greedy` and `name` are ignored: the order of contraction is always chosen by size.

    Returns:
        A tensor with the axes that the equation says.

    Raises:
        ValueError: a malformed equation, or another number of inputs.
        TypeError: another keyword argument.
        tf.errors.InvalidArgumentError: ranks or dims that don't fit (a ValueError too).

    >>> import client as tf
    >>> tf.einsum("ij,kj->ik", [[1, 2], [3, 4]], [[5, 6]])
    <tf.Tensor: shape=(2, 1), dtype=int32, numpy=
    array([[17],
           [39]], dtype=int32)>
    """
    unknown = sorted(kwargs.keys() - {"name", "optimize", "greedy"})
    if unknown:
        listed = ", ".join(unknown)
        raise TypeError(f"Invalid keyword arguments for einsum: {listed}. Valid arguments: name, optimize, greedy.")
    return call("einsum", *inputs, equation=equation)  # type: ignore[no-any-return]
