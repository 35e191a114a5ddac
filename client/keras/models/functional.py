"""Functional models: layers called on symbolic tensors make a graph, and a model runs the part between two ends of it.

Owns: `Input`, `InputLayer`, the symbolic call of a layer, `Functional`. Does not know how ops become symbolic
(`client.symbolic`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import client as tf
from client import nest
from client.api import public
from client.keras.layers import masks
from client.keras.layers.layer import LAYERS, Layer, context
from client.keras.layers.values import floating_dtype
from client.keras.models.model import Model
from client.symbolic import Node, is_symbol, symbol, symbols_in
from client.tensor import Tensor
from protocol.dtypes import as_dtype
from protocol.spec import Spec


def traced(layer: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """What a layer gives for symbolic tensors, in terms of its ops."""
    outer = context.tracing
    context.tracing = True
    try:
        return layer(*args, **kwargs)
    finally:
        context.tracing = outer


def call_symbolically(layer: Layer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Symbolic outputs that remember the layer."""
    shown = nest.map_structure(lambda v: symbol(v._spec, None) if is_symbol(v) else v, [list(args), kwargs])
    found = _declared_outputs(layer, shown[0], shown[1])
    if found is None:
        found = traced(layer, shown[0], shown[1])
    node = Node(layer, args, kwargs, layer)
    node.inputs = args[0] if len(args) == 1 else list(args)
    node.outputs = nest.map_structure(lambda t: symbol(t._spec, node), found)
    layer._self_nodes.append(node)
    return node.outputs


def _declared_outputs(layer: Layer, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Symbolic outputs by `compute_output_shape` where the class has its own; the layer is built."""
    if type(layer).compute_output_shape is Layer.compute_output_shape or layer._self_by_ops or not args:
        return None
    if not layer.built:
        layer._build(tuple(args), kwargs)
    from client.keras.layers.values import shape_of, symbols_of

    return symbols_of(layer.compute_output_shape(shape_of(args[0])), layer.compute_dtype)


@public("keras.layers.InputLayer")
@LAYERS.add()
class InputLayer(Layer):
    """The start of a model: a symbolic tensor of a shape.

    Args:
        shape: the shape without the batch.
        batch_size: the batch's size, None where it may differ.
        dtype: the element type; None: float32.
        batch_shape: the shape with the batch.
        name: its name.
        kwargs: `sparse`, `ragged`: must be false. `optional` is ignored.

    >>> import client as tf
    >>> tf.keras.layers.InputLayer(shape=(3,)).output
    <KerasTensor shape=(None, 3), dtype=float32>
    """

    def __init__(
        self,
        shape: Any = None,
        batch_size: int | None = None,
        dtype: Any = None,
        batch_shape: Any = None,
        input_tensor: Any = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        for unsupported in ("sparse", "ragged"):
            if kwargs.pop(unsupported, False):
                raise ValueError(f"{unsupported} inputs are not supported")
        kwargs.pop("optional", None)
        if shape is not None and batch_shape is not None:
            raise ValueError("You cannot pass both `shape` and `batch_shape` at the same time.")
        if shape is None and batch_shape is None:
            raise ValueError("You must pass a `shape` argument.")
        if batch_shape is None:
            batch_shape = (batch_size, *((shape,) if isinstance(shape, int) else shape))
        super().__init__(name=name, batch_shape=tuple(batch_shape), **kwargs)
        self.batch_shape = tuple(batch_shape)
        self._self_element = as_dtype("float32" if dtype is None else dtype)
        node = Node(self, (), {}, self)
        node.outputs = symbol(Spec(self._self_element, self.batch_shape), node, self._self_name)
        self._self_nodes.append(node)
        self.built = True

    @property
    def dtype(self) -> Any:
        """The element type of the input."""
        return self._self_element

    def call(self) -> Any:
        """Nothing: a model puts the value there."""

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"batch_shape": self.batch_shape, "dtype": self._self_element.name, "name": self.name}


@public("keras.Input", "keras.layers.Input")
def Input(
    shape: Any = None,
    batch_size: int | None = None,
    dtype: Any = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: Any = None,
    optional: bool = False,
) -> Tensor:
    """A symbolic tensor: the start of a functional model.

    Args:
        shape: the shape without the batch; dims may be None.
        batch_size: the batch's size, None where it may differ.
        dtype: the element type; None: float32.
        sparse: must be false; `ragged` too.
        ragged: must be false.
        batch_shape: the shape with the batch, instead of `shape`.
        name: the input's name.
        tensor: not supported.
        optional: ignored.

    >>> import client as tf
    >>> x = tf.keras.Input((4,))
    >>> model = tf.keras.Model(x, tf.keras.layers.Dense(2)(x))
    >>> model(tf.zeros([3, 4])).shape
    TensorShape([3, 2])
    """
    if sparse or ragged:
        raise ValueError("sparse and ragged inputs are not supported")
    layer = InputLayer(shape, batch_size, dtype, batch_shape, name=name)
    return layer.output  # type: ignore[no-any-return]


def in_order(edges: Iterable[tuple[str, Any]], attribute: str, layers: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """The edges of a model made of layers: they are numbered, inputs left out, so that models of the same layers have
    the same, however they were made. `attribute` is the one that holds the layers.
    """
    yield from (edge for edge in edges if edge[0] != attribute)
    yield from ((f"layer_{i}", x) for i, x in enumerate(x for x in layers if not isinstance(x, InputLayer)))


class Functional(Model):
    """A model made of the graph between `inputs` and `outputs`."""

    def __init__(self, inputs: Any, outputs: Any, name: str | None = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        for what, given in (("inputs", inputs), ("outputs", outputs)):
            for each in nest.flatten(given):
                if not is_symbol(each):
                    raise ValueError(
                        f"All `{what}` values must be KerasTensors. Received: {what}={given} including invalid value "
                        f"{each} of type {type(each)}"
                    )
        self._self_structure = inputs
        self._self_results = outputs
        self._self_inputs: list[Tensor] = nest.flatten(inputs)
        self._self_order = _order(self._self_inputs, nest.flatten(outputs))
        self._functional_layers = _layers_of(self._self_inputs, nest.flatten(outputs), self._self_order)
        names = [layer.name for layer in self._functional_layers]
        for each in names:
            if names.count(each) > 1:
                raise ValueError(
                    f'The name "{each}" is used {names.count(each)} times in the model. All operation names should be '
                    f"unique."
                )
        self._self_plan = [_step(node) for node in self._self_order]
        self._self_keys = [t._operand for t in nest.flatten(outputs)]
        self.built = True

    def _checkpoint_edges(self) -> Iterator[tuple[str, Any]]:
        return in_order(super()._checkpoint_edges(), "_functional_layers", getattr(self, "_functional_layers", ()))

    @property
    def layers(self) -> list[Layer]:
        """The layers, those furthest from the output first."""
        return list(self._functional_layers)

    @property
    def input(self) -> Any:
        """The symbolic input or inputs."""
        return self._self_structure

    @property
    def output(self) -> Any:
        """The symbolic output or outputs."""
        return self._self_results

    @property
    def inputs(self) -> list[Tensor]:
        """The symbolic inputs, in a list."""
        return list(self._self_inputs)

    @property
    def outputs(self) -> list[Tensor]:
        """The symbolic outputs, in a list."""
        return list(nest.flatten(self._self_results))

    @property
    def input_names(self) -> list[str]:
        """The names of the inputs."""
        return [t.name for t in self._self_inputs]

    @property
    def output_names(self) -> list[str]:
        """The names of the layers that the outputs come from."""
        return [getattr(t._origin.layer, "name", t.name) for t in self.outputs]

    @property
    def input_shape(self) -> Any:
        """The shape of the input, or those of the inputs, None for dims that may differ."""
        return nest.map_structure(lambda t: tuple(t._spec.shape), self._self_structure)

    @property
    def output_shape(self) -> Any:
        """The shape of the output, or those of the outputs."""
        return nest.map_structure(lambda t: tuple(t._spec.shape), self._self_results)

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Run the layers in order."""
        values = self._ordered(inputs)
        if mask is not None:
            for value, its in zip(values, nest.flatten(mask), strict=True):
                if its is not None:
                    masks.put(value, its)
        found: dict[int, Any] = {}
        for i, (key, value) in enumerate(zip(self._self_inputs, values, strict=True)):
            found[key._operand] = fitted(value, key, i, self._self_name)
        for run, args, kwargs, keys in self._self_plan:
            result = run(*[a(found) for a in args], **{k: v(found) for k, v in kwargs})
            if len(keys) == 1 and not nest.is_nested(result):
                found[keys[0]] = result
            else:
                found.update(zip(keys, nest.flatten(result), strict=True))
        outputs = [found[k] for k in self._self_keys]
        return outputs[0] if is_symbol(self._self_results) else nest.pack_sequence_as(self._self_results, outputs)

    def _ordered(self, inputs: Any) -> list[Any]:
        """The given inputs in the order of the model's; a dict by the names of the inputs too."""
        if isinstance(inputs, dict) and not isinstance(self._self_structure, dict):
            names = [t._origin.layer.name for t in self._self_inputs]
            if all(n in inputs for n in names):
                return [inputs[n] for n in names]
        if isinstance(self._self_structure, dict) and isinstance(inputs, dict):
            return nest.flatten({k: inputs[k] for k in self._self_structure})
        flat = nest.flatten(inputs)
        if len(flat) != len(self._self_inputs):
            names = self.input_names
            raise ValueError(
                f'Layer "{self.name}" expects {len(names)} named input(s) with keys {names}, but it received '
                f"{len(flat)} input tensors. Pass inputs as a dict, e.g. "
                f"`layer({{{', '.join(f'{n!r}: ...' for n in names)}}})`."
            )
        return flat

    def get_config(self) -> dict[str, Any]:
        """The layers' configurations and how they are connected."""
        from client.keras.models.cloning import functional_config

        return functional_config(self)


@functools.cache
def functional_class(cls: type[Model]) -> type[Any]:
    """A class of models for one that subclasses `Model` and is made of inputs and outputs: with the graph's `call`."""
    return type(cls.__name__, (cls, Functional), {"__module__": cls.__module__, "__doc__": cls.__doc__})


def fitted(value: Any, wanted_input: Tensor, index: int, model: str) -> Any:
    """An input as the model wants it: its rank may lack or have a last axis of 1.

    Raises:
        ValueError: another shape.
    """
    spec = wanted_input._spec
    if not isinstance(value, Tensor) or spec.shape is None or value._spec.shape is None:
        return value
    shape, wanted = value._spec.shape, spec.shape
    if len(shape) == len(wanted) - 1 and wanted[-1] == 1:
        value = tf.expand_dims(value, -1)
    elif len(shape) == len(wanted) + 1 and shape[-1] == 1:
        value = tf.squeeze(value, -1)
    elif len(shape) != len(wanted) or any(None not in (a, b) and a != b for a, b in zip(shape, wanted, strict=True)):
        raise ValueError(
            f"Input {index} with name '{wanted_input.name}' of layer '{model}' is incompatible with the layer: "
            f"expected shape={wanted}, found shape={shape}"
        )
    return tf.cast(value, spec.dtype) if value._spec.dtype is not spec.dtype else value


def _order(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> list[Node]:
    """The nodes between inputs and outputs, each after those it needs.

    Raises:
        ValueError: an output depends on an input that is not among `inputs`.
    """
    ends = {t._operand for t in inputs}
    order: list[Node] = []
    seen: set[int] = set()
    stack: list[tuple[Tensor, Iterator[Tensor] | None]] = [(t, None) for t in reversed(outputs)]
    while stack:
        tensor, rest = stack.pop()
        node = tensor._origin
        if rest is None:
            if tensor._operand in ends or (node is not None and id(node) in seen):
                continue
            if node is None or not node.parents:
                raise ValueError(
                    f"`inputs` not connected to `outputs`: the output depends on {tensor!r}, which is not among the "
                    f"inputs"
                )
            seen.add(id(node))
            rest = iter(node.parents)
        for parent in rest:
            origin = parent._origin
            if parent._operand not in ends and (origin is None or id(origin) not in seen):
                stack.append((tensor, rest))
                stack.append((parent, None))
                break
        else:
            order.append(node)
    return order


def _layers_of(inputs: Sequence[Tensor], outputs: Sequence[Tensor], order: Sequence[Node]) -> list[Layer]:
    """The layers of a graph, by their distance from the output, the furthest first, then as the outputs lead there."""
    depth: dict[int, int] = {}
    for node in reversed(order):
        mine = depth.setdefault(id(node), 0)
        for parent in node.parents:
            if parent._origin is not None:
                key = id(parent._origin)
                depth[key] = max(depth.get(key, 0), mine + 1)
    found: dict[int, tuple[int, Layer]] = {}
    heads = [t._origin for t in inputs if t._origin is not None and isinstance(t._origin.layer, InputLayer)]
    for node in (*heads, *order):
        if node.layer is not None:
            before = found.get(id(node.layer), (0, node.layer))[0]
            found[id(node.layer)] = max(before, depth.get(id(node), 0)), node.layer
    place = _places(inputs, outputs)
    return [layer for _, layer in sorted(found.values(), key=lambda pair: (-pair[0], place.get(id(pair[1]), -1)))]


def _places(inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> dict[int, int]:
    """When a walk back from the outputs first meets each layer."""
    ends = {t._operand for t in inputs}
    seen: set[int] = set()
    places: dict[int, int] = {}
    stack = list(reversed(outputs))
    while stack:
        tensor = stack.pop()
        node = tensor._origin
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if node.layer is not None:
            places.setdefault(id(node.layer), len(places))
        if tensor._operand not in ends:
            stack.extend(reversed(node.parents))
    return places


def _step(node: Node) -> tuple[Callable[..., Any], list[Any], list[tuple[str, Any]], list[int]]:
    """A node as it is run: the function, where its arguments come from, and where its results go."""
    keys = [t._operand for t in nest.flatten(node.outputs)]
    return node.run, [_getter(a) for a in node.args], [(k, _getter(v)) for k, v in node.kwargs.items()], keys


def _getter(value: Any) -> Callable[[dict[int, Any]], Any]:
    if is_symbol(value):
        key = value._operand
        return lambda found: found[key]
    if nest.is_nested(value) and symbols_in(value):
        return lambda found: nest.map_structure(lambda v: found[v._operand] if is_symbol(v) else v, value)
    return lambda found: value


__all__ = ["Functional", "Input", "InputLayer", "call_symbolically", "floating_dtype", "traced"]
