"""The weights of layers, and of the layers in them.

Owns: `Owner`, the part of a layer that makes weights, finds what its attributes hold, freezes, reads and sets them.
Does not know calls, losses or configurations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

import client as tf
from client.keras import constraints, initializers, regularizers
from client.keras.layers.context import context
from client.keras.weights import Weight
from client.module import Module
from client.tensor import Operand
from client.tracking import Tracked, and_unheld, members, settle
from client.variable import Variable
from protocol.dtypes import DType, as_dtype
from protocol.spec import element_count


class _Owned(NamedTuple):
    """What a layer owns: the tracked objects, and containers that may have some in them, now or later."""

    parts: tuple[Any, ...]
    fixed: bool  # whether there are no containers


class Owner(Tracked):
    """What a layer is to its weights. `trainable` and `_own` are cheap: a training loop asks at each step."""

    built: bool
    _self_name: str
    _self_trainable: bool
    _self_dtype: DType = None  # type: ignore[assignment]  # what a forgotten `super().__init__()` leaves

    def __setattr__(self, name: str, value: Any) -> None:
        if name[:6] != "_self_":
            self.__dict__.pop("_self_owned", None)
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        self.__dict__.pop("_self_owned", None)
        object.__delattr__(self, name)

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: Any = None,
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Weight:
        """Make a weight of the layer.

        Args:
            shape: its shape; () by default. TensorFlow 2.4's order, with the name first, works too.
            initializer: what gives its first value; None: Glorot-uniform for floats, zeros for the others.
            dtype: its dtype; None: the layer's.
            trainable: whether tapes watch it and `trainable_weights` lists it.
            autocast: ignored.
            regularizer: a function of the value whose result is added to the layer's losses.
            constraint: a function that is applied to the value after an optimizer's update.
            aggregation: ignored.
            overwrite_with_gradient: ignored.
            name: its name, `variable` by default.
        """
        if isinstance(shape, str):
            name, shape, initializer = shape, initializer if not callable(initializer) else (), None
        kind = self._self_dtype if dtype is None else as_dtype(dtype)
        if initializer is None:
            initializer = "glorot_uniform" if kind.is_floating else "zeros"
        made = initializers.get(initializer)
        name = name or "variable"
        dims = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        if None in dims:
            raise ValueError(
                "Shapes used to initialize variables must be fully-defined (no `None` dimensions). Received: "
                f"shape={dims} for variable path='{'/'.join([*self._paths(), name])}'"
            )
        dims = tuple(map(int, dims))
        weight = Weight(
            made(dims, dtype=kind),
            trainable,
            name,
            "/".join([*self._paths(), name]),
            kind,
            regularizers.get(regularizer),
            constraints.get(constraint),
        )
        self._self_weights.append(weight)
        self.__dict__.pop("_self_owned", None)
        settle(self)
        return weight

    def add_variable(self, *args: Any, **kwargs: Any) -> Weight:
        """Another name of `add_weight`."""
        return self.add_weight(*args, **kwargs)

    def _paths(self) -> list[str]:
        return (
            context.path if context.path and context.path[-1] == self._self_name else [*context.path, self._self_name]
        )

    @property
    def _self_weights(self) -> list[Weight]:
        """The weights in the order they were made, whether or not an attribute holds them."""
        found: list[Weight] | None = self.__dict__.get("_self_made_weights")
        if found is None:
            found = self.__dict__["_self_made_weights"] = []
        return found

    def _checkpoint_edges(self) -> Iterator[tuple[str, Any]]:
        yield from and_unheld(self._edges(), self._self_weights, "weight")
        seeds = self.__dict__.get("_self_seeds")
        if seeds is not None:
            yield "seeds", seeds

    def _own(self) -> Sequence[Any]:
        """Its own variables and the tracked objects in its attributes, each once."""
        owned: _Owned | None = self.__dict__.get("_self_owned")
        if owned is None:
            owned = self.__dict__["_self_owned"] = self._find_owned()
        return owned.parts if owned.fixed else tuple({id(each): each for each in members(owned.parts)}.values())

    def _find_owned(self) -> _Owned:
        parts: dict[int, Any] = {id(weight): weight for weight in self._self_weights}
        fixed = True
        for _, value in self._edges():
            if isinstance(value, tuple) and all(isinstance(v, int | float | str | None) for v in value):
                continue
            container = isinstance(value, list | tuple | Mapping)
            fixed = fixed and not container
            if container or isinstance(value, Variable | Tracked):
                parts.setdefault(id(value), value)
        return _Owned(tuple(parts.values()), fixed)

    def _variables(self, seen: dict[int, Variable], metrics: bool) -> None:
        """Collect all variables: its own, trainable ones first, then those of its layers."""
        own = self._own()
        for wanted in (True, False):
            for each in own:
                if isinstance(each, Variable) and each.trainable is wanted:
                    seen.setdefault(id(each), each)
        for each in own:
            if isinstance(each, Owner):
                each._variables(seen, metrics)
            elif isinstance(each, Module) or (metrics and not isinstance(each, Variable) and is_metric(each)):
                for variable in each.variables:
                    seen.setdefault(id(variable), variable)

    @property
    def weights(self) -> list[Variable]:
        """Its variables and those of the layers in it; without the state of metrics."""
        found: dict[int, Variable] = {}
        self._variables(found, False)
        return list(found.values())

    @property
    def variables(self) -> list[Variable]:
        """Its variables and those of the layers and metrics in it."""
        found: dict[int, Variable] = {}
        self._variables(found, True)
        return list(found.values())

    @property
    def trainable_weights(self) -> list[Variable]:
        """Those that are trainable; none if the layer is not."""
        found: dict[int, Variable] = {}
        self._trainable_variables(found)
        return list(found.values())

    def _trainable_variables(self, seen: dict[int, Variable]) -> None:
        if not self._self_trainable:
            return
        for each in self._own():
            if isinstance(each, Variable):
                if each._trainable:
                    seen.setdefault(id(each), each)
            elif isinstance(each, Owner):
                each._trainable_variables(seen)
            elif isinstance(each, Module):
                for variable in each.trainable_variables:
                    seen.setdefault(id(variable), variable)

    @property
    def non_trainable_weights(self) -> list[Variable]:
        """Those that are not."""
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.weights if id(v) not in trainable]

    trainable_variables = trainable_weights

    @property
    def non_trainable_variables(self) -> list[Variable]:
        """Those that are not, the state of metrics included."""
        trainable = {id(v) for v in self.trainable_weights}
        return [v for v in self.variables if id(v) not in trainable]

    @property
    def trainable(self) -> bool:
        """Whether it trains. Setting it sets its weights and the layers in it too."""
        return self._self_trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._self_trainable = bool(value)
        for weight in self._self_weights:
            if weight.made_trainable:
                weight.trainable = value
        for layer in self._layers:
            layer.trainable = value

    @property
    def _layers(self) -> list[Any]:
        """The layers in its attributes."""
        return [m for m in self._own() if isinstance(m, Owner)]

    def _flatten_layers(self, include_self: bool = True, recursive: bool = True) -> Iterator[Any]:
        if include_self:
            yield self
        for layer in self._layers:
            yield layer
            if recursive:
                yield from layer._flatten_layers(include_self=False)

    def get_weights(self) -> list[np.ndarray[Any, Any]]:
        """The values of its weights, as NumPy arrays, in one round trip."""
        weights = self.weights
        if not weights:
            return []
        found = tf.fetch(*weights)
        return [np.asarray(v) for v in (found if len(weights) > 1 else [found])]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Give its weights other values. Does not wait.

        Raises:
            ValueError: a wrong number of values, or wrong shapes.
        """
        mine = self.weights
        if len(mine) != len(weights):
            raise ValueError(
                f"You called `set_weights(weights)` on layer '{self.name}' with a weight list of length "
                f"{len(weights)}, but the layer was expecting {len(mine)} weights."
            )
        for variable, value in zip(mine, weights, strict=True):
            shape = tuple(np.shape(value)) if not isinstance(value, Operand) else tuple(value.shape)
            if variable._spec.shape != shape:
                raise ValueError(
                    f"Layer {self.name} weight shape {tuple(variable.shape)} is not compatible with provided weight "
                    f"shape {shape}."
                )
        for variable, value in zip(mine, weights, strict=True):
            variable.assign(tf.cast(value, variable.dtype))

    def count_params(self) -> int:
        """The number of elements of its weights.

        Raises:
            ValueError: it is not built.
        """
        if not self.built:
            raise ValueError(
                f"You tried to call `count_params` on layer '{self.name}', but the layer isn't built. You can build it "
                f"manually via: `layer.build(input_shape)`."
            )
        return sum(element_count(w._spec.shape) for w in self.weights)


def is_metric(value: Any) -> bool:
    """Whether a tracked object is a metric."""
    return hasattr(value, "update_state") and hasattr(value, "result") and not isinstance(value, Owner)
