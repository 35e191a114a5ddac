"""Sessions across a restart of the server: their state as files, and back.

Owns: the format of such a file, an executor's state, a session's state. Does not know when they are written
(`server.session`) or who holds the executor (`server.host`, `server.child`).

A file is a magic word, the length of its description, the description in msgpack, and arrays one after the other. It is
written under another name first, so that a file that is there is whole; it is read by this server alone, once.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgpack
import numpy as np

from protocol import wire
from protocol.dtypes import BY_NUMPY
from protocol.errors import DataLossError
from protocol.gradients import Node
from protocol.ops import OPS
from protocol.spec import Spec
from server import numeric_checks
from server.executor import Executor
from server.payloads import Upload
from server.values import Poison, Tape, Value, Variable

_MAGIC: Final = b"telegrad session 2\n"
_PIECE: Final = 2**24

Array = np.ndarray[Any, Any]


# --- files -----------------------------------------------------------------------------------------------------------


def write(path: Path, description: Mapping[str, Any], arrays: Sequence[Array]) -> None:
    """Write a description and the arrays that it counts, for nobody but this user."""
    parts = [(BY_NUMPY[a.dtype].code, a.shape) for a in arrays]
    head = wire.pack({**description, "arrays": parts})
    temporary = path.with_name(f".{path.name}")
    with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0) as file:
        for data in (_MAGIC, len(head).to_bytes(8, "little"), head, *map(_bytes_of, arrays)):
            view = memoryview(data)
            while view:
                view = view[file.write(view[:_PIECE]) :]
        os.fsync(file.fileno())
    os.replace(temporary, path)


def read(path: Path) -> tuple[dict[str, Any], list[Array]]:
    """What `write` wrote. Raises DataLossError."""
    try:
        with open(path, "rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise DataLossError(f"{path.name} is no session of this version")
            head = file.read(int.from_bytes(file.read(8), "little"))
            description: dict[str, Any] = msgpack.unpackb(
                head, use_list=False, ext_hook=wire.ext_hook, strict_map_key=False, max_array_len=2**31 - 1
            )
            arrays = [_read_array(file, *part) for part in description["arrays"]]
    except (OSError, ValueError, KeyError, TypeError, msgpack.UnpackException) as error:
        raise DataLossError(f"{path.name} cannot be read: {error}") from None
    return description, arrays


def _bytes_of(array: Array) -> memoryview:
    return wire.array_bytes(np.ascontiguousarray(array).reshape(-1))


def _read_array(file: Any, code: int, shape: tuple[int, ...]) -> Array:
    from protocol.dtypes import BY_CODE

    found = np.empty(shape, BY_CODE[code].numpy)
    view = wire.array_bytes(found)
    while view:
        count = file.readinto(view)
        if not count:
            raise DataLossError("a session's file ends early")
        view = view[count:]
    return found


# --- an executor -----------------------------------------------------------------------------------------------------


class _Values:
    """The values of a state, each once, by number."""

    def __init__(self, host: Callable[[Value], Array]) -> None:
        self.arrays: list[Array] = []
        self.devices: list[str | None] = []
        self._numbers: dict[int, int] = {}
        self._kept: list[Value] = []
        self._host = host

    def number(self, value: Value) -> int:
        """The number of a value."""
        found = self._numbers.get(id(value))
        if found is None:
            found = self._numbers[id(value)] = len(self.arrays)
            self.arrays.append(self._host(value))
            self.devices.append(None if value.device is None else value.device.name)
            self._kept.append(value)
        return found


def executor_state(executor: Executor) -> tuple[dict[str, Any], list[Array]]:
    """What a session holds, and what it has executed: for `restore_executor` in another process."""
    payloads, on_their_way = executor.payloads.state()
    values = _Values(lambda v: v.array if v.device is None else v.device.host(v.array))

    def content(found: Value | Poison) -> Any:
        return values.number(found) if type(found) is Value else _poison(found)  # type: ignore[arg-type]

    entries: list[tuple[Any, ...]] = []
    for number, entry in executor.store.entries.items():
        if type(entry) is Value or type(entry) is Poison:
            entries.append((number, "value", content(entry)))
        elif type(entry) is Variable:
            entries.append((number, "variable", content(entry.value)))
        elif type(entry) is Tape:
            entries.append((number, "tape", [_node(node, values) for node in entry.nodes]))
        elif isinstance(entry, Upload):
            entries.append((number, "upload", entry.number, entry.spec.dtype, entry.spec.shape, entry.device.name))
    description = {
        "executed": executor.executed,
        "cancel_through": executor.cancel_through,
        "failed_item": executor.failed_item,
        "check_numerics": numeric_checks.is_on(executor),
        "pins": list(executor.pins.sizes.items()),
        "bound": [(index, bound.op.name) for index, bound in executor.bound.items()],
        "devices": values.devices,
        "entries": entries,
        "payloads": payloads,
    }
    return description, values.arrays + on_their_way


def _poison(poison: Poison) -> tuple[Any, ...]:
    return (poison.code, poison.message, poison.op, poison.item)


def _node(node: Node, values: _Values) -> tuple[Any, ...]:
    number = lambda value: None if value is None else values.number(value)
    return (
        node.name, dict(node.attrs), node.positions, list(node.in_ids), [_spec(s) for s in node.in_specs],
        [number(v) for v in node.inputs], list(node.out_ids), [_spec(s) for s in node.out_specs],
        [number(v) for v in node.outputs],
    )  # fmt: skip


def _spec(spec: Spec) -> tuple[Any, Any]:
    return spec.dtype, spec.shape


def restore_executor(executor: Executor, description: Mapping[str, Any], arrays: Sequence[Array]) -> None:
    """Give a new executor the state that `executor_state` described."""
    devices = executor.devices
    values: list[Value] = []
    held = len(description["devices"])
    executor.payloads.restore(description["payloads"], arrays[held:])
    for array, name in zip(arrays[:held], description["devices"], strict=True):
        device = None if name is None else devices.get(name, executor.default)
        spec = Spec(BY_NUMPY[array.dtype], array.shape)
        values.append(Value(array if device is None else device.take(array), spec, device))

    def content(found: Any) -> Value | Poison:
        return values[found] if type(found) is int else Poison(*found)

    store = executor.store
    for index, name in description["bound"]:
        executor.handlers[wire.BIND]((wire.BIND, index, name), 0)
    for number, kind, *rest in description["entries"]:
        if kind == "value":
            store.put(number, content(rest[0]))
        elif kind == "variable":
            store.put(number, Variable(content(rest[0])))
        elif kind == "tape":
            tape = Tape()
            store.put(number, tape)
            for written in rest[0]:
                store.record(tape, _read_node(written, values))
        else:
            upload, dtype, shape, device = rest
            declared = executor.payloads.declare(
                upload, Spec(dtype, shape), devices.get(device, executor.default), store
            )
            store.put(number, declared)
            executor.uploading.add(number)
    executor.executed = description["executed"]
    executor.cancel_through = description["cancel_through"]
    executor.failed_item = description["failed_item"]
    numeric_checks.switch(executor, description["check_numerics"])
    for read, size in description["pins"]:
        executor.pins.add(read, size)


def _read_node(written: tuple[Any, ...], values: Sequence[Value]) -> Node:
    name, attrs, positions, in_ids, in_specs, inputs, out_ids, out_specs, outputs = written
    assert name in OPS
    value = lambda number: None if number is None else values[number]
    return Node(
        name, attrs, positions, in_ids, tuple([Spec(*s) for s in in_specs]), [value(n) for n in inputs],
        out_ids, tuple([Spec(*s) for s in out_specs]), [value(n) for n in outputs],
    )  # fmt: skip
