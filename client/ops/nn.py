"""The public face of neural network ops that is more than an op: activations with options, losses, dropout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from client.api import PUBLIC, public
from client.convert import convert_operands, convert_to_tensor, static_value
from client.dispatch import call
from client.tensor import Operand, Tensor
from protocol.dtypes import DType, float32
from protocol.errors import InvalidArgumentError
from protocol.ops import OPS
from protocol.spec import broadcast_shapes, format_shape, merge_shapes


def _pair(op: str, first: Any, second: Any) -> Any:
    """Both as tensors or variables of one dtype, as the op would take them."""
    return convert_operands(OPS[op], (first, second))


def operand(value: Any, dtype_hint: DType | None = None) -> Any:
    """A tensor or variable as it is, anything else as a tensor."""
    return value if isinstance(value, Operand) else convert_to_tensor(value, dtype_hint=dtype_hint)


def in_dtype(x: Any, dtype: DType) -> Any:
    """`x` cast to `dtype`, itself if it has it already."""
    return x if x.dtype is dtype else call("cast", x, dtype=dtype)


# --- activations -----------------------------------------------------------------------------------------------------


@public("nn.leaky_relu")
def leaky_relu(features: Any, alpha: float = 0.2, name: str | None = None) -> Tensor:
    """Rectified linear unit with a slope left of zero: `features` where positive, `alpha * features` elsewhere.

    Args:
        features: floating-point numbers; integers are cast to float32.
        alpha: a Python number.
        name: not used.

    >>> import client as tf
    >>> tf.nn.leaky_relu([-5.0, 2.0]).numpy().tolist()
    [-1.0, 2.0]
    """
    x = operand(features)
    return call("leaky_relu", in_dtype(x, float32) if x.dtype.is_integer else x, alpha=alpha)  # type: ignore[no-any-return]


@public("nn.silu", "nn.swish")
def silu(features: Any, beta: Any = 1.0) -> Tensor:
    """The sigmoid-weighted linear unit (swish): `features * sigmoid(beta * features)`.

    Args:
        features: floating-point numbers.
        beta: a number, or a tensor or variable that gets a gradient too.

    >>> import client as tf
    >>> round(float(tf.nn.silu(1.0)), 4)
    0.7311
    """
    if isinstance(beta, int | float):
        return call("silu", features, beta=beta)  # type: ignore[no-any-return]
    x: Any
    x, beta = _pair("multiply", features, beta)
    return x * call("sigmoid", beta * x)  # type: ignore[no-any-return]


@public("nn.crelu")
def crelu(features: Any, axis: int = -1, name: str | None = None) -> Tensor:
    """Concatenated rectified linear unit: `relu` of `features` and of `-features`, side by side along `axis`.

    >>> import client as tf
    >>> tf.nn.crelu([-1.0, 2.0]).numpy().tolist()
    [0.0, 2.0, 1.0, 0.0]
    """
    x = operand(features)
    return call("relu", call("concat", x, -x, axis=axis))  # type: ignore[no-any-return]


# --- losses ----------------------------------------------------------------------------------------------------------


@public("nn.softmax_cross_entropy_with_logits")
def softmax_cross_entropy_with_logits(labels: Any, logits: Any, axis: int = -1, name: str | None = None) -> Tensor:
    """The cross-entropy of class probabilities and logits: `-sum(labels * log_softmax(logits))` over `axis`.

    Args:
        labels: probabilities, of the shape of `logits` or broadcasting to it; cast to the dtype of `logits`. They get a
            gradient too: use `tf.stop_gradient` where that is not wanted.
        logits: unscaled log probabilities.
        axis: the axis of the classes.
        name: not used.

    Returns:
        The shape of `logits` without `axis`.

    Raises:
        InvalidArgumentError: the shapes don't fit, or the axis is out of range.

    >>> import client as tf
    >>> loss = tf.nn.softmax_cross_entropy_with_logits([[0.0, 1.0]], [[0.0, 0.0]])
    >>> round(float(loss[0]), 4)
    0.6931
    """
    (x,) = convert_operands(OPS["softmax"], (logits,))
    given = operand(labels, x.dtype)
    z = _broadcast(in_dtype(given, x.dtype), x)
    loss, _ = call("softmax_cross_entropy", z, x, axis=axis)
    return loss  # type: ignore[no-any-return]


def _broadcast(labels: Any, logits: Operand) -> Any:
    """`labels` in the shape of `logits` where they broadcast; otherwise as they are, for the op to judge."""
    shape, target = labels._spec.shape, logits._spec.shape
    if shape == target or shape is None or target is None or None in target or not shape:
        return labels
    try:
        fits = broadcast_shapes(shape, target) == target
    except InvalidArgumentError:
        return labels
    return call("broadcast_to", labels, shape=target) if fits else labels


@public("nn.sparse_softmax_cross_entropy_with_logits")
def sparse_softmax_cross_entropy_with_logits(labels: Any, logits: Any, name: str | None = None) -> Tensor:
    """The cross-entropy of class numbers and logits: `-log_softmax(logits)[labels]` over the last axis.

    Args:
        labels: int32 or int64, of the shape of `logits` without its last axis.
        logits: unscaled log probabilities.
        name: not used.

    Returns:
        The shape of `labels`.

    Raises:
        ValueError: the shapes don't fit.
        InvalidArgumentError: a label is out of range (raised at the next wait; on a GPU its loss is NaN instead).

    >>> import client as tf
    >>> loss = tf.nn.sparse_softmax_cross_entropy_with_logits([1], [[0.0, 0.0]])
    >>> round(float(loss[0]), 4)
    0.6931
    """
    loss, _ = call("sparse_softmax_cross_entropy", labels, logits)
    return loss  # type: ignore[no-any-return]


@public("nn.weighted_cross_entropy_with_logits")
def weighted_cross_entropy_with_logits(labels: Any, logits: Any, pos_weight: Any, name: str | None = None) -> Tensor:
    """`tf.nn.sigmoid_cross_entropy_with_logits` with the loss of positives weighted.

    `pos_weight * z * -log(sigmoid(x)) + (1 - z) * -log(1 - sigmoid(x))` for logits x and labels z, without overflow.

    Args:
        labels: of the shape and dtype of `logits`.
        logits: floating-point numbers.
        pos_weight: a number or tensor that broadcasts to the shape of `logits`.
        name: not used.

    Raises:
        ValueError: the shapes of `labels` and `logits` differ.

    >>> import client as tf
    >>> loss = tf.nn.weighted_cross_entropy_with_logits([1.0, 0.0], [0.0, 0.0], pos_weight=2.0)
    >>> [round(x, 4) for x in loss.numpy().tolist()]
    [1.3863, 0.6931]
    """
    z, x = _pair("sigmoid_cross_entropy", labels, logits)
    _check_same_shape(z, x, "logits", "labels")
    weight = 1 + (pos_weight - 1) * z
    return (1 - z) * x + weight * call("softplus", -x)  # type: ignore[no-any-return]


def _check_same_shape(a: Operand, b: Operand, b_name: str, a_name: str) -> None:
    try:
        merge_shapes(a._spec.shape, b._spec.shape)
    except InvalidArgumentError:
        raise ValueError(
            f"`{b_name}` and `{a_name}` must have the same shape, "
            f"received ({format_shape(b._spec.shape)} vs {format_shape(a._spec.shape)})."
        ) from None


@public("nn.log_poisson_loss")
def log_poisson_loss(targets: Any, log_input: Any, compute_full_loss: bool = False, name: str | None = None) -> Tensor:
    """The negative log-likelihood of counts under a Poisson distribution with log rate `log_input`.

    `exp(c) - z * c` for log rates c and targets z; with `compute_full_loss` plus Stirling's approximation of log(z!),
    `z * log(z) - z + 0.5 * log(2 * pi * z)`, which is 0 for z in [0, 1].

    Args:
        targets: of the shape and dtype of `log_input`.
        log_input: floating-point numbers.
        compute_full_loss: whether to add the approximation.
        name: not used.

    Raises:
        ValueError: the shapes differ.

    >>> import client as tf
    >>> float(tf.nn.log_poisson_loss(3.0, 0.0))
    1.0
    """
    z, c = _pair("sigmoid_cross_entropy", targets, log_input)
    _check_same_shape(z, c, "log_input", "targets")
    loss: Any = call("exp", c) - c * z
    if compute_full_loss:
        # Where the approximation is not used its input is 1, so that neither it nor its gradient is NaN.
        used = z > 1
        safe: Any = call("select", used, z, call("ones_like", z))
        stirling = safe * call("log", safe) - safe + 0.5 * call("log", 2 * math.pi * safe)
        loss = loss + call("select", used, stirling, call("zeros_like", z))
    return loss  # type: ignore[no-any-return]


@public("nn.compute_average_loss")
def compute_average_loss(per_example_loss: Any, sample_weight: Any = None, global_batch_size: Any = None) -> Tensor:
    """The sum of the losses over the batch size: `reduce_sum(per_example_loss * sample_weight) / global_batch_size`.

    Args:
        per_example_loss: losses; the first axis is the batch.
        sample_weight: weights that broadcast to them.
        global_batch_size: a number; the length of the first axis by default.

    >>> import client as tf
    >>> float(tf.nn.compute_average_loss([2.0, 4.0]))
    3.0
    """
    loss = operand(per_example_loss)
    if global_batch_size is None:
        shape = loss._spec.shape
        known = shape[0] if shape else None
        global_batch_size = call("shape", loss)[0] if known is None else known
    if sample_weight is not None:
        loss = loss * sample_weight
    size = convert_to_tensor(global_batch_size)
    return call("reduce_sum", loss) / in_dtype(size, loss.dtype)  # type: ignore[no-any-return]


@public("nn.scale_regularization_loss")
def scale_regularization_loss(regularization_loss: Any) -> Tensor:
    """The sum of regularization losses, over the number of replicas, which is 1."""
    return call("reduce_sum", regularization_loss)  # type: ignore[no-any-return]


# --- others ----------------------------------------------------------------------------------------------------------


@public("nn.dropout")
def dropout(x: Any, rate: Any, noise_shape: Any = None, seed: int | None = None, name: str | None = None) -> Tensor:
    """Elements are set to 0 with probability `rate`; the others are scaled by `1 / (1 - rate)`, so that the mean stays.

    Args:
        x: floating-point numbers.
        rate: a number in [0, 1) or a scalar tensor.
        noise_shape: a shape that broadcasts to that of `x`: where it has a 1 (or, as None, the dim of `x`), elements
            are dropped together (apart); None is the shape of `x`.
        seed: see `tf.random.set_seed`.
        name: not used.

    Raises:
        ValueError: `x` is not floating-point, or `rate` is outside [0, 1).

    >>> import client as tf
    >>> y = tf.nn.dropout(tf.ones([1000]), rate=0.5, seed=1)
    >>> sorted(set(y.numpy().tolist()))
    [0.0, 2.0]
    """
    value = operand(x)
    dtype = value.dtype
    if not dtype.is_floating:
        raise ValueError(f"`x.dtype` must be a floating point tensor as `x` will be scaled. Received: x.dtype={dtype}")
    known = rate if isinstance(rate, int | float) else static_value(rate)
    if known is not None and not 0 <= known < 1:
        raise ValueError(f"`rate` must be a scalar tensor or a float in the range [0, 1). Received: rate={rate}")
    if isinstance(rate, int | float) and rate == 0:
        return convert_to_tensor(value)
    noise = PUBLIC["random.uniform"](_noise_shape(value, noise_shape), dtype=dtype, seed=seed)
    share: Any = in_dtype(rate, dtype) if isinstance(rate, Operand) else convert_to_tensor(rate, dtype)
    kept: Any = call("cast", call("greater_equal", noise, share), dtype=dtype)
    return value * (kept / (1 - share))  # type: ignore[no-any-return]


def _noise_shape(x: Operand, shape: Any) -> Any:
    """`shape` with what it leaves open filled in from `x`."""
    dims = x._spec.shape
    if shape is None:
        return call("shape", x) if dims is None or None in dims else dims
    if not isinstance(shape, list | tuple) or None not in shape:
        return shape
    if dims is None or len(dims) != len(shape):
        return shape
    size: Any = call("shape", x) if None in dims else dims
    return [size[i] if d is None else d for i, d in enumerate(shape)]


@public("nn.embedding_lookup")
def embedding_lookup(params: Any, ids: Any, max_norm: float | None = None, name: str | None = None) -> Tensor:
    """The rows `ids` of `params`: `params[ids]`.

    Args:
        params: [rows, ...], or a list with one such tensor.
        ids: int32 or int64.
        max_norm: where given, rows with a larger L2 norm are scaled down to it.
        name: not used.

    Returns:
        The shape of `ids`, then that of a row.

    Raises:
        ValueError: several tensors in `params`.
        InvalidArgumentError: an id is out of range (at the next wait).

    >>> import client as tf
    >>> tf.nn.embedding_lookup(tf.constant([[1.0, 2.0], [3.0, 4.0]]), [1, 0]).numpy().tolist()
    [[3.0, 4.0], [1.0, 2.0]]
    """
    if isinstance(params, Sequence) and params and isinstance(params[0], Operand):
        if len(params) > 1:
            raise ValueError("`params` must be one tensor: partitioned embeddings are not supported")
        params = params[0]
    rows: Any = call("gather", params, ids, axis=0)
    if max_norm is None:
        return rows  # type: ignore[no-any-return]
    table, picked = params._spec.rank if isinstance(params, Operand) else np.ndim(params), rows._spec.rank
    if table is None or picked is None:
        raise ValueError("`max_norm` needs `params` and `ids` of known rank")
    axes = tuple(range(picked - table + 1, picked))
    norm: Any = call("sqrt", call("reduce_sum", rows * rows, axis=axes, keepdims=True))
    return rows * max_norm / call("maximum", norm, max_norm)  # type: ignore[no-any-return]
