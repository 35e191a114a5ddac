"""Models from configurations, and copies of models.

Owns: the configuration of a functional model, `clone_model`, `model_from_json`. A configuration names classes and holds
plain values, never code.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

from client import nest
from client.api import public
from client.keras.layers.layer import LAYERS, Layer
from client.keras.models.functional import Functional, Input, InputLayer
from client.keras.models.model import Model
from client.symbolic import is_symbol


def functional_config(model: Functional) -> dict[str, Any]:
    """The layers of a functional model, their calls, its inputs and outputs.

    Raises:
        NotImplementedError: ops other than layers stand in the graph.
    """
    heads = [t._origin for t in model._self_inputs]
    places: dict[int, tuple[int, int]] = {}
    calls = []
    for number, node in enumerate([*heads, *model._self_order]):
        if node.layer is None:
            raise NotImplementedError("a model with bare ops between its layers has no configuration: use layers")
        for position, tensor in enumerate(nest.flatten(node.outputs)):
            places[tensor._operand] = (number, position)
        if number >= len(heads):
            args, kwargs = _written([list(node.args), node.kwargs], places)
            calls.append({"layer": node.layer.name, "args": args, "kwargs": kwargs})
    layers = list(dict.fromkeys(n.layer for n in [*heads, *model._self_order]))
    return {
        "name": model.name,
        "trainable": model.trainable,
        "layers": [LAYERS.serialize(layer) for layer in layers],
        "inputs": [h.layer.name for h in heads],
        "calls": calls,
        "input_structure": _written(model._self_structure, places),
        "outputs": _written(model._self_results, places),
    }


def _written(value: Any, places: dict[int, tuple[int, int]]) -> Any:
    """A structure with symbolic tensors as the places where they are made."""
    if is_symbol(value):
        return {"keras_tensor": list(places[value._operand])}
    if isinstance(value, dict):
        return {k: _written(v, places) for k, v in value.items()}
    if isinstance(value, tuple):
        return {"tuple": [_written(v, places) for v in value]}
    if isinstance(value, list):
        return [_written(v, places) for v in value]
    return value


def functional_from_config(
    config: dict[str, Any], custom_objects: Any = None, cls: type[Model] = Functional
) -> Functional:
    """The model that `functional_config` described, of a class."""
    layers = {c["config"]["name"]: LAYERS.deserialize(c, custom_objects) for c in config["layers"]}
    results: list[list[Any]] = [[layers[name].output] for name in config["inputs"]]
    for call in config["calls"]:
        args, kwargs = _read([call["args"], call["kwargs"]], results)
        results.append(nest.flatten(layers[call["layer"]](*args, **kwargs)))
    inputs, outputs = _read(config["input_structure"], results), _read(config["outputs"], results)
    model: Any = _graph_class(cls)(inputs=inputs, outputs=outputs, name=config["name"])
    if not config.get("trainable", True):  # else a layer that is frozen stays so
        model.trainable = False
    return model  # type: ignore[no-any-return]


def _graph_class(cls: type[Any]) -> type[Any]:
    """The class if its `__init__` takes inputs and outputs, else that of functional models."""
    parameters = inspect.signature(cls.__init__).parameters
    takes = {"inputs", "outputs"} <= set(parameters) or any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    return cls if takes else Functional


def _read(value: Any, results: list[list[Any]]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"keras_tensor"}:
            number, position = value["keras_tensor"]
            return results[number][position]
        if set(value) == {"tuple"}:
            return tuple([_read(v, results) for v in value["tuple"]])
        return {k: _read(v, results) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_read(v, results) for v in value]
    return value


@public("keras.models.clone_model")
def clone_model(model: Any, input_tensors: Any = None, clone_function: Any = None, **kwargs: Any) -> Any:
    """A model of the same layers with new weights.

    Args:
        model: a Sequential or functional model.
        input_tensors: symbolic tensors to build a functional model on; None: new inputs.
        clone_function: a function of a layer that gives the layer to stand for it; None: one of its configuration.
        kwargs: ignored.

    Raises:
        ValueError: a subclassed model.

    >>> import client as tf
    >>> model = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
    >>> tf.keras.models.clone_model(model).count_params()
    8
    """
    from client.keras.models.sequential import Sequential

    if not isinstance(model, Sequential | Functional):
        raise ValueError(f"Expected `model` to be a functional or Sequential model, not {model!r}")
    clone = clone_function or _copy
    if isinstance(model, Sequential):
        layers = [_copy(x) if isinstance(x, InputLayer) else clone(x) for x in model._sequence]
        copied: Any = type(model)(layers, name=model.name)
    else:
        copied = _cloned(model, input_tensors, clone)
    if not model.trainable:
        copied.trainable = False
    return copied


def _copy(layer: Layer) -> Any:
    from client.keras.models.sequential import Sequential

    if isinstance(layer, Sequential | Functional):
        return clone_model(layer)
    return type(layer).from_config(layer.get_config())


def _cloned(model: Functional, inputs: Any, clone: Callable[[Layer], Any]) -> Any:
    """A functional model with other layers: its calls made again."""
    given = nest.flatten(inputs) if inputs is not None else [_new_input(t) for t in model._self_inputs]
    found: dict[int, Any] = {t._operand: new for t, new in zip(model._self_inputs, given, strict=True)}
    layers: dict[int, Any] = {}
    for node in model._self_order:
        run = node.run
        if node.layer is not None:
            run = layers.setdefault(id(node.layer), None) or clone(node.layer)
            layers[id(node.layer)] = run
        args, kwargs = nest.map_structure(
            lambda v: found[v._operand] if is_symbol(v) else v, [list(node.args), node.kwargs]
        )
        made = nest.flatten(run(*args, **kwargs))
        found.update(zip([t._operand for t in nest.flatten(node.outputs)], made, strict=True))
    structure = nest.pack_sequence_as(model._self_structure, given)
    return _graph_class(type(model))(
        inputs=structure, outputs=nest.map_structure(lambda t: found[t._operand], model._self_results), name=model.name
    )


def _new_input(tensor: Any) -> Any:
    named = isinstance(tensor._origin.layer, InputLayer)
    return Input(batch_shape=tensor._spec.shape, dtype=tensor._spec.dtype, name=tensor.name if named else None)


@public("keras.models.model_from_json")
def model_from_json(json_string: str, custom_objects: Any = None) -> Model:
    """The model that `Model.to_json` wrote down.

    Args:
        json_string: its configuration.
        custom_objects: classes and functions of the user's by name.

    >>> import client as tf
    >>> model = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
    >>> tf.keras.models.model_from_json(model.to_json()).output_shape
    (None, 2)
    """
    written = json.loads(json_string)
    found = LAYERS.lookup(written["class_name"], custom_objects)
    if found is Model:
        return functional_from_config(written["config"], custom_objects)
    if issubclass(found, Model):
        return found.from_config(written["config"], custom_objects=custom_objects)  # type: ignore[no-any-return]
    return found.from_config(written["config"])  # type: ignore[no-any-return]
