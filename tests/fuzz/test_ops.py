"""Every op with attributes and inputs that no honest client sends: a value as promised, or a coded refusal.

Never an error without a code of its own, nor one that says that we have a bug; never an end of the session; and never
more memory than the session may take, which is looked at before it is taken.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import strategies as st

from protocol import dtypes, wire
from protocol.errors import InvalidArgumentError, OpError, code_of
from protocol.wire import Item
from tests.fuzz.calls import Call, arrays, calls
from tests.fuzz.found import FOUND
from tests.fuzz.local import OF_GRADIENTS, OF_INFERENCE, Local, fault, inferred, outs_of, prepared, run, run_gradient
from tests.stream.raw import Raw
from tests.support import ServerProcess, processes_of, serving

LIMIT = 32 * 2**20
MARGIN = 256 * 2**20
"""For the interpreter, the libraries, and what ops take besides their results."""


def test_a_call_gives_what_was_promised_or_is_refused(explore: Any) -> None:
    def check(call: Call) -> None:
        specs = None if call.by_tensor else inferred(call)
        assert fault(call, run(call), specs) is None

    explore(check, calls(), examples=400)


@pytest.mark.parametrize(("call", "error"), FOUND, ids=lambda v: v.op if isinstance(v, Call) else "")
def test_what_was_found(call: Call, error: type[OpError] | None) -> None:
    ending = run(call)
    assert fault(call, ending) is None
    assert ending.code == (0 if error is None else error.error_code), ending.text


def test_an_attribute_is_of_its_type_though_an_equal_one_was_checked() -> None:
    """True == 1 == 1.0, which a memo keeps as one."""
    seed = np.array([1, 2])
    assert run(Call("random_split", (seed,), {"num": 1})).code == 0
    for num in (True, 1.0):
        ending = run(Call("random_split", (seed,), {"num": num}))
        assert ending.code == code_of(TypeError())
        assert "attribute 'num' must be int" in ending.text


def test_within_a_session_an_equal_attribute_is_the_one_that_was_checked() -> None:
    local = Local(Call("random_split", (np.array([1, 2]),), {}))
    for out, num in ((10, 1), (11, True), (12, 1.0)):
        assert local.execute((Item.RUN, 0, out, local.ids, {"num": num})) == []
    found = [local.executor.store.entries[out].array for out in (10, 11, 12)]
    assert found[0].tolist() == found[1].tolist() == found[2].tolist()


def test_zeros_of_either_sign_are_told_apart() -> None:
    local = Local(Call("leaky_relu", (np.full(1, -1, np.float32),), {}))
    for out, alpha in ((10, 0.0), (11, -0.0), (12, 0.0)):
        assert local.execute((Item.RUN, 0, out, local.ids, {"alpha": alpha})) == []
    signs = [bool(np.signbit(local.executor.store.entries[out].array[0])) for out in (10, 11, 12)]
    assert signs == [True, False, True]


def test_a_gradient_is_given_or_refused(explore: Any) -> None:
    def check(call: Call, array: Any, how: str) -> None:
        def seed(result: Any) -> Any:
            if how == "as it is":
                return array
            with np.errstate(all="ignore"):
                found = array.astype(result.dtype)
                return np.resize(found, result.shape) if how == "of its shape" and array.size else found

        ending = run_gradient(call, seed)
        assert ending is None or fault(call, ending, refusals=OF_GRADIENTS) is None

    seeds = arrays(dtypes.float32)
    explore(check, calls(), seeds, st.sampled_from(("of its shape", "of its dtype", "as it is")), examples=150)


def test_the_gradient_of_a_target_has_its_shape() -> None:
    square = Call("square", (np.ones((2, 3), np.float32),), {})
    for shape in ((), (3,), (2, 3, 1), (0,)):
        ending = run_gradient(square, lambda _, shape=shape: np.ones(shape, np.float32))
        assert ending is not None
        assert ending.code == InvalidArgumentError.error_code


# --- a server --------------------------------------------------------------------------------------------------------


def _peak(pid: int) -> int:
    """The most memory that a process had (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


class Attacker(Raw):
    """A session in which calls are run, one after another."""

    def __init__(self, server: ServerProcess) -> None:
        super().__init__(server)
        self.bound: dict[str, int] = {}

    def run(self, call: Call) -> None:
        """Run a call and forget it all."""
        ids, items, attrs, following = prepared(call)
        outs, made = outs_of(call, following)
        releases = (Item.RELEASE, tuple(range(1, following + len(made))))
        number = self.bound.get(call.op)
        if number is None:
            number = self.bound[call.op] = len(self.bound)
            items[0] = (Item.BIND, number, call.op)
        else:
            del items[0]
        self.send(*items, (Item.RUN, number, outs, ids, attrs or None), releases, (Item.CLEAR, 2**40), (Item.SYNC, 1))

    def settled(self) -> list[int]:
        """The codes of what failed, up to the answer to SYNC."""
        codes = []
        while True:
            frame = self.receive(120)
            assert frame is not None, self.refused
            for item in wire.unpack_items(frame) if frame.kind == wire.ITEMS else ():
                if item[0] == Item.FAILED:
                    codes.append(item[2])
                elif item[0] == Item.REPORT:
                    self.acknowledge()
                    return codes


def _travels(call: Call) -> bool:
    try:
        wire.pack([call.attrs, [np.array(call.attrs[name]) for name in call.by_tensor]])
    except (TypeError, OverflowError, ValueError, KeyError, msgpack.PackException):
        return False
    return sum(i.nbytes for i in call.inputs) < 2**20


def test_a_server_keeps_to_its_memory(explore: Any) -> None:
    options = ("--memory-limit", str(LIMIT), "--isolation", "process", "--heartbeat", "3600")  # `Raw` has no heart
    with serving(*options) as server, Raw(server) as other:
        with Attacker(server) as attacker:

            def check(call: Call) -> None:
                if _travels(call):
                    attacker.run(call)
                    assert set(attacker.settled()) <= OF_INFERENCE

            for call, _ in FOUND:
                check(call)
            explore(check, calls(), examples=60)
            assert max(map(_peak, [*processes_of(server), server.pid])) < LIMIT + MARGIN
        ones = np.ones(2, np.float32)
        other.send((Item.BIND, 0, "add"), (Item.RUN, 0, 1, (ones, ones)), (Item.READ, 1, 1))
        assert _value(other).tolist() == [2.0, 2.0]


def _value(session: Raw) -> np.ndarray[Any, Any]:
    """The next value that is read."""
    while True:
        frame = session.receive()
        assert frame is not None
        for item in wire.unpack_items(frame) if frame.kind == wire.ITEMS else ():
            if item[0] == Item.VALUE:
                return item[2]  # type: ignore[no-any-return]
