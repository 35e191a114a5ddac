"""The optimizers that scale each element's step by what its gradients were: Adagrad, Adadelta, RMSprop, Ftrl."""

from __future__ import annotations

from typing import Any

from client.api import public
from client.keras.optimizers.rule import RuleOptimizer, Slots


@public("keras.optimizers.Adagrad")
class Adagrad(RuleOptimizer):
    """v -= learning_rate * g / sqrt(a + epsilon), with a the sum of the squares of all gradients.

    Args:
        learning_rate: a float, a schedule, or a function of no arguments.
        initial_accumulator_value: what the sums start from.
        epsilon: keeps the divisor from 0.
        *common, **options: those of `keras.optimizers.Optimizer`, from `weight_decay` on.

    >>> import client as tf
    >>> v = tf.Variable([1.0, 2.0])
    >>> optimizer = tf.keras.optimizers.Adagrad(0.5, initial_accumulator_value=0.0, epsilon=0.0)
    >>> optimizer.apply([tf.constant([2.0, -2.0])], [v])
    >>> v.numpy()
    array([0.5, 2.5], dtype=float32)
    """

    settings = ("initial_accumulator_value", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        *common: Any,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, *common, **options)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def operation(self) -> str:
        """The name of the op."""
        return "update_adagrad"

    def slots(self) -> Slots:
        """The sums of squares."""
        return [{"accumulator": self.initial_accumulator_value}]

    def hyperparameters(self) -> dict[str, Any]:
        """The op's attributes."""
        return {"epsilon": self.epsilon}


@public("keras.optimizers.Adadelta")
class Adadelta(RuleOptimizer):
    """v -= learning_rate * d, d = sqrt((b + epsilon) / (a + epsilon)) * g, with running means a of g^2 and b of d^2.

    Args:
        learning_rate: a float, a schedule, or a function of no arguments.
        rho: the share of the old means in the new ones.
        epsilon: keeps both roots from 0.
        *common, **options: those of `keras.optimizers.Optimizer`, from `weight_decay` on.

    >>> import client as tf
    >>> v = tf.Variable([1.0, 2.0])
    >>> tf.keras.optimizers.Adadelta(1.0, rho=0.0, epsilon=0.0).apply([tf.constant([2.0, -2.0])], [v])
    >>> v.numpy()  # the first steps are tiny: the mean of their squares starts from 0
    array([1., 2.], dtype=float32)
    """

    settings = ("rho", "epsilon")

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, *common: Any, **options: Any
    ) -> None:
        super().__init__(learning_rate, *common, **options)
        self.rho = rho
        self.epsilon = epsilon

    def operation(self) -> str:
        """The name of the op."""
        return "update_adadelta"

    def slots(self) -> Slots:
        """Both running means."""
        return [{"accumulated_grad": 0.0, "accumulated_delta_var": 0.0}]

    def hyperparameters(self) -> dict[str, Any]:
        """The op's attributes."""
        return {"rho": self.rho, "epsilon": self.epsilon}


@public("keras.optimizers.RMSprop")
class RMSprop(RuleOptimizer):
    """v -= learning_rate * g / sqrt(s + epsilon), with a running mean s of the gradient's square.

    Args:
        learning_rate: a float, a schedule, or a function of no arguments.
        rho: the share of the old mean in the new one.
        momentum: the share of the step before that each step repeats.
        epsilon: keeps the divisor from 0.
        centered: whether to subtract the square of the gradient's running mean from s: its variance.
        *common, **options: those of `keras.optimizers.Optimizer`, from `weight_decay` on.

    >>> import client as tf
    >>> v = tf.Variable([1.0, 2.0])
    >>> tf.keras.optimizers.RMSprop(0.5, rho=0.75, epsilon=0.0).apply([tf.constant([2.0, -2.0])], [v])
    >>> v.numpy()
    array([0., 3.], dtype=float32)
    """

    settings = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        *common: Any,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, *common, **options)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered

    def operation(self) -> str:
        """The name of the op."""
        return "update_rmsprop" + "_centered" * bool(self.centered) + "_momentum" * (self.momentum > 0)

    def slots(self) -> Slots:
        """The running means, and the step before."""
        names = ["velocity", *["momentum"] * (self.momentum > 0), *["average_gradient"] * bool(self.centered)]
        return [{name: 0.0} for name in names]

    def hyperparameters(self) -> dict[str, Any]:
        """The op's attributes."""
        moving = {"momentum": self.momentum} if self.momentum > 0 else {}
        return {"rho": self.rho, "epsilon": self.epsilon, **moving}


@public("keras.optimizers.Ftrl")
class Ftrl(RuleOptimizer):
    """Follow the regularized leader: weights that an L1 penalty sets to exactly 0.

    With n the sum of the squares of all gradients and p = -learning_rate_power:
    z += g + 2 * l2_shrinkage * v - (n'^p - n^p) / learning_rate * v,
    v = (clip(z, -l1, l1) - z) / (n'^p / learning_rate + 2 * l2 + beta / learning_rate).

    Args:
        learning_rate: a float, a schedule, or a function of no arguments.
        learning_rate_power: how the rate falls with n, at most 0; 0 is a constant rate.
        initial_accumulator_value: what n starts from, at least 0.
        l1_regularization_strength: l1, at least 0.
        l2_regularization_strength: l2, at least 0.
        l2_shrinkage_regularization_strength: a penalty on the size of the weights in the gradient, at least 0.
        beta: the value by that name in the formula.
        *common, **options: those of `keras.optimizers.Optimizer`, from `weight_decay` on.

    Raises:
        ValueError: an argument out of its range.

    >>> import client as tf
    >>> v = tf.Variable([1.0, 0.0])
    >>> optimizer = tf.keras.optimizers.Ftrl(0.5, initial_accumulator_value=0.0, l1_regularization_strength=1.0)
    >>> optimizer.apply([tf.constant([1.0, 0.5])], [v])
    >>> v.numpy()
    array([0., 0.], dtype=float32)
    """

    settings = (
        "learning_rate_power",
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    )

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        *common: Any,
        **options: Any,
    ) -> None:
        super().__init__(learning_rate, *common, **options)
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta
        for name in self.settings[:-1]:
            value = getattr(self, name)
            sign = "negative" if name == "learning_rate_power" else "positive"
            if value > 0.0 if sign == "negative" else value < 0.0:
                raise ValueError(f"`{name}` needs to be {sign} or zero. Received: {name}={value}.")

    def operation(self) -> str:
        """The name of the op."""
        return "update_ftrl"

    def slots(self) -> Slots:
        """n and z."""
        return [{"accumulator": self.initial_accumulator_value, "linear": 0.0}]

    def hyperparameters(self) -> dict[str, Any]:
        """The op's attributes."""
        return {
            "learning_rate_power": self.learning_rate_power,
            "l1": self.l1_regularization_strength,
            "l2": self.l2_regularization_strength,
            "l2_shrinkage": self.l2_shrinkage_regularization_strength,
            "beta": self.beta,
        }
