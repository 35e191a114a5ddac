"""Attention: Attention, AdditiveAttention, MultiHeadAttention."""

from __future__ import annotations

import math
from typing import Any

import client as tf
from client.api import public
from client.keras.layers import masks
from client.keras.layers.core import WeightOptions
from client.keras.layers.layer import LAYERS, Layer
from client.tensor import Tensor


def _masked_softmax(scores: Tensor, mask: Any) -> Tensor:
    """The softmax over the last axis, of those positions alone where the mask is true."""
    if mask is not None:
        lowest = -3e4 if scores.dtype in (tf.float16, tf.bfloat16) else -1e9
        scores = tf.where(mask, scores, tf.constant(lowest, scores.dtype))
    return tf.nn.softmax(scores)


def _causal(queries: Any, keys: Any) -> Tensor:
    """Whether position j is not after position i: a mask of shape (1, queries, keys)."""
    rows = tf.range(queries)[:, tf.newaxis]
    return (rows >= tf.range(keys)[tf.newaxis, :])[tf.newaxis]


@public("keras.layers.Attention")
@LAYERS.add()
class Attention(Layer):
    """softmax(query key^T) value: each query gets a mean of the values, weighed by how it fits their keys.

    Called on `[query, value]` or `[query, value, key]`, of shapes (batch, Tq, dim), (batch, Tv, dim) and
    (batch, Tv, dim).

    Args:
        use_scale: whether the scores are multiplied by a weight.
        score_mode: `dot`, or `concat`: sum(tanh(query + key)) times a weight.
        dropout: the share of the weights to drop in training.
        seed: a number that makes the dropout reproducible.
        kwargs: `name`, ...

    Raises:
        ValueError: another `score_mode`; inputs that are no list of two or three.

    >>> import client as tf
    >>> query, value = tf.ones([1, 2, 3]), tf.ones([1, 4, 3])
    >>> tf.keras.layers.Attention()([query, value]).shape
    TensorShape([1, 2, 3])
    """

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise ValueError(
                f"Invalid value for argument score_mode. Expected one of {{'dot', 'concat'}}. Received: "
                f"score_mode={score_mode}"
            )
        self.use_scale = use_scale
        self.score_mode = score_mode
        self.dropout = dropout
        self.seed = seed
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make the scale, if wanted."""
        self._check(input_shape, "inputs")
        self.scale = self.concat_score_weight = None
        if self.use_scale:
            self.scale = self.add_weight(shape=(), initializer="ones", name="scale")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(shape=(), initializer="ones", name="concat_score_weight")

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool | None = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """The output, of shape (batch, Tq, dim), and the weights, (batch, Tq, Tv), if wanted."""
        self._check(inputs, "inputs")
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) > 2 else value
        scores = self._scores(query, key)
        seen = None
        if mask is not None and mask[1] is not None:
            seen = tf.convert_to_tensor(mask[1])[:, tf.newaxis, :]
        if use_causal_mask:
            causal = _causal(tf.shape(scores)[-2], tf.shape(scores)[-1])
            seen = causal if seen is None else tf.logical_and(seen, causal)
        weights = _masked_softmax(scores, seen)
        dropped = tf.nn.dropout(weights, self.dropout, seed=self.seed) if training and self.dropout else weights
        found = tf.matmul(dropped, value)
        if mask is not None and mask[0] is not None:
            found = tf.where(tf.convert_to_tensor(mask[0])[:, :, tf.newaxis], found, tf.zeros([], found.dtype))
        return (found, weights) if return_attention_scores else found

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        if self.score_mode == "dot":
            scores = tf.matmul(query, key, transpose_b=True)
            return scores if self.scale is None else scores * self.scale
        total = query[:, :, tf.newaxis, :] + key[:, tf.newaxis, :, :]
        if self.scale is not None:
            total = self.scale * total
        return self.concat_score_weight * tf.reduce_sum(tf.tanh(total), axis=-1)

    def _check(self, inputs: Any, what: str) -> None:
        name = type(self).__name__
        if not isinstance(inputs, list | tuple):
            raise ValueError(
                f"{name} layer must be called on a list of inputs, namely [query, value] or [query, value, key]. "
                f"Received: {what}={inputs}."
            )
        if not 2 <= len(inputs) <= 3:
            raise ValueError(
                f"{name} layer accepts inputs list of length 2 or 3, namely [query, value] or [query, value, key]. "
                f"Received length: {len(inputs)}."
            )

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The query's mask."""
        return previous_mask[0] if previous_mask else None

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {
            **super().get_config(),
            "use_scale": self.use_scale,
            "score_mode": self.score_mode,
            "dropout": self.dropout,
            "seed": self.seed,
        }


@public("keras.layers.AdditiveAttention")
@LAYERS.add()
class AdditiveAttention(Attention):
    """Attention with the scores sum(scale * tanh(query + key)).

    Args:
        use_scale: whether there is a weight of the size of the last axis.
        dropout: the share of the weights to drop in training.
        kwargs: `seed`, `name`, ...

    >>> import client as tf
    >>> tf.keras.layers.AdditiveAttention()([tf.ones([1, 2, 3]), tf.ones([1, 4, 3])]).shape
    TensorShape([1, 2, 3])
    """

    def __init__(self, use_scale: bool = True, dropout: float = 0.0, **kwargs: Any) -> None:
        super().__init__(use_scale=use_scale, dropout=dropout, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Make the scale, if wanted."""
        self._check(input_shape, "inputs")
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight(shape=(input_shape[0][-1],), initializer="glorot_uniform", name="scale")

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        total = tf.tanh(query[:, :, tf.newaxis, :] + key[:, tf.newaxis, :, :])
        return tf.reduce_sum(total if self.scale is None else self.scale * total, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = super().get_config()
        del config["score_mode"]
        return config


class _Projection(Layer):
    """x @ kernel + bias between the last axis and heads of a size, as one matrix product."""

    def __init__(self, into: tuple[int, ...], taken: int, options: dict[str, Any], use_bias: bool, name: str) -> None:
        super().__init__(name=name)
        self._self_into = into
        self._self_taken = taken  # how many of the last axes the product sums over
        self._self_options = options
        self.use_bias = use_bias

    def build(self, input_shape: Any) -> None:
        """Make the kernel, (axes summed over, axes made), and the bias."""
        weights = self._self_options
        ends = tuple(input_shape[len(input_shape) - self._self_taken :])
        self.kernel = self.add_weight(
            (*ends, *self._self_into), weights["kernel_initializer"], name="kernel",
            regularizer=weights["kernel_regularizer"], constraint=weights["kernel_constraint"],
        )  # fmt: skip
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                self._self_into, weights["bias_initializer"], name="bias", regularizer=weights["bias_regularizer"],
                constraint=weights["bias_constraint"],
            )  # fmt: skip

    def call(self, inputs: Tensor) -> Tensor:
        """The product."""
        rank = len(inputs.shape)
        axes = list(range(rank - self._self_taken, rank))
        found = tf.tensordot(inputs, self.kernel, [axes, list(range(self._self_taken))])
        return found if self.bias is None else found + self.bias

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the product."""
        return (*input_shape[: len(input_shape) - self._self_taken], *self._self_into)


@public("keras.layers.MultiHeadAttention")
@LAYERS.add()
class MultiHeadAttention(WeightOptions, Layer):
    """Attention in several heads: queries, keys and values are projected for each, and the results joined.

    Called as `layer(query, value, key=None)` on tensors of shape (batch, positions, features); positions on several
    axes are taken as one.

    Args:
        num_heads: the number of heads.
        key_dim: the size of each head's queries and keys.
        value_dim: the size of each head's values; None: `key_dim`.
        dropout: the share of the attention weights to drop in training.
        use_bias: whether the projections have biases.
        output_shape: the size of the output's last axis; None: the query's.
        attention_axes: the axes of the positions; None: all but batch and features, and nothing else is supported.
        sliding_window: not supported.
        flash_attention: ignored.
        kernel_initializer: what gives the kernels' first values; the other options likewise.
        use_gate: not supported.
        seed: a number that makes the dropout reproducible.
        kwargs: `name`, `dtype`, ...

    >>> import client as tf
    >>> layer = tf.keras.layers.MultiHeadAttention(num_heads=2, key_dim=4)
    >>> layer(tf.ones([1, 5, 6]), tf.ones([1, 7, 6])).shape
    TensorShape([1, 5, 6])
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: Any = None,
        flash_attention: Any = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        for name, value in (("sliding_window", sliding_window), ("use_gate", use_gate)):
            if value:
                raise ValueError(f"MultiHeadAttention does not support `{name}`")
        if num_heads <= 0 or key_dim <= 0:
            raise ValueError(f"`num_heads` and `key_dim` must be positive. Received: {num_heads}, {key_dim}")
        self._remember(
            num_heads=num_heads, key_dim=key_dim, value_dim=value_dim or key_dim, dropout=dropout, use_bias=use_bias,
            output_shape=output_shape, attention_axes=attention_axes, kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer, kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer, kernel_constraint=kernel_constraint, bias_constraint=bias_constraint,
            seed=seed,
        )  # fmt: skip
        self.supports_masking = True

    num_heads: int
    key_dim: int
    value_dim: int
    dropout: float
    output_shape: Any
    attention_axes: Any
    seed: Any

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:  # type: ignore[override]
        """Make the projections."""
        inner = tuple(range(1, len(query_shape) - 1))
        axes = self.attention_axes
        if axes is not None and tuple((axes,) if isinstance(axes, int) else axes) != inner:
            raise ValueError(f"attention over {axes} of an input of shape {query_shape} is not supported")
        key_shape = key_shape or value_shape
        options = {
            f"{of}_{kind}": getattr(self, f"{of}_{kind}")
            for of in ("kernel", "bias")
            for kind in ("initializer", "regularizer", "constraint")
        }
        width = self.output_shape
        ends = (query_shape[-1],) if width is None else (width,) if isinstance(width, int) else tuple(width)

        def projection(into: tuple[int, ...], taken: int, name: str, shape: Any) -> _Projection:
            made = _Projection(into, taken, options, self.use_bias, name)
            made.build(shape)
            return made

        self._query_dense = projection((self.num_heads, self.key_dim), 1, "query", query_shape)
        self._key_dense = projection((self.num_heads, self.key_dim), 1, "key", key_shape)
        self._value_dense = projection((self.num_heads, self.value_dim), 1, "value", value_shape)
        self._output_dense = projection(
            ends, 2, "attention_output", (*query_shape[:-1], self.num_heads, self.value_dim)
        )

    def call(
        self,
        query: Any,
        value: Any,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool | None = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """The output, of the query's shape but for the last axis; the weights too, if asked."""
        key = value if key is None else key
        positions = query._spec.shape[1:-1]
        query, value, key = _one_axis(query), _one_axis(value), _one_axis(key)
        q = tf.transpose(self._query_dense(query), [0, 2, 1, 3])
        k = tf.transpose(self._key_dense(key), [0, 2, 1, 3])
        v = tf.transpose(self._value_dense(value), [0, 2, 1, 3])
        scores = tf.matmul(q * (1.0 / math.sqrt(self.key_dim)), k, transpose_b=True)
        seen = self._mask(scores, query_mask, value_mask, key_mask, attention_mask, use_causal_mask)
        weights = _masked_softmax(scores, seen)
        dropped = tf.nn.dropout(weights, self.dropout, seed=self.seed) if training and self.dropout else weights
        joined = tf.transpose(tf.matmul(dropped, v), [0, 2, 1, 3])
        found = self._output_dense(joined)
        if len(positions) > 1:
            found = tf.reshape(found, [-1, *positions, *found._spec.shape[2:]])
        if query_mask is not None:
            masks.put(found, query_mask)
        return (found, weights) if return_attention_scores else found

    def _mask(self, scores: Tensor, query: Any, value: Any, key: Any, attention: Any, causal: bool) -> Any:
        """All masks together, with an axis for the heads; None where there is none."""
        parts = []
        if query is not None:
            parts.append(tf.cast(query, tf.bool)[:, :, tf.newaxis])
        parts.extend(tf.cast(m, tf.bool)[:, tf.newaxis, :] for m in (value, key) if m is not None)
        if causal:
            parts.append(_causal(tf.shape(scores)[-2], tf.shape(scores)[-1]))
        if attention is not None:
            parts.append(tf.cast(attention, tf.bool))
        found = None
        for part in parts:
            found = part if found is None else tf.logical_and(found, part)
        if found is not None and len(found.shape) == 3:
            found = found[:, tf.newaxis]
        return found

    def compute_output_shape(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> Any:
        """The query's shape but for the last axis."""
        width = self.output_shape
        ends = (query_shape[-1],) if width is None else (width,) if isinstance(width, int) else tuple(width)
        return (*query_shape[:-1], *ends)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), **self._options()}


def _one_axis(x: Tensor) -> Tensor:
    """Positions on several axes as one."""
    shape = x._spec.shape
    assert shape is not None
    return x if len(shape) <= 3 else tf.reshape(x, [tf.shape(x)[0], -1, shape[-1]])
