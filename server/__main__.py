"""`python -m server`, `telegrad-server`: read the settings, open the devices, serve until told to stop.

`telegrad-server token NAME` makes a token instead.

Owns: the process: allocator and denormals before NumPy, signals, the socket, the line that says the server is ready.
"""

from __future__ import annotations

import sys

from server.allocator import keep_freed_memory
from server.denormals import flush_denormals

keep_freed_memory()
flush_denormals()  # before NumPy, whose BLAS threads inherit it

import asyncio
import gc
import os
import signal
import socket
import threading
from functools import partial
from typing import Any

import numpy as np
import uvicorn

from server import logs, token_command
from server import settings as options
from server.app import create_app
from server.devices import open_devices
from server.hosting import devices_of
from server.http_protocol import PayloadProtocol
from server.nursery import Nursery
from server.settings import Settings
from server.socket_protocol import SocketProtocol
from server.watch import Limits, Watch

_SWITCH_INTERVAL = 0.0005
"""Seconds a thread may keep the interpreter while another wants it: the event loop answers a ping beside a busy
executor.
"""


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT or, where asked for, the end of standard input."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments[:1] == ["token"]:
        return token_command.main(arguments[1:])
    settings, show_token = options.parse(arguments)
    os.environ.pop("TELEGRAD_TOKEN", None)  # no child of this process needs it
    logs.configure(settings.log_level, settings.log_format)
    sys.setswitchinterval(_SWITCH_INTERVAL)
    nursery = Nursery(settings.device) if settings.isolation == "process" else None
    devices = open_devices(settings.device) if nursery is None else devices_of(nursery)
    listening = _listen(settings)
    server = uvicorn.Server(_config(settings, create_app(settings, devices, nursery)))
    # uvicorn has its own handlers while it serves, and raises the signal again when it has stopped.
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: setattr(server, "should_exit", True))
    if settings.stop_with_stdin:
        threading.Thread(target=_stop_with_stdin, args=(server,), daemon=True).start()
    _announce(settings, listening, [d.name for d in devices], show_token)
    np.seterr(all="ignore")  # the event loop runs light ops: divisions by zero are the user's business, not a warning's
    # What was made up to here stays: the collector need not look at it again and again between ops.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(server.serve([listening]))
    return 0


def _config(settings: Settings, app: Any) -> uvicorn.Config:
    watch = Watch(Limits(settings.header_seconds, settings.stall_seconds, settings.max_connections))
    return uvicorn.Config(
        app,
        http=partial(PayloadProtocol, watch=watch),
        ws=partial(SocketProtocol, watch=watch),
        # uvicorn stops answering pings while the application is not receiving and then cuts a healthy session; the
        # protocol has its own heartbeat.
        ws_ping_interval=None,
        ws_ping_timeout=None,
        ws_per_message_deflate=False,
        ws_max_size=8 * 2**20 + 1024,
        log_level="warning",
        log_config=None,  # its loggers write as all others do
        access_log=False,
        timeout_graceful_shutdown=5,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        server_header=False,
    )


def _loop_factory() -> Any:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _listen(settings: Settings) -> socket.socket:
    if settings.uds is not None:
        listening = socket.socket(socket.AF_UNIX)
        mask = os.umask(0o077)  # only this user may connect
        try:
            listening.bind(settings.uds)
        finally:
            os.umask(mask)
    else:
        family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
        listening = socket.socket(family)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((settings.host, settings.port))
    listening.listen(512)
    listening.setblocking(False)
    return listening


def _announce(settings: Settings, listening: socket.socket, devices: list[str], show_token: bool) -> None:
    scheme = "https" if settings.tls_cert else "http"
    where = settings.uds or f"{scheme}://{settings.host}:{listening.getsockname()[1]}"
    print(f"telegrad: serving {', '.join(devices)} on {where}", flush=True)
    if show_token:
        print(f"telegrad: token {settings.token}", flush=True)


def _stop_with_stdin(server: uvicorn.Server) -> None:
    """Stop when the parent closes its end of standard input, which the system does for it even when it is killed."""
    while os.read(0, 4096):
        pass
    server.should_exit = True
    # A kernel may be holding the interpreter or a session's thread: the parent is gone, so nobody misses them.
    threading.Timer(3.0, os._exit, (0,)).start()


if __name__ == "__main__":
    sys.exit(main())
