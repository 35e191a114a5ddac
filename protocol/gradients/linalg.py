"""Gradients of decompositions and solvers.

As in TensorFlow, eigenvectors and singular vectors have the gradient that is right for functions which don't depend on
their signs or phases, and the difference of equal eigenvalues or singular values counts as infinite rather than as 0.
"""

from __future__ import annotations

from protocol.gradients.elementwise import real_part
from protocol.gradients.registry import vjp, vjp_joint
from protocol.gradients.terms import Shape, Term, cast, conj, ops, rank, run, size, to_shape, zeros_like
from protocol.spec import Spec

# --- short names -----------------------------------------------------------------------------------------------------


def _matmul(a: Term, b: Term) -> Term:
    return ops.matmul(a, b)


def _adjoint_times(a: Term, b: Term) -> Term:
    return ops.matmul(a, b, adjoint_a=True)


def _times_adjoint(a: Term, b: Term) -> Term:
    return ops.matmul(a, b, adjoint_b=True)


def _adjoint(x: Term) -> Term:
    return ops.matrix_transpose(x, conjugate=True) if x.spec.dtype.is_complex else ops.matrix_transpose(x)


def _lower(x: Term) -> Term:
    return ops.band_part(x, num_lower=-1, num_upper=0)


def _diagonal(x: Term) -> Term:
    return ops.matrix_diag_part(x)


def _row(x: Term) -> Term:
    """Vectors as rows: multiplies the columns of a matrix."""
    return ops.expand_dims(x, axis=-2)


def _column(x: Term) -> Term:
    return ops.expand_dims(x, axis=-1)


def _safe_reciprocal(x: Term) -> Term:
    """1 / x, but 0 at 0."""
    return x / (x * x + 1e-20)


def _gaps(values: Term) -> Term:
    """1 / (values[j] - values[i]), and 0 on the diagonal, whatever the derivative there."""
    return ops.matrix_set_diag(_safe_reciprocal(_row(values) - _column(values)), zeros_like(values))


# --- inverses, determinants, solvers ---------------------------------------------------------------------------------


def _inv(g: Term, out: Term, *, adjoint: bool) -> Term:
    if adjoint:
        return -_matmul(out, _adjoint_times(g, out))
    return -_adjoint_times(out, _times_adjoint(g, out))


def _factors(x: Term) -> Term:
    """Numbers, one for each matrix."""
    return _column(_column(x))


def _det(g: Term, input: Term, out: Term) -> Term:
    return _factors(g * conj(out)) * ops.inv(input, adjoint=True)


def _slogdet(given: tuple[Term | None, Term | None], input: Term, outs: tuple[Term, Term]) -> Term:
    """The sign is constant for real matrices; that of complex ones turns."""
    inverse = ops.inv(input, adjoint=True)
    of_sign, of_log = given
    factor = None if of_log is None else real_part(of_log)
    if factor is None or input.spec.dtype.is_complex:
        turning = _turning(of_sign, outs[0]) if of_sign is not None else zeros_like(outs[0])
        factor = turning if factor is None else factor + turning
    return _factors(factor) * inverse


def _turning(g: Term, sign: Term) -> Term:
    """The part of the gradient of a complex number of length 1 that moves along the circle."""
    if not g.spec.dtype.is_complex:
        return zeros_like(g)
    turned = g * conj(sign)
    return turned - real_part(turned)


def _solve(g: Term, matrix: Term, out: Term, *, adjoint: bool) -> tuple[Term, Term]:
    of_rhs = ops.solve(matrix, g, adjoint=not adjoint)
    return -_outer(of_rhs, out, adjoint), of_rhs


def _outer(of_rhs: Term, out: Term, adjoint: bool) -> Term:
    return _times_adjoint(out, of_rhs) if adjoint else _times_adjoint(of_rhs, out)


def _triangular_solve(
    g: Term, matrix: Term, out: Term, matrix_shape: Shape, rhs_shape: Shape, *, lower: bool, adjoint: bool
) -> tuple[Term, Term]:
    of_rhs = ops.triangular_solve(matrix, g, lower=lower, adjoint=not adjoint)
    full = _outer(of_rhs, out, adjoint)
    sides = {"num_lower": -1, "num_upper": 0} if lower else {"num_lower": 0, "num_upper": -1}
    return to_shape(-ops.band_part(full, **sides), matrix_shape), to_shape(of_rhs, rhs_shape)


vjp("inv", input=_inv)
vjp("det", input=_det)
vjp("slogdet", input=_slogdet)
vjp_joint("solve", "matrix rhs", _solve)
vjp_joint("triangular_solve", "matrix rhs", _triangular_solve)


# --- decompositions --------------------------------------------------------------------------------------------------


def _halved_diagonal(x: Term) -> Term:
    return ops.matrix_set_diag(x, _diagonal(x) * 0.5)


def _cholesky(g: Term, out: Term) -> Term:
    """Self-adjoint, though only the lower triangle is read."""
    middle = _lower(_halved_diagonal(_adjoint_times(out, g)))
    found = ops.triangular_solve(out, middle, lower=True, adjoint=True)  # L^-H middle L^-1
    found = _adjoint(ops.triangular_solve(out, _adjoint(found), lower=True, adjoint=True))
    return (found + _adjoint(found)) * 0.5


def _eigh(given: tuple[Term | None, Term | None], outs: tuple[Term, Term]) -> Term:
    return _of_eigh(given[0], given[1], *outs)


def _eigvalsh(g: Term, tensor: Term) -> Term:
    values, vectors = run("eigh", tensor)
    return _of_eigh(g, None, values, vectors)


def _of_eigh(of_values: Term | None, of_vectors: Term | None, values: Term, vectors: Term) -> Term:
    """In the lower triangle, which is what is read."""
    if of_vectors is None:
        assert of_values is not None
        found = _times_adjoint(vectors * _row(of_values), vectors)
    else:
        middle = _gaps(values) * _adjoint_times(vectors, of_vectors)
        if of_values is not None:
            middle = ops.matrix_set_diag(middle, of_values)
        found = _matmul(vectors, _times_adjoint(middle, vectors))
    return _halved_diagonal(_lower(found + _adjoint(found)))


def _eig(given: tuple[Term | None, Term | None], outs: tuple[Term, Term], tensor_spec: Spec) -> Term:
    return _of_eig(given[0], given[1], *outs, tensor_spec)


def _eigvals(g: Term, tensor: Term, tensor_spec: Spec) -> Term:
    values, vectors = run("eig", tensor)
    return _of_eig(g, None, values, vectors, tensor_spec)


def _of_eig(of_values: Term | None, of_vectors: Term | None, values: Term, vectors: Term, like: Spec) -> Term:
    """The eigenvectors keep the length 1. For a real matrix, the real part."""
    if of_vectors is None:
        assert of_values is not None
        middle = _column(of_values) * _adjoint(vectors)
    else:
        turned = _adjoint_times(vectors, of_vectors)
        along = _row(cast(ops.real(_diagonal(turned)), turned.spec.dtype))
        inner = conj(_gaps(values)) * (turned - _adjoint_times(vectors, vectors) * along)
        if of_values is not None:
            inner = ops.matrix_set_diag(inner, of_values)
        middle = _times_adjoint(inner, vectors)
    return cast(ops.solve(vectors, middle, adjoint=True), like.dtype)


vjp("cholesky", input=_cholesky)
vjp("eigh", tensor=_eigh)
vjp("eigvalsh", tensor=_eigvalsh)
vjp("eig", tensor=_eig)
vjp("eigvals", tensor=_eigvals)


def _columns(x: Term, begin: int, end: int) -> Term:
    """`x[..., begin:end]`."""
    others = rank(x) - 1
    masked = (1 << others) - 1
    bounds = (0,) * others
    return ops.strided_slice(
        x, begin=(*bounds, begin), end=(*bounds, end), strides=(1,) * (others + 1), begin_mask=masked, end_mask=masked
    )


def _qr(gs: tuple[Term, Term], outs: tuple[Term, Term], input: Term) -> Term:
    """A wide matrix is [x, y] with a square x: q and the left part of r are the decomposition of x, and r = [u, q^H y].

    Roberts and Roberts, "QR and LQ decomposition matrix backpropagation algorithms", 2020.
    """
    (of_q, of_r), (q, r) = gs, outs
    rows, columns = size(input, -2), size(input, -1)
    if rows > columns and size(q, -1) == rows:
        raise NotImplementedError(
            "QrGrad not implemented when nrows > ncols and full_matrices is true. "
            f"Received r.shape={r.spec} with nrows={rows} and ncols={columns}."
        )
    if rows >= columns:
        return _tall_qr(q, r, of_q, of_r)
    of_u, of_v = _columns(of_r, 0, rows), _columns(of_r, rows, columns)
    of_q = of_q + _times_adjoint(_columns(input, rows, columns), of_v)
    return ops.concat(_tall_qr(q, _columns(r, 0, rows), of_q, of_u), _matmul(q, of_v), axis=-1)


def _tall_qr(q: Term, r: Term, of_q: Term, of_r: Term) -> Term:
    """(of_q + q M) r^-H, with M the self-adjoint matrix that has the lower triangle of r of_r^H - of_q^H q."""
    lower = _lower(_times_adjoint(r, of_r) - _adjoint_times(of_q, q))
    found = of_q + _matmul(q, _halved_diagonal(lower + _adjoint(lower)))
    return _adjoint(ops.triangular_solve(r, _adjoint(found), lower=False))


vjp("qr", input=_qr)


def _svd(given: tuple[Term | None, ...], outs: tuple[Term, Term, Term], *, full_matrices: bool) -> Term:
    """For tensor = u s v^H, with only the first columns of u and v where there are more.

    Townsend, "Differentiating the singular value decomposition", 2016; the last term, of complex matrices, is for
    phases that u and v share.
    """
    of_s, of_u, of_v = given
    s, u, v = outs
    rows, columns = size(u, -2), size(v, -2)
    if full_matrices and abs(rows - columns) > 1:
        raise NotImplementedError(
            "svd gradient is not implemented for abs(m - n) > 1 when full_matrices is True. "
            f"Received: m={rows} and n={columns}"
        )
    if of_u is None and of_v is None:
        assert of_s is not None
        number = min(rows, columns)
        u, v = (x if size(x, -1) == number else _columns(x, 0, number) for x in (u, v))
        return _of_svdvals(of_s, u, v)
    u, of_u = _first_columns(u, of_u, columns)
    v, of_v = _first_columns(v, of_v, rows)
    dtype = u.spec.dtype
    gaps = cast(_gaps(ops.square(s)), dtype)
    s = cast(s, dtype)
    turning_u, turning_v = (_adjoint_times(x, of_x) for x, of_x in ((u, of_u), (v, of_v)))
    left, right = (gaps * turning for turning in (turning_u, turning_v))
    inner = (left + _adjoint(left)) * _row(s) + (right + _adjoint(right)) * _column(s)
    inverse = _safe_reciprocal(s)
    if dtype.is_complex:
        phases = _diagonal(turning_v)
        inner = ops.matrix_set_diag(inner, (real_part(phases) - phases) * inverse)
    if of_s is not None:
        inner = inner + ops.matrix_diag(cast(of_s, dtype))
    found = _times_adjoint(_matmul(u, inner), v)
    if rows > columns:
        found = found + _times_adjoint((of_u - _matmul(u, turning_u)) * _row(inverse), v)
    if columns > rows:
        found = found + _times_adjoint(u * _row(inverse), of_v - _matmul(v, turning_v))
    return found


def _first_columns(x: Term, of_x: Term | None, other: int) -> tuple[Term, Term]:
    """x and its gradient in the columns that stand for singular values.

    The further columns span what those leave, so that they turn when those do.
    """
    of_x = zeros_like(x) if of_x is None else of_x
    columns = size(x, -1)
    if columns <= other:
        return x, of_x
    first, rest = _columns(x, 0, other), _columns(x, other, columns)
    of_first, of_rest = _columns(of_x, 0, other), _columns(of_x, other, columns)
    return first, of_first - _matmul(rest, _adjoint_times(of_rest, first))


def _of_svdvals(of_s: Term, u: Term, v: Term) -> Term:
    return _times_adjoint(u * _row(cast(of_s, u.spec.dtype)), v)


def _svdvals(g: Term, tensor: Term) -> Term:
    _, u, v = run("svd", tensor)
    return _of_svdvals(g, u, v)


vjp("svd", tensor=_svd)
vjp("svdvals", tensor=_svdvals)


def _expm(g: Term, input: Term) -> Term:
    """exp([[x, g], [0, x]]) has at the top right the derivative of exp at x along g; with x^H that is the gradient.

    Mathias, "A chain rule for matrix functions and applications", 1996.
    """
    x = _adjoint(input)
    top, bottom = ops.concat(x, g, axis=-1), ops.concat(zeros_like(x), x, axis=-1)
    whole = ops.expm(ops.concat(top, bottom, axis=-2))
    upper, _ = run("split", whole, num_or_size_splits=2, axis=-2)
    _, right = run("split", upper, num_or_size_splits=2, axis=-1)
    found: Term = right
    return found


vjp("expm", input=_expm)
