"""Log lines of real servers, and the request ids that go with them: what is said of whom, and what never is."""

import asyncio
import json
import logging
import re

import httpx
import numpy as np
import pytest

from protocol import wire
from protocol.wire import Item, Kind
from server import logs
from server.events import Events
from server.logs import Limiter, short_id
from server.requests import Requests
from tests.stream.raw import Raw, RawHttp, http, new_session, open_socket
from tests.support import serving, wait_until

GIVEN = "trace-01.AB_c"


class Logged:
    """A server whose log goes to a file."""

    def __init__(self, path, *options, form="json", level="debug", **environment):
        self._path = path
        self._file = path.open("wb")
        environment |= {"TELEGRAD_LOG_LEVEL": level, "TELEGRAD_LOG_FORMAT": form}
        self._serving = serving(*options, log=self._file, **environment)

    def __enter__(self):
        self.server = self._serving.__enter__()
        return self

    def __exit__(self, *error):
        self._serving.__exit__(*error)
        self._file.close()

    @property
    def text(self):
        return self._path.read_text()

    @property
    def lines(self):
        return [json.loads(line) for line in self.text.rpartition("\n")[0].splitlines()]

    def find(self, message, **fields):
        """The lines that say so; the first is waited for."""

        def found():
            return [x for x in self.lines if x["message"] == message and all(x.get(k) == v for k, v in fields.items())]

        return wait_until(found)


@pytest.fixture
def logged(tmp_path):
    with Logged(tmp_path / "log") as found:
        yield found


def test_a_session_is_a_line_at_each_end(logged):
    with Raw(logged.server) as raw:
        raw.ask([Item.BIND, 0, "add"], [Item.RUN, 0, 1, [np.ones(3), np.ones(3)]], [Item.SYNC, 1])
        raw.frame(Kind.BYE)
        (end,) = logged.find("session ends")
    (start,) = logged.find("session starts")
    assert start["session"] == end["session"] == short_id(raw.session)
    assert start["level"] == end["level"] == "info" and start["logger"] == "telegrad.session"
    assert end["reason"] == "the client left" and end["ops"] == 1 and end["tensors"] == 1 and end["peak_bytes"] == 24
    assert end["seconds"] >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", start["time"])


def test_every_line_of_a_session_names_it(logged):
    with Raw(logged.server) as raw, Raw(logged.server, raw.session, expects=1) as second:
        second.ask([Item.SYNC, 1])
    (again,) = logged.find("session is attached", attachment=2)
    assert again["level"] == "info" and again["carrier"] == "websocket" and again["session"] == short_id(raw.session)
    assert logged.find("session lost its connection")[0]["session"] == short_id(raw.session)


def test_the_reason_of_an_end(tmp_path):
    options = ("--session-ttl", "0.3", "--heartbeat", "0.2", "--max-sessions", "1")
    with Logged(tmp_path / "log", *options) as logged:
        identifier = new_session(logged.server)
        logged.find("session ends", reason="its lease ran out", session=short_id(identifier))
        identifier = new_session(logged.server)
        with http(logged.server) as web:
            web.delete(f"/v1/sessions/{identifier}").raise_for_status()
        logged.find("session ends", reason="deleted", session=short_id(identifier))
        with Raw(logged.server) as raw:
            logged.server.terminate()
        logged.find("session ends", reason="the server stops", session=short_id(raw.session))
        assert logged.find("server stops")[0]["sessions"] == 1
    assert logged.find("server starts")[0]["devices"] == "CPU:0"


def test_a_broken_session_is_a_warning(logged):
    with Raw(logged.server) as raw:
        raw.send([Item.RUN])
        raw.end()
    (line,) = logged.find("session ends", session=short_id(raw.session))
    assert (line["level"], line["reason"], line["code"]) == ("warning", "broken", 65)
    assert "malformed item" in line["error"]


def test_refusals_are_warnings(tmp_path):
    with Logged(tmp_path / "log", "--max-sessions", "1", level="warning") as logged:
        url = logged.server.url
        httpx.get(f"{url}/v1/status", headers={"authorization": "Bearer not-the-token"})
        httpx.get(f"{url}/v1/status", headers=logged.server.headers | {"origin": "https://evil.example"})
        with Raw(logged.server):
            answer = httpx.post(f"{url}/v1/sessions", headers=logged.server.headers)
            assert answer.status_code == 507
        found = {line["code"]: line for line in logged.find("request refused")}
        assert {code: line["status"] for code, line in found.items()} == {16: 401, 7: 403, 8: 507}
        assert all(line["level"] == "warning" and line["peer"] == "127.0.0.1" for line in found.values())
        assert found[8]["route"] == "/v1/sessions" and found[8]["request"] == answer.headers["x-request-id"]


def test_a_client_of_another_version_is_refused_with_a_warning(logged):
    identifier = new_session(logged.server)
    with open_socket(logged.server, identifier) as socket:
        socket.send(wire.encode_frame(Kind.HELLO, 0, 0, 0, 0, wire.pack({"version": 99, "expects": 1})))
        socket.recv()
    (line,) = logged.find("request refused", code=65)
    assert line["session"] == short_id(identifier) and "version 99" in line["error"]


def test_a_client_that_does_not_read_is_told_of(logged):
    with Raw(logged.server) as raw:
        raw.send([Item.CONST, 1, np.zeros(2**18, np.float32)])  # a megabyte, which still travels in the stream
        raw.send(*[[Item.READ, i, 1] for i in range(1, 81)])
        (line,) = logged.find("session waits for its client to read")
        assert line["session"] == short_id(raw.session) and line["level"] == "warning"


# --- what is not there -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_is_logged(tmp_path, form):
    with Logged(tmp_path / "log", "--access-log", form=form) as logged:
        server = logged.server
        with Raw(server) as raw, RawHttp(server) as over_http, http(server) as web:
            raw.ask([Item.SYNC, 1])
            for path in ("uploads/1", "nowhere", "reads/x", "frames"):
                web.get(f"/v1/sessions/{raw.session}/{path}")
            web.get(f"/v1/sessions/{raw.session}")
            web.get("/v1/status", headers={"authorization": "Bearer wrong-secret-word"})
            web.get("/v1/status", params={"token": "secret-in-a-query"})
            raw.send([Item.RUN])
            raw.end()
        wait_until(lambda: logged.text.count("session ends") or logged.text.count("broken"))
        wait_until(lambda: logged.text.count("/stream"))
        text = logged.text
    assert text.count("/v1/sessions/{identifier}/uploads/{upload}") and short_id(raw.session) in text
    for identifier in (raw.session, over_http.session):
        assert not any(identifier[i : i + 8] in text for i in range(len(identifier) - 7))
    assert server.token not in text and "secret" not in text


def test_the_short_id_of_a_session_stays_and_tells_nothing():
    assert re.fullmatch(r"[0-9a-f]{8}", short_id("one")) and short_id("one") == short_id("one") != short_id("two")


# --- requests --------------------------------------------------------------------------------------------------------


def test_requests_are_lines_where_asked_for(tmp_path):
    with Logged(tmp_path / "log", level="info") as logged:
        httpx.get(f"{logged.server.url}/healthz")
        new_session(logged.server)
        logged.find("session starts")
        assert not [line for line in logged.lines if line["message"] == "request"]
    with Logged(tmp_path / "log", level="info", TELEGRAD_ACCESS_LOG="1") as logged:
        httpx.get(f"{logged.server.url}/healthz", headers={"x-request-id": GIVEN})
        (line,) = logged.find("request", route="/healthz")
        assert (line["method"], line["status"], line["request"]) == ("GET", 200, GIVEN)
        assert line["milliseconds"] > 0 and line["bytes_out"] == len('{"status":"ok"}')
        with Raw(logged.server) as raw:
            pass
        (line,) = logged.find("request", route="/v1/sessions/{identifier}/stream")
        assert line["status"] == 101 and line["session"] == short_id(raw.session)


def test_every_answer_has_a_request_id(logged):
    server = logged.server
    seen = set()
    with http(server) as web:
        session = web.post("/v1/sessions").json()["session"]
        answers = [
            web.get("/healthz"), web.get("/v1/status"), web.get("/metrics"), web.get("/nowhere"),
            web.patch("/v1/status"), web.get(f"/v1/sessions/{session}/uploads/x"), web.get("/openapi.json"),
            web.get("/v1/status", headers={"authorization": ""}), web.get("/v1/status", headers={"origin": "http://x"}),
            web.delete(f"/v1/sessions/{session}"), web.delete(f"/v1/sessions/{session}"),
        ]  # fmt: skip
    for answer in answers:
        seen.add(answer.headers["x-request-id"])
        if answer.headers.get("content-type") == "application/problem+json":
            assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert len(seen) == len(answers) and all(re.fullmatch(r"[0-9a-f]{16}", each) for each in seen)
    problems = [a.status_code for a in answers if a.headers.get("content-type") == "application/problem+json"]
    assert set(problems) >= {400, 401, 403, 404}


def test_a_websockets_handshake_has_one_too(logged):
    identifier = new_session(logged.server)
    headers = logged.server.headers | {"X-Request-ID": GIVEN}
    with open_socket(logged.server, identifier, additional_headers=headers) as socket:
        assert socket.response.headers["x-request-id"] == GIVEN


@pytest.mark.parametrize("given", [GIVEN, "x" * 64, "0"])
def test_a_well_formed_id_is_taken_over(logged, given):
    answer = httpx.get(f"{logged.server.url}/v1/status", headers={"x-request-id": given})
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == given
    assert logged.find("request refused")[0]["request"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"b', "a\tb", "{}", "<script>", b"\xff\xfe"])
def test_another_is_replaced(logged, given):
    answer = httpx.get(f"{logged.server.url}/healthz", headers={"x-request-id": given})
    assert re.fullmatch(r"[0-9a-f]{16}", answer.headers["x-request-id"])


def ask(app, **options):
    """One request to an ASGI application wrapped as ours is."""

    async def get():
        transport = httpx.ASGITransport(Requests(app, Events()), raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as web:
            return await web.get("/", **options)

    return asyncio.run(get())


def test_an_exception_that_nobody_caught_is_answered_and_logged(caplog):
    async def broken(scope, receive, send):
        raise KeyError("what the user must not see")

    answer = ask(broken, headers={"x-request-id": GIVEN})
    assert answer.status_code == 500 and answer.headers["x-request-id"] == GIVEN
    found = answer.json()
    assert found["code"] == 13 and found["request_id"] == GIVEN and GIVEN in found["detail"]
    assert "must not see" not in answer.text
    assert any(r.exc_info and r.levelno == logging.ERROR for r in caplog.records)


def test_one_in_the_middle_of_an_answer_cuts_it():
    async def broken(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise KeyError("too late")

    with pytest.raises(KeyError):
        ask(broken)


# --- formats ---------------------------------------------------------------------------------------------------------


def formatted(form, message, *arguments, raised=None, **fields):
    record = logging.LogRecord("telegrad.x", logging.WARNING, __file__, 1, message, arguments, raised)
    record.fields = fields
    return (logs._Json() if form == "json" else logs._Text()).format(record)


def test_text_is_one_line_whatever_it_holds():
    line = formatted(
        "text", "a %s", "b\nc\x1b[31m", session="1f", error="two words\n", n=3, x=0.123456789, path="/v1/{id}"
    )
    assert "\n" not in line and "\x1b" not in line
    assert line.endswith(
        r'WARNING telegrad.x a b\nc\x1b[31m session=1f error="two words\n" n=3 x=0.123457 path=/v1/{id}'
    )


def test_json_is_one_object_whatever_it_holds():
    line = formatted("json", "a %s", 'b\n"c', session="1f", what={1: (2, 3)}, odd=ValueError("x"))
    assert "\n" not in line
    found = json.loads(line)
    assert (found["message"], found["session"], found["level"]) == ('a b\n"c', "1f", "warning")


@pytest.mark.parametrize("form", logs.FORMATS)
def test_exceptions_are_shown(form):
    try:
        raise ValueError("why")
    except ValueError as error:
        line = formatted(form, "failed", raised=(type(error), error, error.__traceback__))
    text = json.loads(line)["exception"] if form == "json" else line
    assert "Traceback" in text and "ValueError: why" in text


def test_lines_that_repeat_are_left_out_and_counted():
    limiter = Limiter(repeats=3, seconds=10.0)
    assert [limiter.admit("a", now) for now in (0.0, 1.0, 2.0, 3.0, 4.0)] == [0, 0, 0, None, None]
    assert limiter.admit("b", 4.0) == 0
    assert limiter.admit("a", 10.0) == 2
    assert limiter.admit("a", 11.0) == 0


def test_wrong_tokens_do_not_fill_the_disk(tmp_path):
    with Logged(tmp_path / "log", level="warning") as logged:
        with httpx.Client(base_url=logged.server.url) as web:
            for _ in range(200):
                assert web.get("/v1/status").status_code == 401
            web.get("/v1/status", headers=logged.server.headers | {"origin": "http://x"})
        logged.find("request refused", code=7)
        assert len(logged.find("request refused", code=16)) < 100
