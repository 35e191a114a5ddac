"""Gradients of products over axes."""

from __future__ import annotations

from protocol.gradients.registry import vjp
from protocol.gradients.terms import Shape, Term, conj, ops, to_shape


def _matmul(a: Term, b: Term, transpose_a: bool = False, transpose_b: bool = False) -> Term:
    flags = {k: True for k, v in (("transpose_a", transpose_a), ("transpose_b", transpose_b)) if v}
    return ops.matmul(a, b, **flags)


def _of_a(
    g: Term, b: Term, a_shape: Shape, *, transpose_a: bool, transpose_b: bool, adjoint_a: bool, adjoint_b: bool
) -> Term:
    """With y = A B, dA = g B^H; A and B may be a and b turned around."""
    b = b if adjoint_b else conj(b)
    turned = transpose_b or adjoint_b
    if transpose_a or adjoint_a:
        found = _matmul(b, g, turned, True)
        return to_shape(conj(found) if adjoint_a else found, a_shape)
    return to_shape(_matmul(g, b, False, not turned), a_shape)


def _of_b(
    g: Term, a: Term, b_shape: Shape, *, transpose_a: bool, transpose_b: bool, adjoint_a: bool, adjoint_b: bool
) -> Term:
    """dB = A^H g."""
    a = a if adjoint_a else conj(a)
    turned = transpose_a or adjoint_a
    if transpose_b or adjoint_b:
        found = _matmul(g, a, True, turned)
        return to_shape(conj(found) if adjoint_b else found, b_shape)
    return to_shape(_matmul(a, g, not turned, False), b_shape)


vjp("matmul", a=_of_a, b=_of_b)
