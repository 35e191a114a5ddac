"""Linear algebra composed of ops: named results, least squares, norms, the pseudo-inverse."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from client.api import public
from client.convert import convert_operands, convert_to_tensor
from client.dispatch import call
from client.ops.matrix_parts import diag_part, set_diag
from client.ops.products import matmul
from client.tensor import Operand, Tensor
from protocol.dtypes import int32
from protocol.ops import OPS
from protocol.spec import Dim, normalize_axis


class LogMatrixDeterminant(NamedTuple):
    """The result of `tf.linalg.slogdet`."""

    sign: Tensor
    log_abs_determinant: Tensor


class Qr(NamedTuple):
    """The result of `tf.linalg.qr`."""

    q: Tensor
    r: Tensor


@public("linalg.slogdet")
def slogdet(input: Any, name: str | None = None) -> LogMatrixDeterminant:
    """Sign and logarithm of the absolute value of the determinant: det = sign * exp(log_abs_determinant).

    Args:
        input: a tensor of float32, float64 or complex numbers, of shape [..., n, n].
        name: ignored.

    Returns:
        A named tuple (sign, log_abs_determinant) of tensors of shape [...] and of input's dtype. A singular matrix has
        the sign 0 and the logarithm -inf.

    Raises:
        tf.errors.InvalidArgumentError: matrices that are not square.

    >>> import client as tf
    >>> tf.linalg.slogdet([[-1.0, 0.0], [0.0, 1.0]]).sign
    <tf.Tensor: shape=(), dtype=float32, numpy=-1.0>
    """
    return LogMatrixDeterminant(*call("slogdet", input))


@public("linalg.logdet")
def logdet(matrix: Any, name: str | None = None) -> Tensor:
    """The logarithm of the determinant of positive definite matrices: 2 * sum(log(diag(cholesky(matrix)))).

    Args:
        matrix: a tensor of float32, float64 or complex numbers, of shape [..., n, n].
        name: ignored.

    Returns:
        A tensor of shape [...], real.

    Raises:
        tf.errors.InvalidArgumentError: matrices that are not square or, when they have been computed, not positive
        definite.

    >>> import client as tf
    >>> tf.linalg.logdet([[1.0, 0.0], [0.0, 1.0]])
    <tf.Tensor: shape=(), dtype=float32, numpy=0.0>
    """
    diagonal = diag_part(call("cholesky", matrix))
    if diagonal.dtype.is_complex:
        diagonal = call("real", diagonal)
    return call("multiply", call("reduce_sum", call("log", diagonal), axis=-1), 2)  # type: ignore[no-any-return]


@public("linalg.qr")
def qr(input: Any, full_matrices: bool = False, name: str | None = None) -> Qr:
    """The QR decomposition of each matrix: input = q @ r, q with orthonormal columns, r upper triangular.

    Args:
        input: a tensor of float32, float64 or complex numbers, of shape [..., m, n].
        full_matrices: make q square, [..., m, m], and r [..., m, n]; else they are [..., m, p] and [..., p, n], p =
            min(m, n).
        name: ignored.

    Returns:
        A named tuple (q, r).

    Raises:
        tf.errors.InvalidArgumentError: a rank below 2, or another dtype.

    >>> import client as tf
    >>> q, r = tf.linalg.qr([[3.0], [4.0]])
    >>> q.shape, r.shape
    (TensorShape([2, 1]), TensorShape([1, 1]))
    """
    return Qr(*call("qr", input, full_matrices=bool(full_matrices)))


@public("linalg.svd")
def svd(tensor: Any, full_matrices: bool = False, compute_uv: bool = True, name: str | None = None) -> Any:
    """The singular value decomposition of each matrix: tensor = u @ diag(s) @ adjoint(v).

    Args:
        tensor: a tensor of float32, float64 or complex numbers, of shape [..., m, n].
        full_matrices: make u and v square; else they have p = min(m, n) columns.
        compute_uv: give u and v too.
        name: ignored.

    Returns:
        s, u, v: the singular values, real, of shape [..., p], in descending order; the left singular vectors, of shape
        [..., m, p], and the right ones (not transposed, unlike NumPy's), of shape [..., n, p]. Without `compute_uv` s
        alone. A matrix with a NaN or an infinity gives NaN.

    Raises:
        tf.errors.InvalidArgumentError: a rank below 2, or another dtype.

    >>> import client as tf
    >>> tf.linalg.svd([[3.0, 0.0], [0.0, 4.0]], compute_uv=False)
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([4., 3.], dtype=float32)>
    """
    return call("svd", tensor, full_matrices=bool(full_matrices)) if compute_uv else call("svdvals", tensor)


@public("linalg.cholesky_solve")
def cholesky_solve(chol: Any, rhs: Any, name: str | None = None) -> Tensor:
    """`x` such that a @ x = rhs, from the Cholesky factor of a: chol @ adjoint(chol) @ x = rhs.

    Args:
        chol: lower triangular matrices, as `tf.linalg.cholesky` gives them, of shape [..., n, n].
        rhs: a tensor of the same dtype, of shape [..., n, m]; leading dims broadcast.
        name: ignored.

    Raises:
        tf.errors.InvalidArgumentError: dims that don't fit.

    >>> import client as tf
    >>> tf.linalg.cholesky_solve([[2.0]], [[8.0]])
    <tf.Tensor: shape=(1, 1), dtype=float32, numpy=array([[2.]], dtype=float32)>
    """
    chol, rhs = convert_operands(OPS["triangular_solve"], (chol, rhs))
    half = call("triangular_solve", chol, rhs)
    return call("triangular_solve", chol, half, adjoint=True)  # type: ignore[no-any-return]


def _last_dims(a: Operand) -> tuple[Dim, Dim]:
    """Rows and columns of the matrices of `a`, as far as they are known."""
    shape = a._spec.shape
    return (None, None) if shape is None or len(shape) < 2 else (shape[-2], shape[-1])


@public("linalg.lstsq")
def lstsq(matrix: Any, rhs: Any, l2_regularizer: Any = 0.0, fast: bool = True, name: str | None = None) -> Tensor:
    """The least squares solution of matrix @ x = rhs: it minimizes |matrix @ x - rhs|^2 + l2_regularizer * |x|^2.

    Of several solutions it is the one of the smallest norm.

    Args:
        matrix: a tensor of float32, float64 or complex numbers, of shape [..., m, n].
        rhs: a tensor of the same dtype, of shape [..., m, k].
        l2_regularizer: a scalar.
        fast: solve the normal equations: fast, accurate for well conditioned matrices of full rank; else by the
            singular value decomposition, ignoring `l2_regularizer`.
        name: ignored.

    Returns:
        A tensor of shape [..., n, k].

    Raises:
        tf.errors.InvalidArgumentError: dims that don't fit or, when it has been computed and `fast`, a rank below
        min(m, n).

    >>> import client as tf
    >>> tf.linalg.lstsq([[2.0], [0.0]], [[4.0], [3.0]])
    <tf.Tensor: shape=(1, 1), dtype=float32, numpy=array([[2.]], dtype=float32)>
    """
    matrix, rhs = convert_operands(OPS["solve"], (matrix, rhs))
    rows, columns = _last_dims(matrix)
    plain = not isinstance(l2_regularizer, Operand) and l2_regularizer == 0
    if not fast or (plain and (rows is None or columns is None)):
        return matmul(pinv(matrix), rhs)
    # With a regularizer, the equations of a tall matrix hold for a wide one too.
    wide = rows is not None and columns is not None and rows < columns
    projected = matmul(matrix, rhs, adjoint_a=True)  # first, as it refuses dims that don't fit
    gram = matmul(matrix, matrix, adjoint_a=not wide, adjoint_b=wide)
    if not plain:
        added = call("cast", convert_to_tensor(l2_regularizer), dtype=gram.dtype)
        gram = set_diag(gram, call("add", diag_part(gram), added))
    chol = call("cholesky", gram)
    if wide:
        return matmul(matrix, cholesky_solve(chol, rhs), adjoint_a=True)
    return cholesky_solve(chol, projected)


def _checked_matrix(value: Any) -> Operand:
    """`value` as a tensor, refused unless it holds matrices of floats or complex numbers."""
    a: Operand = value if isinstance(value, Operand) else convert_to_tensor(value)
    if not (a.dtype.is_floating or a.dtype.is_complex):
        raise TypeError(f"Input `a` must have `float`-like `dtype` (saw {a.dtype.name}).")
    if a._spec.rank is not None and a._spec.rank < 2:
        raise ValueError(f"Input `a` must have at least 2 dimensions (saw: {a._spec.rank}).")
    return a


def _rounding(a: Operand) -> Any:
    """What singular values of `a` are off by, relative to the largest: the larger dim times the dtype's epsilon."""
    real = a.dtype.real_dtype
    epsilon = float(np.finfo(real.as_numpy_dtype).eps)
    rows, columns = _last_dims(a)
    if rows is not None and columns is not None:
        return max(rows, columns) * epsilon
    larger = call("reduce_max", call("strided_slice", call("shape", a), begin=(-2,), end=(0,), end_mask=1))
    return call("multiply", call("cast", larger, dtype=real), epsilon)


@public("linalg.pinv")
def pinv(a: Any, rcond: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The Moore-Penrose pseudo-inverse of each matrix: v @ diag(1 / s) @ adjoint(u), without singular values near 0.

    Args:
        a: a tensor of float32, float64 or complex numbers, of shape [..., m, n].
        rcond: singular values up to `rcond` times the largest count as 0; a scalar or of shape [...]; None: 10 *
            max(m, n) * the dtype's epsilon.
        validate_args: ignored: arguments are always checked.
        name: ignored.

    Returns:
        A tensor of shape [..., n, m].

    Raises:
        TypeError: a dtype of integers.
        ValueError: a rank below 2.

    >>> import client as tf
    >>> tf.linalg.pinv([[2.0, 0.0], [0.0, 0.0]])
    <tf.Tensor: shape=(2, 2), dtype=float32, numpy=
    array([[0.5, 0. ],
           [0. , 0. ]], dtype=float32)>
    """
    a = _checked_matrix(a)
    s, u, v = call("svd", a)
    largest = call("reduce_max", s, axis=-1, keepdims=True)
    if rcond is None:
        cutoff = call("multiply", call("multiply", largest, _rounding(a)), 10)
    else:
        rcond = convert_to_tensor(rcond, dtype_hint=s.dtype)
        cutoff = call("multiply", largest, call("expand_dims", call("cast", rcond, dtype=s.dtype), axis=-1))
    # Dividing by infinity gives the zeros, and their gradients.
    s = call("select", call("greater", s, cutoff), s, math.inf)
    s = call("expand_dims", s, axis=-2)
    if v.dtype.is_complex:
        s = call("cast", s, dtype=v.dtype)
    return matmul(call("divide", v, s), u, adjoint_b=True)


@public("linalg.matrix_rank")
def matrix_rank(a: Any, tol: Any = None, validate_args: bool = False, name: str | None = None) -> Tensor:
    """The rank of each matrix: the number of singular values above a tolerance.

    Args:
        a: a tensor of float32, float64 or complex numbers, of shape [..., m, n].
        tol: the tolerance; None: the largest singular value * max(m, n) * the dtype's epsilon.
        validate_args: ignored: arguments are always checked.
        name: ignored.

    Returns:
        An int32 tensor of shape [...].

    Raises:
        TypeError: a dtype of integers.
        ValueError: a rank below 2.

    >>> import client as tf
    >>> tf.linalg.matrix_rank([[1.0, 2.0], [2.0, 4.0]])
    <tf.Tensor: shape=(), dtype=int32, numpy=1>
    """
    a = _checked_matrix(a)
    s = call("svdvals", a)
    if tol is None:
        tol = call("multiply", call("reduce_max", s, axis=-1, keepdims=True), _rounding(a))
    above = call("cast", call("greater", s, tol), dtype=int32)
    return call("reduce_sum", above, axis=-1)  # type: ignore[no-any-return]


@public("norm", "linalg.norm")
def norm(
    tensor: Any, ord: Any = "euclidean", axis: Any = None, keepdims: bool | None = None, name: str | None = None
) -> Tensor:
    """The norm of vectors or matrices: sum(|x|^p)^(1/p) of vectors for ord = p, the largest |x| for infinity.

    Of matrices: "euclidean" and "fro" are sqrt(sum(|x|^2)), 1 is the largest sum of a column's |x|, infinity the
    largest sum of a row's, 2 the largest singular value.

    Args:
        tensor: a tensor of floats or complex numbers.
        ord: "euclidean" (as 2, but of matrices as "fro"), "fro", a positive number, or infinity (`np.inf`).
        axis: an axis: norms of the vectors along it; two axes: norms of the matrices over them; None: the norm of all
            elements as one vector.
        keepdims: keep the axes as dims of 1.
        name: ignored.

    Raises:
        ValueError: another `ord` or `axis`.
        tf.errors.InvalidArgumentError: an axis out of range, or integers (but for 1 and infinity).

    >>> import client as tf
    >>> tf.norm([3.0, 4.0])
    <tf.Tensor: shape=(), dtype=float32, numpy=5.0>
    >>> tf.norm([[1.0, -2.0], [3.0, 4.0]], ord=1, axis=(0, 1))
    <tf.Tensor: shape=(), dtype=float32, numpy=6.0>
    """
    keep = bool(keepdims)
    tensor = tensor if isinstance(tensor, Operand) else convert_to_tensor(tensor)
    if isinstance(axis, list | tuple) and len(axis) == 2:
        return _matrix_norm(tensor, ord, tuple(axis), keep)
    if not (axis is None or isinstance(axis, int | np.integer)):
        raise ValueError(f"'axis' must be None, an integer, or a tuple of 2 unique integers, got {axis}")
    if ord != "euclidean" and (isinstance(ord, str) or not np.isreal(ord) or ord <= 0):
        raise ValueError(f"'ord' must be a supported vector norm, got {ord}")
    if ord in ("euclidean", 2):
        return _root_of_squares(tensor, axis, keep)
    sizes = call("abs", tensor)
    if ord == 1:
        return call("reduce_sum", sizes, axis=axis, keepdims=keep)  # type: ignore[no-any-return]
    if ord == math.inf:
        return call("reduce_max", sizes, axis=axis, keepdims=keep)  # type: ignore[no-any-return]
    powers = call("reduce_sum", call("pow", sizes, float(ord)), axis=axis, keepdims=keep)
    return call("pow", powers, 1.0 / ord)  # type: ignore[no-any-return]


def _root_of_squares(x: Operand, axis: Any, keepdims: bool) -> Tensor:
    if x.dtype.is_floating:
        return call("reduce_euclidean_norm", x, axis=axis, keepdims=keepdims)  # type: ignore[no-any-return]
    squares = call("multiply", x, call("conj", x)) if x.dtype.is_complex else call("square", x)
    return call("sqrt", call("reduce_sum", squares, axis=axis, keepdims=keepdims))  # type: ignore[no-any-return]


def _matrix_norm(x: Operand, ord: Any, axes: tuple[Any, ...], keepdims: bool) -> Tensor:
    if not all(isinstance(a, int | np.integer) for a in axes) or axes[0] == axes[1]:
        raise ValueError(f"'axis' must be None, an integer, or a tuple of 2 unique integers, got {axes}")
    supported = ["euclidean", "fro", 1, 2, math.inf]
    if ord not in supported:
        raise ValueError(f"'ord' must be a supported matrix norm in {supported}, got {ord}")
    if ord in ("euclidean", "fro"):
        return _root_of_squares(x, axes, keepdims)
    if ord == 2:
        return _largest_singular_value(x, axes, keepdims)
    # Summing along one axis leaves it as a dim of 1, over which the maximum changes nothing but removes it.
    sums = call("reduce_sum", call("abs", x), axis=axes[0 if ord == 1 else 1], keepdims=True)
    return call("reduce_max", sums, axis=axes, keepdims=keepdims)  # type: ignore[no-any-return]


def _largest_singular_value(x: Operand, axes: tuple[Any, ...], keepdims: bool) -> Tensor:
    rank = x._spec.rank
    if rank is None and sorted(axes) != [-2, -1]:
        raise ValueError(f"The rank of the tensor must be known for a norm over the axes {axes}.")
    places = sorted(axes if rank is None else (normalize_axis(int(a), rank) for a in axes))
    if rank is not None and places != [rank - 2, rank - 1]:
        x = call("transpose", x, perm=(*(i for i in range(rank) if i not in places), *places))
    found = call("reduce_max", call("svdvals", x), axis=-1)
    for place in places if keepdims else ():
        found = call("expand_dims", found, axis=place if place >= 0 else -1)
    return found  # type: ignore[no-any-return]


@public("linalg.normalize")
def normalize(tensor: Any, ord: Any = "euclidean", axis: Any = None, name: str | None = None) -> tuple[Tensor, Tensor]:
    """`tensor` divided by its norm, and the norm.

    Args:
        tensor: a tensor of floats or complex numbers.
        ord: as in `tf.norm`.
        axis: as in `tf.norm`.
        name: ignored.

    Returns:
        (normalized, norm); the norm keeps its axes as dims of 1. What has the norm 0 becomes NaN.

    Raises:
        ValueError: another `ord` or `axis`.

    >>> import client as tf
    >>> tf.linalg.normalize([3.0, 4.0])[0]
    <tf.Tensor: shape=(2,), dtype=float32, numpy=array([0.6, 0.8], dtype=float32)>
    """
    tensor = tensor if isinstance(tensor, Operand) else convert_to_tensor(tensor)
    size = norm(tensor, ord, axis, keepdims=True)
    if size.dtype is not tensor.dtype:
        size = call("cast", size, dtype=tensor.dtype)
    return call("divide", tensor, size), size
