"""`keras.Optimizer`: what all optimizers have in common.

Owns: the step counter and learning rate, the order of what happens in `apply`, clipping, accumulated gradients, moving
averages of the weights, weight decay for rules of the user's, configurations. Does not know any rule
(`client.keras.optimizers.rule`).

Nothing here waits. Whether a step of accumulated gradients is due is decided on the server, by the number of the step
that updates get: a negative one tells them to leave everything as it is.
"""

from __future__ import annotations

import collections
import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import client
from client.api import public
from client.convert import convert_to_tensor
from client.dispatch import call
from client.indexed_slices import IndexedSlices, dense
from client.keras.optimizers.schedules import SCHEDULES, LearningRateSchedule
from client.keras.optimizers.updates import Update, gradient_operands
from client.keras.optimizers.variables import OptimizerVariables
from client.keras.serialization import Registry, get_registered_name
from client.tensor import Operand, Tensor
from client.tracking import snake_case
from client.variable import Variable

tf: Any = client

OPTIMIZERS: Final = Registry("optimizer")

_names: Final[collections.Counter[str]] = collections.Counter()


def _own_name(kind: str) -> str:
    """`adam`, then `adam_1`, `adam_2`, ..."""
    base = snake_case(kind)
    count = _names[base]
    _names[base] += 1
    return f"{base}_{count}" if count else base


@public("keras.Optimizer", "keras.optimizers.Optimizer")
class Optimizer(OptimizerVariables):
    """The base of optimizers. One of your own overrides `build`, `update_step` and `get_config`.

    Args:
        learning_rate: a float, a `LearningRateSchedule`, or a function of no arguments that gives the present rate.
        weight_decay: the share of itself, times the learning rate, that a variable loses before each update.
        clipnorm: the largest L2 norm of one variable's gradient; longer ones are scaled down.
        clipvalue: the largest magnitude of a gradient's elements; larger ones are cut.
        global_clipnorm: the largest L2 norm of all gradients together.
        use_ema: whether to keep an exponential moving average of the variables.
        ema_momentum: the share of the old average in the new one.
        ema_overwrite_frequency: after how many updates each the averages replace the variables; None: only in
            `finalize_variable_values`.
        loss_scale_factor: what `scale_loss` multiplies the loss by, and gradients are divided by.
        gradient_accumulation_steps: of how many gradients the mean is to make one update.
        name: its name; None: the class's, numbered.

    Raises:
        ValueError: an argument out of its range, or several ways of clipping.

    >>> import client as tf
    >>> class Plain(tf.keras.optimizers.Optimizer):
    ...     def update_step(self, gradient, variable, learning_rate):
    ...         self.assign_sub(variable, gradient * learning_rate)
    >>> v = tf.Variable([1.0, 2.0])
    >>> Plain(0.5).apply([tf.constant([1.0, 1.0])], [v])
    >>> v.numpy()
    array([0.5, 1.5], dtype=float32)
    """

    def __init__(
        self,
        learning_rate: Any,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        loss_scale_factor: float | None = None,
        gradient_accumulation_steps: int | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("decay", None) is not None:
            warnings.warn("Argument `decay` is no longer supported and will be ignored.", stacklevel=3)
        if kwargs:
            raise ValueError(f"Argument(s) not recognized: {kwargs}")
        if gradient_accumulation_steps and not gradient_accumulation_steps >= 2:
            raise ValueError(
                "`gradient_accumulation_steps` must be an integer >= 2. Received: gradient_accumulation_steps="
                f"{gradient_accumulation_steps}"
            )
        if use_ema:
            _check_average(ema_momentum, ema_overwrite_frequency)
        if sum(a is not None for a in (clipnorm, clipvalue, global_clipnorm)) > 1:
            raise ValueError(
                "Only one of `clipnorm`, `clipvalue` and `global_clipnorm` can be set. Received: "
                f"clipnorm={clipnorm}, clipvalue={clipvalue}, global_clipnorm={global_clipnorm}"
            )
        self.name = name or _own_name(type(self).__name__)
        self.weight_decay = weight_decay
        self.clipnorm = clipnorm
        self.clipvalue = clipvalue
        self.global_clipnorm = global_clipnorm
        self.use_ema = use_ema
        self.ema_momentum = ema_momentum
        self.ema_overwrite_frequency = ema_overwrite_frequency
        self.loss_scale_factor = loss_scale_factor
        self.gradient_accumulation_steps = gradient_accumulation_steps
        self.built = False
        self._variables: list[Variable] = []
        self._trainable_variables: list[Variable] = []
        self._index: dict[int, int] = {}
        self._constrained = False
        self._undecayed: tuple[frozenset[int], str | None] = (frozenset(), None)
        self._accumulators: list[Update] = []
        self._averages: list[Update] = []
        self._iterations: Any = self._add(0, "int64", "iteration")
        self._counting = Update("assign_add", [self._iterations])
        self._step: Operand = self._iterations
        self._gated = False  # whether each update depends on `_gate`, a bool on the server
        self._gate: Tensor | None = None
        self._learning_rate: Any
        if callable(learning_rate):
            self._learning_rate = learning_rate
        elif isinstance(learning_rate, float):
            self._learning_rate = self._add(learning_rate, "float32", "learning_rate")
            self._given_rate = learning_rate
        else:
            raise ValueError(
                "Argument `learning_rate` should be float, or an instance of LearningRateSchedule, or a callable "
                "(that takes in the current iteration value and returns the corresponding learning rate value). "
                f"Received instead: learning_rate={learning_rate}"
            )

    # --- what belongs to the user's variables -------------------------------------------------------------------------

    def build(self, variables: Iterable[Variable]) -> None:
        """Make the optimizer's variables for `variables`. `apply` does it when nobody did."""
        if self.built:
            return
        listed = list(variables)
        if self.use_ema:
            attrs = {
                "momentum": float(self.ema_momentum),
                "overwrite_every": self.ema_overwrite_frequency or 0,
                "skippable": self._skippable,
            }
            self._averages = [
                Update("update_average", [average, v], attrs)
                for average, v in zip(self.add_optimizer_variables(listed, "average"), listed, strict=True)
            ]
        if self.gradient_accumulation_steps:
            totals = self.add_optimizer_variables(listed, "gradient_accumulator")
            attrs = {"steps": self.gradient_accumulation_steps, "skippable": self._gated}
            self._accumulators = [Update("accumulate_gradient", [t], attrs) for t in totals]
        self._index = {id(v): i for i, v in enumerate(listed)}
        self._trainable_variables = listed
        self._constrained = any(getattr(v, "constraint", None) is not None for v in listed)
        self.built = True

    @property
    def _skippable(self) -> bool:
        """Whether the number of the step can tell an update to leave everything as it is."""
        return self._gated or bool(self.gradient_accumulation_steps)

    def _get_variable_index(self, variable: Variable) -> int:
        return self._index[id(variable)]

    # --- the learning rate -------------------------------------------------------------------------------------------

    @property
    def learning_rate(self) -> Any:
        """The present learning rate: a variable, or what the schedule or function gives. It can be set to a number, a
        schedule or a function.
        """
        rate = self._learning_rate
        if isinstance(rate, Variable):
            return rate
        return rate(self._iterations) if isinstance(rate, LearningRateSchedule) else rate()

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        present = self._learning_rate
        if callable(learning_rate):
            self._learning_rate = learning_rate
            self._variables = [v for v in self._variables if v is not present]
        elif isinstance(present, LearningRateSchedule):
            raise TypeError(
                "This optimizer was created with a `LearningRateSchedule` object as its `learning_rate` constructor "
                "argument, hence its learning rate is not settable. If you need the learning rate to be settable, you "
                "should instantiate the optimizer with a float `learning_rate` argument."
            )
        elif not isinstance(present, Variable):
            raise AttributeError("the learning rate is a function: only a schedule or another function can replace it")
        else:
            value = convert_to_tensor(learning_rate)
            present.assign(value if value.dtype == present.dtype else tf.cast(value, present.dtype))
            if isinstance(learning_rate, int | float):
                self._given_rate = float(learning_rate)

    # --- updates -----------------------------------------------------------------------------------------------------

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> Any:
        """Update variables by gradients. Does not wait.

        Args:
            grads_and_vars: pairs of a gradient (a tensor, `tf.IndexedSlices`, or None: then the variable stays as it
                is) and a variable.

        Returns:
            The variable that counts the steps.

        Raises:
            ValueError: there are no gradients, or an unknown variable.
        """
        grads, variables = zip(*grads_and_vars, strict=True)
        self.apply(grads, variables)
        return self._iterations

    def apply(self, grads: Sequence[Any], trainable_variables: Iterable[Variable] | None = None) -> None:
        """Update variables by gradients: those it was built for, if none are given. Does not wait.

        Raises:
            ValueError: all gradients are None, an unknown variable, or none given and not built.
        """
        if len(grads) == 0:
            return
        variables = self._targets(len(grads), trainable_variables)
        grads, variables = _without_missing(grads, variables)
        self._apply(grads, variables)
        if self._constrained:
            for v in variables:
                constraint = getattr(v, "constraint", None)
                if constraint is not None:
                    v.assign(constraint(v.value()))
        self._counting.issue((self._counted(),))

    def _targets(self, count: int, given: Iterable[Variable] | None) -> list[Variable]:
        """The variables that `count` gradients are for."""
        if given is None:
            if not self.built:
                raise ValueError(
                    "When passing `grads` without `variables`, the optimizer must already be built on a list of "
                    "variables. Call `optimizer.build(trainable_variables)` first. "
                )
            if count != len(self._trainable_variables):
                raise ValueError(
                    "When passing `grads` as a list of gradient tensors, the gradients must match "
                    f"`optimizer.variables` one-to-on. Received a list of {count} gradients, but the optimizer is "
                    f"tracking {len(self._trainable_variables)} trainable variables."
                )
            return self._trainable_variables
        variables = list(given)
        if not self.built:
            self.build(variables)
            self.built = True
        index = self._index
        for v in variables:
            if id(v) not in index:
                raise ValueError(
                    f"Unknown variable: {v}. This optimizer can only be called for the variables it was originally "
                    "built with. When working with a new set of variables, you should recreate a new optimizer "
                    "instance."
                )
        return variables

    def _counted(self) -> Operand:
        """What a step adds to the counter."""
        return _ONE if self._gate is None else tf.cast(self._gate, "int64")

    def _apply(self, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
        scale = self.loss_scale_factor
        if scale is not None:
            grads = [_with_values(g, lambda values: values / scale) for g in grads]
        self._step = self._gated_step(self._iterations)
        if self.gradient_accumulation_steps:
            grads = [self._accumulate(g, v) for g, v in zip(grads, variables, strict=True)]
            self._step = self._gated_step(self._due_step(self.gradient_accumulation_steps))
        self._update(self._clipped(grads), variables)
        if self._averages:
            step = self._gated_step(self.iterations)
            for update in self._averages:
                update.issue((step,))

    def _gated_step(self, step: Operand) -> Operand:
        return step if self._gate is None else tf.where(self._gate, step, _NONE)

    def _due_step(self, steps: int) -> Any:
        """The number of the update that is due with this gradient, or -1."""
        count = self._iterations
        return tf.where((count + 1) % steps == 0, count // steps, _NONE)

    def _accumulate(self, gradient: Any, variable: Variable) -> Tensor:
        """Add up a gradient; the mean of those so far."""
        update = self._accumulators[self._index[id(variable)]]
        value, *indices = gradient_operands(gradient, variable)
        session = variable._session
        assert session is not None
        mean = Tensor(session, variable._spec, next(session.ids), None, variable._place)
        update.issue((value, self._step, *indices), [0, mean._operand])
        return mean

    def _clipped(self, grads: Sequence[Any]) -> Any:
        if self.clipnorm and self.clipnorm > 0:
            return [tf.clip_by_norm(g, self.clipnorm) for g in grads]
        if self.global_clipnorm and self.global_clipnorm > 0:
            clipped, _ = tf.clip_by_global_norm(list(grads), self.global_clipnorm)
            return [dense(g) for g in clipped]  # as Keras does: from here on, rows named twice count as their sum
        if self.clipvalue and self.clipvalue > 0:
            return [tf.clip_by_value(g, -self.clipvalue, self.clipvalue) for g in grads]
        return grads

    def _update(self, grads: Sequence[Any], variables: Sequence[Variable]) -> None:
        """Decay and update each variable, by a rule of the user's."""
        if self._step is not self._iterations and int(self._step) < 0:  # what the user's code does can't be skipped
            return
        rate = self.learning_rate
        for v in variables:
            if self.weight_decay is not None and self._use_weight_decay(v):
                v.assign_sub(tf.multiply(v, self.weight_decay) * tf.cast(rate, v.dtype))
        for gradient, variable in zip(grads, variables, strict=True):
            self.update_step(gradient, variable, rate)

    def update_step(self, gradient: Any, variable: Variable, learning_rate: Any) -> None:
        """Update one variable: an optimizer's rule."""
        raise NotImplementedError

    def assign(self, variable: Variable, value: Any) -> None:
        """Give a variable a value; of `tf.IndexedSlices`, those rows."""
        _change(variable, "assign", "scatter_update", value)

    def assign_add(self, variable: Variable, value: Any) -> None:
        """Add to a variable, or to some rows of it."""
        _change(variable, "assign_add", "scatter_add", value)

    def assign_sub(self, variable: Variable, value: Any) -> None:
        """Subtract from a variable, or from some rows of it."""
        _change(variable, "assign_sub", "scatter_sub", value)

    def minimize(
        self, loss: Any, var_list: Any, grad_loss: Any = None, name: str | None = None, tape: Any = None
    ) -> Any:
        """Take one step that makes a loss smaller. Does not wait.

        Args:
            loss: a function of no arguments that computes it, or a tensor that `tape` recorded.
            var_list: the variables, or a function of no arguments that gives them.
            grad_loss: the gradient to start from; None: ones.
            name: ignored.
            tape: the tape that recorded `loss`.

        Returns:
            The variable that counts the steps.

        Raises:
            ValueError: `loss` is a tensor and there is no tape, or no gradient.

        >>> import client as tf
        >>> v = tf.Variable(3.0)
        >>> _ = tf.keras.optimizers.SGD(0.25).minimize(lambda: v * v, [v])
        >>> float(v)
        1.5
        """
        if not callable(loss) and tape is None:
            raise ValueError(f"`tape` is required when a `Tensor` loss is passed. Received: loss={loss}, tape={tape}.")
        tape = tape or tf.GradientTape()
        if callable(loss):
            with tape:
                if not callable(var_list):
                    tape.watch(var_list)
                loss = loss()
        variables = tf.nest.flatten(var_list() if callable(var_list) else var_list)
        grads = tape.gradient(loss, variables, grad_loss)
        return self.apply_gradients(zip(grads, variables, strict=True))

    def scale_loss(self, loss: Any) -> Any:
        """The loss times `loss_scale_factor`, if there is one: what to take gradients of."""
        return loss if self.loss_scale_factor is None else loss * self.loss_scale_factor

    def finalize_variable_values(self, var_list: Iterable[Variable]) -> None:
        """Give the variables their moving averages, if it keeps them: what training ends with."""
        if not self.use_ema:
            return
        averages = {id(v): average for average, v in (update.variables for update in self._averages)}
        for v in var_list:
            v.assign(averages[id(v)].value())

    # --- weight decay ------------------------------------------------------------------------------------------------

    def exclude_from_weight_decay(
        self, var_list: Iterable[Variable] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Let some variables not decay: those listed, and those in whose name one of some patterns is found.

        Raises:
            ValueError: the optimizer is built already.
        """
        if self.built:
            raise ValueError("`exclude_from_weight_decay()` can only be configured before the optimizer is built.")
        pattern = "|".join(sorted(set(var_names or ()))) or None
        self._undecayed = (frozenset(map(id, var_list or ())), pattern)

    def _use_weight_decay(self, variable: Variable) -> bool:
        excluded, pattern = self._undecayed
        return id(variable) not in excluded and not (pattern and re.search(pattern, variable.name))

    # --- configuration -----------------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Its settings, as plain values. Waits for the learning rate, which may have been set."""
        rate = self._learning_rate
        if isinstance(rate, LearningRateSchedule):
            described = SCHEDULES.serialize(rate)
        elif isinstance(rate, Variable):
            described = float(rate) if self._reads_rate else self._given_rate
        else:
            described = {"class_name": "function", "config": get_registered_name(rate)}
        return {
            "name": self.name,
            "learning_rate": described,
            "weight_decay": self.weight_decay,
            "clipnorm": self.clipnorm,
            "global_clipnorm": self.global_clipnorm,
            "clipvalue": self.clipvalue,
            "use_ema": self.use_ema,
            "ema_momentum": self.ema_momentum,
            "ema_overwrite_frequency": self.ema_overwrite_frequency,
            "loss_scale_factor": self.loss_scale_factor,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
        """An optimizer with the settings that `get_config` gave, without its state."""
        settings = dict(config)
        if isinstance(settings.get("learning_rate"), Mapping):
            settings["learning_rate"] = SCHEDULES.deserialize(settings["learning_rate"], custom_objects)
        return cls(**settings)


_ONE: Final = convert_to_tensor(1, "int64")
_NONE: Final = convert_to_tensor(-1, "int64")
"""The number of a step that updates nothing."""


def _check_average(momentum: float, frequency: Any) -> None:
    if momentum > 1 or momentum < 0:
        raise ValueError(f"`ema_momentum` must be in the range [0, 1]. Received: ema_momentum={momentum}")
    if frequency and (not isinstance(frequency, int) or frequency < 1):
        raise ValueError(
            f"`ema_overwrite_frequency` must be an integer >= 1 or None. Received: ema_overwrite_frequency={frequency}"
        )


def _without_missing(grads: Sequence[Any], variables: list[Variable]) -> tuple[Sequence[Any], list[Variable]]:
    """Gradients and variables without those that have none. Raises ValueError when none has."""
    present = [i for i, g in enumerate(grads) if g is not None]
    if len(present) == len(grads):
        return grads, variables
    if not present:
        raise ValueError("No gradients provided for any variable.")
    missing = [getattr(v, "path", v.name) for g, v in zip(grads, variables, strict=False) if g is None]
    warnings.warn(
        f"Gradients do not exist for variables {missing} when minimizing the loss. If using `model.compile()`, did "
        "you forget to provide a `loss` argument?",
        stacklevel=4,
    )
    return [grads[i] for i in present], [variables[i] for i in present]


def _with_values(gradient: Any, change: Callable[[Any], Any]) -> Any:
    """A gradient with other values; of `tf.IndexedSlices`, of the same rows."""
    if isinstance(gradient, IndexedSlices):
        return IndexedSlices(change(gradient.values), gradient.indices, gradient.dense_shape)
    return change(gradient)


def _change(variable: Variable, whole: str, rows: str, value: Any) -> None:
    sparse = isinstance(value, IndexedSlices)
    value = _with_values(
        value if sparse else convert_to_tensor(value),
        lambda v: v if v.dtype == variable.dtype else call("cast", v, dtype=variable.dtype),
    )
    getattr(variable, rows if sparse else whole)(value)
