"""Layers at the start of a model: Embedding, Masking, Rescaling, Normalization, Identity."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

import client as tf
from client import nest
from client.api import public
from client.keras.layers import masks
from client.keras.layers.core import WeightOptions
from client.keras.layers.layer import LAYERS, Layer
from client.tensor import Operand, Tensor
from protocol.errors import InvalidArgumentError

EPSILON: Final = 1e-7  # the smallest deviation


@public("keras.layers.Embedding")
@LAYERS.add()
class Embedding(WeightOptions, Layer):
    """A vector for each of the integers 0, 1, ...: rows of a table that is trained.

    Its gradient is `tf.IndexedSlices`: the rows that were looked up.

    Args:
        input_dim: the number of integers.
        output_dim: the length of the vectors.
        embeddings_initializer: what gives the table's first value; the regularizer and constraint likewise.
        mask_zero: whether 0 stands for what does not count: later layers then pass over it.
        weights: the table's first value.
        kwargs: `input_length` (ignored), `name`, ...

    Raises:
        ValueError: a size that is no positive integer.

    >>> import client as tf
    >>> tf.keras.layers.Embedding(10, 4)(tf.constant([[1, 2, 3]])).shape
    TensorShape([1, 3, 4])
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: Any = None,
        lora_alpha: Any = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        length = kwargs.pop("input_length", None)
        if length is not None and "input_shape" not in kwargs:
            kwargs["input_shape"] = (length,)
        super().__init__(**kwargs)
        if lora_rank is not None or quantization_config is not None:
            raise ValueError("Embedding does not support `lora_rank` or `quantization_config`")
        for name, dim in (("input_dim", input_dim), ("output_dim", output_dim)):
            if not isinstance(dim, int) or isinstance(dim, bool) or dim <= 0:
                raise ValueError(
                    f"`{name}` must be a positive integer. Received: {name}={dim} (of type {type(dim).__name__})."
                )
        self._remember(
            input_dim=input_dim, output_dim=output_dim, embeddings_initializer=embeddings_initializer,
            embeddings_regularizer=embeddings_regularizer, embeddings_constraint=embeddings_constraint,
            mask_zero=mask_zero,
        )  # fmt: skip
        self._self_autocast = False
        self.supports_masking = mask_zero
        if weights is not None:
            self.build()
            self.set_weights(weights if isinstance(weights, list) and len(weights) == 1 else [weights])

    input_dim: int
    output_dim: int
    mask_zero: bool
    embeddings_initializer: Any
    embeddings_regularizer: Any
    embeddings_constraint: Any

    def build(self, input_shape: Any = None) -> None:
        """Make the table, (input_dim, output_dim), if it is not there yet."""
        if self.built:
            return
        self.embeddings = self.add_weight(
            (self.input_dim, self.output_dim), self.embeddings_initializer, name="embeddings",
            regularizer=self.embeddings_regularizer, constraint=self.embeddings_constraint,
        )  # fmt: skip

    def call(self, inputs: Any) -> Tensor:
        """The vectors, of the input's shape with one axis more."""
        if inputs.dtype not in (tf.int32, tf.int64):
            inputs = tf.cast(inputs, tf.int32)
        return tf.gather(self.embeddings, inputs)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where the input is not 0, with `mask_zero`."""
        return tf.not_equal(inputs, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The input's shape with one axis more."""
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), **self._options()}


@public("keras.layers.Masking")
@LAYERS.add()
class Masking(Layer):
    """Steps whose features all equal `mask_value` don't count: later layers pass over them.

    Args:
        mask_value: the value.
        kwargs: `name`, ...

    >>> import client as tf
    >>> print(tf.keras.layers.Masking(9.0)(tf.constant([[[1.0], [9.0]]])).numpy().tolist())
    [[[1.0], [0.0]]]
    """

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """Where a feature differs from the value."""
        return tf.reduce_any(tf.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Tensor) -> Tensor:
        """The input with zeros where it does not count."""
        seen = tf.reduce_any(tf.not_equal(inputs, self.mask_value), axis=-1, keepdims=True)
        found = tf.where(seen, inputs, tf.zeros([], inputs.dtype))
        masks.put(found, tf.squeeze(seen, -1))
        return found

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "mask_value": self.mask_value}


@public("keras.layers.Identity")
@LAYERS.add()
class Identity(Layer):
    """Its input.

    Args:
        kwargs: `name`, ...

    >>> import client as tf
    >>> print(tf.keras.layers.Identity()(tf.constant([1.0])).numpy())
    [1.]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """The input."""
        return inputs


@public("keras.layers.Rescaling", "keras.layers.experimental.preprocessing.Rescaling")
@LAYERS.add()
class Rescaling(Layer):
    """inputs * scale + offset.

    Args:
        scale: a number, or one for each channel.
        offset: likewise.
        kwargs: `name`, ...

    >>> import client as tf
    >>> print(tf.keras.layers.Rescaling(1 / 4, offset=-1.0)(tf.constant([0.0, 8.0])).numpy())
    [-1.  1.]
    """

    def __init__(self, scale: Any, offset: Any = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.offset = offset
        self.supports_masking = True

    def call(self, inputs: Any) -> Tensor:
        """The output."""
        x = tf.cast(inputs, self.compute_dtype)
        scale, offset = (
            v if isinstance(v, int | float) else tf.constant(v, x.dtype) for v in (self.scale, self.offset)
        )
        x = x * scale
        return x if isinstance(offset, int | float) and not offset else x + offset

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "scale": _plain(self.scale), "offset": _plain(self.offset)}


def _plain(value: Any) -> Any:
    """Numbers and lists for arrays; None for None."""
    return value if value is None or isinstance(value, int | float) else np.asarray(value).tolist()


@public("keras.layers.Normalization")
@LAYERS.add()
class Normalization(Layer):
    """(inputs - mean) / sqrt(variance), of numbers given or taken from data by `adapt`.

    Args:
        axis: the axis, or axes, with a mean and variance for each entry; None: one for all.
        mean: the mean, or means; with `variance`, or not at all.
        variance: the variance, or variances.
        invert: whether to go the other way: inputs * sqrt(variance) + mean.
        kwargs: `name`, ...

    Raises:
        ValueError: only one of `mean` and `variance`, or of other shapes; an axis out of range or not known.

    >>> import client as tf
    >>> layer = tf.keras.layers.Normalization(axis=None)
    >>> layer.adapt(np.array([1.0, 2.0, 3.0, 4.0, 5.0], "float32"))
    >>> print(layer(tf.constant([3.0, 5.0])).numpy().round(3).tolist())
    [0.0, 1.4140000343322754]
    """

    def __init__(
        self, axis: Any = -1, mean: Any = None, variance: Any = None, invert: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if (mean is not None) != (variance is not None):
            raise ValueError(
                "When setting values directly, both `mean` and `variance` must be set. Received: "
                f"mean={mean} and variance={variance}"
            )
        self.axis = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        if mean is not None and np.shape(mean) != np.shape(variance):
            raise ValueError(
                "When setting values directly, `mean` and `variance` must have the same shape. Received: mean shape "
                f"{np.shape(mean)} and variance shape {np.shape(variance)}"
            )
        if mean is not None and len(np.shape(mean)) > len(self.axis):
            raise ValueError(
                f"The rank of `mean` must be less than or equal to the number of axes ({len(self.axis)}). Received: "
                f"mean shape {np.shape(mean)} for axis {self.axis}"
            )
        self.invert = invert
        self.input_mean = mean
        self.input_variance = variance
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make the mean and variance of the kept axes."""
        rank = len(input_shape)
        if any(not -rank <= a < rank for a in self.axis):
            raise ValueError(
                f"All `axis` values must be in the range [-ndim, ndim). Received inputs with ndim={rank}, while "
                f"axis={self.axis}"
            )
        keep = tuple(sorted(a % rank for a in self.axis))
        for axis in keep:
            if input_shape[axis] is None:
                raise ValueError(
                    f"All `axis` values to be kept must have a known shape. Received axis={self.axis}, "
                    f"inputs.shape={tuple(input_shape)}, with unknown axis at index {axis}"
                )
        self._self_kept = {a: input_shape[a] for a in keep}
        self._self_reduced = tuple(a for a in range(rank) if a not in keep)
        self._self_spread = tuple(self._self_kept.get(a, 1) for a in range(rank))
        shape = tuple(self._self_kept.values())
        # the weights broadcast with the input as they are where the last axes are kept
        self._self_aligned = keep == tuple(range(rank - len(keep), rank))
        if self.input_mean is None:
            self.adapt_mean = self.add_weight(shape, "zeros", trainable=False, name="mean")
            self.adapt_variance = self.add_weight(shape, "ones", trainable=False, name="variance")
            self.count = self.add_weight((), "zeros", tf.int32, trainable=False, name="count")
        else:
            try:
                mean, variance = (
                    np.broadcast_to(np.asarray(v, np.float64), shape).reshape(self._self_spread)
                    for v in (self.input_mean, self.input_variance)
                )
            except ValueError:
                raise InvalidArgumentError(
                    f"`mean` and `variance` of shape {np.shape(self.input_mean)} do not broadcast to the dims {shape} "
                    f"of the axes to be kept, axis={self.axis}"
                ) from None
            self._self_given = mean, variance, np.maximum(np.sqrt(variance), EPSILON)

    @property
    def mean(self) -> Any:
        """The mean, of a shape that broadcasts with the inputs; None if the layer is not built."""
        return self._statistic("mean", 0)

    @property
    def variance(self) -> Any:
        """The variance, likewise."""
        return self._statistic("variance", 1)

    def _statistic(self, name: str, index: int) -> Any:
        if not self.built:
            return None
        if self.input_mean is not None:
            return tf.constant(self._self_given[index], self.compute_dtype)
        return tf.reshape(getattr(self, f"adapt_{name}"), self._self_spread)

    def adapt(self, data: Any) -> None:
        """Take the mean and variance of data, and forget earlier ones. Does not wait.

        Args:
            data: an array, a tensor, a dataset, or an iterable of batches (arrays, or tuples with an array first).

        Raises:
            ValueError: other dims along the kept axes than the layer was built with; no batches.
            TypeError: batches that are no arrays.
            AttributeError: the mean and variance were given.
        """
        if self.input_mean is not None:
            raise AttributeError("a Normalization layer whose `mean` and `variance` were given does not adapt")
        count, mean, variance = 0.0, None, None
        for batch in _batches(data):
            x = tf.cast(tf.convert_to_tensor(batch), self.compute_dtype)
            if not self.built:
                self._build((x,), {})
            if {a: x.shape[a] for a in self._self_kept} != self._self_kept:
                raise ValueError(
                    f"The layer was built with dims {self._self_kept} along the axes to be kept, but adapt() is being "
                    f"called with data with an incompatible shape, data.shape={x.shape}"
                )
            number = float(np.prod([x.shape[a] for a in self._self_reduced], dtype=np.int64))
            m, v = tf.nn.moments(x, self._self_reduced)
            if mean is None:
                mean, variance = m, v
            else:
                share = number / (count + number)
                total = mean + (m - mean) * share
                variance = (variance + tf.square(mean - total)) * (1 - share) + (v + tf.square(m - total)) * share
                mean = total
            count += number
        if mean is None:
            raise ValueError("adapt() received no batches. Expected at least one.")
        self.adapt_mean.assign(mean)
        self.adapt_variance.assign(variance)

    def call(self, inputs: Any) -> Tensor:
        """The output, of the input's shape."""
        x: Tensor = tf.cast(inputs, self.compute_dtype)
        mean: Any
        if self.input_mean is not None:
            mean, _, deviation = [tf.constant(v, x.dtype) for v in self._self_given]
        else:
            mean = self.adapt_mean if self._self_aligned else self.mean
            deviation = tf.maximum(tf.sqrt(self.adapt_variance if self._self_aligned else self.variance), EPSILON)
        return mean + x * deviation if self.invert else (x - mean) / deviation

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {
            **super().get_config(), "axis": self.axis or None, "invert": self.invert,
            "mean": _plain(self.input_mean), "variance": _plain(self.input_variance),
        }  # fmt: skip


def _batches(data: Any) -> Any:
    """The batches of what `adapt` takes: those of arrays alone are the arrays."""
    if isinstance(data, np.ndarray | Operand):
        yield data
        return
    if not hasattr(data, "__iter__"):
        raise TypeError(
            f"Unsupported data type: {type(data)}. `adapt` supports arrays, tensors, datasets and iterables of batches."
        )
    specs = nest.flatten(getattr(data, "element_spec", None))
    if specs and specs[0] is not None and len(specs[0].shape) == 1:
        data = data.batch(128)
    for each in data:
        batch = each[0] if isinstance(each, tuple) else each
        if not hasattr(batch, "shape"):
            raise TypeError(
                "adapt() expects an iterable that yields arrays or tensors with a `.shape` attribute. Got an element "
                f"of type {type(batch).__name__}."
            )
        yield batch
