"""Layers that the others are like: Dense, Flatten, Activation, Lambda, Dropout."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import client as tf
from client.api import public
from client.keras import activations, constraints, initializers, regularizers
from client.keras.layers.input_spec import InputSpec
from client.keras.layers.layer import LAYERS, Layer
from client.keras.layers.seeds import SeedStream
from client.tensor import Tensor


class WeightOptions:
    """The arguments that layers with a kernel and a bias share, and their configuration."""

    activation: Any
    use_bias: bool
    kernel_initializer: Any
    kernel_regularizer: Any
    kernel_constraint: Any
    bias_initializer: Any
    bias_regularizer: Any
    bias_constraint: Any

    def _take(self, activation: Any, use_bias: bool, **options: Any) -> None:
        """`_remember` with the arguments that most of them have."""
        self._remember(activation=activation, use_bias=use_bias, **options)

    def _remember(self, **options: Any) -> None:
        """Set attributes; those whose names end in `initializer` and so on, to the object that the value names."""
        for name, value in options.items():
            kind = _KINDS.get(name.rpartition("_")[2])
            setattr(self, name, value if kind is None else kind.get(value))
        self._self_options = tuple(options)

    def _options(self) -> dict[str, Any]:
        """Their configuration."""
        found: dict[str, Any] = {}
        for name in self._self_options:
            kind = _KINDS.get(name.rpartition("_")[2])
            value = getattr(self, name)
            found[name] = value if kind is None else kind.serialize(value)
        return found


_KINDS: dict[str, Any] = {
    "initializer": initializers,
    "regularizer": regularizers,
    "constraint": constraints,
    "activation": activations,
}


@public("keras.layers.Dense")
@LAYERS.add()
class Dense(WeightOptions, Layer):
    """activation(inputs @ kernel + bias), over the last axis.

    Args:
        units: the size of the output's last axis.
        activation: a function of the output, or its name; None: none.
        use_bias: whether there is a bias.
        kernel_initializer: what gives the kernel's first value; `bias_initializer` likewise.
        kernel_regularizer: a function of the kernel that is added to the losses; `bias_regularizer`,
            `activity_regularizer` (of the output) likewise.
        kernel_constraint: a function applied to the kernel after each update; `bias_constraint` likewise.
        kwargs: `name`, `dtype`, `trainable`, `input_shape`.

    Raises:
        ValueError: `units` is not positive; an input without a last dim.

    >>> import client as tf
    >>> layer = tf.keras.layers.Dense(3, kernel_initializer="ones")
    >>> print(layer(tf.constant([[1.0, 2.0]])).numpy(), len(layer.weights))
    [[3. 3. 3.]] 2
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        if not isinstance(units, int) or units <= 0:
            raise ValueError(
                f"Received an invalid value for `units`, expected a positive integer. Received: units={units}"
            )
        self.units = units
        self._take(
            activation, use_bias, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, bias_constraint=bias_constraint,
        )  # fmt: skip
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make the kernel, (last dim, units), and the bias, (units,)."""
        self.kernel = self.add_weight(
            name="kernel", shape=(input_shape[-1], self.units), initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer, constraint=self.kernel_constraint,
        )  # fmt: skip
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(self.units,), initializer=self.bias_initializer,
                regularizer=self.bias_regularizer, constraint=self.bias_constraint,
            )  # fmt: skip
        self.input_spec = InputSpec(min_ndim=2, axes={-1: input_shape[-1]})

    def call(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """The output, of shape (..., units)."""
        spec = inputs._spec
        if spec.dtype is not self._self_dtype and not (spec.dtype.is_floating or spec.dtype.is_complex):
            inputs = tf.cast(inputs, self._self_dtype)
        rank = spec.rank
        if rank is not None and rank != 2:
            x = tf.tensordot(inputs, self.kernel, [[rank - 1], [0]])
        else:
            x = tf.matmul(inputs, self.kernel)
        if self.bias is not None:
            x = x + self.bias
        return self.activation(x) if self.activation is not None else x  # type: ignore[no-any-return]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """(..., units)."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "units": self.units, **self._options()}


@public("keras.layers.Flatten")
@LAYERS.add()
class Flatten(Layer):
    """All axes but the batch as one.

    Args:
        data_format: `channels_last`, or `channels_first`, whose channels are moved to the end before.
        kwargs: `name`, `input_shape`, ...

    >>> import client as tf
    >>> tf.keras.layers.Flatten()(tf.zeros([2, 3, 4])).shape
    TensorShape([2, 12])
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format or "channels_last"
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Tensor) -> Tensor:
        """The output, of shape (batch, everything else)."""
        shape = inputs._spec.shape
        assert shape is not None
        if self.data_format == "channels_first" and len(shape) > 2:
            inputs = tf.transpose(inputs, [0, *range(2, len(shape)), 1])
        rest = shape[1:]
        if None in rest:
            return tf.reshape(inputs, [tf.shape(inputs)[0], -1])  # type: ignore[no-any-return]
        size = 1
        for dim in rest:
            size *= dim or 0
        batch = shape[0]
        return tf.reshape(inputs, (-1 if batch is None else batch, size))  # type: ignore[no-any-return]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "data_format": self.data_format}


@public("keras.layers.Activation")
@LAYERS.add()
class Activation(Layer):
    """A function of each element (or, as softmax, of the last axis).

    Args:
        activation: the function, or its name; None: the input as it is.
        kwargs: `name`, ...

    >>> import client as tf
    >>> print(tf.keras.layers.Activation("relu")(tf.constant([-1.0, 2.0])).numpy())
    [0. 2.]
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.linear if activation is None else activations.get(activation)
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """activation(inputs)."""
        return self.activation(inputs)  # type: ignore[no-any-return]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


@public("keras.layers.Lambda")
@LAYERS.add()
class Lambda(Layer):
    """A function of the user's as a layer. It never leaves this process, so no configuration can hold it.

    Args:
        function: a function of the input (and of `mask` and `training`, if it takes them).
        output_shape: ignored: the ops say what they give.
        mask: the mask of the output, or a function of the inputs and their mask that gives it.
        arguments: keyword arguments for the function.
        kwargs: `name`, ...

    >>> import client as tf
    >>> print(tf.keras.layers.Lambda(lambda x: x ** 2)(tf.constant([3.0])).numpy())
    [9.]
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.function = function
        self.arguments = arguments or {}
        self.mask = mask
        self.supports_masking = mask is not None
        self._self_takes = tuple(n for n in ("mask", "training") if n in _parameters(function))

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        """function(inputs, **arguments)."""
        given = {"mask": mask, "training": training}
        return self.function(inputs, **self.arguments, **{n: given[n] for n in self._self_takes})

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask given to the layer."""
        return self.mask(inputs, previous_mask) if callable(self.mask) else self.mask

    def get_config(self) -> dict[str, Any]:
        """Raises ValueError: a function cannot be written down."""
        raise ValueError("a Lambda layer holds Python code, which no configuration can: make a Layer subclass instead")


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # some functions of C have none
        return ()


@public("keras.layers.Dropout")
@LAYERS.add()
class Dropout(Layer):
    """During training, sets a share of the elements to 0 and scales the others by 1 / (1 - rate).

    Args:
        rate: the share, in [0, 1].
        noise_shape: the shape of the mask; dims of 1 are shared.
        seed: a number that makes it reproducible: layers with the same give the same. None: see `tf.random.set_seed`.
        kwargs: `name`, ...

    Raises:
        ValueError: `rate` is not in [0, 1].

    >>> import client as tf
    >>> print(tf.keras.layers.Dropout(0.5)(tf.ones([3]), training=False).numpy())
    [1. 1. 1.]
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate <= 1:
            raise ValueError(f"Invalid value received for argument `rate`. Expected a float value between 0 and 1. "
                             f"Received: rate={rate}")  # fmt: skip
        self.rate = rate
        self.noise_shape = noise_shape
        self.seed = seed
        self._self_seeds = SeedStream(seed)
        self.supports_masking = True

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        """The output, of the input's shape."""
        if not training or not self.rate:
            return inputs
        return self._self_seeds.dropout(inputs, self.rate, self._noise(inputs))

    def _noise(self, inputs: Tensor) -> Any:
        if self.noise_shape is None:
            return None
        dims = inputs._spec.shape
        shape = tf.shape(inputs) if dims is None or None in dims else dims
        return [shape[i] if d is None else d for i, d in enumerate(self.noise_shape)]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}
