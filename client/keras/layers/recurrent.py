"""Recurrent layers: RNN over any cell, SimpleRNN, LSTM, GRU, Bidirectional, TimeDistributed.

The loop over time is Python's. What does not depend on the state, the product of all inputs with the kernel, is one op.
"""

from __future__ import annotations

import inspect
from typing import Any

import client as tf
from client import nest
from client.api import public
from client.keras.layers import masks
from client.keras.layers.cells import Cell, GRUCell, LSTMCell, SimpleRNNCell, StackedRNNCells
from client.keras.layers.input_spec import InputSpec
from client.keras.layers.layer import LAYERS, Layer
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
        super().__init__(**kwargs)
        if isinstance(cell, list | tuple):
            cell = StackedRNNCells(cell)
        for needed in ("call", "state_size"):
            if not hasattr(cell, needed):
                raise ValueError(f"Argument `cell` should have a `{needed}`. Received: cell={cell}")
        self.cell = cell
        self.return_sequences = return_sequences
        self.return_state = return_state
        self.go_backwards = go_backwards
        self.stateful = stateful
        self.unroll = unroll
        self.zero_output_for_mask = zero_output_for_mask
        self.supports_masking = True
        self.input_spec: Any = InputSpec(ndim=3)
        self.states: list[Any] | None = None

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build the cell for the inputs of a step."""
        if not self.cell.built:
            self.cell.build((sequences_shape[0], *sequences_shape[2:]))
        if self.stateful:
            if sequences_shape[0] is None:
                raise ValueError(
                    "When using `stateful=True` in a RNN, the batch size must be static. Found dynamic batch size: "
                    f"sequence.shape={tuple(sequences_shape)}"
                )
            first = self._initial(sequences_shape[0])
            self.states = [
                Weight(s, False, f"state_{i}", f"{self.path}/state_{i}") for i, s in enumerate(nest.flatten(first))
            ]

    def _initial(self, batch: Any) -> Any:
        if hasattr(self.cell, "get_initial_state"):
            found = self.cell.get_initial_state(batch_size=batch)
        else:
            sizes = self.cell.state_size
            found = [
                tf.zeros([batch, *((s,) if isinstance(s, int) else s)])
                for s in (sizes if isinstance(sizes, list | tuple) else [sizes])
            ]
        return found if isinstance(found, list | tuple) else [found]

    def get_initial_state(self, batch_size: Any) -> Any:
        """Zeros for each state."""
        return self._initial(batch_size)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool | None = False) -> Any:
        """The output or outputs, and the last states if wanted."""
        shape = sequences._spec.shape
        batch = shape[0] if shape[0] is not None else tf.shape(sequences)[0]
        form = self._initial(batch) if initial_state is None or isinstance(self.cell, StackedRNNCells) else None
        if self.stateful and initial_state is None:
            assert self.states is not None
            states = nest.pack_sequence_as(form, [s.read_value() for s in self.states])
        elif initial_state is None:
            states = form
        else:
            given = nest.flatten(initial_state)
            states = given if form is None else nest.pack_sequence_as(form, given)
        if hasattr(self.cell, "reset_dropout"):
            self.cell.reset_dropout()
        outputs, states = self._run(sequences, list(states), mask, training)
        if self.stateful and self.states is not None:
            for variable, value in zip(self.states, nest.flatten(states), strict=True):
                variable.assign(value)
        found = tf.stack(outputs, axis=1) if self.return_sequences else outputs[-1]
        return [found, *nest.flatten(states)] if self.return_state else found

    def _run(self, sequences: Tensor, states: Any, mask: Any, training: bool | None) -> tuple[list[Tensor], Any]:
        cell = self.cell
        quick = isinstance(cell, Cell)  # its product with the inputs can be taken for all steps at once
        if quick:
            if training and cell.dropout:
                first = cell._thinned(sequences[:, 0], "input", training)
                del first  # it has drawn the mask, which is the same for all steps
                sequences = sequences * cell._self_dropped["input"][:, tf.newaxis]
            sequences = cell.projected(sequences)
        steps = tf.unstack(sequences, axis=1)
        seen: Any = None if mask is None else tf.unstack(tf.cast(mask, tf.bool), axis=1)
        order = range(len(steps) - 1, -1, -1) if self.go_backwards else range(len(steps))
        if not steps:
            raise ValueError(f"a sequence of no steps has no last output: {sequences.shape}")
        outputs: list[Tensor] = []
        for t in order:
            if quick:
                output, new = cell.step(steps[t], states, training)
            else:
                output, new = cell(steps[t], states, **self._training(training))
                new = list(new) if isinstance(new, list | tuple) else [new]
            if seen is not None:
                here = seen[t][:, tf.newaxis]
                before = outputs[-1] if outputs and not self.zero_output_for_mask else tf.zeros_like(output)
                output = tf.where(here, output, before)
                new = nest.map_structure(lambda n, o, here=here: tf.where(here, n, o), new, states)
            outputs.append(output)
            states = new
        return outputs, states

    def _training(self, training: bool | None) -> dict[str, Any]:
        takes = "training" in inspect.signature(self.cell.call).parameters
        return {"training": training} if takes else {}

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """The shape of the output, and those of the states if they are returned."""
        batch, length = sequences_shape[0], sequences_shape[1]
        size = getattr(self.cell, "output_size", None) or nest.flatten(self.cell.state_size)[0]
        output = (batch, length, size) if self.return_sequences else (batch, size)
        if not self.return_state:
            return output
        return [output, *[(batch, s) for s in nest.flatten(self.cell.state_size)]]

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the sequence, where sequences are returned."""
        mask = nest.flatten(previous_mask)[0]
        found = mask if self.return_sequences else None
        return [found, *[None for _ in nest.flatten(self.cell.state_size)]] if self.return_state else found

    def _set_masks(self, inputs: Any, mask: Any, outputs: Any) -> None:
        if self.return_sequences:
            masks.put(outputs[0] if self.return_state else outputs, nest.flatten(mask)[0])

    def reset_state(self, states: Any = None) -> None:
        """Set the kept states to zeros, or to `states`."""
        if not self.stateful or self.states is None:
            raise AttributeError("Layer must be stateful and built to reset its states.")
        for i, variable in enumerate(self.states):
            variable.assign(tf.zeros_like(variable) if states is None else nest.flatten(states)[i])

    reset_states = reset_state

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = {**super().get_config(), **self._flags(), "cell": LAYERS.serialize(self.cell)}
        return config

    def _flags(self) -> dict[str, Any]:
        names = ("return_sequences", "return_state", "go_backwards", "stateful", "unroll", "zero_output_for_mask")
        return {n: getattr(self, n) for n in names}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One made of what `get_config` gave."""
        if "cell" in config:
            config = {**config, "cell": LAYERS.deserialize(config["cell"])}
        return cls(**config)


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
        arguments.pop("use_cudnn", None)
        for unused in ("implementation", "time_major"):
            kwargs.pop(unused, None)
        inner = {k: kwargs[k] for k in ("dtype", "trainable") if k in kwargs}
        cell = self.cell_class(**arguments, name=_cell_name(self.cell_class), **inner)
        super().__init__(cell, activity_regularizer=regularizer, **flags, **kwargs)

    def __getattr__(self, name: str) -> Any:
        cell = self.__dict__.get("cell")
        if cell is not None and not name.startswith("_") and name in cell._self_options:
            return getattr(cell, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = Layer.get_config(self)
        return {**config, **self._flags(), **self.cell._options()}


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


class _Wrapper(Layer):
    """A layer around another."""

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(f"Layer {layer} supplied to Wrapper isn't a supported layer type. Please ensure wrapped "
                             f"layer is a valid Keras layer.")  # fmt: skip
        super().__init__(**kwargs)
        self.layer = layer

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {**super().get_config(), "layer": LAYERS.serialize(self.layer)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One made of what `get_config` gave."""
        config = dict(config)
        for name in ("layer", "backward_layer"):
            if config.get(name) is not None:
                config[name] = LAYERS.deserialize(config[name])
        return cls(**config)


@public("keras.layers.Bidirectional")
@LAYERS.add()
class Bidirectional(_Wrapper):
    """A recurrent layer forward and another backward over the same sequence.

    Args:
        layer: the layer that goes forward.
        merge_mode: how the outputs are joined: `concat`, `sum`, `mul`, `ave`, or None for a list of both.
        weights: initial weights.
        backward_layer: the layer that goes backward; None: made of `layer`'s configuration.
        kwargs: `name`, ...

    Raises:
        ValueError: another `merge_mode`, or layers whose directions or `return_sequences` don't fit.

    >>> import client as tf
    >>> tf.keras.layers.Bidirectional(tf.keras.layers.LSTM(3))(tf.ones([2, 5, 4])).shape
    TensorShape([2, 6])
    """

    def __init__(
        self,
        layer: Any,
        merge_mode: str | None = "concat",
        weights: Any = None,
        backward_layer: Any = None,
        **kwargs: Any,
    ) -> None:
        if merge_mode not in ("sum", "mul", "ave", "concat", None):
            raise ValueError(
                f'Invalid merge mode. Received: {merge_mode}. Merge mode should be one of {{"sum", "mul", "ave", '
                f'"concat", None}}'
            )
        super().__init__(layer, **kwargs)
        self.layer = self.forward_layer = _copied(layer, f"forward_{layer.name}", layer.go_backwards)
        self._self_given = backward_layer is not None
        if backward_layer is None:
            backward_layer = _copied(layer, f"backward_{layer.name}", not layer.go_backwards)
        self.backward_layer = backward_layer
        if self.forward_layer.go_backwards == backward_layer.go_backwards:
            raise ValueError(
                "Forward layer and backward layer should have different `go_backwards` value. Received: "
                f"forward_layer.go_backwards {self.forward_layer.go_backwards}, "
                f"backward_layer.go_backwards={backward_layer.go_backwards}"
            )
        for name in ("stateful", "return_sequences", "return_state"):
            if getattr(self.forward_layer, name) != getattr(backward_layer, name):
                raise ValueError(f"Forward layer and backward layer are expected to have the same value for `{name}`")
        self.merge_mode = merge_mode
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.supports_masking = True
        self._self_first_weights = weights

    def build(self, sequences_shape: Any, initial_state_shape: Any = None) -> None:
        """Build both layers."""
        for each in (self.forward_layer, self.backward_layer):
            if not each.built:
                each.build(sequences_shape)
        if self._self_first_weights is not None:
            self.set_weights(self._self_first_weights)

    def call(self, sequences: Any, initial_state: Any = None, mask: Any = None, training: bool | None = None) -> Any:
        """Both outputs, joined, and the states of both if the layer returns them."""
        starts: tuple[Any, Any] = (None, None)
        if initial_state is not None:
            flat = nest.flatten(initial_state)
            starts = flat[: len(flat) // 2], flat[len(flat) // 2 :]
        results = []
        for each, start in zip((self.forward_layer, self.backward_layer), starts, strict=True):
            found = each(sequences, initial_state=start, mask=mask, training=training)
            results.append(list(found) if self.return_state else [found])
        forward, backward = results[0][0], results[1][0]
        if self.return_sequences:
            backward = tf.reverse(backward, [1])
        joined = self._merged(forward, backward)
        if not self.return_state:
            return joined
        states = [*results[0][1:], *results[1][1:]]
        return [*joined, *states] if isinstance(joined, list) else [joined, *states]

    def _merged(self, forward: Tensor, backward: Tensor) -> Any:
        if self.merge_mode == "concat":
            return tf.concat([forward, backward], axis=-1)
        if self.merge_mode == "mul":
            return forward * backward
        if self.merge_mode is None:
            return [forward, backward]
        total = forward + backward
        return total if self.merge_mode == "sum" else total / 2.0

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """The shape of the joined output, and those of the states."""
        found = self.forward_layer.compute_output_shape(sequences_shape)
        output, states = (found[0], found[1:]) if self.return_state else (found, [])
        if self.merge_mode == "concat":
            output = (*output[:-1], output[-1] * 2)
        joined = [output, output] if self.merge_mode is None else output
        if not self.return_state:
            return joined
        return [*joined, *states, *states] if isinstance(joined, list) else [joined, *states, *states]

    def reset_state(self) -> None:
        """Set the kept states of both layers to zeros."""
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = {**super().get_config(), "merge_mode": self.merge_mode}
        if self._self_given:
            config["backward_layer"] = LAYERS.serialize(self.backward_layer)
        return config


def _copied(layer: Any, name: str, backwards: bool) -> Any:
    config = {**layer.get_config(), "go_backwards": backwards}
    config["name"] = (
        name if not str(layer.name).startswith("forward_") else name.replace("forward_forward_", "forward_")
    )
    return type(layer).from_config(config)


@public("keras.layers.TimeDistributed")
@LAYERS.add()
class TimeDistributed(_Wrapper):
    """A layer applied to each step of a sequence, with the same weights.

    Args:
        layer: the layer.
        kwargs: `name`, ...

    >>> import client as tf
    >>> tf.keras.layers.TimeDistributed(tf.keras.layers.Dense(3))(tf.ones([2, 5, 4])).shape
    TensorShape([2, 5, 3])
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Build the layer for one step."""
        if len(input_shape) < 3:
            raise ValueError(
                "`TimeDistributed` Layer should be passed an `input_shape` with at least 3 dimensions, received: "
                f"{tuple(input_shape)}"
            )
        if not self.layer.built:
            self.layer.build((input_shape[0], *input_shape[2:]))
            self.layer.built = True

    def call(self, inputs: Tensor, training: bool | None = None, mask: Any = None) -> Tensor:
        """The output of each step."""
        shape = inputs._spec.shape
        assert shape is not None
        dynamic: Any = None if None not in shape[:2] else tf.shape(inputs)
        lead = [dynamic[i] if d is None else d for i, d in enumerate(shape[:2])]
        flat = tf.reshape(inputs, [-1, *[dynamic[i + 2] if d is None else d for i, d in enumerate(shape[2:])]])
        options = {"training": training} if self.layer._signature.training else {}
        if mask is not None and self.layer._signature.masks:
            options["mask"] = tf.reshape(mask, [-1])
        found = self.layer(flat, **options)
        rest: Any = found._spec.shape[1:]
        return tf.reshape(found, [*lead, *rest])

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the layer's output with the steps' axis in it."""
        inner = self.layer.compute_output_shape((input_shape[0], *input_shape[2:]))
        return (inner[0], input_shape[1], *inner[1:])
