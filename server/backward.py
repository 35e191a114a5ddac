"""Tapes on the server: what an executed op leaves on one, and the backward pass over it.

Owns: `record` and `gradients`. Does not know items or ids' lifetime (`server.executor`), nor gradient rules
(`protocol.gradients`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from protocol.dtypes import BY_NUMPY
from protocol.errors import InternalError, InvalidArgumentError, ProtocolError
from protocol.gradients import GRADIENTS, Node, Slices, Term, backward, plan
from protocol.ops import Op
from protocol.spec import Spec
from server.values import Store, Tape, Value

Compute: TypeAlias = Callable[[str, list[Value], Mapping[str, Any]], Value | tuple[Value, ...]]


def record(
    store: Store,
    tapes: Sequence[Tape],
    op: Op,
    attrs: Mapping[str, Any],
    ins: Sequence[Any],
    values: Sequence[Value],
    outs: Any,
    results: Sequence[Value],
) -> None:
    """Put an op that has run on `tapes`. What has no gradient leaves nothing there."""
    gradient = GRADIENTS[op.name]
    specs = tuple([v.spec for v in values])
    positions = tuple([i for i in gradient.positions(specs) if type(ins[i]) is int])
    if not positions or not any(r.spec.dtype.differentiable for r in results):
        return
    kept, keeps_results = gradient.keeps(positions, len(ins))
    in_ids = [i if type(i) is int else 0 for i in ins]
    out_ids = (outs,) if type(outs) is int else outs
    for tape in tapes:
        node = Node(
            op.name, attrs, positions, in_ids, specs,
            [v if i in kept else None for i, v in enumerate(values)],
            out_ids, tuple([r.spec for r in results]), results if keeps_results else (None,) * len(results),
        )  # fmt: skip
        store.record(tape, node)


class _Passing(Value):
    """A value within a backward pass: charged while it lives, though no id stands for it."""

    __slots__ = ("_store",)

    def __init__(self, value: Value, store: Store) -> None:
        super().__init__(value.array, value.spec, value.device)
        self._store = store
        store.charge_passing(self.nbytes)

    def __del__(self) -> None:
        self._store.charge_passing(-self.nbytes)


class _Emitter:
    """Runs the ops of a backward pass where the tape is."""

    def __init__(self, store: Store, compute: Compute) -> None:
        self._store = store
        self._compute = compute

    def run(self, name: str, operands: tuple[Any, ...], attrs: Mapping[str, Any]) -> Any:
        values = [o.value if type(o) is Term else Value(o, Spec(BY_NUMPY[o.dtype], o.shape), None) for o in operands]
        found = self._compute(name, values, attrs)
        if type(found) is tuple:
            return tuple([self._passing(v) for v in found])
        return self._passing(found)

    def _passing(self, value: Value) -> Term:
        return Term(_Passing(value, self._store), value.spec, self)

    def term(self, value: Any, spec: Spec) -> Term:
        return Term(value, spec if value is None else value.spec, self)

    def dims(self, term: Term) -> tuple[int, ...]:
        raise InternalError(f"the shape {term.spec} of a value on the server is not known")

    def attribute(self, value: Any, plain: bool) -> Any:
        return value


def gradients(
    store: Store,
    compute: Compute,
    tape: Tape,
    targets: Sequence[tuple[int, Value]],
    seeds: Sequence[Value | None],
    sources: Sequence[int],
    keep: bool,
) -> dict[int, tuple[Value, ...]]:
    """The gradients of the targets' sum for each of `sources` that has one: a value, or the values and indices of
    slices. Unless `keep`, nodes are freed as the pass goes.
    """
    emitter = _Emitter(store, compute)
    starts = []
    for (target, value), seed in zip(targets, seeds, strict=True):
        if seed is None:
            if not value.spec.dtype.differentiable:
                continue
            start = emitter.run("ones_like", (emitter.term(value, value.spec),), {})
        else:
            start = emitter.term(seed, seed.spec)
            if seed.spec.dtype is not value.spec.dtype:
                raise ProtocolError(f"the gradient of a target of {value.spec} cannot be of {seed.spec}")
            if seed.spec.shape != value.spec.shape:
                raise InvalidArgumentError(f"the gradient of a target of {value.spec} cannot be of {seed.spec}")
        starts.append((target, start))
    planned = plan(tape.nodes, [t for t, _ in starts], sources)
    found = backward(planned, starts, sources, emitter, None if keep else store.unrecord)
    return {source: tuple(_settled(t) for t in _parts(g)) for source, g in found.items()}


def _parts(gradient: Term | Slices) -> tuple[Term, ...]:
    return (gradient.values, gradient.indices) if type(gradient) is Slices else (gradient,)  # type: ignore[return-value]


def _settled(term: Term) -> Value:
    """A result as an ordinary value, which ids can stand for."""
    value = term.value
    return Value(value.array, value.spec, value.device)
