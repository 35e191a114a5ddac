"""Gradients of moving parts of matrices: the parts go back where they were."""

from __future__ import annotations

from typing import Any

from protocol.gradients.registry import vjp
from protocol.gradients.terms import Shape, Term, ops
from protocol.spec import Spec


def _zeros(like: Term, shape: Shape) -> Term:
    found: Term = like.emitter.run("zeros", (), {"shape": shape, "dtype": like.spec.dtype})
    return found


def _diag(g: Term, diagonal_spec: Spec, diagonal_shape: Shape, attrs: dict[str, Any]) -> Term:
    """The padding has no gradient, as in TensorFlow. A matrix around empty diagonals may be too small to have them."""
    if diagonal_spec.is_static and 0 in diagonal_shape:  # type: ignore[operator]
        return _zeros(g, diagonal_shape)
    return ops.matrix_diag_part(g, **{name: attrs[name] for name in ("k", "align") if name in attrs})


vjp("matrix_diag", diagonal=lambda g, diagonal_spec, diagonal_shape, **a: _diag(g, diagonal_spec, diagonal_shape, a))
vjp(
    "matrix_diag_part",
    input=lambda g, input_shape, **attrs: ops.matrix_set_diag(_zeros(g, input_shape), g, **attrs),
)
vjp(
    "matrix_set_diag",
    input=lambda g, diagonal_shape, **attrs: ops.matrix_set_diag(g, _zeros(g, diagonal_shape), **attrs),
    diagonal=lambda g, **attrs: ops.matrix_diag_part(g, **attrs),
)
vjp("tensor_diag", diagonal=lambda g: ops.tensor_diag_part(g))
vjp("tensor_diag_part", input=lambda g: g if g.spec.rank == 0 else ops.tensor_diag(g))
vjp("band_part", input=lambda g, **attrs: ops.band_part(g, **attrs))
vjp("matrix_transpose", a=lambda g, **attrs: ops.matrix_transpose(g, **attrs))
