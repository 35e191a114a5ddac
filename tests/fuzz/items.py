"""Items of every kind, well-formed, nearly so, and hostile; and an executor to run them on.

Owns: strategies of items, `HostileSession` (an executor without a server) and what must hold of it for any items.
"""

from __future__ import annotations

import asyncio
import tempfile
from typing import Any

import numpy as np
from hypothesis import strategies as st

from protocol import dtypes, wire
from protocol.errors import MAX_MESSAGE, InternalError, OpError
from protocol.wire import FIELDS, Frame, Item, Kind, Ref
from server.devices import Device
from server.executor import Executor
from server.files import Files
from server.host import as_op_error
from server.payloads import Payloads
from tests.fuzz import codec

OPS = (
    "add", "matmul", "negative", "reduce_sum", "reshape", "gather", "concat", "split", "assign", "assign_add",
    "update_sgd", "cast", "unique", "svd", "no_such_op", "where",
)  # fmt: skip
"""Bound to 0 and up in every session: an element-wise op, effects, several results, variadic, none."""
BINDINGS = [[Item.BIND, index, name] for index, name in enumerate(OPS)]
MEMORY = 2**24
"""Bytes that the values of a fuzzed session may take."""

junk = st.one_of(
    codec.scalars, st.lists(codec.scalars, max_size=3).map(tuple), st.just("x" * 65536), st.just(b"x" * 65537),
    st.just(tuple(range(5000))), st.dictionaries(st.text(max_size=3), codec.scalars, max_size=2),
)  # fmt: skip
few = st.integers(1, 12)
ids = st.one_of(few, few, few, st.sampled_from([0, -1, -(2**63), 2**63, 2**64 - 1, 10**6, True, 1.0, "1"]))
id_lists = st.one_of(st.lists(ids, max_size=4), st.just([1] * 3000))
small_arrays = st.one_of(
    codec.arrays(),
    st.sampled_from([np.ones((2, 2), np.float32), np.array(2, np.float32), np.arange(3), np.zeros((), np.int32)]),
)
operands = st.one_of(ids, ids, small_arrays)
reads = st.one_of(st.integers(0, 6), st.sampled_from([-1, 2**64 - 1, "read", None, 1.5]))
names = st.one_of(
    st.sampled_from([
        "a", "a/b", "ckpt-1.data", "../../etc/passwd", "/etc/passwd", "a/../../b", ".hidden", "", "a//b", "a\0b",
        "..", "C:\\x", "a" * 512, "a" * 513, "a/" * 200 + "a", "\u202e", "%2e%2e/x", "a\n", "a/.part-1", "~",
    ]),
    st.text(max_size=10),
)  # fmt: skip
attr_values = st.one_of(codec.scalars, st.lists(st.integers(-4, 4), max_size=4), ids.filter(lambda i: type(i) is int))
attrs = st.one_of(
    st.none(),
    st.dictionaries(
        st.sampled_from(["axis", "shape", "dtype", "keepdims", "sizes", "out_type", "x" * 1000]),
        attr_values,
        max_size=3,
    ),
    st.builds(lambda i: {"shape": Ref(i)}, st.integers(0, 12)),
)
devices = st.one_of(st.none(), st.none(), st.sampled_from(["CPU:0", "cpu:0", "GPU:7", "", "/device:CPU:0", "x" * 5000]))
no_bytes = st.sampled_from([(), (0,), (3, 0), (2**40,), (2**48, 2**48), (0, 2**48), (-1,), (1,) * 33, (None,), (1.5,)])
"""Shapes that an upload cannot wait for: without elements, too large, or none at all."""
large = st.sampled_from([0, 1, 3, 2**20, 2**31, 2**63 - 1, 2**64 - 1, -1])

FIELD: dict[str, st.SearchStrategy[Any]] = {
    "op": st.one_of(st.integers(0, len(OPS) - 1), st.integers(0, len(OPS) - 1), st.integers(-2, 5000)),
    "outs": st.one_of(ids, ids, id_lists, st.just(0)), "ins": st.lists(operands, max_size=4), "attrs": attrs,
    "device": devices, "tapes": st.one_of(id_lists, st.lists(few, max_size=2)), "name": names, "ids": id_lists,
    "read": reads, "id": ids, "edge": large, "threshold": large, "value": operands, "upload": reads,
    "dtype": st.sampled_from(dtypes.ALL), "shape": no_bytes.map(list), "item": large, "tape": ids, "targets": id_lists,
    "sources": id_lists, "outs of gradient": st.one_of(id_lists, st.just([[1, 2]])),
    "seeds": st.one_of(st.none(), st.lists(st.one_of(st.none(), operands), max_size=4)), "keep": st.booleans(),
    "file": names, "head": st.one_of(st.binary(max_size=20), st.just(b"h" * 70000)), "offset": large, "checksum": large,
    "profile": reads, "spans": large, "prefix": names,
    "setting": st.one_of(st.booleans(), st.lists(st.integers(-1, 12), max_size=10), junk),
}  # fmt: skip
"""A value for each field, by its name: most fit."""
_OTHER = {(Item.GRADIENT, "outs"): "outs of gradient", (Item.SET, "value"): "setting"}
_SETTINGS = st.sampled_from(["profile", "check_numerics", "no such", "x" * 65536])


@st.composite
def items(draw: Any) -> list[Any]:
    """An item of a kind that goes to the server; now and then one field is junk, or some are missing or too many."""
    kind = draw(st.one_of(st.sampled_from([k for k in FIELDS if k < 32]), st.sampled_from([0, 0, 4, 3])))
    names_of = [field.rstrip("?") for field in FIELDS[kind]]
    required = sum(not field.endswith("?") for field in FIELDS[kind])
    found: list[Any] = [int(kind)]
    for field in names_of[: draw(st.integers(required, len(names_of)))]:
        strategy = _SETTINGS if (kind, field) == (Item.SET, "name") else FIELD[_OTHER.get((kind, field), field)]
        found.append(draw(strategy))
    wrong = draw(st.integers(0, 24))
    if wrong == 0 and len(found) > 1:
        found[draw(st.integers(1, len(found) - 1))] = draw(junk)
    elif wrong == 1:
        del found[draw(st.integers(0, len(found) - 1)) :]
    elif wrong == 2:
        found.append(draw(junk))
    elif wrong == 3:
        found[0] = draw(st.integers(-1, 60))
    return found or [int(kind)]


def packed(found: list[list[Any]]) -> bytes:
    """The body of a frame of items."""
    return wire.pack([wire.as_sent(tuple(_tuples(item))) for item in found])


def _tuples(item: Any) -> Any:
    return tuple(_tuples(v) for v in item) if type(item) in (list, tuple) else item


def waits_for_upload(item: Any) -> bool:
    """Whether an item announces bytes that nobody will send: what needs them would wait for ever."""
    if type(item) is not tuple or not item or item[0] != Item.UPLOAD or len(item) < 5 or type(item[4]) is not tuple:
        return False
    return all(type(dim) is int and 0 < dim < 2**30 for dim in item[4])


class HostileSession:
    """An executor whose items come from a fuzzer."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.replies: list[tuple[Any, ...]] = []
        self._loop = asyncio.new_event_loop()
        files = Files(self._folder.name, limit=2**20)
        payloads = Payloads(MEMORY, self._loop)
        self.executor = Executor([Device("CPU:0")], MEMORY, payloads, self.replies.append, files)
        self.executor.execute(tuple(map(tuple, BINDINGS)))

    def __enter__(self) -> HostileSession:
        return self

    def __exit__(self, *error: object) -> None:
        self.executor.close()
        self._loop.close()
        self._folder.cleanup()

    def run(self, body: bytes) -> bool:
        """Run a frame's body; whether the session goes on. Whatever ends it has a code, and is no bug."""
        try:
            found = wire.unpack(body)
            count = len(found) if type(found) is tuple else 0
            decoded = wire.unpack_items(Frame(Kind.ITEMS, 1, 0, 0, count, body))
            self.executor.execute(tuple(item for item in decoded if not waits_for_upload(item)))
        except OpError as error:
            assert not isinstance(error, InternalError), error
            assert len(as_op_error(error).message) <= MAX_MESSAGE
            return False
        finally:
            self.check()
        return True

    def check(self) -> None:
        """What holds at any time."""
        store = self.executor.store
        assert 0 <= store.used <= MEMORY
        assert 0 <= self.executor.pins.total <= MEMORY
        assert store.texts >= 0
        assert store.recorded >= 0
        for reply in self.replies:
            assert reply[0] in FIELDS
            assert len(wire.pack(reply)) <= wire.MAX_FRAME
            if reply[0] in (Item.FAILED, Item.READ_FAILED):
                assert reply[2] != InternalError.error_code, reply
                assert len(reply[3]) <= MAX_MESSAGE
        self.replies.clear()

    def check_empty(self) -> None:
        """With everything released nothing is held."""
        if self.executor.uploading:
            return
        executor = self.executor
        executor.execute(((Item.RELEASE, tuple(executor.store.entries)),))
        store = executor.store
        assert (store.used, store.texts, store.recorded, len(store)) == (0, 0, 0, 0)


def check_bodies(bodies: list[bytes]) -> None:
    """Frames' bodies, one after the other, in a new session: answers with codes, or the session's end with one."""
    with HostileSession() as session:
        if all(session.run(body) for body in bodies):
            session.check_empty()
