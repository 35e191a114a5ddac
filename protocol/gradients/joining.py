"""Gradients of ops that join, split, repeat and pad."""

from __future__ import annotations

from collections.abc import Sequence

from protocol.gradients.registry import vjp
from protocol.gradients.terms import Shape, Term, ops, reshape
from protocol.spec import element_count


def _part(g: Term, values_dims: tuple[tuple[int, ...], ...], index: int, *, axis: int) -> Term:
    """The part of a joined tensor that came from the tensor at `index`."""
    shape = values_dims[index]
    at = axis % len(shape)
    begin = [0] * len(shape)
    begin[at] = sum([dims[at] for dims in values_dims[:index]])
    return ops.slice(g, begin=tuple(begin), size=shape)


def _unstacked(g: Term, index: int, *, axis: int) -> Term:
    rank = g.spec.rank or 0
    at = axis % rank
    bounds = (0,) * at + (index,)
    mask = (1 << at) - 1
    return ops.strided_slice(
        g, begin=bounds, end=bounds, begin_mask=mask, end_mask=mask, shrink_axis_mask=1 << at, strides=(1,) * (at + 1)
    )


vjp("concat", values=_part)
vjp("stack", values=_unstacked)
vjp("unstack", value=lambda gs, *, axis: ops.stack(*gs, axis=axis))
vjp("split", value=lambda gs, *, axis: ops.concat(*gs, axis=axis))


def _tile(g: Term, input_dims: tuple[int, ...], *, multiples: Sequence[int]) -> Term:
    """Summed over the copies."""
    if not input_dims:
        return g
    apart = tuple([n for pair in zip(multiples, input_dims, strict=True) for n in pair])
    return ops.reduce_sum(ops.reshape(g, shape=apart), axis=tuple(range(0, len(apart), 2)))


def _repeat(g: Term, input_dims: tuple[int, ...], input_shape: Shape, *, repeats: int, axis: int | None) -> Term:
    """Summed over the copies, which stand side by side."""
    dims = (element_count(input_dims),) if axis is None else input_dims
    at = (axis or 0) % len(dims)
    summed = ops.reduce_sum(ops.reshape(g, shape=(*dims[: at + 1], repeats, *dims[at + 1 :])), axis=at + 1)
    return reshape(summed, input_shape)


def _repeat_each(g: Term, repeats: Term, input_dims: tuple[int, ...], input_shape: Shape, *, axis: int | None) -> Term:
    """As the gradient of gathering the entries, each as often as it was repeated."""
    dims = (element_count(input_dims),) if axis is None else input_dims
    at = (axis or 0) % len(dims)
    entries = repeats.emitter.run("range", (), {"start": 0, "limit": dims[at], "delta": 1, "dtype": repeats.spec.dtype})
    indices = ops.repeat_each(entries, repeats, axis=0)
    return reshape(ops.gather_grad(g, indices, shape=dims, axis=at), input_shape)


vjp("tile", input=_tile)
vjp("repeat", input=_repeat)
vjp("repeat_each", input=_repeat_each)


def _unpadded(g: Term, shape: Shape, paddings: Sequence[Sequence[int]]) -> Term:
    return ops.slice(g, begin=tuple([before for before, _ in paddings]), size=shape)


def _of_value(g: Term, tensor_shape: Shape, paddings: Sequence[Sequence[int]]) -> Term:
    """What the padding got: all of the gradient but the part of the tensor itself."""
    return ops.reduce_sum(g) - ops.reduce_sum(_unpadded(g, tensor_shape, paddings))


vjp("pad", tensor=lambda g, tensor_shape, *, paddings: _unpadded(g, tensor_shape, paddings))
vjp(
    "pad_value",
    tensor=lambda g, tensor_shape, *, paddings: _unpadded(g, tensor_shape, paddings),
    constant_values=lambda g, tensor_shape, *, paddings: _of_value(g, tensor_shape, paddings),
)
vjp("mirror_pad", tensor=lambda g, **attrs: ops.mirror_pad_grad(g, **attrs))
vjp("mirror_pad_grad", grad=lambda g, **attrs: ops.mirror_pad(g, **attrs))
