"""`telegrad doctor` says what is wrong: each fault is a real one, on loopback."""

import datetime
import errno
import json
import shutil
import socket
import time

import pytest

import client as tf
from benchmarks.proxy import Proxy
from client import doctor
from client.command import main
from protocol import __version__, wire
from tests.client.faults import answering, certificate, full_backlog, http_answer, proxying, silent
from tests.stream.raw import Raw
from tests.support import serving

STEPS = ["address", "name", "connection", "encryption", "server", "token", "version", "session", "stream", "speed"]
needs_openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command for certificates")


@pytest.fixture(scope="module")
def server():
    with serving() as process:
        yield process


def examined(url, token=None, timeout=5.0):
    return list(doctor.examine(url, token, timeout))


def fault(url, token=None, timeout=5.0):
    """The last finding, which has to be the only fault, after steps without one."""
    *before, last = examined(url, token, timeout)
    assert last.state == "wrong" and last.text and last.advice
    assert all(f.state != "wrong" for f in before)
    steps = [f.step for f in before if f.state == "ok"]
    assert [*steps, last.step] == STEPS[: len(steps) + 1]
    return last


def notes(found):
    return [f for f in found if f.state == "note"]


# --- nothing wrong ---------------------------------------------------------------------------------------------------


def test_nothing_is_wrong(server):
    found = examined(server.url, server.token)
    assert [(f.step, f.state) for f in found if f.state != "note"] == [(step, "ok") for step in STEPS]
    texts = {f.step: f.text for f in found if f.state == "ok"}
    assert texts["address"] == f"{server.url}: host 127.0.0.1, port {server.port}"
    assert texts["stream"] == "by WebSocket"
    assert texts["version"] == f"server {__version__} and client {__version__} speak protocol version {wire.VERSION}"
    assert not [f for f in found if server.token in f.text + f.advice]


def test_it_leaves_no_session_behind(server):
    examined(server.url, server.token)
    tf.connect(server.url, server.token)
    from client.transport import parse_endpoint
    from client.transport.payloads import request_json

    assert len(request_json(parse_endpoint(server.url, server.token, "auto"), "GET", "/v1/status")["sessions"]) == 1
    tf.disconnect()


def test_a_server_without_tokens():
    with serving("--no-auth", TELEGRAD_TOKEN="") as open_server:
        found = examined(open_server.url)
        assert ("token", "ok", "none is needed") in [(f.step, f.state, f.text) for f in found]
        assert found[-1].state != "wrong"


def test_the_command_prints_a_list_and_its_status_says_whether_it_works(server, monkeypatch, capsys):
    monkeypatch.setenv("TELEGRAD_TOKEN", server.token)
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["doctor", server.url]) == 0
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if line.startswith("ok ")]
    assert [line.split()[1] for line in lines] == STEPS and said.splitlines()[-1] in ("Nothing is wrong.", "It works.")
    monkeypatch.setenv("TELEGRAD_TOKEN", "mistaken")
    assert main(["doctor", server.url]) == 1
    said = capsys.readouterr().out
    assert "wrong  token        the server does not accept the token" in said and "mistaken" not in said
    assert max(map(len, said.splitlines())) <= 60
    assert said.splitlines()[-1] == "It does not work: see the last lines."


def test_the_command_takes_the_token_from_a_file(server, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv("TELEGRAD_TOKEN", raising=False)
    (tmp_path / "token").write_text(f" {server.token}\n")
    assert main(["doctor", server.url, "--token-file", str(tmp_path / "token")]) == 0
    (tmp_path / "token").write_text("\n")
    assert main(["doctor", server.url, "--token-file", str(tmp_path / "token")]) == 1
    assert "is empty" in capsys.readouterr().err


# --- up to a connection ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["ftp://host", "http://", "", "http://host:port", "http://host:99999", "http://host/?a=b", "http://[::1"]
)
def test_no_url(url):
    found = fault(url)
    assert found.step == "address" and "is no server URL" in found.text


def test_a_token_in_the_url_is_refused_and_not_shown():
    found = fault("http://user:secret@host:8470")
    assert found.step == "address" and "TELEGRAD_TOKEN" in found.text and "secret" not in found.text


def test_an_unknown_name():
    found = fault("http://no-such-host.invalid:8470")
    assert found.step == "name" and "no-such-host.invalid" in found.text


def test_a_token_on_its_way_in_the_clear():
    found = examined("http://no-such-host.invalid:8470", "a-token")
    assert [f.step for f in notes(found)] == ["address"] and "unencrypted" in notes(found)[0].text


def test_a_name_server_that_says_nothing(monkeypatch):
    asked = []

    def slow(*arguments, **options):
        asked.append(arguments)
        time.sleep(0.5)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    found = fault("http://gpu-host", timeout=0.05)
    assert found.step == "name" and "no name server says" in found.text and asked == [("gpu-host", 8470)]


def test_nothing_listens():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    found = fault(f"http://127.0.0.1:{port}")
    assert found.step == "connection" and "refuses connections" in found.text and "telegrad-server" in found.advice


def test_no_answer_at_all():
    with full_backlog() as address:
        found = fault(f"http://{address}", timeout=0.3)
    assert found.step == "connection" and "no answer" in found.text and "firewall" in found.advice


def test_no_route(monkeypatch):
    def unreachable(*_, **__):
        raise OSError(errno.EHOSTUNREACH, "No route to host")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    monkeypatch.setenv("http_proxy", "http://proxy:3128")
    found = fault("http://127.0.0.1:8470")
    assert found.step == "connection" and "no route" in found.text and "HTTP proxy" in found.advice


# --- encryption ------------------------------------------------------------------------------------------------------


@pytest.fixture
def secure(tmp_path, monkeypatch):
    """A server with a certificate made as told, which this machine trusts if wanted; its URL and its token."""
    started = []

    def start(trusted=True, **options):
        cert, key = certificate(tmp_path / "tls", **options)
        started.append(serving("--tls-cert", cert, "--tls-key", key))
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", cert)
        return started[-1].__enter__()

    yield start
    for each in started:
        each.__exit__(None, None, None)


@needs_openssl
def test_a_trusted_certificate(secure):
    server = secure()
    found = examined(server.url, server.token)
    assert found[-1].state != "wrong" and found[3].text.startswith("TLSv1.3")


@needs_openssl
def test_a_self_signed_certificate(secure):
    found = fault(secure(trusted=False).url)
    assert found.step == "encryption" and "self-signed" in found.text and "SSL_CERT_FILE" in found.advice


@needs_openssl
def test_an_expired_certificate(secure):
    found = fault(secure(end="20200201").url)
    assert found.step == "encryption" and "expired" in found.text


@needs_openssl
def test_a_certificate_of_the_future(secure):
    found = fault(secure(start="20900101").url)
    assert found.step == "encryption" and "not valid yet" in found.text and "clock" in found.advice


@needs_openssl
@pytest.mark.parametrize("name", ["DNS:gpu.example.org", "IP:10.1.2.3"])
def test_a_certificate_for_another_host(secure, name):
    found = fault(secure(name=name).url)
    assert found.step == "encryption"
    assert found.text == f"the server's certificate is not for 127.0.0.1, but for {name.partition(':')[2]}"


@needs_openssl
def test_a_certificate_that_expires_soon(secure):
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3)
    server = secure(end=f"{soon:%Y%m%d}")
    found = examined(server.url, server.token)
    first = notes(found)[0]
    assert first.step == "encryption" and "expires on" in first.text


@needs_openssl
def test_http_to_a_port_that_speaks_tls(secure):
    server = secure()
    found = fault(server.url.replace("https", "http"), server.token)
    assert found.step == "server" and "speaks TLS" in found.text and server.url in found.advice


def test_https_to_a_port_that_speaks_http(server):
    found = fault(server.url.replace("http", "https"), server.token)
    assert found.step == "encryption" and "plain HTTP" in found.text and server.url in found.advice


def test_https_to_something_else():
    with answering(b"220 mail.example.org ESMTP\r\n") as address:
        found = fault(f"https://{address}")
    assert found.step == "encryption" and "TLS fails" in found.text


# --- who answers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "text", "advice"),
    [
        (http_answer(200, "<h1>It works!</h1>", Server="nginx"), "HTTP 200, text/html, from nginx", "port"),
        (http_answer(404, "{}", "application/json"), "HTTP 404, application/json", "path"),
        (http_answer(200, '["protocol", "devices"]', "application/json"), "HTTP 200", "port"),
        (http_answer(302, Location="https://login.example.org/v1/status"), "redirects to https://login.ex", "URL"),
        (http_answer(401, "log in"), "HTTP 401", "login"),
        (http_answer(407, "log in"), "HTTP 407", "login"),
        (http_answer(403, "forbidden"), "HTTP 403", "firewall"),
        (http_answer(502, "bad gateway"), "HTTP 502", "behind it"),
        (b"220 mail.example.org ESMTP\r\n", "no HTTP server", "port"),
        (b"", "no HTTP server", "port"),
    ],
)  # fmt: skip
def test_something_else_answers(answer, text, advice):
    with answering(answer) as address:
        found = fault(f"http://{address}", "secret-token")
    assert found.step == "server" and text in found.text and advice in found.advice


def test_a_stranger_never_sees_the_token_and_prints_nothing_strange():
    heads = []

    def answer(head):
        heads.append(head)
        return http_answer(404, "x", "\x1b[31m" + "x" * 5000)

    with answering(answer) as address:
        found = fault(f"http://{address}", "secret-token")
    assert heads and not any(b"secret-token" in head for head in heads)
    assert "\x1b" not in found.text and len(found.text) < 500


def test_a_server_that_echoes_the_token():
    def answer(head):
        if b"uthorization" not in head:
            return http_answer(401, '{"code": 16}', "application/problem+json")
        return http_answer(404, "", "secret-token")

    with answering(answer) as address:
        found = fault(f"http://{address}", "secret-token")
    assert found.step == "token" and "(token)" in found.text and "secret-token" not in found.text


def test_a_server_that_says_nothing():
    with silent() as address:
        found = fault(f"http://{address}", timeout=0.3)
    assert found.step == "server" and "nothing answers" in found.text


def test_a_server_on_loopback_does_not_answer_to_other_names(server, monkeypatch):
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", *rest, **more))
    found = fault(f"http://gpu-host:{server.port}", server.token)
    assert found.step == "server" and "'gpu-host'" in found.text and "loopback" in found.advice


def test_no_token(server):
    found = fault(server.url)
    assert found.step == "token" and "none is given" in found.text and "--token-file" in found.advice


@pytest.mark.parametrize(("token", "hint"), [("wrong", False), ("'quoted'", True), ("Bearer x", True)])
def test_a_wrong_token(server, token, hint):
    found = fault(server.url, token)
    assert found.step == "token" and "does not accept" in found.text and ("quotes" in found.advice) == hint
    assert token not in found.text + found.advice


@pytest.mark.parametrize("token", ["two\nlines", "smile \u263a"])
def test_a_token_that_cannot_be_sent(server, token):
    found = fault(server.url, token)
    assert found.step == "token" and "characters" in found.text


@pytest.mark.parametrize(("version", "who"), [(0, "the server"), (99, "this client")])
def test_another_protocol_version(version, who):
    status = {"version": "9.9.9", "protocol": version, "devices": []}
    with answering(http_answer(200, json.dumps(status), "application/json")) as address:
        found = fault(f"http://{address}")
    assert found.step == "version" and f"protocol version {version}," in found.text and who in found.advice


# --- a session -------------------------------------------------------------------------------------------------------


def test_a_full_server():
    with serving("--max-sessions", "1") as server, Raw(server):
        found = fault(server.url, server.token)
    assert found.step == "session" and "1 sessions are in use" in found.text and "--max-sessions" in found.advice


@pytest.mark.parametrize(
    "upgrade",
    [http_answer(400, "no"), http_answer(401), http_answer(403, "no"), http_answer(426), http_answer(502), "drop"],
)  # fmt: skip
def test_websocket_is_blocked_and_http_is_used(server, upgrade):
    with proxying(server.address, upgrade) as address:
        found = examined(f"http://{address}", server.token)
        assert found[-1].state != "wrong"
        assert ("stream", "ok", "by HTTP requests") in [(f.step, f.state, f.text) for f in found]
        note = next(f for f in notes(found) if f.step == "stream")
        assert "WebSocket is blocked" in note.text and "Upgrade" in note.advice
        tf.connect(f"http://{address}", server.token)  # what the doctor says of it is what a program meets
        assert float(tf.constant(1.5) + 1.0) == 2.5
        tf.disconnect()


@pytest.mark.parametrize("upgrade", ["close", "hang"])
def test_websocket_is_cut_off(server, upgrade):
    with proxying(server.address, upgrade) as address:
        found = fault(f"http://{address}", server.token, timeout=0.5)
        assert found.step == "stream" and "WebSocket is cut off" in found.text and 'transport="http"' in found.advice
        tf.connect(f"http://{address}", server.token, transport="http")
        assert float(tf.constant(1.5) + 1.0) == 2.5
        tf.disconnect()


def test_no_stream_at_all(server):
    with proxying(server.address, http_answer(403), http_answer(403, "forbidden")) as address:
        found = fault(f"http://{address}", server.token)
    assert found.step == "stream" and "no stream gets through" in found.text


def test_a_server_far_away(server):
    with Proxy(server.address, rtt=0.12) as proxy:
        found = examined(proxy.url, server.token)
    assert found[-1].state != "wrong"
    assert any("far away" in f.text and "tf.fetch" in f.advice for f in notes(found))


def test_a_session_that_breaks(monkeypatch):
    measured = doctor.speed.round_trips
    with serving() as server:

        def broken(count):
            server.kill()
            return measured(count)

        monkeypatch.setattr(doctor.speed, "round_trips", broken)
        found = fault(server.url, server.token)
    assert found.step == "speed" and "does not last" in found.text
