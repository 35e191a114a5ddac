"""A model's worth of values to files and back.

Owns: `save`, `restore`, and the same bytes over a bare socket, to memory and to a file. Each takes the library, ours or
TensorFlow, as `tf`.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from typing import Any

from benchmarks.work import raw as sockets
from benchmarks.work.timing import repeat
from benchmarks.work.transfer import SIZE

PARTS = 16
TOTAL = PARTS * SIZE  # bytes: a gigabyte


def save(tf: Any, seconds: float) -> list[float]:
    """Seconds until the values of 16 variables of 64 MB are in files."""
    checkpoint, _ = _model(tf)
    with tempfile.TemporaryDirectory() as folder:
        numbers = itertools.count()

        def emptied() -> None:
            shutil.rmtree(folder, ignore_errors=True)

        once = lambda: checkpoint.write(f"{folder}/{next(numbers)}/c")
        once()  # as in `benchmarks.work.transfer`
        return repeat(once, seconds, emptied)


def restore(tf: Any, seconds: float) -> list[float]:
    """Seconds until the variables have the values of the files, and an op that uses the last has run."""
    checkpoint, variables = _model(tf)
    with tempfile.TemporaryDirectory() as folder:
        path = checkpoint.write(f"{folder}/c")

        def once() -> None:
            checkpoint.read(path).assert_consumed()
            for variable in variables:
                variable[0].numpy()

        once()
        return repeat(once, seconds)


def _model(tf: Any) -> tuple[Any, list[Any]]:
    variables = [tf.Variable(tf.random.normal([SIZE // 4])) for _ in range(PARTS)]
    for variable in variables:
        variable[0].numpy()
    return tf.train.Checkpoint(variables=variables), variables


def raw_download(raw: sockets.RawLibrary, seconds: float) -> list[float]:
    """Seconds until as many bytes of the peer are in fresh buffers."""

    def once() -> None:
        for _ in range(PARTS):
            raw.bulk.sendall(b"D")
            sockets.receive_fresh(raw.bulk, SIZE)

    once()
    return repeat(once, seconds)


def raw_save(raw: sockets.RawLibrary, seconds: float) -> list[float]:
    """Seconds until as many bytes of the peer are in a new file: the least that saving them takes."""
    with tempfile.TemporaryDirectory() as folder:
        numbers = itertools.count()

        def emptied() -> None:
            shutil.rmtree(folder, ignore_errors=True)

        def once() -> None:
            os.makedirs(folder, exist_ok=True)
            with open(f"{folder}/{next(numbers)}", "xb", buffering=0) as file:
                for _ in range(PARTS):
                    raw.bulk.sendall(b"D")
                sockets.receive_into_file(raw.bulk, TOTAL, file)

        once()
        return repeat(once, seconds, emptied)


def raw_upload(raw: sockets.RawLibrary, seconds: float) -> list[float]:
    """Seconds until the peer has as many bytes in fresh buffers and says so."""
    data = memoryview(sockets.touched(SIZE))

    def once() -> None:
        for _ in range(PARTS):
            raw.bulk.sendall(b"U")
            raw.bulk.sendall(data)
            raw.bulk.recv(1)

    once()
    return repeat(once, seconds)
