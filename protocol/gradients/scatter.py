"""Gradients of writing elements at indices: reading there."""

from __future__ import annotations

from protocol.gradients.registry import vjp
from protocol.gradients.terms import Term, cast, ops, zeros_like

vjp("scatter_nd", updates=lambda g, indices: ops.gather_nd(g, indices))
vjp(
    "tensor_scatter_nd_update",
    tensor=lambda g, indices, updates: ops.tensor_scatter_nd_update(g, indices, zeros_like(updates)),
    updates=lambda g, indices: ops.gather_nd(g, indices),
)
vjp("tensor_scatter_nd_add", tensor=lambda g: g, updates=lambda g, indices: ops.gather_nd(g, indices))
vjp("tensor_scatter_nd_sub", tensor=lambda g: g, updates=lambda g, indices: -ops.gather_nd(g, indices))


def _shares(g: Term, tensor: Term, indices: Term, updates: Term, out: Term) -> tuple[Term, Term]:
    """The gradient is shared equally by all that have the extreme value at a place."""
    dtype = g.spec.dtype
    kept = cast(ops.equal(tensor, out), dtype)
    came = cast(ops.equal(updates, ops.gather_nd(out, indices)), dtype)
    share = g / ops.tensor_scatter_nd_add(kept, indices, came)
    return kept * share, came * ops.gather_nd(share, indices)


for _name in ("tensor_scatter_nd_max", "tensor_scatter_nd_min"):
    vjp(
        _name,
        tensor=lambda g, tensor, indices, updates, out: _shares(g, tensor, indices, updates, out)[0],
        updates=lambda g, tensor, indices, updates, out: _shares(g, tensor, indices, updates, out)[1],
    )
