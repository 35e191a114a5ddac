"""Kernels of decompositions and solvers; the matrix exponential.

LAPACK under NumPy reports what it could not do, if not always (a NaN may pass as a pivot); CuPy ignores cuSOLVER's
report. So results are checked as well, by `refuse`, which decides what that costs on a GPU.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from protocol.errors import InvalidArgumentError
from server.kernels.checks import refuse
from server.kernels.registry import kernel

_NOT_INVERTIBLE = "Input is not invertible."
_NO_SOLUTION = "Input matrix is not invertible."
_NOT_DEFINITE = "Cholesky decomposition was not successful. The input might not be valid."
_NO_EIGH = "Self-adjoint eigen decomposition was not successful. The input might not be valid."
_NO_EIG = "Eigen decomposition was not successful. The input might not be valid."


def _adjoint(xp: Any, x: Any) -> Any:
    return xp.swapaxes(xp.conj(x) if x.dtype.kind == "c" else x, -1, -2)


def _succeeding(text: str, run: Callable[..., Any]) -> Callable[..., Any]:
    """A kernel whose failures in LAPACK are InvalidArgumentError with `text`."""

    def inner(xp: Any, *arrays: Any, **attrs: Any) -> Any:
        try:
            return run(xp, *arrays, **attrs)
        except np.linalg.LinAlgError:
            raise InvalidArgumentError(text) from None

    return inner


def _inv(xp: Any, input: Any, *, adjoint: bool = False) -> Any:
    found = xp.linalg.inv(_adjoint(xp, input) if adjoint else input)
    refuse(xp, xp.isnan(found), _NOT_INVERTIBLE)
    return found


def _solve(xp: Any, matrix: Any, rhs: Any, *, adjoint: bool = False) -> Any:
    found = xp.linalg.solve(_adjoint(xp, matrix) if adjoint else matrix, rhs)
    refuse(xp, xp.isnan(matrix).any() | (xp.isnan(found).any() & xp.isfinite(rhs).all()), _NO_SOLUTION)
    return found


def _slogdet(xp: Any, input: Any) -> tuple[Any, Any]:
    sign, logarithm = xp.linalg.slogdet(input)
    sign = xp.where(xp.isnan(logarithm), logarithm, sign)
    return sign.astype(input.dtype), logarithm.astype(input.dtype)


def _cholesky(xp: Any, input: Any) -> Any:
    found = xp.linalg.cholesky(input)
    refuse(xp, ~(xp.diagonal(found, 0, -2, -1).real > 0), _NOT_DEFINITE)
    return found


def _qr(xp: Any, input: Any, *, full_matrices: bool = False) -> tuple[Any, Any]:
    return tuple(xp.linalg.qr(input, "complete" if full_matrices else "reduced"))


def _singular(xp: Any, x: Any, **options: bool) -> tuple[Any, ...]:
    """`xp.linalg.svd`, with NaN for each matrix that has a NaN or an infinity, where LAPACK does not converge."""

    def decompose(x: Any) -> tuple[Any, ...]:
        found = xp.linalg.svd(x, **options)
        return tuple(found) if isinstance(found, tuple) else (found,)

    try:
        return decompose(x)
    except np.linalg.LinAlgError:
        finite = xp.isfinite(x).all(axis=(-2, -1))
        found = decompose(xp.where(finite[..., None, None], x, x.dtype.type(0)))
        for part in found:
            part[~finite] = xp.nan
        return found


def _svd(xp: Any, tensor: Any, *, full_matrices: bool = False) -> tuple[Any, Any, Any]:
    u, s, vh = _singular(xp, tensor, full_matrices=full_matrices)
    return s, u, _adjoint(xp, vh)


def _svdvals(xp: Any, tensor: Any) -> Any:
    return _singular(xp, tensor, compute_uv=False)[0]


def _eigh(xp: Any, tensor: Any) -> tuple[Any, Any]:
    values, vectors = xp.linalg.eigh(tensor)
    refuse(xp, xp.isnan(vectors), _NO_EIGH)
    return values.astype(tensor.dtype), vectors


def _eigvalsh(xp: Any, tensor: Any) -> Any:
    refuse(xp, xp.isnan(tensor), _NO_EIGH)
    return xp.linalg.eigvalsh(tensor).astype(tensor.dtype)


def _complex(xp: Any, x: Any) -> Any:
    return x.astype("complex64" if x.dtype.name in ("float32", "complex64") else "complex128", copy=False)


def _eig(xp: Any, tensor: Any) -> tuple[Any, Any]:
    values, vectors = xp.linalg.eig(tensor)
    return _complex(xp, values), _complex(xp, vectors)


def _eigvals(xp: Any, tensor: Any) -> Any:
    return _complex(xp, xp.linalg.eigvals(tensor))


def _triangular_solve(xp: Any, matrix: Any, rhs: Any, *, lower: bool = True, adjoint: bool = False) -> Any:
    batch = np.broadcast_shapes(matrix.shape[:-2], rhs.shape[:-2])
    matrix = xp.broadcast_to(matrix, batch + matrix.shape[-2:])
    rhs = xp.broadcast_to(rhs, batch + rhs.shape[-2:])
    if not rhs.size:
        return rhs
    if xp is not np:
        from cupyx.scipy.linalg import solve_triangular

        return solve_triangular(matrix, rhs, trans="C" if adjoint else "N", lower=lower)
    if math.prod(batch) > 4 * matrix.shape[-1]:
        return _substituted(_adjoint(xp, matrix) if adjoint else matrix, rhs, lower != adjoint)
    return _library_solved(matrix, rhs, lower, adjoint)


def _library_solved(matrix: Any, rhs: Any, lower: bool, adjoint: bool) -> Any:
    """One BLAS call a matrix."""
    from scipy.linalg.blas import get_blas_funcs

    trsm = get_blas_funcs("trsm", dtype=rhs.dtype)
    found = np.empty(rhs.shape, rhs.dtype)
    for index in np.ndindex(rhs.shape[:-2]):
        found[index] = trsm(1, matrix[index], rhs[index], lower=lower, trans_a=2 if adjoint else 0)
    return found


def _substituted(matrix: Any, rhs: Any, lower: bool) -> Any:
    """Substitution row by row, for all matrices of the batch at once: what many small ones want."""
    order = rhs.shape[-2]
    found = np.empty(rhs.shape, rhs.dtype)
    for i in range(order) if lower else reversed(range(order)):
        done = slice(0, i) if lower else slice(i + 1, order)
        row = rhs[..., i : i + 1, :] - matrix[..., i : i + 1, done] @ found[..., done, :]
        found[..., i : i + 1, :] = row / matrix[..., i : i + 1, i : i + 1]
    return found


@cache
def _pade(order: int) -> tuple[float, ...]:
    """The coefficients of the numerator of the diagonal Padé approximant of the exponential, the lowest power first."""
    factorial = math.factorial
    total = factorial(2 * order)
    return tuple(
        factorial(2 * order - j) * factorial(order) / (total * factorial(order - j) * factorial(j))
        for j in range(order + 1)
    )


# By the bytes of a real number: the approximant's order, and the norm up to which it is exact in that precision
# (Higham, "The scaling and squaring method for the matrix exponential revisited", 2005).
_PADE = {4: (7, 3.925724783138660), 8: (13, 5.371920351148152)}


def _expm(xp: Any, input: Any) -> Any:
    if not input.size:
        return input
    order, bound = _PADE[input.real.dtype.itemsize]
    norm = abs(input).sum(axis=-2).max(axis=-1)
    # A matrix with a NaN or an infinity is NaN throughout, as in TensorFlow.
    finite = xp.isfinite(norm)
    halvings = xp.ceil(xp.log2(xp.where(finite & (norm > bound), norm, bound) / bound))
    scale = xp.where(finite, 2.0**-halvings, xp.nan).astype(norm.dtype)
    found = _exp_of_small(xp, input * scale[..., None, None], _pade(order))
    for i in range(int(halvings.max())):  # on a GPU, this waits
        found = xp.where((halvings > i)[..., None, None], found @ found, found)
    return found


def _exp_of_small(xp: Any, x: Any, c: tuple[float, ...]) -> Any:
    """The Padé approximant of the exponential: (even - odd)^-1 (even + odd), with c's even and odd powers of x."""
    eye = xp.eye(x.shape[-1], dtype=x.dtype)
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x4 @ x2
    even = c[6] * x6 + c[4] * x4 + c[2] * x2 + c[0] * eye
    odd = c[7] * x6 + c[5] * x4 + c[3] * x2 + c[1] * eye
    if len(c) > 8:
        even = even + x6 @ (c[12] * x6 + c[10] * x4 + c[8] * x2)
        odd = odd + x6 @ (c[13] * x6 + c[11] * x4 + c[9] * x2)
    odd = x @ odd
    return xp.linalg.solve(even - odd, even + odd)


kernel("inv", _succeeding(_NOT_INVERTIBLE, _inv))
kernel("det", lambda xp, input: xp.linalg.det(input))
kernel("slogdet", _slogdet)
kernel("solve", _succeeding(_NO_SOLUTION, _solve))
kernel("triangular_solve", _triangular_solve)
kernel("cholesky", _succeeding(_NOT_DEFINITE, _cholesky))
kernel("qr", _qr)
kernel("svd", _svd)
kernel("svdvals", _svdvals)
kernel("eigh", _succeeding(_NO_EIGH, _eigh))
kernel("eigvalsh", _succeeding(_NO_EIGH, _eigvalsh))
kernel("eig", _succeeding(_NO_EIG, _eig))
kernel("eigvals", _succeeding(_NO_EIG, _eigvals))
kernel("expm", _expm)
