"""`python -m benchmarks.worker OPENER OPTIONS`: one contender in a process of its own, asked for a turn of a program
by a line of JSON.

Owns: the loop, and the ways to open each library. Imports nothing but the standard library by itself: the process of
a peer holds the peer alone.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import Any


def client(url: str | None = None, token: str | None = None) -> tuple[Any, Any]:
    """Ours, connected; the answer is where the server is."""
    import client as tf
    from client.context import connect, session

    connect(url, token)
    endpoint = session().endpoint
    return tf, {"url": endpoint.url, "token": endpoint.token, "uds": endpoint.uds}


def raw(bulk: str, echo: str) -> tuple[Any, Any]:
    """Sockets."""
    from benchmarks.work.raw import RawLibrary

    return RawLibrary(bulk, echo), None


def bare_numpy(flush: bool) -> tuple[Any, Any]:
    """NumPy, its BLAS threads flushing denormals or not."""
    if flush:
        from server.denormals import flush_denormals

        flush_denormals()
    import numpy

    return numpy, None


def tensorflow(address: str | None = None) -> tuple[Any, Any]:
    """TensorFlow, its ops on this process's CPU or on that of the worker at `address`."""
    import tensorflow as tf

    if address is not None:
        tf.config.experimental_connect_to_host(address)
        tf.device("/job:worker/replica:0/task:0/device:CPU:0").__enter__()
    return tf, tf.__version__


OPENERS = {f.__name__: f for f in (client, raw, bare_numpy, tensorflow)}


def main() -> None:
    """Take turns until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    library, opened = OPENERS[sys.argv[1]](**json.loads(sys.argv[2]))
    print(json.dumps(opened), file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        module, _, function = request["program"].partition(":")
        try:
            run = getattr(importlib.import_module(f"benchmarks.work.{module}"), function)
            answer: Any = run(library, request["seconds"])
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
