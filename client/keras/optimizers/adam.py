"""Adam and its relatives: steps scaled by running moments of the gradient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

from client.api import public
from client.keras.optimizers.rule import RuleOptimizer, Slots
from client.keras.optimizers.updates import Update
from client.tensor import Operand
from client.variable import Variable

_SETTINGS: Final = ("beta_1", "beta_2", "epsilon")


class _Moments(RuleOptimizer):
    """What has a momentum and a second slot, with a decay each."""

    _operation = ""
    _second = "velocity"
    settings: ClassVar[tuple[str, ...]] = _SETTINGS

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        *common: Any,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, *common, **options)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def operation(self) -> str:
        """The name of the op."""
        return self._operation

    def slots(self) -> Slots:
        """The moments, from 0 on."""
        return [{"momentum": 0.0, self._second: 0.0}]

    def hyperparameters(self) -> dict[str, Any]:
        """The op's attributes."""
        return {name: getattr(self, name) for name in _SETTINGS}


@public("keras.optimizers.Adam")
class Adam(_Moments):
    """v -= alpha * m / (sqrt(s) + epsilon), with running means m of the gradient and s of its square.

    alpha is learning_rate * sqrt(1 - beta_2^t) / (1 - beta_1^t) at the step t, counted from 1, so that the means count
    as if they had not started from 0.

    Args:
        learning_rate: a float, a schedule, or a function of no arguments.
        beta_1: the share of the old mean of the gradient in the new one.
        beta_2: the share of the old mean of its square.
        epsilon: keeps the divisor from 0.
        amsgrad: whether the largest s so far takes its place.
        *common, **options: those of `keras.optimizers.Optimizer`, from `weight_decay` on.

    >>> import client as tf
    >>> v = tf.Variable([1.0, 2.0])
    >>> tf.keras.optimizers.Adam(learning_rate=0.5).apply([tf.constant([1.0, -1.0])], [v])
    >>> print(tf.round(v * 1000) / 1000)
    tf.Tensor([0.5 2.5], shape=(2,), dtype=float32)
    """

    settings = (*_SETTINGS, "amsgrad")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        *common: Any,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, *common, **options)
        self.amsgrad = amsgrad

    def operation(self) -> str:
        """The name of the op."""
        return "update_amsgrad" if self.amsgrad else "update_adam"

    def slots(self) -> Slots:
        """The moments, from 0 on."""
        return [*super().slots(), *([{"velocity_hat": 0.0}] if self.amsgrad else [])]


@public("keras.optimizers.AdamW")
class AdamW(Adam):
    """`Adam` with decoupled weight decay: before each update v loses weight_decay * learning_rate of itself.

    Args:
        learning_rate: a float, a schedule, or a function of no arguments.
        weight_decay: that share.
        beta_1, beta_2, epsilon, amsgrad: as in `Adam`.
        *common, **options: those of `keras.optimizers.Optimizer`, from `clipnorm` on.

    Raises:
        ValueError: `weight_decay` is None.

    >>> import client as tf
    >>> v = tf.Variable([1.0, 2.0])
    >>> tf.keras.optimizers.AdamW(0.5, weight_decay=0.5).apply([tf.constant([0.0, 0.0])], [v])
    >>> v.numpy()
    array([0.75, 1.5 ], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        *common: Any,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay, *common, **options)
        if self.weight_decay is None:
            raise ValueError("Argument `weight_decay` must be a float. Received: weight_decay=None")


@public("keras.optimizers.Adamax")
class Adamax(_Moments):
    """`Adam` by the infinity norm: v -= learning_rate / (1 - beta_1^t) * m / (u + epsilon), u = max(beta_2 * u, |g|).

    Args:
        learning_rate: a float, a schedule, or a function of no arguments.
        beta_1: the share of the old mean of the gradient in the new one.
        beta_2: by how much the norm fades at each step.
        epsilon: keeps the divisor from 0.
        *common, **options: those of `keras.optimizers.Optimizer`, from `weight_decay` on.

    >>> import client as tf
    >>> v = tf.Variable([1.0, 2.0])
    >>> tf.keras.optimizers.Adamax(0.5, beta_1=0.5, epsilon=0.0).apply([tf.constant([2.0, -2.0])], [v])
    >>> v.numpy()
    array([0.5, 2.5], dtype=float32)
    """

    _operation = "update_adamax"
    _second = "norm"


@public("keras.optimizers.Nadam")
class Nadam(_Moments):
    """`Adam` with Nesterov's momentum, which grows to `beta_1` over the first steps.

    Args:
        learning_rate: a float, a schedule, or a function of no arguments.
        beta_1: the share of the old mean of the gradient in the new one.
        beta_2: the share of the old mean of its square.
        epsilon: keeps the divisor from 0.
        *common, **options: those of `keras.optimizers.Optimizer`, from `weight_decay` on.

    >>> import client as tf
    >>> v = tf.Variable([1.0, 2.0])
    >>> tf.keras.optimizers.Nadam(learning_rate=0.5).apply([tf.constant([1.0, 0.0])], [v])
    >>> bool(v[0] < 0.6), float(v[1])
    (True, 2.0)
    """

    _operation = "update_nadam"

    def build(self, variables: Iterable[Variable]) -> None:
        """Make its variables for `variables`, and the product of the momenta of all steps so far."""
        if self.built:
            return
        listed = list(variables)
        super().build(listed)
        self._product = self.add_variable((), 1.0, listed[0].dtype if listed else "float32", name="momentum_product")
        attrs = {"beta_1": float(self.beta_1), "skippable": self._skippable}
        self._multiplying = Update("update_nadam_product", [self._product], attrs)

    def _update(self, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
        self._multiplying.issue((self._step,))
        super()._update(grads, variables)

    def _extras(self) -> tuple[Operand, ...]:
        return (self._product,)


@public("keras.optimizers.Lamb")
class Lamb(_Moments):
    """`Adam` whose step for each variable is as long as the variable's norm, times the learning rate.

    Args:
        learning_rate: a float, a schedule, or a function of no arguments.
        beta_1: the share of the old mean of the gradient in the new one.
        beta_2: the share of the old mean of its square.
        epsilon: keeps the divisor from 0.
        *common, **options: those of `keras.optimizers.Optimizer`, from `weight_decay` on.

    >>> import client as tf
    >>> v = tf.Variable([3.0, 4.0])
    >>> tf.keras.optimizers.Lamb(learning_rate=0.5).apply([tf.constant([1.0, 0.0])], [v])
    >>> print(tf.round(v * 100) / 100)
    tf.Tensor([0.5 4. ], shape=(2,), dtype=float32)
    """

    _operation = "update_lamb"
