"""The table of what sessions were granted: never more than a token may have, within a process and between processes."""

import os
import subprocess
import sys

import pytest

from protocol.errors import AbortedError, ResourceExhaustedError
from server.devices import Device
from server.ledger import UNLIMITED, Ledger, Place, Share
from server.values import Store, Value
from tests.support import ROOT

MIB = 2**20


def test_sessions_of_a_token_share_and_others_do_not():
    ledger = Ledger(8)
    a, b, c = ledger.open(1, "alice", MIB), ledger.open(1, "alice", MIB), ledger.open(2, "bob", MIB)
    assert a.grant(0, 700_000) == 700_000 + a.step
    with pytest.raises(ResourceExhaustedError, match=rf"400000 bytes asked, {700_000 + a.step} used, {MIB} allowed"):
        b.grant(0, 400_000)
    assert c.grant(0, MIB) == MIB  # all of it, though there is no room for a step beyond
    assert (ledger.granted(1), ledger.granted(2)) == (700_000 + a.step, MIB)
    a.keep(100)
    assert b.grant(0, 400_000) >= 400_000


def test_a_refused_one_is_as_before():
    ledger = Ledger(2)
    share = ledger.open(1, "alice", MIB)
    granted = share.grant(0, 1000)
    for size in (MIB, 2**50, 2**70):
        with pytest.raises(ResourceExhaustedError):
            share.grant(1000, size)
    assert ledger.granted(1) == granted


def test_a_quota_can_change_and_be_lifted():
    ledger = Ledger(2)
    share = ledger.open(1, "alice", MIB)
    share.grant(0, MIB)
    ledger.limit(1, MIB // 2)
    with pytest.raises(ResourceExhaustedError):
        share.grant(MIB, 1)
    ledger.limit(1, None)
    assert share.grant(MIB, 2**40) < UNLIMITED
    ledger.limit(2, 1)  # another's


def test_closed_shares_give_back_and_touch_nothing_after():
    ledger = Ledger(1)
    first = ledger.open(1, "alice", MIB)
    first.grant(0, MIB)
    with pytest.raises(ResourceExhaustedError):
        ledger.open(1, "alice", MIB)
    first.close()
    second = ledger.open(2, "bob", MIB)
    second.grant(0, 1000)
    before = ledger.cells.copy()
    first.close()
    first.keep(5)
    with pytest.raises(AbortedError):
        first.grant(0, 1)
    assert (ledger.cells == before).all()


def test_a_store_takes_in_steps_and_gives_back_between_frames():
    import numpy as np

    from protocol.dtypes import as_dtype
    from protocol.spec import Spec

    ledger = Ledger(2)
    store = Store(2 * MIB, ledger.open(1, "alice", 4 * MIB))
    other = Store(2 * MIB, ledger.open(1, "alice", 4 * MIB))
    step = 4 * MIB // 4096

    def put(store, tensor, size):
        store.charge(size)
        store.put(tensor, Value(np.zeros(size, np.uint8), Spec(as_dtype("uint8"), (size,)), Device("CPU:0")))

    put(store, 1, MIB)
    assert ledger.granted(1) == MIB + step
    put(store, 2, step)  # within what was granted
    assert ledger.granted(1) == MIB + step
    with pytest.raises(ResourceExhaustedError, match="in this session"):
        put(store, 3, MIB)
    put(other, 1, 2 * MIB)
    store.release(1)
    assert ledger.granted(1) > 3 * MIB  # not within a frame
    store.settle()
    assert store.granted == store.used + step and ledger.granted(1) == 2 * MIB + step + store.granted
    store.clear()
    assert ledger.granted(1) == 2 * MIB + step


@pytest.mark.skipif(os.name == "nt", reason="file descriptors are handed to a child")
def test_processes_together_never_have_more_than_the_token_may():
    ledger = Ledger(8)
    limit = 64 * MIB
    shares = [ledger.open(1, "alice", limit) for _ in range(3)]
    program = """
import sys
from protocol.errors import ResourceExhaustedError
from server.ledger import Ledger, Place, Share
fd, slot, serial = map(int, sys.argv[1:])
share, used, refused = Share(Ledger(8, fd), Place(slot, serial, "alice")), 0, 0
for n in range(3000):
    try:
        share.grant(used, 2**20)
        used += 2**20
    except ResourceExhaustedError:
        refused += 1
        used //= 2
        share.keep(used)
print(used, refused)
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-P", "-c", program, str(ledger.fd), str(s.place.slot), str(s.place.serial)],
            pass_fds=(ledger.fd,), stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        for s in shares
    ]  # fmt: skip
    most = 0
    while any(child.poll() is None for child in children):
        most = max(most, ledger.granted(1))
    ended = [tuple(map(int, child.communicate()[0].split())) for child in children]
    assert most > 0 and all(refused > 0 for _, refused in ended)
    assert sum(used for used, _ in ended) <= ledger.granted(1) <= limit
    # A process that is gone gives back what it held.
    shares[0].close()
    assert ledger.granted(1) == sum(int(ledger.cells[2, s.place.slot]) for s in shares[1:])


def test_a_share_is_made_anew_from_its_place():
    ledger = Ledger(4)
    share = ledger.open(7, "alice", MIB)
    again = Share(Ledger(4, ledger.fd), Place(*share.place))
    again.grant(0, 1000)
    assert ledger.granted(7) == 1000 + share.step
