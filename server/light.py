"""Which items surely take microseconds, so that the event loop may run them itself instead of handing them to a thread.

Owns: `is_light`. Light is what works on a few KB on the CPU with every size known before. Runs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from protocol import wire
from protocol.wire import Item, Ref
from server.values import Poison, Value, Variable

if TYPE_CHECKING:
    from server.executor import Executor

_BYTES: Final = 4096
"""Bytes of each operand and of the results up to which an op is light."""
_BOOKKEEPING: Final = frozenset(
    (Item.BIND, Item.RELEASE, Item.CONST, Item.CLEAR, Item.READ_DONE, Item.SYNC, Item.TAPE, Item.SET, Item.RECORDS)
)  # fmt: skip
_OF_A_VALUE: Final = frozenset((Item.READ, Item.VARIABLE))


def is_light(executor: Executor, item: tuple[Any, ...]) -> bool:
    """Whether `executor` can run `item` in microseconds. A malformed item is not: running it says why."""
    kind = item[0]
    if kind == wire.RUN:
        try:
            return _is_light_op(executor, item)
        except (IndexError, TypeError, AttributeError):
            return False
    if kind in _OF_A_VALUE:
        return len(item) > 2 and _is_light_value(executor, item[2])
    if kind == Item.SYNC and executor.uploading:
        return False
    if kind == Item.RECORDS and len(item) > 3:
        return False  # its spans take a while to pack
    return kind in _BOOKKEEPING and executor.default.scope is None


def _is_light_value(executor: Executor, operand: Any) -> bool:
    found = executor.store.entries.get(operand) if type(operand) is int else operand
    if type(found) is Variable:
        found = found.value
    if type(found) is Value:
        return found.nbytes <= _BYTES and (found.device is None or found.device.scope is None)
    return type(found) is Poison or (type(found) is np.ndarray and found.nbytes <= _BYTES)


def _is_light_op(executor: Executor, item: tuple[Any, ...]) -> bool:
    bound = executor.bound.get(item[1])
    attrs = item[4] if len(item) > 4 and item[4] is not None else {}
    if bound is None or (len(item) > 5 and item[5] is not None):
        return False
    if attrs and (bound.op.variadic or any(type(v) is Ref for v in attrs.values())):
        return False  # an einsum of small vectors can be a large loop
    specs = []
    for operand in item[3]:
        if not _is_light_value(executor, operand):
            return False
        value = executor.operand(operand)
        if type(value) is Poison:
            return True
        specs.append(value.spec)
    try:
        results, size, *_ = bound.plan_for(tuple(specs), attrs)
    except Exception:
        return True  # it will fail in inference again, which is as quick
    return size <= _BYTES and all(spec.is_static for spec in results)
