"""Values published under names: by one program, read by others, over real servers."""

import io

import msgpack
import numpy as np
import pytest

import client as tf
from protocol import wire
from protocol.wire import Item
from tests.client.waiting import remote, waits
from tests.server.tools import JSON, MSGPACK, Web, understood
from tests.stream.raw import Raw
from tests.support import run_program, serving

NOT_FOUND, INVALID, EXHAUSTED = 5, 3, 8


@pytest.fixture(scope="module", params=["thread", "process"])
def server(request):
    with serving("--isolation", request.param) as process:
        yield process


@pytest.fixture(autouse=True)
def connected(server):
    tf.connect(server.url, server.token)
    yield
    tf.disconnect()


def in_another_program(server, source: str) -> str:
    done = run_program(f"import client as tf\n{source}", TELEGRAD_URL=server.url, TELEGRAD_TOKEN=server.token)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_another_program_reads_it(server):
    x = remote([[1.5, -2.0]], tf.bfloat16)
    with waits(0):
        tf.publish("weights/latest", x)
    tf.sync()
    said = in_another_program(server, "x = tf.published('weights/latest'); print(x.dtype, x.shape, x.numpy().tolist())")
    assert said == "<dtype: 'bfloat16'> (1, 2) [[1.5, -2.0]]\n"


def test_it_outlives_its_session(server):
    in_another_program(server, "tf.publish('left', tf.range(3))")
    assert tf.published("left").numpy().tolist() == [0, 1, 2]


def test_reading_takes_one_wait_and_the_bytes_stay_there():
    tf.publish("big", tf.ones([1000, 1000]))
    tf.sync()
    before = tf.stats()["bytes_received"]
    with waits(1):
        y = tf.published("big") * 2.0
    assert y.shape == (1000, 1000)
    assert tf.stats()["bytes_received"] - before < 2000
    assert float(y[3, 4]) == 2.0


def test_a_variable_is_published_as_it_is_at_that_point():
    v = tf.Variable([1.0, 2.0])
    tf.publish("v", v)
    v.assign_add([1.0, 1.0])
    held = tf.published("v")
    assert held.numpy().tolist() == [1.0, 2.0]
    tf.publish("v", v)
    assert tf.published("v").numpy().tolist() == [2.0, 3.0]
    assert held.numpy().tolist() == [1.0, 2.0]  # who has it keeps it


@pytest.mark.parametrize("value", [np.zeros((0, 3), np.int8), np.float64(np.nan), True, 2**40, np.complex64(1 - 2j)])
def test_values_of_every_kind(value):
    tf.publish("kind", value)
    found = tf.published("kind").numpy()
    assert found.dtype == np.asarray(value).dtype and found.shape == np.shape(value)
    np.testing.assert_array_equal(found, value)


def test_a_list():
    for name in ("list/b", "list/a", "lists"):
        tf.publish(name, tf.zeros([2, 3]))
    with waits(1):
        found = tf.list_published("list/")
    assert [(p["name"], p["dtype"], p["shape"], p["bytes"]) for p in found] == [
        ("list/a", "float32", [2, 3], 24), ("list/b", "float32", [2, 3], 24)
    ]  # fmt: skip
    assert found[0]["version"] > found[1]["version"]


def test_unpublished_it_is_gone_and_whoever_has_it_keeps_it():
    tf.publish("gone", [1, 2])
    held = tf.published("gone")
    with waits(0):
        tf.unpublish("gone")
    with pytest.raises(tf.errors.NotFoundError, match="nothing is published under 'gone'"):
        tf.published("gone")
    assert held.numpy().tolist() == [1, 2]
    tf.unpublish("gone")
    with pytest.raises(tf.errors.NotFoundError):
        tf.sync()


@pytest.mark.parametrize("name", ["", "/a", "a//b", "../a", "a b", ".a", "a/.b", "é", "x" * 513, 3])
def test_names_that_are_none_are_refused_at_once(name):
    for function in (lambda n: tf.publish(n, 1.0), tf.published, tf.unpublish):
        with waits(0), pytest.raises(tf.errors.InvalidArgumentError, match="no name to publish under"):
            function(name)


def test_publishing_is_an_effect():
    tf.publish("effect", 1.0)
    tf.linalg.inv(remote([[0.0]]))
    tf.publish("effect", 2.0)  # after a failure that nobody has seen: skipped
    tf.unpublish("effect")
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.sync()
    assert float(tf.published("effect")) == 1.0


def test_a_value_that_failed_cannot_be_published():
    bad = tf.linalg.inv(remote([[0.0]]))
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.sync()
    tf.publish("bad", bad)
    with pytest.raises(tf.errors.InvalidArgumentError, match="given to publish"):
        tf.sync()
    assert tf.list_published("bad") == []


def test_a_published_value_can_be_watched():
    tf.publish("source", [3.0])
    x = tf.published("source")
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    assert tape.gradient(y, x).numpy().tolist() == [6.0]


def test_limits_of_bytes_and_names():
    with serving("--published-limit", "1000", "--memory-limit", "1m") as small:
        tf.connect(small.url, small.token)
        tf.publish("a", tf.zeros([200]))  # 800 bytes
        tf.publish("a", tf.ones([250]))  # in its place
        tf.publish("b", 1.0)
        with pytest.raises(tf.errors.ResourceExhaustedError, match="4 bytes asked, 1000 used, 1000 allowed"):
            tf.sync()
        assert float(tf.published("a")[7]) == 1.0
        tf.publish("a", tf.zeros([0]))
        for i in range(1023):
            tf.publish(f"n/{i}", tf.zeros([0]))
        tf.sync()
        tf.publish("one/more", tf.zeros([0]))
        with pytest.raises(tf.errors.ResourceExhaustedError, match="no more than 1024"):
            tf.sync()
        tf.publish("n/7", 2.0)  # one that is there already
        assert float(tf.published("n/7")) == 2.0


def test_what_is_fetched_counts_for_the_session():
    with serving("--published-limit", "8m", "--memory-limit", "5m") as small:
        tf.connect(small.url, small.token)
        tf.publish("a", tf.zeros([1000, 1000]))
        tf.sync()
        first = tf.published("a")
        with pytest.raises(tf.errors.ResourceExhaustedError):
            tf.published("a")
        assert float(first[0, 0]) == 0.0


@pytest.mark.parametrize(
    "item",
    [[Item.PUBLISH, "a"], [Item.FETCH_PUBLISHED, 1, "a"], [Item.LIST_PUBLISHED, 1, 5], [Item.UNPUBLISH],
     [Item.PUBLISH, "a", "b"]],
)  # fmt: skip
def test_malformed_items_end_the_session(server, item):
    with Raw(server) as raw:
        raw.send(item)
        refused = raw.end()
    assert refused is not None and refused["code"] == 65


@pytest.mark.parametrize("name", ["../a", 5, None, "x" * 1000])
def test_a_bad_name_on_the_wire_fails_alone(server, name):
    with Raw(server) as raw:
        raw.send([wire.CONST, 1, np.ones(2)], [Item.FETCH_PUBLISHED, 1, 2, name], [wire.READ, 2, 2])
        fetched, read = raw.replies(2)
        assert (fetched[0], fetched[2]) == (Item.READ_FAILED, INVALID)
        assert (read[0], read[2]) == (Item.READ_FAILED, INVALID)
        raw.send([Item.PUBLISH, name, 1])
        assert raw.replies(1)[0][:3:2] == (Item.FAILED, INVALID)
        assert raw.alive


# --- plain HTTP ------------------------------------------------------------------------------------------------------


@pytest.fixture
def web(server):
    with Web(server) as client:
        yield client


def test_plain_http_reads_it_in_every_form(web):
    values = np.array([[1.5, np.nan], [-np.inf, 0.1]], np.float32)
    tf.publish("http/x", values)
    tf.sync()
    answer = web.get("/v1/published/http/x")
    assert answer.text == '{"dtype":"float32","shape":[2,2],"data":[[1.5,"NaN"],["-Infinity",0.1]]}'
    for form in (JSON, MSGPACK):
        answer = web.get("/v1/published/http/x", headers={"accept": form})
        found = understood(answer.json() if form == JSON else msgpack.unpackb(answer.content))
        np.testing.assert_array_equal(found, values)
    answer = web.get("/v1/published/http/x?format=npy")
    np.testing.assert_array_equal(np.load(io.BytesIO(answer.content)), values)
    (listed,) = web.get("/v1/published", params={"prefix": "http/"}).json()["published"]
    assert listed | {"version": 0, "modified": 0} == {
        "name": "http/x", "dtype": "float32", "shape": [2, 2], "bytes": 16, "version": 0, "modified": 0
    }  # fmt: skip


def test_who_has_the_newest_is_told_so(web):
    tf.publish("poll", [1.0])
    tf.sync()
    first = web.get("/v1/published/poll")
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"0", {tag}'):
        again = web.get("/v1/published/poll", headers={"if-none-match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    tf.publish("poll", [1.0])  # the same value is another version all the same
    tf.sync()
    newer = web.get("/v1/published/poll", headers={"if-none-match": tag})
    assert newer.status_code == 200 and newer.headers["etag"] != tag


def test_large_ones_are_not_given_as_json(web):
    big = np.random.default_rng(0).standard_normal((1000, 1000))
    tf.publish("large", big)
    tf.sync()
    assert web.get("/v1/published/large").status_code == 406
    np.testing.assert_array_equal(np.load(io.BytesIO(web.get("/v1/published/large?format=npy").content)), big)


def test_requests_publish_fetch_and_take_away(web):
    web.new_session()
    _, published = web.execute(
        {"kind": "variable", "value": [1.0, 2.0], "output": "w"}, {"kind": "publish", "tensor": "w", "name": "tool/w"}
    )
    assert published == {}
    assert tf.published("tool/w").numpy().tolist() == [1.0, 2.0]
    tf.publish("tool/w", tf.constant([3, 4]))
    tf.sync()
    fetched, value = web.execute(
        {"kind": "published", "name": "tool/w", "output": "x"}, {"kind": "read", "tensor": "x"}
    )
    assert fetched["outputs"][0]["dtype"] == "int32" and value["value"]["data"] == [3, 4]
    both = [{"kind": "publish", "tensor": 1, "name": "tool/one"}, {"kind": "published", "name": "tool/one"}]
    assert "use the value itself" in web.refused(*both)["detail"]
    web.execute({"kind": "publish", "tensor": 1, "name": "tool/one"}, {"kind": "unpublish", "name": "tool/w"})
    assert [p["name"] for p in tf.list_published("tool/")] == ["tool/one"]
    assert web.delete("/v1/published/tool/one").status_code == 204
    assert web.delete("/v1/published/tool/one").status_code == 404
    assert web.delete("/v1/published/%2e%2e/one").status_code in (400, 404, 405)
    assert tf.list_published("tool/") == []


def test_publishing_over_http_is_an_effect_too(web):
    web.new_session()
    failed, skipped, gone = web.execute(
        {"op": "inv", "inputs": [[[0.0]]], "outputs": "bad"},
        {"kind": "publish", "tensor": 1.0, "name": "skipped"},
        {"kind": "publish", "tensor": "bad", "name": "gone"},
    )
    assert failed["error"]["code"] == 3
    assert (skipped["error"]["code"], gone["error"]["code"]) == (10, 10)
    (again,) = web.execute({"kind": "publish", "tensor": "bad", "name": "gone"})
    assert again["error"]["code"] == 3
    assert web.get("/v1/published/gone").status_code == web.get("/v1/published/skipped").status_code == 404
