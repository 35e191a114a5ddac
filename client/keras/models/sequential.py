"""`keras.Sequential`: layers one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from client.api import public
from client.keras.layers.layer import LAYERS, Layer
from client.keras.models.functional import Functional, InputLayer, fitted, in_order
from client.keras.models.model import Model
from client.symbolic import is_symbol, symbol
from client.tensor import Tensor
from client.tracking import settle
from protocol.dtypes import as_dtype
from protocol.spec import Spec


@public("keras.Sequential", "keras.models.Sequential")
@LAYERS.add()
class Sequential(Model):
    """Layers, each of which takes what the one before gives.

    It is built at once where the first says its input's shape (`Input`, or `input_shape=`), else at the first call.

    Args:
        layers: the layers.
        trainable: whether its weights are.
        name: its name.

    >>> import client as tf
    >>> model = tf.keras.Sequential([tf.keras.layers.Dense(4, activation="relu", input_shape=(3,)),
    ...                              tf.keras.layers.Dense(2)])
    >>> model(tf.zeros([5, 3])).shape, model.count_params()
    (TensorShape([5, 2]), 26)
    """

    def __init__(self, layers: Sequence[Any] | None = None, trainable: bool = True, name: str | None = None) -> None:
        super().__init__(trainable=trainable, name=name)
        self._sequence: list[Layer] = []
        self._self_graph: Functional | None = None
        for layer in layers or ():
            self._append(layer)
        self._rebuild()

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Add a layer at the end.

        Raises:
            ValueError: it is no layer, or one of its name is there already.
        """
        self._append(layer)
        if rebuild:
            self._rebuild()

    def _append(self, layer: Any) -> None:
        if is_symbol(layer):
            origin = layer._origin
            if origin is None or not isinstance(origin.layer, InputLayer):
                raise ValueError(f"a symbolic tensor that is no Input cannot be added to a Sequential: {layer!r}")
            layer = origin.layer
        if not isinstance(layer, Layer):
            if callable(layer):
                from client.keras.layers.core import Lambda

                layer = Lambda(layer)
            else:
                raise ValueError(
                    f"Only instances of `keras.Layer` can be added to a Sequential model. Received: {layer} "
                    f"(of type {type(layer)})"
                )
        if any(each.name == layer.name for each in self._sequence):
            raise ValueError(
                f"All layers added to a Sequential model should have unique names. Name '{layer.name}' is already the "
                f"name of a layer in this model. Update the `name` argument to pass a unique name."
            )
        if not self._sequence and layer._self_batch_input_shape is not None and not isinstance(layer, InputLayer):
            self._sequence.append(InputLayer(batch_shape=layer._self_batch_input_shape, dtype=layer.dtype))
        if isinstance(layer, InputLayer) and self._sequence:
            raise ValueError(
                f"Sequential model '{self.name}' has already been configured to use input shape "
                f"{getattr(self._sequence[0], 'batch_shape', None)}. You cannot add a different Input layer to it."
            )
        self._sequence.append(layer)
        settle(self)

    def _checkpoint_edges(self) -> Iterator[tuple[str, Any]]:
        return in_order(super()._checkpoint_edges(), "_sequence", self._sequence)

    def pop(self, rebuild: bool = True) -> Layer:
        """Take the last layer away, and give it. Raises IndexError when there is none."""
        layer = self._sequence.pop()
        if rebuild:
            self._rebuild()
        return layer

    def _rebuild(self) -> None:
        self.built = False
        self._self_graph = None
        if self._sequence and isinstance(self._sequence[0], InputLayer) and len(self._sequence) > 1:
            self.build(self._sequence[0].batch_shape)

    def build(self, input_shape: Any = None) -> None:
        """Build the layers for inputs of a shape with the batch's dim in it."""
        if input_shape is None or not self._sequence:
            return
        first = self._sequence[0]
        if not isinstance(first, InputLayer):
            shape = (None, *tuple(input_shape)[1:])
            dtype = as_dtype("float32") if type(first).__name__ != "Embedding" else as_dtype("int32")
            start = symbol(Spec(dtype, shape), None)
            layers = self._sequence
        else:
            start = first.output
            layers = self._sequence[1:]
        x: Any = start
        for layer in layers:
            try:
                x = layer(x)
            except (NotImplementedError, TypeError):
                return  # it is built at its first call
        self._self_graph = Functional(start, x, name=self.name)
        self.built = all(layer.built for layer in layers)

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return [layer for layer in self._sequence if not isinstance(layer, InputLayer)]

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Run the layers in order."""
        if self._self_graph is not None and isinstance(inputs, Tensor):
            inputs = fitted(inputs, self._self_graph._self_inputs[0], 0, self._self_name)
        x = inputs
        for layer in self._sequence:
            if not isinstance(layer, InputLayer):
                x = layer(x)
        return x

    def _graph(self) -> Functional:
        if self._self_graph is None:
            raise AttributeError(f"Sequential model '{self.name}' has no defined input or output shape yet.")
        return self._self_graph

    @property
    def input(self) -> Any:
        """The symbolic input. Raises AttributeError while it is not known."""
        return self._graph().input

    @property
    def output(self) -> Any:
        """The symbolic output. Raises AttributeError while it is not known."""
        return self._graph().output

    @property
    def inputs(self) -> Any:
        """The symbolic input, in a list."""
        return self._graph().inputs

    @property
    def outputs(self) -> Any:
        """The symbolic output, in a list."""
        return self._graph().outputs

    @property
    def input_shape(self) -> Any:
        """The shape of the input, None for dims that may differ."""
        return self._graph().input_shape

    @property
    def output_shape(self) -> Any:
        """The shape of the output."""
        return self._graph().output_shape

    def get_config(self) -> dict[str, Any]:
        """The layers' configurations."""
        found = [LAYERS.serialize(layer) for layer in self._sequence]
        return {"name": self.name, "trainable": self.trainable, "layers": found}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """A model made of what `get_config` gave."""
        model = cls(name=config.get("name"))
        for each in config["layers"]:
            model.add(LAYERS.deserialize(each, custom_objects), rebuild=False)
        model._rebuild()
        if not config.get("trainable", True):  # else a layer that is frozen stays so
            model.trainable = False
        return model
