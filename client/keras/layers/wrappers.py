"""Layers around another: Bidirectional and TimeDistributed.

Owns: both, and what they share. Does not know how a sequence is gone through (`recurrent`).
"""

from __future__ import annotations

from typing import Any

import client as tf
from client import nest
from client.api import public
from client.keras.layers import masks
from client.keras.layers.layer import LAYERS, Layer
from client.keras.layers.normalization import BatchNormalization
from client.keras.layers.recurrent import RNN
from client.tensor import Tensor


class _Wrapper(Layer):
    """A layer around another."""

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Please initialize `{type(self).__name__}` layer with a `keras.layers.Layer` instance. Received: "
                f"{layer}"
            )
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
        if backward_layer is not None and not isinstance(backward_layer, Layer):
            raise ValueError(f"`backward_layer` need to be a `keras.layers.Layer` instance. Received: {backward_layer}")
        super().__init__(layer, **kwargs)
        name = str(layer.name)
        self.layer = self.forward_layer = _copied(layer, f"forward_{name.removeprefix('forward_')}")
        if backward_layer is None:
            backward_layer = _copied(layer, f"backward_{name.removeprefix('backward_')}", go_backwards=True)
        self.backward_layer = backward_layer
        if self.forward_layer.go_backwards == backward_layer.go_backwards:
            raise ValueError(
                "Forward layer and backward layer should have different `go_backwards` value. Received: "
                f"forward_layer.go_backwards {self.forward_layer.go_backwards}, "
                f"backward_layer.go_backwards={backward_layer.go_backwards}"
            )
        for option in ("stateful", "return_sequences", "return_state"):
            forward, backward = getattr(self.forward_layer, option), getattr(backward_layer, option)
            if forward != backward:
                raise ValueError(
                    "Forward layer and backward layer are expected to have the same value for attribute "
                    f'"{option}", got "{forward}" for forward layer and "{backward}" for backward layer'
                )
        for each in (self.forward_layer, backward_layer):
            if hasattr(each, "zero_output_for_mask"):  # what is masked at the end of one is at the start of the other
                each.zero_output_for_mask = each.return_sequences
        self.merge_mode = merge_mode
        self.stateful = layer.stateful
        self.return_sequences = layer.return_sequences
        self.return_state = layer.return_state
        self.supports_masking = True
        self.input_spec = layer.input_spec
        self._self_first_weights = weights

    @property
    def states(self) -> Any:
        """The variables that hold the states of both layers; None if not stateful or not built."""
        both = self.forward_layer.states, self.backward_layer.states
        return None if None in both else (*both[0], *both[1])

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
        states = (*results[0][1:], *results[1][1:])
        return (*joined, *states) if isinstance(joined, tuple) else (joined, *states)

    def _merged(self, forward: Tensor, backward: Tensor) -> Any:
        if self.merge_mode == "concat":
            return tf.concat([forward, backward], axis=-1)
        if self.merge_mode == "mul":
            return forward * backward
        if self.merge_mode is None:
            return forward, backward
        total = forward + backward
        return total if self.merge_mode == "sum" else total / 2.0

    def compute_output_shape(self, sequences_shape: Any, initial_state_shape: Any = None) -> Any:
        """The shape of the joined output, and those of the states."""
        found = self.forward_layer.compute_output_shape(sequences_shape)
        output, states = (found[0], found[1:]) if self.return_state else (found, ())
        if self.merge_mode == "concat":
            output = (*output[:-1], output[-1] * 2)
        joined = (output, output) if self.merge_mode is None else (output,)
        if self.return_state:
            return (*joined, *states, *states)
        return joined if self.merge_mode is None else output

    def _set_masks(self, inputs: Any, mask: Any, outputs: Any) -> None:
        if self.return_sequences and mask is not None:
            flat = nest.flatten(outputs)
            for each in flat[: 2 if self.merge_mode is None else 1]:
                masks.put(each, nest.flatten(mask)[0])

    def reset_state(self) -> None:
        """Set the kept states of both layers to zeros. Raises AttributeError if they keep none."""
        if not self.stateful:
            raise AttributeError("Layer must be stateful.")
        self.forward_layer.reset_state()
        self.backward_layer.reset_state()

    reset_states = reset_state

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {
            **super().get_config(),
            "merge_mode": self.merge_mode,
            "backward_layer": LAYERS.serialize(self.backward_layer),
        }


def _copied(layer: Any, name: str, **changes: Any) -> Any:
    """A layer of the same configuration but for the name and `changes`, with weights of its own."""
    if isinstance(layer, RNN):
        return layer._again(name=name, **changes)
    return type(layer).from_config({**layer.get_config(), "name": name, **changes})


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
        self._check(inputs, mask)
        options: dict[str, Any] = {"training": training} if self.layer._signature.training else {}
        masked = mask is not None and "mask" in self.layer._signature.masks
        length = inputs.shape[1]
        if length and not self._by_example(training):
            found = []
            for t in range(length):
                if masked:
                    options["mask"] = mask[:, t]
                found.append(self.layer(inputs[:, t], **options))
            return tf.stack(found, axis=1)  # type: ignore[no-any-return]
        if masked:
            options["mask"] = _joined(mask)
        found = self.layer(_joined(inputs), **options)
        lead = inputs.shape[:2] if None not in inputs.shape[:2] else tf.unstack(tf.shape(inputs)[:2])
        rest = found.shape[1:] if None not in found.shape[1:] else tf.unstack(tf.shape(found)[1:])
        return tf.reshape(found, [*lead, *rest])  # type: ignore[no-any-return]

    def _by_example(self, training: bool | None) -> bool:
        """Whether the layer treats the examples of a batch apart, so that all steps can be one batch."""
        layers = list(self.layer._flatten_layers())
        known = all(type(each).__module__.startswith(__name__.partition(".")[0] + ".") for each in layers)
        return known and not (training and any(isinstance(each, BatchNormalization) for each in layers))

    def _check(self, inputs: Tensor, mask: Any) -> None:
        if mask is None:
            return
        shape, given = tuple(mask.shape), tuple(inputs.shape)
        if len(shape) < 2:
            raise ValueError(
                "The `mask` passed to the `TimeDistributed` layer must be at least 2D (e.g., `(batch_size, "
                f"timesteps)`), but it has {len(shape)} dimension(s) with shape {shape}."
            )
        if any(None not in pair and pair[0] != pair[1] for pair in zip(shape[:2], given[:2], strict=True)):
            raise ValueError(
                f"The `mask` passed to the `TimeDistributed` layer has a shape {shape} that is incompatible with the "
                f"input shape {given}. The first two dimensions of the mask (batch size and timesteps) must match the "
                f"input's first two dimensions. Expected mask shape prefix: ({given[0]}, {given[1]})."
            )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the layer's output with the steps' axis in it."""
        inner = self.layer.compute_output_shape((input_shape[0], *input_shape[2:]))
        return (inner[0], input_shape[1], *inner[1:])


def _joined(x: Tensor) -> Tensor:
    """The first two axes as one."""
    shape = x.shape
    if None in shape:
        dims = tf.shape(x)
        return tf.reshape(x, tf.concat([[dims[0] * dims[1]], dims[2:]], 0))  # type: ignore[no-any-return]
    return tf.reshape(x, [shape[0] * shape[1], *shape[2:]])  # type: ignore[no-any-return]
