"""Gradients of activations, cross-entropies and the bias."""

from __future__ import annotations

import math

from protocol.gradients.registry import vjp
from protocol.gradients.terms import Term, ops, where, zeros_like
from protocol.ops.nn import channel_axis

_SELU_SCALE = 1.0507009873554804934193349852946
_SELU_SCALE_ALPHA = 1.7580993408473768599402175208123

vjp("relu", features=lambda g, out: ops.relu_grad(g, out))
vjp("leaky_relu", features=lambda g, features, **attrs: ops.relu_grad(g, features, **_slope(attrs)))
vjp(
    "relu_grad",
    gradients=lambda g, features, **attrs: ops.relu_grad(g, features, **attrs),
    features=lambda g: zeros_like(g),
)
vjp("relu6", features=lambda g, out: ops.relu_grad(g, out, limit=6.0))
vjp("elu", features=lambda g, out: g * (ops.minimum(out, 0.0) + 1.0))
vjp(
    "selu",
    features=lambda g, out: g * where(ops.less(out, 0.0), out + _SELU_SCALE_ALPHA, _SELU_SCALE),
)
vjp("softplus", features=lambda g, features: g * ops.sigmoid(features))
vjp("softsign", features=lambda g, features: g / ops.square(ops.abs(features) + 1.0))


def _slope(attrs: dict[str, float]) -> dict[str, float]:
    return {"alpha": attrs.get("alpha", 0.2)}


def _gelu(g: Term, features: Term, *, approximate: bool) -> Term:
    x = features
    if approximate:
        c = math.sqrt(2.0 / math.pi)
        t = ops.tanh((x + x * x * x * 0.044715) * c)
        inner = (x * x * (3 * 0.044715) + 1.0) * c
        return g * ((t + 1.0) * 0.5 + x * (1.0 - t * t) * inner * 0.5)
    density = ops.exp(x * x * -0.5) * (1.0 / math.sqrt(2.0 * math.pi))
    return g * (ops.erfc(x * (-1.0 / math.sqrt(2.0))) * 0.5 + x * density)


vjp("gelu", features=_gelu)


def _silu(g: Term, features: Term, *, beta: float) -> Term:
    s = ops.sigmoid(features * beta if beta != 1.0 else features)
    return g * (s * (features * (1.0 - s) * beta + 1.0))


vjp("silu", features=_silu)


def _total(x: Term, axis: int | None) -> Term:
    return ops.reduce_sum(x, axis=-1 if axis is None else axis, keepdims=True)


vjp("softmax", logits=lambda g, out, *, axis: (g - _total(g * out, axis)) * out)
vjp("log_softmax", logits=lambda g, out, *, axis: g - ops.exp(out) * _total(g, axis))


def _cross_entropy_of_logits(given: tuple[Term | None, ...], outs: tuple[Term, ...], logits: Term, axis: int) -> Term:
    """The op's second result is the derivative of the first; its own is that of the softmax."""
    loss, slope = given
    found = None if loss is None else ops.expand_dims(loss, axis=axis) * outs[1]
    if slope is not None:
        p = ops.softmax(logits, axis=axis)
        second = (slope - _total(slope * p, axis)) * p
        found = second if found is None else found + second
    assert found is not None
    return found


def _cross_entropy_of_labels(given: tuple[Term | None, ...], logits: Term, axis: int) -> Term:
    loss, slope = given
    found = None if loss is None else -(ops.expand_dims(loss, axis=axis) * ops.log_softmax(logits, axis=axis))
    if slope is not None:
        found = -slope if found is None else found - slope
    assert found is not None
    return found


vjp(
    "softmax_cross_entropy",
    labels=lambda given, logits, *, axis: _cross_entropy_of_labels(given, logits, axis),
    logits=lambda given, outs, logits, *, axis: _cross_entropy_of_logits(given, outs, logits, axis),
)
vjp(
    "sparse_softmax_cross_entropy",
    logits=lambda given, outs, logits: _cross_entropy_of_logits(given, outs, logits, -1),
)
vjp(
    "sigmoid_cross_entropy",
    labels=lambda g, logits: -(g * logits),
    logits=lambda g, labels, logits: g * (ops.sigmoid(logits) - labels),
)


def _bias(g: Term, *, data_format: str | None) -> Term:
    rank = g.spec.rank or 2
    channels = channel_axis(data_format) % rank
    return ops.reduce_sum(g, axis=tuple([a for a in range(rank) if a != channels]))


vjp("bias_add", value=lambda g: g, bias=_bias)
vjp("l2_loss", t=lambda g, t: g * t)
