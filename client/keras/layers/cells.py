"""Recurrent cells: one step of SimpleRNN, LSTM and GRU.

Owns: the cells. Does not know several of them (`stacked_cells`) nor sequences (`recurrent`). A cell is called with the
input of a step and the list of its states, and gives its output and the list of its new states.
"""

from __future__ import annotations

from typing import Any

import client as tf
from client.api import public
from client.keras.layers.core import WeightOptions
from client.keras.layers.layer import LAYERS, Layer
from client.keras.layers.seeds import SeedStream
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
        self._self_masks: dict[str, Any] = {}
        self._self_seeds = SeedStream(self.seed)

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
        return self.bias_initializer(shape, dtype=dtype)  # type: ignore[no-any-return]

    def get_initial_state(self, batch_size: Any = None) -> list[Tensor]:
        """Zeros for each state."""
        return [tf.zeros([batch_size, size], self.compute_dtype) for size in self._sizes]

    @property
    def _sizes(self) -> list[int]:
        return list(self.state_size) if isinstance(self.state_size, list | tuple) else [self.state_size]

    def _mask(self, x: Tensor, which: str, training: bool | None) -> Tensor | None:
        """The factors of dropout for `x`, the same for all steps of a sequence; None where nothing is dropped.

        With recurrent dropout each gate has its own: they stand along a first axis.
        """
        rate = self.dropout if which == "input" else self.recurrent_dropout
        if not training or not 0 < rate < 1:
            return None
        mask = self._self_masks.get(which)
        if mask is None:
            shape = tf.shape(x) if None in x.shape else x.shape
            ones = tf.ones([self.gates, *shape] if self._gated else shape, x.dtype)
            mask = self._self_masks[which] = self._self_seeds.dropout(ones, rate)
        return mask

    @property
    def _gated(self) -> bool:
        return self.recurrent_dropout != 0 and self.gates > 1

    def reset_dropout_mask(self) -> None:
        """Draw new dropout masks for the inputs of the next sequence."""
        self._self_masks.pop("input", None)

    def reset_recurrent_dropout_mask(self) -> None:
        """Draw new dropout masks for the states of the next sequence."""
        self._self_masks.pop("state", None)

    def projected(self, inputs: Tensor, training: bool | None = None) -> Tensor:
        """inputs @ kernel + bias, of one step or of all of them at once, with dropout."""
        if not inputs.dtype.is_floating:
            inputs = tf.cast(inputs, self.compute_dtype)
        rank = len(inputs.shape)
        mask = self._mask(inputs if rank == 2 else inputs[:, 0], "input", training)
        if mask is not None:
            inputs = inputs * (mask if rank == 2 else tf.expand_dims(mask, -2))
        if mask is not None and self._gated:
            found = _by_gate(inputs, self.kernel, self.gates)
        elif rank == 2:
            found = tf.matmul(inputs, self.kernel)
        else:
            found = tf.tensordot(inputs, self.kernel, [[rank - 1], [0]])
        bias = self._input_bias()
        return found if bias is None else found + bias

    def _input_bias(self) -> Any:
        return self.bias

    def constants(self) -> Any:
        """What the steps of a sequence share, computed once."""
        return None

    def _recurrent(self, h: Tensor, training: bool | None) -> Tensor:
        """h @ recurrent_kernel, with dropout."""
        mask = self._mask(h, "state", training)
        if mask is not None and self._gated:
            return _by_gate(h * mask, self.recurrent_kernel, self.gates)
        return tf.matmul(h if mask is None else h * mask, self.recurrent_kernel)  # type: ignore[no-any-return]

    def call(self, inputs: Tensor, states: Any, training: bool | None = False) -> Any:
        """One step: the output and the new states."""
        given = list(states) if isinstance(states, list | tuple) else [states]
        output, new = self.step(self.projected(inputs, training), given, training, self.constants())
        return output, new if isinstance(states, list | tuple) else new[0]

    def step(
        self, projected: Tensor, states: list[Tensor], training: bool | None, constants: Any
    ) -> tuple[Tensor, list[Tensor]]:
        """One step, given inputs @ kernel + bias and what `constants` gave."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any, states_shape: Any = None) -> Any:
        """The shapes of the output and the states."""
        return (input_shape[0], self.units), [(input_shape[0], size) for size in self._sizes]

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

    def step(
        self, projected: Tensor, states: list[Tensor], training: bool | None, constants: Any
    ) -> tuple[Tensor, list[Tensor]]:
        """One step, given inputs @ kernel + bias and what `constants` gave."""
        total = projected + self._recurrent(states[0], training)
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

    def step(
        self, projected: Tensor, states: list[Tensor], training: bool | None, constants: Any
    ) -> tuple[Tensor, list[Tensor]]:
        """One step, given inputs @ kernel + bias and what `constants` gave."""
        h, c = states
        total = projected + self._recurrent(h, training)
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

    def _input_bias(self) -> Any:
        return self.bias[0] if self.reset_after and self.bias is not None else self.bias

    def constants(self) -> Any:
        """The bias of the state's part; or the recurrent kernels of the gates and of the candidate."""
        if self.reset_after:
            return None if self.bias is None else self.bias[1]
        return tf.split(self.recurrent_kernel, [2 * self.units, self.units], axis=-1)

    def step(
        self, projected: Tensor, states: list[Tensor], training: bool | None, constants: Any
    ) -> tuple[Tensor, list[Tensor]]:
        """One step, given inputs @ kernel + bias and what `constants` gave."""
        h, u = states[0], self.units
        x_gates, x_new = tf.split(projected, [2 * u, u], axis=-1)
        if self.reset_after:
            inner = self._recurrent(h, training)
            inner = inner if constants is None else inner + constants
            h_gates, h_new = tf.split(inner, [2 * u, u], axis=-1)
            z, r = tf.split(self.recurrent_activation(x_gates + h_gates), 2, axis=-1)
            candidate = self.activation(x_new + r * h_new)
        else:
            mask = self._mask(h, "state", training)
            gates, new = constants
            of_gates = tf.matmul(h, gates) if mask is None else _by_gate(h * mask[:2], gates, 2)
            z, r = tf.split(self.recurrent_activation(x_gates + of_gates), 2, axis=-1)
            candidate = self.activation(x_new + tf.matmul(r * (h if mask is None else h * mask[2]), new))
        output = z * h + (1.0 - z) * candidate
        return output, [output]


def _by_gate(x: Tensor, kernel: Any, gates: int) -> Tensor:
    """x @ kernel, where the gates see different inputs: `x` has a first axis of gates, the result has them side by side
    along its last.
    """
    rows = kernel.shape[0]
    axes = "t" if len(x.shape) == 4 else ""
    found = tf.einsum(f"gb{axes}i,igo->b{axes}go", x, tf.reshape(kernel, [rows, gates, -1]))
    shape = found.shape[:-2] if None not in found.shape[:-2] else tf.unstack(tf.shape(found)[:-2])
    return tf.reshape(found, [*shape, kernel.shape[1]])  # type: ignore[no-any-return]
