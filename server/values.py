"""What a session's ids stand for, and the bytes they hold.

Owns: `Value`, `Variable`, `Poison`, `Store` with its accounting. Does not know ops, frames or sockets.
"""

from __future__ import annotations

from typing import Any, Final

from protocol.errors import NotFoundError, ProtocolError, ResourceExhaustedError
from protocol.spec import Spec
from server.devices import Device

MAX_TENSORS: Final = 2**22


class Value:
    """An immutable array on a device. Several ids and variables may share one. A literal operand's device is None: it
    goes where it is used.
    """

    __slots__ = ("array", "device", "nbytes", "spec")

    def __init__(self, array: Any, spec: Spec, device: Device | None) -> None:
        self.array = array
        self.spec = spec
        self.device = device
        self.nbytes: int = array.nbytes


class Variable:
    """A name for a value that changes: readers and recorded nodes see the value it has when they look."""

    __slots__ = ("value",)

    def __init__(self, value: Value | Poison) -> None:
        self.value = value

    @property
    def nbytes(self) -> int:
        """The bytes of the value it has now."""
        return self.value.nbytes


class Poison:
    """Stands for a value that could not be computed: what failed, and the number of the item at fault."""

    __slots__ = ("code", "item", "message", "op")

    nbytes = 0

    def __init__(self, code: int, message: str, op: str | None, item: int) -> None:
        self.code = code
        self.message = message
        self.op = op
        self.item = item


class Store:
    """The ids of one session. `used` is the bytes of all values, each counted as if it shared memory with none."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.peak = 0
        self.entries: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def get(self, tensor: int) -> Any:
        """The entry: a Value, Variable, Poison or a pending upload. Raises NotFoundError."""
        try:
            found = self.entries.get(tensor)
        except TypeError:
            found = None
        if found is None:
            raise NotFoundError(f"there is no tensor {tensor!r} in this session")
        return found

    def charge(self, size: int) -> None:
        """Raise ResourceExhaustedError unless `size` more bytes fit."""
        if self.used + size > self.limit:
            raise ResourceExhaustedError(
                f"out of memory: {size} bytes asked, {self.used} used, {self.limit} allowed in this session"
            )

    def put(self, tensor: int, entry: Any) -> None:
        """Bind a new id. Raises ProtocolError when it is taken or no id, or when there are too many."""
        entries = self.entries
        if type(tensor) is not int or tensor <= 0 or tensor in entries:
            raise ProtocolError(f"{tensor!r} is no new tensor id")
        if len(entries) >= MAX_TENSORS:
            raise ResourceExhaustedError(f"a session holds at most {MAX_TENSORS} tensors")
        entries[tensor] = entry
        self.used += entry.nbytes
        if self.used > self.peak:
            self.peak = self.used

    def release(self, tensor: int) -> Any:
        """Forget an id, and give what it stood for. Raises ProtocolError when it is unknown."""
        try:
            entry = self.entries.pop(tensor)
        except (KeyError, TypeError):
            raise ProtocolError(f"release of {tensor!r}, which is no tensor of this session") from None
        self.used -= entry.nbytes
        return entry

    def assign(self, variable: Variable, value: Value | Poison) -> None:
        """Give a variable another value."""
        self.used += size_of(value) - size_of(variable.value)
        variable.value = value

    def replace(self, tensor: int, entry: Any) -> None:
        """Put what an upload has become in its place."""
        self.used += size_of(entry) - size_of(self.entries[tensor])
        self.entries[tensor] = entry

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self.used = 0


def size_of(entry: Any) -> int:
    """The bytes that an entry is charged for."""
    size: int = entry.nbytes
    return size
