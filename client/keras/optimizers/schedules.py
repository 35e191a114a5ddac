"""`keras.optimizers.schedules`: learning rates that depend on the number of the step.

Owns: the schedules and their configurations. Does not know optimizers. A schedule is called with the number of the
step, which is on the server for an optimizer's, and gives a tensor: it never waits.

Constants are combined here, in the learning rate's own dtype, so that few items are sent and values round as Keras' do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

import client
from client.api import public
from client.convert import convert_to_tensor
from client.keras.serialization import Registry
from client.tensor import Operand, Tensor
from protocol.dtypes import DType, float32

tf: Any = client

SCHEDULES: Final = Registry("learning rate schedule")


@public("keras.optimizers.schedules.LearningRateSchedule")
class LearningRateSchedule:
    """The base of schedules. One of your own overrides `__call__(step)` and, to be saved, `get_config()`.

    >>> import client as tf
    >>> class Harmonic(tf.keras.optimizers.schedules.LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 / (tf.cast(step, tf.float32) + 1.0)
    >>> print(Harmonic()(4))
    tf.Tensor(0.02, shape=(), dtype=float32)
    """

    settings: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Register the schedules of this module by name."""
        super().__init_subclass__()
        if cls.__module__ == __name__:
            SCHEDULES.add()(cls)

    def __call__(self, step: Any) -> Any:
        """The learning rate at `step`, a number or a scalar tensor."""
        raise NotImplementedError(
            f"Learning rate schedule '{type(self).__name__}' must override `__call__(self, step)`."
        )

    def get_config(self) -> dict[str, Any]:
        """Its settings, as plain values."""
        if not self.settings:
            raise NotImplementedError(
                f"Learning rate schedule '{type(self).__name__}' must override `get_config()` in order to be "
                "serializable."
            )
        return {name: getattr(self, name) for name in self.settings}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """A schedule with the settings that `get_config` gave."""
        return cls(**config)


def _dtype_of(rate: Any) -> DType:
    """The dtype that a schedule with this first learning rate computes in."""
    return float32 if type(rate) is float else convert_to_tensor(rate).dtype


def _known(value: Any, dtype: DType) -> Any:
    """A number rounded to `dtype`; a tensor in it."""
    if isinstance(value, Operand):
        return tf.cast(value, dtype)
    return dtype.numpy.type(value)


def _float(value: Any) -> Any:
    """A known number as Python's, whose tensors are shared."""
    return value.item() if isinstance(value, np.generic) else value


def _check_steps(steps: int, name: str = "decay_steps") -> None:
    if steps <= 0:
        raise ValueError(f"Argument `{name}` must be > 0. Received: {name}={steps}")


class _Decay(LearningRateSchedule):
    """What decays by the share of `decay_steps` that is done, in whole steps if `staircase`."""

    settings = ("initial_learning_rate", "decay_steps", "decay_rate", "staircase", "name")

    def __init__(
        self, initial_learning_rate: Any, decay_steps: Any, decay_rate: Any, staircase: bool = False, name: str = ""
    ) -> None:
        _check_steps(decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.decay_rate = decay_rate
        self.staircase = staircase
        self.name = name or type(self).__name__

    def _numbers(self, step: Any) -> tuple[Any, Any, Tensor]:
        """The first learning rate, the rate of decay, and how many times it applies."""
        dtype = _dtype_of(self.initial_learning_rate)
        done = tf.cast(step, dtype) / _float(_known(self.decay_steps, dtype))
        rates = (_float(_known(x, dtype)) for x in (self.initial_learning_rate, self.decay_rate))
        return *rates, tf.floor(done) if self.staircase else done


@public("keras.optimizers.schedules.ExponentialDecay")
class ExponentialDecay(_Decay):
    """initial_learning_rate * decay_rate ^ (step / decay_steps).

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: in how many steps the rate is multiplied by `decay_rate` once; over 0.
        decay_rate: that factor.
        staircase: whether step / decay_steps is rounded down.
        name: kept in the configuration.

    >>> import client as tf
    >>> schedule = tf.keras.optimizers.schedules.ExponentialDecay(0.5, decay_steps=10, decay_rate=0.25)
    >>> float(schedule(5))
    0.25
    """

    def __init__(
        self,
        initial_learning_rate: Any,
        decay_steps: Any,
        decay_rate: Any,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: Any) -> Any:
        """The learning rate at `step`."""
        rate, decay, times = self._numbers(step)
        return tf.pow(decay, times) * rate


@public("keras.optimizers.schedules.InverseTimeDecay")
class InverseTimeDecay(_Decay):
    """initial_learning_rate / (1 + decay_rate * step / decay_steps).

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: what the step is divided by; over 0.
        decay_rate: how fast the rate falls.
        staircase: whether step / decay_steps is rounded down.
        name: kept in the configuration.

    >>> import client as tf
    >>> schedule = tf.keras.optimizers.schedules.InverseTimeDecay(0.5, decay_steps=10, decay_rate=2.0)
    >>> float(schedule(5))
    0.25
    """

    def __init__(
        self,
        initial_learning_rate: Any,
        decay_steps: Any,
        decay_rate: Any,
        staircase: bool = False,
        name: str = "InverseTimeDecay",
    ) -> None:
        super().__init__(initial_learning_rate, decay_steps, decay_rate, staircase, name)

    def __call__(self, step: Any) -> Any:
        """The learning rate at `step`."""
        rate, decay, times = self._numbers(step)
        return rate / (times * decay + 1.0)


@public("keras.optimizers.schedules.PiecewiseConstantDecay")
class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[0]` up to step `boundaries[0]`, then `values[1]` up to `boundaries[1]`, and so on.

    Args:
        boundaries: the last step of each value but the last one, increasing.
        values: the learning rates, one more than boundaries.
        name: kept in the configuration.

    Raises:
        ValueError: there are not as many values.

    >>> import client as tf
    >>> schedule = tf.keras.optimizers.schedules.PiecewiseConstantDecay([100, 200], [1.0, 0.5, 0.25])
    >>> [float(schedule(step)) for step in (100, 101, 201)]
    [1.0, 0.5, 0.25]
    """

    settings = ("boundaries", "values", "name")

    def __init__(self, boundaries: Sequence[Any], values: Sequence[Any], name: str = "PiecewiseConstant") -> None:
        if len(boundaries) != len(values) - 1:
            raise ValueError(
                "The length of boundaries should be 1 less than the length of values. Received: "
                f"boundaries={boundaries} of length {len(boundaries)}, and values={values} of length {len(values)}."
            )
        self.boundaries = boundaries
        self.values = values
        self.name = name

    def __call__(self, step: Any) -> Any:
        """The learning rate at `step`."""
        step = step if isinstance(step, Operand) else convert_to_tensor(step)
        first = convert_to_tensor(self.values[0])
        values = [first, *(_known(v, first.dtype) for v in self.values[1:])]
        found = values[-1]
        for boundary, value in reversed(list(zip(self.boundaries, values, strict=False))):
            found = tf.where(step <= _float(_known(boundary, step.dtype)), value, found)
        return convert_to_tensor(found)


@public("keras.optimizers.schedules.PolynomialDecay")
class PolynomialDecay(LearningRateSchedule):
    """(initial_learning_rate - end_learning_rate) * (1 - step / decay_steps) ^ power + end_learning_rate.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: the step from which on the rate is `end_learning_rate`; over 0.
        end_learning_rate: that rate.
        power: the polynomial's degree.
        cycle: whether to start again, `decay_steps` becoming the next multiple of it that is not below the step.
        name: kept in the configuration.

    >>> import client as tf
    >>> schedule = tf.keras.optimizers.schedules.PolynomialDecay(0.5, decay_steps=10, end_learning_rate=0.0)
    >>> float(schedule(5))
    0.25
    """

    settings = ("initial_learning_rate", "decay_steps", "end_learning_rate", "power", "cycle", "name")

    def __init__(
        self,
        initial_learning_rate: Any,
        decay_steps: Any,
        end_learning_rate: Any = 0.0001,
        power: Any = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        _check_steps(decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.end_learning_rate = end_learning_rate
        self.power = power
        self.cycle = cycle
        self.name = name

    def __call__(self, step: Any) -> Any:
        """The learning rate at `step`."""
        dtype = _dtype_of(self.initial_learning_rate)
        first, end = (_known(x, dtype) for x in (self.initial_learning_rate, self.end_learning_rate))
        steps = _float(_known(self.decay_steps, dtype))
        step = tf.cast(step, dtype)
        if self.cycle:
            steps = tf.where(step == 0.0, 1.0, tf.math.ceil(step / steps)) * steps
        else:
            step = tf.minimum(step, steps)
        left = 1.0 - step / steps
        if not (type(self.power) is float and self.power == 1.0):
            left = tf.pow(left, _float(_known(self.power, dtype)))
        return left * _float(first - end) + _float(end)


class _Cosine(LearningRateSchedule):
    """What falls along half a cosine to the share `alpha`."""

    alpha: Any

    def _fallen(self, done: Tensor, start: Any, factor: Any = None) -> Any:
        """The learning rate after the share `done` of the way down from `start`; `factor` shrinks the height."""
        dtype = done.dtype
        start = _known(start, dtype)
        height = tf.cos(done * _float(_known(math.pi, dtype))) + 1.0
        if factor is not None:
            height = height * factor
        if type(self.alpha) is float and self.alpha == 0.0:
            return height * _float(start * _known(0.5, dtype))
        alpha = _known(self.alpha, dtype)
        share = height * _float((1 - alpha) * _known(0.5, dtype)) + _float(alpha)
        return share * _float(start)


@public("keras.optimizers.schedules.CosineDecay")
class CosineDecay(_Cosine):
    """initial_learning_rate * ((1 - alpha) * (1 + cos(pi * step / decay_steps)) / 2 + alpha), perhaps after warming up.

    Args:
        initial_learning_rate: the rate at step 0.
        decay_steps: how many steps it takes to fall; over 0.
        alpha: the share of the learning rate that it falls to.
        name: kept in the configuration.
        warmup_target: the rate that it first rises to, in a line, and falls from; None: no warming up.
        warmup_steps: in how many steps it rises.

    >>> import client as tf
    >>> schedule = tf.keras.optimizers.schedules.CosineDecay(0.0, 10, warmup_target=0.5, warmup_steps=4)
    >>> [float(schedule(step)) for step in (0, 2, 4, 14)]
    [0.0, 0.25, 0.5, 0.0]
    """

    settings = ("initial_learning_rate", "decay_steps", "alpha", "name", "warmup_target", "warmup_steps")

    def __init__(
        self,
        initial_learning_rate: Any,
        decay_steps: Any,
        alpha: Any = 0.0,
        name: str = "CosineDecay",
        warmup_target: Any = None,
        warmup_steps: Any = 0,
    ) -> None:
        _check_steps(decay_steps)
        self.initial_learning_rate = initial_learning_rate
        self.decay_steps = decay_steps
        self.alpha = alpha
        self.name = name
        self.warmup_steps = warmup_steps
        self.warmup_target = warmup_target

    def __call__(self, step: Any) -> Any:
        """The learning rate at `step`."""
        dtype = _dtype_of(self.initial_learning_rate)
        step = tf.cast(step, dtype)
        steps = _known(self.decay_steps, dtype)
        if self.warmup_target is None:
            return self._fallen(tf.minimum(step, _float(steps)) / _float(steps), self.initial_learning_rate)
        first, target, rising = (
            _known(x, dtype) for x in (self.initial_learning_rate, self.warmup_target, self.warmup_steps)
        )
        step = tf.minimum(step, _float(steps + rising))
        risen = step / _float(rising) * _float(target - first) + _float(first)
        fallen = self._fallen((step - _float(rising)) / _float(steps), target)
        return tf.where(step < _float(rising), risen, fallen)


@public("keras.optimizers.schedules.CosineDecayRestarts")
class CosineDecayRestarts(_Cosine):
    """Falls along a cosine as `CosineDecay`, again and again, each time slower and from lower down.

    Args:
        initial_learning_rate: the rate at step 0.
        first_decay_steps: how many steps the first fall takes; over 0.
        t_mul: how many times longer each fall is than the one before.
        m_mul: the factor by which each starts lower than the one before.
        alpha: the share of the learning rate that it falls to.
        name: kept in the configuration.

    >>> import client as tf
    >>> schedule = tf.keras.optimizers.schedules.CosineDecayRestarts(0.5, 10, m_mul=0.5)
    >>> [float(schedule(step)) for step in (0, 10, 30)]
    [0.5, 0.25, 0.125]
    """

    settings = ("initial_learning_rate", "first_decay_steps", "t_mul", "m_mul", "alpha", "name")

    def __init__(
        self,
        initial_learning_rate: Any,
        first_decay_steps: Any,
        t_mul: Any = 2.0,
        m_mul: Any = 1.0,
        alpha: Any = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        _check_steps(first_decay_steps, "first_decay_steps")
        self.initial_learning_rate = initial_learning_rate
        self.first_decay_steps = first_decay_steps
        self.t_mul = t_mul
        self.m_mul = m_mul
        self.alpha = alpha
        self.name = name

    def __call__(self, step: Any) -> Any:
        """The learning rate at `step`."""
        dtype = _dtype_of(self.initial_learning_rate)
        done = tf.cast(step, dtype) / _float(_known(self.first_decay_steps, dtype))
        longer = _known(self.t_mul, dtype)
        if self.t_mul == 1.0:
            restarts = tf.floor(done)
            done = done - restarts
        else:
            restarts = tf.floor(tf.math.log(1.0 - done * _float(1 - longer)) / _float(np.log(longer)))
            length = tf.pow(_float(longer), restarts)
            done = (done - (1.0 - length) / _float(1 - longer)) / length
        factor = None if self.m_mul == 1.0 else tf.pow(_float(_known(self.m_mul, dtype)), restarts)
        return self._fallen(done, self.initial_learning_rate, factor)


@public("keras.optimizers.schedules.serialize")
def serialize(learning_rate_schedule: Any) -> Any:
    """A schedule's class and settings, as plain values.

    >>> import client as tf
    >>> schedules = tf.keras.optimizers.schedules
    >>> schedules.serialize(schedules.InverseTimeDecay(0.5, 10, 2.0))["class_name"]
    'InverseTimeDecay'
    """
    return SCHEDULES.serialize(learning_rate_schedule)


@public("keras.optimizers.schedules.deserialize")
def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The schedule that `serialize` described.

    >>> import client as tf
    >>> schedules = tf.keras.optimizers.schedules
    >>> config = schedules.serialize(schedules.InverseTimeDecay(0.5, 10, 2.0))
    >>> float(schedules.deserialize(config)(5))
    0.25
    """
    return SCHEDULES.deserialize(config, custom_objects)
