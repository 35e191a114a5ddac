"""Layers that join several tensors, and the same as functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import client as tf
from client.api import public
from client.keras.layers.layer import LAYERS, Layer
from client.tensor import Tensor


def _ranks_equal(inputs: Sequence[Any]) -> list[Any]:
    """Tensors with axes of 1 after the batch, so that all have the same rank and broadcast."""
    rank = max(len(x.shape) for x in inputs)
    found = []
    for x in inputs:
        for _ in range(rank - len(x.shape)):
            x = tf.expand_dims(x, 1)
        found.append(x)
    return found


class _Merge(Layer):
    """A layer of a list of tensors."""

    fewest = 1

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Check that there is a list of inputs."""
        if not isinstance(input_shape, list) or not isinstance(input_shape[0], list | tuple):
            raise ValueError(
                "A merge layer should be called on a list of inputs. Received: "
                f"input_shape={input_shape} (not a list of shapes)"
            )
        if len(input_shape) < self.fewest:
            raise ValueError(
                f"A merge layer should be called on a list of at least {self.fewest} input. Received "
                f"{len(input_shape)} inputs. Full input_shape received: {input_shape}"
            )

    def call(self, inputs: Sequence[Any]) -> Tensor:
        """The tensors, joined."""
        return self._merged(_ranks_equal(inputs))

    def _merged(self, inputs: Sequence[Any]) -> Tensor:
        found = inputs[0]
        for x in inputs[1:]:
            found = self._two(found, x)
        return found

    def _two(self, x: Any, y: Any) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Where all inputs count; None if one has no mask."""
        given = previous_mask if isinstance(previous_mask, list) else [previous_mask]
        if any(m is None for m in given):
            return None
        found = given[0]
        for mask in given[1:]:
            found = tf.logical_and(found, mask)
        return found


def _merge_layer(name: str, what: str, two: Any, example: str, fewest: int = 1, merged: Any = None) -> None:
    lower = name.lower()
    doc = f"""{what}

    Called on a list of tensors that broadcast.

    Args:
        kwargs: `name`, ...

    >>> import client as tf
    >>> print(tf.keras.layers.{name}()([tf.constant([1.0, 5.0]), tf.constant([3.0, 1.0])]).numpy())
    {example}
    """
    body: dict[str, Any] = {"__doc__": doc, "__module__": __name__, "fewest": fewest}
    body["_two"] = lambda self, x, y: two(x, y)
    if merged is not None:
        body["_merged"] = merged
    made = LAYERS.add()(public(f"keras.layers.{name}")(type(name, (_Merge,), body)))
    globals()[name] = made

    def function(inputs: Sequence[Any], **kwargs: Any) -> Any:
        return made(**kwargs)(inputs)

    function.__name__ = lower
    function.__doc__ = f"""`{name}` as a function.

    >>> import client as tf
    >>> print(tf.keras.layers.{lower}([tf.constant([1.0, 5.0]), tf.constant([3.0, 1.0])]).numpy())
    {example}
    """
    globals()[lower] = public(f"keras.layers.{lower}")(function)


def _subtracted(self: Any, inputs: Sequence[Any]) -> Tensor:
    if len(inputs) != 2:
        raise ValueError(f"A `Subtract` layer should be called on exactly 2 inputs. Received: inputs={inputs}")
    return inputs[0] - inputs[1]


def _averaged(self: Any, inputs: Sequence[Any]) -> Tensor:
    found = inputs[0]
    for x in inputs[1:]:
        found = found + x
    return found / float(len(inputs))


_merge_layer("Add", "The sum of all inputs.", lambda x, y: x + y, "[4. 6.]")
_merge_layer("Subtract", "The first of two inputs minus the second.", None, "[-2.  4.]", 2, _subtracted)
_merge_layer("Multiply", "The product of all inputs.", lambda x, y: x * y, "[3. 5.]")
_merge_layer("Average", "The mean of all inputs.", None, "[2. 3.]", merged=_averaged)
_merge_layer("Maximum", "The largest of all inputs, elementwise.", lambda x, y: tf.maximum(x, y), "[3. 5.]")
_merge_layer("Minimum", "The smallest of all inputs, elementwise.", lambda x, y: tf.minimum(x, y), "[1. 1.]")


@public("keras.layers.Concatenate")
@LAYERS.add()
class Concatenate(_Merge):
    """The inputs side by side.

    Args:
        axis: along which axis.
        kwargs: `name`, ...

    Raises:
        ValueError: shapes that differ on another axis.

    >>> import client as tf
    >>> tf.keras.layers.Concatenate()([tf.zeros([1, 2]), tf.zeros([1, 3])]).shape
    TensorShape([1, 5])
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def build(self, input_shape: Any) -> None:
        """Check that the other axes fit."""
        super().build(input_shape)
        shapes = [list(s) for s in input_shape]
        others = {tuple(d for i, d in enumerate(s) if i != self.axis % len(s)) for s in shapes}
        known = [o for o in others if None not in o]
        if len(known) > 1:
            raise ValueError(
                "A `Concatenate` layer requires inputs with matching shapes except for the concatenation axis. "
                f"Received: input_shape={input_shape}"
            )

    def call(self, inputs: Sequence[Any]) -> Tensor:
        """The output."""
        return tf.concat(list(inputs), self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The masks side by side where the steps are, else where all inputs count."""
        given = previous_mask if isinstance(previous_mask, list) else [previous_mask]
        if all(m is None for m in given):
            return None
        rank = len(inputs[0].shape)
        axis = self.axis % rank
        full = [tf.ones_like(x[..., 0], dtype=tf.bool) if m is None else m for x, m in zip(inputs, given, strict=True)]
        if axis < rank - 1:
            return tf.concat(full, axis)
        found = full[0]
        for mask in full[1:]:
            found = tf.logical_and(found, mask)
        return found

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "axis": self.axis}


@public("keras.layers.concatenate")
def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate` as a function.

    >>> import client as tf
    >>> tf.keras.layers.concatenate([tf.zeros([1, 2]), tf.zeros([1, 3])]).shape
    TensorShape([1, 5])
    """
    return Concatenate(axis, **kwargs)(inputs)


@public("keras.layers.Dot")
@LAYERS.add()
class Dot(_Merge):
    """The products of two tensors' examples, summed over an axis of each.

    Args:
        axes: the axis of both, or one for each; counted with the batch.
        normalize: whether the tensors have norm 1 along these axes first.
        kwargs: `name`, ...

    Raises:
        ValueError: not two inputs, or dims that differ.

    >>> import client as tf
    >>> tf.keras.layers.Dot(axes=(1, 2))([tf.zeros([2, 3, 4]), tf.zeros([2, 5, 3])]).shape
    TensorShape([2, 4, 5])
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, int) and (not isinstance(axes, list | tuple) or len(axes) != 2):
            raise ValueError(f"Invalid format for argument `axes`: an int or two of them. Received: axes={axes}")
        self.axes = axes
        self.normalize = normalize

    def build(self, input_shape: Any) -> None:
        """Check that there are two inputs that fit."""
        super().build(input_shape)
        if len(input_shape) != 2:
            raise ValueError(f"A `Dot` layer should be called on exactly 2 inputs. Received: {input_shape}")
        a, b = self._axes(len(input_shape[0]), len(input_shape[1]))
        if input_shape[0][a] != input_shape[1][b]:
            raise ValueError(
                f"Incompatible input shapes: axis values {input_shape[0][a]} (at axis {a}) != {input_shape[1][b]} (at "
                f"axis {b}). Full input shapes: {input_shape[0]}, {input_shape[1]}"
            )

    def _axes(self, rank: int, other: int) -> tuple[int, int]:
        a, b = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return a % rank, b % other

    def call(self, inputs: Sequence[Any]) -> Tensor:
        """The products."""
        x, y = inputs
        a, b = self._axes(len(x.shape), len(y.shape))
        if self.normalize:
            x, y = tf.math.l2_normalize(x, axis=a), tf.math.l2_normalize(y, axis=b)
        letters = "bcdefghijklmnop"
        first = ["z", *letters[: len(x.shape) - 1]]
        second = ["z", *letters[len(x.shape) - 1 : len(x.shape) + len(y.shape) - 2]]
        second[b] = first[a]
        result = [c for c in first if c != first[a]] + [c for c in second[1:] if c != first[a]]
        found = tf.einsum(f"{''.join(first)},{''.join(second)}->{''.join(result)}", x, y)
        return tf.expand_dims(found, 1) if len(result) == 1 else found

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """None."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


@public("keras.layers.dot")
def dot(inputs: Sequence[Any], axes: Any = -1, **kwargs: Any) -> Any:
    """`Dot` as a function.

    >>> import client as tf
    >>> tf.keras.layers.dot([tf.ones([2, 3]), tf.ones([2, 3])], axes=1).shape
    TensorShape([2, 1])
    """
    return Dot(axes, **kwargs)(inputs)
