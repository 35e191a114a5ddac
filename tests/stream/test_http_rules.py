"""What `protocol/README.md` says of HTTP: who may ask, the fallback for frames, and payloads up and down."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from websockets.exceptions import InvalidStatus

from protocol import wire
from protocol.wire import Deframer, Item, Kind, prefixed
from tests.stream.raw import Raw, RawHttp, http, new_session, open_socket
from tests.support import serving, wait_until

BIND, RELEASE, READ, RUN, CONST = wire.BIND, wire.RELEASE, wire.READ, wire.RUN, wire.CONST
ONES = np.ones(3, np.float32)
FLOAT = wire.dtypes.float32


@pytest.fixture(scope="module")
def server():
    with serving() as process:
        yield process


@pytest.fixture(scope="module")
def small():
    """A server whose sessions hold little, and that one web page may call."""
    with serving("--memory-limit", "4m", "--allow-origin", "https://tools.example.org") as process:
        yield process


@pytest.fixture
def web(server):
    with http(server) as client:
        yield client


def kind_of(frame):
    return wire.decode_frame(frame).kind


# --- who may ask -----------------------------------------------------------------------------------------------------


def both_ways(server, status, **headers):
    """That an HTTP request and a WebSocket handshake with these headers are answered `status`."""
    answer = httpx.get(f"{server.url}/v1/status", headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    with pytest.raises(InvalidStatus) as error, open_socket(server, new_session(server), additional_headers=headers):
        pass
    assert error.value.response.status_code == status
    return answer


@pytest.mark.parametrize("given", [None, "Bearer wrong", "Bearer", "Basic {}", "{}", "Bearer {}x"])
def test_a_token_is_needed(server, given):
    answer = both_ways(server, 401, **({} if given is None else {"Authorization": given.format(server.token)}))
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["code"] == 16


def test_a_token_beyond_ascii_is_wrong_like_any_other(server):
    answer = httpx.get(f"{server.url}/v1/status", headers={"Authorization": "Bearer \u00e9".encode("latin-1")})
    assert answer.status_code == 401


def test_health_needs_no_token(server):
    for path in ("/healthz", "/readyz"):
        assert httpx.get(server.url + path).status_code == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1", "null", "https://tools.example.org.evil.example"]
)
def test_a_foreign_origin_is_refused(small, origin):
    answer = both_ways(small, 403, Origin=origin, **small.headers)
    assert answer.json()["code"] == 7


def test_an_allowed_origin_passes(small):
    headers = {"Origin": "https://tools.example.org", **small.headers}
    assert httpx.get(f"{small.url}/v1/status", headers=headers).status_code == 200
    with open_socket(small, new_session(small), additional_headers=headers):
        pass


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "127.evil.example:80", "localhost.evil.example", "", "[::2]"]
)
def test_a_foreign_host_is_refused_on_loopback(web, host):
    answer = web.get("/v1/status", headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (403, 7)


@pytest.mark.parametrize("host", ["localhost", "LocalHost:80", "127.0.0.1", "127.1.2.3:9", "[::1]:80", "[::1]"])
def test_loopback_hosts_pass(web, host):
    assert web.get("/v1/status", headers={"Host": host}).status_code == 200


# --- frames over HTTP ------------------------------------------------------------------------------------------------


def test_the_exchange(server):
    with RawHttp(server) as client:
        assert client.welcome["expects"] == 1
        assert client.post(client.next([CONST, 1, ONES], [READ, 1, 1])).status_code == 204
        (item,) = client.replies(1)
        assert item[:2] == (Item.VALUE, 1)
        assert np.array_equal(item[2], ONES)


def test_frames_of_one_body_are_taken_in_order_and_duplicates_ignored(server):
    with RawHttp(server) as client:
        frames = [client.next([CONST, n, ONES * n]) for n in (1, 2)] + [client.next([READ, 1, 1], [READ, 2, 2])]
        assert client.post(frames[0] + frames[0] + frames[1] + frames[0] + frames[2]).status_code == 204
        assert client.post(frames[1]).status_code == 204
        assert [item[2][0] for item in client.replies(2)] == [1, 2]


def test_a_poll_waits_for_the_first_frame_and_no_longer_than_told(server):
    with RawHttp(server) as client:
        client.get(0.3)
        started = time.monotonic()
        assert client.get(0.3).content == b""
        assert 0.25 < time.monotonic() - started < 5
        later = threading.Timer(0.2, lambda: client.post(client.next([CONST, 1, ONES], [READ, 1, 1])))
        later.start()
        assert client.replies(1)[0][1] == 1
        assert time.monotonic() - started < 8
        later.join()


def test_a_poll_that_comes_twice_takes_nothing_from_the_client(server):
    """What is between may repeat a GET, of which nobody then gets the answer."""
    with RawHttp(server) as client, ThreadPoolExecutor(2) as pool:
        polls = [pool.submit(client.get, poll=1) for _ in range(2)]
        client.post(client.next([CONST, 1, ONES], [READ, 1, 1]))
        answers = {each.result().content for each in polls}
        assert len(answers) == 1 and answers != {b""}
        assert client.get(poll=1).content in answers  # when it was answered, too
        client.post(client.next([READ, 2, 1]))
        assert client.get(poll=2).content not in answers
        assert client.get(poll=1).status_code == 409  # nobody waits for that one any more


def test_a_read_that_is_not_executed_in_the_time_given_is_204(server):
    with Raw(server) as raw, http(server) as web:
        path = f"/v1/sessions/{raw.session}/reads/1"
        assert web.get(path, params={"wait": 0.1}).status_code == 204
        with ThreadPoolExecutor(2) as pool:  # one that gives up does not take the news from one that stays
            staying = pool.submit(web.get, path)
            assert web.get(path, params={"wait": 0.1}).status_code == 204
            large = np.arange(300_000, dtype=np.float32)
            answer = web.put(
                f"/v1/sessions/{raw.session}/uploads/1",
                content=large.tobytes(),
                headers={"content-range": f"bytes 0-{large.nbytes - 1}/{large.nbytes}"},
            )
            assert answer.status_code == 200
            raw.send([Item.UPLOAD, 1, 1, FLOAT, [300_000]], [READ, 1, 1])
            assert staying.result().content == large.tobytes()


def test_a_gap_is_409_and_costs_the_session_nothing(server):
    with RawHttp(server) as client:
        first, second = client.next([CONST, 1, ONES]), client.next([READ, 1, 1])
        answer = client.post(second)
        assert (answer.status_code, answer.json()["title"]) == (409, "SequenceGapError")
        with RawHttp(server, client.session) as again:
            assert again.welcome["expects"] == 1
            assert again.post(first + second).status_code == 204
            assert again.replies(1)[0][1] == 1


def test_a_body_that_ends_within_a_frame(server):
    with RawHttp(server) as client:
        first, second = client.next([CONST, 1, ONES]), client.next([READ, 1, 1])
        assert client.post(first + second[:-3]).status_code == 409
        assert client.post(second).status_code == 204  # the first was taken
        assert client.replies(1)[0][1] == 1


@pytest.mark.parametrize("newer", [RawHttp, Raw])
def test_the_newest_attachment_fences_the_older(server, newer):
    with RawHttp(server) as old:
        assert old.post(old.next([CONST, 1, ONES])).status_code == 204
        old.get(0.2)
        polled = []
        started = time.monotonic()
        poll = threading.Thread(target=lambda: polled.append(old.get(20)))
        poll.start()
        time.sleep(0.2)
        with newer(server, old.session, seq=1) as client:
            poll.join(10)
            assert time.monotonic() - started < 10, "the older one's poll is ended"
            assert polled[0].content == b""
            assert client.welcome["attachment"] == 2
            assert old.post(old.next([CONST, 2, ONES])).status_code == 409
            assert old.get().status_code == 409
            if newer is Raw:
                assert np.array_equal(client.ask([READ, 1, 1]), ONES)


def test_http_fences_a_websocket(server):
    with Raw(server) as old:
        old.send([CONST, 1, ONES])
        old.wait_done(1)
        with RawHttp(server, old.session, seq=1) as client:
            assert old.end() is None
            assert client.post(client.next([READ, 1, 1])).status_code == 204
            assert client.replies(1)[0][1] == 1


def test_answers_that_were_lost_come_again(server):
    with RawHttp(server) as client:
        client.post(client.next([CONST, 1, ONES], [READ, 1, 1]))
        client.replies(1)
        with RawHttp(server, client.session, seq=1) as again:
            assert [k for k in map(kind_of, again.first) if k != Kind.ACK] == [Kind.WELCOME, Kind.ITEMS]
        with RawHttp(server, client.session, seq=1, expects=2) as done:
            assert [k for k in map(kind_of, done.first) if k != Kind.ACK] == [Kind.WELCOME]


@pytest.mark.parametrize(
    "body",
    [
        b"", prefixed(b"") , b"\0\0", prefixed(wire.encode_frame(Kind.ACK, 0, 0, 0)), b"\xff" * 40,
        prefixed(wire.encode_frame(Kind.HELLO, 0, 0, 0, 0, wire.pack({"version": 2, "expects": 1}))),
        2 * prefixed(wire.encode_frame(Kind.HELLO, 0, 0, 0, 0, wire.pack({"version": 1, "expects": 1}))),
    ],
    ids=["nothing", "empty frame", "cut", "ack", "length", "version", "two"],
)  # fmt: skip
def test_a_connection_starts_with_hello_alone(server, web, body):
    session = new_session(server)
    answer = web.post(f"/v1/sessions/{session}/connections", content=body)
    assert (answer.status_code, answer.json()["code"]) == (400, 65)
    with RawHttp(server, session) as client:
        assert client.attachment == 1


def test_a_body_over_the_limit_is_refused(server):
    with RawHttp(server) as client:
        answer = client.post(b"\0" * (4 * wire.MAX_FRAME + 1))
        assert (answer.status_code, answer.json()["code"]) == (400, 65)
        assert client.post(client.next([CONST, 1, ONES], [READ, 1, 1])).status_code == 204
        assert client.replies(1)[0][1] == 1


def test_what_breaks_the_rules_ends_the_session(server):
    with RawHttp(server) as client:
        answer = client.post(prefixed(wire.encode_frame(99, 0, 0, 0)))
        assert (answer.status_code, answer.json()["code"]) == (400, 65)
        assert (client.get().status_code, client.get().json()["code"]) == (404, 64)
    with RawHttp(server) as client:
        assert client.post(client.next([RELEASE, [0]])).status_code == 204  # executed only then
        while (answer := client.get()).status_code == 200:
            assert set(map(kind_of, Deframer().feed(answer.content))) <= {Kind.ACK, Kind.REFUSED}
        assert (answer.status_code, answer.json()["code"]) == (404, 64)
        assert "release of 0" in answer.json()["detail"]


def test_bye_over_http(server):
    with RawHttp(server) as client:
        assert client.post(prefixed(wire.encode_frame(Kind.BYE, 0, 0, 0))).status_code == 204
        assert client.get().status_code == 404


@pytest.mark.parametrize("query", ["", "?attachment=x", "?attachment=1&wait=x", "?attachment=" + "9" * 5000])
def test_malformed_queries_are_refused(server, web, query):
    assert 400 <= web.get(f"/v1/sessions/{new_session(server)}/frames{query}").status_code < 500


@pytest.mark.parametrize("wait", ["nan", "inf", "-1"])
def test_odd_waits_are_bounded(server, wait):
    with RawHttp(server) as client:
        later = threading.Timer(0.3, lambda: client.post(client.next([CONST, 1, ONES], [READ, 1, 1])))
        later.start()
        assert client.http.get(f"{client.path}/frames?attachment=1&wait={wait}").status_code == 200
        later.join()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", ""), ("POST", "/connections"), ("POST", "/frames?attachment=1"), ("GET", "/frames?attachment=1"),
        ("PUT", "/uploads/1"), ("GET", "/uploads/1"), ("GET", "/reads/1"),
    ],
)  # fmt: skip
def test_unknown_sessions_are_404(web, method, path):
    answer = web.request(method, f"/v1/sessions/nobody{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, 64)
    assert answer.json()["title"] == "SessionLostError"


# --- payloads up -----------------------------------------------------------------------------------------------------

VALUES = np.arange(1000, dtype=np.float32)
DATA = VALUES.tobytes()


def put(web, session, number, content, announced):
    headers = {} if announced is None else {"Content-Range": announced}
    return web.put(f"/v1/sessions/{session}/uploads/{number}", content=content, headers=headers)


def received(web, session, number):
    return web.get(f"/v1/sessions/{session}/uploads/{number}").json()["received"]


@pytest.fixture
def raw(server):
    with Raw(server) as client:
        yield client


@pytest.mark.parametrize("declared", ["before", "between", "after"])
def test_an_upload_in_pieces(raw, web, declared):
    mark = [[Item.UPLOAD, 1, 7, FLOAT, [10, 100]], [READ, 1, 1]]
    if declared == "before":
        raw.send(*mark)
    assert received(web, raw.session, 7) == 0
    assert put(web, raw.session, 7, DATA[:1500], "bytes 0-1499/4000").json() == {"received": 1500}
    assert received(web, raw.session, 7) == 1500
    if declared == "between":
        raw.send(*mark)
    assert put(web, raw.session, 7, DATA[1000:2000], "bytes 1000-1999/4000").json() == {"received": 2000}, "an overlap"
    assert put(web, raw.session, 7, DATA[:500], "bytes 0-499/4000").json() == {"received": 2000}, "all of it known"
    assert put(web, raw.session, 7, DATA[2000:], "bytes 2000-3999/4000").json() == {"received": 4000}
    if declared == "after":
        raw.send(*mark)
    np.testing.assert_array_equal(raw.replies(1)[0][2], VALUES.reshape(10, 100))


def test_an_upload_that_is_over_can_be_put_again(raw, web):
    """The client may have missed the answer to its PUT: the repetition must neither fail nor hold memory."""
    put(web, raw.session, 1, DATA, "bytes 0-3999/4000")
    assert np.array_equal(raw.ask([Item.UPLOAD, 1, 1, FLOAT, [1000]], [READ, 1, 1]), VALUES)
    assert received(web, raw.session, 1) == 4000
    for content, announced in (
        (DATA, "bytes 0-3999/4000"),
        (DATA[100:], "bytes 100-3999/4000"),
        (b"", "bytes 4000-3999/4000"),
    ):
        assert put(web, raw.session, 1, content, announced).json() == {"received": 4000}
    assert np.array_equal(raw.ask([READ, 2, 1]), VALUES)
    raw.send([Item.UPLOAD, 2, 1, FLOAT, [1000]])
    assert "declared twice" in raw.end()["message"]


@pytest.mark.parametrize(
    ("length", "announced"),
    [
        (4000, None), (4000, "0-3999/4000"), (4000, "bytes 0-3999/*"), (4000, "bytes */4000"),
        (4000, "bytes -1-3999/4000"),
        (4000, "bytes 0-3999/" + "9" * 30), (4000, "bytes 0-" + "9" * 5000 + "/4000"), (10, "bytes 5-14/4000"),
        (4001, "bytes 0-4000/4000"), (4000, "bytes 0-99/4000"), (4001, "bytes 0-3999/4000"),
        (4000, "bytes 0-3999/3999"),
        (4000, "bytes 0-3999/4000, bytes 0-1/2"),
    ],
    ids=lambda x: str(x)[:20],
)  # fmt: skip
def test_wrong_ranges_are_refused(raw, web, length, announced):
    answer = put(web, raw.session, 1, (DATA + b"\0")[:length], announced)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    raw.send([CONST, 9, ONES], [READ, 9, 9])
    assert raw.replies(1)[0][1] == 9


def test_another_total_is_refused(raw, web):
    put(web, raw.session, 1, DATA[:10], "bytes 0-9/4000")
    answer = put(web, raw.session, 1, DATA[10:20], "bytes 10-19/3999")
    assert (answer.status_code, answer.json()["detail"]) == (400, "upload 1 has 4000 bytes, not 3999")
    raw.send([Item.UPLOAD, 1, 1, FLOAT, [999]])
    assert "another size" in raw.end()["message"]


@pytest.mark.parametrize("number", ["-1", "x", "1.5", "9" * 5000])
def test_malformed_upload_numbers_are_refused(raw, web, number):
    assert put(web, raw.session, number, DATA, "bytes 0-3999/4000").status_code in (400, 422)


def test_uploads_are_a_sessions_own(server, raw, web):
    put(web, raw.session, 1, DATA, "bytes 0-3999/4000")
    with Raw(server) as other:
        assert received(web, other.session, 1) == 0


def test_undeclared_bytes_are_bounded_and_room_comes_back(small):
    part = DATA[:4]
    with Raw(small) as raw, http(small) as web:
        assert put(web, raw.session, 1, part, f"bytes 0-3/{3 * 2**20}").status_code == 200
        answer = put(web, raw.session, 2, part, f"bytes 0-3/{2 * 2**20}")
        assert (answer.status_code, answer.json()["code"]) == (507, 8)
        raw.send([Item.UPLOAD, 1, 1, FLOAT, [3 * 2**18]])
        raw.wait_done(1)
        assert put(web, raw.session, 2, part, f"bytes 0-3/{2 * 2**20}").status_code == 200
        raw.send([Item.UPLOAD, 2, 2, FLOAT, [2**19]])  # 3 MB and 2 MB are over the session's 4
        assert raw.replies(1)[0][:3] == (Item.FAILED, 2, 8)
        raw.send([RELEASE, [1]], [Item.SYNC, 1])
        assert raw.replies(1)[0][2]["bytes"] == 0
        assert put(web, raw.session, 3, part, f"bytes 0-3/{4 * 2**20}").status_code == 200


def test_an_upload_the_session_has_no_room_for_fails_its_item_and_ends_the_put(small):
    size = 64 * 2**20
    with Raw(small) as raw, http(small) as web:
        assert put(web, raw.session, 1, DATA, f"bytes 0-3999/{size}").status_code == 507
        raw.send([BIND, 0, "negative"], [Item.UPLOAD, 1, 1, FLOAT, [size // 4]], [RUN, 0, 2, [1]], [READ, 1, 2])
        failed, read = raw.replies(2)
        assert failed[:3] == (Item.FAILED, 2, 8)
        assert read[:3] == (Item.READ_FAILED, 1, 8)
        assert put(web, raw.session, 1, DATA, f"bytes 0-3999/{size}").json() == {"received": size}, (
            "nothing more to send"
        )


def test_uploads_released_unread_free_their_memory(server, web):
    size = 16 * 2**20
    with Raw(server) as raw:
        put(web, raw.session, 1, b"\1" * size, f"bytes 0-{size - 1}/{size}")
        raw.send([Item.UPLOAD, 1, 1, wire.dtypes.uint8, [size]], [RELEASE, [1]], [Item.SYNC, 1])
        assert raw.replies(1)[0][2]["bytes"] == 0
        before = server.resident_bytes()
        for number in range(2, 12):
            put(web, raw.session, number, b"\1" * size, f"bytes 0-{size - 1}/{size}")
            raw.send([Item.UPLOAD, number, number, wire.dtypes.uint8, [size]], [RELEASE, [number]], [Item.SYNC, number])
            raw.replies(1)
        assert server.resident_bytes() - before < 4 * size


# --- payloads down ---------------------------------------------------------------------------------------------------

LARGE = np.arange(2**19, dtype=np.float32)  # 2 MB


@pytest.fixture
def large(raw, web):
    """A session with a value over the inline limit, tensor 1."""
    put(web, raw.session, 1, LARGE.tobytes(), f"bytes 0-{LARGE.nbytes - 1}/{LARGE.nbytes}")
    raw.send([Item.UPLOAD, 1, 1, FLOAT, [2**10, 2**9]])
    return raw


def get(web, session, number, span=None):
    headers = {} if span is None else {"Range": span}
    return web.get(f"/v1/sessions/{session}/reads/{number}", headers=headers)


def test_a_large_value_and_parts_of_it(large, web):
    large.send([READ, 5, 1])
    assert large.replies(1)[0] == (Item.PAYLOAD, 5, FLOAT, (2**10, 2**9))
    whole = get(web, large.session, 5)
    assert whole.status_code == 200
    assert whole.content == LARGE.tobytes()
    assert whole.headers["content-length"] == str(LARGE.nbytes)
    for start in (0, 1, 2**20, LARGE.nbytes - 1):
        part = get(web, large.session, 5, f"bytes={start}-")
        assert part.content == LARGE.tobytes()[start:]
        assert part.status_code == (206 if start else 200)
        if start:
            assert part.headers["content-range"] == f"bytes {start}-{LARGE.nbytes - 1}/{LARGE.nbytes}"


@pytest.mark.parametrize(
    "span", ["bytes=0-5", "bytes=-5", "bytes=5000000-", "items=0-", "bytes=0-,5-", "bytes=" + "9" * 5000 + "-"]
)
def test_other_ranges_are_refused(large, web, span):
    large.send([READ, 5, 1])
    answer = get(web, large.session, 5, span)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


def test_a_get_may_come_before_its_read(large, web):
    found = []
    early = threading.Thread(target=lambda: found.append(get(web, large.session, 6)))
    early.start()
    time.sleep(0.2)
    assert not found
    large.send([READ, 6, 1])
    early.join(10)
    assert found[0].content == LARGE.tobytes()


@pytest.mark.parametrize("order", ["read first", "get first"])
def test_a_read_that_failed_has_no_payload(raw, web, order):
    found = []
    early = threading.Thread(target=lambda: found.append(get(web, raw.session, 6)))
    if order == "get first":
        early.start()
        time.sleep(0.2)
    raw.send([READ, 6, 99])
    assert raw.replies(1)[0][0] == Item.READ_FAILED
    if order == "read first":
        early.start()
    early.join(10)
    assert (found[0].status_code, found[0].json()["code"]) == (404, 5)


def test_a_read_pins_its_value_until_it_is_done(large, web):
    large.send([READ, 5, 1], [RELEASE, [1]])
    large.replies(1)
    assert get(web, large.session, 5).content == LARGE.tobytes()
    large.send([Item.READ_DONE, 5])
    late = threading.Thread(target=lambda: get(web, large.session, 5), daemon=True)
    late.start()
    late.join(0.3)
    assert late.is_alive(), "there is no such read (any more): the answer waits for one"
    with http(large.server) as other:
        other.delete(f"/v1/sessions/{large.session}")
    late.join(10)
    assert not late.is_alive(), "the end of the session ends the wait"


def test_the_end_of_a_session_ends_gets_that_wait(server, web):
    session = new_session(server)
    found = []
    waiting = threading.Thread(target=lambda: found.append(get(web, session, 1)))
    waiting.start()
    time.sleep(0.2)
    with http(server) as other:
        assert other.delete(f"/v1/sessions/{session}").status_code == 204
    waiting.join(10)
    assert found[0].status_code == 404


def test_status_counts_sessions(server, web):
    def mine():
        return min(web.get("/v1/status").json()["sessions"], key=lambda s: s["age"])  # the newest

    with Raw(server) as raw:
        raw.send([CONST, 1, ONES])
        raw.wait_done(1)
        assert mine()["attached"]
        assert (mine()["tensors"], mine()["bytes"], mine()["peak_bytes"]) == (1, ONES.nbytes, ONES.nbytes)
        assert mine()["detached"] is None and mine()["age"] < 60
    wait_until(lambda: not mine()["attached"])
    assert 0 <= mine()["detached"] <= mine()["age"]


def test_status_tells_limits_and_names_no_session(server, web):
    with Raw(server) as raw:
        text = web.get("/v1/status").text
    assert raw.session[:8] not in text and server.token not in text
    found = web.get("/v1/status").json()
    assert found["limits"]["sessions"] == 64 and found["limits"]["session_ttl"] == 1800
    assert found["limits"]["session_bytes"] > 0
