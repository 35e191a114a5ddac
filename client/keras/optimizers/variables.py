"""The variables of optimizers.

Owns: making them, their order, their values as a whole: set, saved, loaded. Does not know what they are for.
"""

from __future__ import annotations

import contextlib
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import client
from client.keras.weights import Weight
from client.tracking import Tracked, settle
from client.variable import Variable

tf: Any = client


class OptimizerVariables(Tracked):
    """A base of `keras.Optimizer`: the list of what it keeps on the server."""

    name: str
    built: bool
    gradient_accumulation_steps: int | None
    _iterations: Any
    _variables: list[Variable]
    _trainable_variables: list[Variable]
    _given_rate = 0.0  # the learning rate that the program gave last as a number
    _reads_rate = True  # whether a configuration has the present one, which waits, or that

    @contextlib.contextmanager
    def rate_as_given(self) -> Iterator[None]:
        """Within the block, `get_config` has the learning rate that the program gave last, which is known here."""
        optimizers = [self, *(v for v in self.__dict__.values() if isinstance(v, OptimizerVariables))]
        for each in optimizers:
            each._reads_rate = False
        try:
            yield
        finally:
            for each in optimizers:
                del each._reads_rate

    @property
    def iterations(self) -> Any:
        """How many updates were made: a variable; a tensor where gradients are accumulated."""
        steps = self.gradient_accumulation_steps
        return self._iterations // steps if steps else self._iterations

    @property
    def variables(self) -> list[Variable]:
        """All that it keeps: the number of steps, the learning rate, then what belongs to each variable."""
        return self._variables[:]

    def _add(self, value: Any, dtype: Any, name: str) -> Weight:
        weight = Weight(value, trainable=False, name=name, path=f"{self.name}/{name}", dtype=dtype)
        self._variables.append(weight)
        settle(self)
        return weight

    def _checkpoint_edges(self) -> Iterator[tuple[str, Any]]:
        """What belongs to the user's variables is numbered: their names don't matter."""
        theirs = {id(v) for v in (*self._variables, *self._trainable_variables)}
        number = 0
        for variable in self._variables:
            if variable is self._iterations:
                yield "iterations", variable
            elif variable is self.__dict__.get("_learning_rate"):
                yield "learning_rate", variable
            else:
                yield f"slot_{number}", variable
                number += 1
        for name, value in self._edges():
            if isinstance(value, Tracked) or (isinstance(value, Variable) and id(value) not in theirs):
                yield name, value

    def add_variable(
        self,
        shape: Any,
        initializer: Any = "zeros",
        dtype: Any = None,
        aggregation: str = "none",
        layout: Any = None,
        name: str | None = None,
    ) -> Weight:
        """A variable of its own, not trainable.

        Args:
            shape: its shape.
            initializer: an initializer of Keras or its name, or a number to fill it with.
            dtype: its dtype; None: float32.
            aggregation, layout: ignored.
            name: its name.
        """
        dtype = tf.as_dtype(dtype or "float32")
        return self._add(_initial(initializer, shape, dtype), dtype, name or "variable")

    def add_variable_from_reference(
        self, reference_variable: Variable, name: str | None = None, initializer: Any = "zeros"
    ) -> Weight:
        """A variable of the shape and dtype of another, whose name it bears in its own."""
        path = getattr(reference_variable, "path", None) or reference_variable.name
        full = f"{re.sub('[/:]', '_', path)}_{name or 'var'}"
        return self.add_variable(reference_variable.shape, initializer, reference_variable.dtype, name=full)

    def add_optimizer_variables(
        self, trainable_variables: Iterable[Variable], name: str | Sequence[str], initializer: Any = "zeros"
    ) -> Any:
        """A variable for each variable, or several for each if there are several names.

        Returns:
            A list of them, one for each variable; a tuple of such lists for several names.

        Raises:
            ValueError: as many initializers as names are needed, or one.
        """
        names = [name] if isinstance(name, str) else list(name)
        several = isinstance(initializer, list | tuple)
        initializers = list(initializer) if several else [initializer] * len(names)
        if len(initializers) != len(names):
            raise ValueError(
                "The number of provided names must match the number of provided initializers.  Received "
                f"name='{name}', initializer='{initializer}'"
            )
        rows = [
            [self.add_variable_from_reference(v, n, i) for n, i in zip(names, initializers, strict=True)]
            for v in trainable_variables
        ]
        lists = tuple([row[k] for row in rows] for k in range(len(names)))
        return lists[0] if isinstance(name, str) else lists

    def set_weights(self, weights: Iterable[Any]) -> None:
        """Give all its variables values, in the order of `variables`.

        Raises:
            ValueError: it is not built, or a value has another shape.
        """
        if not self.built:
            raise ValueError(
                "You are calling `set_weights()` on an optimizer that has not yet been built. Please call "
                "`optimizer.build(trainable_variables)` to create the optimizer weights before calling "
                "`set_weights()`."
            )
        for variable, weight in zip(self.variables, weights, strict=False):
            if tuple(variable.shape) != tuple(weight.shape):
                raise ValueError(
                    f"Optimizer variable {variable.name} has shape {variable.shape} not compatible with provided "
                    f"weight shape {weight.shape}."
                )
            variable.assign(weight)

    def save_own_variables(self, store: Any) -> None:
        """Put the values of its variables into a mapping, under their numbers. Waits."""
        variables = self.variables
        values = tf.fetch(*variables) if len(variables) > 1 else [tf.fetch(*variables)]
        for i, value in enumerate(values):
            store[str(i)] = value

    def load_own_variables(self, store: Mapping[str, Any]) -> None:
        """Take the values that `save_own_variables` put into a mapping."""
        variables = self.variables
        if len(store.keys()) != len(variables):
            warnings.warn(
                f"Skipping variable loading for optimizer '{self.name}', because it has {len(variables)} variables "
                f"whereas the saved optimizer has {len(store.keys())} variables. ",
                stacklevel=2,
            )
            return
        for i, variable in enumerate(variables):
            variable.assign(store[str(i)])


def _initial(initializer: Any, shape: Any, dtype: Any) -> Any:
    """The first value of an optimizer's variable: made on the server."""
    if isinstance(initializer, int | float):
        return tf.fill(shape, tf.constant(initializer, dtype))
    if initializer == "zeros":
        return tf.zeros(shape, dtype)
    return tf.keras.initializers.get(initializer)(shape, dtype=dtype)
