"""Layers that change a tensor's shape: Reshape, Permute, RepeatVector, padding, cropping, upsampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import client as tf
from client.api import public
from client.keras.layers.convolution import data_format_of, each_axis
from client.keras.layers.input_spec import InputSpec
from client.keras.layers.layer import LAYERS, Layer
from client.tensor import Tensor


@public("keras.layers.Reshape")
@LAYERS.add()
class Reshape(Layer):
    """The same elements in another shape.

    Args:
        target_shape: the shape without the batch; one dim may be -1.
        kwargs: `name`, `input_shape`, ...

    Raises:
        ValueError: the numbers of elements differ.

    >>> import client as tf
    >>> tf.keras.layers.Reshape((2, -1))(tf.zeros([3, 6])).shape
    TensorShape([3, 2, 3])
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(target_shape)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output."""
        rest, target = tuple(input_shape[1:]), self.target_shape
        if None in rest:
            return (input_shape[0], *(None if d == -1 else d for d in target))
        size, known = math.prod(rest), math.prod(d for d in target if d != -1)
        fits = size == known if -1 not in target else known and size % known == 0
        if not fits or target.count(-1) > 1:
            raise ValueError(
                f"The total size of the tensor must be unchanged. Received: input_shape={rest}, target_shape={target}"
            )
        return (input_shape[0], *(size // known if d == -1 else d for d in target))

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        shape = self.compute_output_shape(tuple(inputs.shape))
        if shape[0] is None or None in shape[1:]:
            return tf.reshape(inputs, [tf.shape(inputs)[0], *self.target_shape])
        return tf.reshape(inputs, shape)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "target_shape": self.target_shape}


@public("keras.layers.Permute")
@LAYERS.add()
class Permute(Layer):
    """Axes in another order.

    Args:
        dims: the order, of the axes after the batch, counted from 1.
        kwargs: `name`, `input_shape`, ...

    Raises:
        ValueError: `dims` is no permutation of 1, 2, ...

    >>> import client as tf
    >>> tf.keras.layers.Permute((2, 1))(tf.zeros([3, 4, 5])).shape
    TensorShape([3, 5, 4])
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                "Invalid permutation argument `dims` for Permute Layer. The set of indices in `dims` must be "
                f"consecutive and start from 1. Received dims={dims}"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        return tf.transpose(inputs, (0, *self.dims))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "dims": self.dims}


@public("keras.layers.RepeatVector")
@LAYERS.add()
class RepeatVector(Layer):
    """Each vector n times: (batch, features) becomes (batch, n, features).

    Args:
        n: how often.
        kwargs: `name`, ...

    Raises:
        TypeError: `n` is no integer.

    >>> import client as tf
    >>> tf.keras.layers.RepeatVector(3)(tf.zeros([2, 4])).shape
    TensorShape([2, 3, 4])
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int):
            raise TypeError(f"Expected an integer value for `n`, got {type(n)}.")
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        return tf.repeat(tf.expand_dims(inputs, 1), self.n, axis=1)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "n": self.n}


class _Spatial(Layer):
    """A change of the spatial axes: pairs of numbers before and after each."""

    rank = 2
    option = "padding"

    def __init__(self, amounts: Any, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_of(data_format)
        setattr(self, self.option, pairs(amounts, self.rank, self.option))
        self.input_spec = InputSpec(ndim=self.rank + 2)

    @property
    def _first(self) -> int:
        """The first spatial axis."""
        return 2 if self.data_format == "channels_first" else 1

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        value = getattr(self, self.option)
        config = {**super().get_config(), self.option: value[0] if self.rank == 1 else value}
        return config if self.rank == 1 and self.option == "cropping" else {**config, "data_format": self.data_format}


def pairs(value: Any, rank: int, name: str) -> tuple[tuple[int, int], ...]:
    """(before, after) for each axis, given as one number, one for each axis, or pairs. Raises ValueError."""
    if isinstance(value, int):
        found: Any = ((value, value),) * rank
    elif rank == 1:
        found = (tuple(value),) if len(tuple(value)) == 2 else None
    elif len(tuple(value)) == rank:
        found = tuple((v, v) if isinstance(v, int) else tuple(v) for v in value)
    else:
        found = None
    if found is None or any(len(p) != 2 or min(p) < 0 for p in found):
        raise ValueError(
            f"`{name}` should be an int, {rank} of them, or {rank} pairs of them, and not negative. Received: "
            f"{name}={value}"
        )
    return found  # type: ignore[no-any-return]


class _Padding(_Spatial):
    """Zeros around the spatial axes."""

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        amounts = [(0, 0)] * (self.rank + 2)
        amounts[self._first : self._first + self.rank] = self.padding
        return tf.pad(inputs, tuple(amounts))


@public("keras.layers.ZeroPadding1D")
@LAYERS.add()
class ZeroPadding1D(_Padding):
    """Zeros before and after the steps.

    Args:
        padding: how many: a number, or a pair of them.
        data_format: `channels_last` or `channels_first`.
        kwargs: `name`, ...

    >>> import client as tf
    >>> tf.keras.layers.ZeroPadding1D((1, 2))(tf.zeros([1, 3, 4])).shape
    TensorShape([1, 6, 4])
    """

    rank = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


@public("keras.layers.ZeroPadding2D")
@LAYERS.add()
class ZeroPadding2D(_Padding):
    """Zeros around an image.

    Args:
        padding: how many: a number, one for each axis, or a pair for each axis.
        data_format: `channels_last` or `channels_first`.
        kwargs: `name`, ...

    >>> import client as tf
    >>> tf.keras.layers.ZeroPadding2D(1)(tf.zeros([1, 3, 3, 2])).shape
    TensorShape([1, 5, 5, 2])
    """

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


class _Cropping(_Spatial):
    """Less of the spatial axes."""

    option = "cropping"

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        key: list[Any] = [slice(None)] * (self.rank + 2)
        for i, (before, after) in enumerate(self.cropping):
            key[self._first + i] = slice(before, -after if after else None)
        return inputs[tuple(key)]


@public("keras.layers.Cropping1D")
@LAYERS.add()
class Cropping1D(_Cropping):
    """Fewer steps at both ends.

    Args:
        cropping: how many: a number, or a pair of them.
        kwargs: `name`, ...

    >>> import client as tf
    >>> tf.keras.layers.Cropping1D((1, 1))(tf.zeros([1, 5, 4])).shape
    TensorShape([1, 3, 4])
    """

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(cropping, None, **kwargs)


@public("keras.layers.Cropping2D")
@LAYERS.add()
class Cropping2D(_Cropping):
    """Less of an image at its edges.

    Args:
        cropping: how much: a number, one for each axis, or a pair for each axis.
        data_format: `channels_last` or `channels_first`.
        kwargs: `name`, ...

    >>> import client as tf
    >>> tf.keras.layers.Cropping2D(1)(tf.zeros([1, 5, 5, 2])).shape
    TensorShape([1, 3, 3, 2])
    """

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


@public("keras.layers.UpSampling1D")
@LAYERS.add()
class UpSampling1D(Layer):
    """Each step several times.

    Args:
        size: how often.
        kwargs: `name`, ...

    >>> import client as tf
    >>> tf.keras.layers.UpSampling1D(2)(tf.zeros([1, 3, 4])).shape
    TensorShape([1, 6, 4])
    """

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = int(size)
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        return tf.repeat(inputs, self.size, axis=1)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "size": self.size}


@public("keras.layers.UpSampling2D")
@LAYERS.add()
class UpSampling2D(Layer):
    """A larger image: each pixel several times, or interpolated.

    Args:
        size: how much larger: a number, or one for each axis.
        data_format: `channels_last` or `channels_first`.
        interpolation: `nearest` or `bilinear`.
        kwargs: `name`, ...

    Raises:
        ValueError: another interpolation.

    >>> import client as tf
    >>> tf.keras.layers.UpSampling2D(2)(tf.zeros([1, 3, 3, 2])).shape
    TensorShape([1, 6, 6, 2])
    """

    def __init__(
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if interpolation not in ("nearest", "bilinear"):
            raise ValueError(f"`interpolation` must be 'nearest' or 'bilinear'. Received: {interpolation}")
        self.size = each_axis(size, 2, "size")
        self.data_format = data_format_of(data_format)
        self.interpolation = interpolation.lower()
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        first = 2 if self.data_format == "channels_first" else 1
        for i, factor in enumerate(self.size):
            if self.interpolation == "nearest":
                inputs = tf.repeat(inputs, factor, axis=first + i)
            else:
                inputs = _interpolated(inputs, first + i, factor)
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {
            **super().get_config(), "size": self.size, "data_format": self.data_format,
            "interpolation": self.interpolation,
        }  # fmt: skip


def _interpolated(x: Tensor, axis: int, factor: int) -> Tensor:
    """Linear interpolation along an axis, with the centers of pixels at halves and the edges repeated."""
    length = x.shape[axis]
    places = [(i + 0.5) / factor - 0.5 for i in range(length * factor)]
    low = [min(max(math.floor(p), 0), length - 1) for p in places]
    high = [min(max(math.floor(p) + 1, 0), length - 1) for p in places]
    shape = [1] * len(x.shape)
    shape[axis] = len(places)
    share = tf.reshape(tf.constant([p - math.floor(p) for p in places], x.dtype), shape)
    below, above = tf.gather(x, low, axis=axis), tf.gather(x, high, axis=axis)
    return below + (above - below) * share
