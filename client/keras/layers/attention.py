"""Attention of one head: Attention, AdditiveAttention.

Owns: both, and what all attention shares: the causal mask.
"""

from __future__ import annotations

from typing import Any

import client as tf
from client.api import public
from client.keras.layers.layer import LAYERS, Layer
from client.keras.layers.seeds import SeedStream
from client.keras.layers.values import shape_of
from client.tensor import Tensor


def causal_mask(queries: Any, keys: Any) -> Tensor:
    """Whether position j is not after position i: of shape (1, queries, keys)."""
    return distances(queries, keys) >= 0  # type: ignore[return-value]


def distances(queries: Any, keys: Any) -> Tensor:
    """i - j for positions i of queries and j of keys: of shape (1, queries, keys)."""
    return tf.range(queries)[tf.newaxis, :, tf.newaxis] - tf.range(keys)  # type: ignore[no-any-return]


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
        self._self_seeds = SeedStream(seed)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Make the scale, if wanted."""
        self._check(input_shape)
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
        self._check(inputs, mask)
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) > 2 else value
        scores = self._scores(query, key)
        seen = None
        if mask and mask[1] is not None:
            seen = tf.convert_to_tensor(mask[1])
            seen = seen[..., tf.newaxis, :] if use_causal_mask or len(seen.shape) == 2 else seen
        if use_causal_mask:
            dims = scores.shape if None not in scores.shape[-2:] else tf.shape(scores)
            causal = causal_mask(dims[-2], dims[-1])
            seen = causal if seen is None else tf.logical_and(seen, causal)
        if seen is not None:
            scores = tf.where(seen, scores, scores - (65504.0 if scores.dtype == tf.float16 else 1e9))
        weights = tf.nn.softmax(scores)
        if training and self.dropout:
            weights = self._self_seeds.dropout(weights, self.dropout)
        found = tf.matmul(weights, value)
        if mask and mask[0] is not None:
            found = tf.where(tf.convert_to_tensor(mask[0])[..., tf.newaxis], found, tf.zeros([], found.dtype))
        return (found, weights) if return_attention_scores else found

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        if self.score_mode == "dot":
            scores = tf.matmul(query, key, transpose_b=True)
            return scores if self.scale is None else scores * self.scale
        total = query[..., :, tf.newaxis, :] + key[..., tf.newaxis, :, :]
        if self.scale is not None:
            total = self.scale * total
        return self.concat_score_weight * tf.reduce_sum(tf.tanh(total), axis=-1)

    def _check(self, inputs: Any, mask: Any = None) -> None:
        name = type(self).__name__
        if not isinstance(inputs, list):
            raise ValueError(
                f"{name} layer must be called on a list of inputs, namely [query, value] or [query, value, key]. "
                f"Received: inputs={shape_of(inputs) or inputs}."
            )
        if not 2 <= len(inputs) <= 3:
            raise ValueError(
                f"{name} layer accepts inputs list of length 2 or 3, namely [query, value] or [query, value, key]. "
                f"Received length: {len(inputs)}."
            )
        if mask is None:
            return
        if not isinstance(mask, list):
            raise ValueError(
                f"{name} layer mask must be a list, namely [query_mask, value_mask]. Received: mask of shape "
                f"{shape_of(mask)}."
            )
        if not 2 <= len(mask) <= 3:
            raise ValueError(f"{name} layer accepts mask list of length 2 or 3. Received length: {len(mask)}.")

    _self_by_ops = True

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The query's mask."""
        return previous_mask[0] if previous_mask else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The query's shape with the value's last dim."""
        return (*input_shape[0][:-1], input_shape[1][-1])

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
        self._check(input_shape)
        self.scale = None
        if self.use_scale:
            self.scale = self.add_weight(shape=(input_shape[0][-1],), initializer="glorot_uniform", name="scale")

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        total = tf.tanh(query[..., :, tf.newaxis, :] + key[..., tf.newaxis, :, :])
        return tf.reduce_sum(total if self.scale is None else self.scale * total, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = super().get_config()
        del config["score_mode"]
        return config
