"""Two tokens cannot see, read, name or exhaust each other's things: real servers, asked by one about another's."""

import re
from types import SimpleNamespace

import httpx
import numpy as np
import pytest

from client.command import main as telegrad
from protocol import wire
from protocol.dtypes import as_dtype
from protocol.errors import ResourceExhaustedError
from protocol.wire import Item
from server.access import ACCOUNT
from server.api.bodies import Held
from tests.server.owners import owners
from tests.stream.raw import Raw, http, new_session
from tests.support import serving, wait_until

CONST, READ, RELEASE, RUN, BIND = Item.CONST, Item.READ, Item.RELEASE, Item.RUN, Item.BIND
BYTE = as_dtype("uint8")
ONES = np.ones(3, np.float32)
NOT_FOUND, INVALID, EXHAUSTED = 5, 3, 8
KIB, MIB = 1024, 2**20
FLOAT = as_dtype("float32")


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    with owners(tmp_path_factory.mktemp("two"), alice={}, bob={"max_sessions": 4}) as found:
        yield found


# --- sessions, reads, uploads ----------------------------------------------------------------------------------------


def session_routes(seen):
    """Every request there is about a session, as (method, path with {id})."""
    answer = httpx.get(f"{seen.url}/openapi.json", headers=seen.headers).json()
    for path, methods in answer["paths"].items():
        if "{identifier}" in path:
            known = path.replace("{identifier}", "{id}")
            yield from ((method.upper(), re.sub(r"\{(?!id\})\w+\}", "1", known)) for method in methods)


def test_anothers_session_is_answered_like_one_that_never_was(two):
    large = np.arange(2**19, dtype=np.float32)  # over the inline limit, so that the read is pinned
    routes = list(session_routes(two.bob))
    assert len(routes) >= 7
    with Raw(two.alice) as alice, http(two.alice) as own:
        path = f"/v1/sessions/{alice.session}/uploads/1"
        parts = {"content-range": "bytes 0-3/8"}
        assert own.put(path, content=b"1234", headers=parts).json() == {"received": 4}
        alice.send([Item.UPLOAD, 2, 2, as_dtype("float32"), [2**19]], [READ, 1, 2])
        whole = {"content-range": f"bytes 0-{large.nbytes - 1}/{large.nbytes}"}
        own.put(f"/v1/sessions/{alice.session}/uploads/2", content=large.tobytes(), headers=whole)
        alice.replies(1)
        with http(two.bob) as bob:
            for method, route in routes:
                said = [
                    bob.request(
                        method, route.replace("{id}", each), params={"attachment": 1, "wait": 0}, content=b"12",
                        headers={"content-range": "bytes 4-5/8"},
                    )
                    for each in (alice.session, "x" * len(alice.session))
                ]  # fmt: skip
                assert [a.status_code for a in said] == [404, 404], (method, route)
                problems = [{**answer.json(), "request_id": None} for answer in said]
                assert problems[0] == problems[1] and problems[0]["code"] == 64, (method, route)
        # None of it did anything.
        assert own.get(path).json() == {"received": 4}
        assert own.get(f"/v1/sessions/{alice.session}/reads/1").content == large.tobytes()
        assert np.array_equal(alice.ask([CONST, 3, ONES], [READ, 2, 3]), ONES)


def test_anothers_stream_is_refused_like_that_of_an_unknown_session(two):
    with Raw(two.alice) as alice:
        said = []
        for session in (alice.session, "x" * len(alice.session)):
            with Raw(two.bob, session) as bob:
                said.append(bob.refused or bob.end())
        assert said[0] == said[1] and said[0]["code"] == 64
        assert np.array_equal(alice.ask([CONST, 1, ONES], [READ, 1, 1]), ONES)  # and nobody was fenced


def test_ids_mean_nothing_in_anothers_session(two):
    with Raw(two.alice) as alice, Raw(two.bob) as bob:
        alice.ask([CONST, 1, ONES], [READ, 1, 1])
        bob.send([READ, 1, 1])
        assert bob.replies(1)[0][2] == NOT_FOUND
        assert np.array_equal(bob.ask([CONST, 1, 5 * ONES], [READ, 2, 1]), 5 * ONES)
        assert np.array_equal(alice.ask([READ, 2, 1]), ONES)


# --- numbers of sessions ---------------------------------------------------------------------------------------------


def made(seen):
    return httpx.post(f"{seen.url}/v1/sessions", headers=seen.headers)


def test_sessions_are_counted_by_token(tmp_path):
    with owners(tmp_path, alice={"max_sessions": 1}, bob={"max_sessions": 1}) as two, Raw(two.alice):
        refused = made(two.alice)
        assert (refused.status_code, refused.json()["code"]) == (507, EXHAUSTED)
        assert "1 sessions are in use" in refused.json()["detail"] and "'alice'" in refused.json()["detail"]
        assert made(two.bob).status_code == 201


def test_only_a_tokens_own_detached_sessions_make_room(tmp_path):
    with owners(tmp_path, alice={"max_sessions": 2}, bob={}) as two:
        theirs = new_session(two.bob)  # older than all of alice's, and as detached
        with Raw(two.alice) as first, Raw(two.alice) as second:
            pass
        wait_until(lambda: [s["attached"] for s in two.alice.status()["sessions"]] == [False, False])
        oldest = max(two.alice.status()["sessions"], key=lambda s: s["detached"])
        with Raw(two.alice):
            assert sum(httpx_has(two.alice, each.session) for each in (first, second)) == 1
            assert oldest["age"] > 0
        assert httpx_has(two.bob, theirs)


def httpx_has(seen, session):
    """Whether the server knows a session."""
    return httpx.get(f"{seen.url}/v1/sessions/{session}/uploads/1", headers=seen.headers).status_code == 200


def test_a_full_server_evicts_nobody_elses(tmp_path):
    with owners(tmp_path, "--max-sessions", "2", alice={}, bob={}) as two:
        kept = [new_session(two.alice) for _ in range(2)]
        refused = made(two.bob)
        assert (refused.status_code, refused.json()["code"]) == (507, EXHAUSTED)
        assert "the server is full" in refused.json()["detail"]
        assert all(httpx_has(two.alice, each) for each in kept)
        newer = made(two.alice).json()["session"]
        assert [httpx_has(two.alice, each) for each in (*kept, newer)] == [False, True, True]


# --- memory ----------------------------------------------------------------------------------------------------------


def zeros(count):
    return np.zeros(count, np.uint8)


def test_memory_is_that_of_all_sessions_of_a_token(tmp_path):
    with (
        owners(tmp_path, alice={"memory": "1m"}, bob={"memory": "1m"}) as two,
        Raw(two.alice) as first, Raw(two.alice) as second, Raw(two.bob) as other,
    ):  # fmt: skip
        first.ask([CONST, 1, zeros(768 * KIB)], [Item.SYNC, 1])
        second.send([CONST, 1, zeros(512 * KIB)], [READ, 1, 1])
        failed, unread = second.replies(2)
        assert (failed[0], failed[2], unread[0]) == (Item.FAILED, EXHAUSTED, Item.READ_FAILED)
        asked, used, allowed = map(int, re.findall(r"\d+", failed[3])[:3])
        assert (asked, allowed) == (512 * KIB, 1024 * KIB) and 768 * KIB <= used <= 800 * KIB
        assert "'alice'" in failed[3]
        # What fits still does, another token is untouched, and what is freed can be had.
        second.send([Item.CLEAR, 1])
        assert second.ask([CONST, 2, zeros(200 * KIB)], [READ, 2, 2, 1, 1]).size == 2
        assert other.ask([CONST, 1, zeros(1000 * KIB)], [READ, 1, 1, 1, 1]).size == 2
        first.ask([RELEASE, [1]], [Item.SYNC, 2])
        assert second.ask([CONST, 3, zeros(768 * KIB)], [READ, 3, 3, 1, 1]).size == 2


def test_memory_comes_back_when_a_session_ends(tmp_path):
    with owners(tmp_path, alice={"memory": "1m"}) as one, Raw(one.alice) as second, http(one.alice) as web:
        with Raw(one.alice) as first:
            first.ask([CONST, 1, zeros(900 * KIB)], [Item.SYNC, 1])
            assert web.delete(f"/v1/sessions/{first.session}").status_code == 204
        tries = iter(range(1, 10_000))

        def fits():
            n = next(tries)
            second.send([CONST, n, zeros(900 * KIB)], [READ, n, n, 1, 1])
            kind = second.replies(1)[0][0]
            if kind == Item.FAILED:
                second.replies(1)
            return kind == Item.VALUE

        wait_until(fits)


def test_a_session_that_asks_for_too_much_takes_nothing_from_its_neighbour(tmp_path):
    with owners(tmp_path, alice={"memory": "2m"}) as one, Raw(one.alice) as greedy, Raw(one.alice) as modest:
        greedy.send([BIND, 0, "broadcast_to"])
        half = [modest.ask([CONST, n, zeros(64 * KIB)], [READ, n, n, 1, 1]).size for n in range(1, 8)]
        greedy.send(*[[RUN, 0, n, [np.zeros((), np.uint8)], {"shape": [2**22]}] for n in range(1, 50)])
        more = [modest.ask([CONST, n, zeros(64 * KIB)], [READ, n, n, 1, 1]).size for n in range(8, 20)]
        assert half + more == [2] * 19
        assert [r[:1] + r[2:3] for r in greedy.replies(49)] == [(Item.FAILED, EXHAUSTED)] * 49


@pytest.mark.parametrize("kind", [CONST, Item.VARIABLE])
def test_values_that_come_with_an_item_are_charged(tmp_path, kind):
    with owners(tmp_path, alice={"memory": "2m"}) as one, Raw(one.alice) as raw:
        raw.send(*[[kind, n, zeros(900 * KIB)] for n in range(1, 6)], [Item.SYNC, 1])
        *failed, report = raw.replies(4)
        assert [(r[1], r[2]) for r in failed] == [(n, EXHAUSTED) for n in (3, 4, 5)]
        assert report[2]["bytes"] == 2 * 900 * KIB


def test_limits_of_a_session(tmp_path):
    quota = {"session_memory": "1m", "upload_bytes": "1k", "queued_bytes": "20m", "run_seconds": 2, "max_tensors": 100}
    with owners(tmp_path, alice=quota) as one, Raw(one.alice) as raw, http(one.alice) as web:
        assert raw.welcome["credit"] == (32768, 20 * 2**20)
        raw.send([CONST, 1, zeros(1024 * KIB - 9)], [CONST, 2, zeros(10)])
        assert raw.replies(1)[0][2] == EXHAUSTED
        answer = web.put(
            f"/v1/sessions/{raw.session}/uploads/1", content=b"x", headers={"content-range": "bytes 0-0/1025"}
        )
        assert (answer.status_code, answer.json()["code"]) == (507, EXHAUSTED)
        limits = one.alice.status()["limits"]
        assert (limits["session_bytes"], limits["run_seconds"], limits["session_tensors"]) == (2**20, 2.0, 100)


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_uploads_of_all_sessions_are_counted_together(tmp_path, isolation):
    def put(raw, web, number, size):
        headers = {"content-range": f"bytes 0-0/{size}"}
        return web.put(f"/v1/sessions/{raw.session}/uploads/{number}", content=b"x", headers=headers).status_code

    quota = {"total_upload_bytes": "3m"}
    with (
        owners(tmp_path, "--isolation", isolation, alice=quota, bob={}) as one,
        http(one.alice) as web,
        http(one.bob) as bobs,
        Raw(one.alice) as first,
        Raw(one.alice) as second,
        Raw(one.bob) as other,
    ):
        assert put(first, web, 1, 2 * MIB) == 200
        assert put(second, web, 1, 2 * MIB) == 507
        assert put(second, web, 2, MIB) == 200
        assert put(other, bobs, 1, 2 * MIB) == 200, "another token's are its own"
        first.send([Item.UPLOAD, 1, 1, FLOAT, [2 * MIB // 4]])  # it is a value's memory from here on
        first.wait_done(1)
        assert put(second, web, 3, 2 * MIB) == 200
        web.delete(f"/v1/sessions/{second.session}")
        wait_until(lambda: put(first, web, 2, 3 * MIB) == 200)


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_tensors_of_a_session_are_counted(tmp_path, isolation):
    with owners(tmp_path, "--isolation", isolation, alice={"max_tensors": 5}) as one, Raw(one.alice) as raw:
        raw.send([BIND, 0, "negative"], *[[CONST, i, ONES] for i in (1, 2, 3, 4)], [RUN, 0, 5, [1]])
        raw.send([RUN, 0, 6, [1]], [CONST, 7, ONES])
        failed = raw.replies(2)
        assert [(r[0], r[2]) for r in failed] == [(Item.FAILED, EXHAUSTED)] * 2
        assert "1 asked, 5 used, 5 allowed" in failed[0][3]
        raw.send([wire.RELEASE, [2, 3, 6, 7]], [RUN, 0, 8, [4]], [READ, 1, 8])
        assert np.array_equal(raw.replies(1)[0][2], -ONES)


def test_what_runs_too_long_ends_its_session_alone(tmp_path):
    options = ("--isolation", "process", "--heartbeat", "2")
    with (
        owners(tmp_path, *options, alice={"run_seconds": 1}, bob={}) as two,
        Raw(two.alice) as raw,
        Raw(two.bob) as bob,
    ):
        for client in (raw, bob):
            client.send([BIND, 0, "matmul"], [BIND, 1, "fill"], [RUN, 1, 1, [np.array(1.0)], {"dims": [2500, 2500]}])
        raw.send(*[[RUN, 0, 2 + i, [1, 1]] for i in range(60)])
        refused = raw.end(30)
        assert refused["code"] == 64 and "more than 1 s" in refused["message"]
        assert np.array_equal(bob.ask([CONST, 9, ONES], [READ, 1, 9]), ONES)


# --- files -----------------------------------------------------------------------------------------------------------


def test_files_of_one_name_are_a_file_for_each_token(two):
    with http(two.alice) as alice, http(two.bob) as bob, Raw(two.bob) as raw:
        assert alice.put("/v1/files/run/x", content=b"alice").status_code == 204
        assert bob.get("/v1/files").json() == {"files": []}
        assert [bob.request(m, "/v1/files/run/x").status_code for m in ("GET", "DELETE")] == [404, 404]
        raw.send([Item.LOAD, 1, "run/x", 0, BYTE, [5]])
        assert raw.replies(1)[0][2] == NOT_FOUND
        assert raw.ask([CONST, 2, zeros(3)], [Item.STORE, 1, "run/x", b"bob", [2]])["bytes"] == 6
        assert alice.get("/v1/files/run/x").content == b"alice"
        assert bob.get("/v1/files/run/x").content == b"bob" + bytes(3)
        assert bob.delete("/v1/files/run/x").status_code == 204
        assert [f["name"] for f in alice.get("/v1/files").json()["files"]] == ["run/x"]


@pytest.mark.parametrize("name", ["../alice/kept", "..%2Falice%2Fkept", "%2e%2e/alice/kept", "alice/kept"])
def test_no_name_leads_to_anothers_files(two, name):
    with http(two.alice) as alice, http(two.bob) as bob, Raw(two.bob) as raw:
        alice.put("/v1/files/kept", content=b"alice")
        url = httpx.URL(two.bob.url).copy_with(raw_path=f"/v1/files/{name}".encode())
        assert bob.get(url).status_code in (400, 404) and bob.delete(url).status_code in (400, 404)
        assert bob.get("/v1/files", params={"prefix": name}).json() == {"files": []}
        raw.send([Item.LOAD, 1, name, 0, BYTE, [5]])
        assert raw.replies(1)[0][2] in (NOT_FOUND, INVALID)
        assert alice.get("/v1/files/kept").content == b"alice"


def test_room_for_files_is_a_tokens_own(tmp_path):
    with (
        owners(tmp_path, alice={"file_bytes": 1000}, bob={"file_bytes": 1000}) as two,
        http(two.alice) as alice, http(two.bob) as bob, Raw(two.alice) as raw,
    ):  # fmt: skip
        assert alice.put("/v1/files/a", content=bytes(700)).status_code == 204
        refused = alice.put("/v1/files/b", content=bytes(301))
        assert (refused.status_code, refused.json()["code"]) == (507, EXHAUSTED)
        assert "301 bytes asked, 700 used, 1000 allowed" in refused.json()["detail"]
        raw.send([CONST, 1, zeros(200)], [Item.STORE, 1, "c", bytes(101), [1]])
        assert raw.replies(1)[0][2] == EXHAUSTED
        assert [f["name"] for f in alice.get("/v1/files").json()["files"]] == ["a"]
        assert raw.ask([Item.STORE, 2, "c", bytes(100), [1]])["bytes"] == 300
        assert bob.put("/v1/files/a", content=bytes(1000)).status_code == 204


# --- what is told ----------------------------------------------------------------------------------------------------


def test_status_tells_a_token_of_its_own(two, capsys, monkeypatch):
    with Raw(two.alice) as alice, Raw(two.bob):
        alice.ask([CONST, 1, ONES], [Item.SYNC, 1])
        found = two.alice.status()
        assert found["token"] == {
            "name": "alice", "rights": ["publish", "read"], "sessions": len(found["sessions"]),
            "bytes": sum(s["bytes"] for s in found["sessions"]),
        }  # fmt: skip
        assert "tokens" not in found and "used" not in found["devices"][0]
        assert min(found["sessions"], key=lambda s: s["age"])["bytes"] == ONES.nbytes
        assert "bob" not in str(found) and two.bob.status()["limits"]["sessions"] == 4
        everything = two.admin.status()
        assert {t["name"] for t in everything["tokens"]} == {"default", "alice", "bob"}
        assert {s["token"] for s in everything["sessions"]} == {"alice", "bob"}
        assert everything["devices"][0]["used"] > 0

        monkeypatch.setenv("TELEGRAD_TOKEN", two.alice.token)
        assert telegrad(["status", two.alice.url]) == 0
        said = capsys.readouterr().out
        assert "seen with the token alice, whose rights are publish, read" in said and "bob" not in said
        monkeypatch.setenv("TELEGRAD_TOKEN", two.admin.token)
        assert telegrad(["status", two.alice.url]) == 0
        said = capsys.readouterr().out
        assert re.search(r"^bob +\d+ ", said, re.MULTILINE) and re.search(r"^alice +\d+ ", said, re.MULTILINE)


def test_metrics_are_for_administrators(two):
    codes = [httpx.get(f"{s.url}/metrics", headers=s.headers).status_code for s in (two.alice, two.admin)]
    assert codes[0] == 403 and codes[1] not in (401, 403)


def test_a_file_alone_is_enough(tmp_path):
    with owners(tmp_path, environment={"TELEGRAD_TOKEN": ""}, alice={"rights": ["admin"]}) as one:
        assert [t["name"] for t in one.alice.status()["tokens"]] == ["alice"]
        assert not one.admin.accepted()


def test_without_tokens_everyone_has_the_same():
    with serving("--no-auth", TELEGRAD_TOKEN="") as server:
        sessions = [httpx.post(f"{server.url}/v1/sessions", headers=h).json()["session"] for h in ({}, server.headers)]
        found = httpx.get(f"{server.url}/v1/status").json()
        assert len(set(sessions)) == 2 and found["token"]["name"] == "default" and len(found["sessions"]) == 2


def test_frames_over_http_are_the_owners_too(two):
    hello = wire.encode_frame(wire.Kind.HELLO, 0, 0, 0, 0, wire.pack({"version": wire.VERSION, "expects": 1}))
    session = new_session(two.alice)
    for seen, code in ((two.bob, 404), (two.alice, 200)):
        with http(seen) as web:
            assert web.post(f"/v1/sessions/{session}/connections", content=wire.prefixed(hello)).status_code == code


def test_bodies_in_memory_are_counted_for_each_token():
    def asked_by(name):
        return SimpleNamespace(scope={ACCOUNT: SimpleNamespace(name=name)})

    held = Held(100)
    with held.bytes(asked_by("alice")) as take, held.bytes(asked_by("alice")) as another:
        take(60)
        another(40)
        with pytest.raises(ResourceExhaustedError):
            another(1)
        with held.bytes(asked_by("bob")) as his:
            his(100)
    with held.bytes(asked_by("alice")) as take:
        take(100)
