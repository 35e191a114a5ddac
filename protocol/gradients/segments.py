"""Gradients of reductions over segments: each row gets its share of the gradient of its segment's result.

An op of sorted ids and the one of unsorted ids differ in how other reductions over the same segments are written, and
in that negative ids are dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from protocol.dtypes import int32
from protocol.gradients.registry import vjp
from protocol.gradients.terms import Shape, Term, cast, conj, entry, ops, rank, where

Reduce: TypeAlias = Callable[[str, Term], Term]
"""Reduces data over the segments, by "sum" or "prod"."""


def _sorted(ids: Term) -> Reduce:
    return lambda name, data: getattr(ops, f"segment_{name}")(data, ids)


def _unsorted(ids: Term, num_segments: int | Term) -> Reduce:
    return lambda name, data: getattr(ops, f"unsorted_segment_{name}")(data, ids, num_segments=num_segments)


def _counts(ids: Term, reduce: Reduce, g: Term) -> Term:
    """How many rows each segment has, at least 1, as a column beside g's rows. Counted exactly, also in halves."""
    counts = cast(ops.maximum(reduce("sum", ops.ones_like(ids, dtype=int32)), 1), g.spec.dtype)
    return _column(counts, g)


def _column(counts: Term, g: Term) -> Term:
    axes = rank(g)
    return counts if axes == 1 else ops.reshape(counts, shape=(-1, *(1,) * (axes - 1)))


def _mean(g: Term, ids: Term, reduce: Reduce) -> Term:
    return ops.segment_rows(g / _counts(ids, reduce, g), ids)


def _sqrt_n(g: Term, ids: Term, reduce: Reduce) -> Term:
    return ops.segment_rows(g * ops.rsqrt(_counts(ids, reduce, g)), ids)


def _extreme(g: Term, data: Term, ids: Term, out: Term, reduce: Reduce) -> Term:
    """Shared equally among the elements that are the extreme."""
    hit = ops.equal(data, ops.segment_rows(out, ids))
    number = reduce("sum", cast(hit, g.spec.dtype))
    return where(hit, ops.segment_rows(g / number, ids), 0.0)


def _prod(g: Term, data: Term, ids: Term, out: Term, reduce: Reduce) -> Term:
    """The product of the others: the product divided by the element; where that is the only 0, the product without."""
    zero = ops.equal(data, 0.0)
    zeros = reduce("sum", cast(zero, g.spec.dtype.real_dtype))
    filled = where(zero, 1.0, data)
    without = where(ops.greater(zeros, 1.0), 0.0, reduce("prod", filled))
    others = where(zero, ops.segment_rows(without, ids), ops.segment_rows(out, ids) / filled)
    return ops.segment_rows(g, ids) * conj(others)


def _declare_average(name: str, rule: Callable[[Term, Term, Reduce], Term]) -> None:
    """The gradient is the same whatever the elements are."""
    if name != "sqrt_n":
        vjp(f"segment_{name}", data=lambda g, segment_ids: rule(g, segment_ids, _sorted(segment_ids)))
    vjp(
        f"unsorted_segment_{name}",
        data=lambda g, segment_ids, **attrs: rule(g, segment_ids, _unsorted(segment_ids, **attrs)),
    )


def _declare_choice(name: str, rule: Callable[[Term, Term, Term, Term, Reduce], Term]) -> None:
    """The gradient depends on the elements."""
    vjp(
        f"segment_{name}",
        data=lambda g, data, segment_ids, out: rule(g, data, segment_ids, out, _sorted(segment_ids)),
    )
    vjp(
        f"unsorted_segment_{name}",
        data=lambda g, data, segment_ids, out, **attrs: rule(
            g, data, segment_ids, out, _unsorted(segment_ids, **attrs)
        ),
    )


def _rows(g: Term, segment_ids: Term, params_shape: Shape) -> Term:
    return ops.unsorted_segment_sum(g, segment_ids, num_segments=entry(params_shape, 0))


vjp("segment_sum", data=lambda g, segment_ids: ops.segment_rows(g, segment_ids))
vjp("unsorted_segment_sum", data=lambda g, segment_ids: ops.segment_rows(g, segment_ids))
vjp("segment_rows", params=_rows)
_declare_average("mean", _mean)
_declare_average("sqrt_n", _sqrt_n)
for _name in ("max", "min"):
    _declare_choice(_name, _extreme)
_declare_choice("prod", _prod)
