"""Decompositions and solvers of each matrix in a stack: the last two axes are the matrix, the others a batch."""

from __future__ import annotations

from typing import Final

from protocol import dtypes
from protocol.errors import InvalidArgumentError
from protocol.ops.products import batch_dims
from protocol.ops.registry import op
from protocol.spec import Dim, Shape, Spec, format_shape, merge_shapes

TYPES: Final = (dtypes.float32, dtypes.float64, dtypes.complex64, dtypes.complex128)
_COMPLEX: Final = {dtypes.float32: dtypes.complex64, dtypes.float64: dtypes.complex128}


def _matrices(x: Spec) -> tuple[Dim, ...] | None:
    """The shape, refused when it has no two last dims."""
    if x.shape is not None and len(x.shape) < 2:
        raise InvalidArgumentError(f"Input tensor 0 must have rank >= 2, got {len(x.shape)}")
    return x.shape


def _square(x: Spec, text: str = "Input matrix must be square.") -> tuple[tuple[Dim, ...], Dim] | None:
    """The batch dims and the order of square matrices; `None` for an unknown rank."""
    shape = _matrices(x)
    if shape is None:
        return None
    rows, columns = shape[-2:]
    if rows is not None and columns is not None and rows != columns:
        raise InvalidArgumentError(text)
    return shape[:-2], columns if rows is None else rows


def _at_most(a: Dim, b: Dim) -> Dim:
    return None if a is None or b is None else min(a, b)


def _like_input(input: Spec) -> Spec:
    """Square matrices to square matrices."""
    found = _square(input)
    return input if found is None else Spec(input.dtype, (*found[0], found[1], found[1]))


def _inv(input: Spec, *, adjoint: bool = False) -> Spec:
    return _like_input(input)


def _det(input: Spec) -> Spec:
    found = _square(input)
    return Spec(input.dtype, None if found is None else found[0])


def _slogdet(input: Spec) -> tuple[Spec, Spec]:
    return _det(input), _det(input)


def _solve(matrix: Spec, rhs: Spec, *, adjoint: bool = False) -> Spec:
    found = _square(matrix, "First input (lhs) must be a square matrix.")
    shape = _matrices(rhs)
    if found is None or shape is None:
        return Spec(rhs.dtype, None if found is None and shape is None else _solution(found, shape))
    batch, order = found
    if len(batch) + 2 != len(shape):
        raise InvalidArgumentError("All input tensors must have the same rank.")
    try:
        batch = merge_shapes(batch, shape[:-2]) or ()
    except InvalidArgumentError:
        raise InvalidArgumentError("All input tensors must have the same outer dimensions.") from None
    if order is not None and shape[-2] is not None and order != shape[-2]:
        raise InvalidArgumentError("Input matrix and rhs are incompatible.")
    return Spec(rhs.dtype, _solution((batch, order), shape))


def _solution(found: tuple[tuple[Dim, ...], Dim] | None, rhs: Shape) -> Shape:
    """The solution's shape, from what is known of the matrices and of the right-hand sides."""
    if found is None:
        return rhs
    batch, order = found
    return (*batch, order if rhs is None or rhs[-2] is None else rhs[-2], None if rhs is None else rhs[-1])


def _triangular_solve(matrix: Spec, rhs: Spec, *, lower: bool = True, adjoint: bool = False) -> Spec:
    for i, shape in enumerate((matrix.shape, rhs.shape)):
        if shape is not None and len(shape) < 2:
            raise InvalidArgumentError(f"In[{i}] ndims must be >= 2: {len(shape)}")
    if matrix.shape is None:
        return Spec(rhs.dtype, None)
    rows, columns = matrix.shape[-2:]
    text = f"In[0] matrices in the last dimensions must be square ({columns} =/= {rows})"
    found = _square(matrix, text)
    if found is None or rhs.shape is None:
        return Spec(rhs.dtype, None)
    order = found[1]
    if order is not None and rhs.shape[-2] is not None and order != rhs.shape[-2]:
        shapes = f"{format_shape(matrix.shape)} {format_shape(rhs.shape)}"
        raise InvalidArgumentError(f"In[0] mismatch In[1] shape: {order} vs. {rhs.shape[-2]}: {shapes}")
    batch = batch_dims(matrix.shape, rhs.shape)
    return Spec(rhs.dtype, (*batch, order if rhs.shape[-2] is None else rhs.shape[-2], rhs.shape[-1]))


op(
    "inv",
    "input",
    infer=_inv,
    types=TYPES,
    public="linalg.inv",
    doc="The inverse of each matrix, or of its adjoint. InvalidArgumentError for a singular one.",
)
op("det", "input", infer=_det, types=TYPES, public="linalg.det", doc="The determinant of each matrix.")
op("slogdet", "input", infer=_slogdet, types=TYPES, doc="Sign and logarithm of the absolute value of the determinant.")
op(
    "solve",
    "matrix rhs",
    infer=_solve,
    types=TYPES,
    public="linalg.solve",
    doc="`x` such that `matrix @ x = rhs`, or `adjoint(matrix) @ x = rhs`; both have the same leading dims. "
    "InvalidArgumentError for a singular matrix.",
)
op(
    "triangular_solve",
    "matrix rhs",
    infer=_triangular_solve,
    types=TYPES,
    public="linalg.triangular_solve",
    doc="`x` such that `matrix @ x = rhs`, reading only the lower (or the upper) triangle of `matrix`; leading dims "
    "broadcast. A zero on the diagonal gives infinities or NaN.",
)


def _qr(input: Spec, *, full_matrices: bool = False) -> tuple[Spec, Spec]:
    shape = _matrices(input)
    if shape is None:
        return input, input
    rows, columns = shape[-2:]
    inner = rows if full_matrices else _at_most(rows, columns)
    return Spec(input.dtype, (*shape[:-2], rows, inner)), Spec(input.dtype, (*shape[:-2], inner, columns))


def _svdvals(tensor: Spec) -> Spec:
    shape = _matrices(tensor)
    return Spec(tensor.dtype.real_dtype, None if shape is None else (*shape[:-2], _at_most(*shape[-2:])))


def _svd(tensor: Spec, *, full_matrices: bool = False) -> tuple[Spec, Spec, Spec]:
    values = _svdvals(tensor)
    if tensor.shape is None or values.shape is None:
        return values, tensor, tensor
    *batch, rows, columns = tensor.shape
    inner = values.shape[-1]
    u, v = (Spec(tensor.dtype, (*batch, n, n if full_matrices else inner)) for n in (rows, columns))
    return values, u, v


def _eigvalsh(tensor: Spec) -> Spec:
    found = _square(tensor)
    return Spec(tensor.dtype, None if found is None else (*found[0], found[1]))


def _eigh(tensor: Spec) -> tuple[Spec, Spec]:
    return _eigvalsh(tensor), _like_input(tensor)


def _complex(x: Spec) -> Spec:
    return Spec(_COMPLEX.get(x.dtype, x.dtype), x.shape)


def _eigvals(tensor: Spec) -> Spec:
    return _complex(_eigvalsh(tensor))


def _eig(tensor: Spec) -> tuple[Spec, Spec]:
    return _complex(_eigvalsh(tensor)), _complex(_like_input(tensor))


op(
    "cholesky",
    "input",
    infer=_like_input,
    types=TYPES,
    public="linalg.cholesky",
    doc="The lower triangular `l` with `input = l @ adjoint(l)`. Reads the lower triangle only. "
    "InvalidArgumentError for a matrix that is not positive definite.",
)
op("qr", "input", infer=_qr, types=TYPES, doc="`q` with orthonormal columns and upper triangular `r`, `input = q @ r`.")
op("svd", "tensor", infer=_svd, types=TYPES, doc="`s`, `u`, `v` with `tensor = u @ diag(s) @ adjoint(v)`.")
op("svdvals", "tensor", infer=_svdvals, types=TYPES, doc="The singular values, in descending order.")
op(
    "eigh",
    "tensor",
    infer=_eigh,
    types=TYPES,
    public="linalg.eigh",
    doc="Eigenvalues in ascending order and, as columns, eigenvectors of self-adjoint matrices. "
    "Reads the lower triangle only.",
)
op(
    "eigvalsh",
    "tensor",
    infer=_eigvalsh,
    types=TYPES,
    public="linalg.eigvalsh",
    doc="Eigenvalues of self-adjoint matrices, in ascending order. Reads the lower triangle only.",
)
op(
    "eig",
    "tensor",
    infer=_eig,
    types=TYPES,
    public="linalg.eig",
    doc="Complex eigenvalues, in no particular order, and eigenvectors of length 1 as columns.",
)
op(
    "eigvals",
    "tensor",
    infer=_eigvals,
    types=TYPES,
    public="linalg.eigvals",
    doc="Complex eigenvalues, in no particular order.",
)
op(
    "expm",
    "input",
    infer=_like_input,
    types=TYPES,
    public="linalg.expm",
    doc="The matrix exponential, `sum(matrix**k / k!)`, by scaling, a Padé approximant and squaring.",
)
