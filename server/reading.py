"""What the items READ and READ_DONE do: a small value goes in the answer, others are pinned until they are taken.

Owns: their handlers. Does not know how pinned values travel (`server.payloads`). Several values at once are
`server.storage`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from protocol.errors import ProtocolError, code_of
from protocol.spec import element_count
from protocol.wire import MAX_INLINE, Item
from server.values import Poison, Value, checked_edges

if TYPE_CHECKING:
    from server.executor import Executor


def handlers(executor: Executor) -> dict[int, Callable[[tuple[Any, ...], int], None]]:
    """What `executor` does for the items of this module."""
    found = _Reading(executor)
    return {Item.READ: found.read, Item.READ_DONE: found.read_done}


class _Reading:
    """The items of this module for one session."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def read(self, item: tuple[Any, ...], number: int) -> None:
        """Answer with the value, or say that it is pinned and how to fetch it."""
        read, tensor = item[1], item[2]
        executor = self._executor
        if len(item) > 4 and type(item[4]) is not int:
            raise ProtocolError(f"{item[4]!r:.50} is no number of elements")
        try:
            value = executor.operand(tensor)
            if type(value) is Value:
                whole = len(item) <= 4 or element_count(value.spec.shape) <= item[4]
                if whole and value.nbytes > MAX_INLINE:
                    executor.pins.add(read, value.nbytes)
                array = (value.device or executor.default).host(value.array)
                part = array if whole else checked_edges(array, item[3])
        except ProtocolError:
            raise
        except Exception as error:
            value = Poison(code_of(error), str(error), None, number)
        if type(value) is Poison:
            executor.refuse_read(read, value)
        elif not whole:
            executor.emit((Item.VALUE, read, part, array.shape))
        elif array.nbytes > MAX_INLINE:
            executor.payloads.offer(read, [array])
            executor.emit((Item.PAYLOAD, read, value.spec.dtype, value.spec.shape))
        else:
            executor.emit((Item.VALUE, read, array))

    def read_done(self, item: tuple[Any, ...], number: int) -> None:
        """The client has the value."""
        executor = self._executor
        executor.pins.remove(item[1])
        executor.payloads.withdraw(item[1])
