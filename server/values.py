"""What a session's ids stand for, and the bytes they hold.

Owns: `Value`, `Variable`, `Poison`, `Tape`, `Store` with its accounting. Does not know ops, frames or sockets.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from protocol.errors import InvalidArgumentError, NotFoundError, ProtocolError, ResourceExhaustedError, brief
from protocol.gradients import Node
from protocol.spec import Spec
from protocol.wire import MAX_INLINE
from server.devices import Device
from server.ledger import Share

MAX_TENSORS: Final = 2**22
MAX_RECORDED: Final = 2**23
"""Operands and results of the ops on a session's tapes: what recording takes beside the values."""
MAX_TEXTS: Final = 2**24
"""Characters of the texts that a session's poisoned values keep."""
_SHORT: Final = 128
_NO_TEXT: Final = "failed; what it said is not kept, since too much has failed before"


class Value:
    """An immutable array on a device. Several ids and variables may share one. A literal operand's device is None: it
    goes where it is used. `holders` counts the ids, variables and tapes that keep it, so that it is charged once.
    """

    __slots__ = ("array", "device", "holders", "nbytes", "spec")

    def __init__(self, array: Any, spec: Spec, device: Device | None) -> None:
        self.array = array
        self.spec = spec
        self.device = device
        self.nbytes: int = array.nbytes
        self.holders = 0


class Variable:
    """A name for a value that changes: readers and recorded nodes see the value it has when they look."""

    __slots__ = ("value",)

    def __init__(self, value: Value | Poison) -> None:
        self.value = value


class Poison:
    """Stands for a value that could not be computed: what failed, and the number of the item at fault.

    `holders` counts the ids and variables that keep one with a long text.
    """

    __slots__ = ("code", "holders", "item", "message", "op")

    def __init__(self, code: int, message: str, op: str | None, item: int) -> None:
        self.code = code
        self.message = brief(message)
        self.op = op
        self.item = item
        self.holders = 0

    @property
    def nbytes(self) -> int:
        """The memory of its text, none of a short one."""
        return len(self.message) if len(self.message) > _SHORT else 0


class Tape:
    """Recorded nodes, in order, and the values they keep."""

    __slots__ = ("nodes",)

    def __init__(self) -> None:
        self.nodes: list[Node] = []


class Store:
    """The ids of one session. `used` is the bytes of all values, each counted once and as if it shared memory with no
    other. `limit` is what they may be; `granted`, what they may be without another look at what the token's other
    sessions hold (`share`, None where nobody counts that).
    """

    def __init__(self, limit: int, share: Share | None = None) -> None:
        self.limit = limit
        self.share = share
        self.most = MAX_TENSORS
        self.granted = limit if share is None else 0
        self.used = 0
        self.peak = 0  # since the last split
        self._peak_before = 0
        self.entries: dict[int, Any] = {}
        self.texts = 0  # characters of the poisons' texts
        self.recorded = 0  # operands and results of the ops on tapes

    def __len__(self) -> int:
        return len(self.entries)

    def get(self, tensor: int) -> Any:
        """The entry: a Value, Variable, Poison, Tape or a pending upload. Raises NotFoundError."""
        try:
            found = self.entries.get(tensor)
        except TypeError:
            found = None
        if found is None:
            raise NotFoundError(f"there is no tensor {tensor!r} in this session")
        return found

    def charge(self, size: int) -> None:
        """Raise ResourceExhaustedError unless a tensor of `size` more bytes fits."""
        held = len(self.entries)
        if held >= self.most:
            raise ResourceExhaustedError(f"too many tensors: 1 asked, {held} used, {self.most} allowed in this session")
        if self.used + size <= self.granted:
            return
        if self.used + size > self.limit:
            raise self.exhausted(size)
        if self.share is not None:
            self.granted = min(self.share.grant(self.used, size), self.limit)

    def settle(self) -> None:
        """Give back what was granted and is not needed. Called between frames: within one, memory comes and goes."""
        if self.share is not None and not 0 <= self.granted - self.used <= 2 * self.share.step:
            self.granted = min(self.share.keep(self.used), self.limit)

    def exhausted(self, size: int, where: str = "") -> ResourceExhaustedError:
        """The error of what needs `size` more bytes than there are, in this session or on a device."""
        limit = "" if where else ", or start the server with a larger --memory-limit"
        return ResourceExhaustedError(
            f"out of memory{where}: {size} bytes asked, {self.used} used, {self.limit} allowed in this session. "
            f"Take less at a time, let go of tensors that are not needed any more{limit}."
        )

    def put(self, tensor: int, entry: Any) -> None:
        """Bind a new id. Raises ProtocolError when it is taken or no id, or when there are too many."""
        entries = self.entries
        if type(tensor) is not int or tensor <= 0 or tensor in entries:
            raise ProtocolError(f"{tensor!r} is no new tensor id")
        if len(entries) >= MAX_TENSORS:
            raise ResourceExhaustedError(f"a session holds at most {MAX_TENSORS} tensors")
        entries[tensor] = entry
        kind = type(entry)
        if kind is Value or kind is Poison:
            self.hold(entry)
        elif kind is Variable:
            self.hold(entry.value)
        elif kind is not Tape:
            self._add(entry.nbytes)  # an upload under way

    def hold(self, value: Value | Poison) -> None:
        """Count one more keeper of a value."""
        if type(value) is Value:
            value.holders += 1
            if value.holders == 1:
                self._add(value.nbytes)
        elif value.nbytes:
            value.holders += 1
            if value.holders == 1:
                if self.texts + value.nbytes > MAX_TEXTS:
                    value.message = _NO_TEXT
                self.texts += value.nbytes

    def drop(self, value: Value | Poison) -> None:
        """Count one keeper less."""
        if type(value) is Value:
            value.holders -= 1
            if value.holders == 0:
                self.used -= value.nbytes
        elif value.nbytes:
            value.holders -= 1
            if value.holders == 0:
                self.texts -= value.nbytes

    def _add(self, size: int) -> None:
        self.used += size
        if self.used > self.peak:
            self.peak = self.used

    def charge_passing(self, size: int) -> None:
        """Count bytes of a value that no id stands for; less of them with a negative size."""
        self._add(size)

    def check_recorded(self, size: int) -> None:
        """Raise ResourceExhaustedError unless tapes can take ops with so many more operands and results."""
        if self.recorded + size > MAX_RECORDED:
            raise ResourceExhaustedError(
                f"tapes are full: {size} operands and results asked, {self.recorded} recorded, {MAX_RECORDED} allowed "
                "in this session"
            )

    def record(self, tape: Tape, node: Node) -> None:
        """Put a node on a tape, which keeps the node's values."""
        tape.nodes.append(node)
        self.recorded += len(node.inputs) + len(node.outputs)
        for value in (*node.inputs, *node.outputs):
            if value is not None:
                self.hold(value)

    def unrecord(self, node: Node) -> None:
        """Let go of what a node keeps."""
        self.recorded -= len(node.inputs) + len(node.outputs)
        for value in (*node.inputs, *node.outputs):
            if value is not None:
                self.drop(value)
        node.inputs = node.outputs = ()

    def release(self, tensor: int) -> Any:
        """Forget an id, and give what it stood for; None where that is nothing: a client that is interrupted between
        naming a result and sending its op releases it all the same. Raises ProtocolError for what is no id.
        """
        if type(tensor) is not int or tensor <= 0:
            raise ProtocolError(f"release of {tensor!r:.50}, which is no id")
        entry = self.entries.pop(tensor, None)
        if entry is None:
            return None
        kind = type(entry)
        if kind is Value or kind is Poison:
            self.drop(entry)
        elif kind is Variable:
            self.drop(entry.value)
        elif kind is Tape:
            for node in entry.nodes:
                self.unrecord(node)
        else:
            self.used -= entry.nbytes
        return entry

    def assign(self, variable: Variable, value: Value | Poison) -> None:
        """Give a variable another value."""
        self.hold(value)
        self.drop(variable.value)
        variable.value = value

    def replace(self, tensor: int, upload: Any, value: Value) -> None:
        """Put what an upload has become in its place."""
        self.used -= upload.nbytes
        self.entries[tensor] = value
        self.hold(value)

    def split_peak(self) -> int:
        """The most bytes held since the last split; from here on the count starts anew."""
        found, self.peak = self.peak, self.used
        self._peak_before = max(self._peak_before, found)
        return found

    @property
    def highest(self) -> int:
        """The most bytes ever held."""
        return max(self.peak, self._peak_before)

    def clear(self) -> None:
        """Forget everything."""
        self.entries.clear()
        self.used = self.texts = self.recorded = 0
        if self.share is not None:
            self.share.close()


def checked_edges(array: np.ndarray[Any, Any], count: Any) -> np.ndarray[Any, Any]:
    """`edges`, refused before they are taken where they are more than stands in an item.

    Raises:
        ProtocolError: `count` is no number of entries.
        InvalidArgumentError: the edges are too large: the client can ask for fewer, or for the whole value.
    """
    if type(count) is not int or not 0 < count < 2**20:
        raise ProtocolError(f"{count!r:.50} is no number of edge items")
    size = math.prod(min(dim, 2 * count) for dim in array.shape) * array.itemsize
    if size > MAX_INLINE:
        raise InvalidArgumentError(f"{count} entries at each edge are {size} bytes, over the limit of {MAX_INLINE}")
    return edges(array, count)


def edges(array: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """The first and last `count` entries along each axis that has more than twice as many: what a `repr` prints of a
    large value.
    """
    for axis, size in enumerate(array.shape):
        if size > 2 * count:
            picked = [*range(count), *range(size - count, size)]
            array = array.take(picked, axis)
    return array
