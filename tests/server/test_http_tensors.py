"""Tensors in and out over HTTP, in each of their forms, and every op's cases through `execute`."""

import io
from collections import defaultdict

import ml_dtypes
import msgpack
import numpy as np
import pytest

from protocol import dtypes
from protocol.dtypes import DType
from protocol.ops import OPS
from server.api import models
from server.api.values import MAX_LISTED
from tests.ops import case as case_module
from tests.ops import cases
from tests.server.tools import JSON, MSGPACK, NPY, Web, npy, understood, written
from tests.support import serving

BY_OP = defaultdict(list)
for _case in cases.ALL:
    BY_OP[_case.op].append(_case)


@pytest.fixture(scope="module", params=["thread", "process"])
def server(request):
    with serving("--isolation", request.param) as process:
        yield process


@pytest.fixture(scope="module")
def web(server):
    with Web(server) as client:
        yield client.new_session()


def sample(dtype: DType) -> np.ndarray:
    """Values at the ends of the dtype's range, and those that JSON has no numbers for."""
    kind = dtype.numpy
    if dtype.is_bool:
        return np.array([[True, False, True]])
    if dtype.is_integer:
        info = np.iinfo(kind)
        return np.array([[info.min, info.max, 1]], kind)
    info = ml_dtypes.finfo(dtype.real_dtype.numpy)
    reals = [np.nan, np.inf, -np.inf, -0.0, float(info.max), float(info.tiny), 1 / 3, 0.1]
    values = np.array([reals], np.float64).astype(dtype.real_dtype.numpy)
    if dtype.is_complex:
        return np.stack([values, values[:, ::-1]], -1).view(kind)[..., 0]
    return values


def same(left: np.ndarray, right: np.ndarray) -> bool:
    """The same bits, but that one NaN is as good as another."""
    if left.dtype != right.dtype or left.shape != right.shape:
        return False
    if left.dtype.kind == "c":
        return same(left.real.copy(), right.real.copy()) and same(left.imag.copy(), right.imag.copy())
    wide = np.float64 if dtypes.BY_NUMPY[left.dtype].is_floating else left.dtype
    left, right = left.astype(wide), right.astype(wide)
    signs = np.array_equal(np.signbit(left[left == left]), np.signbit(right[right == right]))
    return np.array_equal(left, right, equal_nan=wide == np.float64) and (wide != np.float64 or signs)


def body_of(array: np.ndarray, form: str):
    if form == NPY:
        return {"content": npy(array)}
    tensor = written(array, form)
    return {"content": msgpack.packb(tensor)} if form == MSGPACK else {"json": tensor}


def put(web, name, array, form=NPY, **params):
    headers = {"content-type": form}
    return web.put(f"{web.path}/tensors/{name}", headers=headers, params=params, **body_of(array, form))


def got(web, path, form):
    answer = web.get(path, headers={"accept": form})
    assert answer.status_code == 200 and answer.headers["content-type"] == form, answer.text
    if form == NPY:
        found = np.load(io.BytesIO(answer.content))
        return found.view(ml_dtypes.bfloat16) if answer.headers["x-tensor-dtype"] == "bfloat16" else found
    return understood(answer.json() if form == JSON else msgpack.unpackb(answer.content))


@pytest.mark.parametrize("dtype", [t.name for t in dtypes.ALL])
def test_every_dtype_in_every_form(web, dtype):
    array = sample(dtypes.as_dtype(dtype))
    for form in (JSON, MSGPACK, NPY):
        answer = put(web, "x", array, form)
        assert answer.json() | {"id": ""} == {"id": "", "name": "x", "dtype": dtype, "shape": list(array.shape)}
        for wanted in (JSON, MSGPACK, NPY):
            assert same(got(web, f"{web.path}/tensors/x", wanted), array), (form, wanted)


@pytest.mark.parametrize("array", [np.float32(3.5), np.zeros((0, 3), np.int16), np.zeros((2, 0)), np.ones((1,) * 32)])
def test_sizes_and_ranks(web, array):
    array = np.asarray(array)
    for form in (JSON, MSGPACK, NPY):
        assert put(web, "x", array, form).status_code < 300
        assert all(same(got(web, f"{web.path}/tensors/x", wanted), array) for wanted in (JSON, MSGPACK, NPY))


@pytest.mark.parametrize("size", [50, 700], ids=["inline", "beside the stream"])
@pytest.mark.parametrize("dtype", [">f4", ">i2", ">c16", "<u8", "|b1"])
@pytest.mark.parametrize("order", "CF")
def test_npy_files_of_any_order(web, size, dtype, order):
    values = np.random.default_rng(0).integers(0, 2**15, (size, size // 2, 3)).astype(dtype, order=order)
    assert put(web, "x", values).status_code < 300
    found = got(web, f"{web.path}/tensors/x", NPY)
    assert found.dtype.isnative and np.array_equal(found, values)


def test_nested_lists_are_enough(web):
    for value, dtype, shape in ((1, "int32", []), ([[1.5], [2]], "float32", [2, 1]), ([True], "bool", [1])):
        assert web.put(f"{web.path}/tensors/x", json=value).json()["dtype"] == dtype
        assert web.get(f"{web.path}/tensors/x").json() == {"dtype": dtype, "shape": shape, "data": value}


def test_numbers_in_json_are_the_shortest(web):
    web.put(f"{web.path}/tensors/x", json={"dtype": "float32", "data": [0.1, 16777217, 1e-30, 1e39]})
    assert b'"data":[0.1,16777216.0,1e-30,"Infinity"]' in web.get(f"{web.path}/tensors/x").content
    web.put(f"{web.path}/tensors/x", json={"dtype": "int64", "data": ["9223372036854775807", -1]})
    assert b'"data":[9223372036854775807,-1]' in web.get(f"{web.path}/tensors/x").content


def test_put_makes_replaces_and_assigns(web):
    first = put(web, "p/q.1", np.arange(3.0))
    second = put(web, "p/q.1", np.arange(4))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] != second.json()["id"]
    made = put(web, "v", np.arange(3.0), variable=True, device="CPU:0")
    assert web.read("v").tolist() == [0, 1, 2]
    again = web.put(f"{web.path}/tensors/v", json=[5, 6, 7])  # takes the variable's dtype
    assert again.json()["id"] == made.json()["id"] and web.read("v").tolist() == [5.0, 6.0, 7.0]
    by_id = web.put(f"{web.path}/tensors/{made.json()['id']}", json=[1, 1, 1])
    assert by_id.status_code == 200 and web.read("v").tolist() == [1, 1, 1]
    assert web.put(f"{web.path}/tensors/v", json={"dtype": "int8", "data": [1, 1, 1]}).status_code == 400
    assert web.put(f"{web.path}/tensors/v", json=[1, 1]).status_code == 400
    assert web.read("v").tolist() == [1, 1, 1]
    assert web.put(f"{web.path}/tensors/99", json=1).status_code == 400
    listed = {t["name"]: t for t in web.get(f"{web.path}/tensors").json()["tensors"]}
    assert listed["v"] == {"id": made.json()["id"], "name": "v", "kind": "variable", "dtype": "float64", "shape": [3]}
    big = np.random.default_rng(0).standard_normal((300, 1000))
    assert put(web, "w", big, variable=True).status_code == 201
    assert put(web, "w", np.asfortranarray(big * 2)).status_code == 200
    np.testing.assert_array_equal(got(web, f"{web.path}/tensors/w", NPY), big * 2)


def test_delete(web):
    put(web, "gone", np.ones(2))
    assert web.delete(f"{web.path}/tensors/gone").status_code == 204
    for answer in (web.delete(f"{web.path}/tensors/gone"), web.get(f"{web.path}/tensors/gone")):
        assert (answer.status_code, answer.json()["code"]) == (404, 5)


@pytest.mark.parametrize("name", ["", "1x", "a b", "a//b", "-a", "%00", "x" * 201, "é", "a/../b%2f"])
def test_names_that_are_none(web, name):
    assert web.put(f"{web.path}/tensors/{name}", json=1).status_code in (400, 404, 405)


def test_the_list_in_parts(server):
    with Web(server) as client:
        client.new_session().execute(*[{"kind": "constant", "value": i, "output": f"x{i}"} for i in range(7)])
        first = client.get(f"{client.path}/tensors", params={"limit": 4}).json()["tensors"]
        rest = client.get(f"{client.path}/tensors", params={"after": first[-1]["id"]}).json()["tensors"]
        assert [t["name"] for t in first + rest] == [f"x{i}" for i in range(7)]


def test_a_tape_has_no_value(web):
    web.execute({"kind": "tape", "output": "tape"})
    assert web.get(f"{web.path}/tensors/tape").status_code == 400
    assert web.put(f"{web.path}/tensors/tape", json=1).status_code == 400
    assert web.delete(f"{web.path}/tensors/tape").status_code == 204


# --- limits ----------------------------------------------------------------------------------------------------------


def test_what_is_too_large_for_a_form(web):
    web.execute({"op": "fill", "inputs": [0.5], "attrs": {"dims": [MAX_LISTED + 1]}, "outputs": "long"})
    assert web.get(f"{web.path}/tensors/long").status_code == 406
    assert got(web, f"{web.path}/tensors/long", NPY).shape == got(web, f"{web.path}/tensors/long", MSGPACK).shape
    assert web.refused({"kind": "read", "tensor": "long"})["code"] == 8
    assert web.refused(*[{"kind": "read", "tensor": "half"}] * 3)["code"] == 5
    web.execute({"op": "fill", "inputs": [0.5], "attrs": {"dims": [MAX_LISTED // 2]}, "outputs": "half"})
    problem = web.refused(*[{"kind": "read", "tensor": "half"}] * 3)  # two fit, three do not
    assert (problem["code"], problem["item"]) == (8, 2)
    # Empty lists take room too, and a size that is not known before is looked at afterwards.
    web.execute({"op": "fill", "inputs": [0.5], "attrs": {"dims": [2**28, 0]}, "outputs": "empties"})
    assert web.get(f"{web.path}/tensors/empties").status_code == 406
    assert got(web, f"{web.path}/tensors/empties", NPY).shape == (2**28, 0)
    _, none, half = web.execute(
        {"op": "where", "inputs": [{"dtype": "bool", "shape": [0], "data": []}], "outputs": "none"},
        {"kind": "read", "tensor": "none"}, {"kind": "read", "tensor": "half"},
    )  # fmt: skip
    assert "value" in half and none["value"]["shape"] == [0, 1]
    _, _, failed = web.execute(
        {"op": "fill", "inputs": [True], "attrs": {"dims": [MAX_LISTED + 1]}, "outputs": "all"},
        {"op": "boolean_mask", "inputs": ["long", "all"], "outputs": "same"},
        {"kind": "read", "tensor": "same"},
    )
    assert failed["error"]["code"] == 8 and failed["error"]["item"] == 2


@pytest.mark.parametrize(
    "body",
    [
        b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00", npy(np.ones(3))[:100], b"PK\x03\x04", b"\x93NUMPY\x09\x00" + 20 * b" ",
        b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + 20 * b" ", npy(np.ones(3))[:-1], npy(np.ones(3)) + b"x",
        npy(np.ones(200_000))[:-1], npy(np.ones(200_000)) + b"x", npy(np.array(["text"])), npy(np.ones(3, "M8[s]")),
        npy(np.ones(3)).replace(b"(3,)", b"(-1,"), npy(np.ones(3)).replace(b"(3,)", b"(1e9"),
        npy(np.ones(3)).replace(b"{'descr'", b"__import__"), npy(np.ones(3)).replace(b"(3,), }     ", b"(2**62,), }"),
        npy(np.ones(3)).replace(b"(3,), }                 ", b"(281474976710657,), }   "),
        npy(np.array([1, 0], bool))[:-1] + b"\x02",
    ],
)  # fmt: skip
def test_npy_files_that_are_none(web, body):
    before = web.get("/v1/status").json()["sessions"]
    for content in (body, iter([body[:64], body[64:]])):  # with Content-Length, and without
        answer = web.put(f"{web.path}/tensors/bad", content=content, headers={"content-type": NPY})
        assert (answer.status_code, answer.json()["code"]) == (400, 3), answer.text
    assert web.get(f"{web.path}/tensors/bad").status_code == 404
    after = web.get("/v1/status").json()["sessions"]
    assert [s["bytes"] for s in before] == [s["bytes"] for s in after]


def test_a_value_that_has_no_room(server):
    big = np.ones((1000, 1000), np.float32)
    with serving("--memory-limit", "5m") as small, Web(small) as client:
        client.new_session()
        for _ in range(20):  # what was refused, and what was broken off, takes no room
            assert put(client, "x", np.ones((2000, 1000), np.float32)).status_code in (413, 507)
            assert client.put(
                f"{client.path}/tensors/x", content=iter([npy(big)[:2_000_000]]), headers={"content-type": NPY}
            ).status_code == 400  # fmt: skip
        assert put(client, "x", big).status_code == 201
        answer = put(client, "y", big)
        assert answer.status_code == 507 and answer.json()["code"] == 8
        tensor = msgpack.packb({"items": [{"kind": "constant", "value": written(big, MSGPACK), "output": "y"}]})
        answer = client.post(f"{client.path}/execute", content=tensor, headers={"content-type": MSGPACK})
        assert answer.json()["items"][0]["error"]["code"] == 8
        assert client.delete(f"{client.path}/tensors/x").status_code == 204
        assert put(client, "y", big).status_code in (200, 201)


def test_a_reader_that_leaves_holds_nothing(server):
    with Web(server) as client:
        client.new_session()
        put(client, "x", np.ones((4000, 1000), np.float32))
        for _ in range(3):
            with client.stream("GET", f"{client.path}/tensors/x?format=npy") as answer:
                next(answer.iter_raw())
        np.testing.assert_array_equal(got(client, f"{client.path}/tensors/x", NPY), np.ones((4000, 1000)))


# --- every op --------------------------------------------------------------------------------------------------------


def plain(value):
    if isinstance(value, DType):
        return value.name
    if isinstance(value, float) and not np.isfinite(value):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[str(value)]
    return list(map(plain, value)) if isinstance(value, tuple) else value


def requested(case, number):
    """The items that run a case, with names for its results, and the reads of them."""
    op = OPS[case.op]
    items, inputs = [], []
    for i, (value, group) in enumerate(zip(case.inputs, op.input_groups(len(case.inputs)), strict=True)):
        tensor = written(np.ascontiguousarray(value).reshape(value.shape))
        if group in ("variable", "overwritten"):
            items.append({"kind": "variable", "value": tensor, "output": f"v{number}.{i}"})
            tensor = f"v{number}.{i}"
        inputs.append(tensor)
    names = [f"r{number}.{i}" for i in range(len(case_module.expected(case)))]
    items.append({"op": case.op, "inputs": inputs, "attrs": plain_attrs(case), "outputs": names})
    return items, [{"kind": "read", "tensor": name} for name in names]


def plain_attrs(case):
    return {name: plain(value) for name, value in case.attrs.items()}


@pytest.mark.parametrize("op", sorted(BY_OP))
def test_every_op(web, op):
    """The references' values, dtypes and shapes, with operands and results as JSON."""
    chosen = [c for c in BY_OP[op] if sum(i.size for i in c.inputs) < 20_000]
    assert chosen
    problems = []
    for start in range(0, len(chosen), 100):
        items, owners = [], []
        for number, case in enumerate(chosen[start : start + 100]):
            made, reads = requested(case, number)
            items += made + reads
            owners.append((case, len(made), len(reads)))
        assert len(items) <= models.MAX_ITEMS
        outcomes = iter(web.execute(*items))
        for case, made, reads in owners:
            told = [next(outcomes) for _ in range(made)]
            found = [next(outcomes) for _ in range(reads)]
            errors = [o["error"]["detail"] for o in told + found if "error" in o]
            try:
                assert not errors, errors[0]
                case_module.check(case, [understood(o["value"]) for o in found])
            except AssertionError as error:
                problems.append(f"{case.name}: {error}")
    assert not problems, f"{len(problems)} of {len(chosen)} cases:\n" + "\n\n".join(problems)
