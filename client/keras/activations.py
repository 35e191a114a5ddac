"""Activations: functions of a tensor that layers apply to their outputs.

Owns: the functions, and finding one by name. Each is one op where there is such an op.
"""

from __future__ import annotations

from typing import Any, Final

import client as tf
from client.api import public
from client.keras.serialization import Registry
from client.tensor import Tensor

ACTIVATIONS: Final = Registry("activation function")


def _offer(name: str, function: Any, *aliases: str) -> None:
    """Offer an op as it stands under Keras' name."""
    public(f"keras.activations.{name}")(function)
    for each in (name, *aliases):
        ACTIVATIONS.objects[each] = function


def _simple(name: str, run: Any, what: str) -> Any:
    """An activation without parameters, under a name of its own."""

    def function(x: Any) -> Tensor:
        return run(x)  # type: ignore[no-any-return]

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{what}

    >>> import client as tf
    >>> tf.keras.activations.{name}([[1.0]]).shape
    TensorShape([1, 1])
    """
    return function


for _name, _run, _what in (
    ("sigmoid", tf.nn.sigmoid, "1 / (1 + exp(-x))."),
    ("tanh", tf.tanh, "The hyperbolic tangent of x."),
    ("exponential", tf.exp, "exp(x)."),
    ("softplus", tf.nn.softplus, "log(1 + exp(x))."),
    ("softsign", tf.nn.softsign, "x / (1 + |x|)."),
    ("silu", tf.nn.silu, "x * sigmoid(x)."),
    ("relu6", tf.nn.relu6, "min(max(x, 0), 6)."),
    ("selu", tf.nn.selu, "scale * x where x > 0, else scale * alpha * (exp(x) - 1)."),
    ("log_sigmoid", tf.math.log_sigmoid, "log(sigmoid(x))."),
    ("linear", lambda x: x, "x itself."),
    ("mish", lambda x: x * tf.tanh(tf.nn.softplus(x)), "x * tanh(softplus(x))."),
    ("hard_sigmoid", lambda x: tf.nn.relu6(tf.convert_to_tensor(x) + 3.0) / 6.0, "relu6(x + 3) / 6."),
    (
        "hard_silu",
        lambda x: tf.convert_to_tensor(x) * (tf.nn.relu6(tf.convert_to_tensor(x) + 3.0) / 6.0),
        "x * hard_sigmoid(x).",
    ),
    ("hard_tanh", lambda x: tf.clip_by_value(x, -1.0, 1.0), "x between -1 and 1."),
    ("tanh_shrink", lambda x: x - tf.tanh(x), "x - tanh(x)."),
):
    _function = _simple(_name, _run, _what)
    globals()[_name] = _function
    _offer(_name, _function)

for _alias, _name in (("swish", "silu"), ("hard_swish", "hard_silu")):
    globals()[_alias] = globals()[_name]
    _offer(_alias, globals()[_name])


@public("keras.activations.relu")
@ACTIVATIONS.add()
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Tensor:
    """max(x, 0), with a slope below `threshold` and an upper bound if wanted.

    Args:
        x: a tensor of floats.
        negative_slope: the slope below the threshold: negative_slope * (x - threshold).
        max_value: the largest value; None: no bound.
        threshold: below it, elements are 0 or on the slope.

    >>> import client as tf
    >>> print(tf.keras.activations.relu([-10.0, 5.0], max_value=4.0).numpy())
    [0. 4.]
    """
    if not negative_slope and max_value is None and not threshold:
        return tf.nn.relu(x)  # type: ignore[no-any-return]
    x = tf.convert_to_tensor(x)
    if negative_slope and not threshold and max_value is None:
        return tf.nn.leaky_relu(x, negative_slope)  # type: ignore[no-any-return]
    below = negative_slope * (x - threshold) if negative_slope else tf.zeros_like(x)
    found = tf.where(x >= threshold if max_value is None or threshold else x > threshold, x, below)
    return found if max_value is None else tf.minimum(found, max_value)  # type: ignore[no-any-return]


@public("keras.activations.leaky_relu")
@ACTIVATIONS.add()
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Tensor:
    """x where it is positive, else negative_slope * x.

    >>> import client as tf
    >>> print(tf.keras.activations.leaky_relu([-1.0, 1.0]).numpy())
    [-0.2  1. ]
    """
    return tf.nn.leaky_relu(x, negative_slope)  # type: ignore[no-any-return]


@public("keras.activations.elu")
@ACTIVATIONS.add()
def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """x where it is positive, else alpha * (exp(x) - 1).

    >>> import client as tf
    >>> print(tf.keras.activations.elu([0.0, 1.0]).numpy())
    [0. 1.]
    """
    found = tf.nn.elu(x)
    return found if alpha == 1.0 else tf.where(found > 0.0, found, alpha * found)  # type: ignore[no-any-return]


@public("keras.activations.celu")
@ACTIVATIONS.add()
def celu(x: Any, alpha: float = 1.0) -> Tensor:
    """max(x, 0) + min(alpha * (exp(x / alpha) - 1), 0).

    >>> import client as tf
    >>> print(tf.keras.activations.celu([0.0, 1.0]).numpy())
    [0. 1.]
    """
    x = tf.convert_to_tensor(x)
    return tf.nn.relu(x) + alpha * tf.math.expm1(tf.minimum(x, 0.0) / alpha)  # type: ignore[no-any-return]


@public("keras.activations.gelu")
@ACTIVATIONS.add()
def gelu(x: Any, approximate: bool = False) -> Tensor:
    """x * P(X <= x) for a standard normal X; with `approximate`, by a formula with tanh.

    >>> import client as tf
    >>> print(tf.keras.activations.gelu([0.0]).numpy())
    [0.]
    """
    return tf.nn.gelu(x, approximate)  # type: ignore[no-any-return]


@public("keras.activations.glu")
@ACTIVATIONS.add()
def glu(x: Any, axis: int = -1) -> Tensor:
    """a * sigmoid(b) for the two halves a and b of x along `axis`.

    >>> import client as tf
    >>> print(tf.keras.activations.glu([2.0, 0.0]).numpy())
    [1.]
    """
    first, second = tf.split(tf.convert_to_tensor(x), 2, axis)
    return first * tf.sigmoid(second)  # type: ignore[no-any-return]


@public("keras.activations.softmax")
@ACTIVATIONS.add()
def softmax(x: Any, axis: int | tuple[int, ...] = -1) -> Tensor:
    """exp(x) / sum(exp(x)) along an axis, or several.

    >>> import client as tf
    >>> print(tf.keras.activations.softmax([0.0, 0.0]).numpy())
    [0.5 0.5]
    """
    if isinstance(axis, int):
        return tf.nn.softmax(x, axis)  # type: ignore[no-any-return]
    x = tf.convert_to_tensor(x)
    return tf.exp(x - tf.reduce_logsumexp(x, axis=axis, keepdims=True))  # type: ignore[no-any-return]


@public("keras.activations.log_softmax")
@ACTIVATIONS.add()
def log_softmax(x: Any, axis: int = -1) -> Tensor:
    """x - log(sum(exp(x))) along an axis.

    >>> import client as tf
    >>> print(tf.keras.activations.log_softmax([0.0]).numpy())
    [0.]
    """
    return tf.nn.log_softmax(x, axis)  # type: ignore[no-any-return]


@public("keras.activations.soft_shrink")
@ACTIVATIONS.add()
def soft_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """x moved towards 0 by `threshold`, and 0 within it.

    >>> import client as tf
    >>> print(tf.keras.activations.soft_shrink([-1.0, 0.1]).numpy())
    [-0.5  0. ]
    """
    x = tf.convert_to_tensor(x)
    return tf.nn.relu(x - threshold) - tf.nn.relu(-x - threshold)  # type: ignore[no-any-return]


@public("keras.activations.hard_shrink")
@ACTIVATIONS.add()
def hard_shrink(x: Any, threshold: float = 0.5) -> Tensor:
    """x where |x| > threshold, else 0.

    >>> import client as tf
    >>> print(tf.keras.activations.hard_shrink([-1.0, 0.1]).numpy())
    [-1.  0.]
    """
    x = tf.convert_to_tensor(x)
    return tf.where(tf.abs(x) > threshold, x, 0.0)  # type: ignore[no-any-return]


@public("keras.activations.threshold")
@ACTIVATIONS.add()
def threshold(x: Any, threshold: float, default_value: float) -> Tensor:
    """x where it is over the threshold, else `default_value`.

    >>> import client as tf
    >>> print(tf.keras.activations.threshold([1.0, 3.0], 2.0, 0.0).numpy())
    [0. 3.]
    """
    x = tf.convert_to_tensor(x)
    return tf.where(x > threshold, x, default_value)  # type: ignore[no-any-return]


@public("keras.activations.squareplus")
@ACTIVATIONS.add()
def squareplus(x: Any, b: float = 4) -> Tensor:
    """(x + sqrt(x^2 + b)) / 2.

    >>> import client as tf
    >>> print(tf.keras.activations.squareplus([0.0]).numpy())
    [1.]
    """
    x = tf.convert_to_tensor(x)
    return (x + tf.sqrt(tf.square(x) + b)) / 2.0  # type: ignore[no-any-return]


@public("keras.activations.sparse_plus")
@ACTIVATIONS.add()
def sparse_plus(x: Any) -> Tensor:
    """0 up to -1, ((x + 1) / 2)^2 between -1 and 1, and x from there on.

    >>> import client as tf
    >>> print(tf.keras.activations.sparse_plus([-2.0, 0.0, 2.0]).numpy())
    [0.   0.25 2.  ]
    """
    x = tf.convert_to_tensor(x)
    return tf.where(x <= -1.0, 0.0, tf.where(x < 1.0, tf.square(x + 1.0) * 0.25, x))  # type: ignore[no-any-return]


@public("keras.activations.get")
def get(identifier: Any) -> Any:
    """The activation that a name, configuration or callable stands for; None of None. Raises ValueError.

    >>> import client as tf
    >>> tf.keras.activations.get("relu") is tf.keras.activations.relu
    True
    """
    return ACTIVATIONS.get(identifier)


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
