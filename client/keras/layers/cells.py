"""Recurrent cells: one step of SimpleRNN, LSTM and GRU.

Owns: the cells and StackedRNNCells. Does not know sequences (`recurrent`). A cell is called with the input of a step
and the list of its states, and gives its output and the list of its new states.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import client as tf
from client.api import public
from client.keras.layers.core import WeightOptions
from client.keras.layers.layer import LAYERS, Layer, context
from client.tensor import Tensor


class Cell(WeightOptions, Layer):
    """What the cells share: kernel, recurrent kernel and bias for some gates side by side, and dropout."""

    gates = 1

    units: int
    recurrent_activation: Any
    recurrent_initializer: Any
    recurrent_regularizer: Any
    recurrent_constraint: Any
    dropout: float
    recurrent_dropout: float
    seed: Any

    def _start(self, units: int, **options: Any) -> None:
        if units <= 0:
            raise ValueError(
                f"Received an invalid value for argument `units`, expected a positive integer, got {units}."
            )
        self._remember(units=units, **options)
        self.dropout = min(1.0, max(0.0, self.dropout))
        self.recurrent_dropout = min(1.0, max(0.0, self.recurrent_dropout))
        self.state_size: Any = units
        self.output_size = units
        self._self_dropped: dict[str, Any] = {}

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of (batch, features)."""
        width = self.gates * self.units
        self.kernel = self.add_weight(
            (input_shape[-1], width), self.kernel_initializer, name="kernel", regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )  # fmt: skip
        self.recurrent_kernel = self.add_weight(
            (self.units, width), self.recurrent_initializer, name="recurrent_kernel",
            regularizer=self.recurrent_regularizer, constraint=self.recurrent_constraint,
        )  # fmt: skip
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                self._bias_shape(), self._first_bias, name="bias", regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )  # fmt: skip

    def _bias_shape(self) -> tuple[int, ...]:
        return (self.gates * self.units,)

    def _first_bias(self, shape: Any, dtype: Any = None) -> Tensor:
        return self.bias_initializer(shape, dtype=dtype)

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """Zeros for each state."""
        sizes = self.state_size if isinstance(self.state_size, list | tuple) else [self.state_size]
        return [tf.zeros([batch_size, size], self.compute_dtype) for size in sizes]

    def _thinned(self, x: Tensor, which: str, training: bool | None) -> Tensor:
        """`x` with dropout: one mask for all steps of a sequence."""
        rate = self.dropout if which == "input" else self.recurrent_dropout
        if not training or not rate:
            return x
        mask = self._self_dropped.get(which)
        if mask is None:
            mask = self._self_dropped[which] = tf.nn.dropout(tf.ones_like(x), rate, seed=self.seed)
        return x * mask

    def reset_dropout(self) -> None:
        """Draw new dropout masks for the next sequence."""
        self._self_dropped.clear()

    def projected(self, inputs: Tensor) -> Tensor:
        """inputs @ kernel, of one step or of all of them at once."""
        rank = len(inputs._spec.shape or ())
        if rank == 2:
            return tf.matmul(inputs, self.kernel)
        return tf.tensordot(inputs, self.kernel, [[rank - 1], [0]])

    def call(self, inputs: Tensor, states: Any, training: bool | None = None) -> Any:
        """One step: the output and the new states."""
        given = states if isinstance(states, list | tuple) else [states]
        output, new = self.step(self.projected(self._thinned(inputs, "input", training)), list(given), training)
        return output, new if isinstance(states, list | tuple) else new[0]

    def step(self, projected: Tensor, states: list[Tensor], training: bool | None) -> tuple[Tensor, list[Tensor]]:
        """One step, given inputs @ kernel."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any, states_shape: Any = None) -> Any:
        """The shapes of the output and the states."""
        sizes = self.state_size if isinstance(self.state_size, list | tuple) else [self.state_size]
        return (input_shape[0], self.units), [(input_shape[0], size) for size in sizes]

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), **self._options()}


@public("keras.layers.SimpleRNNCell")
@LAYERS.add()
class SimpleRNNCell(Cell):
    """h = activation(x kernel + h recurrent_kernel + bias).

    Args:
        units: the size of the output.
        activation: the activation.
        use_bias: whether there is a bias.
        kernel_initializer: what gives the kernel's first value; the other options likewise.
        dropout: the share of the inputs to drop in training; `recurrent_dropout`: that of the state.
        seed: a number that makes the dropout reproducible.
        kwargs: `name`, `dtype`, ...

    >>> import client as tf
    >>> cell = tf.keras.layers.SimpleRNNCell(3)
    >>> output, states = cell(tf.ones([2, 4]), [tf.zeros([2, 3])])
    >>> output.shape
    TensorShape([2, 3])
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._start(
            units, activation=activation, use_bias=use_bias, kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer, bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer, recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer, kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint, bias_constraint=bias_constraint, dropout=dropout,
            recurrent_dropout=recurrent_dropout, seed=seed,
        )  # fmt: skip

    def step(self, projected: Tensor, states: list[Tensor], training: bool | None) -> tuple[Tensor, list[Tensor]]:
        """One step, given inputs @ kernel."""
        h = self._thinned(states[0], "state", training)
        total = projected + tf.matmul(h, self.recurrent_kernel)
        if self.bias is not None:
            total = total + self.bias
        output = total if self.activation is None else self.activation(total)
        return output, [output]


@public("keras.layers.LSTMCell")
@LAYERS.add()
class LSTMCell(Cell):
    """Long short-term memory: gates i, f, o and candidate c' side by side; c = f c + i c', h = o activation(c).

    Args:
        units: the size of the output.
        activation: the activation of the candidate and of the output.
        recurrent_activation: that of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: what gives the kernel's first value; the other options likewise.
        unit_forget_bias: whether the forget gate's bias starts at 1.
        dropout: the share of the inputs to drop in training; `recurrent_dropout`: that of the state.
        seed: a number that makes the dropout reproducible.
        kwargs: `name`, `dtype`, ...

    >>> import client as tf
    >>> output, states = tf.keras.layers.LSTMCell(3)(tf.ones([2, 4]), [tf.zeros([2, 3]), tf.zeros([2, 3])])
    >>> output.shape, len(states)
    (TensorShape([2, 3]), 2)
    """

    gates = 4

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._start(
            units, activation=activation, recurrent_activation=recurrent_activation, use_bias=use_bias,
            kernel_initializer=kernel_initializer, recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer, unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer, recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer, kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint, bias_constraint=bias_constraint, dropout=dropout,
            recurrent_dropout=recurrent_dropout, seed=seed,
        )  # fmt: skip
        self.state_size = [units, units]

    unit_forget_bias: bool

    def _first_bias(self, shape: Any, dtype: Any = None) -> Tensor:
        if not self.unit_forget_bias:
            return super()._first_bias(shape, dtype)
        u = self.units
        first, last = self.bias_initializer((u,), dtype=dtype), self.bias_initializer((2 * u,), dtype=dtype)
        return tf.concat([first, tf.ones((u,), first.dtype), last], 0)

    def step(self, projected: Tensor, states: list[Tensor], training: bool | None) -> tuple[Tensor, list[Tensor]]:
        """One step, given inputs @ kernel."""
        h, c = self._thinned(states[0], "state", training), states[1]
        total = projected + tf.matmul(h, self.recurrent_kernel)
        if self.bias is not None:
            total = total + self.bias
        i, f, candidate, o = tf.split(total, 4, axis=-1)
        gate = self.recurrent_activation
        c = gate(f) * c + gate(i) * self.activation(candidate)
        output = gate(o) * self.activation(c)
        return output, [output, c]


@public("keras.layers.GRUCell")
@LAYERS.add()
class GRUCell(Cell):
    """Gated recurrent unit: update gate z, reset gate r and candidate h' side by side; h = z h + (1 - z) h'.

    Args:
        units: the size of the output.
        activation: the activation of the candidate.
        recurrent_activation: that of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: what gives the kernel's first value; the other options likewise.
        dropout: the share of the inputs to drop in training; `recurrent_dropout`: that of the state.
        reset_after: whether the reset gate applies after the product with the state, as in cuDNN.
        seed: a number that makes the dropout reproducible.
        kwargs: `name`, `dtype`, ...

    >>> import client as tf
    >>> output, states = tf.keras.layers.GRUCell(3)(tf.ones([2, 4]), [tf.zeros([2, 3])])
    >>> output.shape
    TensorShape([2, 3])
    """

    gates = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        reset_after: bool = True,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._start(
            units, activation=activation, recurrent_activation=recurrent_activation, use_bias=use_bias,
            kernel_initializer=kernel_initializer, recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer, kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer, bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint, recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint, dropout=dropout, recurrent_dropout=recurrent_dropout,
            reset_after=reset_after, seed=seed,
        )  # fmt: skip

    reset_after: bool

    def _bias_shape(self) -> tuple[int, ...]:
        return (2, 3 * self.units) if self.reset_after else (3 * self.units,)

    def step(self, projected: Tensor, states: list[Tensor], training: bool | None) -> tuple[Tensor, list[Tensor]]:
        """One step, given inputs @ kernel."""
        before = states[0]
        h = self._thinned(before, "state", training)
        of_input, of_state = None, None
        if self.bias is not None:
            of_input, of_state = (self.bias[0], self.bias[1]) if self.reset_after else (self.bias, None)
        x = projected if of_input is None else projected + of_input
        u, gate = self.units, self.recurrent_activation
        if self.reset_after:
            inner = tf.matmul(h, self.recurrent_kernel)
            inner = inner if of_state is None else inner + of_state
            x_gates, x_new = tf.split(x, [2 * u, u], axis=-1)
            h_gates, h_new = tf.split(inner, [2 * u, u], axis=-1)
            z, r = tf.split(gate(x_gates + h_gates), 2, axis=-1)
            candidate = self.activation(x_new + r * h_new)
        else:
            x_gates, x_new = tf.split(x, [2 * u, u], axis=-1)
            gates, new = tf.split(self.recurrent_kernel, [2 * u, u], axis=-1)
            z, r = tf.split(gate(x_gates + tf.matmul(h, gates)), 2, axis=-1)
            candidate = self.activation(x_new + tf.matmul(r * h, new))
        output = z * before + (1.0 - z) * candidate
        return output, [output]


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
            if not hasattr(cell, "state_size"):
                raise ValueError(f"All cells must have a `state_size` attribute. Received cell without a "
                                 f"`state_size`: {cell}")  # fmt: skip
        self.cells = list(cells)

    @property
    def state_size(self) -> list[Any]:
        """The sizes of the cells' states."""
        return [c.state_size for c in self.cells]

    @property
    def output_size(self) -> Any:
        """The size of the last cell's output."""
        return self.cells[-1].output_size

    def build(self, input_shape: Any) -> None:
        """Build the cells, each for the output of the one before."""
        for cell in self.cells:
            if not cell.built:
                context.path.append(cell.name)
                try:
                    cell.build(input_shape)
                finally:
                    context.path.pop()
            input_shape = (input_shape[0], cell.output_size)

    def get_initial_state(self, batch_size: Any = None) -> list[Any]:
        """Zeros for each cell."""
        return [c.get_initial_state(batch_size) for c in self.cells]

    def reset_dropout(self) -> None:
        """Draw new dropout masks for the next sequence."""
        for cell in self.cells:
            if hasattr(cell, "reset_dropout"):
                cell.reset_dropout()

    def call(self, inputs: Tensor, states: Any, training: bool | None = None) -> Any:
        """One step through all cells."""
        new = []
        for cell, state in zip(self.cells, states, strict=True):
            inputs, state = cell(inputs, state, training=training)
            new.append(state)
        return inputs, new

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "cells": [LAYERS.serialize(c) for c in self.cells]}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One made of what `get_config` gave."""
        return cls(cells=[LAYERS.deserialize(c) for c in config.pop("cells")], **config)
