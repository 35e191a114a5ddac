"""`RuleOptimizer`: an optimizer whose rule is one op on the server, so that updating a variable is one item.

Owns: what such optimizers share: their variables for each variable, the op's attributes, and signatures that list the
arguments all optimizers have. Does not know the rules: a subclass names its op, slots and hyperparameters, and the op
computes (`protocol.ops.optimizers`).
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

from client.convert import convert_to_tensor
from client.keras.optimizers.optimizer import OPTIMIZERS, Optimizer
from client.keras.optimizers.updates import Update, gradient_operands
from client.tensor import Operand
from client.variable import Variable

Slots: TypeAlias = Sequence[Mapping[str, float]]


class RuleOptimizer(Optimizer):
    """The base of the optimizers here. `settings` are the names of the arguments that are its own."""

    settings: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Register the class by name, and give its constructor the signature it has with `Optimizer`'s arguments."""
        super().__init_subclass__()
        if cls.__module__.startswith(__package__):
            OPTIMIZERS.add(cls.__name__.lower())(cls)
            own = inspect.signature(cls.__init__).parameters.values()
            mine = [p for p in own if p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "self"]
            named = {p.name for p in mine}
            shared = [p for p in inspect.signature(Optimizer).parameters.values() if p.name not in named]
            cls.__signature__ = inspect.Signature(mine + shared)  # type: ignore[attr-defined]

    def operation(self) -> str:
        """The name of the op."""
        raise NotImplementedError

    def slots(self) -> Slots:
        """The variables that it keeps for each variable, in the op's order, with their first values.

        Those of one mapping are made together, variable by variable: the order in which Keras saves them.
        """
        return ()

    def hyperparameters(self) -> dict[str, Any]:
        """The op's attributes, besides weight decay."""
        return {}

    def build(self, variables: Iterable[Variable]) -> None:
        """Make its variables for `variables`."""
        if self.built:
            return
        listed = list(variables)
        super().build(listed)
        made: list[Sequence[Variable]] = []
        for slots in self.slots():
            made += self.add_optimizer_variables(listed, list(slots), list(slots.values()))
        shared = {k: float(v) if type(v) is not bool else v for k, v in self.hyperparameters().items()}
        shared["skippable"] = self._skippable
        own_rule = type(self).update_step is RuleOptimizer.update_step  # else `Optimizer._update` decays
        self._updates: dict[int, Update] = {}
        for i, v in enumerate(listed):
            decays = own_rule and self.weight_decay is not None and self._use_weight_decay(v)
            attrs = {**shared, "weight_decay": float(self.weight_decay or 0.0)} if decays else shared
            self._updates[id(v)] = Update(self.operation(), [v, *(column[i] for column in made)], attrs)

    def _update(self, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
        if type(self).update_step is not RuleOptimizer.update_step:
            super()._update(grads, variables)
            return
        rate = self.learning_rate
        if not isinstance(rate, Operand):
            rate = convert_to_tensor(rate, "float32")
        for gradient, variable in zip(grads, variables, strict=True):
            self.update_step(gradient, variable, rate)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Update one variable, in one item."""
        if not isinstance(learning_rate, Operand):
            learning_rate = convert_to_tensor(learning_rate, "float32")
        value, *indices = gradient_operands(gradient, variable)
        self._updates[id(variable)].issue((value, learning_rate, self._step, *self._extras(), *indices))

    def _extras(self) -> tuple[Operand, ...]:
        """What else the op takes."""
        return ()

    def get_config(self) -> dict[str, Any]:
        """Its settings, as plain values. Waits for the learning rate, which may have been set."""
        return super().get_config() | {name: getattr(self, name) for name in self.settings}
