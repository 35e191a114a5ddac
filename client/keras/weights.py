"""The variables that layers, metrics and optimizers own.

Owns: `Weight`. Does not know who owns one, or its first value.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from client.tensor import Tensor
from client.variable import Variable


class Weight(Variable):
    """A `tf.Variable` with Keras' names: `name` is "kernel" and `path` is "dense/kernel".

    `trainable` can be set: a tape watches a weight by itself only while it is true. `regularizer` and `constraint` are
    functions of the value or None: a layer adds the first to its losses, an optimizer applies the second after an
    update.
    """

    __slots__ = ("constraint", "made_trainable", "path", "regularizer")

    def __init__(
        self,
        initial_value: Any,
        trainable: bool = True,
        name: str = "variable",
        path: str = "",
        dtype: Any = None,
        regularizer: Callable[[Tensor], Tensor] | None = None,
        constraint: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        super().__init__(initial_value, trainable, name=name, dtype=dtype)
        self.path = path or name
        self.made_trainable = trainable  # what `trainable` goes back to when its layer is no longer frozen
        self.regularizer = regularizer
        self.constraint = constraint

    @property
    def name(self) -> str:
        """The name within its owner, such as `kernel`."""
        return self._handle_name

    @property
    def trainable(self) -> bool:
        """Whether tapes watch it by themselves and its owner lists it among its trainable variables."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
