"""Fuzzing that is guided by coverage: inputs that reach new branches are kept and changed further.

    python -m tests.fuzz.guided wire --seconds 600
    python -m tests.fuzz.guided items --seconds 600

Needs `pip install atheris`, which is no part of the extra `dev`. Goes on with what it found last time where `--corpus`
names a folder; the files of `tests/fuzz/corpus` come first. A failure leaves its input in the current folder as
`crash-...`; put into the corpus, it is a test.

Owns: the inputs' split into calls of the checks. The checks are those of the tests.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
FEW_BYTES = 2**16


def check_wire(data: bytes) -> None:
    """Bytes as a value, as a frame, and as a byte stream cut where the first byte says."""
    from tests.fuzz import codec

    codec.check_value(data)
    codec.check_frame(data)
    codec.check_byte_stream(data[1:], [data[0]] if data else [])


def check_items(data: bytes) -> None:
    """Bytes as the bodies of up to four frames; each after its length, of two bytes."""
    from tests.fuzz import items

    bodies = []
    while data and len(bodies) < 4:
        size = int.from_bytes(data[:2], "big")
        bodies.append(data[2 : 2 + size])
        data = data[2 + size :]
    items.check_bodies(bodies)


def joined(bodies: list[bytes]) -> bytes:
    """What `check_items` takes apart."""
    return b"".join(len(body).to_bytes(2, "big") + body for body in bodies)


CHECKS: dict[str, Callable[[bytes], None]] = {"wire": check_wire, "items": check_items}


def main() -> None:
    """Run until something is found or time is over."""
    command = argparse.ArgumentParser("python -m tests.fuzz.guided", description="Fuzz one part, guided by coverage.")
    command.add_argument("part", choices=CHECKS)
    command.add_argument("--seconds", type=int, default=600)
    command.add_argument("--corpus", type=Path, help="a folder to keep what reached something new, and to start from")
    given = command.parse_args()
    try:
        import atheris
    except ImportError:
        command.error("this needs atheris: pip install atheris")
    with atheris.instrument_imports(include=["protocol", "server"]):
        import server.executor
        import server.host  # noqa: F401  # instrumented, for the checks
    import numpy as np

    np.seterr(all="ignore")
    with tempfile.TemporaryDirectory() as folder:
        kept = given.corpus or Path(folder)
        kept.mkdir(parents=True, exist_ok=True)
        options = [
            f"-max_total_time={given.seconds}", f"-max_len={FEW_BYTES}", "-timeout=60", "-rss_limit_mb=4096",
            "-len_control=1000", "-print_final_stats=1",
        ]  # fmt: skip
        atheris.Setup([sys.argv[0], str(kept), str(CORPUS / given.part), *options], CHECKS[given.part])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
