"""Cases of `protocol/ops/linalg.py`.

The references are SciPy's decompositions, or solutions by the pseudo-inverse. Where a result is unique up to signs,
phases or order, a `canonical` function picks one.
"""

import numpy as np
import scipy.linalg

from protocol.ops import lookup
from tests.ops.case import array, case, layouts

LOOSE = 32


def each(decompose):
    """`decompose`, which takes one matrix, over the last two axes of each operand."""

    def run(*stacks, **options):
        batch = np.broadcast_shapes(*(s.shape[:-2] for s in stacks))
        stacks = [np.broadcast_to(s, batch + s.shape[-2:]) for s in stacks]
        found = [decompose(*(s[i] for s in stacks), **options) for i in np.ndindex(batch)]
        several = isinstance(found[0], tuple)
        parts = zip(*found, strict=True) if several else [found]
        stacked = tuple(np.reshape(np.stack(p), batch + np.shape(p[0])) for p in parts)
        return stacked if several else stacked[0]

    return run


def regular(*shape, dtype="float32", seed=""):
    """Well conditioned square matrices."""
    return array(*shape, dtype=dtype, seed=seed) + 4 * np.eye(shape[-1], dtype=dtype)


def definite(*shape, dtype="float32"):
    values = array(*shape, dtype=dtype)
    return values @ np.conj(np.swapaxes(values, -1, -2)) + np.eye(shape[-1], dtype=dtype)


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2))


def phase(x):
    return np.where(x == 0, 1, x / np.where(x == 0, 1, np.abs(x)))


def largest(x):
    """The element of largest size of each column, kept as a row."""
    return np.take_along_axis(x, np.abs(x).argmax(-2, keepdims=True), -2)


def qr_signs(q, r):
    """Positive diagonal of r; of the columns of q beyond r's square part, only the space that they span."""
    size = min(r.shape[-2:])
    turn = phase(np.diagonal(r, 0, -2, -1))[..., None, :]
    extra = q[..., size:]
    return q[..., :size] * turn, adjoint(turn) * r[..., :size, :], r[..., size:, :], extra @ adjoint(extra)


def svd_signs(s, u, v):
    size = s.shape[-1]
    turn = np.conj(phase(largest(u[..., :size]))) if size and u.shape[-2] else 1
    extras = (x[..., size:] @ adjoint(x[..., size:]) for x in (u, v))
    return s, u[..., :size] * turn, v[..., :size] * turn, *extras


def vector_signs(values, vectors):
    return values, vectors * np.conj(phase(largest(vectors))) if vectors.size else vectors


def in_order(values, *vectors):
    order = np.lexsort((values.imag.round(3), values.real.round(3)), axis=-1)
    values = np.take_along_axis(values, order, -1)
    sorted_vectors = [np.take_along_axis(v, order[..., None, :], -1) for v in vectors]
    return vector_signs(values, sorted_vectors[0]) if vectors else (values,)


def inverse(input, adjoint=False):
    found = np.linalg.pinv(input)
    return np.conj(np.swapaxes(found, -1, -2)) if adjoint else found


def solution(matrix, rhs, adjoint=False):
    return inverse(matrix, adjoint) @ rhs


def triangular_solution(matrix, rhs, lower=True, adjoint=False):
    return inverse(np.tril(matrix) if lower else np.triu(matrix), adjoint) @ rhs


def sign_and_log(input):
    product = np.prod(np.linalg.eigvals(input), axis=-1)
    product = product if np.iscomplexobj(input) else product.real
    return product / np.abs(product), np.log(np.abs(product)).astype(product.dtype)


def hermitian_eig(tensor, vectors=True):
    values = scipy.linalg.eigh(tensor)
    found = values[0].astype(tensor.dtype)
    return (found, values[1]) if vectors else found


def svd(tensor, full_matrices=False):
    u, s, vh = scipy.linalg.svd(tensor, full_matrices=full_matrices)
    return s, u, adjoint(vh)


def qr(input, full_matrices=False):
    return scipy.linalg.qr(input, mode="full" if full_matrices else "economic")


def eig_reference(tensor, vectors=True):
    return scipy.linalg.eig(tensor) if vectors else scipy.linalg.eigvals(tensor)


def rows(op, ref, make=regular, empty=None, **options):
    """The cases that every op of square matrices shares: dtypes, stacks, 1x1, strided."""

    def row(label, values, **more):
        return case(op, values, ref=each(ref), label=label, loose=LOOSE, **options, **more)

    return [
        *(row(t.name, make(2, 3, 3, dtype=t.numpy)) for t in lookup(op).types),
        row("matrix", make(5, 5)),
        row("one", make(1, 1)),
        row("deep", make(1, 2, 1, 3, 2, 2)),
        row("strided", layouts(make(3, 3))),
        *(
            case(op, np.zeros(s, "float32"), ref=empty, label="empty-" + "x".join(map(str, s)), **options)
            for s in EMPTY
            if empty
        ),
    ]


EMPTY = ((0, 0), (2, 0, 0), (0, 3, 3))


def vector_products(tf, *stacks):
    """The products of each column of one or two matrices with itself and with each other: no phases left."""
    return [tf.einsum("...ik,...jk->...kij", a, tf.math.conj(b)) for i, a in enumerate(stacks) for b in stacks[i:]]


def observed_vectors(tf, values, vectors):
    return (values, *vector_products(tf, vectors))


def observed_svd(tf, s, u, v):
    """Of the columns that belong to no singular value, each with itself."""
    size = s.shape[-1]
    extras = [p for x in (u, v) for p in vector_products(tf, x[..., size:])]
    return (s, *vector_products(tf, u[..., :size], v[..., :size]), *extras)


NAN = np.array([[np.nan, 1], [1, 2]], "float32")


def like_input(input, **attrs):
    return input


def solved(op, matrix, rhs, label, ref, **attrs):
    return case(op, matrix, rhs, ref=ref, label=label, loose=LOOSE, **attrs)


SOLVERS = [
    *rows("inv", inverse, empty=like_input),
    *(
        case("inv", regular(2, 3, 3, dtype=t), ref=inverse, label=f"adjoint-{t}", loose=LOOSE, adjoint=True)
        for t in ("float64", "complex64")
    ),
    *rows("det", lambda x: np.exp(sign_and_log(x)[1]) * sign_and_log(x)[0], empty=lambda x: np.prod(x, (-2, -1))),
    case("det", NAN, ref=lambda x: np.nan, label="nan", gradient=False),
    case("det", [[1.0, 2.0], [2.0, 4.0]], ref=lambda x: 0.0, label="singular", gradient=False),
    *rows("slogdet", sign_and_log, empty=lambda x: (np.ones(x.shape[:-2]), np.zeros(x.shape[:-2]))),
    case("slogdet", -np.eye(3), ref=lambda x: (-1.0, 0.0), label="negative"),
    case("slogdet", [[1.0, 2.0], [2.0, 4.0]], ref=lambda x: (0.0, -np.inf), label="singular", gradient=False),
    case("slogdet", NAN, ref=lambda x: (np.nan, np.nan), label="nan", gradient=False),
    *(
        solved("solve", regular(2, 3, 3, dtype=t), array(2, 3, 4, dtype=t), f"{t}-{a}", solution, adjoint=a)
        for t in ("float32", "float64", "complex64", "complex128")
        for a in (False, True)
    ),
    *(
        solved("solve", regular(*a), array(*b), label, solution)
        for label, a, b in (
            ("one", (1, 1), (1, 1)),
            ("deep", (1, 2, 1, 3, 2, 2), (1, 2, 1, 3, 2, 5)),
            ("no-columns", (2, 2), (2, 0)),
            ("no-batch", (0, 2, 2), (0, 2, 3)),
        )
    ),
    case("solve", np.zeros((0, 0)), np.zeros((0, 4)), ref=lambda a, b: b, label="empty"),
    solved("solve", layouts(regular(3, 3)), layouts(array(3, 2)), "strided", solution),
    case("solve", np.eye(2), [[np.nan], [1]], ref=lambda a, b: b * np.nan, label="nan-rhs", gradient=False),
    *(
        solved(
            "triangular_solve",
            regular(*a, dtype=t),
            array(*b, dtype=t),
            f"{t}-{len(a)}-{lower}-{adj}",
            triangular_solution,
            lower=lower,
            adjoint=adj,
        )
        for t in ("float32", "float64", "complex64", "complex128")
        for a, b in (((3, 3), (3, 4)), ((20, 3, 3), (20, 3, 2)))
        for lower in (True, False)
        for adj in (False, True)
    ),
    *(
        solved("triangular_solve", regular(*a), array(*b), label, triangular_solution)
        for label, a, b in (
            ("one", (1, 1), (1, 1)),
            ("broadcast", (2, 1, 3, 3), (4, 3, 2)),
            ("broadcast-rhs", (5, 2, 2), (2, 3)),
            ("deep", (1, 2, 1, 3, 2, 2), (1, 2, 1, 3, 2, 5)),
            ("no-columns", (2, 2), (2, 0)),
            ("no-batch", (0, 2, 2), (2, 3)),
        )
    ),
    case("triangular_solve", np.zeros((0, 0)), np.zeros((0, 4)), ref=lambda a, b: b, label="empty"),
    solved("triangular_solve", layouts(regular(3, 3)), layouts(array(3, 2)), "strided", triangular_solution),
    *(
        case(
            "triangular_solve",
            np.broadcast_to([[1.0, 0.0], [2.0, 0.0]], (n, 2, 2)),
            [[1.0], [1.0]],
            ref=lambda a, b: np.broadcast_to([[1.0], [-np.inf]], (len(a), 2, 1)),
            label=f"singular-{n}",
            gradient=False,
        )
        for n in (1, 20)
    ),
]


def refused(op, shape, full_matrices=False):
    """Whether TensorFlow has no gradient for matrices of that shape."""
    rows, columns = shape[-2:]
    return full_matrices and (rows > columns if op == "qr" else abs(rows - columns) > 1)


def tall_and_wide(op, ref, canonical, observe=None, **attrs):
    def row(label, values):
        return case(
            op,
            values,
            ref=each(ref),
            label=f"{label}{suffix}",
            loose=LOOSE,
            canonical=canonical,
            observe=observe,
            gradient=not refused(op, values.shape, **attrs),
            **attrs,
        )

    suffix = "-full" if attrs.get("full_matrices") else ""
    return [
        *(
            row(f"{t.name}-{r}x{c}", array(2, r, c, dtype=t))
            for t in lookup(op).types
            for r, c in ((4, 2), (2, 4), (3, 2), (2, 3), (3, 3))
        ),
        row("matrix", array(5, 3)),
        row("deep", array(1, 2, 1, 2, 3, 2)),
        row("strided", layouts(array(4, 3))),
    ]


def spanned(*shapes):
    """A reference for matrices without elements: the results' shapes, and the identity where a dim is full."""
    return lambda x, **attrs: tuple(np.eye(*s) if len(s) == 2 else np.zeros(s) for s in shapes)


def nan_then_diagonal(tensor):
    bad = np.full((2, 2), np.nan)
    return np.array([[np.nan, np.nan], [3, 2]]), np.stack([bad, np.eye(2)]), np.stack([bad, np.eye(2)])


DECOMPOSITIONS = [
    *rows("cholesky", lambda x: scipy.linalg.cholesky(x, lower=True), definite, empty=like_input, symmetric=True),
    case(
        "cholesky",
        [[4.0, 99.0], [2.0, 3.0]],
        ref=lambda x: np.array([[2, 0], [1, np.sqrt(2)]]),
        label="lower",
        symmetric=True,
    ),
    *tall_and_wide("qr", qr, qr_signs),
    *tall_and_wide("qr", qr, qr_signs, full_matrices=True),
    case("qr", np.zeros((0, 2)), ref=spanned((0, 0), (0, 2)), label="no-rows"),
    case("qr", np.zeros((2, 0)), ref=spanned((2, 0), (0, 0)), label="no-columns"),
    case(
        "qr", np.zeros((2, 0)), ref=spanned((2, 2), (2, 0)), label="no-columns-full", gradient=False, full_matrices=True
    ),
    case("qr", np.zeros((0, 3, 2)), ref=spanned((0, 3, 2), (0, 2, 2)), label="no-batch"),
    *tall_and_wide("svd", svd, svd_signs, observe=observed_svd),
    *tall_and_wide("svd", svd, svd_signs, observe=observed_svd, full_matrices=True),
    case("svd", np.zeros((0, 2)), ref=spanned((0,), (0, 0), (2, 0)), label="no-rows"),
    case(
        "svd",
        np.zeros((2, 0)),
        ref=spanned((0,), (2, 2), (0, 0)),
        label="no-columns-full",
        gradient=False,
        full_matrices=True,
    ),
    case("svd", np.zeros((0, 3, 2)), ref=spanned((0, 2), (0, 3, 2), (0, 2, 2)), label="no-batch"),
    *tall_and_wide("svdvals", lambda x: scipy.linalg.svdvals(x), None),
    case("svdvals", np.zeros((0, 2)), ref=lambda x: np.zeros(0), label="no-rows"),
    case("svdvals", np.zeros((0, 3, 2)), ref=lambda x: np.zeros((0, 2)), label="no-batch"),
    *(
        case(op, np.stack([NAN, np.diag([3.0, 2.0]).astype("float32")]), ref=ref, label="nan", gradient=False)
        for op, ref in (
            ("svdvals", lambda x: np.array([[np.nan, np.nan], [3, 2]])),
            ("svd", nan_then_diagonal),
        )
    ),
]


EIGEN = [
    *rows(
        "eigh",
        hermitian_eig,
        definite,
        canonical=vector_signs,
        observe=observed_vectors,
        empty=lambda x: (x.sum(-1), x),
    ),
    *rows("eigvalsh", lambda x: hermitian_eig(x, False), definite, empty=lambda x: x.sum(-1)),
    *rows("eig", eig_reference, canonical=in_order, observe=observed_vectors, empty=lambda x: (x.sum(-1), x)),
    *rows("eigvals", lambda x: eig_reference(x, False), canonical=in_order, empty=lambda x: x.sum(-1)),
    case(
        "eig",
        [[0.0, -1.0], [1.0, 0.0]],
        ref=eig_reference,
        label="rotation",
        canonical=in_order,
        observe=observed_vectors,
    ),
    case("eigvalsh", [[3.0, 99.0], [2.0, 4.0]], ref=lambda x: (7 + np.array([-1, 1]) * np.sqrt(17)) / 2, label="lower"),
]


def scaled(exponent, *shape, dtype="float64"):
    return array(*shape, dtype=dtype) * 10.0**exponent


EXPM = [
    *rows("expm", scipy.linalg.expm, lambda *s, dtype="float32": array(*s, dtype=dtype), empty=like_input),
    *(case("expm", scaled(e, 4, 4), ref=scipy.linalg.expm, label=f"scale-1e{e}", loose=200) for e in (-9, -2, 1)),
    case(
        "expm", np.array([[[0, 1], [0, 0]], [[0, 30], [-30, 0]]]) * 1.0, ref=scipy.linalg.expm, label="mixed", loose=200
    ),
    case("expm", np.zeros((3, 3), "float32"), ref=lambda x: np.eye(3), label="zero"),
    case(
        "expm",
        np.stack([NAN, np.zeros((2, 2), "float32")]),
        ref=lambda x: np.stack([np.full((2, 2), np.nan), np.eye(2)]),
        label="nan",
        gradient=False,
    ),
]

CASES = [*SOLVERS, *DECOMPOSITIONS, *EIGEN, *EXPM]
