"""Reads `protocol/README.md`: its tables, and its examples in the notation they are written in."""

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np

from protocol import dtypes, wire
from protocol.wire import Item, Kind

README = Path(wire.__file__).with_name("README.md").read_text()

NOTATION: dict[str, Any] = {
    **{kind.name: int(kind) for kind in Item},
    "nil": None,
    "true": True,
    "false": False,
    "array": lambda dtype, values: np.array(values, dtypes.as_dtype(dtype).numpy),
    "dtype": dtypes.as_dtype,
    "ref": wire.ref_ext,
}


def section(title: str) -> str:
    """The text under a heading, up to the next."""
    found = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", README, re.MULTILINE | re.DOTALL)
    assert found is not None, f"protocol/README.md has no section {title!r}"
    return found[1]


def tables(title: str) -> list[list[list[str]]]:
    """The tables of a section: rows of cells, the head left out."""
    found = re.findall(r"(?:^\|.*\n?)+", section(title), re.MULTILINE)
    return [[[c.strip() for c in row.strip("| ").split(" | ")] for row in t.splitlines()[2:]] for t in found]


def examples(which: int) -> list[tuple[str, bytes]]:
    """The rows of a table of examples: what is meant, and its bytes."""
    return [(meant.strip("`"), bytes.fromhex(data.strip("`"))) for meant, data in tables("Examples")[which]]


def meaning(text: str) -> Any:
    """The value that an example's left side stands for."""
    return eval(compile(ast.parse(text, mode="eval"), "README.md", "eval"), {"__builtins__": {}}, NOTATION)


def encode_item(text: str) -> bytes:
    """The bytes of an item or value in the examples' notation."""
    return wire.pack(meaning(text))


def encode_frame(text: str) -> bytes:
    """The bytes of a frame: `KIND(seq, taken, done, body)`."""
    name, _, rest = text.partition("(")
    seq, taken, done, *body = meaning(f"({rest}")
    count = len(body[0]) if name == "ITEMS" else 0
    return wire.encode_frame(Kind[name], seq, taken, done, count, wire.pack(body[0]) if body else b"")
