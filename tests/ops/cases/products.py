"""Cases of `protocol/ops/products.py`. The references are NumPy's einsum and cross, which the kernels don't use."""

import numpy as np

from protocol.dtypes import FLOATS, INTS
from protocol.ops import lookup
from tests.ops.case import array, case, layouts


def matmul(a, b, transpose_a=False, transpose_b=False, adjoint_a=False, adjoint_b=False):
    a, b = np.conj(a) if adjoint_a else a, np.conj(b) if adjoint_b else b
    left = "...ji" if transpose_a or adjoint_a else "...ij"
    right = "...kj" if transpose_b or adjoint_b else "...jk"
    return np.einsum(f"{left},{right}->...ik", a, b)


def tensordot(a, b, a_axes, b_axes):
    labels_a, labels_b = list(range(a.ndim)), list(range(a.ndim, a.ndim + b.ndim))
    for i, j in zip(a_axes, b_axes, strict=True):
        labels_b[j] = labels_a[i]
    free = [m for m in labels_a + labels_b if (m in labels_a) != (m in labels_b)]
    return np.einsum(a, labels_a, b, labels_b, free)


def einsum(*inputs, equation):
    return np.einsum(equation, *inputs)


def pair(op, shape_a, shape_b, ref, label, dtype="float32", **attrs):
    a, b = array(*shape_a, dtype=dtype, seed="a"), array(*shape_b, dtype=dtype, seed="b")
    return case(op, a, b, ref=ref, label=label, loose=8, **attrs)


def summed(equation, *shapes, label="", dtype="float32"):
    inputs = [array(*s, dtype=dtype, seed=str(i)) for i, s in enumerate(shapes)]
    return case("einsum", *inputs, ref=einsum, label=label or equation.replace(" ", ""), loose=8, equation=equation)


def big_integers(dtype):
    """Products and sums that wrap, and that float64 could not hold."""
    values = np.iinfo(dtype).max - np.arange(12).reshape(3, 4).astype(dtype)
    return case("matmul", values, values, ref=matmul, label=f"wraps-{dtype}", transpose_b=True)


def many_integers(dtype, factor):
    """Enough of them for another way than NumPy's, with and without sums beyond what float64 holds."""
    values = (np.arange(1200).reshape(30, 40) * factor).astype(dtype)
    return case("matmul", values, values, ref=matmul, label=f"many-{dtype}-{factor}", transpose_b=True)


SPECIAL = np.array([[np.nan, 1, 0], [np.inf, 2, 1], [0, 3, -np.inf]], "float32")

MATMUL = [
    *(pair("matmul", (2, 3), (3, 4), matmul, t.name, t) for t in lookup("matmul").types),
    *(
        pair("matmul", a, b, matmul, f"{dtype}-{left}-{right}", dtype, **{left: True, right: True})
        for dtype in ("float32", "complex64")
        for left, a in (("transpose_a", (5, 3, 2)), ("adjoint_a", (5, 3, 2)))
        for right, b in (("transpose_b", (5, 4, 3)), ("adjoint_b", (5, 4, 3)))
    ),
    *(
        pair("matmul", a, b, matmul, label)
        for label, a, b in (
            ("stack", (5, 2, 3), (5, 3, 4)),
            ("stack-matrix", (5, 6, 2, 3), (3, 4)),
            ("matrix-stack", (2, 3), (5, 3, 4)),
            ("broadcast", (5, 1, 2, 3), (6, 3, 4)),
            ("deep", (1, 2, 1, 3, 2, 3), (2, 1, 2, 1, 3, 4)),
            ("empty-inner", (2, 0), (0, 3)),
            ("empty-inner-stack", (4, 2, 0), (0, 3)),
            ("empty-rows", (0, 2), (2, 3)),
            ("empty-stack", (0, 2, 3), (3, 4)),
            ("vectors", (1, 7), (7, 1)),
        )
    ),
    pair("matmul", (4, 3, 2), (4, 3), matmul, "half-transposed", "bfloat16", transpose_a=True, transpose_b=True),
    case("matmul", layouts(array(4, 3)), layouts(array(3, 5)), ref=matmul, label="strided", loose=8),
    case("matmul", layouts(array(2, 4, 3)), layouts(array(3, 5)), ref=matmul, label="strided-stack", loose=8),
    case("matmul", SPECIAL, np.eye(3, dtype="float32"), ref=np.matmul, label="special", gradient=False),
    *map(big_integers, ("int8", "int32", "int64", "uint64")),
    *(many_integers(t, f) for t in ("int8", "uint16", "int32", "int64", "uint64") for f in (1, 2**15 - 1, -(2**40))),
]

TENSORDOT = [
    *(
        pair("tensordot", (2, 3, 4), (4, 3, 5), tensordot, t.name, t, a_axes=(1, 2), b_axes=(1, 0))
        for t in lookup("tensordot").types
    ),
    *(
        pair("tensordot", a, b, tensordot, label, a_axes=x, b_axes=y)
        for label, a, b, x, y in (
            ("outer", (2, 3), (4,), (), ()),
            ("all", (2, 3), (3, 2), (0, 1), (1, 0)),
            ("negative", (2, 3), (3, 4), (-1,), (0,)),
            ("scalars", (), (), (), ()),
            ("scalar", (), (2, 3), (), ()),
            ("empty", (2, 0), (0, 3), (1,), (0,)),
            ("no-elements", (0, 2), (2, 3), (1,), (0,)),
            ("deep", (2, 1, 3, 2, 2), (3, 2, 1, 2), (4, 2), (1, 0)),
        )
    ),
    case("tensordot", layouts(array(4, 3)), array(3, 2), ref=tensordot, label="strided", a_axes=(1,), b_axes=(0,)),
]

EINSUM = [
    *(summed("bij,bjk->bik", (2, 3, 4), (2, 4, 5), label=t.name, dtype=t) for t in lookup("einsum").types),
    *(summed("...iji,kj->k...", (2, 3, 4, 3), (5, 4), label=f"mixed-{t}", dtype=t) for t in ("float16", "int32")),
    summed("ij,jk", (2, 3), (3, 5)),
    summed("ji", (2, 3)),
    summed("ba...", (2, 3, 4)),
    summed("aB,Bc", (2, 3), (3, 4)),
    summed(" i j , j k -> k i ", (2, 3), (3, 4)),
    summed("ii", (3, 3)),
    summed("ii->i", (3, 3)),
    summed("iji->j", (3, 2, 3)),
    summed("iiji->ji", (3, 3, 2, 3)),
    summed("ii,i->i", (3, 3), (3,)),
    summed("iij,i->", (3, 3, 2), (3,)),
    summed("ij->", (2, 3)),
    summed("i...->...", (2, 3, 4)),
    summed("...", (2, 3)),
    summed("->", (), label="scalar"),
    summed("i,->i", (3,), ()),
    summed("i,i->i", (3,), (3,)),
    summed("i,i->", (3,), (3,)),
    summed("i,j->ji", (3,), (4,)),
    summed("ij,kl->", (2, 3), (4, 5)),
    summed("ij,jk->ik", (2, 0), (0, 3), label="empty-inner"),
    summed("ij,jk->ik", (0, 2), (2, 3), label="empty-rows"),
    summed("...ij,...jk->...ik", (1, 7, 2, 3), (5, 1, 3, 4)),
    summed("...ij,jk", (1, 7, 2, 3), (3, 4)),
    summed("i...,...i->...", (3, 4, 1), (2, 4, 5, 3)),
    summed("...,...->...", (2, 1, 3), (4, 1)),
    summed("...a,...a->...", (2, 1, 3), (3,)),
    summed("i->...i", (2,)),
    summed("bqhd,bkhd->bhqk", (2, 3, 2, 4), (2, 5, 2, 4)),
    summed("ij,jk,kl->il", (2, 3), (3, 4), (4, 5)),
    summed("ij,kl,jk->il", (2, 3), (4, 5), (3, 4)),
    summed("i,j,k,l->", (3,), (4,), (5,), (6,)),
    summed("bi,bj,bk,ijk->b", (2, 3), (2, 4), (2, 5), (3, 4, 5)),
    summed("...i,i...,i->i", (3,), (3,), (3,)),
    summed("abcdef,fgca->bgde", (2, 1, 3, 2, 1, 2), (2, 3, 3, 2)),
    case("einsum", layouts(array(4, 3)), layouts(array(3, 5)), ref=einsum, label="strided", loose=8, equation="ij,jk"),
    case("einsum", SPECIAL, ref=einsum, label="special", gradient=False, equation="ij->ji"),
]


def crossed(label, *shape, dtype="float32"):
    return pair("cross", shape, shape, np.cross, label, dtype)


CROSS = [
    *(crossed(t.name, 2, 3, dtype=t) for t in INTS[:4] + FLOATS),
    *(
        case("cross", array(3, dtype=t, low=2, high=9), np.array([1, 1, 0], t.numpy), ref=np.cross, label=t.name)
        for t in INTS[4:]
    ),
    crossed("vector", 3),
    crossed("empty", 0, 3),
    crossed("deep", 1, 2, 1, 2, 1, 3),
    case("cross", layouts(array(4, 3)), layouts(array(4, 3, seed="b")), ref=np.cross, label="strided"),
    case("cross", SPECIAL, SPECIAL[::-1], ref=np.cross, label="special", gradient=False),
]

CASES = [*MATMUL, *TENSORDOT, *EINSUM, *CROSS]
