"""The optimizers that follow the gradient, perhaps with momentum: SGD and Lion."""

from __future__ import annotations

from typing import Any

from client.api import public
from client.keras.optimizers.rule import RuleOptimizer, Slots


@public("keras.optimizers.SGD")
class SGD(RuleOptimizer):
    """Gradient descent: v -= learning_rate * g; with momentum m = momentum * m - learning_rate * g, v += m.

    Args:
        learning_rate: a float, a schedule, or a function of no arguments.
        momentum: from 0 to 1.
        nesterov: whether to look ahead: v += momentum * m - learning_rate * g.
        *common, **options: those of `keras.optimizers.Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: `momentum` is no float in its range.

    >>> import client as tf
    >>> v = tf.Variable([1.0, 2.0])
    >>> tf.keras.optimizers.SGD(learning_rate=0.5).apply([tf.constant([1.0, 1.0])], [v])
    >>> v.numpy()
    array([0.5, 1.5], dtype=float32)
    """

    settings = ("momentum", "nesterov")

    def __init__(
        self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, *common: Any, **options: Any
    ) -> None:
        super().__init__(learning_rate, *common, **options)
        if not isinstance(momentum, float) or momentum < 0 or momentum > 1:
            raise ValueError("`momentum` must be a float between [0, 1].")
        self.momentum = momentum
        self.nesterov = nesterov

    def operation(self) -> str:
        """The name of the op."""
        return "update_momentum" if self.momentum else "update_sgd"

    def slots(self) -> Slots:
        """The momentum, if there is any."""
        return [{"momentum": 0.0}] if self.momentum else []

    def hyperparameters(self) -> dict[str, Any]:
        """The op's attributes."""
        return {"momentum": self.momentum, "nesterov": bool(self.nesterov)} if self.momentum else {}


@public("keras.optimizers.Lion")
class Lion(RuleOptimizer):
    """Steps of one size, by the sign of the momentum: v -= learning_rate * sign(beta_1 * m + (1 - beta_1) * g).

    Then m = beta_2 * m + (1 - beta_2) * g.

    Args:
        learning_rate: a float, a schedule, or a function of no arguments.
        beta_1: the momentum's share in the step, over 0 up to 1.
        beta_2: the old momentum's share in the new one.
        *common, **options: those of `keras.optimizers.Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: `beta_1` out of its range.

    >>> import client as tf
    >>> v = tf.Variable([1.0, 2.0])
    >>> tf.keras.optimizers.Lion(learning_rate=0.5).apply([tf.constant([3.0, -7.0])], [v])
    >>> v.numpy()
    array([0.5, 2.5], dtype=float32)
    """

    settings = ("beta_1", "beta_2")

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, *common: Any, **options: Any
    ) -> None:
        super().__init__(learning_rate, *common, **options)
        if beta_1 <= 0 or beta_1 > 1:
            raise ValueError(
                "Argument `beta_1` must be in the [0, 1] range. Otherwise, the optimizer degenerates to SignSGD. "
                f"Received: beta_1={beta_1}."
            )
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def operation(self) -> str:
        """The name of the op."""
        return "update_lion"

    def slots(self) -> Slots:
        """The momentum."""
        return [{"momentum": 0.0}]

    def hyperparameters(self) -> dict[str, Any]:
        """The op's attributes."""
        return {"beta_1": self.beta_1, "beta_2": self.beta_2}
