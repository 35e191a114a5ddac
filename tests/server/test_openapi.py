"""The OpenAPI document: valid, complete, and true of what the server answers; and the page that shows it."""

import re
from html.parser import HTMLParser

import httpx
import jsonschema
import pytest
from openapi_spec_validator import validate

from server.app import create_app
from server.devices import open_devices
from server.settings import Settings
from tests.server.tools import PROBLEM, Web
from tests.support import serving


@pytest.fixture(scope="module")
def server():
    with serving() as process:
        yield process


@pytest.fixture(scope="module")
def document(server):
    return httpx.get(f"{server.url}/openapi.json").json()  # without a token: there is no secret in it


def test_it_validates(document):
    validate(document)
    assert document["openapi"].startswith("3.1") and document["info"]["version"]


def test_every_route_is_in_it(document):
    app = create_app(Settings(), open_devices("cpu"))
    served = {
        (method.lower(), re.sub(r":\w+\}", "}", path)) for path, methods in routes(app) for method in methods - {"HEAD"}
    }
    described = {(method, path) for path, methods in document["paths"].items() for method in methods}
    assert served - {("get", "/docs"), ("get", "/openapi.json")} == described


def routes(app):
    for route in app.routes:
        inner = getattr(route, "routes", None)
        if inner is not None:
            yield from routes(route)
        elif getattr(route, "methods", None):
            yield route.path, route.methods


def test_errors_are_problem_details_everywhere(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert "422" not in operation["responses"], (method, path)
            assert PROBLEM in operation["responses"]["default"]["content"], (method, path)
    assert document["security"] == [{"token": []}]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("get", "/v1/ops", None), ("get", "/v1/ops/{name}", None), ("get", "/v1/devices", None),
        ("get", "/v1/published", None), ("get", "/v1/published/{name}", None),
        ("get", "/v1/sessions/{identifier}/tensors", None),
        ("get", "/v1/sessions/{identifier}/tensors/{reference}", None),
        ("put", "/v1/sessions/{identifier}/tensors/{reference}", {"dtype": "float32", "data": [1, "NaN"]}),
        ("post", "/v1/sessions/{identifier}/execute", {"items": [
            {"op": "add", "inputs": ["x", 1.0], "outputs": "y"}, {"kind": "read", "tensor": "y"},
            {"kind": "tape", "output": "t"}, {"op": "inv", "inputs": [[[0.0]]]},
            {"kind": "publish", "tensor": "x", "name": "add"},
        ]}),
        ("post", "/v1/run", {"op": "add", "inputs": [1, [2.5]], "attrs": {}}),
        ("post", "/v1/run", {"items": []}),
    ],
)  # fmt: skip
def test_answers_are_as_described(server, document, method, path, body):
    with Web(server) as web:
        web.new_session()
        web.put(f"{web.path}/tensors/x", json=[1.0])
        web.execute({"kind": "publish", "tensor": "x", "name": "add"})
        operation = document["paths"][path][method]
        where = path.format(identifier=web.path.rpartition("/")[2], name="add", reference="x")
        answer = web.request(method, where, json=body)
        assert answer.status_code in (200, 201), answer.text
        if body is not None:
            check(document, body, operation["requestBody"]["content"]["application/json"]["schema"])
        described = operation["responses"][str(answer.status_code)]["content"]["application/json"]["schema"]
        check(document, answer.json(), described)


def check(document, value, schema):
    jsonschema.validate(value, {**schema, "components": document["components"]})


def test_problems_are_as_described(server, document):
    with Web(server) as web:
        for answer in (web.get("/v1/nope"), web.post("/v1/run", json={"op": "nope"}), web.get("/v1/ops/nope")):
            check(document, answer.json(), {"$ref": "#/components/schemas/Problem"})


def test_the_page_loads_nothing_and_shows_every_route(server, document):
    answer = httpx.get(f"{server.url}/docs")
    assert answer.status_code == 200 and "default-src 'none'" in answer.headers["content-security-policy"]
    seen = Page()
    seen.feed(answer.text)
    assert not seen.loads and not seen.scripts
    for path, methods in document["paths"].items():
        for method in methods:
            assert f"{method.upper()} {path}" in seen.text
    assert seen.links - {"openapi.json"} <= {f"#{name}" for name in document["components"]["schemas"]}


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.loads, self.links, self.scripts, self.text = set(), set(), 0, ""

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.scripts += tag == "script"
        if "src" in found or tag == "link":
            self.loads.add(tag)
        if "href" in found:
            self.links.add(found["href"])

    def handle_data(self, data):
        self.text += data
