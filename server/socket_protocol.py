"""uvicorn's WebSocket protocol, with bounds on what a peer can have it keep.

Owns: `SocketProtocol`: how many pieces a message has, pings of a peer that takes no answers, and peers that take
nothing at all. Does not know frames (`server.connections`). Compression is off, so no message is larger than it came.
"""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode

from server.watch import Pace, Wait, Watch, cut, waits_to_take

MAX_LINE: Final = 8000
"""Bytes of a header in a handshake: the parser has a limit there, and says nothing past it."""
MAX_PIECES: Final = 1024
"""Fragments of a message. Each costs an object, so that one of empty ones would have no end."""
CONNECTION: Final = "telegrad.connection"
"""The entry of a request's scope: the connection that it came over."""


class SocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that `watch` looks at."""

    def __init__(self, *arguments: Any, watch: Watch, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.known = False
        self._watch = watch
        self._pace = Pace(watch.limits)
        self.close_timeout = min(self.close_timeout, watch.limits.stall_seconds)

    def connection_made(self, transport: Any) -> None:
        """In place of the HTTP connection that it began as."""
        super().connection_made(transport)
        self._watch.enter(self)

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the transport."""
        self._watch.leave(self)
        super().connection_lost(error)

    def handle_connect(self, event: Any) -> None:
        """The application's task has been made and runs later."""
        super().handle_connect(event)
        if self.response.status_code == 101:
            self.scope[CONNECTION] = self

    def handle_cont(self, event: Any) -> None:
        """A further piece of a message."""
        if self.transport.is_closing():
            return  # what came in one read with a piece too many
        if len(self.frames) >= MAX_PIECES:
            self.conn.fail(CloseCode.MESSAGE_TOO_BIG, f"a message of more than {MAX_PIECES} pieces")
            self.handle_parser_exception()
            return
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """A message is whole. Of text the application is told only that it came: no frame is text."""
        if self.curr_msg_data_type == "text":
            self.frames = [b""]
        super().send_receive_event_to_app()

    def handle_ping(self) -> None:
        """Answer, unless the peer does not take its answers."""
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.conn.data_to_send()

    def look(self) -> None:
        """End it if the peer takes nothing. Whether it says anything is the session's to see."""
        wait = waits_to_take(self.transport, not self.writable.is_set())
        if wait is Wait.NOTHING and not self.handshake_complete:
            wait = Wait.HEAD
        left = self.transport.get_write_buffer_size()
        if self._pace.late(wait, left):
            self.end()

    def end(self) -> None:
        """Close it, whatever was to be sent."""
        self._watch.leave(self)
        self.disconnected = True
        cut(self.transport)
