"""Sessions of HTTP requests across a restart of the server: names, tapes, failures and idempotency keys go on."""

import threading

import pytest

from tests.server.tools import Web
from tests.stream.raw import Raw
from tests.support import ServerProcess, wait_until


@pytest.fixture(params=["thread", "process"])
def start(request, tmp_path):
    """Starts the server, or the next one on the same port."""
    servers: list[ServerProcess] = []

    def another() -> ServerProcess:
        options = ["--data-dir", str(tmp_path), "--isolation", request.param]
        token = servers[-1].token if servers else None
        servers.append(ServerProcess(*options, "--port", str(servers[-1].port if servers else 0), token=token))
        return servers[-1]

    yield another
    for server in servers:
        server.close()


def read(tensor):
    return {"kind": "read", "tensor": tensor}


def test_a_session_goes_on(start):
    server = start()
    body = {"items": [{"op": "assign_add", "inputs": ["n", 1], "outputs": [None]}, read("n")]}
    with Web(server) as web:
        web.new_session().execute(
            {"kind": "variable", "value": [1.0, 2.0], "output": "w"},
            {"kind": "variable", "value": 0, "output": "n"},
            {"kind": "tape", "output": "t"},
            {"op": "multiply", "inputs": ["w", "w"], "outputs": "y", "tapes": ["t"]},
            {"op": "inv", "inputs": [[[0.0]]], "outputs": "bad"},
        )
        path = web.path
        first = web.post(f"{path}/execute", json=body, headers={"idempotency-key": "k"})
        listed = web.get(f"{path}/tensors").json()
    assert server.terminate() == 0
    server = start()
    with Web(server) as web:
        web.path = path
        with Raw(server, path.rpartition("/")[2]) as raw:
            refused = raw.end()
        assert refused is not None and refused["code"] == 9  # before the first request, too
        assert web.get(f"{path}/tensors").json() == listed
        again = web.post(f"{path}/execute", json=body, headers={"idempotency-key": "k"})
        assert again.content == first.content and web.read("n") == 1
        _, value, bad, made = web.execute(
            {"kind": "gradient", "tape": "t", "targets": ["y"], "sources": ["w"], "outputs": ["dw"]},
            read("dw"), read("bad"), {"op": "add", "inputs": ["y", 1], "outputs": "z"},
        )  # fmt: skip
        assert value["value"]["data"] == [2.0, 4.0] and bad["error"]["code"] == 3
        assert made["outputs"][0]["id"] not in {t["id"] for t in listed["tensors"]}


def test_a_request_that_the_server_stops_in_is_executed_once(start):
    server = start()
    items = [{"op": "matmul", "inputs": ["m", "m"], "outputs": "m"} for _ in range(150)]
    items += [{"op": "assign_add", "inputs": ["n", 1], "outputs": [None]}]
    with Web(server) as web:
        web.new_session().execute(
            {"op": "fill", "inputs": [0.0], "attrs": {"dims": [1000, 1000]}, "outputs": "m"},
            {"kind": "variable", "value": 0, "output": "n"},
        )
        path = web.path

    def post():
        with Web(server) as other:
            try:
                other.post(f"{path}/execute", json={"items": items}, headers={"idempotency-key": "k"})
            except Exception:  # the connection ends with the server
                return

    thread = threading.Thread(target=post)
    thread.start()
    with Web(server) as other:
        wait_until(lambda: any(s["attached"] for s in other.get("/v1/status").json()["sessions"]))
    assert server.terminate() == 0
    thread.join()
    server = start()
    with Web(server) as web:
        web.path = path
        retried = web.post(f"{path}/execute", json={"items": items}, headers={"idempotency-key": "k"})
        assert retried.status_code in (200, 409)  # 409: its answer was lost with the server
        assert web.read("n") == 1
        assert (
            web.execute({"op": "reduce_max", "inputs": ["m"], "outputs": "top"}, read("top"))[1]["value"]["data"] == 0
        )
