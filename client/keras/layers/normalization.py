"""Normalization: of each channel over the batch, or of each example over its channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import client as tf
from client.api import public
from client.keras.layers.core import WeightOptions
from client.keras.layers.input_spec import InputSpec
from client.keras.layers.layer import LAYERS, Layer
from client.tensor import Tensor


class ChannelNormalization(WeightOptions, Layer):
    """What the normalizations share: the weights gamma and beta, and y = x * a + b with a and b computed on few
    elements.
    """

    center: bool
    scale: bool
    epsilon: float
    gamma_initializer: Any
    gamma_regularizer: Any
    gamma_constraint: Any
    beta_initializer: Any
    beta_regularizer: Any
    beta_constraint: Any

    def _scale_and_center(self, shape: tuple[int, ...]) -> None:
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                shape, self.gamma_initializer, name="gamma", regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )  # fmt: skip
        if self.center:
            self.beta = self.add_weight(
                shape, self.beta_initializer, name="beta", regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )  # fmt: skip

    def _normalized(self, x: Tensor, mean: Any, variance: Any, shape: Sequence[int] | None) -> Tensor:
        """(x - mean) / sqrt(variance + epsilon) * gamma + beta; gamma and beta in `shape`."""
        gamma, beta = self.gamma, self.beta
        if shape is not None:
            gamma = None if gamma is None else tf.reshape(gamma, shape)
            beta = None if beta is None else tf.reshape(beta, shape)
        inverse = tf.math.rsqrt(variance + self.epsilon)
        if gamma is not None:
            inverse = inverse * gamma
        shift = -mean * inverse if beta is None else beta - mean * inverse
        return x * inverse + shift

    def _widened(self, x: Tensor) -> Tensor:
        """Halves are normalized in single precision."""
        return tf.cast(x, tf.float32) if x.dtype in (tf.float16, tf.bfloat16) else x

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the input."""
        for axis in (self.axis,) if isinstance(self.axis, int) else self.axis:
            if not -len(input_shape) <= axis < len(input_shape):
                raise ValueError(
                    f"Axis {axis} is out of bounds for input shape {tuple(input_shape)}. Received: axis={self.axis}"
                )
        return tuple(input_shape)

    axis: Any


@public("keras.layers.BatchNormalization")
@LAYERS.add()
class BatchNormalization(ChannelNormalization):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta for each channel.

    In training, mean and variance are those of the batch, and moving averages of them are kept; otherwise, and when the
    layer is not trainable, those averages are used. Nothing waits.

    Args:
        axis: the axis of the channels.
        momentum: of the moving averages: new = old * momentum + batch's * (1 - momentum).
        epsilon: added to the variance.
        center: whether there is a beta; `scale`: whether there is a gamma.
        scale: see `center`.
        beta_initializer: what gives beta's first value; the other initializers, regularizers and constraints likewise.
        renorm: batch renormalization: not supported.
        synchronized: ignored.
        kwargs: `name`, `dtype`, `trainable`, ...

    Raises:
        ValueError: `renorm`; an axis that the input has not.

    >>> import client as tf
    >>> layer = tf.keras.layers.BatchNormalization()
    >>> y = layer(tf.constant([[1.0], [3.0]]), training=True)
    >>> print(y.numpy().round(2).tolist(), layer.moving_mean.numpy())
    [[-1.0], [1.0]] [0.02]
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if renorm:
            raise ValueError("batch renormalization (`renorm=True`) is not supported")
        self._remember(
            axis=int(axis), momentum=float(momentum), epsilon=float(epsilon), center=center, scale=scale,
            beta_initializer=beta_initializer, gamma_initializer=gamma_initializer,
            moving_mean_initializer=moving_mean_initializer, moving_variance_initializer=moving_variance_initializer,
            beta_regularizer=beta_regularizer, gamma_regularizer=gamma_regularizer, beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint, synchronized=synchronized,
        )  # fmt: skip
        self.supports_masking = True

    momentum: float
    moving_mean_initializer: Any
    moving_variance_initializer: Any

    def build(self, input_shape: Any) -> None:
        """Make gamma, beta and the moving averages, one number a channel."""
        self.compute_output_shape(input_shape)
        rank, dim = len(input_shape), input_shape[self.axis]
        self._scale_and_center((dim,))
        self.moving_mean = self.add_weight((dim,), self.moving_mean_initializer, trainable=False, name="moving_mean")
        self.moving_variance = self.add_weight(
            (dim,), self.moving_variance_initializer, trainable=False, name="moving_variance"
        )
        at = self.axis % rank
        self.input_spec = InputSpec(ndim=rank, axes={self.axis: dim})
        self._self_axes = tuple(i for i in range(rank) if i != at)
        self._self_shape = None if at == rank - 1 else tuple(dim if i == at else 1 for i in range(rank))

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        """The output, of the input's shape."""
        x = self._widened(inputs)
        if training and self.trainable:
            mean, variance = self._moments(x, mask)
            for average, new in ((self.moving_mean, mean), (self.moving_variance, variance)):
                with tf.init_scope():  # the averages are no part of a gradient
                    average.assign_sub((average - new) * (1.0 - self.momentum))
        else:
            mean, variance = self.moving_mean, self.moving_variance  # type: ignore[assignment]
        if self._self_shape is not None:
            mean, variance = tf.reshape(mean, self._self_shape), tf.reshape(variance, self._self_shape)
        return tf.cast(self._normalized(x, mean, variance, self._self_shape), inputs.dtype)

    def _moments(self, x: Tensor, mask: Any) -> tuple[Tensor, Tensor]:
        if mask is None:
            return tf.nn.moments(x, self._self_axes)
        weights = tf.broadcast_to(
            tf.reshape(tf.cast(mask, x.dtype), [*mask.shape, *[1] * (len(x.shape) - len(mask.shape))]), tf.shape(x)
        )
        total = tf.reduce_sum(weights, self._self_axes) + 1e-7
        mean = tf.reduce_sum(weights * x, self._self_axes) / total
        spread = mean if self._self_shape is None else tf.reshape(mean, self._self_shape)
        return mean, tf.reduce_sum(weights * tf.square(x - spread), self._self_axes) / total

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), **self._options()}


@public("keras.layers.LayerNormalization")
@LAYERS.add()
class LayerNormalization(ChannelNormalization):
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta, with the mean and variance of each example over `axis`.

    Args:
        axis: the axis, or axes, to normalize over.
        epsilon: added to the variance.
        center: whether there is a beta.
        scale: whether there is a gamma.
        beta_initializer: what gives beta's first value; the other initializers, regularizers and constraints likewise.
        kwargs: `name`, `dtype`, ...

    >>> import client as tf
    >>> y = tf.keras.layers.LayerNormalization()(tf.constant([[1.0, 3.0]]))
    >>> print(y.numpy().round(2).tolist())
    [[-1.0, 1.0]]
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._remember(
            axis=axis if isinstance(axis, int) else list(axis), epsilon=epsilon, center=center, scale=scale,
            beta_initializer=beta_initializer, gamma_initializer=gamma_initializer, beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer, beta_constraint=beta_constraint, gamma_constraint=gamma_constraint,
        )  # fmt: skip
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make gamma and beta, of the dims normalized over."""
        self.compute_output_shape(input_shape)
        rank = len(input_shape)
        axes = tuple(sorted(a % rank for a in ((self.axis,) if isinstance(self.axis, int) else self.axis)))
        self._scale_and_center(tuple(input_shape[a] for a in axes))
        self._self_axes = axes
        last = axes == tuple(range(rank - len(axes), rank))
        self._self_shape = None if last else tuple(d if i in axes else 1 for i, d in enumerate(input_shape))

    def call(self, inputs: Tensor) -> Tensor:
        """The output, of the input's shape."""
        x = self._widened(inputs)
        mean, variance = tf.nn.moments(x, self._self_axes, keepdims=True)
        return tf.cast(self._normalized(x, mean, variance, self._self_shape), inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), **self._options()}


@public("keras.layers.GroupNormalization")
@LAYERS.add()
class GroupNormalization(ChannelNormalization):
    """Normalization of each example over groups of channels and all other axes.

    Args:
        groups: the number of groups; -1: one for each channel.
        axis: the axis of the channels.
        epsilon: added to the variance.
        center: whether there is a beta.
        scale: whether there is a gamma.
        beta_initializer: what gives beta's first value; the other initializers, regularizers and constraints likewise.
        kwargs: `name`, `dtype`, ...

    Raises:
        ValueError: the channels are not known, or their number is no multiple of `groups`.

    >>> import client as tf
    >>> y = tf.keras.layers.GroupNormalization(2)(tf.constant([[1.0, 3.0, 5.0, 9.0]]))
    >>> print(y.numpy().round(2).tolist())
    [[-1.0, 1.0, -1.0, 1.0]]
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._remember(
            groups=groups, axis=axis, epsilon=epsilon, center=center, scale=scale,
            beta_initializer=beta_initializer, gamma_initializer=gamma_initializer, beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer, beta_constraint=beta_constraint, gamma_constraint=gamma_constraint,
        )  # fmt: skip
        self.supports_masking = True

    groups: int

    def build(self, input_shape: Any) -> None:
        """Make gamma and beta, one number a channel."""
        dim = input_shape[self.axis]
        if dim is None:
            raise ValueError(
                f"Axis {self.axis} of input tensor should have a defined dimension but the layer received an input "
                f"with shape {tuple(input_shape)}."
            )
        if self.groups == -1:
            self.groups = dim
        if dim < self.groups:
            raise ValueError(f"Number of groups ({self.groups}) cannot be more than the number of channels ({dim}).")
        if dim % self.groups:
            raise ValueError(f"Number of groups ({self.groups}) must be a multiple of the number of channels ({dim}).")
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: dim})
        self._scale_and_center((dim,))

    def call(self, inputs: Tensor) -> Tensor:
        """The output, of the input's shape."""
        x = self._widened(inputs)
        known = x._spec.shape
        assert known is not None
        rank = len(known)
        at = self.axis % rank
        dynamic = tf.shape(x)
        dims = [dynamic[i] if d is None else d for i, d in enumerate(known)]
        width = known[at] // self.groups  # type: ignore[operator]
        grouped = tf.reshape(x, [-1 if known[0] is None else dims[0], *dims[1:at], self.groups, width, *dims[at + 1 :]])
        axes = [a for a in range(1, rank + 1) if a != at]
        mean, variance = tf.nn.moments(grouped, axes, keepdims=True)
        shape = [1] * (rank + 1)
        shape[at], shape[at + 1] = self.groups, width
        found = self._normalized(grouped, mean, variance, shape)
        return tf.cast(tf.reshape(found, [-1 if known[0] is None else dims[0], *dims[1:]]), inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), **self._options()}


@public("keras.layers.UnitNormalization")
@LAYERS.add()
class UnitNormalization(Layer):
    """x / |x|, the norm taken over `axis`.

    Args:
        axis: the axis, or axes.
        kwargs: `name`, ...

    >>> import client as tf
    >>> print(tf.keras.layers.UnitNormalization()(tf.constant([[3.0, 4.0]])).numpy())
    [[0.6 0.8]]
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """The output, of the input's shape."""
        return tf.math.l2_normalize(inputs, axis=self.axis)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "axis": self.axis}
