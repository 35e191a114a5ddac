"""`LossScaleOptimizer`: a factor on the loss that keeps gradients of low precision from becoming 0 or infinite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import client
from client.api import public
from client.keras.optimizers.optimizer import OPTIMIZERS, Optimizer, _with_values
from client.variable import Variable

tf: Any = client

_UNSUPPORTED: Final = {
    "weight_decay": None,
    "clipnorm": None,
    "global_clipnorm": None,
    "clipvalue": None,
    "use_ema": False,
    "ema_momentum": 0.99,
    "ema_overwrite_frequency": None,
    "loss_scale_factor": None,
    "gradient_accumulation_steps": None,
}


@public("keras.optimizers.LossScaleOptimizer", "keras.mixed_precision.LossScaleOptimizer")
class LossScaleOptimizer(Optimizer):
    """Lets another optimizer apply gradients of a scaled loss, and adapts the scale.

    Gradients are divided by the scale. If one is infinite or NaN, nothing is updated and the scale is halved; after
    `dynamic_growth_steps` updates in a row it is doubled. The server decides: nothing waits.

    Args:
        inner_optimizer: the optimizer that updates.
        initial_scale: the first scale.
        dynamic_growth_steps: after how many updates the scale is doubled.
        name: its name; None: the class's, numbered.

    Raises:
        ValueError: another argument: those belong to `inner_optimizer`.

    >>> import client as tf
    >>> v = tf.Variable(1.0)
    >>> optimizer = tf.keras.optimizers.LossScaleOptimizer(tf.keras.optimizers.SGD(0.5), initial_scale=8.0)
    >>> optimizer.apply([tf.constant(4.0)], [v])
    >>> optimizer.apply([tf.constant(float("inf"))], [v])
    >>> float(v), float(optimizer.dynamic_scale)
    (0.75, 4.0)
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not kwargs.pop("dynamic", True):
            raise ValueError(
                "LossScaleOptimizer no longer supports `dynamic=False`. Instead, simply set `loss_scale_factor` "
                "directly on the `inner_optimizer`."
            )
        for argument, default in _UNSUPPORTED.items():
            if kwargs.pop(argument, default) != default:
                raise ValueError(
                    f"LossScaleOptimizer does not support `{argument}`. Instead, set `{argument}` on the "
                    "`inner_optimizer`."
                )
        if kwargs:
            raise ValueError(f"LossScaleOptimizer does not support arguments: `{'`, `'.join(kwargs)}`.")
        super().__init__(learning_rate=0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None  # or gradients would be divided twice

    def build(self, variables: Iterable[Variable]) -> None:
        """Make its variables, and the inner optimizer's for `variables`."""
        if self.built:
            return
        listed = list(variables)
        self.step_counter = self.add_variable((), dtype="int64", name="step_counter")
        self.dynamic_scale = self.add_variable((), float(self.initial_scale), "float32", name="dynamic_scale")
        self.inner_optimizer._gated = True
        self.inner_optimizer.build(listed)
        super().build(listed)

    @property
    def variables(self) -> list[Variable]:
        """Its own, then the inner optimizer's."""
        return self._variables + self.inner_optimizer.variables

    def apply(self, grads: Sequence[Any], trainable_variables: Iterable[Variable] | None = None) -> None:
        """Update variables by gradients of the scaled loss, if all are finite. Does not wait."""
        grads = list(grads)
        listed = None if trainable_variables is None else list(trainable_variables)
        if not self.built:
            self.build(listed or [])
        scale, inner = self.dynamic_scale, self.inner_optimizer
        count: Any = self.step_counter.value()
        finite = self.check_finite(grads)
        divisor: Any = scale.value()
        inner._gate = finite
        inner.apply(
            [
                None if g is None else _with_values(g, lambda values: values / tf.cast(divisor, values.dtype))
                for g in grads
            ],
            listed,
        )
        inner._gate = None
        grown = count == self.dynamic_growth_steps - 1
        factor = tf.where(finite, tf.where(grown, 2.0, 1.0), 0.5)
        scale.assign(divisor * factor)
        self.step_counter.assign(
            tf.where(tf.logical_and(finite, tf.logical_not(grown)), count + 1, tf.zeros((), "int64"))
        )

    def check_finite(self, grads: Iterable[Any]) -> Any:
        """Whether all elements of all gradients are finite, as a tensor."""
        values = [g.values if isinstance(g, tf.IndexedSlices) else g for g in grads if g is not None]
        return tf.reduce_all([tf.reduce_all(tf.math.is_finite(v)) for v in values])

    @property
    def learning_rate(self) -> Any:
        """The inner optimizer's."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    @property
    def iterations(self) -> Any:
        """The inner optimizer's."""
        return self.inner_optimizer.iterations

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the scale: what to take gradients of."""
        return loss * (tf.cast(self.dynamic_scale, loss.dtype) if self.built else self.initial_scale)

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """What the inner optimizer does."""
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        """Its settings, as plain values, with the inner optimizer's."""
        return {
            "name": self.name,
            "inner_optimizer": OPTIMIZERS.serialize(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """An optimizer with the settings that `get_config` gave, without its state."""
        settings = dict(config)
        inner = OPTIMIZERS.deserialize(settings.pop("inner_optimizer"), custom_objects)
        return cls(inner, **settings)


OPTIMIZERS.add("lossscaleoptimizer")(LossScaleOptimizer)
