"""Values in bulk and the server's files: READ_MANY, STORE, LOAD and `/v1/files`, by hand against a real server."""

import os

import httpx
import numpy as np
import pytest
import xxhash

from protocol import wire
from protocol.wire import Item
from tests.stream.raw import Raw, http
from tests.support import serving

CONST, READ, RUN, BIND = wire.CONST, wire.READ, wire.RUN, wire.BIND
ONES, LONG = np.ones(3, np.float32), np.arange(7, dtype=np.int64)
BIG = np.random.default_rng(0).standard_normal((1200, 1000)).astype(np.float32)  # over the inline limit
FAILED_PRECONDITION, NOT_FOUND, INVALID, DATA_LOSS, OUT_OF_RANGE = 9, 5, 3, 15, 11


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    with serving("--data-dir", str(folder)) as process:
        process.folder = folder
        yield process


@pytest.fixture
def raw(server):
    with Raw(server) as client:
        yield client


def digest(array: np.ndarray) -> int:
    return xxhash.xxh3_64_intdigest(array.tobytes())


def read_failed(raw: Raw, *items: list) -> tuple:
    raw.send(*items)
    reply = raw.replies(1)[0]
    assert reply[0] == Item.READ_FAILED
    return reply


# --- READ_MANY -------------------------------------------------------------------------------------------------------


def test_many_values_come_as_one_payload(server, raw):
    raw.send(
        [CONST, 1, ONES], [CONST, 2, BIG[:5]], [CONST, 3, np.zeros((0, 2), bool)], [Item.READ_MANY, 1, [2, 1, 3, 1]]
    )
    kind, read, dtypes, shapes = raw.replies(1)[0]
    assert (kind, read, [d.name for d in dtypes]) == (Item.PAYLOADS, 1, ["float32", "float32", "bool", "float32"])
    assert shapes == ((5, 1000), (3,), (0, 2), (3,))
    wanted = BIG[:5].tobytes() + 2 * ONES.tobytes()
    with http(server) as client:
        path = f"/v1/sessions/{raw.session}/reads/1"
        assert client.get(path).content == wanted
        for start in (1, 12, 20_000, 20_012, len(wanted) - 1):  # within values, at their edges
            part = client.get(path, headers={"Range": f"bytes={start}-"})
            assert (part.status_code, part.content) == (206, wanted[start:])


def test_the_values_are_those_of_its_place_in_the_stream(server, raw):
    raw.send([BIND, 0, "assign"], [Item.VARIABLE, 1, ONES], [Item.READ_MANY, 1, [1]], [RUN, 0, 0, [1, 2 * ONES]])
    raw.replies(1)
    assert np.array_equal(raw.ask([READ, 2, 1]), 2 * ONES)
    with http(server) as client:
        assert client.get(f"/v1/sessions/{raw.session}/reads/1").content == ONES.tobytes()


def test_one_that_is_not_there_fails_the_whole_read(raw):
    assert read_failed(raw, [CONST, 1, ONES], [Item.READ_MANY, 1, [1, 77]])[2] == NOT_FOUND
    raw.send([BIND, 0, "linalg_inv"], [RUN, 0, 2, [np.zeros((2, 2))]], [Item.READ_MANY, 3, [1, 2]])
    told, failed = raw.replies(2)
    assert told[0] == Item.FAILED and failed[0] == Item.READ_FAILED and failed[5] == told[1]


@pytest.mark.parametrize("item", [[Item.READ_MANY, 1, 5], [Item.READ_MANY, 1], [Item.READ_MANY, 1, [1.5]]])
def test_a_malformed_one_ends_the_session(raw, item):
    raw.send([CONST, 1, ONES], item)
    assert raw.end()["code"] == 65


# --- STORE and LOAD --------------------------------------------------------------------------------------------------


def test_values_go_to_a_file_and_back(server, raw):
    report = raw.ask([CONST, 1, ONES], [CONST, 2, LONG], [Item.STORE, 1, "a/b.bin", b"head", [2, 1]])
    assert report == {"bytes": 4 + 56 + 12, "checksums": (digest(LONG), digest(ONES))}
    path = server.folder / "files" / "default" / "a" / "b.bin"
    assert path.read_bytes() == b"head" + LONG.tobytes() + ONES.tobytes()
    load = [Item.LOAD, 3, "a/b.bin", 60, _dtype("float32"), [3], digest(ONES)]
    assert np.array_equal(raw.ask(load, [READ, 2, 3]), ONES)
    assert np.array_equal(raw.ask([Item.LOAD, 4, "a/b.bin", 4, _dtype("int64"), [7]], [READ, 3, 4]), LONG)
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def _dtype(name):
    from protocol.dtypes import as_dtype

    return as_dtype(name)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        (["nowhere", 0, "float32", [3]], NOT_FOUND),
        (["c", 8, "float32", [3]], OUT_OF_RANGE),
        (["c", 0, "float32", [3], 12345], DATA_LOSS),
        (["c", 0, "bool", [12]], INVALID),  # other bytes than 0 and 1
        (["../c", 0, "float32", [3]], INVALID),
    ],
)
def test_what_cannot_be_loaded_fails_that_tensor_alone(raw, fields, code):
    raw.ask([CONST, 1, ONES], [Item.STORE, 1, "c", b"", [1]])
    name, offset, dtype, shape, *checksum = fields
    raw.send([Item.LOAD, 2, name, offset, _dtype(dtype), shape, *checksum], [READ, 2, 2], [READ, 3, 1])
    told, failed, fine = raw.replies(3)
    assert (told[0], told[2]) == (Item.FAILED, code) and failed[0] == Item.READ_FAILED
    assert np.array_equal(fine[2], ONES)


def test_a_load_is_charged_before_memory_is_taken():
    with serving("--memory-limit", "1m", "--data-dir", os.devnull) as small, Raw(small) as raw:
        raw.send([Item.LOAD, 2, "x", 0, _dtype("float32"), [2**40]])
        assert raw.replies(1)[0][2] == 8


def test_a_store_that_fails_leaves_what_was_there(server, raw):
    raw.ask([CONST, 1, ONES], [Item.STORE, 1, "kept", b"", [1]])
    assert read_failed(raw, [Item.STORE, 2, "kept", b"other", [1, 99]])[2] == NOT_FOUND
    folder = server.folder / "files" / "default"
    assert (folder / "kept").read_bytes() == ONES.tobytes()
    assert not [p for p in folder.iterdir() if p.name.startswith(".")]


def test_a_large_head_ends_the_session(raw):
    raw.send([Item.STORE, 1, "x", "text", []])
    assert raw.end()["code"] == 65


def test_a_server_without_a_data_directory_keeps_nothing():
    with serving() as bare, Raw(bare) as raw, http(bare) as client:
        assert read_failed(raw, [Item.STORE, 1, "x", b"", []])[2] == FAILED_PRECONDITION
        for method, path in (("GET", ""), ("GET", "/x"), ("PUT", "/x"), ("DELETE", "/x")):
            answer = client.request(method, f"/v1/files{path}")
            assert (answer.status_code, answer.json()["code"]) == (400, FAILED_PRECONDITION)


# --- over HTTP -------------------------------------------------------------------------------------------------------


def test_files_over_http(server):
    with http(server) as client:
        assert client.put("/v1/files/h/one.txt", content=b"1").status_code == 204
        assert client.put("/v1/files/h/two", content=b"22").status_code == 204
        listed = client.get("/v1/files", params={"prefix": "h/"}).json()["files"]
        assert [(f["name"], f["bytes"]) for f in listed] == [("h/one.txt", 1), ("h/two", 2)]
        assert client.put("/v1/files/h/two", content=b"333").status_code == 204
        assert client.get("/v1/files/h/two").content == b"333"
        assert client.get("/v1/files/h/two", headers={"Range": "bytes=1-"}).content == b"33"
        assert client.delete("/v1/files/h/two").status_code == 204
        assert client.get("/v1/files/h/two").status_code == 404
        assert client.delete("/v1/files/h/two").json()["code"] == NOT_FOUND
        client.delete("/v1/files/h/one.txt")
    assert not (server.folder / "files" / "default" / "h").exists()  # folders go with their last file


@pytest.mark.parametrize(
    "name",
    [
        "../up",
        "a/../../up",
        "/etc/passwd",
        ".hidden",
        "a/.hidden",
        "a//b",
        "a/",
        "a\\b",
        "a\0b",
        "c:d",
        "a b",
        "é",
        "x" * 513,
    ],
)
def test_names_that_are_no_names(server, name):
    from urllib.parse import quote

    with http(server) as client:
        for method in ("GET", "PUT", "DELETE"):
            # httpx would resolve `..` itself: the path goes out as it is written
            url = httpx.URL(server.url).copy_with(raw_path=b"/v1/files/" + quote(name, safe="").encode())
            answer = client.request(method, url)
            assert answer.status_code in (400, 404, 405), (method, answer.status_code)
    assert not (server.folder.parent / "up").exists() and not (server.folder / "up").exists()


def test_links_are_not_followed(server, tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    folder = server.folder / "files" / "default"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "out").symlink_to(tmp_path)
    with http(server) as client, Raw(server) as raw:
        assert client.get("/v1/files/link").status_code == 404
        assert client.get("/v1/files/out/secret").status_code == 400
        assert client.put("/v1/files/out/new", content=b"x").status_code == 400
        assert "link" not in [f["name"] for f in client.get("/v1/files").json()["files"]]
        raw.send([Item.LOAD, 1, "link", 0, _dtype("uint8"), [6]])
        assert raw.replies(1)[0][2] == NOT_FOUND
    assert not (tmp_path / "new").exists()


def test_a_file_over_the_limit_is_refused(server):
    from server import file_routes

    def body():
        for _ in range(file_routes.MAX_PUT // 2**20 + 1):
            yield bytes(2**20)

    with http(server) as client:
        assert client.put("/v1/files/huge", content=body()).status_code == 400
        assert client.get("/v1/files/huge").status_code == 404


def test_files_need_the_token(server):
    for method, path in (("GET", ""), ("GET", "/x"), ("PUT", "/x"), ("DELETE", "/x")):
        assert httpx.request(method, f"{server.url}/v1/files{path}").status_code == 401
