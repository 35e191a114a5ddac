"""Keeps a session's connection up: the I/O thread, heartbeat, reconnecting with backoff.

Owns: `Link`. Does not know items. What is lost with a connection is sent again by the rules of `protocol.stream`; the
user sees a pause.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from client.answers import Read
from client.session import Session
from client.transport import Connection, open_connection
from client.transport.websocket import WebSocketConnection
from protocol.errors import OpError, ProtocolError, SequenceGapError, SessionLostError, UnavailableError, error_from
from protocol.wire import Kind, decode_frame, unpack_map

_MISSED_HEARTBEATS: Final = 3
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 5.0
_SAY_AFTER: Final = 2.0
_GATHER: Final = 0.001
"""Seconds that items may wait for company while the server has work. On an idle wire they go at once."""
_REST: Final = 0.005
"""Seconds after a read by a waiting thread in which the I/O thread leaves the socket to the next such read."""
_SPIN: Final = 0.0005
"""Seconds that a waiting thread looks before it sleeps: about what an answer over loopback takes."""
_PUMP: Final = 0.25
"""Seconds between a waiting thread's looks at whether its connection is still the session's."""
_TICK: Final = 0.5
"""Seconds after which an idle connection's thread looks whether tensors have died, to release them."""


class Link:
    """The thread that owns a session's connection. `server_gone` says whether trying again is hopeless (an embedded
    server that ended).
    """

    def __init__(
        self, session: Session, reconnect_timeout: float | None, server_gone: Callable[[], str | None]
    ) -> None:
        self._session = session
        self._reconnect_timeout = reconnect_timeout
        self._server_gone = server_gone
        self._heartbeat = 10.0
        self._connection: Connection | None = None
        self._reading = threading.Lock()  # whoever holds it takes bytes from the connection, and their frames in order
        self._pumping = _Turn()
        self._fault: OpError | None = None  # what such a thread found wrong
        self._pumped = 0.0  # when such a thread was last answered
        self._connect()
        session.pump = self._pump
        session.wake_io = self._wake
        self._thread = threading.Thread(target=self._run, name="telegrad-io", daemon=True)
        self._thread.start()

    def _connect(self) -> None:
        """One attempt. Raises OSError when another may help, OpError when none will."""
        session = self._session
        connection = open_connection(session.endpoint, session.id)
        try:
            connection.send(session.hello())
            frames = self._first_frames(connection)
            first = decode_frame(frames[0])
            said = unpack_map(first)
            if first.kind == Kind.REFUSED:
                error = error_from(said.get("code", 2), str(said.get("message")))
                raise error if isinstance(error, OpError) else ProtocolError(str(error))
            if first.kind != Kind.WELCOME:
                raise ProtocolError("the server's first frame is no WELCOME")
            self._heartbeat = float(said["heartbeat"])
            session.be_patient_for(_MISSED_HEARTBEATS * self._heartbeat)
            if isinstance(connection, WebSocketConnection):
                connection.patience = session.patience
            session.attach(connection, said)
            for frame in frames[1:]:
                session.receive(frame)
        except BaseException:
            connection.close()
            session.detach()
            raise
        self._connection = connection

    def _first_frames(self, connection: Connection) -> list[bytes]:
        deadline = time.monotonic() + self._session.endpoint.connect_timeout
        while (left := deadline - time.monotonic()) > 0:
            frames = connection.receive(left)
            if frames:
                return frames
        raise TimeoutError("the server does not answer")

    # --- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        session = self._session
        while not session.closed:
            try:
                assert self._connection is not None
                self._serve(self._connection)
            except (OSError, SequenceGapError) as error:
                self._lost_connection(error)
            except OpError as error:
                self._end(error)
            except Exception as error:  # a bug here must not leave the user waiting for ever
                self._end(wire_error(error))
            if session.lost is not None:
                return

    def _serve(self, connection: Connection) -> None:
        session = self._session
        self._heard = said = time.monotonic()
        while not session.closed:
            received = self._read(connection, min(_TICK, self._heartbeat / 2))
            if self._fault is not None:
                fault, self._fault = self._fault, None
                raise fault
            before = session.frames_sent
            if session.has_pending:
                if not session.idle and not received:
                    # The server has work: let the batch grow a little, and whoever fills it sends it.
                    self._read(connection, _GATHER)
                session.flush(wait=False)
            now = time.monotonic()
            if session.frames_sent != before:
                said = now
            due = now - said >= self._heartbeat * 0.9 or (session.owes_acknowledgement and not received)
            if due and session.send_control(Kind.ACK):
                said = now
            if now - self._heard > session.patience:
                raise ConnectionError(f"no sign of life for {now - self._heard:.0f} s")

    def _read(self, connection: Connection, timeout: float) -> bool:
        """Wait for frames and take them; whether any came."""
        if not isinstance(connection, WebSocketConnection):
            frames = connection.receive(timeout)
            self._hand_over(frames)
            return bool(frames)
        if self._pumping.locked() or time.monotonic() < self._pumped + _REST:
            connection.rest(_REST)
            return False
        if not connection.ready(timeout):
            return False
        with self._reading:
            taken = self._take(connection)
        if taken and self._pumping.locked():
            connection.reader_waker.set()  # it may have been its answer
        return taken

    def _take(self, connection: WebSocketConnection) -> bool:
        """With the lock: take the frames that have come. The other thread may have been faster."""
        frames = connection.receive(0.0)
        self._hand_over(frames)
        return bool(frames)

    def _hand_over(self, frames: list[bytes]) -> None:
        for frame in frames:
            self._session.receive(frame)
        if frames:
            self._heard = time.monotonic()

    def _pump(self, read: Read) -> bool:
        """Read the connection in the thread that waits for `read`, until that is answered; whether it was.

        It saves the hand-over from the I/O thread, which leaves the socket alone meanwhile and for a moment after. One
        thread at a time; others that wait are woken by whoever reads.
        """
        connection = self._connection
        if not isinstance(connection, WebSocketConnection) or not self._pumping.acquire():
            return False
        try:
            self._read_until(read, connection, _DeferredInterrupts())
        except OSError:  # the I/O thread meets the same, and knows what to do
            pass
        except OpError as error:
            self._fault = error  # for the I/O thread: the frame is gone
        finally:
            self._pumped = time.monotonic() if read.finished and not self._session.has_reads else 0.0
            self._pumping.release()
            if not self._pumped:
                connection.wake()
        return read.finished

    def _read_until(self, read: Read, connection: WebSocketConnection, interrupts: _DeferredInterrupts) -> None:
        until = time.monotonic() + _SPIN
        while not read.finished and self._connection is connection and self._session.lost is None:
            # At first look again and again: an answer from nearby is there before a sleeping thread wakes.
            timeout = 0.0 if time.monotonic() < until else _PUMP
            if connection.ready(timeout, connection.reader_waker):
                with interrupts, self._reading:
                    self._take(connection)

    def _wake(self) -> None:
        """Have the I/O thread look at what is pending. While it rests it looks soon anyway."""
        connection = self._connection
        if connection is not None and not (self._pumping.locked() or time.monotonic() < self._pumped + _REST):
            connection.wake()

    def _lost_connection(self, error: Exception) -> None:
        session = self._session
        assert self._connection is not None
        self._connection.close()
        session.detach()
        started = time.monotonic()
        pause = _FIRST_PAUSE
        said = False
        while not session.closed:
            gone = self._server_gone()
            if gone is not None:
                self._end(SessionLostError(gone))
                return
            try:
                self._connect()
            except (OSError, SequenceGapError) as again:
                error = again
            except OpError as final:
                self._end(final)
                return
            else:
                session.reconnects += 1
                if said:
                    print(f"telegrad: connected again to {session.endpoint}", file=sys.stderr)
                return
            away = time.monotonic() - started
            if self._reconnect_timeout is not None and away > self._reconnect_timeout:
                self._end(UnavailableError(f"{session.endpoint} could not be reached for {away:.0f} s: {error}"))
                return
            if away > _SAY_AFTER and not said:
                said = True
                print(f"telegrad: connection to {session.endpoint} lost ({error}); trying again", file=sys.stderr)
            sleep = pause * random.uniform(0.7, 1.0)
            time.sleep(sleep if said else min(sleep, max(_SAY_AFTER - away, 0.01)))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _end(self, error: OpError) -> None:
        if self._connection is not None:
            self._connection.close()
        if isinstance(error, SessionLostError):
            error = SessionLostError(
                f"{error.message}. Its tensors and variables are gone: call connect(), restore a checkpoint and go on"
            )
        self._session.lose(error)

    def stop(self) -> None:
        """Wait for the thread to end after the session was closed."""
        if threading.current_thread() is not self._thread:
            self._thread.join(2.0)


class _Turn:
    """Held by one thread at a time, and taken in one step, so that an interrupted thread can take it again."""

    def __init__(self) -> None:
        self._holder: dict[str, int] = {}

    def acquire(self) -> bool:
        """Take it, unless another thread has it."""
        me = threading.get_ident()
        return self._holder.setdefault("thread", me) == me

    def release(self) -> None:
        """Give it back."""
        self._holder.pop("thread", None)

    def locked(self) -> bool:
        """Whether a thread has it."""
        return bool(self._holder)


class _DeferredInterrupts:
    """Holds Ctrl-C back for a moment: an interrupt in the middle of a frame would lose what is left of it."""

    def __init__(self) -> None:
        self._main = threading.current_thread() is threading.main_thread()
        self._handler: Any = None
        self._caught: tuple[Any, ...] | None = None

    def __enter__(self) -> None:
        if self._main:
            self._handler = signal.signal(signal.SIGINT, self._catch)

    def _catch(self, *arguments: Any) -> None:
        self._caught = arguments

    def __exit__(self, *_: object) -> None:
        if not self._main:
            return
        signal.signal(signal.SIGINT, self._handler)
        caught, self._caught = self._caught, None
        if caught is not None and callable(self._handler):
            self._handler(*caught)


def wire_error(error: Exception) -> OpError:
    """An unexpected exception of the I/O thread as an error for whoever waits."""
    return ProtocolError(f"{type(error).__name__} while reading from the server: {error}")
