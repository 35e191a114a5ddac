"""What `docs/http.md` promises to tools: execute, tensors and runs, over real HTTP to a real server."""

import threading

import msgpack
import numpy as np
import pytest

from protocol import wire
from protocol.wire import Item, Kind
from server.api import run_route, tool
from tests.server.tools import MSGPACK, Web, understood, written
from tests.stream.raw import Raw
from tests.support import serving, wait_until

SINGULAR = [[0.0, 0.0], [0.0, 0.0]]


@pytest.fixture(scope="module", params=["thread", "process"])
def server(request):
    with serving("--isolation", request.param) as process:
        yield process


@pytest.fixture
def web(server):
    with Web(server) as client:
        yield client.new_session()
        client.delete(client.path)


def data(outcome):
    return outcome["value"]["data"]


def run(op, *inputs, **more):
    return {"op": op, "inputs": list(inputs), **more}


def read(tensor):
    return {"kind": "read", "tensor": tensor}


# --- items -----------------------------------------------------------------------------------------------------------


def test_a_training_step_computes_what_arithmetic_says(web):
    """w*w and its gradient 2w, three steps of w -= 0.25 * 2w: each halves w."""
    web.execute({"kind": "variable", "value": [8.0, -4.0], "output": "w"})
    for step in range(1, 4):
        *_, gradient, _, value = web.execute(
            {"kind": "tape", "output": "t"},
            run("multiply", "w", "w", outputs="y", tapes=["t"]),
            {"kind": "gradient", "tape": "t", "targets": ["y"], "sources": ["w"], "outputs": ["dw"]},
            run("multiply", "dw", 0.25, outputs="step"),
            read("dw"),
            run("assign_sub", "w", "step", outputs=[None]),
            read("w"),
        )
        assert data(gradient) == [2 * 8.0 / 2 ** (step - 1), 2 * -4.0 / 2 ** (step - 1)]
        assert data(value) == [8.0 / 2**step, -4.0 / 2**step]
    held = {t["name"] for t in web.get(f"{web.path}/tensors").json()["tensors"]}
    assert held == {"w", "y", "dw", "step"}  # what was named again has let go of what had the name; the tape is used up


def test_outputs_are_named_told_or_dropped(web):
    named, told, dropped, several = web.execute(
        run("add", 1.0, 2.0, outputs="a"),
        run("add", 1.0, [2.0, 3.0]),
        run("add", 1.0, 2.0, outputs=[None]),
        run("unique", [3, 1, 3], outputs=["y", None]),
    )
    assert named["outputs"] == [{"id": named["outputs"][0]["id"], "name": "a", "dtype": "float32", "shape": []}]
    assert dropped["outputs"] == [None]
    assert several["outputs"][0] | {"id": 0} == {"id": 0, "name": "y", "dtype": "int32", "shape": [None]}
    identifier = told["outputs"][0]["id"]
    by_name, by_id, unique = web.execute(read("a"), read(identifier), read("y"))
    assert (data(by_name), data(by_id), data(unique)) == (3.0, [3.0, 4.0], [3, 1])
    web.execute({"kind": "release", "tensors": [identifier, "a"]})
    for gone in (identifier, "a"):
        assert web.refused(read(gone))["code"] == 5


@pytest.mark.parametrize(
    ("item", "dtype", "value"),
    [
        (run("add", 1, 2), "int32", 3),
        (run("add", 1, 2.5), "float32", 3.5),
        (run("add", 2**40, 1), "int64", 2**40 + 1),
        (run("multiply", {"dtype": "float64", "data": [0.1]}, 3), "float64", [0.1 * 3]),
        (run("multiply", 3, {"dtype": "int8", "data": [4]}), "int8", [12]),
        (run("tanh", 0), "float32", 0.0),
        (run("select", [True, False], 1, [2.5, 3.5]), "float32", [1.0, 3.5]),
        (run("gather", [[1, 2], [3, 4]], 1), "int32", [3, 4]),
        (run("cast", [0.5, 1.5], attrs={"dtype": "int16"}), "int16", [0, 1]),
        (run("reshape", [[1, 2], [3, 4]], attrs={"shape": [-1]}), "int32", [1, 2, 3, 4]),
        (run("concat", [1], [2, 3], [4], attrs={"axis": 0}), "int32", [1, 2, 3, 4]),
        (run("pad", [5], attrs={"paddings": [[1, 2]]}), "int32", [0, 5, 0, 0]),
        (run("einsum", [[1.0, 2.0]], [[3.0], [4.0]], attrs={"equation": "ij,jk->ik"}), "float32", [[11.0]]),
        (run("fill", {"data": "NaN"}, attrs={"dims": [2]}), "float32", ["NaN", "NaN"]),
        (run("leaky_relu", [-2.0, 2.0], attrs={"alpha": 0.5}), "float32", [-1.0, 2.0]),
    ],
)
def test_ops_with_literals_and_attributes(web, item, dtype, value):
    answer = web.post("/v1/run", json=item)
    assert answer.status_code == 200, answer.text
    (tensor,) = answer.json()["values"]
    assert (tensor["dtype"], tensor["data"]) == (dtype, value)


def test_a_tensor_stands_for_an_attribute(web):
    *_, value = web.execute(
        {"kind": "constant", "value": [3, 2], "output": "shape"},
        run("reshape", [1, 2, 3, 4, 5, 6], attrs={"shape": {"ref": "shape"}}, outputs="y"),
        read("y"),
    )
    assert data(value) == [[1, 2], [3, 4], [5, 6]]


def test_large_literals_travel_beside_the_stream(web):
    """Several of them over the inline limit of 1 MiB, in one item."""
    rng = np.random.default_rng(0)
    parts = [rng.standard_normal((100, 1500)).astype(np.float32) for _ in range(5)]
    body = msgpack.packb({"items": [
        run("concat", *[written(p, MSGPACK) for p in parts], attrs={"axis": 0}, outputs="all"),
        {"kind": "variable", "value": written(np.concatenate(parts), MSGPACK), "output": "v"},
        run("reduce_max", "v", outputs="top"),
        read("all"), read("top"),
    ]})  # fmt: skip
    headers = {"content-type": MSGPACK, "accept": MSGPACK}
    answer = web.post(f"{web.path}/execute", content=body, headers=headers)
    found = web.unpacked(answer)
    assert found["failed"] == 0
    np.testing.assert_array_equal(understood(found["items"][3]["value"]), np.concatenate(parts))
    assert understood(found["items"][4]["value"]) == np.concatenate(parts).max()
    held = {t["name"] for t in web.get(f"{web.path}/tensors").json()["tensors"]}
    assert held == {"all", "v", "top"}


# --- gradients -------------------------------------------------------------------------------------------------------


def test_gradients_none_dense_and_seeded(web):
    gradient, _, embedded, seeded = web.execute(
        {"kind": "variable", "value": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], "output": "table"},
        {"kind": "constant", "value": [1.0, 1.0], "output": "other"},
        {"kind": "tape", "output": "t"},
        run("gather", "table", [2, 0, 2], outputs="rows", tapes=["t"]),
        {"kind": "gradient", "tape": "t", "targets": ["rows"], "sources": ["table", "other"],
         "outputs": ["dt", "do"], "keep": True},
        {"kind": "gradient", "tape": "t", "targets": ["rows"], "sources": ["table"], "outputs": ["ds"],
         "seeds": [[[1, 1], [10, 10], [100, 100]]]},
        read("dt"), read("ds"),
    )[4:]  # fmt: skip
    assert [o and o["name"] for o in gradient["outputs"]] == ["dt", None]  # the other one has none
    assert data(embedded) == [[1, 1], [0, 0], [2, 2]]  # rows were taken once, never, twice
    assert data(seeded) == [[10, 10], [0, 0], [101, 101]]
    assert web.refused(run("add", 1, 1, tapes=["t"]))["code"] == 5  # used up by the one without keep


@pytest.mark.parametrize(
    ("item", "match"),
    [
        ({"targets": ["y"], "sources": ["x", "x"]}, "different tensors"),
        ({"targets": ["y"], "sources": ["x"], "outputs": ["a", "b"]}, "names were given"),
        ({"targets": ["y"], "sources": ["x"], "seeds": []}, "as many seeds"),
        ({"targets": ["y"], "sources": ["x"], "seeds": [[1.0]]}, "cannot be of float32"),
        ({"targets": ["y"], "sources": ["x"], "seeds": [{"dtype": "float64", "data": [1, 1]}]}, "cannot be of float64"),
        ({"targets": ["y"], "sources": ["x"], "tape": "x"}, "not a tape"),
        ({"targets": ["t"], "sources": ["x"]}, "is a tape"),
        ({"targets": ["z"], "sources": ["x"]}, "gradient registry has no entry for: truncatemod"),
    ],
)
def test_gradients_that_cannot_be(web, item, match):
    web.execute(
        {"kind": "constant", "value": [1.0, 2.0], "output": "x"}, {"kind": "tape", "output": "t"},
        run("multiply", "x", "x", outputs="y", tapes=["t"]), run("truncatemod", "x", "x", outputs="z", tapes=["t"]),
    )  # fmt: skip
    problem = web.refused({"kind": "gradient", "tape": "t", **item})
    assert match in problem["detail"] and problem["item"] == 0
    _, value = web.execute(  # nothing of it was executed: the tape is as it was
        {"kind": "gradient", "tape": "t", "targets": ["y"], "sources": ["x"], "outputs": ["dx"]}, read("dx")
    )
    assert data(value) == [2.0, 4.0]


# --- failures --------------------------------------------------------------------------------------------------------


def test_a_failure_is_told_of_every_item_that_it_concerns(web):
    web.execute({"kind": "variable", "value": 5.0, "output": "w"})
    failed, dependent, effect, fine, of_w, of_bad = web.execute(
        run("inv", SINGULAR, outputs="bad"),
        run("add", "bad", 1.0, outputs="worse"),
        run("assign_add", "w", 1.0, outputs="after"),
        run("add", 1, 1, outputs="fine"),
        read("w"),
        read("worse"),
    )
    assert failed["error"]["title"] == "InvalidArgumentError" and failed["error"]["item"] == 0
    assert dependent["error"] == failed["error"] == of_bad["error"]
    assert (effect["error"]["title"], effect["error"]["item"]) == ("AbortedError", 0)
    assert "outputs" in fine and data(of_w) == 5.0
    # The failure has been told: effects run again, and what has no value still says why.
    again, bad, after = web.execute(run("assign_add", "w", 1.0), read("bad"), read("after"))
    listed = web.get(f"{web.path}/tensors").json()
    assert "error" not in again
    assert (bad["error"]["code"], bad["error"]["item"]) == (3, None)
    assert after["error"]["title"] == "AbortedError"
    assert {t["name"] for t in listed["tensors"] if "error" in t} == {"bad", "worse", "after"}
    assert web.read("w") == 6.0
    assert web.get(f"{web.path}/tensors/bad").status_code == 400
    assert web.get(f"{web.path}/tensors/after").status_code == 409


def test_a_variable_that_failed_is_mended_by_assign(web):
    web.execute(run("inv", SINGULAR, outputs="bad"), {"kind": "variable", "value": "bad", "output": "v"})
    added, value = web.execute(run("assign_add", "v", SINGULAR), read("v"))
    assert added["error"]["code"] == value["error"]["code"] == 3
    assigned, value = web.execute(run("assign", "v", [[1.0, 2.0], [3.0, 4.0]]), read("v"))
    assert "error" not in assigned and data(value) == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("item", "code", "match"),
    [
        (run("nope"), 5, "no op named 'nope'"),
        (run("add", "x"), 80, "takes 2 tensors"),
        (run("add", "x", "nobody"), 5, "nothing called 'nobody'"),
        (run("add", "x", "99"), 5, "nothing called '99'"),
        (run("add", "x", "9" * 5000), 81, ""),
        (run("add", "x", [1.0, 2.0, 3.0]), 3, "Incompatible shapes"),
        (run("add", "x", {"dtype": "float64", "data": 1}), 3, "float64"),
        (run("add", "x", True), 3, "bool"),
        (run("add", "x", None), 3, "numbers"),
        (run("add", "x", [[1], [1, 2]]), 3, "equal lengths"),
        (run("add", "x", {"dtype": "string", "data": 1}), 3, "is no dtype"),
        (run("reshape", "x"), 80, "needs the attribute 'shape'"),
        (run("reshape", "x", attrs={"shape": [1.0]}), 80, "must be int"),
        (run("reshape", "x", attrs={"shape": [3]}), 3, ""),
        (run("reshape", "x", attrs={"shape": [2], "more": 1}), 80, "no attribute 'more'"),
        (run("reshape", "x", attrs={"shape": {"ref": "nobody"}}), 5, "nobody"),
        (run("cast", "x", attrs={"dtype": {"ref": "x"}}), 80, "cannot be that object"),
        (run("cast", "x", attrs={"dtype": "int7"}), 3, "is no dtype"),
        (run("assign", "x", 1.0), 3, "must be the name of one"),
        (run("assign", 1.0, 1.0), 3, "must be the name of one"),
        (run("add", "x", "x", outputs=["a", "b"]), 3, "1 results"),
        (run("unique", [1], outputs=["a", "a"]), 3, "one name"),
        (run("add", "x", "x", tapes=["x"]), 3, "not a tape"),
        ({"kind": "constant", "value": "x"}, 3, "not a name"),
        ({"kind": "release", "tensors": ["x", "x"]}, 5, "nothing called 'x'"),
        ({"kind": "publish", "tensor": "x", "name": "../x"}, 3, "no name to publish"),
        ({"kind": "published", "name": "nothing/here"}, 5, "nothing is published"),
        ({"kind": "what"}, 3, "what"),
        ({"op": 5}, 3, "items.1.run.op"),
        (run("add", 1, 1, outputs="1x"), 3, "pattern"),
        (run("add", 1, 1, unknown=1), 3, "Extra inputs"),
        (run("fill", 0, attrs={"dims": [2**40, 2**40]}), 3, "elements"),
        (run("add", 1, 1, device=5), 3, "device"),
        (5, 3, ""),
    ],
)
def test_a_wrong_item_refuses_the_whole_request(web, item, code, match):
    web.execute({"kind": "constant", "value": [1.0, 2.0], "output": "x"})
    problem = web.refused(run("add", "x", 1.0, outputs="x"), item)
    assert (problem["code"], problem["item"]) == (code, 1), problem
    assert match in problem["detail"]
    assert web.read("x").tolist() == [1.0, 2.0]  # nothing of it was executed


def test_a_device_that_there_is_none_of_fails_its_op_alone(web):
    failed, fine = web.execute(run("add", 1, 1, device="GPU:7"), run("add", 1, 1, device="CPU:0", outputs="y"))
    assert failed["error"]["code"] == 3 and "error" not in fine


def test_out_of_memory_says_how_much(web):
    with serving("--memory-limit", "1m") as small, Web(small) as client:
        client.new_session()
        failed, _, value = client.execute(
            run("fill", 1.0, attrs={"dims": [1000, 1000]}, outputs="big"), run("add", 1, 1, outputs="y"), read("y")
        )
        assert failed["error"]["code"] == 8 and "4000000 bytes asked" in failed["error"]["detail"]
        assert data(value) == 2


# --- exactly once ----------------------------------------------------------------------------------------------------


def test_a_retry_with_a_key_is_not_executed_again(web):
    web.execute({"kind": "variable", "value": 0, "output": "n"})
    body = {"items": [run("assign_add", "n", 1, outputs=[None]), read("n")]}
    headers = {"idempotency-key": "step-1"}
    first, second = [web.post(f"{web.path}/execute", json=body, headers=headers) for _ in range(2)]
    assert first.status_code == 200 and first.content == second.content
    assert web.read("n") == 1
    assert web.post(f"{web.path}/execute", json=body, headers={"idempotency-key": "step-2"}).status_code == 200
    assert web.read("n") == 2
    other = web.post(f"{web.path}/execute", json={"items": []}, headers=headers)
    assert other.status_code == 422 and web.read("n") == 2


def test_retries_at_the_same_time_are_executed_once(server, web):
    web.execute({"kind": "variable", "value": 0, "output": "n"})
    slow = run("matmul", "m", "m", outputs="m2")
    web.execute(run("fill", 1.0, attrs={"dims": [1200, 1200]}, outputs="m"))
    body = {"items": [slow, run("assign_add", "n", 1, outputs=[None]), read("n")]}
    answers = []

    def post():
        with Web(server) as other:
            answers.append(other.post(f"{web.path}/execute", json=body, headers={"idempotency-key": "k"}).content)

    threads = [threading.Thread(target=post) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 6 and len(set(answers)) == 1
    assert web.read("n") == 1


def test_a_refused_request_is_not_remembered(web):
    body = {"items": [run("add", "later", 1.0, outputs="y"), read("y")]}
    headers = {"idempotency-key": "k"}
    assert web.post(f"{web.path}/execute", json=body, headers=headers).status_code == 400
    web.execute({"kind": "constant", "value": 1.0, "output": "later"})
    assert web.post(f"{web.path}/execute", json=body, headers=headers).json()["items"][1]["value"]["data"] == 2.0


def test_an_answer_that_is_no_longer_kept_is_not_made_anew(web):
    web.execute(
        {"kind": "variable", "value": 0, "output": "n"}, run("fill", 0.5, attrs={"dims": [500000]}, outputs="x")
    )
    wanted = {"items": [run("assign_add", "n", 1, outputs=[None]), read("x")]}
    body = msgpack.packb(wanted)

    def post(key):
        headers = {"content-type": MSGPACK, "accept": MSGPACK, "idempotency-key": str(key)}
        return web.post(f"{web.path}/execute", content=body, headers=headers).status_code

    count = tool.MAX_ANSWERS // 2_000_000 + 2
    assert [post(key) for key in range(count)] == [200] * count
    assert post(0) == 409 and post(count - 1) == 200
    assert web.read("n") == count


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
def test_keys_that_are_none(web, key):
    answer = web.post(f"{web.path}/execute", json={"items": []}, headers={"idempotency-key": key})
    assert answer.status_code == 400


def test_requests_of_many_threads_have_their_turns(server, web):
    """v = 2 v + 1 (mod 10007) in each request: any that was lost, repeated or mixed with another shows."""
    web.execute({"kind": "variable", "value": 1, "output": "v"})
    items = [
        run("multiply", "v", 2, outputs="a"), run("add", "a", 1, outputs="b"), run("floormod", "b", 10007, outputs="c"),
        run("assign", "v", "c", outputs=[None]),
    ]  # fmt: skip

    def work():
        with Web(server) as other:
            other.path = web.path
            for _ in range(20):
                other.execute(*items)

    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    v = 1
    for _ in range(100):
        v = (2 * v + 1) % 10007
    assert web.read("v") == v


# --- whose session it is ---------------------------------------------------------------------------------------------


def test_a_client_cannot_attach_to_a_session_of_requests(server, web):
    web.execute({"kind": "variable", "value": 1.0, "output": "v"})
    session = web.path.rpartition("/")[2]
    with Raw(server, session) as raw:
        refused = raw.end()
    assert refused is not None and refused["code"] == 9
    hello = wire.encode_frame(Kind.HELLO, 0, 0, 0, 0, wire.pack({"version": wire.VERSION, "expects": 1}))
    answer = web.post(f"{web.path}/connections", content=wire.prefixed(hello))
    assert (answer.status_code, answer.json()["code"]) == (400, 9)
    assert web.read("v") == 1.0


def test_requests_cannot_drive_a_clients_session(server, web):
    with Raw(server) as raw:
        path = f"/v1/sessions/{raw.session}"
        for answer in (
            web.post(f"{path}/execute", json={"items": []}), web.get(f"{path}/tensors"), web.get(f"{path}/tensors/1"),
            web.put(f"{path}/tensors/x", json=1), web.delete(f"{path}/tensors/1"),
        ):  # fmt: skip
            assert (answer.status_code, answer.json()["code"]) == (409, 9)
        assert raw.ask([wire.CONST, 1, np.ones(2)], [Item.SYNC, 1])["tensors"] == 1


def test_a_session_that_there_is_none_of(web):
    other = web.path
    assert web.delete(other).status_code == 204
    for answer in (
        web.post(f"{other}/execute", json={"items": []}), web.get(f"{other}/tensors/x"),
        web.put(f"{other}/tensors/x", json=1),
    ):  # fmt: skip
        assert (answer.status_code, answer.json()["code"]) == (404, 64)


def test_names_and_ids_of_one_session_mean_nothing_in_another(server, web):
    made = web.execute({"kind": "constant", "value": 1, "output": "mine"})[0]["outputs"][0]["id"]
    with Web(server) as other:
        other.new_session()
        assert other.refused(read("mine"))["code"] == other.refused(read(made))["code"] == 5


def test_deleted_while_it_executes(server, web):
    web.execute(run("fill", 1.0, attrs={"dims": [1500, 1500]}, outputs="m"))
    answers = []

    def work():
        with Web(server) as other:
            body = {"items": [run("matmul", "m", "m", outputs="m") for _ in range(500)]}
            answers.append(other.post(f"{web.path}/execute", json=body))

    thread = threading.Thread(target=work)
    thread.start()
    wait_until(lambda: any(s["attached"] for s in web.get("/v1/status").json()["sessions"]))
    assert web.delete(web.path).status_code == 204
    thread.join()
    assert (answers[0].status_code, answers[0].json()["code"]) == (404, 64)


def test_an_op_of_many_heartbeats():
    with serving("--heartbeat", "0.02") as process, Web(process) as client:
        client.new_session()
        made, decomposed, value = client.execute(
            run("random_normal", attrs={"shape": [500, 500], "seed": [1, 2]}, outputs="x"),
            run("svdvals", "x", outputs="s"),
            run("add", 1, 1, outputs="y"),
        )
        assert not any("error" in outcome for outcome in (made, decomposed, value))


# --- runs without a session ------------------------------------------------------------------------------------------


def test_a_run_leaves_nothing(web):
    before = len(web.get("/v1/status").json()["sessions"])
    found = web.post("/v1/run", json={"items": [run("add", [1, 2], 1, outputs="y"), read("y")]}).json()
    assert data(found["items"][1]) == [2, 3]
    assert web.post("/v1/run", json=run("unique", [7, 7, 8])).json()["values"] == [
        {"dtype": "int32", "shape": [2], "data": [7, 8]}, {"dtype": "int32", "shape": [3], "data": [0, 0, 1]}
    ]  # fmt: skip
    assert len(web.get("/v1/status").json()["sessions"]) == before


def test_a_run_that_fails(web):
    answer = web.post("/v1/run", json=run("inv", SINGULAR))
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    found = web.post("/v1/run", json={"items": [run("inv", SINGULAR)]}).json()
    assert found["failed"] == 1 and found["items"][0]["error"]["code"] == 3
    assert web.post("/v1/run", json={"items": []}).json() == {"items": [], "failed": 0}
    several = [run("add", 1, 1)] * (run_route.MAX_RUN_ITEMS + 1)
    assert web.post("/v1/run", json={"items": several}).status_code == 400
    assert web.post("/v1/run", json={"items": several[1:]}).status_code == 200


def test_a_run_evicts_nobody():
    with serving("--max-sessions", "1") as full, Web(full) as client:
        client.new_session().execute({"kind": "variable", "value": 1, "output": "v"})
        answer = client.post("/v1/run", json=run("add", 1, 1))
        assert (answer.status_code, answer.json()["code"]) == (507, 8)
        assert client.read("v") == 1
