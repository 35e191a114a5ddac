"""`docs/http.md`: every row of its tables and every curl example is executed, and gives what the page shows."""

import json
import os
import re
import shutil
import subprocess
import typing

import httpx
import numpy as np
import pytest

from server import published
from server.api import bodies, book, drafting, models, run_route, tool, values
from tests.server.tools import MSGPACK, NPY, PROBLEM, Web, npy
from tests.stream.raw import Raw
from tests.support import ROOT, serving

TEXT = (ROOT / "docs" / "http.md").read_text()
EXAMPLES = re.findall(r"```sh\n(.*?)```\n```json\n(.*?)```", TEXT, re.DOTALL)


def table(*head: str) -> list[list[str]]:
    """The rows of the table with that head."""
    line = re.escape(f"| {' | '.join(head)} |\n")
    found = re.search(rf"^{line}\|[-|]+\n((?:\|.*\n)+)", TEXT, re.MULTILINE)
    assert found is not None, head
    return [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in found[1].splitlines()]


@pytest.fixture(scope="module")
def server():
    with serving() as process:
        yield process


@pytest.fixture
def web(server):
    with Web(server) as client:
        yield client.new_session()


# --- the curl examples -----------------------------------------------------------------------------------------------


def test_every_curl_example_gives_what_it_shows(server, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("there is no curl")
    assert len(EXAMPLES) == TEXT.count("```sh") >= 10
    end = "=====%d"
    script = "".join(f"{commands}\necho; echo '{end % i}'\n" for i, (commands, _) in enumerate(EXAMPLES))
    done = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100,
        env={**os.environ, "URL": server.url, "TOKEN": server.token},
    )  # fmt: skip
    assert done.returncode == 0 and not done.stderr, done.stderr
    printed = re.split(r"=====\d+\n", done.stdout)
    for (commands, shown), found in zip(EXAMPLES, printed, strict=False):
        agree(json.loads(shown), answers(found)[-1], commands)
    assert (tmp_path / "tg").stat().st_mode & 0o077 == 0


def answers(text):
    """The JSON values that stand one after the other in a text."""
    found, decoder = [], json.JSONDecoder()
    while text := text.strip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


def agree(shown, found, where):
    """The same JSON, where "..." stands for anything."""
    if shown == "...":
        return
    if isinstance(shown, dict) and isinstance(found, dict):
        assert shown.keys() == found.keys(), where
        for key in shown:
            agree(shown[key], found[key], where)
    elif isinstance(shown, list) and isinstance(found, list):
        assert len(shown) == len(found), where
        for one, other in zip(shown, found, strict=True):
            agree(one, other, where)
    else:
        assert shown == found and type(shown) is type(found), f"{shown!r} {found!r} in {where}"


# --- routes ----------------------------------------------------------------------------------------------------------

BODIES = {
    "execute": {"items": [{"kind": "constant", "value": 1, "output": "made"}]},
    "run": {"op": "add", "inputs": [1, 2]},
    "PUT tensors": [1.5, 2.5],
}


def test_every_route(web):
    rows = [row[0].strip("`").split() for row in table("request", "does")]
    assert len(rows) == len({tuple(r) for r in rows}) == 18
    described = {
        (m.upper(), re.sub(r"\{\w+\}", "{}", path))
        for path, methods in web.get("/openapi.json").json()["paths"].items()
        for m in methods
        if not re.search(r"/(frames|connections|uploads|reads|files)\b", path)  # protocol/README.md has those
    }
    assert {(m, re.sub(r"\{[\w-]+\}", "{}", p)) for m, p in rows} == described
    web.execute(
        {"kind": "constant", "value": [1.0, 2.0], "output": "x"}, {"kind": "publish", "tensor": "x", "name": "row/x"}
    )
    session = web.path.rpartition("/")[2]
    last = []
    for method, path in rows:
        if (method, path) == ("DELETE", "/v1/sessions/{id}"):
            last.append((method, path))
            continue
        assert ask(web, method, path, session) in (200, 201, 204), (method, path)
    for method, path in last:
        assert ask(web, method, path, session) == 204
    for path in ("/healthz", "/readyz", "/docs", "/openapi.json"):
        assert httpx.get(f"{web.base_url}{path}").status_code == 200


def ask(web, method, path, session):
    known = {"id": session, "name-or-id": "x", "name": "add" if "ops" in path else "row/x"}
    where = re.sub(r"\{([\w-]+)\}", lambda m: known[m[1]], path)
    last = path.rpartition("/")[2]
    body = BODIES.get(last) if method == "POST" else BODIES["PUT tensors"] if method == "PUT" else None
    return web.request(method, where, json=body).status_code


def test_the_queries_that_routes_take(web):
    text = " ".join(row[1] for row in table("request", "does"))
    assert set(re.findall(r"`\?(\w+)=", text)) == {"after", "limit", "variable", "device", "prefix", "family"}
    assert web.put(f"{web.path}/tensors/v?variable=true&device=CPU:0", json=[1]).status_code == 201
    assert web.put(f"{web.path}/tensors/v", json=[2]).status_code == 200
    (listed,) = web.get(f"{web.path}/tensors?after=0&limit=1").json()["tensors"]
    assert listed["kind"] == "variable"
    assert web.get(f"{web.path}/tensors", params={"after": listed["id"]}).json()["tensors"] == []
    assert web.get("/v1/published?prefix=nothing").json() == {"published": []}
    assert {op["family"] for op in web.get("/v1/ops?family=sorting&prefix=t").json()["ops"]} == {"sorting"}


def test_the_forms(web):
    web.put(f"{web.path}/tensors/x", json=[1.5])
    for form, kind, _ in table("form", "media type", "for"):
        for answer in (
            web.get(f"{web.path}/tensors/x", headers={"accept": kind.strip("`")}),
            web.get(f"{web.path}/tensors/x?format={form}"),
        ):
            assert answer.headers["content-type"] == kind.strip("`")
    assert [f"`{k}`" for k in (bodies.JSON, MSGPACK, NPY)] == [
        kind for _, kind, _ in table("form", "media type", "for")
    ]


# --- items and tensors -----------------------------------------------------------------------------------------------


def test_every_item(web):
    """The rows in order, in one session that has what the page says before them."""
    rows = [json.loads(row[0].strip("`")) for row in table("item", "does")]
    assert {row.get("kind", "run") for row in rows} == {
        kind for model in models.KINDS for kind in typing.get_args(model.model_fields["kind"].annotation)
    }
    web.execute(
        {"kind": "variable", "value": [1.0, 2.0], "output": "w"},
        {"kind": "publish", "tensor": [5, 6], "name": "weights/best"},
    )
    outcomes = web.execute(*rows[:3]) + web.execute(*rows[3:])
    assert not [o for o in outcomes if "error" in o]
    said = dict(zip(map(json.dumps, rows), outcomes, strict=True))
    by_kind = {row["kind"]: said[json.dumps(row)] for row in rows if "kind" in row}
    assert by_kind["read"]["value"]["data"] == [3.0, 30.0]  # 3 for each element of w, times the seeds
    assert [o and o["name"] for o in by_kind["gradient"]["outputs"]] == ["dw", None]
    assert by_kind["published"]["outputs"][0]["dtype"] == "int32"
    assert web.read("n") == 1 and web.read("column").tolist() == [[1.0], [2.0]]
    assert web.get(f"{web.path}/tensors/z").status_code == 404


def test_every_way_to_write_a_tensor(web):
    for text, meaning in table("JSON", "is"):
        given = json.loads(text.strip("`"))
        answer = web.put(f"{web.path}/tensors/x", json=given)
        assert answer.status_code in (200, 201), answer.text
        found = web.get(f"{web.path}/tensors/x").json()
        assert f"`{found['dtype']}`" in meaning
        data = given["data"] if isinstance(given, dict) else given
        if "flat list" in meaning:
            assert found["data"] == [[1, 2], [3, 4]]
        elif "rounded" in meaning:
            assert found["data"] == pytest.approx(data, rel=2**-8) and found["data"] != data
        else:
            exact = [int(x) if isinstance(x, str) and x.isdigit() else x for x in data] if type(data) is list else data
            assert found["data"] == exact
        for shape in re.findall(r"shape (\[\d\])", meaning):
            assert found["shape"] == json.loads(shape)
    web.put(f"{web.path}/tensors/x", json={"dtype": "int64", "data": [9007199254740993]})
    assert "[9007199254740993]" in web.get(f"{web.path}/tensors/x").text  # all digits
    assert web.put(f"{web.path}/tensors/x", json={"dtype": "int8", "data": 128}).status_code == 400
    web.put(f"{web.path}/tensors/x", json={"dtype": "float16", "data": 1e6})
    assert web.get(f"{web.path}/tensors/x").json()["data"] == "Infinity"


# --- errors and limits -----------------------------------------------------------------------------------------------


def test_every_status(server, web):
    with Raw(server) as other:
        client = f"/v1/sessions/{other.session}/tensors"
        web.post(f"{web.path}/execute", json={"items": []}, headers={"idempotency-key": "used"})
        huge = npy(np.ones(3)).replace(b"(3,), }           ", b"(125000000000,), }")
        answers = {
            400: web.post("/v1/run", json={"op": "add", "inputs": [1]}),
            401: httpx.get(f"{server.url}/v1/status"),
            403: web.get("/v1/status", headers={"origin": "https://other.example"}),
            404: web.get("/v1/nothing"),
            405: web.patch("/v1/ops"),
            406: web.get("/v1/ops?format=npy"),
            409: web.get(client),
            413: web.post("/v1/run", content=b" " * (bodies.MAX_JSON + 1)),
            415: web.post("/v1/run", content=b"{}", headers={"content-type": "text/plain"}),
            422: web.post(f"{web.path}/execute", content=b'{"items": [] }', headers={"idempotency-key": "used"}),
            431: web.get("/v1/ops", headers={"x": "y" * 100_000}),
            507: web.put(f"{web.path}/tensors/huge", content=iter([huge]), headers={"content-type": NPY}),
        }  # fmt: skip
    assert {int(row[0]) for row in table("status", "for example", "means")} == answers.keys()
    for status, answer in answers.items():
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == PROBLEM and answer.json()["status"] == status


def test_the_limits():
    assert {name: int(value) for name, value in table("limit", "value")} == {
        "bytes of a body in JSON": bodies.MAX_JSON,
        "bytes of a body in msgpack": bodies.MAX_MSGPACK,
        "values of a body in msgpack, bytes being one": bodies.MAX_NODES,
        "items of a request": models.MAX_ITEMS,
        "items of a run without a session": run_route.MAX_RUN_ITEMS,
        "seconds of a run without a session": run_route.RUN_SECONDS,
        "numbers in an answer in JSON": values.MAX_LISTED,
        "bytes of values in an answer in msgpack": drafting.MAX_READ,
        "names and ids of a session": book.MAX_ENTRIES,
        "ops that a tape records": book.MAX_NODES,
        "idempotency keys of a session": tool.MAX_KEYS,
        "bytes of answers kept for them": tool.MAX_ANSWERS,
        "characters of a name in a session": models.MAX_NAME,
        "published names of a token": published.MAX_PUBLISHED,
    }
