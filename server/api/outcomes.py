"""What becomes of the items of a request: executed, and told item by item.

Owns: `execute`, from a request to its answer. Does not know HTTP, or how items reach the executor (`server.api.tool`).

The stream tells a failure once, of the item at fault. What else has no value because of it follows from what each item
needs, and from the rule that effects are skipped after a failure; an answer tells it of every item.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from protocol.dtypes import BY_NUMPY
from protocol.errors import AbortedError, OpError, ResourceExhaustedError
from protocol.spec import Spec
from server.api import bodies, values
from server.api.book import Entry
from server.api.draft import Draft
from server.api.drafting import ItemError, Step
from server.api.problems import HttpError, details
from server.api.tool import Told, Tool
from server.published import Shelf

_AT_ONCE: Final = 16
"""Items that the event loop drafts itself; more go to a thread."""


async def execute(
    tool: Tool, items: list[Any], shelf: Shelf, kind: str, read: bool = False, large: bool = False
) -> bytes:
    """Execute the items of a request and give the answer's body; with `read`, the values of all results with it.

    A `large` request is drafted beside the event loop.

    Raises:
        HttpError: an item is wrong; nothing was executed.
        OpError: the session has ended, or a value has no room.
    """
    async with tool.turn():
        draft = Draft(tool.book, shelf, listed=kind == bodies.JSON)
        if len(items) <= _AT_ONCE and not large:
            _draft(draft, items, read)
        else:
            await asyncio.to_thread(_draft, draft, items, read)
        try:
            await tool.upload_all(draft.uploads)
        except OpError:
            draft.undo()
            raise
        _commit(tool, draft)  # now: what is sent is executed, whatever becomes of this server and its answer
        told = await tool.run(draft.items)
        try:
            return await asyncio.to_thread(_encode, draft, _judge(draft, told), told, kind)
        finally:
            await tool.finish_reads(told.pinned)


def _draft(draft: Draft, items: list[Any], read: bool) -> None:
    try:
        for item in items:
            draft.add(item, read)
    except ItemError as error:
        draft.undo()
        raise HttpError(400, error.error, item=error.index) from error


def _commit(tool: Tool, draft: Draft) -> None:
    tool.book = draft.book
    for tape, nodes in draft.recorded.items():
        if tape in tool.book.entries:
            tool.book.entries[tape].nodes += nodes


def _judge(draft: Draft, told: Told) -> list[dict[str, Any]]:
    """The outcome of each step, and which entries have failed from now on."""
    outcomes: list[dict[str, Any]] = []
    stopped: int | None = None  # the step whose failure stops effects
    for step in draft.steps:
        own = [told.failed[told.first + i] for i in range(step.first, step.last) if told.first + i in told.failed]
        handed = next((e.error for e in step.needs if e.error is not None), None)
        error: dict[str, Any] | None = None
        if own:
            error = {**own[0], "item": step.index}
            stopped = step.index if stopped is None else stopped
        elif step.effect and stopped is not None:
            error = {**details(AbortedError(f"skipped: item {stopped} failed")), "item": stopped}
        elif handed is not None:
            error = handed
        for entry in step.results:
            entry.error = error
        for entry in step.changes:
            _settle(entry, error)
        outcomes.append(_outcome(step, error))
    for step in draft.steps:
        for entry in (*step.results, *step.changes):
            if entry.error is not None:
                entry.error = {**entry.error, "item": None}  # its number means nothing to the next request
    return outcomes


def _settle(variable: Entry, error: dict[str, Any] | None) -> None:
    if error is None:
        variable.error = None
    elif variable.spec is not None:
        variable.spec = Spec(variable.spec.dtype, None)  # it kept what it had, of a shape that was forgotten here


def _outcome(step: Step, error: dict[str, Any] | None) -> dict[str, Any]:
    if error is not None:
        return {"error": error}
    if step.outputs is None:
        return {}
    return {"outputs": [None if e is None else _described(e) for e in step.outputs]}


def _described(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = {"id": str(entry.id), "name": entry.name}
    if entry.spec is not None:
        shape = entry.spec.shape
        found |= {"dtype": entry.spec.dtype.name, "shape": None if shape is None else list(shape)}
    return found


def _encode(draft: Draft, outcomes: list[dict[str, Any]], told: Told, kind: str) -> bytes:
    """The answer's body, with the values that were read."""
    for step, outcome in zip(draft.steps, outcomes, strict=True):
        found = []
        for number, spec in step.reads:
            if "error" not in outcome:
                try:
                    found.append(_value(draft, told, number, spec, kind))
                except ResourceExhaustedError as error:
                    outcome.clear()
                    outcome["error"] = {**details(error), "item": step.index}
                except _Unread as error:
                    outcome.clear()
                    outcome["error"] = {**error.failure, "item": None}
        if step.reads and "error" not in outcome:
            if step.outputs is None:
                outcome["value"] = found[0]
            else:
                outcome["values"] = found
    failed = sum("error" in o for o in outcomes)
    return bodies.encode({"items": outcomes, "failed": failed}, kind)


class _Unread(Exception):
    """A read whose value failed."""

    def __init__(self, failure: dict[str, Any]) -> None:
        super().__init__(failure["detail"])
        self.failure = failure


def _value(draft: Draft, told: Told, number: int, spec: Spec, kind: str) -> dict[str, Any]:
    if number in told.unread:
        raise _Unread(told.unread[number])
    array = told.values[number]
    if not spec.is_static:
        draft.room.take(Spec(BY_NUMPY[array.dtype], array.shape))
    return values.as_json(array) if kind == bodies.JSON else values.as_msgpack(array)
