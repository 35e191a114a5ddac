"""Activations as layers."""

from __future__ import annotations

from typing import Any

import client as tf
from client.api import public
from client.keras import activations
from client.keras.layers.core import WeightOptions
from client.keras.layers.input_spec import InputSpec
from client.keras.layers.layer import LAYERS, Layer
from client.tensor import Tensor


def _positive(value: Any, name: str) -> float:
    if value is None or value < 0:
        raise ValueError(f"{name} must be a number that is not negative. Received: {name}={value}")
    return float(value)


@public("keras.layers.ReLU")
@LAYERS.add()
class ReLU(Layer):
    """max(x, 0), with a slope below a threshold and an upper bound if wanted.

    Args:
        max_value: the largest value; None: no bound.
        negative_slope: the slope below the threshold.
        threshold: below it, elements are 0 or on the slope.
        kwargs: `name`, ...

    Raises:
        ValueError: a negative argument.

    >>> import client as tf
    >>> print(tf.keras.layers.ReLU(max_value=1.0)(tf.constant([-1.0, 0.5, 3.0])).numpy())
    [0.  0.5 1. ]
    """

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else _positive(max_value, "max_value")
        self.negative_slope = _positive(negative_slope, "negative_slope")
        self.threshold = _positive(threshold, "threshold")
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        names = ("max_value", "negative_slope", "threshold")
        return {**super().get_config(), **{n: getattr(self, n) for n in names}}


@public("keras.layers.LeakyReLU")
@LAYERS.add()
class LeakyReLU(Layer):
    """x where it is positive, else negative_slope * x.

    Args:
        negative_slope: the slope; TensorFlow 2.4's `alpha` works too.
        kwargs: `name`, ...

    >>> import client as tf
    >>> print(tf.keras.layers.LeakyReLU(0.5)(tf.constant([-1.0, 2.0])).numpy())
    [-0.5  2. ]
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        negative_slope = kwargs.pop("alpha", negative_slope)
        super().__init__(**kwargs)
        self.negative_slope = _positive(negative_slope, "negative_slope")
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        return tf.nn.leaky_relu(inputs, self.negative_slope)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "negative_slope": self.negative_slope}


@public("keras.layers.ELU")
@LAYERS.add()
class ELU(Layer):
    """x where it is positive, else alpha * (exp(x) - 1).

    Args:
        alpha: the factor.
        kwargs: `name`, ...

    >>> import client as tf
    >>> print(tf.keras.layers.ELU()(tf.constant([0.0, 2.0])).numpy())
    [0. 2.]
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = alpha
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        return activations.elu(inputs, self.alpha)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "alpha": self.alpha}


@public("keras.layers.PReLU")
@LAYERS.add()
class PReLU(WeightOptions, Layer):
    """x where it is positive, else alpha * x with a weight alpha for each place.

    Args:
        alpha_initializer: what gives alpha's first value; the regularizer and constraint likewise.
        shared_axes: axes, counted from 1, along which alpha is the same.
        kwargs: `name`, ...

    >>> import client as tf
    >>> print(tf.keras.layers.PReLU(alpha_initializer="ones")(tf.constant([[-1.0, 2.0]])).numpy())
    [[-1.  2.]]
    """

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        shared = None if shared_axes is None else [shared_axes] if isinstance(shared_axes, int) else list(shared_axes)
        self._remember(
            alpha_initializer=alpha_initializer, alpha_regularizer=alpha_regularizer,
            alpha_constraint=alpha_constraint, shared_axes=shared,
        )  # fmt: skip
        self.supports_masking = True

    alpha_initializer: Any
    alpha_regularizer: Any
    alpha_constraint: Any
    shared_axes: list[int] | None

    def build(self, input_shape: Any) -> None:
        """Make alpha, of the input's shape without the batch."""
        shape = list(input_shape[1:])
        for axis in self.shared_axes or ():
            shape[axis - 1] = 1
        self.alpha = self.add_weight(
            tuple(shape), self.alpha_initializer, name="alpha", regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )  # fmt: skip
        axes = {i: input_shape[i] for i in range(1, len(input_shape)) if i not in (self.shared_axes or ())}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        return tf.nn.relu(inputs) - self.alpha * tf.nn.relu(-inputs)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), **self._options()}


@public("keras.layers.Softmax")
@LAYERS.add()
class Softmax(Layer):
    """exp(x) / sum(exp(x)) along an axis, or several; with a mask, of what it lets through.

    Args:
        axis: the axis, or axes.
        kwargs: `name`, ...

    >>> import client as tf
    >>> print(tf.keras.layers.Softmax()(tf.constant([[0.0, 0.0]])).numpy())
    [[0.5 0.5]]
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis
        self.supports_masking = True

    def call(self, inputs: Tensor, mask: Any = None) -> Tensor:
        """The output; 0 where `mask`, which broadcasts to the inputs, is False.

        Raises:
            ValueError: a mask that is larger than the inputs.
        """
        axis = tuple(self.axis) if isinstance(self.axis, list | tuple) else self.axis
        axis = axis[0] if isinstance(axis, tuple) and len(axis) == 1 else axis
        if mask is None:
            return activations.softmax(inputs, axis)
        mask = tf.convert_to_tensor(mask)
        if mask.dtype != tf.bool:
            mask = mask > tf.constant(0.5 if mask.dtype.is_floating else 0, mask.dtype)
        pairs = zip(reversed(mask.shape), reversed(inputs.shape), strict=False)
        if len(mask.shape) > len(inputs.shape) or any(m not in (1, n) and None not in (m, n) for m, n in pairs):
            raise ValueError(
                "The `mask` must be broadcastable to `inputs`: of no more dimensions, each of which is 1 or that of "
                f"the inputs. Received: inputs.shape={inputs.shape}, mask.shape={mask.shape}"
            )
        lowest = tf.constant(-3e4 if inputs.dtype == tf.float16 else -1e9, inputs.dtype)
        found = activations.softmax(tf.where(mask, inputs, lowest), axis)
        return tf.where(mask, found, tf.zeros([], found.dtype))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "axis": self.axis}
