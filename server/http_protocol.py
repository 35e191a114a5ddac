"""uvicorn's HTTP protocol with one addition: a request's body can be received straight into memory that waits for it.

Owns: `PayloadProtocol` and the `BODY` entry of a request's scope. Does not know what bodies hold.

An ASGI application gets a body in pieces, each copied several times and each at the price of a turn of the event loop:
a quarter of a second for 64 MB where the socket itself takes a tenth of that. `scope[BODY](sink)` instead lets the
transport read into where the sink has room (`server.sinks`) until it is full. The HTTP parser does not see those bytes,
so the connection serves no further request: answer with `Connection: close`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.sinks import Sink, pour

BODY: Final = "telegrad.body"
ReadBody: TypeAlias = Callable[[Sink], Awaitable[None]]


class PayloadProtocol(HttpToolsProtocol):
    """Adds `scope[BODY]` to every request."""

    def on_headers_complete(self) -> None:
        """Called by the parser; the application's task has been made and runs later."""
        super().on_headers_complete()
        self.scope[BODY] = self._read_body

    async def _read_body(self, sink: Sink) -> None:
        """Fill the sink from the body, as far as it comes before the connection ends."""
        cycle = self.cycle
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
