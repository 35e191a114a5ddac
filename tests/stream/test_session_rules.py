"""The session rules of `protocol/README.md`, kept by a real server against clients that break them."""

import contextlib
import time

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from protocol import wire
from protocol.stream import DEFAULT_CREDIT
from protocol.wire import Item, Kind
from tests.stream.raw import Raw, answers_welcome, http, new_session
from tests.support import serving, wait_until

BIND, RELEASE, READ, RUN, CONST = wire.BIND, wire.RELEASE, wire.READ, wire.RUN, wire.CONST
LOST, BROKEN, CANCELLED, NOT_FOUND = 64, 65, 1, 5

ONES = np.ones(3, np.float32)


@pytest.fixture(scope="module")
def server():
    with serving() as process:
        yield process


@pytest.fixture(scope="module")
def hasty():
    """A server that soon loses patience."""
    with serving("--heartbeat", "0.2", "--session-ttl", "0.5") as process:
        yield process


@pytest.fixture
def raw(server):
    with Raw(server) as client:
        yield client


def works(client, tensor: int = 1000) -> bool:
    """Whether a constant comes back."""
    return np.array_equal(client.ask([CONST, tensor, ONES], [READ, tensor, tensor]), ONES)


# --- attaching -------------------------------------------------------------------------------------------------------


def test_welcome_says_what_the_client_has_to_know(raw):
    said = dict(raw.welcome)
    assert said.pop("server")
    assert said == {
        "version": wire.VERSION, "expects": 1, "credit": tuple(DEFAULT_CREDIT), "heartbeat": 10.0,
        "attachment": 1, "devices": ("CPU:0",), "settings": ("check_numerics", "profile"),
    }  # fmt: skip
    assert works(raw)


def test_an_unknown_session_is_refused(server):
    with Raw(server, "nobody") as client:
        refused = client.end()
    assert refused["code"] == LOST
    assert "does not know this session" in refused["message"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (Kind.HELLO, {"version": wire.VERSION + 1, "expects": 1}),
        (Kind.HELLO, {"expects": 1}),
        (Kind.HELLO, {"version": wire.VERSION}),
        (Kind.HELLO, {"version": wire.VERSION, "expects": "1"}),
        (Kind.HELLO, {"version": wire.VERSION, "expects": 0}),
        (Kind.HELLO, {"version": wire.VERSION, "expects": 2}),
        (Kind.HELLO, {"version": wire.VERSION, "expects": 2**64 - 1}),
        (Kind.HELLO, [1]),
        (Kind.HELLO, b"\xc1"),
        (Kind.ACK, None),
        (99, None),
    ],
    ids=str,
)
def test_a_bad_first_frame_is_refused_and_costs_the_session_nothing(server, kind, body):
    from tests.stream.raw import open_socket

    with Raw(server) as before:
        before.send([CONST, 1, ONES])
        before.wait_done(1)
    data = body if isinstance(body, bytes) else b"" if body is None else wire.pack(body)
    with open_socket(server, before.session) as socket:
        socket.send(wire.encode_frame(kind, 0, 0, 0, 0, data))
        answer = wire.decode_frame(socket.recv(timeout=5))
        assert answer.kind == Kind.REFUSED
        assert wire.unpack_map(answer)["code"] == BROKEN
    with Raw(server, before.session, seq=1) as after:
        assert np.array_equal(after.ask([READ, 1, 1]), ONES)


def test_the_version_refused_is_named(server):
    from tests.stream.raw import open_socket

    with open_socket(server, new_session(server)) as socket:
        socket.send(wire.encode_frame(Kind.HELLO, 0, 0, 0, 0, wire.pack({"version": 7, "expects": 1})))
        said = wire.unpack_map(wire.decode_frame(socket.recv(timeout=5)))
    assert said["message"] == f"the client speaks protocol version 7, this server {wire.VERSION}"


def test_unknown_keys_of_a_hello_are_ignored(server):
    from tests.stream.raw import open_socket

    with open_socket(server, new_session(server)) as socket:
        socket.send(
            wire.encode_frame(Kind.HELLO, 0, 0, 0, 0, wire.pack({"version": wire.VERSION, "expects": 1, "new": [1]}))
        )
        assert wire.decode_frame(socket.recv(timeout=5)).kind == Kind.WELCOME


def test_the_newest_attachment_fences_the_older(raw, server):
    raw.send([CONST, 1, ONES])
    raw.wait_done(1)
    with Raw(server, raw.session, seq=1) as newer:
        assert newer.welcome["attachment"] == 2
        assert newer.welcome["expects"] == 2
        assert raw.end() is None
        assert raw.socket.close_reason == "another connection took over"
        assert np.array_equal(newer.ask([READ, 1, 1]), ONES)


def test_a_session_survives_its_connection_and_answers_are_sent_again(server):
    with Raw(server) as first:
        assert np.array_equal(first.ask([CONST, 1, ONES], [READ, 1, 1]), ONES)
    with Raw(server, first.session, seq=1, expects=1) as again:  # the answer was received, but never acknowledged
        assert again.welcome["expects"] == 2
        (item,) = again.replies(1)
        assert item[:2] == (Item.VALUE, 1)
        assert again.received == 1
        again.acknowledge()
        assert works(again)  # the server has taken the acknowledgement, which stands before
    with Raw(server, first.session, seq=2, expects=1) as forgetful:
        assert forgetful.end()["code"] == BROKEN  # it had said that it has frame 1
    with Raw(server, first.session, seq=2, expects=2) as fine:
        assert fine.replies(1)[0][:2] == (Item.VALUE, 1000)


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_a_duplicate_frame_is_ignored(raw):
    for _ in range(3):
        raw.frame(Kind.ITEMS, 1, 0, 0, 1, [[CONST, 1, ONES]])  # twice the id would break the session
    raw.seq = 1
    assert np.array_equal(raw.ask([READ, 1, 1]), ONES)


def test_a_gap_closes_the_connection_and_not_the_session(raw, server):
    raw.send([CONST, 1, ONES])
    raw.seq += 1
    raw.send([CONST, 3, ONES])
    assert "frame 3 came where 2 was expected" in raw.end()["message"]
    with Raw(server, raw.session, seq=1) as again:
        assert again.welcome["expects"] == 2
        assert np.array_equal(again.ask([READ, 1, 1]), ONES)


@pytest.mark.parametrize(
    "frame",
    [
        wire.encode_frame(Kind.ACK, 0, 1, 0),
        wire.encode_frame(Kind.ACK, 0, 0, 1),
        wire.encode_frame(Kind.ACK, 5, 0, 0),
        wire.encode_frame(Kind.ITEMS, 0, 0, 0, 1, wire.pack([[RELEASE, []]])),
        wire.encode_frame(Kind.WELCOME, 0, 0, 0, 0, wire.pack({})),
        wire.encode_frame(Kind.CANCEL, 0, 0, 0, 0, wire.pack("all")),
        wire.encode_frame(Kind.CANCEL, 0, 0, 0, 0, b"\xc1"),
        wire.encode_frame(200, 0, 0, 0),
        b"\x02" * 28,
        b"",
        wire.encode_frame(Kind.ITEMS, 1, 0, 0, 1, b"\0" * (wire.MAX_FRAME - 28)),
    ],
    ids=["taken", "done", "numbered ack", "items unnumbered", "welcome", "cancel what", "cancel malformed", "kind",
         "short", "empty", "a byte too long"],
)  # fmt: skip
def test_a_malformed_frame_ends_only_its_session(raw, server, frame):
    with Raw(server) as other:
        assert works(other)
        raw.socket.send(frame)
        assert raw.end()["code"] == BROKEN
        assert not raw.alive
        assert works(other, 1001)


def test_a_message_beyond_any_frame_closes_the_connection_unread(raw):
    with contextlib.suppress(ConnectionClosed):  # the server may close before all is written
        raw.socket.send(b"\x01" * (wire.MAX_FRAME + 4096))
    assert raw.end() is None
    assert raw.socket.close_code in (1009, 1006)  # the latter where the close frame is lost with the rest
    assert raw.alive


def test_a_text_message_closes_the_connection(raw):
    raw.socket.send("hello")
    assert "frames are binary" in raw.end()["message"]
    assert raw.alive


# --- items -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "item",
    [
        [99], [Item.VALUE, 1, ONES], ["RUN"], [], [RUN], [RUN, 0, 1, []], [BIND, 0], [BIND, "a", "b"], [BIND, 1, 2],
        [RELEASE, ["x"]], [RELEASE, [0]], [RELEASE, 5], [RELEASE, [[1]]], [READ], [READ, 1],
        [CONST, 1], [CONST, 1, 2.5],
        [CONST, 0, ONES],
        [CONST, -1, ONES], [CONST, "a", ONES], [CONST, True, ONES], [Item.UPLOAD, 1, 1, "float32", [2]],
        [Item.UPLOAD, 1, 1, wire.dtypes.float32, [-2]], [Item.UPLOAD, 1, 1, wire.dtypes.float32, [2**40, 2**40]],
        [Item.UPLOAD, 1, -1, wire.dtypes.float32, [2]], [Item.UPLOAD, 1, 1, wire.dtypes.float32, 2],
        [Item.VARIABLE, 1], [Item.VARIABLE, 1, "x"], [Item.CLEAR], [Item.CLEAR, "x"], [Item.SYNC], [Item.READ_DONE],
        [Item.TAPE], [Item.TAPE, "x"], [Item.TAPE, 5], [Item.GRADIENT, 5], [Item.GRADIENT, 5, [5], [5], [6]],
        [Item.GRADIENT, 6, [5], [5], []], [Item.GRADIENT, 9, 5, [5], [6]],
        [Item.GRADIENT, 9, [5], [5], [6], [None, None]],
    ],
    ids=lambda item: " ".join(str(x)[:12] for x in item),
)  # fmt: skip
def test_a_malformed_item_ends_only_its_session(raw, server, item):
    with Raw(server) as other:
        raw.send([CONST, 5, ONES], item)
        assert raw.end()["code"] == BROKEN
        assert works(other)
    with Raw(server, raw.session, seq=1) as again:
        refused = again.end()
    assert refused["code"] == LOST
    assert ": " in refused["message"], "the reason is told again"


def test_an_id_may_not_be_given_twice(raw):
    raw.send([CONST, 1, ONES], [CONST, 1, ONES])
    assert "1 is no new tensor id" in raw.end()["message"]


def test_the_count_of_items_must_be_the_headers(raw):
    raw.frame(Kind.ITEMS, 1, 0, 0, 2, [[CONST, 1, ONES]])
    assert raw.end()["code"] == BROKEN


def test_an_unknown_op_fails_alone_by_name(raw):
    raw.send(
        [BIND, 0, "no_such_op"], [BIND, 1, "negative"], [CONST, 1, ONES], [RUN, 0, 2, [1], {"a": 1}], [RUN, 1, 3, [1]],
        [READ, 1, 2], [READ, 2, 3],
    )  # fmt: skip
    failed, first, second = raw.replies(3)
    assert failed[:3] == (Item.FAILED, 4, NOT_FOUND)
    assert "no_such_op" in failed[3]
    assert failed[4] == "no_such_op"
    assert first[:3] == (Item.READ_FAILED, 1, NOT_FOUND)
    assert first[4:] == ("no_such_op", 4)
    assert np.array_equal(second[2], -ONES)


def test_unknown_operands_fail_their_op_alone(raw):
    raw.send([BIND, 0, "add"], [CONST, 1, ONES], [RUN, 0, 2, [1, 99]], [RUN, 0, 3, [1, 1]], [READ, 1, 3])
    failed, value = raw.replies(2)
    assert failed[:3] == (Item.FAILED, 3, NOT_FOUND)
    assert "99" in failed[3]
    assert np.array_equal(value[2], ONES + ONES)


def test_a_read_of_an_unknown_id_is_answered(raw):
    raw.send([READ, 1, 99])
    ((kind, read, code, message, _, item),) = raw.replies(1)
    assert (kind, read, code, item) == (Item.READ_FAILED, 1, NOT_FOUND, 1)
    assert "99" in message
    assert works(raw)


def test_a_release_of_what_is_not_there_is_passed_over(raw):
    before = raw.ask([Item.SYNC, 1])
    after = raw.ask([CONST, 1, ONES], [RELEASE, [1]], [RELEASE, [1, 77]], [Item.SYNC, 2])
    assert (before["tensors"], before["bytes"]) == (after["tensors"], after["bytes"])


def test_releases_free(raw):
    before = raw.ask([Item.SYNC, 1])
    held = raw.ask([CONST, 1, ONES], [Item.SYNC, 2])
    after = raw.ask([RELEASE, [1]], [Item.SYNC, 3])
    assert (held["tensors"], held["bytes"]) == (before["tensors"] + 1, before["bytes"] + ONES.nbytes)
    assert (after["tensors"], after["bytes"]) == (before["tensors"], before["bytes"])


def test_results_nobody_wants_are_not_kept(raw):
    report = raw.ask([BIND, 0, "negative"], [CONST, 1, ONES], [RUN, 0, 0, [1]], [Item.SYNC, 1])
    assert (report["tensors"], report["ops"]) == (1, 1)


def test_edges_of_a_large_value(raw):
    values = np.arange(4000, dtype=np.int32).reshape(40, 100)
    raw.send([CONST, 1, values], [READ, 1, 1, 2, 1000], [READ, 2, 1, 2, 4000])
    edges, whole = raw.replies(2)
    picked = np.r_[0, 1, 38, 39], np.r_[0, 1, 98, 99]
    np.testing.assert_array_equal(edges[2], values[np.ix_(*picked)])
    assert edges[3] == values.shape
    np.testing.assert_array_equal(whole[2], values)


def test_effects_are_skipped_after_a_failure_until_it_was_seen(raw):
    raw.send([BIND, 0, "assign_add"], [BIND, 1, "no_such_op"], [CONST, 1, ONES], [Item.VARIABLE, 2, 1], [RUN, 1, 0, []])
    assert raw.replies(1)[0][:2] == (Item.FAILED, 5)
    raw.send([RUN, 0, 3, [2, 1]], [READ, 1, 2], [READ, 2, 3])
    unchanged, skipped = raw.replies(2)
    assert np.array_equal(unchanged[2], ONES)
    assert skipped[:3] == (Item.READ_FAILED, 2, 10)
    assert np.array_equal(raw.ask([Item.CLEAR, 4], [RUN, 0, 0, [2, 1]], [READ, 3, 2]), ONES), (
        "an older one clears nothing"
    )
    assert np.array_equal(raw.ask([Item.CLEAR, 5], [RUN, 0, 0, [2, 1]], [READ, 4, 2]), ONES + ONES)


# --- flow ------------------------------------------------------------------------------------------------------------


def block(client) -> list[list]:
    """Items of which the last waits for a payload, and so holds the session up."""
    return [[BIND, 900, "negative"], [Item.UPLOAD, 900, 900, wire.dtypes.float32, [1]], [RUN, 900, 901, [900]]]


def unblock(server, client) -> None:
    with http(server) as web:
        path = f"/v1/sessions/{client.session}/uploads/900"
        assert web.put(path, content=b"\0" * 4, headers={"Content-Range": "bytes 0-3/4"}).status_code == 200


def test_more_items_than_the_credit_are_refused(raw):
    raw.send(*[[RELEASE, []]] * (DEFAULT_CREDIT.items + 1))
    assert f"more than {DEFAULT_CREDIT.items} items sent and not done" in raw.end()["message"]
    assert not raw.alive


def test_more_bytes_than_the_credit_are_refused(raw):
    raw.send(*block(raw))
    filler = [RUN, 900, 0, [np.zeros(wire.MAX_FRAME - 200, np.uint8)]]
    for _ in range(DEFAULT_CREDIT.bytes // wire.MAX_FRAME + 1):
        raw.send(filler)
    assert f"more than {DEFAULT_CREDIT.bytes} bytes sent and not done" in raw.end()["message"]


def test_items_done_give_credit_back(raw):
    half = DEFAULT_CREDIT.items // 2 + 1
    done = 0
    for _ in range(4):
        raw.send(*[[RELEASE, []]] * half)
        done += half
        raw.wait_done(done)
    assert works(raw)


def test_cancel_drops_what_is_queued(raw, server):
    raw.send([CONST, 1, ONES], [READ, 1, 1], *block(raw))
    assert raw.replies(1)[0][0] == Item.VALUE  # from here on the executor is at the op that waits
    raw.send(
        [RUN, 900, 2, [1]], [READ, 2, 2], [READ, 3, 1], [BIND, 1, "add"], [CONST, 3, ONES], [RELEASE, [1]],
        [Item.SYNC, 4],
    )  # fmt: skip
    raw.frame(Kind.CANCEL, body=12)
    raw.send([READ, 5, 2], [RUN, 1, 4, [3, 3]], [READ, 6, 4])
    time.sleep(0.05)
    unblock(server, raw)
    replies = {item[1]: item for item in raw.replies(5)}
    assert [replies[n][:3] for n in (2, 3, 5)] == [(Item.READ_FAILED, n, CANCELLED) for n in (2, 3, 5)]
    assert replies[4][0] == Item.REPORT
    assert np.array_equal(replies[6][2], ONES + ONES), "what came after the cancel's number runs"


def test_cancel_of_what_has_run_does_nothing(raw):
    raw.send([CONST, 1, ONES])
    raw.wait_done(1)
    raw.frame(Kind.CANCEL, body=2**60)  # beyond what was sent: nothing of the future is meant
    raw.send([READ, 1, 1])
    assert np.array_equal(raw.replies(1)[0][2], ONES)


def test_a_session_that_waits_for_a_payload_can_be_ended(raw, server):
    raw.send(*block(raw))
    with http(server) as web:
        assert web.delete(f"/v1/sessions/{raw.session}").status_code == 204
        assert raw.end() is None
        assert web.get("/healthz").status_code == 200
    assert not raw.alive


# --- heartbeat and lease ---------------------------------------------------------------------------------------------


def test_an_idle_connection_hears_the_heartbeat(hasty):
    with Raw(hasty) as client:
        assert client.welcome["heartbeat"] == 0.2
        started = time.monotonic()
        for _ in range(5):
            frame = client.receive(2.0)
            assert frame.kind == Kind.ACK
            client.acknowledge()
        assert 0.5 < time.monotonic() - started < 5
        assert works(client)


def test_a_silent_client_is_detached_and_its_session_freed_after_its_lease(hasty):
    with Raw(hasty) as client:
        started = time.monotonic()
        assert client.end() is None
        assert client.socket.close_reason == "no sign of life"
        assert time.monotonic() - started >= 0.6
    assert answers_welcome(hasty, client.session)
    wait_until(lambda: not answers_welcome(hasty, client.session), 5)


def test_a_session_never_attached_is_freed_too(hasty):
    session = new_session(hasty)
    assert answers_welcome(hasty, session)
    wait_until(lambda: not answers_welcome(hasty, session), 5)


def test_an_attached_session_outlives_its_lease(hasty):
    with Raw(hasty) as client:
        for _ in range(8):
            client.acknowledge()
            time.sleep(0.15)
        assert works(client)


def test_bye_frees_the_session(raw, server):
    raw.send([CONST, 1, ONES])
    with http(server) as web:
        before = len(web.get("/v1/status").json()["sessions"])
        raw.frame(Kind.BYE)
        assert raw.end() is None
        assert not raw.alive
        assert len(web.get("/v1/status").json()["sessions"]) == before - 1
        answer = web.delete(f"/v1/sessions/{raw.session}")
    assert (answer.status_code, answer.json()["code"]) == (404, LOST)


def test_a_full_server_evicts_detached_sessions_and_refuses_beyond():
    with serving("--max-sessions", "2") as full, http(full) as web, Raw(full) as first:
        oldest, newest = new_session(full), new_session(full)
        assert not answers_welcome(full, oldest)
        assert answers_welcome(full, newest)
        with Raw(full, newest):
            answer = web.post("/v1/sessions")
            assert (answer.status_code, answer.json()["code"]) == (507, 8)
            assert answer.headers["content-type"] == "application/problem+json"
            assert works(first)
