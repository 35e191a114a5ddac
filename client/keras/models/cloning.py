"""Models from configurations, and copies of models.

Owns: the configuration of a functional model, `clone_model`, `model_from_json`. A configuration names classes and holds
plain values, never code.
"""

from __future__ import annotations

import json
from typing import Any

from client import nest
from client.api import public
from client.keras.layers.layer import LAYERS
from client.keras.models.functional import Functional, InputLayer
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
    if isinstance(value, list | tuple):
        return [_written(v, places) for v in value]
    return value


def functional_from_config(config: dict[str, Any], custom_objects: Any = None) -> Functional:
    """The model that `functional_config` described."""
    layers = {c["config"]["name"]: LAYERS.deserialize(c, custom_objects) for c in config["layers"]}
    results: list[list[Any]] = [[layers[name].output] for name in config["inputs"]]
    for call in config["calls"]:
        args, kwargs = _read([call["args"], call["kwargs"]], results)
        results.append(nest.flatten(layers[call["layer"]](*args, **kwargs)))
    model = Functional(_read(config["input_structure"], results), _read(config["outputs"], results), config["name"])
    model.trainable = config.get("trainable", True)
    return model


def _read(value: Any, results: list[list[Any]]) -> Any:
    if isinstance(value, dict):
        if set(value) == {"keras_tensor"}:
            number, position = value["keras_tensor"]
            return results[number][position]
        return {k: _read(v, results) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_read(v, results) for v in value]
    return value


@public("keras.models.clone_model")
def clone_model(model: Any, input_tensors: Any = None, clone_function: Any = None, **kwargs: Any) -> Any:
    """A model of the same layers with new weights.

    Args:
        model: a Sequential or functional model.
        input_tensors: ignored.
        clone_function: a function of a layer that gives the layer to stand for it.
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
    if clone_function is not None and isinstance(model, Sequential):
        return Sequential(
            [x if isinstance(x, InputLayer) else clone_function(x) for x in model._sequence], name=model.name
        )
    return type(model).from_config(model.get_config())


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
    return found.from_config(written["config"])  # type: ignore[no-any-return]
