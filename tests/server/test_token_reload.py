"""The tokens file while the server runs: new, removed, changed tokens and quotas; bad files; SIGHUP and changes."""

import os

import httpx
import numpy as np
import pytest

from protocol.wire import Item
from tests.server.owners import owners
from tests.stream.raw import Raw, http, new_session
from tests.support import wait_until

CONST, READ = Item.CONST, Item.READ
ONES = np.ones(3, np.float32)


@pytest.fixture
def two(tmp_path):
    with owners(tmp_path, alice={"max_sessions": 8}, bob={"max_sessions": 8}) as found:
        yield found


def names(two):
    return {t["name"] for t in two.admin.status()["tokens"]}


def test_a_removed_tokens_sessions_end_and_no_others(two):
    with Raw(two.alice) as alice, Raw(two.bob) as bob, Raw(two.admin) as admin:
        detached = new_session(two.alice)
        for raw in (alice, bob, admin):
            raw.ask([CONST, 1, ONES], [READ, 1, 1])
        gone = two.alice
        two.drop("alice")
        two.hang_up()
        alice.end()
        assert names(two) == {"default", "bob"} and not gone.accepted()
        assert {s["token"] for s in two.admin.status()["sessions"]} == {"bob", "default"}
        assert httpx.get(f"{two.bob.url}/v1/sessions/{detached}/uploads/1", headers=two.bob.headers).status_code == 404
        for raw in (bob, admin):
            assert np.array_equal(raw.ask([READ, 2, 1]), ONES)


def test_a_token_that_comes_back_has_its_files_and_not_its_sessions(two):
    with http(two.alice) as web:
        web.put("/v1/files/x", content=b"alice")
    session = new_session(two.alice)
    quota = two.entries["alice"]
    two.drop("alice")
    two.hang_up()
    wait_until(lambda: names(two) == {"default", "bob"})
    two.give("alice", **quota)
    two.hang_up()
    wait_until(lambda: "alice" in names(two))
    with http(two.alice) as web:
        assert web.get("/v1/files/x").content == b"alice"
        assert web.get(f"/v1/sessions/{session}/uploads/1").status_code == 404


def test_another_token_of_the_same_name_shuts_the_old_one_out(two):
    with Raw(two.alice) as alice:
        old = two.alice
        two.secrets["alice"] = "another-token-for-alice"
        two.write()
        two.hang_up()
        alice.end()
        assert two.alice.accepted() and not old.accepted()
        assert two.alice.status()["sessions"] == []


def test_quotas_and_rights_change_for_sessions_that_are_there(two):
    with Raw(two.alice) as alice:
        alice.ask([CONST, 1, np.zeros(100_000, np.uint8)], [Item.SYNC, 1])
        two.give("alice", memory="64k", max_sessions=1, rights=["admin"])
        two.hang_up()
        wait_until(lambda: two.alice.status()["token"]["rights"] == ["admin"])
        alice.ask([Item.SYNC, 2])  # what it was granted and does not use goes back between frames
        alice.send([CONST, 2, np.zeros(100_000, np.uint8)])
        assert alice.replies(1)[0][2] == 8
        assert httpx.post(f"{two.alice.url}/v1/sessions", headers=two.alice.headers).status_code == 507
        two.give("alice", memory="1m", max_sessions=2)
        two.hang_up()
        wait_until(lambda: "tokens" not in two.alice.status())
        alice.send([Item.CLEAR, 9])
        assert alice.ask([CONST, 3, np.zeros(100_000, np.uint8)], [READ, 3, 3, 1, 1]).size == 2
        assert new_session(two.alice)


BAD = {
    "no TOML": 'tokens = [{name = "alice", token = "a-secret-token-of-alice"',
    "nothing in it": "",
    "two of a name": '[[tokens]]\nname="x"\ntoken="a-secret-token-x"\n[[tokens]]\nname="x"\ntoken="a-secret-tokens-2"',
    "the name given outside": '[[tokens]]\nname="default"\ntoken="a-secret-token-of-alice"',
    "an unknown key": '[[tokens]]\nname="x"\ntoken="a-secret-token-of-alice"\nmemry=1',
    "no file": None,
}  # fmt: skip


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_bad_file_changes_nothing_and_is_told(tmp_path, capfd, content):
    with owners(tmp_path, alice={}) as two, Raw(two.alice) as alice:
        if content is None:
            two.path.unlink()
        else:
            two.path.write_text(content)
        two.hang_up()
        said = []

        def told():
            said.append(capfd.readouterr().err)
            return "the tokens stay as they were" in "".join(said)

        wait_until(told)
        assert "ERROR" in "".join(said) and "secret" not in "".join(said)
        assert np.array_equal(alice.ask([CONST, 1, ONES], [READ, 1, 1]), ONES)
        assert two.alice.accepted() and names(two) == {"default", "alice"}
        # And a good one is taken again.
        two.give("bob")
        two.hang_up()
        wait_until(lambda: names(two) == {"default", "alice", "bob"})


def test_a_changed_file_is_read_without_being_told(two):
    two.give("carol")
    wait_until(lambda: "carol" in names(two))
    assert two.carol.accepted()


def test_a_file_that_is_still_being_written_is_left_alone(tmp_path):
    from server.access import Access
    from server.settings import Settings

    path = tmp_path / "tokens.toml"
    entry = '[[tokens]]\nname = "{0}"\ntoken = "the-token-of-{0}-is-this"\n'
    both = entry.format("alice") + entry.format("bob")
    path.write_text(both)
    access = Access(Settings(tokens_file=path))
    removed = []
    access.on_removed = lambda account, reason: removed.append((account.name, reason))
    access.look()
    for count in range(1, len(both)):  # a program that writes slowly, looked at between any two of its bytes
        path.write_text(both[:count])
        os.utime(path, ns=(count, count))
        access.look()
    path.write_text(both)
    access.look()
    assert removed == [] and {a.name for a in access} == {"alice", "bob"}
    path.write_text(entry.format("bob"))
    access.look()
    assert removed == []
    access.look()
    assert removed == [("alice", "its token was removed")] and [a.name for a in access] == ["bob"]
    assert access.account(b"the-token-of-bob-is-this") and not access.account(b"the-token-of-alice-is-this")
