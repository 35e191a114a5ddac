"""Cells one after the other, and what any cell is asked for, a user's too.

Owns: StackedRNNCells, and the defaults where a cell does not say. Does not know any cell in particular.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import client as tf
from client.api import public
from client.keras.layers.layer import LAYERS, Layer
from client.tensor import Tensor


@public("keras.layers.StackedRNNCells")
@LAYERS.add()
class StackedRNNCells(Layer):
    """Cells one after the other, as one cell.

    Args:
        cells: the cells.
        kwargs: `name`, ...

    >>> import client as tf
    >>> cell = tf.keras.layers.StackedRNNCells([tf.keras.layers.GRUCell(3), tf.keras.layers.LSTMCell(2)])
    >>> tf.keras.layers.RNN(cell)(tf.ones([1, 4, 5])).shape
    TensorShape([1, 2])
    """

    def __init__(self, cells: Sequence[Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for cell in cells:
            for needed, what in (("call", "method"), ("state_size", "attribute")):
                if not hasattr(cell, needed):
                    raise ValueError(
                        f"All cells must have a `{needed}` {what}. Received cell without a `{needed}`"
                        f"{' method' if what == 'method' else ''}: {cell}"
                    )
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the cells' states."""
        return [c.state_size for c in self.cells]

    @property
    def output_size(self) -> Any:
        """The size of the last cell's output."""
        return output_size_of(self.cells[-1])

    def build(self, input_shape: Any) -> None:
        """Build the cells, each for the output of the one before."""
        for cell in self.cells:
            if isinstance(cell, Layer) and not cell.built:
                cell.build(input_shape)
            input_shape = (input_shape[0], output_size_of(cell))

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros for each cell."""
        return [initial_state_of(c, batch_size, self.compute_dtype) for c in self.cells]

    def reset_dropout_mask(self) -> None:
        """Draw new dropout masks for the inputs of the next sequence."""
        for cell in self.cells:
            if hasattr(cell, "reset_dropout_mask"):
                cell.reset_dropout_mask()

    def reset_recurrent_dropout_mask(self) -> None:
        """Draw new dropout masks for the states of the next sequence."""
        for cell in self.cells:
            if hasattr(cell, "reset_recurrent_dropout_mask"):
                cell.reset_recurrent_dropout_mask()

    def call(self, inputs: Tensor, states: Any, training: bool | None = False) -> Any:
        """One step through all cells."""
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            nested = isinstance(state, list | tuple)
            options = {"training": training} if takes_training(cell) else {}
            inputs, after = (cell if callable(cell) else cell.call)(
                inputs, list(state) if nested else [state], **options
            )
            if not nested and isinstance(after, list | tuple) and len(after) == 1:
                after = after[0]
            new.append(after)
        return inputs, new

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "cells": [LAYERS.serialize(c) for c in self.cells]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One made of what `get_config` gave."""
        return cls(cells=[LAYERS.deserialize(c) for c in config.pop("cells")], **config)


def output_size_of(cell: Any) -> Any:
    """The size of a cell's output; by default that of its first state."""
    size = getattr(cell, "output_size", None)
    if size is None:
        size = cell.state_size[0] if isinstance(cell.state_size, list | tuple) else cell.state_size
    return size


def initial_state_of(cell: Any, batch: Any, dtype: Any) -> Any:
    """A cell's first states: what it says itself, or zeros."""
    if hasattr(cell, "get_initial_state"):
        return cell.get_initial_state(batch_size=batch)
    sizes = cell.state_size
    found = [
        tf.zeros([batch, *(s if isinstance(s, list | tuple) else (s,))], dtype)
        for s in (sizes if isinstance(sizes, list | tuple) else [sizes])
    ]
    return found if isinstance(sizes, list | tuple) else found[0]


def takes_training(cell: Any) -> bool:
    """Whether a cell's `call` wants to know whether this is training."""
    return isinstance(cell, Layer) and cell._signature.training
