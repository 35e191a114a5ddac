"""Recurrent layers: RNN over any cell, SimpleRNN, LSTM, GRU.

The loop over time is Python's. What does not depend on the state, the product of all inputs with the kernel, is one op.
"""

from __future__ import annotations

from typing import Any

import client as tf
from client import nest
from client.api import public
from client.keras.layers import masks
from client.keras.layers.cells import (
    Cell,
    GRUCell,
    LSTMCell,
    SimpleRNNCell,
)
from client.keras.layers.input_spec import InputSpec
from client.keras.layers.layer import LAYERS, Layer
from client.keras.layers.stacked_cells import StackedRNNCells, initial_state_of, output_size_of, takes_training
from client.keras.weights import Weight
from client.tensor import Tensor


@public("keras.layers.RNN")
@LAYERS.add()
class RNN(Layer):
    """A cell applied to each step of a sequence, of shape (batch, steps, features).

    Args:
        cell: a cell, or a list of them: a layer called as `cell(inputs, states)` that gives `(output, new_states)` and
            has `state_size`.
        return_sequences: whether to give the outputs of all steps; else the last.
        return_state: whether to give the last states too.
        go_backwards: whether to go from the last step to the first.
        stateful: whether the states of one call are the first states of the next.
        unroll: ignored.
        zero_output_for_mask: whether masked steps give zeros; else the output before.
        kwargs: `name`, ...

    Raises:
        ValueError: the cell has no `call` or `state_size`.

    >>> import client as tf
    >>> layer = tf.keras.layers.RNN(tf.keras.layers.SimpleRNNCell(3), return_sequences=True)
    >>> layer(tf.ones([2, 5, 4])).shape
    TensorShape([2, 5, 3])
    """

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        if not hasattr(cell, "call"):
            raise ValueError(f"Argument `cell` should have a `call` method. Received: cell={cell}")
        if not hasattr(cell, "state_size"):
            raise ValueError(
                "The RNN cell should have a `state_size` attribute (single integer or list of integers, one integer "
                f"per RNN state). Received: cell={cell}"
            )
        super().__init__(**kwargs)
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.supports_masking = True
        self.input_spec: Any = InputSpec(min_ndim=3)
        self._self_states: Any = None  # not among the weights

    @property
    def state_size(self) -> list[Any]:
        """The size of each state."""
        sizes = self.cell.state_size
        return list(sizes) if isinstance(sizes, list | tuple) else [sizes]

    @property
    def states(self) -> Any:
        """The variables that hold the states from one call to the next; None if not stateful or not built."""
        return self._self_states

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build the cell for the inputs of a step."""
        if isinstance(self.cell, Layer) and not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))
        if self.stateful and self._self_states is None:
            if sequences_shape[0] is None:
                raise ValueError(
                    "When using `stateful=True` in a RNN, the batch size must be static. Found dynamic batch size: "
                    f"sequence.shape={tuple(sequences_shape)}"
                )
            self._self_states = nest.map_structure(
                lambda value: Weight(value, False, "rnn_state", f"{self.path}/rnn_state"),
                self.get_initial_state(sequences_shape[0]),
            )

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """Zeros for each state, or what the cell says."""
        found = initial_state_of(self.cell, batch_size, self.compute_dtype)
        return list(found) if isinstance(found, list | tuple) else [found]

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool | None = False) -> Any:
        """The output or outputs, and the last states if wanted."""
        states = self._first_states(sequences, initial_state)
        for reset in ("reset_dropout_mask", "reset_recurrent_dropout_mask"):
            if hasattr(self.cell, reset):
                getattr(self.cell, reset)()
        outputs, states = self._run(sequences, states, mask, training)
        if self.stateful:
            for variable, value in zip(nest.flatten(self._self_states), nest.flatten(states), strict=True):
                variable.assign(value)
        found = tf.stack(outputs, axis=1) if self.return_sequences else outputs[-1]
        return (found, *states) if self.return_state else found

    def _first_states(self, sequences: Tensor, initial_state: Any) -> list[Any]:
        batch = sequences.shape[0]
        if self.stateful:
            kept = nest.map_structure(lambda v: v.read_value(), self._self_states)
            expected = nest.flatten(kept)[0].shape[0]
            if batch is not None and batch != expected:
                raise ValueError(
                    "If an RNN is stateful, the batch size of the input sequences must be the same as the batch size "
                    f"of the initial state. \n- Expected batch size: {expected}\n- Received batch size: {batch}"
                )
            if initial_state is None:
                return list(kept)
        form = None
        if initial_state is None or isinstance(self.cell, StackedRNNCells):
            form = self.get_initial_state(tf.shape(sequences)[0] if batch is None else batch)
        if initial_state is None:
            assert form is not None
            return form
        given = [tf.cast(s, self.compute_dtype) for s in nest.flatten(initial_state)]
        sizes = nest.flatten(self.cell.state_size)
        if len(given) != len(sizes) and all(isinstance(size, int) for size in sizes):
            raise ValueError(f"the cell has {len(sizes)} states, but `initial_state` has {len(given)}")
        return given if form is None else list(nest.pack_sequence_as(form, given))

    def _run(self, sequences: Tensor, states: Any, mask: Any, training: bool | None) -> tuple[list[Tensor], Any]:
        cell = self.cell
        steps, seen = self._steps(sequences, mask, training)
        constants = cell.constants() if isinstance(cell, Cell) else None
        options = {"training": training} if takes_training(cell) else {}
        outputs: list[Tensor] = []
        for t in range(len(steps) - 1, -1, -1) if self.go_backwards else range(len(steps)):
            if isinstance(cell, Cell):
                output, new = cell.step(steps[t], states, training, constants)
            else:
                output, new = (cell if callable(cell) else cell.call)(steps[t], states, **options)
                new = list(new) if isinstance(new, list | tuple) else [new]
            if seen is not None:
                before = outputs[-1] if outputs and not self.zero_output_for_mask else tf.zeros_like(output)
                output = _where(seen[t], output, before)
                new = nest.pack_sequence_as(
                    states,
                    [_where(seen[t], n, o) for n, o in zip(nest.flatten(new), nest.flatten(states), strict=True)],
                )
            outputs.append(output)
            states = new
        return outputs, states

    def _steps(self, sequences: Tensor, mask: Any, training: bool | None) -> tuple[list[Tensor], list[Tensor] | None]:
        """What the cell gets at each step, and the masks: whose product with the kernel can be taken at once, is."""
        length = sequences.shape[1]
        if length == 0:
            raise tf.errors.InvalidArgumentError("slice index 0 of dimension 1 out of bounds.")
        if isinstance(self.cell, Cell):
            sequences = self.cell.projected(sequences, training)
        steps = tf.unstack(sequences, axis=1)
        if mask is None:
            return steps, None
        mask = tf.cast(mask, tf.bool)
        if mask.shape[1] not in (None, len(steps)):
            raise ValueError(f"Cannot unstack {mask.shape[1]} tensors into a TensorArray of static size {len(steps)}")
        return steps, tf.unstack(mask[:, :, tf.newaxis] if len(mask.shape) == 2 else mask, axis=1)

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """The shape of the output, and those of the states if they are returned."""
        batch, length = sequences_shape[0], sequences_shape[1]
        size = output_size_of(self.cell)
        output = (batch, length, size) if self.return_sequences else (batch, size)
        if not self.return_state:
            return output
        sizes = [(batch, *(s if isinstance(s, list | tuple) else (s,))) for s in self.state_size]
        if isinstance(self.cell, StackedRNNCells):
            sizes = [
                [(batch, n) for n in s] if isinstance(s, list | tuple) else (batch, s)  # type: ignore[misc]
                for s in self.state_size
            ]
        return (output, *sizes)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the sequence, where sequences are returned."""
        mask = nest.flatten(previous_mask)[0]
        found = mask if self.return_sequences else None
        return [found, *[None for _ in self.state_size]] if self.return_state else found

    def _set_masks(self, inputs: Any, mask: Any, outputs: Any) -> None:
        if self.return_sequences and mask is not None:
            masks.put(outputs[0] if self.return_state else outputs, nest.flatten(mask)[0])

    def reset_state(self, states: Any = None) -> None:
        """Set the kept states to zeros, or to `states`."""
        for i, variable in enumerate(nest.flatten(self._self_states) if self._self_states is not None else []):
            variable.assign(tf.zeros_like(variable) if states is None else nest.flatten(states)[i])

    reset_states = reset_state

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), **self._flags(), "cell": LAYERS.serialize(self.cell)}

    def _flags(self) -> dict[str, Any]:
        return {n: getattr(self, n) for n in _FLAGS}

    def _again(self, **changes: Any) -> Any:
        """A layer of the same configuration but for `changes`, with a cell and weights of its own."""
        cell = type(self.cell).from_config(self.cell.get_config())
        return type(self)(**{**Layer.get_config(self), **self._flags(), "cell": cell, **changes})

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One made of what `get_config` gave."""
        if "cell" in config:
            config = {**config, "cell": LAYERS.deserialize(config["cell"])}
        return cls(**config)


def _where(mask: Tensor, x: Tensor, other: Tensor) -> Tensor:
    """`x` where the mask, of shape (batch, 1), is true, else `other`."""
    missing = len(x.shape) - len(mask.shape)
    if missing > 0:
        mask = tf.reshape(mask, [-1, *[1] * (len(x.shape) - 1)])
    return tf.where(mask, x, other)  # type: ignore[no-any-return]


_FLAGS = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")


class _OfCell(RNN):
    """A layer for one kind of cell: takes the cell's arguments and RNN's."""

    cell_class: type[Cell]

    def _begin(self, arguments: dict[str, Any]) -> None:
        """Make the cell from the arguments of `__init__`, and RNN from the rest."""
        kwargs = arguments.pop("kwargs")
        flags = {n: arguments.pop(n) for n in _FLAGS if n in arguments}
        flags.update({n: kwargs.pop(n) for n in _FLAGS if n in kwargs})
        regularizer = arguments.pop("activity_regularizer")
        cudnn = arguments.pop("use_cudnn", "auto")
        if cudnn not in ("auto", True, False):
            raise ValueError(
                "Invalid valid received for argument `use_cudnn`. Expected one of {'auto', True, False}. "
                f"Received: use_cudnn={cudnn}"
            )
        for unused in ("implementation", "time_major"):
            kwargs.pop(unused, None)
        inner = {k: kwargs[k] for k in ("dtype", "trainable") if k in kwargs}
        cell = self.cell_class(**arguments, name=_cell_name(self.cell_class), **inner)
        super().__init__(cell, activity_regularizer=regularizer, **flags, **kwargs)
        self.input_spec = InputSpec(ndim=3)

    def __getattr__(self, name: str) -> Any:
        cell = self.__dict__.get("cell")
        if cell is not None and not name.startswith("_") and name in cell._self_options:
            return getattr(cell, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = {"activity_regularizer": None, **Layer.get_config(self), **self._flags(), **self.cell._options()}
        if isinstance(self, SimpleRNN):
            del config["seed"]
        return config

    def _again(self, **changes: Any) -> Any:
        return type(self).from_config({**self.get_config(), **changes})


def _cell_name(cell: type[Cell]) -> str:
    return {"SimpleRNNCell": "simple_rnn_cell", "LSTMCell": "lstm_cell", "GRUCell": "gru_cell"}[cell.__name__]


@public("keras.layers.SimpleRNN")
@LAYERS.add()
class SimpleRNN(_OfCell):
    """A fully connected recurrent layer: h = activation(x kernel + h recurrent_kernel + bias).

    Args:
        units: the size of the output.
        activation: the activation.
        use_bias: whether there is a bias.
        kernel_initializer: what gives the kernel's first value; the other options likewise.
        dropout: the share of the inputs to drop in training; `recurrent_dropout`: that of the state.
        return_sequences: whether to give the outputs of all steps; `return_state` and the others as in RNN.
        seed: a number that makes the dropout reproducible.
        kwargs: `name`, `dtype`, ...

    >>> import client as tf
    >>> tf.keras.layers.SimpleRNN(3)(tf.ones([2, 5, 4])).shape
    TensorShape([2, 3])
    """

    cell_class = SimpleRNNCell

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        self._begin({k: v for k, v in locals().items() if k not in ("self", "__class__")})


@public("keras.layers.LSTM")
@LAYERS.add()
class LSTM(_OfCell):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997).

    Args:
        units: the size of the output.
        activation: the activation of the candidate and of the output.
        recurrent_activation: that of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: what gives the kernel's first value; the other options likewise.
        unit_forget_bias: whether the forget gate's bias starts at 1.
        dropout: the share of the inputs to drop in training; `recurrent_dropout`: that of the state.
        return_sequences: whether to give the outputs of all steps; `return_state` and the others as in RNN.
        use_cudnn: ignored.
        seed: a number that makes the dropout reproducible.
        kwargs: `name`, `dtype`, ...

    >>> import client as tf
    >>> tf.keras.layers.LSTM(3, return_sequences=True)(tf.ones([2, 5, 4])).shape
    TensorShape([2, 5, 3])
    """

    cell_class = LSTMCell

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        self._begin({k: v for k, v in locals().items() if k not in ("self", "__class__")})


@public("keras.layers.GRU")
@LAYERS.add()
class GRU(_OfCell):
    """Gated recurrent unit (Cho et al., 2014).

    Args:
        units: the size of the output.
        activation: the activation of the candidate.
        recurrent_activation: that of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: what gives the kernel's first value; the other options likewise.
        dropout: the share of the inputs to drop in training; `recurrent_dropout`: that of the state.
        return_sequences: whether to give the outputs of all steps; `return_state` and the others as in RNN.
        reset_after: whether the reset gate applies after the product with the state.
        use_cudnn: ignored.
        seed: a number that makes the dropout reproducible.
        kwargs: `name`, `dtype`, ...

    >>> import client as tf
    >>> tf.keras.layers.GRU(3)(tf.ones([2, 5, 4])).shape
    TensorShape([2, 3])
    """

    cell_class = GRUCell

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = True,
        use_cudnn: Any = "auto",
        **kwargs: Any,
    ) -> None:
        self._begin({k: v for k, v in locals().items() if k not in ("self", "__class__")})
