"""Kernels of the neural network ops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from protocol.errors import InvalidArgumentError
from protocol.ops.nn import channel_axis, softmax_axis
from server.kernels.library import special
from server.kernels.precision import widened
from server.kernels.registry import kernel

_SELU_SCALE = 1.0507009873554805
_SELU_ALPHA = 1.6732632423543772


def _leaky_relu(xp: Any, x: Any, *, alpha: float = 0.2) -> Any:
    # A maximum or minimum of the two lines is several times faster in NumPy than `where`.
    return (xp.maximum if alpha <= 1 else xp.minimum)(x, x * x.dtype.type(alpha))


def _relu_grad(xp: Any, g: Any, x: Any, *, alpha: float = 0.0, limit: float | None = None) -> Any:
    passes = x > 0
    if limit is not None:
        passes &= x < limit
    slope = passes.astype(g.dtype)
    if alpha:
        slope *= g.dtype.type(1 - alpha)
        slope += g.dtype.type(alpha)
    return g * slope


def _exp_linear(xp: Any, x: Any, scale: float, alpha: float) -> Any:
    # exp(z) - 1 = tanh(z / 2) (exp(z) + 1): exact near 0 too, and NumPy's expm1 alone takes thrice the time.
    y = xp.minimum(x, 0)
    above = xp.exp(y) + 1
    y = xp.tanh(y * x.dtype.type(0.5)) * above
    if alpha != 1:
        y *= x.dtype.type(alpha)
    y += xp.maximum(x, 0)
    if scale != 1:
        y *= x.dtype.type(scale)
    return y


def _gelu(xp: Any, x: Any, *, approximate: bool = False) -> Any:
    if approximate:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))
        return 0.5 * x * (1 + xp.tanh(inner))
    return 0.5 * x * special(xp).erfc(x * x.dtype.type(-math.sqrt(0.5)))


def _softplus(xp: Any, x: Any) -> Any:
    return xp.maximum(x, 0) + _log1p_exp(xp, -abs(x))


def _log1p_exp(xp: Any, x: Any) -> Any:
    """log(1 + exp(x)) for x <= 0: log(w), w = 1 + exp(x), corrected for w's rounding. NumPy's log1p is slow."""
    u = xp.exp(x)
    w = u + 1
    return xp.log(w) + (u - (w - 1)) / w


def _silu(xp: Any, x: Any, *, beta: float = 1.0) -> Any:
    return x / (1 + xp.exp(x * x.dtype.type(-beta)))


def _shifted(xp: Any, x: Any, axis: int) -> tuple[Any, Any, Any]:
    """x minus its maximum, its exponentials and their sum, along `axis`. Needs elements along it."""
    shifted = x - x.max(axis=axis, keepdims=True)
    exps = xp.exp(shifted)
    if axis % x.ndim == x.ndim - 1:  # NumPy sums short rows slowly
        return shifted, exps, exps @ xp.ones((x.shape[-1], 1), x.dtype)
    return shifted, exps, exps.sum(axis=axis, keepdims=True)


def _softmax(xp: Any, x: Any, *, axis: int | None = None) -> Any:
    if not x.size:
        return x
    _, exps, total = _shifted(xp, x, softmax_axis(axis, x.ndim))
    exps /= total
    return exps


def _log_softmax(xp: Any, x: Any, *, axis: int | None = None) -> Any:
    if not x.size:
        return x
    shifted, _, total = _shifted(xp, x, softmax_axis(axis, x.ndim))
    shifted -= xp.log(total)
    return shifted


def _cross_entropy(xp: Any, labels: Any, logits: Any, *, axis: int = -1) -> tuple[Any, Any]:
    axis = softmax_axis(axis, logits.ndim)
    if not logits.size:
        return xp.zeros((*logits.shape[:axis], *logits.shape[axis + 1 :]), logits.dtype), logits
    shifted, exps, total = _shifted(xp, logits, axis)
    loss = (labels * (xp.log(total) - shifted)).sum(axis=axis)
    exps /= total
    exps -= labels
    return loss, exps


def _sparse_cross_entropy(xp: Any, labels: Any, logits: Any) -> tuple[Any, Any]:
    classes = logits.shape[-1]
    valid = _valid_labels(xp, labels, classes)
    if not logits.size:
        return xp.zeros(labels.shape, logits.dtype), logits
    shifted, exps, total = (a.reshape(labels.size, -1) for a in _shifted(xp, logits, -1))
    index = xp.arange(labels.size), labels.ravel()
    if valid is not None:
        index = index[0], xp.where(valid, index[1], 0)
    loss = xp.log(total[:, 0]) - shifted[index]
    exps /= total
    exps[index] -= 1
    if valid is not None:
        bad = xp.where(valid, 0, xp.nan).astype(logits.dtype)
        loss += bad
        exps += bad[:, None]
    return loss.reshape(labels.shape), exps.reshape(logits.shape)


def _valid_labels(xp: Any, labels: Any, classes: int) -> Any:
    """None once it is sure that all labels are in range.

    On a GPU asking would wait: there it is the mask of the good ones, and the others give NaN, as TensorFlow's do.
    """
    valid = ((labels >= 0) & (labels < classes)).ravel()
    if xp is not np:
        return valid
    if not valid.all():
        first = int(labels.ravel()[valid.argmin()])
        raise InvalidArgumentError(
            f"Received a label value of {first} which is outside the valid range of [0, {classes})."
        )
    return None


def _sigmoid_cross_entropy(xp: Any, labels: Any, logits: Any) -> Any:
    return xp.maximum(logits, 0) - logits * labels + _log1p_exp(xp, -abs(logits))


def _bias_add(xp: Any, value: Any, bias: Any, *, data_format: str | None = None) -> Any:
    if channel_axis(data_format) == 1:
        bias = bias.reshape(-1, *(1,) * (value.ndim - 2))
    return value + bias


def _l2_loss(xp: Any, t: Any) -> Any:
    flat = t.ravel()
    return flat.dot(flat) * t.dtype.type(0.5)


kernel("relu", lambda xp, x: xp.maximum(x, 0))
kernel("relu6", lambda xp, x: xp.minimum(xp.maximum(x, 0), 6))
kernel("leaky_relu", widened(_leaky_relu))
kernel("relu_grad", widened(_relu_grad))
kernel("elu", widened(lambda xp, x: _exp_linear(xp, x, 1, 1)))
kernel("selu", widened(lambda xp, x: _exp_linear(xp, x, _SELU_SCALE, _SELU_ALPHA)))
kernel("gelu", widened(_gelu))
kernel("silu", widened(_silu))
kernel("softplus", widened(_softplus))
kernel("softsign", widened(lambda xp, x: x / (abs(x) + 1)))
kernel("softmax", widened(_softmax))
kernel("log_softmax", widened(_log_softmax))
kernel("softmax_cross_entropy", widened(_cross_entropy))
kernel("sparse_softmax_cross_entropy", widened(_sparse_cross_entropy))
kernel("sigmoid_cross_entropy", widened(_sigmoid_cross_entropy))
kernel("bias_add", _bias_add)
kernel("l2_loss", widened(_l2_loss))
