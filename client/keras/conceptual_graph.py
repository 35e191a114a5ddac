"""A model's layers and what leads to what, as TensorBoard's graph plugin reads a Keras model.

Owns: `conceptual_graph`. It is no configuration to make a model from: `client.keras.models.cloning` has that.
"""

from __future__ import annotations

import json
from typing import Any

from client import nest
from client.keras.models.functional import Functional
from client.keras.models.sequential import Sequential


def conceptual_graph(model: Any) -> str | None:
    """The graph of a Sequential or functional model as JSON; None for a subclassed one.

    >>> import client as tf
    >>> model = tf.keras.Sequential([tf.keras.layers.Dense(2, name="first")], name="small")
    >>> conceptual_graph(model)
    '{"class_name": "Sequential", "config": {"name": "small", "layers": [{"class_name": "Dense", ...
    """
    return json.dumps(_described(model)) if isinstance(model, Sequential | Functional) else None


def _described(layer: Any) -> dict[str, Any]:
    config: dict[str, Any] = {"name": layer.name}
    if isinstance(layer, Functional):
        config |= _functional(layer)
    elif isinstance(layer, Sequential):
        config["layers"] = [_described(each) for each in layer.layers]
    else:
        config["dtype"] = layer.dtype.name
    return {"class_name": type(layer).__name__, "config": config}


def _functional(model: Any) -> dict[str, Any]:
    """Its layers in the order of the calls, with where the calls' arguments come from; bare ops count as layers."""
    heads = [t._origin for t in model._self_inputs]
    names: dict[int, str] = {}
    layers: dict[str, dict[str, Any]] = {}
    for number, node in enumerate([*heads, *model._self_order]):
        name = names[id(node)] = node.layer.name if node.layer is not None else f"op_{number}"
        if name not in layers:
            bare = {"class_name": "Op", "config": {"name": name}}
            layers[name] = {**(_described(node.layer) if node.layer is not None else bare), "inbound_nodes": []}
        sources = [_place(names[id(t._origin)], t) for t in node.parents]
        if sources:
            layers[name]["inbound_nodes"].append({"args": [sources], "kwargs": {}})
    return {
        "layers": list(layers.values()),
        "input_layers": [names[id(h)] for h in heads],  # the plugin takes Keras' triples for names where it is nested
        "output_layers": [[names[id(t._origin)], 0, 0] for t in model.outputs],
    }


def _place(name: str, tensor: Any) -> dict[str, Any]:
    outputs = nest.flatten(tensor._origin.outputs)
    index = next((i for i, output in enumerate(outputs) if output is tensor), 0)
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, index]}}
