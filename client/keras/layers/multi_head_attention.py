"""Attention in several heads: MultiHeadAttention.

Owns: the layer and its projections. Sequences, of rank 3, go by matrix products with the heads before the positions;
other ranks and choices of axes by einsum.
"""

from __future__ import annotations

import math
import string
from typing import Any

import client as tf
from client.api import public
from client.keras import activations, regularizers
from client.keras.layers import masks
from client.keras.layers.attention import causal_mask, distances
from client.keras.layers.core import WeightOptions
from client.keras.layers.layer import LAYERS, Layer
from client.keras.layers.seeds import SeedStream
from client.tensor import Tensor


class _Projection(Layer):
    """activation(x @ kernel + bias), with the last axes of `x` summed over and others made."""

    def __init__(self, owner: MultiHeadAttention, into: tuple[int, ...], taken: int, name: str) -> None:
        super().__init__(name=name, dtype=owner.dtype, activity_regularizer=owner._self_activity_regularizer)
        self._self_owner = owner
        self._self_into = into
        self._self_taken = taken  # how many of the last axes the product sums over
        self._self_activation = activations.get("sigmoid" if name == "gate" else None)

    def build(self, input_shape: Any) -> None:
        """Make the kernel, (axes summed over, axes made), and the bias."""
        owner, ends = self._self_owner, tuple(input_shape[len(input_shape) - self._self_taken :])
        self.kernel = self.add_weight(
            (*ends, *self._self_into), owner.kernel_initializer, name="kernel", regularizer=owner.kernel_regularizer,
            constraint=owner.kernel_constraint,
        )  # fmt: skip
        self.bias = None
        if owner.use_bias:
            self.bias = self.add_weight(
                self._self_into, owner.bias_initializer, name="bias", regularizer=owner.bias_regularizer,
                constraint=owner.bias_constraint,
            )  # fmt: skip

    def call(self, inputs: Tensor) -> Tensor:
        """The product."""
        rank = len(inputs.shape)
        axes = list(range(rank - self._self_taken, rank))
        found = tf.tensordot(inputs, self.kernel, [axes, list(range(self._self_taken))])
        found = found if self.bias is None else found + self.bias
        return found if self._self_activation is None else self._self_activation(found)  # type: ignore[no-any-return]

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the product."""
        return (*input_shape[: len(input_shape) - self._self_taken], *self._self_into)


@public("keras.layers.MultiHeadAttention")
@LAYERS.add()
class MultiHeadAttention(WeightOptions, Layer):
    """Attention in several heads: queries, keys and values are projected for each, and the results joined.

    Called as `layer(query, value, key=None)` on tensors of shape (batch, positions, features); there may be more axes
    between the first and the last. Masks say what counts: `query_mask` of shape (batch, T), `value_mask` and `key_mask`
    (batch, S), `attention_mask` (batch, T, S).

    Args:
        num_heads: the number of heads.
        key_dim: the size of each head's queries and keys.
        value_dim: the size of each head's values; None: `key_dim`.
        dropout: the share of the attention weights to drop in training.
        use_bias: whether the projections have biases.
        output_shape: the size of the output's last axis, or the sizes of the axes in its place; None: the query's.
        attention_axes: the axes of the positions; None: all but batch and features.
        sliding_window: how far positions see: those nearer than this number.
        flash_attention: ignored, but goes without dropout and without scores.
        kernel_initializer: what gives the kernels' first values; the other options likewise.
        use_gate: whether the result is multiplied by a sigmoid of a projection of the query.
        seed: a number that makes the dropout reproducible.
        kwargs: `name`, `dtype`, ...

    Raises:
        ValueError: an argument of a wrong kind; values and keys with different numbers of positions.

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
        _check_size("num_heads", num_heads, "a positive integer")
        _check_size("key_dim", key_dim, "a positive integer")
        if value_dim is not None:
            _check_size("value_dim", value_dim, "a positive integer or `None`")
        super().__init__(**kwargs)
        if output_shape and not isinstance(output_shape, int | list | tuple):
            raise ValueError(
                f"Invalid `output_shape`: {output_shape}. When specified, the `output_shape` should be of type tuple, "
                f"list, or int."
            )
        if attention_axes and not isinstance(attention_axes, int | list | tuple):
            raise ValueError(
                f"`attention_axes` must be an int, list, or tuple.Received: attention_axes={attention_axes}"
            )
        if sliding_window is not None and (not isinstance(sliding_window, int) or sliding_window <= 0):
            raise ValueError(
                f"`sliding_window` must be `None` or a positive integer. Received: sliding_window={sliding_window}"
            )
        if flash_attention and dropout > 0.0:
            raise ValueError(
                "Dropout is not supported when flash attention is enabled. Please set dropout to 0.0 to use flash "
                "attention."
            )
        self._self_flash = flash_attention
        self._self_seeds = SeedStream(seed)
        self._self_activity_regularizer = regularizers.get(activity_regularizer)  # that of the projections
        self._self_ends = (output_shape,) if isinstance(output_shape, int) else tuple(output_shape or ())
        self._remember(
            num_heads=num_heads, key_dim=key_dim, value_dim=value_dim or key_dim, dropout=dropout, use_bias=use_bias,
            use_gate=use_gate, sliding_window=sliding_window,
            attention_axes=(attention_axes,) if isinstance(attention_axes, int) else attention_axes,
            kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, bias_constraint=bias_constraint, seed=seed,
        )  # fmt: skip
        self.supports_masking = True

    _self_by_ops = True

    num_heads: int
    key_dim: int
    value_dim: int
    dropout: float
    attention_axes: Any
    sliding_window: Any
    use_gate: bool
    seed: Any

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:  # type: ignore[override]
        """Make the projections."""
        if value_shape is None:
            raise TypeError("missing a required argument: 'value'")
        key_shape = key_shape or value_shape
        _check_shapes(value_shape, key_shape)
        rank = len(query_shape)
        axes = self.attention_axes
        self._self_axes = tuple(range(1, rank - 1)) if axes is None else tuple(a % rank for a in axes)
        self._self_equations = _equations(rank, self._self_axes)

        def projection(into: tuple[int, ...], taken: int, name: str, shape: Any) -> _Projection:
            made = _Projection(self, into, taken, name)
            made.build(shape)
            return made

        heads, values = (self.num_heads, self.key_dim), (self.num_heads, self.value_dim)
        self.query_dense = projection(heads, 1, "query", query_shape)
        self.key_dense = projection(heads, 1, "key", key_shape)
        self.gate_dense = projection(values, 1, "gate", query_shape) if self.use_gate else None
        self.value_dense = projection(values, 1, "value", value_shape)
        ends = self._self_ends or (query_shape[-1],)
        self.output_dense = projection(ends, 2, "attention_output", (*query_shape[:-1], *values))

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
        if self._self_flash and return_attention_scores:
            raise ValueError(
                "Returning attention scores is not supported when flash attention is enabled. Please disable flash "
                "attention to access attention scores."
            )
        seen = self._mask(query, value, (query_mask, value_mask, key_mask), attention_mask, use_causal_mask)
        gate = None if self.gate_dense is None else self.gate_dense(query)
        q, k = self.query_dense(query), self.key_dense(value if key is None else key)
        v = self.value_dense(value)
        zeros = bool(self.dropout or return_attention_scores or len(q.shape) != 4)  # a row of nothing gives zeros
        joined, weights = self._attended(q * (1.0 / math.sqrt(self.key_dim)), k, v, seen, zeros, training)
        found = self.output_dense(joined if gate is None else joined * gate)
        if query_mask is not None:
            masks.put(found, query_mask)
        return (found, weights) if return_attention_scores else found

    def _attended(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Any, zeros: bool, training: Any
    ) -> tuple[Tensor, Tensor]:
        """The means of the values and their weights."""
        to_scores, to_means = self._self_equations
        plain = len(q.shape) == 4 and len(self._self_axes) == 1
        if plain:
            q, k, v = (tf.transpose(x, [0, 2, 1, 3]) for x in (q, k, v))
            scores = tf.matmul(q, k, transpose_b=True)
        else:
            scores = tf.einsum(to_scores, k, q)
        weights = self._softmax(scores, mask, zeros)
        thinned = self._self_seeds.dropout(weights, self.dropout) if training and self.dropout else weights
        if plain:
            return tf.transpose(tf.matmul(thinned, v), [0, 2, 1, 3]), weights
        return tf.einsum(to_means, thinned, v), weights

    def _softmax(self, scores: Tensor, mask: Any, zeros: bool) -> Tensor:
        """The softmax over the positions of the keys, of those alone where the mask is true."""
        count = len(self._self_axes)
        if mask is not None:
            for _ in range(len(scores.shape) - len(mask.shape)):
                mask = tf.expand_dims(mask, -2 * count - 1)
            half = scores.dtype == tf.float16
            lowest = (-3e4 if half else -1e9) if zeros else (-4.585e4 if half else -2.372671e38)
            scores = tf.where(mask, scores, tf.constant(lowest, scores.dtype))
        if count == 1:
            weights = tf.nn.softmax(scores)
        else:
            axes = list(range(len(scores.shape) - count, len(scores.shape)))
            weights = tf.exp(scores - tf.reduce_logsumexp(scores, axis=axes, keepdims=True))
        return tf.where(mask, weights, tf.zeros([], weights.dtype)) if mask is not None and zeros else weights

    def _mask(self, query: Tensor, value: Tensor, given: tuple[Any, Any, Any], attention: Any, causal: bool) -> Any:
        """All masks together; None where there is none."""
        of_query, *of_keys = given
        parts = [] if of_query is None else [tf.cast(of_query, tf.bool)[..., tf.newaxis]]
        parts.extend(tf.cast(m, tf.bool)[..., tf.newaxis, :] for m in of_keys if m is not None)
        if causal or self.sliding_window is not None:
            queries, keys = (x.shape[1] if x.shape[1] is not None else tf.shape(x)[1] for x in (query, value))
            if causal:
                parts.append(causal_mask(queries, keys))
            if self.sliding_window is not None:
                parts.append(tf.abs(distances(queries, keys)) < self.sliding_window)
        if attention is not None:
            parts.append(tf.cast(attention, tf.bool))
        found = None
        for part in parts:
            found = part if found is None else tf.logical_and(found, part)
        return found

    def _set_masks(self, inputs: Any, mask: Any, outputs: Any) -> None:
        """`call` has done it."""

    def compute_output_shape(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> Any:
        """The query's shape but for the last axis."""
        _check_shapes(value_shape, key_shape or value_shape)
        return (*query_shape[:-1], *(self._self_ends or (query_shape[-1],)))

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {
            **super().get_config(),
            **self._options(),
            "output_shape": self._self_ends or None,
            "activity_regularizer": regularizers.serialize(self._self_activity_regularizer),
        }


def _check_size(name: str, value: Any, wanted: str) -> None:
    if not isinstance(value, int) or value <= 0:
        raise ValueError(
            f"Received an invalid value for argument `{name}`, expected {wanted}. Received: {name}={value}"
        )


def _check_shapes(value_shape: Any, key_shape: Any) -> None:
    if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
        raise ValueError(
            "All dimensions of `value` and `key`, except the last one, must be equal. Received: "
            f"value_shape={tuple(value_shape)} and key_shape={tuple(key_shape)}"
        )


def _equations(rank: int, axes: tuple[int, ...]) -> tuple[str, str]:
    """What einsum is to do with (key, query), and with (weights, value), of shape (..., heads, size).

    Axes of the inputs that are no positions stand with the batch; those of the scores are (batch, heads, positions of
    the query, positions of the key).
    """
    target = string.ascii_lowercase[: rank + 1]
    others = {a: string.ascii_lowercase[rank + 1 + i] for i, a in enumerate(axes)}
    source = "".join(others.get(i, c) for i, c in enumerate(target))
    batch = "".join(target[i] for i in range(rank) if i not in axes)
    scores = batch + "".join(target[a] for a in axes) + "".join(others[a] for a in axes)
    return f"{source},{target}->{scores}", f"{scores},{source}->{target}"
