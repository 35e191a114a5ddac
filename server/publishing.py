"""What the items PUBLISH, UNPUBLISH, FETCH_PUBLISHED and LIST_PUBLISHED do.

Owns: their handlers. Does not know where published values are kept (`server.published`), or who else reads them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from protocol.dtypes import BY_NUMPY
from protocol.errors import ProtocolError, code_of, error_from
from protocol.names import checked_name
from protocol.spec import Spec
from protocol.wire import Item
from server.values import Poison, Value

if TYPE_CHECKING:
    from server.executor import Executor


def handlers(executor: Executor) -> dict[int, Callable[[tuple[Any, ...], int], None]]:
    """What `executor` does for the items of this module."""
    found = _Publishing(executor)
    return {
        Item.PUBLISH: found.publish, Item.UNPUBLISH: found.unpublish,
        Item.FETCH_PUBLISHED: found.fetch, Item.LIST_PUBLISHED: found.list,
    }  # fmt: skip


class _Publishing:
    """The items of this module for one session."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def publish(self, item: tuple[Any, ...], number: int) -> None:
        """An effect: skipped after a failure that the user has not seen."""
        _, name, operand = item
        executor = self._executor
        if executor.failed_item:
            return
        try:
            checked_name(name)
            value = executor.operand(operand)
            if type(value) is Poison:
                raise error_from(value.code, f"{value.message} (the value given to publish)", value.op)
            assert isinstance(value, Value)
            executor.published.publish(name, (value.device or executor.default).host(value.array))
        except ProtocolError:
            raise
        except Exception as error:
            executor.fail("publish", (), error, number)

    def unpublish(self, item: tuple[Any, ...], number: int) -> None:
        """An effect, too."""
        _, name = item
        if self._executor.failed_item:
            return
        try:
            self._executor.published.unpublish(checked_name(name))
        except Exception as error:
            self._executor.fail("unpublish", (), error, number)

    def fetch(self, item: tuple[Any, ...], number: int) -> None:
        """Bind an id to what is published now, and say what it is."""
        _, read, tensor, name = item[:4]
        executor = self._executor
        try:
            array = executor.published.fetch(checked_name(name))
            executor.store.charge(array.nbytes)
            device = executor.device_of(item, 4)
            value = Value(device.take(array), Spec(BY_NUMPY[array.dtype], array.shape), device)
        except ProtocolError:
            raise
        except Exception as error:
            poison = Poison(code_of(error), str(error), "published", number)
            executor.store.put(tensor, poison)
            executor.refuse_read(read, poison)
            return
        executor.store.put(tensor, value)
        executor.emit((Item.PUBLISHED, read, value.spec.dtype, value.spec.shape))

    def list(self, item: tuple[Any, ...], number: int) -> None:
        """Answer with what is published under names that start so."""
        _, read, prefix = item
        if type(prefix) is not str:
            raise ProtocolError(f"{prefix!r:.100} is no prefix of names")
        try:
            found = self._executor.published.listed(prefix)
        except Exception as error:
            self._executor.refuse_read(read, Poison(code_of(error), str(error), None, number))
            return
        self._executor.emit((Item.REPORT, read, {"published": found}))
