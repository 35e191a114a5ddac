"""From the items of a request to items of the stream, with everything checked that can be seen before one runs.

Owns: `Draft`: the kinds of items but those about tapes, attributes, inference. Does not know how items are sent, or
what becomes of them (`server.api.tool`, `server.api.outcomes`).

A request is drafted as a whole on a copy of the session's book, or not at all: the first item that is wrong refuses the
request, and nothing of it has been executed. This is what a client's library does on the user's own line.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from protocol import wire
from protocol.attrs import MAX_ITEMS, MAX_STRING, Attr, Unknown
from protocol.dtypes import BY_NUMPY, DType, float32
from protocol.errors import InvalidArgumentError, NotFoundError
from protocol.names import checked_name
from protocol.ops import OPS, Op
from protocol.spec import Spec
from protocol.wire import Item
from server.api import models
from server.api.book import Entry
from server.api.drafting import Put, Step, Uploaded
from server.api.tapes import TapeItems
from server.api.values import Literal, dtype_named, literal

_MAX_DEPTH: Final = 4
_SPECIAL: Final = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class Draft(TapeItems):
    """The items of one request, and the book as it will be when they are sent."""

    # --- values ------------------------------------------------------------------------------------------------------

    def _constant(self, item: models.Constant, step: Step) -> None:
        if isinstance(item.value, str):
            raise InvalidArgumentError("a constant's value is a tensor, not a name")
        self._constant_of(literal(item.value).array(), item.output, item.device, step)

    def _put(self, item: Put, step: Step) -> None:
        """A tensor under a name, or the next value of the variable that has the name."""
        old = self.book.find(item.reference) if self.book.has(item.reference) else None
        name = None if old is None else old.name
        if old is not None and old.kind == "tape":
            raise InvalidArgumentError(f"{item.reference!r} is a tape, not a tensor")
        if old is None or old.kind != "variable":
            if item.reference.isdecimal():
                raise InvalidArgumentError("a new tensor gets its id from the server: PUT it under a name")
            name = item.reference
        assigned = old is not None and old.kind == "variable"
        if not assigned and not item.variable:
            self._whole(item.source, name, item.device, step)
            return
        entry = self._whole(item.source, None, item.device, step)
        step.results.clear()
        self.book.remove(entry)
        self._passing.append(entry.id)
        operands = [old, entry] if assigned else [entry]
        if assigned:
            op = OPS["assign"]
            result = op.infer(tuple([o.spec for o in operands]), {})  # type: ignore[union-attr, misc]
            self.items.append((wire.RUN, self._bound("assign"), 0, [o.id for o in operands]))  # type: ignore[union-attr]
            self._changed(op, operands, [result], step)  # type: ignore[list-item]
            step.outputs = [old]
        else:
            made = self._make("variable", entry.spec, name, step)
            self.items.append((Item.VARIABLE, made.id, entry.id))
            step.outputs = [made]

    def _whole(
        self, source: np.ndarray[Any, Any] | Uploaded, name: str | None, device: str | None, step: Step
    ) -> Entry:
        """A tensor of what a request's body held."""
        if isinstance(source, np.ndarray):
            return self._constant_of(source, name, device, step)
        spec = source.spec
        assert spec.shape is not None
        entry = self._make("tensor", spec, name, step)
        step.outputs = [entry]
        if source.order == "C":
            self.items.append(source.item(entry.id, spec.shape, device))
        else:  # its elements came in the order of the reversed shape
            identifier = next(self.book.ids)
            self.items.append(source.item(identifier, spec.shape[::-1], device))
            self.items.append((wire.RUN, self._bound("transpose"), entry.id, [identifier]))
            self._passing.append(identifier)
        return entry

    def _variable(self, item: models.Variable, step: Step) -> None:
        given = self._given(item.value, step)
        if isinstance(given, Entry):
            spec, operand = given.spec, given.id
        else:
            spec, operand = Spec(BY_NUMPY[given.dtype], given.shape), self._literal(given)
        entry = self._make("variable", spec, item.output, step)
        fields = (entry.id, operand) if item.device is None else (entry.id, operand, item.device)
        self.items.append((Item.VARIABLE, *fields))
        step.outputs = [entry]

    def _read(self, item: models.Read, step: Step) -> None:
        self._read_entry(self._tensor(item.tensor, step), step)

    def _release(self, item: models.Release, step: Step) -> None:
        for reference in item.tensors:
            entry = self.book.find(reference)
            self.book.remove(entry)
            self._passing.append(entry.id)

    # --- ops ---------------------------------------------------------------------------------------------------------

    def _run(self, item: models.Run, step: Step) -> None:
        op = OPS.get(item.op)
        if op is None:
            raise NotFoundError(f"there is no op named {item.op!r:.100}; GET /v1/ops lists them")
        operands = self._operands(op, item.inputs, step)
        attrs, sent = self._attrs(op, item.attrs, step)
        specs = tuple([o.spec if isinstance(o, Entry) else Spec(BY_NUMPY[o.dtype], o.shape) for o in operands])
        inferred = op.infer(specs, attrs)  # type: ignore[arg-type]
        several = not isinstance(inferred, Spec)
        results: tuple[Spec, ...] = inferred if several else (inferred,)  # type: ignore[assignment]
        ins = [o.id if isinstance(o, Entry) else self._literal(o) for o in operands]
        tapes = [self._tape_entry(t) for t in item.tapes]
        entries = self._name_results(item.outputs, results, op.name, step)
        outs: Any = [0 if e is None else e.id for e in entries]
        fields = (self._bound(op.name), outs if several else outs[0], ins, sent or None, item.device)
        self.items.append((wire.RUN, *fields, [t.id for t in tapes]) if tapes else (wire.RUN, *fields))
        step.outputs = entries
        if op.effect:
            self._changed(op, operands, results, step)
        if tapes:
            self._record(tapes, op, sent, operands, specs, outs, results)  # type: ignore[arg-type]

    def _operands(self, op: Op, given: Sequence[Any], step: Step) -> list[Entry | np.ndarray[Any, Any]]:
        """The operands; values that came without a dtype take the one that goes with the others."""
        fixed = len(op.inputs) - op.variadic
        if len(given) < fixed or (len(given) > fixed and not op.variadic):
            raise TypeError(f"{op.name} takes {fixed} tensors ({', '.join(op.inputs)}), not {len(given)}")
        groups = op.input_groups(len(given))
        found: list[Entry | Literal] = []
        for name, value, group in zip(op.input_names(len(given)), given, groups, strict=True):
            operand = self._tensor(value, step) if isinstance(value, str) else literal(value)
            if group in ("variable", "overwritten") and getattr(operand, "kind", None) != "variable":
                raise InvalidArgumentError(f"{op.name} changes a variable: its {name} must be the name of one")
            if group == "overwritten":
                step.needs.pop()  # its old value, which may be a failure, is not read
            found.append(operand)
        shared = _shared_dtype(op, found, groups)
        return [
            o if isinstance(o, Entry) else o.like(shared if g == "T" else None)
            for o, g in zip(found, groups, strict=True)
        ]

    def _attrs(self, op: Op, given: dict[str, Any], step: Step) -> tuple[dict[str, Any], dict[str, Any]]:
        """The attributes as inference takes them, and as they are sent."""
        attrs: dict[str, Any] = {}
        sent: dict[str, Any] = {}
        for name, value in given.items():
            attr = op.attrs.get(name)
            if attr is None:
                raise TypeError(f"{op.name} has no attribute {name!r:.100}; it has {', '.join(op.attrs) or 'none'}")
            if isinstance(value, dict):
                if value.keys() != {"ref"} or not isinstance(value["ref"], str) or not attr.takes_tensor:
                    raise TypeError(
                        f"attribute {name!r} cannot be that object; a tensor is {{ref: its name}}, where one may be"
                    )
                entry = self._tensor(value["ref"], step)
                attrs[name], sent[name] = Unknown(entry.spec), wire.ref_ext(entry.id)  # type: ignore[arg-type]
            else:
                attrs[name] = sent[name] = _attribute(attr, value)
                attr.check(attrs[name])
        return attrs, sent

    def _changed(self, op: Op, operands: Sequence[Any], results: Sequence[Spec], step: Step) -> None:
        step.effect = True
        groups = op.input_groups(len(operands))
        targets = [o for o, g in zip(operands, groups, strict=True) if g in ("variable", "overwritten")]
        for entry, spec in zip(targets, results, strict=False):
            self._changed_specs.append((entry, entry.spec))
            entry.spec = spec
            step.changes.append(entry)

    # --- published values --------------------------------------------------------------------------------------------

    def _publish(self, item: models.Publish, step: Step) -> None:
        name = checked_name(item.name)
        given = self._given(item.tensor, step)
        self._named_outside.add(name)
        self.items.append((Item.PUBLISH, name, given.id if isinstance(given, Entry) else self._literal(given)))
        step.effect = True

    def _unpublish(self, item: models.Unpublish, step: Step) -> None:
        name = checked_name(item.name)
        self._named_outside.add(name)
        self.items.append((Item.UNPUBLISH, name))
        step.effect = True

    def _published(self, item: models.Fetch, step: Step) -> None:
        name = checked_name(item.name)
        if name in self._named_outside:
            raise InvalidArgumentError(f"{name!r} is published in this very request: use the value itself")
        self._constant_of(self.shelf.fetch(name), item.output, item.device, step)


def _shared_dtype(op: Op, operands: Sequence[Entry | Literal], groups: Sequence[str]) -> DType | None:
    """The dtype of the operands that share one: the first that has one of its own, else what suits the numbers."""
    free = []
    for operand, group in zip(operands, groups, strict=True):
        if group not in ("T", "variable", "overwritten"):
            continue
        if isinstance(operand, Entry):
            assert operand.spec is not None
            return operand.spec.dtype
        if operand.dtype is not None:
            return operand.dtype
        free.append(operand)
    if not free:
        return None
    found = {BY_NUMPY[o.array().dtype] for o in free}
    chosen = found.pop() if len(found) == 1 else float32 if float32 in found else max(found, key=lambda t: t.size)
    return float32 if chosen not in op.types and float32 in op.types else chosen


def _attribute(attr: Attr, value: Any, depth: int = 0) -> Any:
    """A value from JSON or msgpack as an attribute's."""
    options = {attr.annotation, *getattr(attr.annotation, "__args__", ())}
    if isinstance(value, str):
        if DType in options:
            return dtype_named(value)
        if float in options and str not in options and value in _SPECIAL:
            return _SPECIAL[value]
        if len(value) > MAX_STRING:
            raise TypeError(f"attribute {attr.name!r} is a string of more than {MAX_STRING} characters")
        return value
    if isinstance(value, list | tuple):
        if depth == _MAX_DEPTH or len(value) > MAX_ITEMS:
            raise TypeError(f"attribute {attr.name!r} is a list of more than {MAX_ITEMS} entries, or too deep")
        return tuple([_attribute(attr, v, depth + 1) for v in value])
    return value
