"""What metrics share: the base class with its state on the server, sums and means, and finding one by name.

Owns: `Metric`, `Sum`, `Mean`, `MeanMetricWrapper`, the registry. Does not know any metric in particular. No update
waits, and no result does: both are tensors of the server until somebody looks.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar, cast

import client as tf
from client import recording
from client.api import public
from client.keras import initializers
from client.keras.layers import masks
from client.keras.layers.layer import unique_name
from client.keras.losses.loss import LOSSES, converted, dims, same_rank
from client.keras.serialization import Registry
from client.keras.weights import Weight
from client.tensor import Operand, Tensor
from client.tracking import Tracked, and_unheld, members, settle, snake_case
from client.variable import Variable
from protocol.dtypes import DType, as_dtype

_F = TypeVar("_F", bound=Callable[..., Any])

METRICS: Final = Registry("metric")
FUNCTIONS: Final = Registry("metric function")
"""Functions that a `MeanMetricWrapper` can take the mean of, besides the losses: names among metrics are classes."""


def as_tensor(value: Any) -> Any:
    """A tensor or variable as it is, anything else as a tensor."""
    return value if isinstance(value, Operand) else tf.convert_to_tensor(value)


def unrecorded(update: _F) -> _F:
    """An update that no tape records: nobody differentiates a metric, and a training step runs inside a tape."""

    @functools.wraps(update)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not recording.counter.open:
            return update(*args, **kwargs)
        with recording.paused():
            return update(*args, **kwargs)

    return cast(_F, run)


@public("keras.metrics.Metric", "keras.Metric")
class Metric(Tracked):
    """A base: make state with `add_variable`, change it in `update_state`, give the value in `result`.

    Args:
        dtype: the dtype of its value; None: float32.
        name: its name; None: the class's, numbered.

    >>> import client as tf
    >>> class Largest(tf.keras.metrics.Metric):
    ...     def __init__(self, name="largest"):
    ...         super().__init__(name=name)
    ...         self.largest = self.add_weight(name="largest", initializer="zeros")
    ...     def update_state(self, values, sample_weight=None):
    ...         self.largest.assign(tf.maximum(self.largest, tf.reduce_max(values)))
    ...     def result(self):
    ...         return tf.identity(self.largest)
    >>> m = Largest()
    >>> m.update_state([1.0, 3.0])
    >>> print(float(m([2.0])))
    3.0
    """

    _self_variables: list[Variable]

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name = name or unique_name(snake_case(type(self).__name__))
        self._dtype = as_dtype("float32" if dtype is None else dtype)
        self._self_variables = []

    @property
    def dtype(self) -> DType:
        """The dtype of its value."""
        return self._dtype

    # --- state -------------------------------------------------------------------------------------------------------

    def add_variable(
        self,
        shape: Any = (),
        initializer: Any = None,
        dtype: Any = None,
        aggregation: Any = "sum",
        name: str | None = None,
    ) -> Weight:
        """Make a variable that is part of its state.

        Args:
            shape: its shape.
            initializer: what gives its first value: an initializer, its name, or a function of a shape and a dtype.
            dtype: its dtype; None: the metric's.
            aggregation: ignored.
            name: its name.

        Raises:
            RuntimeError: `super().__init__()` was not called.
        """
        self._check_initialized()
        kind = self._dtype if dtype is None else as_dtype(dtype)
        made = initializers.get("zeros" if initializer is None else initializer)
        dims = tuple(int(d) for d in ((shape,) if isinstance(shape, int) else shape))
        name = name or "variable"
        weight = Weight(made(dims, dtype=kind), False, name, f"{self.name}/{name}", kind)
        self._self_variables.append(weight)
        settle(self)
        return weight

    def add_weight(self, *args: Any, **kwargs: Any) -> Weight:
        """`add_variable`, all arguments optional: `shape`, `initializer`, `dtype`, `name`, or the name first."""
        legacy = bool(args) and isinstance(args[0], str)
        order = ("name", "shape", "aggregation", "synchronization", "initializer", "dtype")
        given = dict(zip(order if legacy else ("shape", "initializer", "dtype", "name"), args, strict=False)) | kwargs
        unknown = set(given) - set(order)
        if unknown or len(args) > len(order):
            raise TypeError(f"add_weight() got unexpected arguments {sorted(unknown) or args[len(order) :]}")
        return self.add_variable(
            given.get("shape", ()), given.get("initializer"), given.get("dtype"), name=given.get("name")
        )

    @property
    def variables(self) -> list[Variable]:
        """Its variables, then those of the metrics in its attributes."""
        self._check_initialized()
        found = list(self._self_variables)
        nested: list[Variable] = []
        seen = {id(v) for v in found}
        for each in self._members():
            own = isinstance(each, Variable)
            for variable in [each] if own else each.variables:
                if id(variable) not in seen:
                    seen.add(id(variable))
                    (found if own else nested).append(variable)
        return found + nested

    def _checkpoint_edges(self) -> Iterator[tuple[str, Any]]:
        return and_unheld(self._edges(), self._self_variables, "variable")

    def _members(self) -> Iterator[Any]:
        for _, value in self._edges():
            for each in members(value):
                if isinstance(each, Variable | Metric):
                    yield each

    def reset_state(self) -> None:
        """Set all its variables to zeros. Does not wait."""
        for variable in self.variables:
            variable.assign(tf.zeros(variable.shape, variable.dtype))

    def reset_states(self) -> None:
        """Another name of `reset_state`."""
        self.reset_state()

    def _check_initialized(self) -> None:
        if "_self_variables" not in self.__dict__:
            raise RuntimeError("You forgot to call `super().__init__()` in the `__init__()` method. Go add it!")

    # --- what it computes --------------------------------------------------------------------------------------------

    def update_state(self, *args: Any, **kwargs: Any) -> Any:
        """Take a batch into account."""
        raise NotImplementedError

    def result(self) -> Any:
        """The value of all batches: a tensor, or a dict of tensors."""
        raise NotImplementedError

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Take a batch into account; the value of all batches so far."""
        self._check_initialized()
        self.update_state(*args, **kwargs)
        return self.result()

    # --- description -------------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        return {"name": self.name, "dtype": self.dtype.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One made of what `get_config` gave."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def by_example(values: Any, sample_weight: Any, reduce: Callable[..., Any], dtype: Any) -> tuple[Any, Any]:
    """Values, weighed, and their weights: each reduced to one for an example."""
    values = as_tensor(values)
    if sample_weight is None:
        return _first_axis(converted(values, dtype), reduce), None
    mask = masks.of(values) if masks.any_masks() else None
    values, weights = converted(values, dtype), converted(sample_weight, dtype)
    if mask is not None:
        weights = masked(weights, mask, dtype)
    values, weights = same_rank(values, weights)
    rank = len(dims(weights))
    if len(dims(values)) > rank:
        values = reduce(values, axis=list(range(rank, len(dims(values)))))
    if None in dims(values) or dims(weights) != dims(values):
        weights = tf.broadcast_to(weights, tf.shape(values) if None in dims(values) else dims(values))
    values = values * weights
    return _first_axis(values, reduce), _first_axis(weights, reduce)


def _first_axis(values: Any, reduce: Callable[..., Any]) -> Any:
    rank = len(dims(values))
    return reduce(values, axis=list(range(1, rank))) if rank > 1 else values


def masked(weights: Any, mask: Any, dtype: Any) -> Any:
    """Weights, None for ones, that are 0 outside of a mask."""
    mask = converted(mask, dtype)
    if weights is None:
        return mask
    mask, weights = same_rank(mask, converted(weights, dtype))
    return weights * mask


def _total(values: Any) -> Any:
    return values if not dims(values) else tf.reduce_sum(values)


@public("keras.metrics.Sum")
@METRICS.add()
class Sum(Metric):
    """The sum of values, times their weights.

    Args:
        name: its name.
        dtype: the dtype of its value.

    >>> import client as tf
    >>> print(float(tf.keras.metrics.Sum()([1, 3, 5, 7], sample_weight=[1, 1, 0, 0])))
    4.0
    """

    def __init__(self, name: str = "sum", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", self._dtype, name="total")

    @unrecorded
    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Add values.

        Args:
            values: numbers of any shape.
            sample_weight: weights: one for all, one for each example, or of a shape that broadcasts to the values'.
        """
        if sample_weight is None:
            values = converted(values, self._dtype)
        else:
            values, _ = by_example(values, sample_weight, tf.reduce_sum, self._dtype)
        self.total.assign_add(_total(values))

    def reset_state(self) -> None:
        """Begin anew."""
        self.total.assign(0)

    def result(self) -> Tensor:
        """The sum so far."""
        return tf.convert_to_tensor(self.total)  # type: ignore[no-any-return]


@public("keras.metrics.Mean")
@METRICS.add()
class Mean(Metric):
    """The mean of values: their sum, times weights, over the sum of the weights.

    Args:
        name: its name.
        dtype: the dtype of its value.

    >>> import client as tf
    >>> m = tf.keras.metrics.Mean("loss")
    >>> m.update_state(0)
    >>> m.update_state(5)
    >>> print(float(m.result()), float(m([8, 9])))
    2.5 5.5
    """

    def __init__(self, name: str | None = "mean", dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.total = self.add_variable((), "zeros", self._dtype, name="total")
        self.count = self.add_variable((), "zeros", self._dtype, name="count")

    @unrecorded
    def update_state(self, values: Any, sample_weight: Any = None) -> None:
        """Count values; an example with several has their mean.

        Args:
            values: numbers of any shape; the first axis is that of the examples.
            sample_weight: weights: one for all, one for each example, or of a shape that broadcasts to the values'.
        """
        if sample_weight is not None:
            values, weights = by_example(values, sample_weight, tf.reduce_mean, self._dtype)
            self.total.assign_add(_total(values))
            self.count.assign_add(_total(weights))
            return
        values = converted(values, self._dtype)
        shape = dims(values)
        if len(shape) > 1 and (None in shape or math.prod(shape[1:]) != 1):
            values = _first_axis(values, tf.reduce_mean)
        self.total.assign_add(_total(values))
        if shape and shape[0] is None:
            self.count.assign_add(tf.cast(tf.shape(values)[0], self._dtype))
        else:
            self.count.assign_add(shape[0] if shape else 1)

    def reset_state(self) -> None:
        """Begin anew."""
        self.total.assign(0)
        self.count.assign(0)

    def result(self) -> Tensor:
        """The mean so far; 0 of nothing."""
        return tf.math.divide_no_nan(self.total, self.count)  # type: ignore[no-any-return]


@public("keras.metrics.MeanMetricWrapper")
@METRICS.add()
class MeanMetricWrapper(Mean):
    """The mean of a function of labels and predictions that gives a value for each example.

    Args:
        fn: called as fn(y_true, y_pred, **kwargs).
        name: its name.
        dtype: the dtype of its value.
        **kwargs: more arguments of `fn`.

    >>> import client as tf
    >>> m = tf.keras.metrics.MeanMetricWrapper(lambda y_true, y_pred: (y_true - y_pred) ** 2)
    >>> print(float(m(tf.constant([1.0, 2.0]), tf.constant([2.0, 4.0]))))
    2.5
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **kwargs: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        self._fn = fn
        self._fn_kwargs = kwargs

    @unrecorded
    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Count a batch.

        Args:
            y_true: labels.
            y_pred: predictions; where they have a mask, what is outside of it does not count.
            sample_weight: weights of the examples, or of a shape that broadcasts to the values'.
        """
        mask = masks.of(y_pred) if masks.any_masks() else None
        values = self._fn(y_true, y_pred, **self._fn_kwargs)
        if mask is not None:
            sample_weight = masked(sample_weight, mask, self._dtype)
        Mean.update_state(self, values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make it again."""
        config = {**super().get_config(), **self._fn_kwargs}
        if type(self) is MeanMetricWrapper:
            config["fn"] = FUNCTIONS.serialize(self._fn)
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """One made of what `get_config` gave."""
        if "fn" in config and not callable(config["fn"]):
            name = config["fn"]
            registry = LOSSES if isinstance(name, dict) or name in LOSSES.objects else FUNCTIONS
            config = {**config, "fn": registry.deserialize(name)}
        return cls(**config)


@public("keras.metrics.get")
def get(identifier: Any) -> Any:
    """The metric that a name, configuration or class stands for; a metric or function as it is, None of None.

    Raises:
        ValueError: anything else, or an unknown name.

    >>> import client as tf
    >>> tf.keras.metrics.get("Sum")
    <Sum name=sum>
    """
    return METRICS.get(identifier)


@public("keras.metrics.serialize")
def serialize(metric: Any) -> Any:
    """A metric's class and settings, as plain values.

    >>> import client as tf
    >>> tf.keras.metrics.serialize(tf.keras.metrics.Sum())
    {'class_name': 'Sum', 'config': {'name': 'sum', 'dtype': 'float32'}}
    """
    return METRICS.serialize(metric)


@public("keras.metrics.deserialize")
def deserialize(config: Any, custom_objects: Any = None) -> Any:
    """The metric that `serialize` described; of a name, the class.

    >>> import client as tf
    >>> tf.keras.metrics.deserialize({"class_name": "Sum", "config": {"name": "all"}})
    <Sum name=all>
    """
    return METRICS.deserialize(config, custom_objects)
