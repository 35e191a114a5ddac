"""The table of gradient rules: for each op, how the gradient of its result becomes gradients of its inputs.

Owns: `vjp`, `not_differentiable`, `no_gradient`, and `gradient_of`. Does not know tapes, values or which side runs a
rule.

    vjp("tanh", x=lambda g, out: g * (1.0 - out * out))
    vjp("multiply", x=lambda g, y, x_shape: to_shape(g * conj(y), x_shape),
                    y=lambda g, x, y_shape: to_shape(g * conj(x), y_shape))

There is a rule for each input that can have a gradient, under the input's name; an input without one has the gradient
`None`. **A rule's parameters say what it needs, and so what a tape keeps alive:**

    g           the gradient of the op's first result
    gs          the gradients of all results, as a tuple
    given       the same with None for a result that no gradient reached, which `g` and `gs` fill with zeros
    out, outs   the first result; all results
    x           the input called x (a tuple if it is variadic)
    index       which of a variadic input's tensors is meant
    x_spec      its dtype and shape, with nothing kept alive; dims may be unknown
    x_shape     its shape, to be handed on to an op: a tuple, or a tensor where only the server knows it
    x_dims      its shape as integers, to compute with; on a client this may wait for a shape only the server knows
    attributes  by name, keyword-only, as plain values; `**attrs` for those that were given, to be handed on only

A rule gets and returns `Term`s (`protocol.gradients.terms`), whose operators and `ops` emit recorded ops: gradients of
gradients come free.

Rules that share work are declared together, `vjp_joint("op", "x y", rule)`: the rule gives a tuple.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from protocol.ops import OPS, Op
from protocol.spec import Spec


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule as declared. `parameters` are pairs of what is wanted and of which input; `attrs` None means all of them.

    `joint` names the inputs that it gives gradients for, where that is more than one.
    """

    function: Callable[..., Any]
    parameters: tuple[tuple[str, int], ...]
    attrs: tuple[str, ...] | None
    joint: tuple[str, ...] = ()


@dataclass(slots=True)
class Gradient:
    """What is declared of one op's gradient.

    `missing` marks the ops whose gradient is a LookupError; without rules and without it, all gradients are None.
    `complex_only` marks those where real inputs have the gradient None.
    """

    op: Op
    rules: dict[int, Rule] = field(default_factory=dict)
    missing: bool = False
    complex_only: bool = False
    _keeps: dict[Any, tuple[frozenset[int], bool]] = field(default_factory=dict)
    _positions: dict[Any, tuple[int, ...]] = field(default_factory=dict)

    def rule(self, position: int) -> Rule | None:
        """The rule for the input at `position`."""
        return self.rules.get(min(position, len(self.op.inputs) - 1))

    def positions(self, specs: tuple[Spec, ...]) -> tuple[int, ...]:
        """The inputs that can have a gradient: those with a rule and with a dtype of floats or complex numbers.

        For an op whose gradient is missing, all with such a dtype.
        """
        found = self._positions.get(specs)
        if found is None:
            if len(self._positions) > 4096:
                self._positions.clear()
            found = self._positions[specs] = tuple(
                i
                for i, spec in enumerate(specs)
                if (spec.dtype.is_complex if self.complex_only else spec.dtype.differentiable)
                and (self.missing or self.rule(i) is not None)
            )
        return found

    def keeps(self, positions: tuple[int, ...], count: int) -> tuple[frozenset[int], bool]:
        """Which of `count` inputs a tape keeps for the gradients at `positions`, and whether it keeps the results."""
        found = self._keeps.get((positions, count))
        if found is None:
            inputs: set[int] = set()
            results = False
            for position in positions:
                rule = self.rule(position)
                for kind, of in () if rule is None else rule.parameters:
                    results = results or kind in ("out", "outs")
                    if kind == "value":
                        inputs.update(_tensors_of(self.op, of, count))
            found = self._keeps[positions, count] = frozenset(inputs), results
        return found


def _tensors_of(op: Op, position: int, count: int) -> range:
    """The tensors that stand for the declared input at `position` among `count`."""
    last = op.variadic and position == len(op.inputs) - 1
    return range(position, count) if last else range(position, position + 1)


GRADIENTS: Final[dict[str, Gradient]] = {}
_SUFFIXES: Final = ("spec", "shape", "dims")


def _gradient(name: str) -> Gradient:
    if name not in OPS:
        raise ValueError(f"a gradient for {name!r}, which is no op")
    if name in GRADIENTS:
        raise ValueError(f"the gradient of {name!r} is declared twice")
    GRADIENTS[name] = Gradient(OPS[name])
    return GRADIENTS[name]


def vjp(name: str, **rules: Callable[..., Any]) -> None:
    """Declare the gradient of the op `name`: a rule for each input that has one, under the input's name."""
    gradient = _gradient(name)
    for target, function in rules.items():
        gradient.rules[gradient.op.inputs.index(target)] = _rule(gradient.op, function)


def vjp_joint(name: str, targets: str, function: Callable[..., Any]) -> None:
    """Declare one rule for several inputs: it gives a tuple, in the order of `targets`."""
    gradient = _gradient(name)
    names = tuple(targets.split())
    rule = _rule(gradient.op, function, names)
    for target in names:
        gradient.rules[gradient.op.inputs.index(target)] = rule


def _rule(op: Op, function: Callable[..., Any], joint: tuple[str, ...] = ()) -> Rule:
    parameters: list[tuple[str, int]] = []
    attrs: list[str] = []
    every = False
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            every = True
        elif parameter.kind is parameter.KEYWORD_ONLY:
            if parameter.name not in op.attrs:
                raise ValueError(f"the gradient of {op.name} wants {parameter.name!r}, which is no attribute of it")
            attrs.append(parameter.name)
        else:
            parameters.append(_parameter(op, parameter.name))
    return Rule(function, tuple(parameters), None if every else tuple(attrs), joint)


def _parameter(op: Op, name: str) -> tuple[str, int]:
    if name in op.inputs:
        return "value", op.inputs.index(name)
    if name in ("g", "gs", "given", "out", "outs", "index"):
        return name, 0
    target, _, suffix = name.rpartition("_")
    if target in op.inputs and suffix in _SUFFIXES:
        return suffix, op.inputs.index(target)
    raise ValueError(f"the gradient of {op.name} wants {name!r}, which means nothing for it")


def not_differentiable(names: str) -> None:
    """Declare ops whose inputs all have the gradient None."""
    for name in names.split():
        _gradient(name)


def complex_only(names: str) -> None:
    """Say of ops with rules that the gradients of real inputs are None."""
    for name in names.split():
        GRADIENTS[name].complex_only = True


def no_gradient(names: str) -> None:
    """Declare ops for whose gradient TensorFlow has no entry: asking for it is a LookupError."""
    for name in names.split():
        _gradient(name).missing = True


def gradient_of(name: str) -> Gradient:
    """What is declared of the gradient of the op `name`."""
    return GRADIENTS[name]
