"""`python -m benchmarks.raw_server unix|tcp`: the other end of `benchmarks.work.raw`, until standard input ends.

Owns: a socket server that takes or gives SIZE bytes by a one-byte command, and a WebSocket echo. Prints one JSON
object: their addresses.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import tempfile
import threading

from benchmarks.proxy import new_loop
from benchmarks.work.raw import receive_fresh, touched
from benchmarks.work.transfer import SIZE


def _serve_bulk(listening: socket.socket) -> None:
    while True:
        connection, _ = listening.accept()
        if connection.family != getattr(socket, "AF_UNIX", None):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=_serve_one, args=(connection,), daemon=True).start()


def _serve_one(connection: socket.socket) -> None:
    given = touched(SIZE)
    with contextlib.suppress(OSError), connection:
        while command := connection.recv(1):
            if command == b"U":
                receive_fresh(connection, SIZE)
                connection.sendall(b".")
            else:
                connection.sendall(given)


def _listen(path: str | None) -> tuple[socket.socket, str]:
    """A listening socket and its address."""
    if path is not None:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
        address = path
    else:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listening.getsockname()[1]}"
    listening.listen()
    return listening, address


async def _serve_echo(listening: socket.socket) -> None:
    from websockets.asyncio.server import ServerConnection, serve

    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, sock=listening, compression=None, ping_interval=None):
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def main() -> None:
    """Serve until standard input ends."""
    with tempfile.TemporaryDirectory(prefix="telegrad-raw-") as directory:
        unix = sys.argv[1] == "unix"
        bulk, bulk_address = _listen(os.path.join(directory, "bulk") if unix else None)
        echo, echo_address = _listen(os.path.join(directory, "echo") if unix else None)
        threading.Thread(target=_serve_bulk, args=(bulk,), daemon=True).start()
        print(json.dumps({"bulk": bulk_address, "echo": echo_address}), flush=True)
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_serve_echo(echo))


if __name__ == "__main__":
    main()
