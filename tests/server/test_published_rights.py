"""Published names are a token's own, and its rights say who may publish and who may read."""

import pytest

import client as tf
from tests.server.owners import owners
from tests.server.tools import Web
from tests.support import wait_until

DENIED = 7


@pytest.fixture(scope="module", params=["thread", "process"])
def several(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("several")
    quotas = {"alice": {}, "bob": {}, "reader": {"rights": ["read"]}, "writer": {"rights": ["publish"]}}
    with owners(folder, "--isolation", request.param, "--published-limit", "100", **quotas) as found:
        yield found


@pytest.fixture(autouse=True)
def leave():
    yield
    tf.disconnect()


def test_two_tokens_have_names_of_their_own(several):
    for name, value in (("alice", 1.0), ("bob", 2.0)):
        seen = getattr(several, name)
        tf.connect(seen.url, seen.token)
        tf.publish("same", value)
        if name == "alice":
            tf.publish("hers", 3.0)
        tf.sync()
    assert float(tf.published("same")) == 2.0 and [p["name"] for p in tf.list_published()] == ["same"]
    with pytest.raises(tf.errors.NotFoundError):
        tf.published("hers")
    tf.unpublish("hers")
    with pytest.raises(tf.errors.NotFoundError):
        tf.sync()
    with Web(several.alice) as alice, Web(several.bob) as bob:
        assert alice.get("/v1/published/same").json()["data"] == 1.0
        assert bob.get("/v1/published/hers").status_code == bob.delete("/v1/published/hers").status_code == 404
        assert bob.get("/v1/published/hers", headers={"if-none-match": '"1", "2", "3"'}).status_code == 404
        assert bob.new_session().refused({"kind": "published", "name": "hers"})["code"] == 5
        for web in (alice, bob):  # each has the whole of its limit
            web.new_session()
            (told,) = web.execute({"kind": "publish", "tensor": [0.5] * 23, "name": "full"})
            assert told == {}
            (told,) = web.execute({"kind": "publish", "tensor": [0.5] * 23, "name": "fuller"})
            assert told["error"]["code"] == 8


def test_who_may_only_read(several):
    seen = several.reader
    tf.connect(seen.url, seen.token)
    assert tf.list_published() == []
    for effect in (lambda: tf.publish("x", 1.0), lambda: tf.unpublish("x")):
        effect()
        with pytest.raises(tf.errors.PermissionDeniedError, match="no right to publish"):
            tf.sync()
    with Web(seen) as web:
        assert web.get("/v1/published").json() == {"published": []}
        assert web.delete("/v1/published/x").status_code == 403
        (told,) = web.new_session().execute({"kind": "publish", "tensor": 1, "name": "x"})
        assert told["error"]["code"] == DENIED


def test_who_may_only_publish(several):
    seen = several.writer
    tf.connect(seen.url, seen.token)
    tf.publish("x", 1.0)
    tf.sync()
    for read in (lambda: tf.published("x"), tf.list_published):
        with pytest.raises(tf.errors.PermissionDeniedError, match="no right to read"):
            read()
    with Web(seen) as web:
        assert web.get("/v1/published").status_code == web.get("/v1/published/x").status_code == 403
        problem = web.new_session().refused({"kind": "published", "name": "x"})
        assert problem["code"] == DENIED
        assert web.delete("/v1/published/x").status_code == 204


def test_names_go_with_their_token(tmp_path):
    with owners(tmp_path, alice={}, bob={}) as one:
        with Web(one.alice) as web:
            web.new_session().execute({"kind": "publish", "tensor": 1, "name": "x"})
        one.drop("alice")
        one.hang_up()
        wait_until(lambda: not one.alice.accepted())
        one.give("alice")
        one.hang_up()
        wait_until(lambda: one.alice.accepted())
        with Web(one.alice) as web:
            assert web.get("/v1/published").json() == {"published": []}
