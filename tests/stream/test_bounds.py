"""What a client can make a server keep is bounded: reads never taken, answers never read, errors' texts, tapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from protocol import dtypes, wire
from protocol.errors import MAX_MESSAGE
from protocol.wire import Item, Kind
from server.values import MAX_TEXTS
from tests.stream.raw import Raw, RawHttp, http
from tests.support import resident_bytes, serving, wait_until

EXHAUSTED, NOT_FOUND, BROKEN, INVALID = 8, 5, 65, 3
MIB = 2**20
LIMIT = 64 * MIB


@pytest.fixture(scope="module", params=["thread", "process"])
def server(request):
    with serving("--memory-limit", str(LIMIT), "--isolation", request.param, "--heartbeat", "60") as process:
        yield process


@pytest.fixture
def raw(server):
    with Raw(server) as client:
        yield client
    with http(server) as requests:
        requests.delete(f"/v1/sessions/{client.session}")


def megabytes(raw: Raw, tensor: int, count: int) -> None:
    """A tensor of so many MiB, made on the server."""
    raw.send([Item.BIND, 0, "fill"], [Item.BIND, 1, "negative"], [Item.CONST, 999, np.array(1, np.uint8)])
    raw.send([Item.RUN, 0, tensor, [999], {"dims": [count * MIB]}])


# --- reads that nobody takes -----------------------------------------------------------------------------------------


def test_pinned_reads_are_bounded_in_bytes(raw):
    megabytes(raw, 1, 16)
    raw.send(*[[Item.READ, read, 1] for read in range(6)])
    found = raw.replies(6)
    assert [item[0] for item in found] == [Item.PAYLOAD] * 4 + [Item.READ_FAILED] * 2
    assert found[4][2] == EXHAUSTED
    assert "67108864 pinned by reads that the client has not taken yet" in found[4][3]
    raw.send([Item.READ_DONE, 0], [Item.READ, 7, 1])
    assert raw.replies(1)[0][0] == Item.PAYLOAD


def test_a_read_of_many_counts_each_of_them(raw):
    megabytes(raw, 1, 16)
    raw.send([Item.READ_MANY, 1, [1] * 100_000], [Item.READ_MANY, 2, [1] * 4])
    refused, found = raw.replies(2)
    assert refused[0] == Item.READ_FAILED
    assert refused[2] == EXHAUSTED
    assert found[0] == Item.PAYLOADS


def test_pinned_reads_are_bounded_in_number_without_bytes(raw):
    raw.send([Item.CONST, 1, np.zeros(0, np.float32)])
    raw.send(*[[Item.READ_MANY, read, [1]] for read in range(4100)])
    found = raw.replies(4100)
    assert [item[0] for item in found] == [Item.PAYLOADS] * 4096 + [Item.READ_FAILED] * 4
    assert raw.ask([Item.SYNC, 9999])["tensors"] == 1


def test_a_read_number_used_again_counts_once(raw):
    megabytes(raw, 1, 16)
    raw.send(*[[Item.READ, 3, 1] for _ in range(10)])
    assert [item[0] for item in raw.replies(10)] == [Item.PAYLOAD] * 10
    raw.send([Item.READ, 3, 55], *[[Item.READ, read, 1] for read in range(10, 14)])
    failed, *found = raw.replies(5)
    assert failed[2] == NOT_FOUND
    assert [item[0] for item in found] == [Item.PAYLOAD] * 4


@pytest.mark.parametrize("read", [-1, "x" * 60000, None, 1.5, [1], b"x" * 100000], ids=lambda r: repr(r)[:8])
@pytest.mark.parametrize("kind", [Item.READ, Item.READ_MANY, Item.READ_DONE, Item.SYNC, Item.RECORDS])
def test_a_read_is_a_number(raw, kind, read):
    raw.send([kind, read, [1] if kind == Item.READ_MANY else 1][: 2 if kind in (Item.READ_DONE, Item.SYNC) else 3])
    assert raw.end()["code"] == BROKEN


def test_edges_are_an_inline_value_at_most(raw):
    raw.send([Item.BIND, 0, "fill"], [Item.CONST, 999, np.array(1, np.uint8)])
    raw.send([Item.RUN, 0, 1, [999], {"dims": [4 * MIB]}])
    raw.send([Item.READ, 1, 1, 600_000, 10], [Item.READ, 2, 1, 500_000, 10])
    refused, found = raw.replies(2)
    assert refused[0] == Item.READ_FAILED
    assert refused[2] == INVALID
    assert found[2].nbytes == 1_000_000
    assert found[3] == (4 * MIB,)


# --- answers that nobody reads ---------------------------------------------------------------------------------------


def test_one_frame_that_asks_for_far_more_than_memory_waits_for_its_reader(server):
    """30,000 reads of 1 MiB in 150 KB: they are answered while they are taken, and otherwise wait."""
    before = resident_bytes(server.pid)
    with Raw(server) as raw:
        raw.send([Item.CONST, 1, np.zeros(MIB - 64, np.uint8)])
        raw.send(*[[Item.READ, read, 1] for read in range(30_000)])
        with Raw(server) as other:
            for turn in range(1, 100):
                other.ask([Item.CONST, turn, np.zeros(1)], [Item.READ, turn, turn])
            other.frame(Kind.BYE)
        assert resident_bytes(server.pid) - before < 400 * MIB
        for _ in range(3):
            for _ in range(8):
                assert raw.receive() is not None
            raw.acknowledge()
        assert resident_bytes(server.pid) - before < 400 * MIB
    with http(server) as requests:
        requests.delete(f"/v1/sessions/{raw.session}")


def test_a_client_that_acknowledges_what_it_never_took_is_given_up(server):
    with RawHttp(server) as raw, http(server) as requests:

        def executed() -> int:
            return max(s["tensors"] for s in requests.get("/v1/status").json()["sessions"])

        raw.post(raw.next([Item.CONST, 1, np.zeros(MIB - 64, np.uint8)])).raise_for_status()
        for turn in range(1, 40):  # 8 MiB of answers each, of which nothing is polled
            pairs = [([Item.READ, i, 1], [Item.CONST, 2 + i, np.zeros(1)]) for i in range(8 * turn - 8, 8 * turn)]
            assert raw.post(raw.next(*[item for pair in pairs for item in pair])).status_code == 204
            wait_until(lambda turn=turn: executed() == 1 + 8 * turn)
            status = raw.post(wire.prefixed(wire.encode_frame(Kind.ACK, 0, 8 * turn, 0))).status_code
            if status != 204:
                break
        assert status == 409
        assert 16 <= turn <= 17, "128 MiB may wait"
        requests.delete(f"/v1/sessions/{raw.session}")


# --- texts of errors -------------------------------------------------------------------------------------------------


def test_a_huge_name_makes_no_huge_text(raw):
    raw.send([Item.BIND, 1, "negative"], [Item.CONST, 1, np.ones(3)])
    raw.send([Item.RUN, 1, 2, [1], None, "\x01" * 60_000], [Item.READ, 1, 2])
    failed, read = raw.replies(2)
    for item, text in ((failed, failed[3]), (read, read[3])):
        assert item[2] == INVALID
        assert len(text) <= MAX_MESSAGE
        assert text.startswith("Unknown device specification: '\\x01")
        assert "[Op:negative]" in text[-512:], "the end is kept: it says what failed, and on what"


def test_an_op_name_is_short(raw):
    raw.send([Item.BIND, 1, "x" * 256])
    raw.send([Item.BIND, 2, "x" * 257])
    refused = raw.end()
    assert refused["code"] == BROKEN
    assert len(refused["message"]) < 400


def test_what_ends_a_session_is_told_briefly(raw):
    raw.send([Item.CONST, b"x" * 4 * MIB, np.ones(1)])
    refused = raw.end()
    assert refused["code"] == BROKEN
    assert len(refused["message"]) <= MAX_MESSAGE


def test_a_deep_value_is_told_briefly(raw):
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    raw.send([Item.VARIABLE, deep])
    assert raw.end()["code"] == BROKEN


def test_texts_of_poisoned_values_are_bounded_together(raw):
    """Each failure tells its text; past the limit the values keep a short one."""
    raw.send([Item.BIND, 1, "negative"], [Item.CONST, 1, np.ones(3)])
    count = MAX_TEXTS // MAX_MESSAGE
    for start in range(2, 2 + count + 20, 100):
        raw.send(*[[Item.RUN, 1, out, [1], None, "x" * 6000] for out in range(start, start + 100)])
        assert all(len(item[3]) == MAX_MESSAGE for item in raw.replies(100))
    raw.send([Item.READ, 1, 2], [Item.READ, 2, start + 99])
    first, last = raw.replies(2)
    assert len(first[3]) == MAX_MESSAGE
    assert "not kept" in last[3]
    assert last[2] == INVALID
    raw.send([Item.RELEASE, list(range(2, start + 100))])
    raw.send([Item.RUN, 1, start + 100, [1], None, "x" * 6000], [Item.READ, 3, start + 100])
    assert [len(item[3]) for item in raw.replies(2)] == [MAX_MESSAGE] * 2


def test_failures_of_one_frame_come_in_frames_that_may_be_sent(raw):
    raw.send([Item.BIND, 1, "x" * 256], [Item.BIND, 2, "negative"], [Item.CONST, 1, np.ones(3)])
    raw.send(*[[Item.RUN, 2, 0, [1], None, "y" * 900] for _ in range(9000)])
    got = 0
    while got < 9000:
        frame = raw.receive()
        assert frame is not None
        assert len(frame.body) < wire.MAX_FRAME
        got += len(wire.unpack_items(frame)) if frame.kind == Kind.ITEMS else 0


# --- what stands beside the values -----------------------------------------------------------------------------------


def test_tapes_are_bounded(raw):
    """What an op leaves on each of many tapes is counted before anything is recorded."""
    tapes = list(range(2, 1002))
    raw.send([Item.BIND, 1, "add_n"], [Item.CONST, 1, np.ones((), np.float32)], *[[Item.TAPE, tape] for tape in tapes])
    raw.send([Item.RUN, 1, 0, [1] * 9000, None, None, tapes], [Item.RUN, 1, 5000, [1] * 3, None, None, tapes])
    failed = raw.replies(1)[0]
    assert failed[:3] == (Item.FAILED, 1003, EXHAUSTED)
    assert "tapes are full" in failed[3]
    raw.send([Item.GRADIENT, 2, [5000], [1], [6000]], [Item.READ, 1, 6000])
    assert raw.replies(1)[0][2] == 3


def test_tapes_give_back_what_they_recorded(raw):
    raw.send([Item.BIND, 1, "add_n"], [Item.CONST, 1, np.ones((), np.float32)])
    many = list(range(2, 402))
    for _ in range(3):
        raw.send(*[[Item.TAPE, tape] for tape in many])
        raw.send([Item.RUN, 1, 0, [1] * 9000, None, None, many], [Item.RELEASE, many])
    raw.send([Item.READ, 1, 1])
    assert raw.replies(1)[0][0] == Item.VALUE, "nothing failed"


@pytest.mark.parametrize("shape", [[1] * 33, {"1": 2}, b"\x02\x03", 3, [2**48, 2], [-1], [1.5], None], ids=repr)
@pytest.mark.parametrize("kind", [Item.UPLOAD, Item.LOAD])
def test_a_shape_is_a_short_array_of_sizes(raw, kind, shape):
    raw.send([kind, 1, *([5] if kind == Item.UPLOAD else ["a", 0]), dtypes.float32, shape])
    assert raw.end()["code"] == BROKEN


def test_an_upload_of_bools_is_0_or_1(server, raw):
    raw.send([Item.UPLOAD, 1, 5, dtypes.BY_NUMPY[np.dtype(bool)], [3]])
    with http(server) as requests:
        headers = {"content-range": "bytes 0-2/3"}
        requests.put(f"/v1/sessions/{raw.session}/uploads/5", content=b"\0\1\2", headers=headers).raise_for_status()
    raw.send([Item.READ, 1, 1])
    assert raw.end()["code"] == BROKEN


def test_a_frame_of_no_items_is_refused(raw):
    raw.frame(Kind.ITEMS, 1, 0, 0, 0, [])
    assert raw.end()["code"] == BROKEN


def test_the_session_works_beside_all_that(raw):
    assert wait_until(lambda: raw.ask([Item.SYNC, 1])["tensors"] == 0)
