"""Layers that disturb their input during training, or add to the losses."""

from __future__ import annotations

import math
from typing import Any

import client as tf
from client.api import public
from client.keras import regularizers
from client.keras.layers.convolution import data_format_of
from client.keras.layers.core import Dropout
from client.keras.layers.input_spec import InputSpec
from client.keras.layers.layer import LAYERS, Layer
from client.keras.layers.seeds import SeedStream, dims_of
from client.tensor import Tensor


class _SpatialDropout(Dropout):
    """Dropout of whole channels."""

    rank = 2

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, seed=seed, name=name, dtype=dtype, **kwargs)
        self.data_format = data_format_of(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _noise(self, inputs: Tensor) -> Any:
        dims = dims_of(inputs)
        if self.data_format == "channels_first":
            return [dims[0], dims[1], *(1,) * self.rank]
        return [dims[0], *(1,) * self.rank, dims[self.rank + 1]]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = {**super().get_config(), "data_format": self.data_format}
        del config["noise_shape"]
        return config


def _spatial_dropout(rank: int) -> None:
    """Make one of the public classes."""
    name = f"SpatialDropout{rank}D"
    shape = [1, *(2,) * rank, 3]
    form = "data_format: `channels_last` or `channels_first`.\n        " if rank > 1 else ""
    doc = f"""During training, sets a share of the channels to 0 and scales the others by 1 / (1 - rate).

    Args:
        rate: the share, in [0, 1].
        {form}seed: a number that makes it reproducible.
        name: its name.
        dtype: its dtype.

    Raises:
        ValueError: `rate` is not in [0, 1].

    >>> import client as tf
    >>> tf.keras.layers.{name}(0.5)(tf.ones({shape})).shape
    TensorShape({shape})
    """
    body: dict[str, Any] = {"rank": rank, "__doc__": doc, "__module__": __name__}
    if rank == 1:  # without a format: its second argument is the seed
        body |= {"__init__": _without_format, "get_config": _config_without_format}
    made = type(name, (_SpatialDropout,), body)
    globals()[name] = LAYERS.add()(public(f"keras.layers.{name}")(made))


def _without_format(
    self: Any, rate: float, seed: int | None = None, name: str | None = None, dtype: Any = None, **kwargs: Any
) -> None:
    _SpatialDropout.__init__(self, rate, None, seed, name, dtype, **kwargs)


def _config_without_format(self: Any) -> dict[str, Any]:
    """The arguments that make it again."""
    config = _SpatialDropout.get_config(self)
    del config["data_format"]
    return config


for _rank in (1, 2, 3):
    _spatial_dropout(_rank)


@public("keras.layers.GaussianNoise")
@LAYERS.add()
class GaussianNoise(Layer):
    """During training, adds normal noise.

    Args:
        stddev: its standard deviation, in [0, 1].
        seed: a number that makes it reproducible.
        kwargs: `name`, ...

    Raises:
        ValueError: `stddev` is not in [0, 1].

    >>> import client as tf
    >>> print(tf.keras.layers.GaussianNoise(0.5)(tf.ones([2]), training=False).numpy())
    [1. 1.]
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= stddev <= 1:
            raise ValueError(f"Invalid value received for argument `stddev`. Expected a float value between 0 and 1. "
                             f"Received: stddev={stddev}")  # fmt: skip
        self.stddev = stddev
        self.seed = seed
        self._self_seeds = SeedStream(seed)
        self.supports_masking = True

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        """The output."""
        if not training or not self.stddev:
            return inputs
        return inputs + self._self_seeds.normal(dims_of(inputs), 0.0, self.stddev, inputs.dtype)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}


class _Rated(Layer):
    """A layer with a rate in [0, 1] and a seed."""

    def __init__(self, rate: float, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate <= 1:
            raise ValueError(f"Invalid value received for argument `rate`. Expected a float value between 0 and 1. "
                             f"Received: rate={rate}")  # fmt: skip
        self.rate = rate
        self.seed = seed
        self._self_seeds = SeedStream(seed)
        self.supports_masking = True

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@public("keras.layers.GaussianDropout")
@LAYERS.add()
class GaussianDropout(_Rated):
    """During training, multiplies by normal noise of mean 1 and deviation sqrt(rate / (1 - rate)).

    Args:
        rate: as in `Dropout`.
        seed: a number that makes it reproducible.
        kwargs: `name`, ...

    >>> import client as tf
    >>> print(tf.keras.layers.GaussianDropout(0.5)(tf.ones([2]), training=False).numpy())
    [1. 1.]
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        """The output."""
        if not training or not self.rate:
            return inputs
        deviation = math.sqrt(self.rate / (1.0 - self.rate))
        return inputs * self._self_seeds.normal(dims_of(inputs), 1.0, deviation, inputs.dtype)


@public("keras.layers.AlphaDropout")
@LAYERS.add()
class AlphaDropout(_Rated):
    """Dropout that keeps the mean and variance of what SELU gives.

    Args:
        rate: the share that is dropped, in [0, 1].
        noise_shape: the shape of the mask; dims of 1 are shared.
        seed: a number that makes it reproducible.
        kwargs: `name`, ...

    >>> import client as tf
    >>> print(tf.keras.layers.AlphaDropout(0.5)(tf.ones([2]), training=False).numpy())
    [1. 1.]
    """

    def __init__(self, rate: float, noise_shape: Any = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, **kwargs)
        self.noise_shape = noise_shape

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        """The output."""
        if not training or not self.rate:
            return inputs
        low = -1.7580993408473766  # what SELU tends to for very negative numbers
        shape = dims_of(inputs)
        if self.noise_shape is not None:
            shape = [shape[i] if d is None else d for i, d in enumerate(self.noise_shape)]
        kept = tf.cast(self._self_seeds.uniform(shape, tf.float32) >= self.rate, inputs.dtype)
        a = 1.0 / math.sqrt((1.0 - self.rate) * (1.0 + self.rate * low**2))
        return a * (inputs * kept + low * (1.0 - kept)) - a * low * self.rate

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "noise_shape": self.noise_shape}


@public("keras.layers.ActivityRegularization")
@LAYERS.add()
class ActivityRegularization(Layer):
    """Its input, whose size is added to the losses: l1 * sum(|x|) + l2 * sum(x^2).

    Args:
        l1: the first factor.
        l2: the second.
        kwargs: `name`, ...

    >>> import client as tf
    >>> layer = tf.keras.layers.ActivityRegularization(l1=1.0)
    >>> layer(tf.ones([1, 3])).shape, len(layer.losses)
    (TensorShape([1, 3]), 1)
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1 = l1
        self.l2 = l2
        self.supports_masking = True

    def call(self, inputs: Tensor) -> Tensor:
        """The input."""
        return inputs

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = super().get_config()
        config.pop("activity_regularizer", None)
        return {**config, "l1": self.l1, "l2": self.l2}
