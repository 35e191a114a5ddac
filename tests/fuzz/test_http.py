"""Whatever comes over HTTP, the answer is a documented one, errors are problem details, and the server goes on."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Iterator
from typing import Any

import httpx
import msgpack
import numpy as np
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from protocol import dtypes
from tests.fuzz.npy_files import npy, npy_files
from tests.fuzz.plain import REFUSED_5XX, answer, ask, checked_problem, connect, request
from tests.server.tools import JSON, MSGPACK, NPY, Web
from tests.support import ServerProcess, serving


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as log:
        with serving("--memory-limit", "64m", "--data-dir", folder, "--isolation", "process", log=log) as process:
            yield process
        log.seek(0)
        said = log.read().decode()
        assert "Traceback" not in said, said[said.index("Traceback") - 500 :]


@pytest.fixture(scope="module")
def web(server: ServerProcess) -> Iterator[Web]:
    with Web(server) as client:
        yield client.new_session()


def sound(found: httpx.Response) -> httpx.Response:
    """Not a bug's answer. (That errors are problem details, `Web` sees to.)"""
    assert found.status_code < 500 or found.status_code in REFUSED_5XX, found.text
    return found


# --- the document ----------------------------------------------------------------------------------------------------

OPERATIONS: dict[str, dict[str, Any]] = {
    "POST /v1/sessions": {}, "DELETE /v1/sessions/{identifier}": {"identifier": "nobody's"},
    "POST /v1/sessions/{identifier}/connections": {}, "POST /v1/sessions/{identifier}/frames": {},
    "GET /v1/sessions/{identifier}/frames": {}, "PUT /v1/sessions/{identifier}/uploads/{upload}": {},
    "GET /v1/sessions/{identifier}/uploads/{upload}": {}, "GET /v1/sessions/{identifier}/tensors": {},
    "GET /v1/sessions/{identifier}/reads/{read}": {"identifier": "nobody's"},  # it waits for its read, ten minutes
    "POST /v1/sessions/{identifier}/execute": {}, "PUT /v1/sessions/{identifier}/tensors/{reference}": {},
    "GET /v1/sessions/{identifier}/tensors/{reference}": {"reference": "kept"},
    "DELETE /v1/sessions/{identifier}/tensors/{reference}": {}, "POST /v1/run": {}, "GET /v1/published": {},
    "GET /v1/published/{name}": {"name": "kept"}, "DELETE /v1/published/{name}": {}, "GET /v1/ops": {},
    "GET /v1/ops/{name}": {"name": "add"}, "GET /v1/devices": {}, "GET /v1/status": {}, "GET /metrics": {},
    "GET /healthz": {}, "GET /readyz": {}, "GET /v1/files": {}, "GET /v1/files/{name}": {"name": "kept"},
    "PUT /v1/files/{name}": {}, "DELETE /v1/files/{name}": {},
}  # fmt: skip
"""Every operation, and path parameters with which half of its requests come further."""
CHECKS = [
    checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance,
    checks.response_headers_conformance,
]  # fmt: skip


@pytest.fixture(scope="module")
def document(server: ServerProcess, web: Web) -> dict[str, Any]:
    """The operations of the server's own OpenAPI document, by name; what they may ask for is there."""
    web.execute({"kind": "constant", "value": [1.5], "output": "kept"})
    web.execute({"kind": "publish", "tensor": "kept", "name": "kept"})
    web.put("/v1/files/kept", content=b"0123456789")
    schema = schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    return {operation.ok().label: operation.ok() for operation in schema.get_all_operations()}


def test_every_operation_of_the_document_is_here(document: dict[str, Any]) -> None:
    assert document.keys() == OPERATIONS.keys()


@pytest.mark.parametrize("label", OPERATIONS)
def test_operations(server: ServerProcess, web: Web, document: dict[str, Any], label: str, explore: Any) -> None:
    operation = document[label]
    session = web.path.rpartition("/")[2]

    def check(case: Any, further: bool) -> None:
        if "identifier" in operation.path_parameters:
            case.path_parameters["identifier"] = session
        case.path_parameters = {**(case.path_parameters or {}), **(OPERATIONS[label] if further else {})}
        if label.startswith("DELETE /v1/sessions/{identifier}") or "reads" in label:
            case.path_parameters |= OPERATIONS[label]
        if label == "GET /v1/sessions/{identifier}/frames":
            case.query = {**(case.query or {}), "wait": 0}
        found = case.call(headers=server.headers, timeout=60)
        if found.status_code >= 400:
            checked_problem(found.status_code, found.headers["content-type"][0], found.content)
        assert found.status_code < 500 or found.status_code in REFUSED_5XX, found.text
        case.validate_response(found, checks=CHECKS)
        if label == "POST /v1/sessions" and found.status_code == 201:  # too many would cost these tests their own
            web.delete(f"/v1/sessions/{json.loads(found.content)['session']}")

    modes = [GenerationMode.POSITIVE]
    if any(operation.iter_parameters()) or operation.body:
        modes.append(GenerationMode.NEGATIVE)
    cases = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])
    explore(check, cases, st.booleans(), examples=10)


# --- bodies ----------------------------------------------------------------------------------------------------------

RUN = {"op": "add", "inputs": [[1, 2], [3.5, 4]], "outputs": ["z"], "attrs": {}, "tapes": [], "device": None}
WORDS = ["op", "inputs", "outputs", "attrs", "kind", "items", "value", "tensor", "name", "data", "shape", "dtype"]
WORDS += [
    "add",
    "cast",
    "reshape",
    "constant",
    "read",
    "publish",
    "tape",
    "gradient",
    "float32",
    "NaN",
    "ref",
    "\ud800",
]
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from([2**31, 2**63, 2**64, -(2**63) - 1, 10**400]), st.floats(),
    st.text(max_size=8), st.sampled_from(WORDS),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=5),
    max_leaves=25,
)


@st.composite
def mutated(draw: Any) -> Any:
    """A request that is right but for some of its members."""
    item = {**RUN, **draw(st.dictionaries(st.sampled_from(WORDS), VALUES, max_size=3))}
    for name in draw(st.lists(st.sampled_from(WORDS), max_size=2)):
        item.pop(name, None)
    return draw(st.sampled_from([item, {"items": [item]}, {"items": [RUN, item, RUN]}]))


@st.composite
def spoiled(draw: Any, data: bytes) -> bytes:
    """Bytes of which some are others."""
    found = bytearray(data)
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(found) - 1)))
        found[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(found)


def posted(web: Web, body: bytes, kind: str, accept: str) -> None:
    for path in ("/v1/run", f"{web.path}/execute"):
        headers = {"content-type": kind, "accept": accept}
        found = sound(web.post(path, content=body, headers=headers))
        assert found.status_code >= 400 or found.headers["content-type"] == accept


def test_json_of_any_kind(web: Web, explore: Any) -> None:
    def check(value: Any, accept: str, data: Any) -> None:
        body = json.dumps(value).encode()
        posted(web, body, JSON, accept)
        posted(web, data.draw(spoiled(body)), JSON, accept)

    explore(check, mutated() | VALUES, st.sampled_from([JSON, MSGPACK]), st.data(), examples=30)


def test_msgpack_of_any_kind(web: Web, explore: Any) -> None:
    def check(value: Any, data: Any) -> None:
        try:
            body = msgpack.packb(value, unicode_errors="surrogatepass")
        except OverflowError:
            body = msgpack.packb(RUN)
        posted(web, body, MSGPACK, MSGPACK)
        posted(web, data.draw(spoiled(body)), MSGPACK, JSON)

    explore(check, mutated() | VALUES | st.binary(max_size=40), st.data(), examples=30)


def add(*inputs: Any, **more: Any) -> bytes:
    return json.dumps({"op": "add", "inputs": list(inputs), **more}).encode()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (add(1, 1, outputs=None), 200), (add(1, 1, device=None, tapes=[]), 200),
        (add(1, 1, attrs={"\ud800": 1}), 400), (add("\ud800", 1), 400), (add(1, 1, device="\ud800"), 400),
        (add(10**400, 1), 400), (add({"dtype": "float32", "data": 10**400}, 1), 400), (add(2**64, 1), 400),
        (b'{"op":"sum","inputs":[[1]],"attrs":{"axis":1%s}}' % (b"0" * 400), 400),
        (b'{"op":"reshape","inputs":[[1]],"attrs":{"shape":[18446744073709551616]}}', 400),
        (b'{"op":"fill","inputs":[1],"attrs":{"dims":[1099511627776,1099511627776]}}', 400),
        (b'{"op":"neg","op":"add","inputs":[1,1]}', 200), (b'{"op":"add","inputs":[NaN,-Infinity]}', 200),
        (b'{"op":"add","inputs":[1e999,1]}', 200), ('{"op":"add","inputs":[1,1]}'.encode("utf-16"), 200),
        (b'"\xed\xa0\x80"', 400), (b'{"op":"\xff"}', 400), (b"[" * 4_000_000, 400), (b'{"a":' * 800_000, 400),
        (add([[[[[[[[]]]]]]]], 1), 200), (add({"data": [], "shape": [2**62, 2**62, 0], "dtype": "int8"}, 1), 400),
        (b'{"items":[{"kind":{}}]}', 400), (b'{"items":[null]}', 400), (b'{"items":{}}', 400), (b"null", 400),
    ],
)  # fmt: skip
@pytest.mark.parametrize("accept", [JSON, MSGPACK])
def test_bodies_in_json(web: Web, body: bytes, status: int, accept: str) -> None:
    found = web.post("/v1/run", content=body, headers={"content-type": JSON, "accept": accept})
    assert found.status_code == status, found.text


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "x-gzip", "gzip, gzip", "identity, gzip", "?"])
@pytest.mark.parametrize(("method", "path"), [("POST", "/v1/run"), ("PUT", "/v1/files/x"), ("POST", "{}/execute")])
def test_encoded_bodies_are_refused(web: Web, method: str, path: str, encoding: str) -> None:
    found = web.request(method, path.format(web.path), content=b"{}", headers={"content-encoding": encoding})
    assert (found.status_code, found.json()["code"]) == (415, 3)


# --- .npy ------------------------------------------------------------------------------------------------------------


def as_numpy_has_it(data: bytes) -> np.ndarray | None:
    """What NumPy makes of a file; None where it refuses, or we have no such dtype."""
    try:
        array = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception:  # as many as a parser of anything has
        return None
    array = array.view(dtypes.bfloat16.numpy) if array.dtype == np.dtype("V2") else array
    return array if array.dtype.newbyteorder("=") in dtypes.BY_NUMPY else None


def test_npy_files_are_what_numpy_says_or_refused(web: Web, explore: Any) -> None:
    def check(data: bytes, chunked: bool) -> None:
        body: Any = iter([data[i : i + 7] for i in range(0, len(data), 7)]) if chunked else data
        found = sound(web.put(f"{web.path}/tensors/x", content=body, headers={"content-type": NPY}))
        if found.status_code >= 400:
            return
        wanted = as_numpy_has_it(data)
        assert wanted is not None
        back = np.load(io.BytesIO(web.get(f"{web.path}/tensors/x?format=npy").content))
        assert back.shape == wanted.shape
        assert back.tobytes() == wanted.astype(wanted.dtype.newbyteorder("=")).tobytes()

    explore(check, npy_files(), st.booleans(), examples=60)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (npy("|O"), 400), (npy("<f4", "9223372036854775807,"), 400), (npy("<f4", "4294967296, 4294967296"), 400),
        (npy("<f4", "9" * 30 + ","), 400), (npy("<f4", "-1,"), 400), (npy("<f4", "True,"), 400),
        (npy("<f4", "1.5,"), 400),
        (npy("<f4", "1," * 5000), 400), (npy("<f4", "(" * 2000 + ")" * 2000), 400), (npy("V8"), 400), (npy("S4"), 400),
        (npy("<M8[s]"), 400), (npy("<f16"), 400), (npy("(2,)<f4"), 400), (npy("<f4", fortran="1"), 400),
        (npy("<f4", length=60000), 400), (npy("<f4", length=5), 400), (npy("<f4", version=2, length=2**32 - 1), 400),
        (npy("<f4", version=4), 400), (npy("<f4", version=0), 400), (npy("|b1", elements=b"\7"), 400), (b"", 400),
        (npy("<f4", "1,", elements=b"\0" * 5), 400), (npy("<f4", "1,", elements=b"\0" * 3), 400),
        (npy("<f4", "1000000000000,"), 507), (b"\x93NUMPY", 400), (b"\x80\x04N.", 400), (b"PK\3\4" + b"\0" * 60, 400),
        (npy("<f4", version=3, elements=b"\0" * 4), 200), (npy(">f4", "2, 3", "True", elements=b"\0" * 24), 200),
        (npy("<f4", "0, 99999999999"), 200), (npy("V2", elements=b"\0" * 2), 200),
    ],
)  # fmt: skip
def test_npy_headers(web: Web, data: bytes, status: int) -> None:
    web.put(f"{web.path}/tensors/y", json=1)
    found = web.put(f"{web.path}/tensors/y", content=iter([data]), headers={"content-type": NPY})
    assert found.status_code == status, found.text


def test_a_scalar_in_fortran_order_is_a_scalar(web: Web) -> None:
    data = npy("<f4", fortran="True", elements=bytes(4))
    assert web.put(f"{web.path}/tensors/s", content=data, headers={"content-type": NPY}).status_code < 300
    assert web.read("s").shape == ()


# --- requests as bytes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/9.9\r\n\r\n", 400), (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"FOO /v1/ops HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET \xff HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /v1/ops HTTP/1.1\r\n\r\n", 403), (b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET //// HTTP/1.1\r\nHost: localhost\r\n\r\n", 401), (b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 401),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: localhost\r\n\x00: 1\r\n\r\n", 400),
        (b"POST /v1/run HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /v1/run HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n", 400),
        (b"POST /v1/run HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"POST /v1/run HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * 129 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 65536 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 65536 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431), (b"GET /" + b"x" * 70000, 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 700000, 431), (b"\r\n" * 40000, 431),
    ],
)  # fmt: skip
def test_what_is_no_request(server: ServerProcess, data: bytes, status: int) -> None:
    found = ask(server, data)
    assert found is not None and found.status == status and found.problem["code"] in (3, 7, 8, 16)


TRICKS = [
    b"..", b"../../etc/passwd", b"%2e%2e/x", b"%2e%2e%2f%2e%2e%2fetc", b"a/../../b", b"a%2f..%2f..%2fb", b"%00",
    b"a%00b", b"a%0d%0aX:1", b".hidden", b"a//b", b"/a", b"a/", b"a\\b", b"%5c%5c", b"e%cc%81", b"%c3%a9",
    b"%ef%bc%8e%ef%bc%8e",
    b"%ff%fe", b"%u002e", b"%", b"%zz", b"x" * 600, b"x" * 60000, b"%f0%9f%98%80", b"~root", b"a:b", b"a|b", b"a*",
    b"a?b=c",
]  # fmt: skip
PLACES = [b"/v1/files/", b"/v1/published/", b"/v1/ops/", b"/v1/sessions/", b"{}/tensors/", b"{}/uploads/", b"/v1/"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_names_that_would_be_paths(server: ServerProcess, web: Web, place: bytes, method: str) -> None:
    where = place.replace(b"{}", web.path.encode())
    with connect(server) as connection:
        for trick in TRICKS:
            connection.sendall(request(server, method, where + trick))
            found = answer(connection, method)
            assert found is not None, trick
            assert found.status in (204, 400, 404, 405, 415), (trick, found)  # 204: what is below the name `a`
            assert found.status == 204 or method == "HEAD" or found.problem
    assert sound(web.get(f"{web.path}/tensors")).status_code == 200


def test_any_name(server: ServerProcess, web: Web, explore: Any) -> None:
    def check(name: bytes, place: bytes) -> None:
        where = place.replace(b"{}", web.path.encode())
        found = ask(server, request(server, "GET", where + name))
        assert found is not None and (found.status < 400 or found.problem["code"] in (3, 5, 9, 64))

    characters = st.binary(max_size=20).map(lambda b: b.translate(None, b" \r\n\t\0?#").replace(b"//", b"/"))
    quoted = st.binary(max_size=20).map(lambda b: b"".join([b"%%%02x" % c for c in b]))
    explore(check, characters | quoted | st.sampled_from(TRICKS), st.sampled_from(PLACES), examples=100)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"Authorization: Bearer x"], 400), ([b"Host: evil.example"], 400), ([b"Origin: http://evil.example"], 403),
        ([b"Origin: null"], 403), ([b"Origin: "], 403),
        ([b"Content-Type: a/b", b"Content-Type: application/json"], 400),
        ([b"Content-Encoding: identity", b"Content-Encoding: gzip"], 400), ([b"Expect: 100-continue"], 400),
        ([b"Idempotency-Key: a", b"Idempotency-Key: b"], 400), ([b"X-Request-ID: " + b"\xff" * 100], 400),
        ([b"Upgrade: h2c", b"Connection: upgrade"], 400), ([b"Content-Type: " + b";" * 9000], 400),
        ([b"Accept: " + b"a/b;q=9e999," * 900], 406), ([b"Accept: \xff"], 406), ([b"Range: bytes=0-0"], 400),
        ([b"X-Forwarded-For: 1.1.1.1", b"X-Forwarded-Proto: \xff"], 400), ([b"Content-Type: \xff"], 415),
    ],
)  # fmt: skip
def test_headers(server: ServerProcess, lines: list[bytes], status: int) -> None:
    found = ask(server, request(server, "POST", b"/v1/run", b"[]", lines))
    assert found is not None and found.status == status and found.problem


@pytest.mark.parametrize("token", [b"", b"\xff\xfe", b"x" * 60000, b"a b", b"Bearer", "é".encode(), b"%s\x0b", b"%s,"])
def test_tokens(server: ServerProcess, token: bytes) -> None:
    line = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\n\r\n"
    found = ask(server, line % token.replace(b"%s", server.token.encode()))
    assert found is not None and found.status in (400, 401) and found.problem


@pytest.mark.parametrize(
    ("sent", "kept"), [(b"abc-1.2_3", True), (b"x" * 64, True), (b"x" * 65, False), (b"a\tb", False), (b"\xe9", False)]
)
def test_request_ids(server: ServerProcess, sent: bytes, kept: bool) -> None:
    found = ask(server, request(server, "GET", b"/v1/ops/add", headers=[b"X-Request-ID: " + sent]))
    assert found is not None and found.status == 200
    assert (found.headers["x-request-id"] == sent.decode("latin-1")) is kept


@pytest.mark.parametrize("key", ["x" * 256, "a b", "a\tb", "é", "\xff", "", "\x7f"])
def test_keys_that_are_none(web: Web, key: str) -> None:
    headers = {"idempotency-key": key.encode("latin-1")}
    assert web.post(f"{web.path}/execute", json={"items": []}, headers=headers).status_code == 400


def test_a_key_for_another_body(web: Web) -> None:
    def sent(body: bytes, accept: str = JSON) -> int:
        headers = {"idempotency-key": "~" * 255, "accept": accept, "content-type": JSON}
        return web.post(f"{web.path}/execute", content=body, headers=headers).status_code

    assert [sent(b'{"items":[]}'), sent(b'{"items": []}'), sent(b'{"items":[]}', MSGPACK)] == [200, 422, 422]
    assert sent(b'{"items":[]}') == 200


# --- uploads, files, ranges ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2**63, 2**64, 10**25, -(2**63), -1])
def test_numbers_of_uploads(web: Web, number: int) -> None:
    found = web.put(f"{web.path}/uploads/{number}", content=b"abcd", headers={"content-range": "bytes 0-3/4"})
    assert found.status_code == 400


@pytest.mark.parametrize(
    ("span", "status"),
    [("0-3/4", 200), ("5-3/10", 400), ("0-0/0", 400), ("0-3/3", 400), ("2-5/9", 400), (f"0-3/{10**18 - 1}", 507),
     ("0-3/*", 400), ("٠-٣/٤", 400), ("0-3/4, 0-3/4", 400), ("-1-3/4", 400)],
)  # fmt: skip
def test_spans_of_uploads(server: ServerProcess, span: str, status: int) -> None:
    with Web(server) as web:
        web.new_session()
        headers = {"content-range": f"bytes {span}".encode()}
        assert web.put(f"{web.path}/uploads/1", content=b"abcd", headers=headers).status_code == status
        web.delete(web.path)


def test_files_where_others_have_folders(web: Web) -> None:
    assert web.put("/v1/files/a-folder/g", content=b"0123456789").status_code == 204
    for name in ("a-folder", "a-folder/g/h", "a-folder/g/h/i"):
        found = web.put(f"/v1/files/{name}", content=b"x")
        assert (found.status_code, found.json()["code"]) == (400, 9)
        assert web.get(f"/v1/files/{name}").status_code == web.delete(f"/v1/files/{name}").status_code == 404
    assert web.get("/v1/files/a-folder/g").content == b"0123456789"
    assert [f["name"] for f in web.get("/v1/files?prefix=a-folder/").json()["files"]] == ["a-folder/g"]


def test_ranges_of_files(web: Web, explore: Any) -> None:
    content = bytes(range(10))
    assert web.put("/v1/files/ranged", content=content).status_code == 204

    def check(text: str) -> None:
        found = sound(web.get("/v1/files/ranged", headers={"range": text.encode("latin-1")}))
        if found.status_code == 206:
            first, last = found.headers["content-range"].removeprefix("bytes ").partition("/")[0].split("-")
            assert found.content == content[int(first) : int(last) + 1]
        else:
            assert found.status_code in (400, 416)

    spans = st.tuples(*[st.integers(0, 12) | st.just(10**17) | st.just("")] * 2).map(lambda p: f"bytes={p[0]}-{p[1]}")
    others = st.sampled_from(
        ["", "bytes", "bytes=", "items=0-1", "bytes=0-0," * 900, "bytes=" + "9" * 5000 + "-", "-1"]
    )
    explore(check, spans | others | st.text("bytes=0-9,; \xe9\xb2", max_size=20).map(str.strip), examples=60)


@pytest.mark.parametrize(
    ("text", "status"),
    [("bytes=2-4", 206), ("bytes=-3", 206), ("bytes=-99", 206), ("bytes=9-", 206), ("bytes=10-", 416),
     ("bytes=5-1", 416),
     ("bytes=-0", 416), ("bytes=0-1,4-5", 400), ("bytes=", 400), ("lines=1-2", 400), ("bytes=a-b", 400)],
)  # fmt: skip
def test_ranges(web: Web, text: str, status: int) -> None:
    web.put("/v1/files/ten", content=bytes(10))
    assert web.get("/v1/files/ten", headers={"range": text}).status_code == status


def test_checks_of_problems_can_fail() -> None:
    with pytest.raises(AssertionError):
        checked_problem(500, "text/plain", b"Internal Server Error")
