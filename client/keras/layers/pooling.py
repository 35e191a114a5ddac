"""Pooling layers."""

from __future__ import annotations

from typing import Any

import client as tf
from client.api import public
from client.dispatch import call
from client.keras.layers.convolution import data_format_of, each_axis
from client.keras.layers.input_spec import InputSpec
from client.keras.layers.layer import LAYERS, Layer
from client.tensor import Tensor


class _Pooling(Layer):
    """The maximum or average over windows that slide over some axes."""

    rank = 2
    op = "max_pool"

    def __init__(
        self,
        pool_size: Any = 2,
        strides: Any = None,
        padding: str = "valid",
        data_format: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        self.pool_size = each_axis(pool_size, self.rank, "pool_size")
        self.strides = each_axis(pool_size if strides is None else strides, self.rank, "strides")
        self.padding = str(padding).lower()
        if self.padding not in ("valid", "same"):
            raise ValueError(f"Invalid padding: {padding}. Expected one of: 'valid', 'same'")
        self.data_format = data_format_of(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)
        first = self.data_format == "channels_first"
        around = ((1, 1), ()) if first else ((1,), (1,))
        self._self_window = (*around[0], *self.pool_size, *around[1])
        self._self_strides = (*around[0], *self.strides, *around[1])

    def call(self, inputs: Tensor) -> Tensor:
        """The output."""
        return call(self.op, inputs, window=self._self_window, strides=self._self_strides, padding=self.padding.upper())

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
            "data_format": self.data_format,
        }


class _GlobalPooling(Layer):
    """The maximum or average over all but batch and channels."""

    rank = 2
    op = "reduce_mean"

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = data_format_of(data_format)
        self.keepdims = keepdims
        self.input_spec = InputSpec(ndim=self.rank + 2)
        start = 2 if self.data_format == "channels_first" else 1
        self._self_axes = tuple(range(start, start + self.rank))

    def call(self, inputs: Tensor, mask: Any = None) -> Tensor:
        """The output, of shape (batch, channels)."""
        if mask is not None and self.rank == 1 and self.op == "reduce_mean":
            return self._masked(inputs, mask)
        return call(self.op, inputs, axis=self._self_axes, keepdims=self.keepdims)

    def _masked(self, inputs: Tensor, mask: Any) -> Tensor:
        """The average over the steps that count."""
        axis = self._self_axes[0]
        weights = tf.expand_dims(tf.cast(mask, inputs.dtype), 2 if axis == 1 else 1)
        total = tf.reduce_sum(inputs * weights, axis=axis, keepdims=self.keepdims)
        return total / tf.reduce_sum(weights, axis=axis, keepdims=self.keepdims)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """None: no steps are left."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "data_format": self.data_format, "keepdims": self.keepdims}


def _pooling(rank: int, word: str, short: str, op: str) -> None:
    name, alias = f"{word}Pooling{rank}D", f"{short}Pool{rank}D"
    shape = [1, *(4,) * rank, 3]
    doc = f"""The {"maximum" if short == "Max" else "average"} of each window.

    Args:
        pool_size: the window: an integer, or one for each axis.
        strides: the steps of the window; None: `pool_size`.
        padding: `valid` or `same`.
        data_format: `channels_last` or `channels_first`.
        name: its name.
        kwargs: `dtype`, `input_shape`, ...

    Raises:
        ValueError: an option of another form.

    >>> import client as tf
    >>> tf.keras.layers.{name}()(tf.zeros({shape})).shape
    TensorShape({[1, *(2,) * rank, 3]})
    """
    made = type(name, (_Pooling,), {"rank": rank, "op": op, "__doc__": doc, "__module__": __name__})
    globals()[name] = LAYERS.add(alias)(public(f"keras.layers.{name}", f"keras.layers.{alias}")(made))


def _global_pooling(rank: int, word: str, short: str, op: str) -> None:
    name, alias = f"Global{word}Pooling{rank}D", f"Global{short}Pool{rank}D"
    shape = [1, *(4,) * rank, 3]
    doc = f"""The {"maximum" if short == "Max" else "average"} of each channel.

    Args:
        data_format: `channels_last` or `channels_first`.
        keepdims: whether the axes stay, of size 1.
        kwargs: `name`, ...

    >>> import client as tf
    >>> tf.keras.layers.{name}()(tf.zeros({shape})).shape
    TensorShape([1, 3])
    """
    made = type(name, (_GlobalPooling,), {"rank": rank, "op": op, "__doc__": doc, "__module__": __name__})
    globals()[name] = LAYERS.add(alias)(public(f"keras.layers.{name}", f"keras.layers.{alias}")(made))


for _rank in (1, 2, 3):
    _pooling(_rank, "Max", "Max", "max_pool")
    _pooling(_rank, "Average", "Avg", "avg_pool")
    _global_pooling(_rank, "Max", "Max", "reduce_max")
    _global_pooling(_rank, "Average", "Avg", "reduce_mean")
