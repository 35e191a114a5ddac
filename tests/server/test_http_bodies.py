"""HTTP for tools at its edges: bodies of every kind and size, forms of answers, errors of paths, the catalogue."""

import pytest

from protocol.ops import OPS
from server.api import bodies, models
from server.api.op_docs import DOCS
from tests.server.tools import JSON, MSGPACK, Web
from tests.support import serving


@pytest.fixture(scope="module", params=["thread", "process"])
def server(request):
    with serving("--isolation", request.param) as process:
        yield process


@pytest.fixture
def web(server):
    with Web(server) as client:
        yield client.new_session()
        client.delete(client.path)


def run(op, *inputs, **more):
    return {"op": op, "inputs": list(inputs), **more}


def read(tensor):
    return {"kind": "read", "tensor": tensor}


# --- bodies ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", JSON), ("", JSON), ("application/*", JSON), (MSGPACK, MSGPACK), ("application/x-msgpack", MSGPACK),
        ("application/json;q=0.5, application/msgpack", MSGPACK), ("text/html, */*;q=0.1", JSON),
        ("application/msgpack;q=0, application/json", JSON), ("text/html", None), ("application/json;q=0", None),
        ("application/json;q=x", None), ("application/x-npy", None),
    ],
)  # fmt: skip
def test_what_is_accepted(web, accept, kind):
    answer = web.post("/v1/run", json=run("add", 1, 1), headers={"accept": accept})
    if kind is None:
        assert answer.status_code == 406
    else:
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind)


def test_the_query_says_what_to_answer_with(web):
    assert web.unpacked(web.post("/v1/run?format=msgpack", json=run("add", 1, 1)))["values"][0]["shape"] == []
    for wrong in ("npy", "xml", ""):
        assert web.post(f"/v1/run?format={wrong}", json=run("add", 1, 1)).status_code == 406
    for path in ("/v1/ops", "/v1/ops/add", "/v1/devices", "/v1/published", f"{web.path}/tensors"):
        assert web.unpacked(web.get(path, headers={"accept": MSGPACK})) == web.get(path).json() or "devices" in path


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data", "application/x-npy"])
def test_types_of_bodies_that_are_not_taken(web, kind):
    assert web.post("/v1/run", content=b"{}", headers={"content-type": kind}).status_code == 415


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1,", b"\xff", b'{"op": "add"} x', b"[" * 100_000, b'{"op": ' + b"9" * 5000]
)
def test_malformed_json(web, body):
    answer = web.post("/v1/run", content=body, headers={"content-type": JSON})
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", b"\x81", b"\x91" * 100_000 + b"\xc0", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff",
     b"\xc6\xff\xff\xff\xff", b"\x80\x80", b"\x81\xc0\xc0", b"\xa1\xff", b"\xd4\x05\x00", b"\x81\x90\x01",
     b"\xdc\x80\x00" + b"\xdc\x00\x20" * 2**15 + b"\x90" * 2**20],
)  # fmt: skip
def test_malformed_msgpack(web, body):
    answer = web.post("/v1/run", content=body, headers={"content-type": MSGPACK})
    assert (answer.status_code, answer.json()["code"]) == (400, 3)


def test_bodies_over_the_limit(web):
    for size, kind in ((bodies.MAX_JSON, JSON), (bodies.MAX_MSGPACK, MSGPACK)):
        answer = web.post("/v1/run", content=b" " * (size + 1), headers={"content-type": kind})
        assert (answer.status_code, answer.json()["limit"]) == (413, size)

        def stream(size=size):
            for _ in range(size // 2**20 + 1):
                yield b" " * 2**20

        answer = web.post("/v1/run", content=stream(), headers={"content-type": kind})
        assert answer.status_code == 413


def test_items_and_lists_over_the_limit(web):
    item = run("add", 1, 1, outputs=[None])
    assert len(web.execute(*[item] * models.MAX_ITEMS)) == models.MAX_ITEMS
    assert "at most 1024" in web.refused(*[item] * (models.MAX_ITEMS + 1))["detail"]
    assert "at most 1024" in web.refused(run("concat", *[[1]] * 1025, attrs={"axis": 0}))["detail"]
    assert web.refused(run("reshape", 1, attrs={"shape": [1] * 33}))["item"] == 0
    assert web.refused(run("reshape", 1, attrs={"shape": [[[[[[1]]]]]]}))["item"] == 0
    deep: list = []
    for _ in range(40):
        deep = [deep]
    assert web.refused(run("add", deep, 1))["item"] == 0


# --- errors of paths and methods -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404), ("GET", "/v1", 404), ("GET", "/v2/ops", 404), ("GET", "/v1/sessions/x", 405),
        ("DELETE", "/v1/sessions/x", 404), ("PUT", "/v1/sessions", 405), ("PATCH", "/v1/ops", 405),
        ("GET", "/v1/ops/nope", 404), ("GET", "/v1/published/nope", 404), ("GET", "/v1/published/..%2fx", 400),
        ("GET", "/v1/ops?prefix=" + 101 * "x", 400), ("POST", "/v1/ops", 405), ("GET", "/v1/run", 405),
        ("DELETE", "/v1/published/nope", 404), ("GET", "/v1/sessions/" + "x" * 3000, 405), ("GET", "/v1/ops/", 404),
    ],
)  # fmt: skip
def test_errors_have_one_shape(web, method, path, status):
    answer = web.request(method, path)
    assert answer.status_code == status
    if status == 405:
        assert answer.headers["allow"]


def test_the_catalogue_has_every_op_and_says_something_of_each(web):
    found = {op["name"]: op for op in web.get("/v1/ops").json()["ops"]}
    assert found.keys() == OPS.keys()
    for name, op in found.items():
        assert op["doc"] and op["family"] == OPS[name].family, name
        assert [i["name"] for i in op["inputs"]] == list(OPS[name].inputs)
        assert {a["name"] for a in op["attrs"]} == OPS[name].attrs.keys()
        assert all(a["required"] or "default" in a for a in op["attrs"])
    assert found["matmul"] == web.get("/v1/ops/matmul").json()
    assert found["matmul"]["differentiable"] == ["a", "b"]
    assert all(i["same_dtype"] for i in found["matmul"]["inputs"])
    condition, x, _ = found["select"]["inputs"]
    assert (condition["dtypes"], condition["same_dtype"], x["same_dtype"]) == (["bool"], False, True)
    axis, _ = found["gather"]["attrs"]
    assert axis == {"name": "axis", "type": "int", "required": False, "tensor": True, "default": 0}
    assert found["assign_add"]["effect"] and found["assign_add"]["inputs"][0]["variable"]
    assert found["cast"]["attrs"][0]["type"] == "a dtype" and found["concat"]["inputs"][0]["several"]
    some = web.get("/v1/ops", params={"prefix": "reduce_", "family": "reductions"}).json()["ops"]
    assert some and all(op["name"].startswith("reduce_") for op in some)


def test_op_docs_are_of_ops_that_have_none_of_their_own():
    assert DOCS.keys() == {op.name for op in OPS.values() if not op.doc}


def test_the_devices(web):
    (cpu,) = web.get("/v1/devices").json()["devices"]
    assert (cpu["name"], cpu["default"]) == ("CPU:0", True) and 0 < cpu["used"] <= cpu["total"]
