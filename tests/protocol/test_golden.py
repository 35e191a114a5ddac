"""`protocol/README.md` against the code: every example encodes to its bytes and back, and every table is the code's."""

import re
from typing import Any

import msgpack
import numpy as np
import pytest

from protocol import attrs, dtypes, errors, spec, stream, wire
from protocol.errors import ProtocolError
from protocol.wire import FIELDS, Item, Kind, Ref
from server import app, executor, file_routes, files, payloads, published, security, status_routes, storage, values
from tests.protocol.golden import README, encode_frame, encode_item, examples, meaning, section, tables

ITEMS, VALUES, FRAMES = examples(0), examples(1), examples(2)


def decoded(value: Any) -> Any:
    """A written value as it comes out of `wire.unpack`."""
    if isinstance(value, list):
        return tuple(map(decoded, value))
    if isinstance(value, dict):
        return {k: decoded(v) for k, v in value.items()}
    if isinstance(value, msgpack.ExtType):
        assert value.code == wire.EXT_REF
        return Ref(int.from_bytes(value.data, "big"))
    return value


def same(left: Any, right: Any) -> bool:
    if isinstance(left, tuple) and isinstance(right, tuple):
        return type(left) is type(right) and len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(same(left[k], right[k]) for k in left)
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return (left.dtype, left.shape, left.tobytes()) == (right.dtype, right.shape, right.tobytes())
    return type(left) is type(right) and bool(left == right)


@pytest.mark.parametrize(("text", "data"), ITEMS + VALUES)
def test_values_and_items(text, data):
    assert encode_item(text).hex(" ") == data.hex(" ")
    assert same(wire.unpack(data), decoded(meaning(text)))


@pytest.mark.parametrize(("text", "data"), FRAMES)
def test_frames(text, data):
    assert encode_frame(text).hex(" ") == data.hex(" ")
    name, _, rest = text.partition("(")
    seq, taken, done, *body = meaning(f"({rest}")
    frame = wire.decode_frame(data)
    assert (frame.kind, frame.seq, frame.taken, frame.done) == (Kind[name], seq, taken, done)
    if name == "ITEMS":
        assert same(wire.unpack_items(frame), decoded(body[0]))
    elif body:
        assert same(wire.unpack(frame.body), decoded(body[0]))
    else:
        assert frame.body == b""


def test_every_kind_has_an_example():
    assert {Kind[text.partition("(")[0]] for text, _ in FRAMES} == set(Kind)
    assert {Item(meaning(text)[0]) for text, _ in ITEMS} == set(Item)


def test_examples_of_items_have_the_fields_of_their_kind():
    used: dict[int, set[int]] = {}
    for text, _ in ITEMS:
        item = meaning(text)
        needed = [f for f in FIELDS[item[0]] if not f.endswith("?")]
        assert len(needed) < len(item) + (not needed) <= len(FIELDS[item[0]]) + 1, text
        used.setdefault(item[0], set()).add(len(item))
    assert all(max(used[k]) == len(FIELDS[k]) + 1 or k == Item.UPLOAD for k in Item), "an optional field is never shown"


# --- tables ----------------------------------------------------------------------------------------------------------


def test_the_header():
    rows = tables("Frames")[0]
    sizes = [int(row[1]) for row in rows[:-1]]
    letters = {1: "B", 4: "I", 8: "Q"}
    assert wire.HEADER.format == ">" + "".join(letters[s] for s in sizes)
    assert [int(row[0]) for row in rows] == [sum(sizes[:i]) for i in range(len(rows))]
    assert tuple(row[2] for row in rows) == wire.Frame._fields
    assert f"a header of {wire.HEADER.size} bytes" in README


def test_the_frame_kinds():
    assert {int(code): name for code, name, *_ in tables("Frames")[1]} == {int(k): k.name for k in Kind}


def test_the_items():
    rows = tables("Items")[0]
    assert {int(code): name for code, name, *_ in rows} == {int(i): i.name for i in Item}
    assert {int(code): tuple(fields.split(", ")) for code, _, fields, _ in rows} == FIELDS
    described = set(re.findall(r"^- \*\*(\w+)\*\*", section("Items"), re.MULTILINE))
    assert described == {"ids", "op", "outs", "ins", "attrs", "device", "tapes"}


def test_the_extension_types():
    rows = {name: int(code) for code, name, _ in tables("Values")[0]}
    assert rows == {"reference": wire.EXT_REF, "dtype": wire.EXT_DTYPE, "array": wire.EXT_ARRAY}


def test_the_dtypes():
    cells = [cell for row in tables("Values")[1] for cell in row]
    assert dict(zip(map(int, cells[::2]), cells[1::2], strict=True)) == {t.code: t.name for t in dtypes.ALL}


def test_the_error_codes():
    table = tables("Error codes")[0]
    cells = [row[start : start + 3] for start in (0, 3) for row in table if len(row) > start + 2]
    rows = [(int(code), name, int(http)) for code, name, http in cells]
    classes = {**errors._OP_ERRORS, **errors._PYTHON_ERRORS}
    assert rows == [(c, classes[c].__name__, security.STATUS.get(c, 500)) for c in sorted(classes)]
    tree = {(n, int(c)) for n, c in re.findall(r"(\w+Error) +(\d+)\b", errors.__doc__ or "")}
    assert tree == {(c.__name__, code) for code, c in errors._OP_ERRORS.items()}


def test_the_routes():
    documented = set()
    for cell, _ in tables("Carriers")[0]:
        for method, path in re.findall(r"`(\w+) ([^`?]+)[^`]*`", cell):
            documented.add((method, re.sub(r"\{\w+\}", "{}", path)))
    modules = "".join(m.__doc__ or "" for m in (app, file_routes, status_routes))
    served = set(re.findall(r"^    (\w+) +(/\S*?)(?:\?\S*)?(?=\s)", modules, re.MULTILINE))
    served = {(method, re.sub(r"\{\w+\}", "{}", path)) for method, path in served}
    assert documented - {("GET", "/healthz"), ("GET", "/readyz")} == served


def test_the_limits():
    assert {name: int(value) for name, value in tables("Limits")[0]} == {
        "bytes of a frame": wire.MAX_FRAME,
        "bytes of an inline value": wire.MAX_INLINE,
        "bytes of a string": 2**16,
        "entries of a msgpack array": 2**17,
        "entries of a msgpack map": 1024,
        "rank": spec.MAX_RANK,
        "elements of a shape": spec.MAX_ELEMENTS,
        "characters of a string attribute": attrs.MAX_STRING,
        "entries of a tuple attribute": attrs.MAX_ITEMS,
        "elements of a tensor that stands for an attribute": executor._MAX_ATTR_ELEMENTS,
        "items sent and not done": stream.DEFAULT_CREDIT.items,
        "bytes of frames sent and not done": stream.DEFAULT_CREDIT.bytes,
        "ops bound in a session": executor._MAX_OPS,
        "characters of an op's name": executor.MAX_OP_NAME,
        "characters of an error's message; its middle is left out past them": errors.MAX_MESSAGE,
        "characters of messages that poisoned values keep in a session": values.MAX_TEXTS,
        "operands and results of the ops on a session's tapes": values.MAX_RECORDED,
        "tensors in a session": values.MAX_TENSORS,
        "open uploads, pinned reads": payloads._MAX_OPEN,
        "bytes of an HTTP body of frames": app._MAX_BODY,
        "bytes of a STORE's head": storage._MAX_HEAD,
        "bytes of a file in a PUT": file_routes.MAX_PUT,
        "characters of a file's name, of a published one": files.MAX_NAME,
        "names published by the clients of a token": published.MAX_PUBLISHED,
    }


@pytest.mark.parametrize(
    ("limit", "make"),
    [(2**16, lambda n: "x" * n), (2**17, lambda n: [0] * n), (1024, lambda n: {str(i): 0 for i in range(n)})],
    ids=["string", "array", "map"],
)
def test_the_limits_of_msgpack(limit, make):
    wire.unpack(wire.pack(make(limit)))
    with pytest.raises(ProtocolError):
        wire.unpack(wire.pack(make(limit + 1)))


def test_the_version():
    assert f"# The Telegrad protocol, version {wire.VERSION}\n" in README
