"""Inference rules that several op families share: same shape, broadcast, compare. A rule of one family stands in that family's file."""

from __future__ import annotations

from protocol.dtypes import bool_
from protocol.spec import Spec, broadcast_shapes


def same(x: Spec) -> Spec:
    """The result looks like the input."""
    return x


def predicate(x: Spec) -> Spec:
    """A bool for each element."""
    return Spec(bool_, x.shape)


def broadcast(x: Spec, y: Spec) -> Spec:
    """Elementwise over the broadcast shape, in the inputs' dtype."""
    return Spec(x.dtype, broadcast_shapes(x.shape, y.shape))


def compare(x: Spec, y: Spec) -> Spec:
    """A bool for each element of the broadcast shape."""
    return Spec(bool_, broadcast_shapes(x.shape, y.shape))
