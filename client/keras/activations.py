"""Activations: functions of a tensor that layers apply to their outputs.

Owns: the functions, and finding one by name. Each is one op where there is such an op. Does not know layers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, Final

import client as tf
from client.api import public
from client.keras.serialization import Registry
from client.ops.nn import operand
from client.tensor import Tensor

ACTIVATIONS: Final = Registry("activation function")


# --- without parameters ----------------------------------------------------------------------------------------------


def _hard_sigmoid(x: Tensor) -> Tensor:
    return tf.nn.relu6(x + 3) / 6


def _hard_silu(x: Any) -> Tensor:
    x = operand(x)
    return x * _hard_sigmoid(x)


def _sparse_plus(x: Any) -> Tensor:
    x = operand(x)
    return tf.where(x <= -1.0, 0.0, tf.where(x < 1.0, 0.25 * tf.square(x + 1.0), x))


def _of_one(name: str, run: Callable[[Any], Any], formula: str) -> Callable[[Any], Tensor]:
    """A function of a tensor alone, with a name and a docstring of its own."""

    def function(x: Any) -> Tensor:
        return run(x)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{formula}

    Args:
        x: a tensor of floats.

    >>> import client as tf
    >>> tf.keras.activations.{name}([[0.5, 1.0]]).shape
    TensorShape([1, 2])
    """
    return function


for _names, _run, _formula in (
    ("sigmoid", tf.nn.sigmoid, "1 / (1 + exp(-x))."),
    ("tanh", tf.tanh, "The hyperbolic tangent of x."),
    ("exponential", tf.exp, "exp(x)."),
    ("softplus", tf.nn.softplus, "log(1 + exp(x))."),
    ("softsign", tf.nn.softsign, "x / (1 + abs(x))."),
    ("silu swish", tf.nn.silu, "x * sigmoid(x)."),
    ("relu6", tf.nn.relu6, "min(max(x, 0), 6)."),
    ("selu", tf.nn.selu, "scale * x where x > 0, else scale * alpha * (exp(x) - 1)."),
    ("log_sigmoid", tf.math.log_sigmoid, "log(sigmoid(x))."),
    ("hard_tanh", lambda x: tf.clip_by_value(x, -1.0, 1.0), "x between -1 and 1."),
    ("hard_sigmoid", lambda x: _hard_sigmoid(operand(x)), "relu6(x + 3) / 6."),
    ("hard_silu hard_swish", _hard_silu, "x * hard_sigmoid(x)."),
    ("mish", lambda x: tf.tanh(tf.nn.softplus(x)) * x, "x * tanh(softplus(x))."),
    ("tanh_shrink", lambda x: tf.subtract(x, tf.tanh(x)), "x - tanh(x)."),
    (
        "sparse_sigmoid",
        lambda x: tf.nn.relu6(3.0 * (operand(x) + 1.0)) / 6.0,  # unlike a clip's, its gradient is 0 at both ends
        "0 up to -1, (x + 1) / 2 between -1 and 1, and 1 from there on.",
    ),
    ("sparse_plus", _sparse_plus, "0 up to -1, ((x + 1) / 2)^2 between -1 and 1, and x from there on."),
):
    _function = _of_one(_names.split()[0], _run, _formula)
    for _name in _names.split():
        public(f"keras.activations.{_name}")(_function)
        globals()[_name] = ACTIVATIONS.objects[_name] = _function


@public("keras.activations.linear")
@ACTIVATIONS.add()
def linear(x: Any) -> Any:
    """x itself.

    >>> import client as tf
    >>> tf.keras.activations.linear(7)
    7
    """
    return x


# --- rectifiers ------------------------------------------------------------------------------------------------------


@public("keras.activations.relu")
@ACTIVATIONS.add()
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """max(x, 0), or x where it is above a threshold, with a slope below and an upper bound if wanted.

    Args:
        x: a tensor of floats.
        negative_slope: the slope from the threshold down: negative_slope * (x - threshold).
        max_value: the largest value; None: no bound.
        threshold: up to here, elements are 0 or on the slope.

    >>> import client as tf
    >>> print(tf.keras.activations.relu([-10.0, 5.0], max_value=4.0).numpy())
    [0. 4.]
    """
    if not threshold and max_value is None:
        return tf.nn.leaky_relu(x, negative_slope) if negative_slope else tf.nn.relu(x)
    if not threshold and max_value == 6:
        upper = tf.nn.relu6(x)
    else:
        x = operand(x)
        upper = tf.where(x > threshold, x, 0) if threshold else tf.nn.relu(x)
        if max_value is not None:
            upper = tf.clip_by_value(upper, 0, max_value)
    if not negative_slope:
        return upper
    return upper - negative_slope * tf.nn.relu(threshold - x if threshold else tf.negative(x))


@public("keras.activations.leaky_relu")
@ACTIVATIONS.add()
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Tensor:
    """x where it is positive, else negative_slope * x.

    >>> import client as tf
    >>> print(tf.keras.activations.leaky_relu([-1.0, 1.0]).numpy())
    [-0.2  1. ]
    """
    return tf.nn.leaky_relu(x, negative_slope)


@public("keras.activations.elu")
@ACTIVATIONS.add()
def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """x where it is positive, else alpha * (exp(x) - 1).

    >>> import client as tf
    >>> print(tf.keras.activations.elu([0.0, 1.0]).numpy())
    [0. 1.]
    """
    found = tf.nn.elu(x)
    return found if alpha == 1.0 else tf.where(found > 0.0, found, alpha * found)


@public("keras.activations.celu")
@ACTIVATIONS.add()
def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0).

    >>> import client as tf
    >>> print(tf.keras.activations.celu([0.0, 1.0]).numpy())
    [0. 1.]
    """
    return tf.nn.relu(x) + alpha * tf.math.expm1(tf.minimum(x, 0.0) / alpha)


@public("keras.activations.gelu")
@ACTIVATIONS.add()
def gelu(x: Any, approximate: bool = False) -> Tensor:
    """x * P(X <= x) for a standard normal X; with `approximate`, by a formula with tanh.

    >>> import client as tf
    >>> print(tf.keras.activations.gelu([0.0]).numpy())
    [0.]
    """
    return tf.nn.gelu(x, approximate)


@public("keras.activations.squareplus")
@ACTIVATIONS.add()
def squareplus(x: Any, b: float = 4) -> Tensor:
    """(x + sqrt(x^2 + b)) / 2.

    >>> import client as tf
    >>> print(tf.keras.activations.squareplus([0.0]).numpy())
    [1.]
    """
    return (tf.sqrt(tf.square(x) + b) + x) / 2.0


# --- thresholds ------------------------------------------------------------------------------------------------------


@public("keras.activations.soft_shrink")
@ACTIVATIONS.add()
def soft_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """x moved towards 0 by `threshold`, and 0 within it.

    >>> import client as tf
    >>> print(tf.keras.activations.soft_shrink([-1.0, 0.1]).numpy())
    [-0.5  0. ]
    """
    return tf.subtract(x, tf.clip_by_value(x, -threshold, threshold))


@public("keras.activations.hard_shrink")
@ACTIVATIONS.add()
def hard_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """x where abs(x) > threshold, else 0.

    >>> import client as tf
    >>> print(tf.keras.activations.hard_shrink([-1.0, 0.1]).numpy())
    [-1.  0.]
    """
    return tf.where(tf.abs(x) > threshold, x, 0.0)


@public("keras.activations.threshold")
@ACTIVATIONS.add()
def threshold(x: Any, threshold: float, default_value: float) -> Tensor:
    """x where it is over the threshold, else `default_value`.

    >>> import client as tf
    >>> print(tf.keras.activations.threshold([-1.0, 2.0], 0.0, 7.0).numpy())
    [7. 2.]
    """
    x = operand(x)
    return tf.where(x > threshold, x, default_value)


# --- along an axis ---------------------------------------------------------------------------------------------------


@public("keras.activations.softmax")
@ACTIVATIONS.add()
def softmax(x: Any, axis: int | tuple[int, ...] | None = -1) -> Tensor:
    """exp(x) / sum(exp(x)) along an axis, several, or (None) all. Warns where an axis has one element.

    >>> import client as tf
    >>> print(tf.keras.activations.softmax([0.0, 0.0]).numpy())
    [0.5 0.5]
    """
    x = operand(x)
    if isinstance(axis, int):
        dims = x._spec.shape
        if dims is not None and -len(dims) <= axis < len(dims) and dims[axis] == 1:
            warnings.warn(
                f"You are using a softmax over axis {axis} of a tensor of shape {dims}. This axis has size 1, so the "
                "result is 1 everywhere. Did you mean to use a sigmoid instead?",
                stacklevel=2,
            )
        return tf.nn.softmax(x, axis)
    return tf.exp(log_softmax(x, axis))


@public("keras.activations.log_softmax")
@ACTIVATIONS.add()
def log_softmax(x: Any, axis: int | tuple[int, ...] | None = -1) -> Tensor:
    """x - log(sum(exp(x))) along an axis, several, or (None) all.

    >>> import client as tf
    >>> print(tf.keras.activations.log_softmax([0.0]).numpy())
    [0.]
    """
    if isinstance(axis, int):
        return tf.nn.log_softmax(x, axis)
    x = operand(x)
    return x - tf.reduce_logsumexp(x, axis=axis, keepdims=True)


@public("keras.activations.sparsemax")
@ACTIVATIONS.add()
def sparsemax(x: Any, axis: int = -1) -> Tensor:
    """The distribution along an axis that is nearest to x: max(x - tau, 0) with the tau that makes the sum 1.

    >>> import client as tf
    >>> print(tf.keras.activations.sparsemax([2.0, 1.5, 0.0]).numpy())
    [0.75 0.25 0.  ]
    """
    x = operand(x)
    ordered = tf.sort(x, axis=axis, direction="DESCENDING")
    # With k elements above it, tau is (their sum - 1) / k; the right k gives the largest of these.
    count = tf.cumsum(tf.ones_like(ordered), axis=axis)
    tau = tf.reduce_max((tf.cumsum(ordered, axis=axis) - 1.0) / count, axis=axis, keepdims=True)
    return tf.nn.relu(x - tau)


@public("keras.activations.glu")
@ACTIVATIONS.add()
def glu(x: Any, axis: int = -1) -> Tensor:
    """a * sigmoid(b) for the two halves a and b of x along `axis`.

    Raises:
        ValueError: the axis has an odd number of elements.

    >>> import client as tf
    >>> print(tf.keras.activations.glu([2.0, 0.0]).numpy())
    [1.]
    """
    x = operand(x)
    dims = x._spec.shape
    if dims is not None and -len(dims) <= axis < len(dims) and (dims[axis] or 0) % 2:
        raise ValueError(f"axis size must be divisible by 2. Received: x.shape={dims} with axis={axis}")
    first, second = tf.split(x, 2, axis)
    return first * tf.sigmoid(second)


# --- by name ---------------------------------------------------------------------------------------------------------


@public("keras.activations.get")
def get(identifier: Any) -> Any:
    """The activation that a name, configuration or callable stands for; `linear` of None.

    Raises:
        ValueError: an unknown name, or something else.

    >>> import client as tf
    >>> tf.keras.activations.get("relu") is tf.keras.activations.relu
    True
    """
    return linear if identifier is None else ACTIVATIONS.get(identifier)


@public("keras.activations.serialize")
def serialize(activation: Any) -> Any:
    """Its name, or its configuration.

    >>> import client as tf
    >>> tf.keras.activations.serialize(tf.keras.activations.relu)
    'relu'
    """
    return ACTIVATIONS.serialize(activation)


@public("keras.activations.deserialize")
def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The activation of a name or configuration.

    >>> import client as tf
    >>> tf.keras.activations.deserialize("tanh") is tf.keras.activations.tanh
    True
    """
    return ACTIVATIONS.deserialize(config, custom_objects)
