"""Normalization: of each channel over the batch, or of each example over its channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import client as tf
from client.api import public
from client.keras.layers.core import WeightOptions
from client.keras.layers.input_spec import InputSpec
from client.keras.layers.layer import LAYERS, Layer
from client.keras.weights import Weight
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
        return self._transformed(x, mean, variance, *self._weights_for(x), shape)

    def _weights_for(self, x: Tensor) -> tuple[Any, Any]:
        """gamma and beta in the dtype of the computation."""
        gamma, beta = self.gamma, self.beta
        if x.dtype is not self.dtype:
            gamma = None if gamma is None else tf.cast(gamma, x.dtype)
            beta = None if beta is None else tf.cast(beta, x.dtype)
        return gamma, beta

    def _transformed(self, x: Tensor, mean: Any, variance: Any, gamma: Any, beta: Any, shape: Any) -> Tensor:
        if shape is not None:
            gamma = None if gamma is None else tf.reshape(gamma, shape)
            beta = None if beta is None else tf.reshape(beta, shape)
        inverse = tf.math.rsqrt(variance + self.epsilon)
        if gamma is not None:
            inverse = inverse * gamma
        shift = -mean * inverse if beta is None else beta - mean * inverse
        return x * inverse + shift

    def _widened(self, x: Tensor) -> Tensor:
        """Halves and integers are normalized in single precision."""
        return x if x.dtype in (tf.float32, tf.float64) else tf.cast(x, tf.float32)

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
        renorm: whether to correct the batch's mean and deviation to moving ones, in training (Ioffe, 2017).
        renorm_clipping: limits of the correction: a dict of `rmax`, `rmin`, `dmax`.
        renorm_momentum: of those moving averages.
        synchronized: ignored.
        kwargs: `name`, `dtype`, `trainable`, ...

    Raises:
        ValueError: wrong limits in `renorm_clipping`; an axis that the input has not; a mask that is not of the
            input's rank less one.

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
            _check_clipping(renorm_clipping or {})
        self._remember(
            axis=int(axis), momentum=float(momentum), epsilon=float(epsilon), center=center, scale=scale,
            beta_initializer=beta_initializer, gamma_initializer=gamma_initializer,
            moving_mean_initializer=moving_mean_initializer, moving_variance_initializer=moving_variance_initializer,
            beta_regularizer=beta_regularizer, gamma_regularizer=gamma_regularizer, beta_constraint=beta_constraint,
            gamma_constraint=gamma_constraint, synchronized=synchronized, renorm=renorm,
            renorm_clipping=renorm_clipping, renorm_momentum=renorm_momentum,
        )  # fmt: skip
        self.supports_masking = True

    momentum: float
    moving_mean_initializer: Any
    moving_variance_initializer: Any
    renorm: bool
    renorm_clipping: Any
    renorm_momentum: float

    def build(self, input_shape: Any) -> None:
        """Make gamma, beta and the moving averages, one number a channel."""
        self.compute_output_shape(input_shape)
        rank, dim = len(input_shape), input_shape[self.axis]
        self._scale_and_center((dim,))

        def kept(name: str, initializer: Any) -> Weight:
            return self.add_weight((dim,), initializer, trainable=False, name=name)

        self.moving_mean = kept("moving_mean", self.moving_mean_initializer)
        self.moving_variance = kept("moving_variance", self.moving_variance_initializer)
        if self.renorm:
            first = tf.sqrt(self.moving_variance_initializer((dim,), dtype=self.dtype))
            self.moving_stddev = kept("moving_stddev", lambda shape, dtype: first)
            self.renorm_mean = kept("renorm_mean", self.moving_mean_initializer)
            self.renorm_stddev = kept("renorm_stddev", lambda shape, dtype: first)
        at = self.axis % rank
        self.input_spec = InputSpec(ndim=rank, axes={self.axis: dim})
        self._self_axes = tuple(i for i in range(rank) if i != at)
        self._self_shape = None if at == rank - 1 else tuple(dim if i == at else 1 for i in range(rank))

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        """The output, of the input's shape."""
        if mask is not None and len(mask.shape) != len(inputs.shape) - 1:
            raise ValueError(
                "The mask provided should be one dimension less than the inputs. Received: "
                f"mask.shape={tuple(mask.shape)}, inputs.shape={tuple(inputs.shape)}"
            )
        x = self._widened(inputs)
        gamma, beta = self._weights_for(x)
        if training and self.trainable:
            mean, variance = self._moments(x, mask)
            with tf.init_scope():  # what is kept is no part of a gradient
                r, d = self._kept(mean, variance)
            if r is not None:
                shift = d if gamma is None else d * gamma
                gamma, beta = r if gamma is None else r * gamma, shift if beta is None else shift + beta
        else:
            mean, variance = self.moving_mean, self.moving_variance  # type: ignore[assignment]
            if x.dtype is not self.dtype:
                mean, variance = tf.cast(mean, x.dtype), tf.cast(variance, x.dtype)
        shape = self._self_shape
        if shape is not None:
            mean, variance = tf.reshape(mean, shape), tf.reshape(variance, shape)
        return tf.cast(self._transformed(x, mean, variance, gamma, beta, shape), self.compute_dtype)

    def _moments(self, x: Tensor, mask: Any) -> tuple[Tensor, Tensor]:
        if mask is None:
            return tf.nn.moments(x, self._self_axes)
        seen = tf.broadcast_to(tf.cast(mask, tf.bool)[..., tf.newaxis], tf.shape(x))
        zero = tf.zeros([], x.dtype)
        total = tf.reduce_sum(tf.cast(seen, x.dtype), self._self_axes, keepdims=True) + 1e-7
        mean = tf.reduce_sum(tf.where(seen, x, zero), self._self_axes, keepdims=True) / total
        squares = tf.square(tf.where(seen, x - mean, zero))
        variance = tf.reduce_sum(squares, self._self_axes, keepdims=True) / total
        return tf.reshape(mean, [-1]), tf.reshape(variance, [-1])

    def _kept(self, mean: Tensor, variance: Tensor) -> tuple[Any, Any]:
        """Update all that is kept. Returns the factor and the shift of renormalization, or None and None."""
        _move(self.moving_mean, mean, self.momentum)
        if not self.renorm:
            _move(self.moving_variance, variance, self.momentum)
            return None, None
        limits = self.renorm_clipping or {}
        deviation = tf.sqrt(variance + self.epsilon)
        kept = tf.maximum(self.renorm_stddev, math.sqrt(self.epsilon))
        r, d = deviation / kept, (mean - self.renorm_mean) / kept
        if limits.get("rmin") is not None:
            r = tf.maximum(r, limits["rmin"])
        if limits.get("rmax") is not None:
            r = tf.minimum(r, limits["rmax"])
        if limits.get("dmax") is not None:
            d = tf.clip_by_value(d, -limits["dmax"], limits["dmax"])
        _move(self.renorm_mean, mean, self.renorm_momentum)
        _move(self.renorm_stddev, deviation, self.renorm_momentum)
        _move(self.moving_stddev, deviation, self.momentum)
        self.moving_variance.assign(tf.nn.relu(tf.square(self.moving_stddev) - self.epsilon))
        return r, d

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), **self._options()}


def _move(average: Weight, value: Tensor, momentum: float) -> None:
    """average * momentum + value * (1 - momentum)."""
    average.assign_sub(tf.cast((average - value) * (1.0 - momentum), average.dtype))


def _check_clipping(limits: dict[str, Any]) -> None:
    keys = ["rmax", "rmin", "dmax"]
    if set(limits) - set(keys):
        raise ValueError(f"Received invalid keys for `renorm_clipping` argument: {limits}. Supported values: {keys}.")
    rmax, rmin, dmax = (limits.get(k) for k in keys)
    if rmax is not None and rmin is not None and rmax < rmin:
        raise ValueError(
            f"rmax should be greater than rmin in the `renorm_clipping` argument. Received: rmax={rmax}, rmin={rmin}."
        )
    if dmax is not None and dmax < 0:
        raise ValueError(f"dmax should be non-negative in the `renorm_clipping` argument. Received: dmax={dmax}.")


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
        kwargs: `name`, `dtype`, ...; `rms_scaling`: whether to divide by the deviation alone, without mean and beta.

    Raises:
        TypeError: `axis` is neither a number nor a list.
        ValueError: an axis that the input has not.

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
        rms_scaling = kwargs.pop("rms_scaling", False)
        super().__init__(**kwargs)
        if not isinstance(axis, int | list | tuple):
            raise TypeError(f"Expected an int or a list/tuple of ints for the argument 'axis', but received: {axis!r}")
        self._remember(
            axis=axis if isinstance(axis, int) else list(axis), epsilon=epsilon, rms_scaling=rms_scaling, center=center,
            scale=scale,
            beta_initializer=beta_initializer, gamma_initializer=gamma_initializer, beta_regularizer=beta_regularizer,
            gamma_regularizer=gamma_regularizer, beta_constraint=beta_constraint, gamma_constraint=gamma_constraint,
        )  # fmt: skip
        self.scale, self.center = scale or rms_scaling, center and not rms_scaling
        self.supports_masking = True

    rms_scaling: bool

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
        if self.rms_scaling:
            mean = tf.zeros([], x.dtype)
        return tf.cast(self._normalized(x, mean, variance, self._self_shape), self.compute_dtype)

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
        ValueError: a wrong `groups`; the channels are not known, or their number is no multiple of `groups`.

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
        if not isinstance(groups, int) or (groups <= 0 and groups != -1):
            raise ValueError(
                "Received an invalid value for argument `groups`, expected a positive integer (or `-1` for instance "
                f"normalization). Received: groups={groups}"
            )
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
        return tf.cast(tf.reshape(found, [-1 if known[0] is None else dims[0], *dims[1:]]), self.compute_dtype)

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

    Raises:
        TypeError: `axis` is neither a number nor a list.

    >>> import client as tf
    >>> print(tf.keras.layers.UnitNormalization()(tf.constant([[3.0, 4.0]])).numpy())
    [[0.6 0.8]]
    """

    def __init__(self, axis: Any = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, int | list | tuple):
            raise TypeError(
                f"Invalid value for `axis` argument: expected an int or a list/tuple of ints. Received: axis={axis}"
            )
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """The output, of the input's shape."""
        inverse = tf.math.rsqrt(tf.reduce_sum(tf.square(inputs), axis=self.axis, keepdims=True))
        return inputs * tf.minimum(inverse, 1e12)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "axis": self.axis}
