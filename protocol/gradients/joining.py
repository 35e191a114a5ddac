"""Gradients of ops that join, split, repeat and pad."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from protocol.gradients.registry import vjp
from protocol.gradients.terms import Shape, Term, entry, length, ops, rank, reshape, run
from protocol.spec import Spec, element_count


def _part(g: Term, values_spec: tuple[Spec, ...], values_shape: tuple[Shape, ...], index: int, *, axis: int) -> Term:
    """The part of a joined tensor that came from the tensor at `index`."""
    axes = rank(g)
    at = axis % axes
    sizes = [None if spec.shape is None else spec.shape[at] for spec in values_spec]
    known = [s for s in sizes[: index + 1] if s is not None]
    if len(known) <= index:
        lengths = [ops.reshape(entry(s, at), shape=(1,)) if isinstance(s, Term) else (s[at],) for s in values_shape]
        joined = ops.concat(*[np.array(n, np.int32) if isinstance(n, tuple) else n for n in lengths], axis=0)
        found: Term = run("split", g, num_or_size_splits=joined, axis=at)[index]
        return found
    end = sum(known)
    others = (0,) * at
    mask = (1 << at) - 1
    return ops.strided_slice(
        g,
        begin=(*others, end - known[-1]),
        end=(*others, end),
        strides=(1,) * (at + 1),
        begin_mask=mask,
        end_mask=mask,
    )


def _unstacked(g: Term, index: int, *, axis: int) -> Term:
    at = axis % rank(g)
    bounds = (0,) * at + (index,)
    mask = (1 << at) - 1
    return ops.strided_slice(
        g, begin=bounds, end=bounds, begin_mask=mask, end_mask=mask, shrink_axis_mask=1 << at, strides=(1,) * (at + 1)
    )


vjp("concat", values=_part)
vjp("stack", values=_unstacked)
vjp("unstack", value=lambda gs, *, axis: ops.stack(*gs, axis=axis))
vjp("split", value=lambda gs, *, axis: ops.concat(*gs, axis=axis))


def _tile(g: Term, input_shape: Shape, *, multiples: Sequence[int]) -> Term:
    """Summed over the copies."""
    if not len(multiples):
        return g
    apart: Shape
    if isinstance(input_shape, tuple):
        apart = tuple([n for pair in zip(multiples, input_shape, strict=True) for n in pair])
    else:
        copies = np.array(multiples, input_shape.spec.dtype.numpy)
        apart = ops.reshape(ops.stack(copies, input_shape, axis=1), shape=(2 * len(multiples),))
    return ops.reduce_sum(ops.reshape(g, shape=apart), axis=tuple(range(0, 2 * len(multiples), 2)))


def _repeat(g: Term, input_shape: Shape, *, repeats: int, axis: int | None) -> Term:
    """Summed over the copies, which stand side by side."""
    shape = input_shape if axis is not None else _flat(input_shape)
    at = (axis or 0) % length(shape)
    apart: Shape
    if isinstance(shape, tuple):
        apart = (*shape[: at + 1], repeats, *shape[at + 1 :])
    else:
        before = ops.strided_slice(shape, begin=(0,), end=(at + 1,), strides=(1,))
        after = ops.strided_slice(shape, begin=(at + 1,), end=(length(shape),), strides=(1,))
        apart = ops.concat(before, np.array([repeats], shape.spec.dtype.numpy), after, axis=0)
    return reshape(ops.reduce_sum(ops.reshape(g, shape=apart), axis=at + 1), input_shape)


def _repeat_each(g: Term, repeats: Term, input_shape: Shape, *, axis: int | None) -> Term:
    """As the gradient of gathering the entries, each as often as it was repeated."""
    shape = input_shape if axis is not None else _flat(input_shape)
    at = (axis or 0) % length(shape)
    limits = {"start": 0, "limit": entry(shape, at), "delta": 1, "dtype": repeats.spec.dtype}
    indices = ops.repeat_each(repeats.emitter.run("range", (), limits), repeats, axis=0)
    return reshape(ops.gather_grad(g, indices, shape=shape, axis=at), input_shape)


def _flat(shape: Shape) -> Shape:
    """The shape of a tensor's elements in one row."""
    if isinstance(shape, tuple):
        return (element_count(shape),)
    return ops.reshape(ops.reduce_prod(shape), shape=(1,))


vjp("tile", input=_tile)
vjp("repeat", input=_repeat)
vjp("repeat_each", input=_repeat_each)


def _unpadded(g: Term, shape: Shape, paddings: Sequence[Sequence[int]]) -> Term:
    return ops.slice(g, begin=tuple([before for before, _ in paddings]), size=shape)


vjp("pad", tensor=lambda g, tensor_shape, *, paddings: _unpadded(g, tensor_shape, paddings))
vjp("pad_value", tensor=lambda g, tensor_shape, *, paddings: _unpadded(g, tensor_shape, paddings))  # the value: None
vjp("mirror_pad", tensor=lambda g, **attrs: ops.mirror_pad_grad(g, **attrs))
vjp("mirror_pad_grad", grad=lambda g, **attrs: ops.mirror_pad(g, **attrs))
