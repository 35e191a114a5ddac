"""Layers that join several tensors, and the same as functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

import client as tf
from client.api import public
from client.keras.layers import masks
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


Masks = Sequence[Any]  # of tensors, with axes so that they broadcast with them; None for one without


def _sum(inputs: Sequence[Any]) -> Any:
    found = inputs[0]
    for x in inputs[1:]:
        found = found + x
    return found


def _product(inputs: Sequence[Any], given: Masks) -> Any:
    """What does not count is 1; 0 where nothing counts."""
    found: Any = None
    seen: Any = None
    for x, mask in zip(inputs, given, strict=True):
        if mask is not None:
            x = tf.where(mask, x, tf.ones([], x.dtype))
            seen = mask if seen is None else tf.logical_or(seen, mask)
        found = x if found is None else found * x
    return found if any(m is None for m in given) else tf.where(seen, found, tf.zeros([], found.dtype))


def _chosen(choose: Callable[[Any, Any], Any]) -> Callable[[Sequence[Any], Masks], Any]:
    """The largest or smallest; what does not count is replaced by what does."""

    def chosen(inputs: Sequence[Any], given: Masks) -> Any:
        found, seen = inputs[0], given[0]
        for x, mask in zip(inputs[1:], given[1:], strict=True):
            if mask is not None:
                x = tf.where(mask, x, found)
            if seen is not None:
                found = tf.where(seen, found, x)
            seen = None if seen is None or mask is None else tf.logical_or(seen, mask)
            found = choose(found, x)
        return found

    return chosen


def _any_of(given: Sequence[Any]) -> Any:
    found = given[0]
    for mask in given[1:]:
        found = tf.logical_or(found, mask)
    return found


def _check_shapes(shapes: Sequence[Any]) -> None:
    """Raise ValueError unless tensors of these shapes are of one batch size and broadcast after it."""
    if len({s[0] for s in shapes if s} - {None}) > 1:
        raise ValueError(f"Cannot merge tensors with different batch sizes. Received tensors with shapes {shapes}")
    for dims in zip_longest(*(reversed(s[1:]) for s in shapes), fillvalue=1):
        if len(set(dims) - {None, 1}) > 1:
            raise ValueError(f"Inputs have incompatible shapes. Received shapes {shapes}")


class _Merge(Layer):
    """A layer of a list of tensors."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Check that there is a list of inputs that fit."""
        self._check_list(input_shape)
        _check_shapes(input_shape)

    def _check_list(self, input_shape: Any) -> None:
        if not isinstance(input_shape, list) or not isinstance(input_shape[0], list | tuple):
            raise ValueError(
                f"A `{type(self).__name__}` layer should be called on a list of inputs. Received: "
                f"input_shape={input_shape} (not a list of shapes)"
            )

    def call(self, inputs: Sequence[Any]) -> Tensor:
        """The tensors, joined."""
        return self._merged(_ranks_equal(inputs))

    def _merged(self, inputs: Sequence[Any]) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """Where one of the inputs counts; None if one has no mask."""
        given = previous_mask if isinstance(previous_mask, list) else [previous_mask]
        return None if any(m is None for m in given) else _any_of(given)


class _MaskedMerge(_Merge):
    """One whose result depends on what counts."""

    def _merged(self, inputs: Sequence[Any]) -> Tensor:
        given = []
        for x in inputs:
            mask = masks.of(x)
            for _ in range(0 if mask is None else len(x.shape) - len(mask.shape)):
                mask = tf.expand_dims(mask, -1)
            given.append(mask)
        return self._with_masks(inputs, given)

    def _with_masks(self, inputs: Sequence[Any], given: Masks) -> Tensor:
        raise NotImplementedError


def _merge_layer(name: str, what: str, example: str, joined: Callable[..., Any], masked: bool = False) -> None:
    """Make a public class and its function. `joined` takes the tensors and, if `masked`, their masks."""
    lower = name.lower()
    doc = f"""{what}

    Called on a list of tensors that broadcast; those of fewer axes get axes of 1 after the batch.

    Args:
        kwargs: `name`, ...

    Raises:
        ValueError: no list, shapes that do not broadcast, other batch sizes.

    >>> import client as tf
    >>> x, y = tf.constant([[1.0, 5.0]]), tf.constant([[3.0, 1.0]])
    >>> print(tf.keras.layers.{name}()([x, y]).numpy())
    {example}
    """
    body: dict[str, Any] = {"__doc__": doc, "__module__": __name__}
    if masked:
        body["_with_masks"] = lambda self, inputs, given: joined(inputs, given)
    else:
        body["_merged"] = lambda self, inputs: joined(inputs)
    made = type(name, (_MaskedMerge if masked else _Merge,), body)
    globals()[name] = made = LAYERS.add()(public(f"keras.layers.{name}")(made))

    def function(inputs: Sequence[Any], **kwargs: Any) -> Any:
        return made(**kwargs)(inputs)

    function.__name__ = function.__qualname__ = lower
    function.__doc__ = f"""`{name}` as a function.

    Args:
        inputs: a list of tensors that broadcast.
        kwargs: `name`, ...

    >>> import client as tf
    >>> x, y = tf.constant([[1.0, 5.0]]), tf.constant([[3.0, 1.0]])
    >>> print(tf.keras.layers.{lower}([x, y]).numpy())
    {example}
    """
    globals()[lower] = public(f"keras.layers.{lower}")(function)


def _difference(inputs: Sequence[Any]) -> Any:
    if len(inputs) != 2:
        raise ValueError(f"A `Subtract` layer should be called on exactly 2 inputs. Received: inputs={inputs}")
    return inputs[0] - inputs[1]


_merge_layer("Add", "The sum of all inputs.", "[[4. 6.]]", _sum)
_merge_layer("Subtract", "The first of two inputs minus the second.", "[[-2.  4.]]", _difference)
_merge_layer("Multiply", "The product of all inputs.", "[[3. 5.]]", _product, masked=True)
_merge_layer("Average", "The mean of all inputs.", "[[2. 3.]]", lambda inputs: _sum(inputs) / len(inputs))
_merge_layer("Maximum", "The largest of all inputs, elementwise.", "[[3. 5.]]", _chosen(tf.maximum), masked=True)
_merge_layer("Minimum", "The smallest of all inputs, elementwise.", "[[1. 1.]]", _chosen(tf.minimum), masked=True)


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
        self._check_list(input_shape)
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
        """The masks side by side, if they have the axis; else where one of the inputs counts."""
        given = previous_mask if isinstance(previous_mask, list) else [previous_mask]
        if all(m is None for m in given):
            return None
        rank = len(inputs[0].shape)
        axis = self.axis % rank
        full = [tf.ones_like(x[..., 0], dtype=tf.bool) if m is None else m for x, m in zip(inputs, given, strict=True)]
        return tf.concat(full, axis) if axis < rank - 1 else _any_of(full)

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
        TypeError: `axes` is neither a number nor a list.
        ValueError: not two numbers, not two inputs, dims that differ, the batch's axis.

    >>> import client as tf
    >>> tf.keras.layers.Dot(axes=(1, 2))([tf.zeros([2, 3, 4]), tf.zeros([2, 5, 3])]).shape
    TensorShape([2, 4, 5])
    """

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, int | list | tuple):
            raise TypeError(f"Invalid type for argument `axes`: it should be a list or an int. Received: axes={axes}")
        if not isinstance(axes, int) and (len(axes) != 2 or not all(isinstance(a, int) for a in axes)):
            raise ValueError(f"Invalid format for argument `axes`: an int or two of them. Received: axes={axes}")
        self.axes = axes
        self.normalize = normalize

    def build(self, input_shape: Any) -> None:
        """Check that there are two inputs that fit."""
        self._check_list(input_shape)
        if len(input_shape) != 2:
            raise ValueError(f"A `Dot` layer should be called on exactly 2 inputs. Received: {input_shape}")
        first, second = input_shape
        if len(first) < 2 or len(second) < 2:
            raise ValueError(f"Cannot do batch_dot on inputs with rank < 2. Received inputs with shapes {input_shape}.")
        a, b = self._axes(len(first), len(second))
        if 0 in (a, b):
            raise ValueError(f"Cannot perform batch_dot over axis 0, that of the batch. Received: axes={self.axes}")
        if first[0] != second[0] and None not in (first[0], second[0]):
            raise ValueError(
                f"Cannot do batch_dot on inputs with different batch sizes. Received inputs with shapes {input_shape}."
            )
        if first[a] != second[b]:
            raise ValueError(
                f"Incompatible input shapes: axis values {first[a]} (at axis {a}) != {second[b]} (at axis {b}). Full "
                f"input shapes: {first}, {second}"
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
