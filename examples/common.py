"""The options that all examples take: which server to use."""

from __future__ import annotations

import argparse
from pathlib import Path

import client as tf


def connected(description: str | None, *options: tuple[str, dict[str, object]]) -> argparse.Namespace:
    """Read the command line and connect: to `--url`, or to an embedded server that is started for the program."""
    parser = argparse.ArgumentParser(description=(description or "").strip().splitlines()[0])
    parser.add_argument("--url", help="server to use instead of an embedded one")
    parser.add_argument("--token", help="the server's token; better in a file, or in TELEGRAD_TOKEN")
    parser.add_argument("--token-file", type=Path, help="file with the server's token")
    for name, settings in options:
        parser.add_argument(name, **settings)  # type: ignore[arg-type]
    given = parser.parse_args()
    token = given.token_file.read_text().strip() if given.token_file else given.token
    tf.connect(given.url, token)
    return given
