"""`telegrad doctor`: what keeps this machine from using a server, in plain words.

Owns: `examine`: its steps, from the text of a URL to the speed of a session, and what to do about each fault. Each step
does what `client.connect` would do next, so a fault is found where a program meets it. Does not know how findings are
shown. The token goes to nobody who has not answered as a Telegrad server, and into no text.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import os
import socket
import statistics
import threading
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from client import context, speed
from client.transport import Endpoint, WebSocketRefusedError, parse_endpoint, payloads
from client.transport.payloads import Answer
from protocol import __version__, wire
from protocol.errors import OpError, PermissionDeniedError, ResourceExhaustedError, UnauthenticatedError
from protocol.sizes import format_size

_TRIPS: Final = 20
_PROBE: Final = 2 * 2**20
"""Bytes moved each way to measure: more than travels in the stream itself."""
_LONG_TRIP: Final = 0.05
_SLOW: Final = 5 * 2**20
"""Bytes a second below which large values are slow."""
_SHOWN: Final = 200


@dataclass(frozen=True)
class Finding:
    """What a step found. `state` is "ok", "note" (works, but) or "wrong" (nothing works beyond it)."""

    step: str
    state: str
    text: str
    advice: str = ""


class Fault(Exception):
    """Nothing works beyond this: what it is, and what to do."""

    def __init__(self, text: str, advice: str) -> None:
        super().__init__(text)
        self.advice = advice


@dataclass
class Case:
    """What is known so far."""

    url: str
    token: str | None
    timeout: float
    endpoint: Endpoint = field(default_factory=lambda: Endpoint(""))
    status: dict[str, Any] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        """Where to connect."""
        return self.endpoint.host, self.endpoint.port

    def request(self, method: str, path: str, with_token: bool = True) -> Answer:
        """The answer to a request. Raises OSError."""
        endpoint = self.endpoint if with_token else dataclasses.replace(self.endpoint, token=None)
        return payloads.exchange(endpoint, method, path)


def examine(url: str, token: str | None, timeout: float = 10.0) -> Iterator[Finding]:
    """The findings of each step, as they are made; the last one is the fault, if there is any.

    Args:
        url: as for `client.connect`.
        token: the server's token, if there is one.
        timeout: seconds to wait for each answer.
    """
    case = Case(url, token, timeout)
    try:
        for name, step in _STEPS:
            fault = None
            try:
                found = Finding(name, "ok", _clean(case, step(case)))
            except Fault as error:
                fault = found = Finding(name, "wrong", _clean(case, str(error)), error.advice)
            yield found
            yield from (Finding(name, "note", _clean(case, text), advice) for text, advice in case.notes)
            case.notes.clear()
            if fault is not None:
                return
    finally:
        context.disconnect()


def _clean(case: Case, text: str) -> str:
    """A text that may quote a stranger, in one line: no control characters, nothing endless, no token."""
    text = text.replace(case.token, "(token)") if case.token else text
    text = "".join(c if c.isprintable() else " " for c in text)
    return text if len(text) <= 2 * _SHOWN else text[: 2 * _SHOWN] + "..."


# --- up to a connection ----------------------------------------------------------------------------------------------


def _address(case: Case) -> str:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            endpoint = parse_endpoint(case.url, case.token, "auto")
        except ValueError as error:
            raise Fault(str(error), "The URL is the one that telegrad-server prints when it starts.") from None
    case.endpoint = dataclasses.replace(endpoint, connect_timeout=case.timeout)
    if said:
        case.notes.append(
            (str(said[0].message).partition(";")[0], "Use https:// or an SSH tunnel: others on the way can read it.")
        )
    return f"{endpoint.url}: host {endpoint.host}, port {endpoint.port}"


def _name(case: Case) -> str:
    host = case.endpoint.host
    found: list[Any] = []

    def resolve() -> None:
        try:
            found.append(socket.getaddrinfo(*case.address, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=resolve, daemon=True)  # it cannot be interrupted, so it is left behind
    thread.start()
    thread.join(case.timeout)
    if not found:
        raise Fault(
            f"no name server says within {case.timeout:g} s what {host} is",
            "Check this machine's network and VPN, or use the server's IP address.",
        )
    if isinstance(found[0], Exception):
        raise Fault(
            f"the name {host} does not resolve ({found[0]})",
            "Check the spelling, and whether a VPN or another network is needed; or use the server's IP address.",
        )
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found[0]))
    return f"{host} is an address" if addresses == [host] else f"{host} is {', '.join(addresses)}"


def _reach(case: Case) -> str:
    host, port = case.address
    try:
        socket.create_connection(case.address, case.timeout).close()
    except OSError as error:
        raise _unreachable(case, error) from None
    return f"port {port} of {host} takes connections"


def _unreachable(case: Case, error: OSError) -> Fault:
    host, port = case.address
    proxies = ""
    if "http" in urllib.request.getproxies():
        proxies = (
            " This machine is told to use an HTTP proxy, which Telegrad does not: connect directly or by a tunnel."
        )
    if isinstance(error, ConnectionRefusedError):
        return Fault(
            f"port {port} of {host} refuses connections",
            "The machine is there, but nothing listens on that port. Is telegrad-server running, on this port, and "
            f"with --host 0.0.0.0 if it is to be reached from other machines?{proxies}",
        )
    if isinstance(error, TimeoutError):
        return Fault(
            f"no answer from port {port} of {host} within {case.timeout:g} s",
            "The machine is off, or a firewall between here and there drops the packets. Open the port, or use a "
            f"tunnel, such as `ssh -L {port}:localhost:{port} {host}`.{proxies}",
        )
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL):
        return Fault(
            f"there is no route to {host} ({os.strerror(error.errno)})",
            f"Check this machine's network and VPN.{proxies}",
        )
    return Fault(f"port {port} of {host} cannot be reached: {error}", f"Check the address and the network.{proxies}")


def _encryption(case: Case) -> str:
    from client import doctor_tls

    return doctor_tls.check(case) if case.endpoint.secure else "none"


# --- who answers -----------------------------------------------------------------------------------------------------


def _server(case: Case) -> str:
    """Whether it is a Telegrad server, asked without the token."""
    try:
        answer = case.request("GET", "/v1/status", with_token=False)
    except TimeoutError:
        raise Fault(
            f"the connection is taken, but nothing answers within {case.timeout:g} s",
            "Is another program listening there, or is the server overloaded or suspended? Look at its log.",
        ) from None
    except OSError as error:
        raise _stranger(case, f"what answers is no HTTP server ({error})") from None
    said = _json(answer)
    if answer.status == 200 and "protocol" in said and "devices" in said:
        case.status = said
    elif answer.status == 403 and said.get("code") == PermissionDeniedError.error_code:
        raise Fault(
            f"the server refuses requests to this address: {said.get('detail')}",
            "A server that listens on loopback answers to loopback names alone. Connect to http://localhost:PORT, "
            "through a tunnel from elsewhere, or start it with --host 0.0.0.0 and a token.",
        )
    elif answer.status != 401 or said.get("code") != UnauthenticatedError.error_code:
        raise _stranger(case, _described(answer), answer)
    return "a Telegrad server answers"


def _json(answer: Answer) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        found = json.loads(answer.body)
        if isinstance(found, dict):
            return found
    return {}


def _described(answer: Answer) -> str:
    kind = answer.headers.get("content-type", "no content type").partition(";")[0]
    server = answer.headers.get("server")
    return f"something else answers: HTTP {answer.status}, {kind}" + (f", from {server}" if server else "")


def _stranger(case: Case, text: str, answer: Answer | None = None) -> Fault:
    from client import doctor_tls

    if not case.endpoint.secure and doctor_tls.speaks_tls(case):
        secure = f"https://{case.endpoint.host}:{case.endpoint.port}{case.endpoint.prefix}"
        return Fault("the port speaks TLS, and the URL says http://", f"Use {secure}")
    status = answer.status if answer is not None else 0
    if 300 <= status < 400 and answer is not None:
        where = answer.headers.get("location", "nowhere").removesuffix("/v1/status")
        return Fault(f"the address redirects to {where:.{_SHOWN}}", "Use that URL, if you trust it.")
    if status in (401, 407):
        return Fault(text, "A proxy before the server wants a login of its own. Log in there, or go around it.")
    if status == 403:
        return Fault(text, "A proxy or firewall before the server forbids it. Ask who runs it, or go around it.")
    if status in (502, 503, 504):
        return Fault(text, "A proxy answers, but not the server behind it. Is telegrad-server running there?")
    return Fault(
        text, "Check host and port (8470 unless --port says otherwise), and the path if a proxy gives the server one."
    )


def _token(case: Case) -> str:
    if case.status:
        return "none is needed"
    if not case.token:
        raise Fault(
            "the server wants a token, and none is given",
            "Put it into TELEGRAD_TOKEN, or name its file with --token-file. The server prints the token when it "
            "starts, or has it from its own TELEGRAD_TOKEN or --token-file.",
        )
    try:
        answer = case.request("GET", "/v1/status")
    except ValueError:
        raise Fault(
            "the token has characters that no request can carry",
            "It is one line of plain letters, digits and signs: check the file or the variable it is from.",
        ) from None
    except OSError as error:
        raise Fault(f"the server stopped answering: {error}", "Try again; then look at its log.") from None
    if answer.status == 401:
        quoted = case.token[0] in "\"'" or case.token.lower().startswith(("bearer", "token"))
        hint = " It seems to have quotes or a word before it: give the token alone." if quoted else ""
        raise Fault(
            "the server does not accept the token",
            f"Compare it with the server's. One made at start is new each time.{hint}",
        )
    if answer.status != 200:
        raise _stranger(case, _described(answer), answer)
    case.status = _json(answer)
    return "the server accepts it"


def _version(case: Case) -> str:
    theirs, server = case.status.get("protocol"), case.status.get("version")
    if theirs != wire.VERSION:
        older = isinstance(theirs, int) and theirs < wire.VERSION
        raise Fault(
            f"server {server} speaks protocol version {theirs}, this client {__version__} version {wire.VERSION}",
            f"Upgrade {'the server' if older else 'this client'}: pip install --upgrade telegrad",
        )
    return f"server {server} and client {__version__} speak protocol version {wire.VERSION}"


# --- a session -------------------------------------------------------------------------------------------------------


def _session(case: Case) -> str:
    try:
        answer = case.request("POST", "/v1/sessions")
        said = _json(answer)
        if answer.status == 201 and "session" in said:
            case.request("DELETE", f"/v1/sessions/{said['session']}")
            return "the server has room for one"
    except OSError as error:
        raise Fault(f"the server stopped answering: {error}", "Try again; then look at its log.") from None
    if said.get("code") == ResourceExhaustedError.error_code:
        raise Fault(
            f"the server is full: {said.get('detail')}",
            "End a program that uses it (`telegrad status` shows the sessions), or start it with more --max-sessions.",
        )
    raise _stranger(case, _described(answer), answer)


def _stream(case: Case) -> str:
    failure = _attached(case, "websocket")
    if failure is None:
        return "by WebSocket"
    reason, blocked = failure
    other = _attached(case, "http")
    if other is not None:
        raise Fault(
            f"no stream gets through, by WebSocket ({reason}) or by HTTP ({other[0]})",
            "A proxy or firewall before the server lets short requests through only. Use a tunnel.",
        )
    advice = (
        "A proxy on the way has to pass WebSocket on. nginx: proxy_http_version 1.1; proxy_set_header Upgrade "
        '$http_upgrade; proxy_set_header Connection "upgrade"; and a proxy_read_timeout of hours.'
    )
    if not blocked:
        raise Fault(
            f"WebSocket is cut off on the way ({reason}); HTTP gets through",
            f'connect(url, transport="http") works. {advice}',
        )
    case.notes.append((f"WebSocket is blocked on the way ({reason}), so each read takes longer", advice))
    return "by HTTP requests"


def _attached(case: Case, transport: str) -> tuple[str, bool] | None:
    """None with a session that uses that carrier; else the reason, and whether a program would go on to HTTP."""
    try:
        context.attach(dataclasses.replace(case.endpoint, transport=transport), reconnect_timeout=0.0)
    except OpError as error:
        cause = error.__cause__
        return str(cause if cause is not None else error), isinstance(cause, WebSocketRefusedError)
    return None


def _speed(case: Case) -> str:
    try:
        times = speed.round_trips(_TRIPS)
        up, down = (_PROBE / seconds for seconds in speed.transfer(_PROBE))
    except (OpError, OSError) as error:
        raise Fault(
            f"the session does not last: {error}", "Look at the server's log, and at proxies on the way."
        ) from None
    typical, longest = statistics.median(times), max(times)
    if typical > _LONG_TRIP:
        advice = "Only reads wait: look at values seldom, and at several at once with tf.fetch(a, b)."
        case.notes.append((f"the server is far away: each read waits {typical * 1e3:.0f} ms", advice))
    if longest > max(5 * typical, _LONG_TRIP):
        advice = "The network or the server is busy at times; Wi-Fi and VPNs do this too."
        case.notes.append((f"some reads take much longer than others, up to {longest * 1e3:.0f} ms", advice))
    if min(up, down) < _SLOW:
        advice = "Large values take long: upload data once, and keep it and its batches on the server (tf.data does)."
        case.notes.append(("the network is slow", advice))
    return f"a read takes {typical * 1e3:.1f} ms; {format_size(up)}/s up, {format_size(down)}/s down"


_STEPS: Final[tuple[tuple[str, Callable[[Case], str]], ...]] = (
    ("address", _address),
    ("name", _name),
    ("connection", _reach),
    ("encryption", _encryption),
    ("server", _server),
    ("token", _token),
    ("version", _version),
    ("session", _session),
    ("stream", _stream),
    ("speed", _speed),
)
