"""uvicorn's HTTP protocol with two additions: bounds on what a peer may send and how slowly, and a request's body can
be received straight into memory that waits for it.

Owns: `PayloadProtocol`, and the `BODY` entry of a request's scope. Does not know what bodies hold, nor when a peer is
too slow (`server.watch`).

An ASGI application gets a body in pieces, each copied several times and each at the price of a turn of the event loop:
a quarter of a second for 64 MB where the socket itself takes a tenth of that. `scope[BODY](sink)` instead lets the
transport read into where the sink has room (`server.sinks`) until it is full. The HTTP parser does not see those bytes,
so the connection serves no further request: answer with `Connection: close`.

The parser has no limits of its own: a header that never ends is kept for as long as it comes. So bytes are counted that
give neither a request nor a piece of a body.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection
from http import HTTPStatus
from typing import Any, Final, TypeAlias

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from protocol.errors import InvalidArgumentError, OpError, ResourceExhaustedError, UnavailableError
from server.sinks import Sink, pour
from server.socket_protocol import CONNECTION, MAX_LINE
from server.watch import MAX_HEAD, MAX_HEADERS, Pace, Wait, Watch, cut, waits_to_take

BODY: Final = "telegrad.body"
ReadBody: TypeAlias = Callable[[Sink], Awaitable[None]]
_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class PayloadProtocol(HttpToolsProtocol):
    """An HTTP connection that `watch` looks at; adds `scope[BODY]` to every request."""

    def __init__(self, *arguments: Any, watch: Watch, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.known = False
        self._watch = watch
        self._pace = Pace(watch.limits)
        self._in_head = True
        self._in_body = False
        self._bytes = 0  # of bodies
        self._steps = 0  # requests, and pieces of bodies
        self._spent = 0  # bytes that led to none of these

    # --- the connection ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Take it, or say that there is no room."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        if not self._watch.admit(self):
            self._refuse(503, UnavailableError("too many connections are open; try again in a moment"))

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the transport."""
        self._watch.leave(self)
        super().connection_lost(error)

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over to a WebSocket's protocol."""
        self._watch.leave(self)
        super().handle_websocket_upgrade()

    def look(self) -> None:
        """End the connection if its peer is late."""
        wait, moved = self._waits_for()
        if not self._pace.late(wait, moved):
            return
        if wait in (Wait.HEAD, Wait.BODY) and not self._answering and (self._spent or wait is Wait.BODY):
            self._refuse(408, UnavailableError("the request did not come to its end in time"))
        else:
            self.end()

    def end(self) -> None:
        """Close it, whatever was to be sent."""
        self._watch.leave(self)
        self._disconnect()
        cut(self.transport)

    def _disconnect(self) -> None:
        """Let no task write any more: the loop may have closed the transport before it tells."""
        for cycle in (self.cycle, *[each for each, _ in self.pipeline]):
            if cycle is not None and not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self.flow.resume_writing()

    def _waits_for(self) -> tuple[Wait, int]:
        wait = waits_to_take(self.transport, self.flow.write_paused)
        if wait is not Wait.NOTHING:
            return wait, self.transport.get_write_buffer_size()
        cycle = self.cycle
        if self._in_head and (cycle is None or cycle.response_complete):
            idle = self.timeout_keep_alive_task is not None
            return Wait.NOTHING if idle else Wait.HEAD, self._bytes
        if self._in_body and cycle is not None:
            if cycle.response_complete:
                return Wait.REST, self._bytes
            if not self.flow.read_paused and not cycle.waiting_for_100_continue:
                return Wait.BODY, self._bytes
        return Wait.NOTHING, self._bytes

    @property
    def _answering(self) -> bool:
        return self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete

    def _refuse(self, status: int, error: OpError) -> None:
        """Answer what never becomes a request, and close."""
        self._disconnect()
        body = _problem(status, error)
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/problem+json\r\n"
        self.transport.write(f"{head}content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode() + body)
        self.transport.close()

    # --- requests ----------------------------------------------------------------------------------------------------

    def data_received(self, data: bytes) -> None:
        """Called by the transport."""
        if self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        steps = self._steps
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            return
        except httptools.HttpParserError as error:
            self._refuse(400, InvalidArgumentError(f"this is no HTTP request: {error}"[:200]))
            return
        self._spent = self._spent + len(data) if self._steps == steps else 0
        if self._spent > MAX_HEAD and not self.transport.is_closing():
            self._refuse(431, _too_large()) if self._in_head and not self._answering else self.end()

    def on_message_begin(self) -> None:
        """Called by the parser."""
        super().on_message_begin()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser, for the trailers behind a chunked body too: those are no headers."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Called by the parser; the application's task has been made and runs later."""
        self._steps += 1
        self._in_head, self._in_body = False, True
        if self._too_large():
            app, self.app = self.app, _refuse_headers
            self.url = b"/"  # the parser of paths has a limit of its own
            self.headers[:] = [h for h in self.headers[:MAX_HEADERS] if h[0] != b"upgrade"]
            super().on_headers_complete()
            self.app = app
            return
        super().on_headers_complete()
        self.scope[BODY] = self._read_body
        self.scope[CONNECTION] = self

    def _too_large(self) -> bool:
        sizes = [len(self.url), *[len(name) + len(value) + 4 for name, value in self.headers]]
        if sum(sizes) > MAX_HEAD or len(self.headers) > MAX_HEADERS:
            return True
        return max(sizes) > MAX_LINE and self._should_upgrade()

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._steps += 1
        self._bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._steps += 1
        self._in_head, self._in_body = True, False
        super().on_message_complete()

    # --- bodies past the parser --------------------------------------------------------------------------------------

    def filled(self, count: int) -> None:
        """So many bytes of a body have come without the parser."""
        self._bytes += count

    async def _read_body(self, sink: Sink) -> None:
        """Fill the sink from the body, as far as it comes before the connection ends."""
        cycle = self.cycle
        if cycle.waiting_for_100_continue:
            cycle.waiting_for_100_continue = False
            self.transport.write(_CONTINUE)
        while cycle.body and sink.left:  # what the parser has seen, and goes on to see while the sink is not ready
            early = bytes(cycle.body)
            cycle.body = type(cycle.body)()
            await pour(sink, early[: sink.left])
        while sink.left and not cycle.disconnected:
            filler = _Filler(self, sink)
            self.transport.set_protocol(filler)
            self.flow.resume_reading()
            try:
                await filler.done
            finally:
                if not self.transport.is_closing():
                    self.transport.set_protocol(self)
            if filler.ended:
                return
            await sink.ready()


def _too_large() -> OpError:
    return ResourceExhaustedError(f"the headers are over the limit of {MAX_HEAD} bytes and {MAX_HEADERS} headers")


def _problem(status: int, error: OpError) -> bytes:
    """Problem details (RFC 9457), as `server.security` makes them for requests."""
    about = {"type": "about:blank", "title": type(error).__name__, "status": status}
    return json.dumps({**about, "detail": error.message, "code": error.error_code}).encode()


async def _refuse_headers(_: Any, __: Any, send: Any) -> None:
    """The application of a request whose headers are too many."""
    body = _problem(431, _too_large())
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 431, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Flow(FlowControl):
    """Reads nothing while requests wait for the one before them: each answer would let in hundreds more."""

    def __init__(self, transport: Any, pipeline: Collection[Any]) -> None:
        super().__init__(transport)
        self._pipeline = pipeline

    def resume_reading(self) -> None:
        """Called for every answer, and where a body is wanted."""
        if not self._pipeline:
            super().resume_reading()


class _Filler(asyncio.BufferedProtocol):
    """Reads into the sink until it is full or not ready."""

    def __init__(self, http: PayloadProtocol, sink: Sink) -> None:
        self._http = http
        self._sink = sink
        self.ended = False
        self.done: asyncio.Future[None] = http.loop.create_future()

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the transport may write."""
        return self._sink.room() if self._sink.left else memoryview(bytearray(4096))

    def buffer_updated(self, nbytes: int) -> None:
        """The transport wrote `nbytes`."""
        self._http.filled(nbytes)
        if self._sink.left and not self._sink.took(nbytes):
            self._http.flow.pause_reading()
            self._finish()
        elif not self._sink.left:
            self._finish()

    def eof_received(self) -> bool:
        """The peer has no more."""
        self.ended = True
        self._finish()
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone: what came stays, and the HTTP protocol hears of it."""
        self.ended = True
        self._finish()
        self._http.connection_lost(error)

    def pause_writing(self) -> None:
        """Pass on."""
        self._http.pause_writing()

    def resume_writing(self) -> None:
        """Pass on."""
        self._http.resume_writing()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


def body_reader(scope: Any) -> ReadBody | None:
    """The request's way to read its body into memory; None under another server than ours."""
    found: ReadBody | None = scope.get(BODY)
    return found
