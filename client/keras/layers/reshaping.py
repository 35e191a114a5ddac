"""Layers that change a tensor's shape: Reshape, Permute, RepeatVector, padding, cropping, upsampling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import client as tf
from client.api import public
from client.keras.layers.convolution import data_format_of, each_axis
from client.keras.layers.input_spec import InputSpec
from client.keras.layers.interpolation import KERNELS, enlarged
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
    given = (value,) * rank if rank == 1 or isinstance(value, int) else value
    if not isinstance(given, list | tuple) or len(given) != rank:
        raise ValueError(
            f"`{name}` should be an int, {rank} of them, or {rank} pairs of them. Received: {name}={value}"
        )
    return tuple(each_axis(v, 2, name, True) for v in given)  # type: ignore[misc]


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


@public("keras.layers.ZeroPadding3D")
@LAYERS.add()
class ZeroPadding3D(_Padding):
    """Zeros around a volume.

    Args:
        padding: how many: a number, one for each axis, or a pair for each axis.
        data_format: `channels_last` or `channels_first`.
        kwargs: `name`, ...

    >>> import client as tf
    >>> tf.keras.layers.ZeroPadding3D(1)(tf.zeros([1, 3, 3, 3, 2])).shape
    TensorShape([1, 5, 5, 5, 2])
    """

    rank = 3

    def __init__(self, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(padding, data_format, **kwargs)


class _Cropping(_Spatial):
    """Less of the spatial axes."""

    option = "cropping"

    def call(self, inputs: Tensor) -> Tensor:
        """The output. Raises ValueError if nothing is left."""
        dims = inputs.shape[self._first : self._first + self.rank]
        if any(d is not None and sum(c) >= d for d, c in zip(dims, self.cropping, strict=True)):
            raise ValueError(
                "Values in `cropping` argument should be smaller than the corresponding spatial dimension of the "
                f"input. Received: inputs.shape={inputs.shape}, cropping={self.cropping}"
            )
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


@public("keras.layers.Cropping3D")
@LAYERS.add()
class Cropping3D(_Cropping):
    """Less of a volume at its sides.

    Args:
        cropping: how much: a number, one for each axis, or a pair for each axis.
        data_format: `channels_last` or `channels_first`.
        kwargs: `name`, ...

    >>> import client as tf
    >>> tf.keras.layers.Cropping3D(1)(tf.zeros([1, 5, 5, 5, 2])).shape
    TensorShape([1, 3, 3, 3, 2])
    """

    rank = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(cropping, data_format, **kwargs)


@public("keras.layers.UpSampling1D")
@LAYERS.add()
class UpSampling1D(Layer):
    """Each step several times.

    Args:
        size: how often.
        kwargs: `name`, ...

    Raises:
        TypeError: `size` is no integer.
        ValueError: it is not positive.

    >>> import client as tf
    >>> tf.keras.layers.UpSampling1D(2)(tf.zeros([1, 3, 4])).shape
    TensorShape([1, 6, 4])
    """

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(size, int) or isinstance(size, bool):
            raise TypeError(f"Expected an integer value for `size`, got {type(size)}.")
        if size <= 0:
            raise ValueError(f"Argument `size` should be a positive integer. Received: size={size}")
        self.size = size
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        return tf.repeat(inputs, self.size, axis=1)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "size": self.size}


class _UpSampling(Layer):
    """Each element several times along each spatial axis."""

    rank = 2

    def __init__(self, size: Any, data_format: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = each_axis(size, self.rank, "size")
        self.data_format = data_format_of(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        self._self_first = 2 if self.data_format == "channels_first" else 1

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output."""
        dims = list(input_shape)
        for axis, factor in enumerate(self.size, self._self_first):
            dims[axis] = None if dims[axis] is None else dims[axis] * factor
        return tuple(dims)

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        for axis, factor in enumerate(self.size, self._self_first):
            if factor > 1:
                inputs = tf.repeat(inputs, factor, axis=axis)
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "size": self.size, "data_format": self.data_format}


@public("keras.layers.UpSampling2D")
@LAYERS.add()
class UpSampling2D(_UpSampling):
    """A larger image: each pixel several times, or interpolated.

    Args:
        size: how much larger: a number, or one for each axis.
        data_format: `channels_last` or `channels_first`.
        interpolation: `nearest`, `area` (the same), `bilinear`, `bicubic`, `lanczos3` or `lanczos5`.
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
        super().__init__(size, data_format, **kwargs)
        self.interpolation = interpolation.lower()
        if self.interpolation not in ("nearest", "area", *KERNELS):
            raise ValueError(
                f"Invalid value for argument `interpolation`. Expected one of {('nearest', 'area', *KERNELS)}. "
                f"Received: interpolation={interpolation}"
            )

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        if self.interpolation not in KERNELS:
            return super().call(inputs)
        if not inputs.dtype.is_floating:
            inputs = tf.cast(inputs, self.compute_dtype)
        for axis, factor in enumerate(self.size, self._self_first):
            inputs = enlarged(inputs, axis, factor, self.interpolation)
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "interpolation": self.interpolation}


@public("keras.layers.UpSampling3D")
@LAYERS.add()
class UpSampling3D(_UpSampling):
    """A larger volume: each element several times.

    Args:
        size: how often: a number, or one for each axis.
        data_format: `channels_last` or `channels_first`.
        kwargs: `name`, ...

    >>> import client as tf
    >>> tf.keras.layers.UpSampling3D(2)(tf.zeros([1, 3, 3, 3, 2])).shape
    TensorShape([1, 6, 6, 6, 2])
    """

    rank = 3

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(size, data_format, **kwargs)
