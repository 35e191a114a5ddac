"""The items of a request that are about tapes and gradients.

Owns: `TapeItems`: what the server's tapes will record, and which gradients there will be. Does not know gradient rules
(`protocol.gradients`).

A GRADIENT in the stream names an id for each gradient that there is, so whoever sends it must know which those are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from protocol import wire
from protocol.dtypes import BY_NUMPY
from protocol.errors import InvalidArgumentError, ResourceExhaustedError
from protocol.gradients import GRADIENTS, Node, plan
from protocol.ops import Op
from protocol.spec import Spec
from protocol.wire import Item
from server.api import models
from server.api.book import MAX_NODES, Entry
from server.api.drafting import Drafting, Step
from server.api.values import literal


class TapeItems(Drafting):
    """The kinds tape and gradient, and what an op leaves on tapes."""

    def _tape(self, item: models.Tape, step: Step) -> None:
        entry = self._make("tape", None, item.output, step)
        self.items.append((Item.TAPE, entry.id))
        step.outputs = [entry]

    def _record(
        self, tapes: Sequence[Entry], op: Op, attrs: dict[str, Any], operands: Sequence[Any], specs: tuple[Spec, ...],
        outs: Sequence[int], results: tuple[Spec, ...],
    ) -> None:  # fmt: skip
        """Note what the server's tapes will record of an op, by the same rule."""
        positions = tuple([i for i in GRADIENTS[op.name].positions(specs) if isinstance(operands[i], Entry)])
        if not positions or not any(spec.dtype.differentiable for spec in results):
            return
        if op.name == "gather" and not isinstance(attrs.get("axis", 0), int):
            raise InvalidArgumentError(
                "on a tape, the axis of gather is a number: it says whether the gradient is in slices"
            )
        ids = [o.id if isinstance(o, Entry) else 0 for o in operands]
        node = Node(op.name, attrs, positions, ids, specs, (None,) * len(ids), outs, results, (None,) * len(results))
        for tape in tapes:
            nodes = self.recorded.setdefault(tape.id, [])
            if len(tape.nodes) + len(nodes) >= MAX_NODES:
                raise ResourceExhaustedError(f"a tape records at most {MAX_NODES} ops")
            nodes.append(node)

    def _gradient(self, item: models.Gradient, step: Step) -> None:
        tape = self._tape_entry(item.tape)
        targets = [self._tensor(t, step) for t in item.targets]
        sources = [self.book.find(s) for s in item.sources]
        names = item.outputs if item.outputs is not None else [None] * len(sources)
        if len({s.id for s in sources}) < len(sources) or any(s.kind == "tape" for s in sources):
            raise InvalidArgumentError("the sources of a gradient are different tensors or variables")
        if len(names) != len(sources):
            raise InvalidArgumentError(
                f"{len(sources)} sources have as many gradients, and {len(names)} names were given"
            )
        given = [None] * len(targets) if item.seeds is None else item.seeds
        if len(given) != len(targets):
            raise InvalidArgumentError(f"{len(targets)} targets have as many seeds, and {len(given)} were given")
        seeds = [self._seed(s, t, step) for s, t in zip(given, targets, strict=True)]
        wanted = [
            (source, name)
            for source, name in zip(sources, names, strict=True)
            if source.spec.dtype.differentiable and (item.outputs is None or name is not None)  # type: ignore[union-attr]
        ]
        started = [(t, s) for t, s in zip(targets, seeds, strict=True) if t.spec.dtype.differentiable]  # type: ignore[union-attr]
        planned = plan(
            [*tape.nodes, *self.recorded.get(tape.id, ())], [t.id for t, _ in started], [s.id for s, _ in wanted]
        )
        started = [(t, s) for t, s in started if t.id in planned.connected]
        found: dict[int, Entry] = {}
        outs: list[Any] = []
        dense: list[tuple[Entry, int, int]] = []
        for source, name in wanted:
            if source.id in planned.connected:
                entry = found[source.id] = self._make("tensor", source.spec, name, step)
                if planned.connected[source.id] is None:
                    outs.append(entry.id)
                else:
                    dense.append((source, next(self.book.ids), next(self.book.ids)))
                    outs.append(list(dense[-1][1:]))
        if found:
            ids, given = [t.id for t, _ in started], [s for _, s in started]
            self.items.append((Item.GRADIENT, tape.id, ids, list(found), outs, given, item.keep))
        for source, values, indices in dense:
            self._densify(found[source.id], source, values, indices)
        if not item.keep:
            self.book.remove(tape)
            self._passing.append(tape.id)
        step.outputs = [found.get(s.id) for s in sources]

    def _seed(self, seed: Any, target: Entry, step: Step) -> Any:
        if seed is None:
            return None
        assert target.spec is not None
        if isinstance(seed, str):
            entry = self._tensor(seed, step)
            spec, operand = entry.spec, entry.id
        else:
            array = literal(seed).array(target.spec.dtype)
            spec, operand = Spec(BY_NUMPY[array.dtype], array.shape), self._literal(array)
        assert spec is not None
        if spec.dtype is not target.spec.dtype or (spec.is_static and target.spec.is_static and spec != target.spec):
            raise InvalidArgumentError(f"the gradient of a target of {target.spec} cannot be of {spec}")
        return operand

    def _densify(self, entry: Entry, source: Entry, values: int, indices: int) -> None:
        """A gradient in slices as one tensor: tools have no use for slices."""
        assert source.spec is not None
        rows = source.spec.shape[0] if source.spec.shape else None
        if rows is None:
            raise InvalidArgumentError(
                f"the gradient for {source.name or source.id}, of {source.spec}, has unknown rows"
            )
        bound = self._bound("unsorted_segment_sum")
        self.items.append((wire.RUN, bound, entry.id, [values, indices], {"num_segments": rows}))
        self._passing += [values, indices]
