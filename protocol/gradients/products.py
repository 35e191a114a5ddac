"""Gradients of products over axes."""

from __future__ import annotations

from string import ascii_letters

from protocol.einsum import ELLIPSIS, axis_labels, parse
from protocol.gradients.arrays import inverse
from protocol.gradients.registry import vjp
from protocol.gradients.terms import Shape, Term, conj, length, ops, rank, shape, size, to_shape


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
vjp("cross", a=lambda g, b: ops.cross(b, g), b=lambda g, a: ops.cross(g, a))


def _tensordot(
    g: Term, x_shape: Shape, axes: tuple[int, ...], other: Term, paired: tuple[int, ...], first: bool
) -> Term:
    """The gradient of the operand x, of which `axes` were summed with the axes `paired` of the other operand.

    g has the free axes of both. Summing over those of the other leaves x's free axes and its summed ones, the latter in
    the other's order.
    """
    own, others = length(x_shape), rank(other)
    axes, paired = tuple([a % own for a in axes]), tuple([a % others for a in paired])
    free = [i for i in range(own) if i not in axes]
    free_other = tuple([i for i in range(others) if i not in paired])
    summed = [axes[paired.index(a)] for a in sorted(paired)]
    at = tuple(range(len(free), len(free) + len(free_other))) if first else tuple(range(len(free_other)))
    if first:
        found, order = ops.tensordot(g, conj(other), a_axes=at, b_axes=free_other), [*free, *summed]
    else:
        found, order = ops.tensordot(conj(other), g, a_axes=free_other, b_axes=at), [*summed, *free]
    perm = inverse(order)
    return found if perm == tuple(range(own)) else ops.transpose(found, perm=perm)


vjp(
    "tensordot",
    a=lambda g, a_shape, b, *, a_axes, b_axes: _tensordot(g, a_shape, a_axes, b, b_axes, True),
    b=lambda g, a, b_shape, *, a_axes, b_axes: _tensordot(g, b_shape, b_axes, a, a_axes, False),
)


def _einsum(g: Term, inputs: tuple[Term, ...], index: int, *, equation: str) -> Term:
    """An einsum of g and the other operands: the operand's subscripts trade places with the result's.

    A label that stands twice in the operand has its gradient on the diagonal: an identity matrix is one more operand. A
    label that stands nowhere else was summed over: the gradient is repeated along it.
    """
    terms, result = parse(equation)
    x = inputs[index]
    operands = [g, *[conj(other) for i, other in enumerate(inputs) if i != index]]
    subscripts = [result, *[t for i, t in enumerate(terms) if i != index]]
    own = _without_repeats(x, terms[index], operands, subscripts, equation)
    summed = [c for c in own if c != ELLIPSIS and all(c not in s for s in subscripts)]
    target = "".join([c for c in own if c not in summed])
    broadcast = ELLIPSIS in result
    if broadcast and ELLIPSIS not in own:
        target = ELLIPSIS + target
    elif not broadcast:
        target = target.replace(ELLIPSIS, "")  # it stands for no axis
    if len(operands) > 1 or result != target:
        g = ops.einsum(*operands, equation=f"{','.join(subscripts)}->{target}".replace(ELLIPSIS, "..."))
    at = target.find(ELLIPSIS)
    if at > 0:
        more = rank(g) + len(summed) - rank(x)
        if more:
            g = ops.reduce_sum(g, axis=tuple(range(at, at + more)))
    if not summed:
        return to_shape(g, shape(x)) if broadcast else g
    if broadcast:
        labels = axis_labels(own, rank(x))
        g = to_shape(g, tuple([size(x, i) for i, c in enumerate(labels) if c not in summed]))
    return ops.broadcast_to(_with_axes(g, x, own, summed), shape=shape(x))


def _with_axes(g: Term, x: Term, own: str, summed: list[str]) -> Term:
    """g with an axis of 1 for each label that it lacks."""
    if x.spec.is_static:
        labels = axis_labels(own, rank(x))
        return ops.reshape(g, shape=tuple([1 if c in summed else size(x, i) for i, c in enumerate(labels)]))
    before, _, after = own.partition(ELLIPSIS)
    places = [i for i, c in enumerate(before) if c in summed]
    places += [i - len(after) for i, c in reversed(list(enumerate(after))) if c in summed]
    for place in places:
        g = ops.expand_dims(g, axis=place)
    return g


def _without_repeats(x: Term, own: str, operands: list[Term], subscripts: list[str], equation: str) -> str:
    """The operand's subscripts with a fresh letter for each repetition; identities join the operands."""
    if len(set(own)) == len(own):
        return own
    labels = axis_labels(own, rank(x))
    fresh = iter([c for c in ascii_letters if c not in equation])
    found = ""
    for c in own:
        if c in found:
            letter = next(fresh)
            rows = size(x, labels.index(c))
            operands.append(x.emitter.run("eye", (), {"num_rows": rows, "dtype": x.spec.dtype}))
            subscripts.append(c + letter)
            c = letter
        found += c
    return found


vjp("einsum", inputs=_einsum)
