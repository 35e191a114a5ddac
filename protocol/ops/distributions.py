"""Random values whose distributions have tensors for parameters: gamma, Poisson, binomial.

Pure, like `protocol.ops.random`.
"""

from __future__ import annotations

from protocol.attrs import Ints, Unknown
from protocol.dtypes import DType, float32, int32
from protocol.errors import InvalidArgumentError
from protocol.ops.random import accept, check_seed
from protocol.ops.registry import FLOATS, INTS, REAL, op
from protocol.ops.rules import broadcast, shape_from
from protocol.spec import Shape, Spec, broadcast_shapes, format_shape


def _shape(shape: Ints | Unknown, outer: bool, parameters: Shape) -> Shape:
    """The result's shape: `shape`, to which the parameters broadcast; with `outer`, so many values for each of them."""
    asked = shape_from(shape)
    if asked is None or parameters is None:
        return None if outer else asked
    if outer:
        return asked + parameters
    pairs = zip(reversed(asked), reversed(parameters), strict=False)
    if len(parameters) > len(asked) or not all(p in (1, None, a) or a is None for a, p in pairs):
        raise InvalidArgumentError(
            "Shape passed in must end with broadcasted shape: "
            f"{format_shape(parameters)} does not broadcast to {format_shape(asked)}"
        )
    return asked


def _gamma(alpha: Spec, *, shape: Ints | Unknown, seed: Ints | Unknown, counter: int = 0, outer: bool = False) -> Spec:
    check_seed(seed)
    return Spec(alpha.dtype, _shape(shape, outer, alpha.shape))


def _poisson(
    rate: Spec,
    *,
    shape: Ints | Unknown,
    seed: Ints | Unknown,
    counter: int = 0,
    outer: bool = False,
    dtype: DType = float32,
) -> Spec:
    accept(dtype, FLOATS + INTS)
    check_seed(seed)
    return Spec(dtype, _shape(shape, outer, rate.shape))


def _binomial(
    counts: Spec, probs: Spec, *, shape: Ints | Unknown, seed: Ints | Unknown, counter: int = 0, dtype: DType = int32
) -> Spec:
    accept(dtype, FLOATS + INTS)
    check_seed(seed)
    return Spec(dtype, _shape(shape, False, broadcast_shapes(counts.shape, probs.shape)))


op("random_gamma", "alpha", infer=_gamma, types=FLOATS)
op("random_gamma_grad", "alpha sample", infer=broadcast, types=FLOATS)
op("random_poisson", "rate", infer=_poisson, types=REAL)
op("random_binomial", "counts:real probs:real", infer=_binomial)
