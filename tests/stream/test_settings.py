"""SET and RECORDS as the server keeps them: unknown names, profiles' numbers, bounded answers, malformed ones."""

import numpy as np
import pytest

from protocol.wire import Item
from server import profile, switches
from tests.protocol.golden import section, tables
from tests.stream.raw import Raw
from tests.support import serving

NOT_FOUND = 5
ONE = np.float32(1.0)


@pytest.fixture(scope="module")
def server():
    with serving() as process:
        yield process


@pytest.fixture
def raw(server):
    with Raw(server) as client:
        client.send([Item.BIND, 0, "add"])
        client.next_id = 1
        yield client


def add(client, count=1):
    """Items that add 1 and 1 so many times."""
    first, client.next_id = client.next_id, client.next_id + count
    return [[Item.RUN, 0, i, [np.asarray(ONE), np.asarray(ONE)]] for i in range(first, first + count)]


def totals(report):
    return {(kind, name): count for kind, name, count, *_ in report["totals"]}


def test_the_readme_names_the_settings_and_the_limits():
    assert tuple(row[0] for row in tables("Settings")[0]) == switches.NAMES
    text = section("Settings")
    assert f"at most {profile.MAX_PROFILES} positive" in text
    assert f"at most {profile.MAX_PIECE}" in text and f"the last {profile.MAX_SPANS}" in text
    keys = {key for row in tables("Settings")[1] for key in row[0].split(", ")}
    assert keys == set(profile.Recorder(0).report(1))


def test_an_unknown_setting_fails_alone(raw):
    raw.send([Item.SET, "colour", True], *add(raw), [Item.READ, 1, 1])
    failed, value = raw.replies(2)
    assert failed[0] == Item.FAILED and failed[2] == NOT_FOUND and "'colour'" in failed[3]
    assert value[2] == 2.0 and raw.alive


@pytest.mark.parametrize(
    "item",
    [
        [Item.SET, "profile", 1], [Item.SET, "profile", [0]], [Item.SET, "profile", ["a"]],
        [Item.SET, "profile", [True]], [Item.SET, "profile", list(range(1, 10))],
        [Item.SET, "check_numerics", 1], [Item.SET, "check_numerics"],
        [Item.RECORDS, 1], [Item.RECORDS],
    ],
    ids=repr,
)  # fmt: skip
def test_a_malformed_one_ends_the_session(server, item):
    with Raw(server) as client:
        client.send(item)
        assert client.end()["code"] == 65


def test_a_number_is_given_once(raw):
    raw.send([Item.SET, "profile", [1]], [Item.SET, "profile", []], [Item.SET, "profile", [1]])
    assert raw.end()["code"] == 65


@pytest.mark.parametrize("ask", [[Item.RECORDS, 9, 4], [Item.RECORDS, 9, 4, 10]])
def test_records_of_no_profile(raw, ask):
    raw.send(ask)
    ((kind, read, code, *_),) = raw.replies(1)
    assert (kind, read, code) == (Item.READ_FAILED, 9, NOT_FOUND)
    assert raw.alive


def test_the_clock_alone(raw):
    first = raw.ask([Item.RECORDS, 1, 0])["clock"]
    second = raw.ask([Item.RECORDS, 2, 0])["clock"]
    assert second > first


def test_records_come_in_pieces_and_are_forgotten(raw):
    count = 20_000
    raw.send([Item.SET, "profile", [1]], *add(raw, count), [Item.SET, "profile", []])
    before = raw.ask([Item.RECORDS, 1, 0])["clock"]
    whole = raw.ask([Item.RECORDS, 2, 1])
    assert totals(whole) == {("op", "add"): count} and whole["left"] == count and whole["dropped"] == 0
    assert whole["spans"].shape == (0, 5) and whole["started"] < whole["ended"] < before
    found = []
    for read in range(3, 6):
        piece = raw.ask([Item.RECORDS, read, 1, 2**40])
        found.append(piece["spans"])
        assert totals(piece) == totals(whole)
    assert [len(piece) for piece in found] == [8192, 8192, count - 2 * 8192]
    spans = np.concatenate(found)
    assert (np.diff(spans[:, 2]) > 0).all() and (spans[:, 3] > 0).all()
    assert spans[:, 4].tolist() == list(range(3, count + 3))  # after BIND and SET
    assert whole["started"] <= spans[0, 2] and spans[-1, 2] + spans[-1, 3] <= whole["ended"]
    raw.send([Item.RECORDS, 7, 1, 10])
    assert raw.replies(1)[0][0] == Item.READ_FAILED


def test_many_reports_at_once_come_in_frames_that_can_be_read(raw):
    numbers = list(range(1, 9))
    raw.send([Item.SET, "profile", numbers], *add(raw, 9000), [Item.SET, "profile", []])
    raw.send(*[[Item.RECORDS, read, number, 8192] for read, number in enumerate(numbers * 2, 1)])
    reports = [reply[2] for reply in raw.replies(16)]
    assert [len(report["spans"]) for report in reports] == [8192] * 8 + [9000 - 8192] * 8


def test_the_oldest_unfetched_profiles_go_first(raw):
    for number in range(1, 11):
        raw.send([Item.SET, "profile", [number]], *add(raw), [Item.SET, "profile", []])
    raw.send(*[[Item.RECORDS, number, number, 10] for number in range(1, 11)])
    assert [reply[0] for reply in raw.replies(10)] == [Item.READ_FAILED] * 2 + [Item.REPORT] * 8


def test_a_profile_that_is_on_can_be_looked_at(raw):
    raw.send([Item.SET, "profile", [5]])
    for done in (1, 2):
        report = raw.ask(*add(raw), [Item.RECORDS, done, 5, 10])
        assert totals(report) == {("op", "add"): done} and report["ended"] is None and len(report["spans"]) == 1


def test_off_every_item_has_the_executors_own_handler():
    from server.devices import Device
    from server.executor import Executor

    executor = Executor([Device("CPU:0")], 2**20, None, lambda item: None)  # type: ignore[arg-type]
    before = dict(executor.handlers)
    executor.execute(((Item.SET, "profile", (1, 2)), (Item.SET, "check_numerics", True)))
    assert executor.handlers != before
    executor.execute(((Item.SET, "profile", (2,)),))
    assert executor.handlers != before
    executor.execute(((Item.SET, "profile", ()), (Item.SET, "check_numerics", False)))
    assert executor.handlers == before
    assert not {"compute", "run_emitted", "finish_upload"} & set(vars(executor))
