"""What the items CONST, UPLOAD and VARIABLE do: values that a client brings, and variables.

Owns: their handlers. Does not know how large values travel (`server.payloads`), nor when an op waits for one
(`server.executor`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from protocol import wire
from protocol.dtypes import BY_NUMPY
from protocol.errors import OpError, ProtocolError, code_of
from protocol.spec import Spec
from protocol.wire import Item
from server.values import Poison, Value, Variable

if TYPE_CHECKING:
    from server.executor import Executor


def handlers(executor: Executor) -> dict[int, Callable[[tuple[Any, ...], int], None]]:
    """What `executor` does for the items of this module."""
    found = _Making(executor)
    return {Item.CONST: found.const, Item.UPLOAD: found.upload, Item.VARIABLE: found.variable}


class _Making:
    """The items of this module for one session."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def const(self, item: tuple[Any, ...], number: int) -> None:
        """A value that the item carries."""
        executor = self._executor
        tensor, array = item[1], item[2]
        if type(array) is not np.ndarray:
            raise ProtocolError("a constant's value is no array")
        try:
            executor.store.charge(array.nbytes)
            device = executor.device_of(item, 3)
            value = Value(device.take(array), Spec(BY_NUMPY[array.dtype], array.shape), device)
        except Exception as error:
            executor.fail("constant", tensor, error, number)
            return
        executor.store.put(tensor, value)

    def upload(self, item: tuple[Any, ...], number: int) -> None:
        """A value whose bytes come beside the stream, now or later."""
        executor = self._executor
        _, tensor, upload, dtype, shape = item[:5]
        try:
            wire.checked_shape(shape)
            entry = executor.payloads.declare(upload, Spec(dtype, shape), executor.device_of(item, 5), executor.store)
        except ProtocolError:
            raise
        except OpError as error:
            executor.fail("constant", tensor, error, number)
            return
        executor.store.put(tensor, entry)
        executor.uploading.add(tensor)

    def variable(self, item: tuple[Any, ...], number: int) -> None:
        """A variable, which begins with an operand's value."""
        executor = self._executor
        try:
            value = executor.operand(item[2])
            if type(value) is Value and len(item) > 3 and item[3] is not None:
                device = executor.place([], item[3])
                value = Value(device.take(value.array), value.spec, device)
            if type(value) is Value and not value.holders:
                executor.store.charge(value.nbytes)  # a literal, or a copy: nothing has paid for it
        except ProtocolError:
            raise
        except OpError as error:
            executor.fail("variable", 0, error, number)
            value = Poison(code_of(error), str(error), "variable", number)
        executor.store.put(item[1], Variable(value))
