"""Wrong tokens become slow, by address; right ones never do. Counted with a clock of the test's own."""

import asyncio
import socket

import httpx
import pytest

from server import throttle
from server.access import Access
from server.security import Guard
from server.settings import Settings
from server.throttle import FREE, LONGEST, MAX_ADDRESSES, MAX_WAITING, Throttle
from tests.support import serving


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def delays(counter, address, count):
    return [counter.wrong(address)[1] for _ in range(count)]


def test_the_first_are_free_then_each_takes_twice_as_long_up_to_seconds(clock):
    found = delays(Throttle(clock), "10.0.0.1", FREE + 100)
    assert found[:FREE] == [0.0] * FREE
    assert found[FREE : FREE + 6] == [0.125, 0.25, 0.5, 1.0, 2.0, 4.0]
    assert set(found[FREE + 6 :]) == {LONGEST} and LONGEST == 4.0


def test_addresses_are_counted_apart(clock):
    counter = Throttle(clock)
    delays(counter, "10.0.0.1", 100)
    assert delays(counter, "10.0.0.2", FREE) == [0.0] * FREE
    assert counter.wrong("10.0.0.1") == (101, LONGEST)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True), ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:10.0.0.1", "10.0.0.1", True), ("fe80::1%eth0", "fe80::2", True), ("", "10.0.0.1", False),
    ],
)  # fmt: skip
def test_what_is_one_address(one, other, same):
    assert (throttle.network(one) == throttle.network(other)) == same


def test_it_is_forgotten_after_a_while_without(clock):
    counter = Throttle(clock)
    delays(counter, "10.0.0.1", 100)
    clock.now += 899
    assert counter.wrong("10.0.0.1") == (101, LONGEST)
    clock.now += 901
    assert counter.wrong("10.0.0.1") == (1, 0.0)


def test_its_memory_is_bounded_and_the_busy_stay(clock):
    counter = Throttle(clock)
    for n in range(3 * MAX_ADDRESSES):
        counter.wrong(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}")
        if n % 1000 == 0:
            delays(counter, "192.168.0.1", 10)
    assert len(counter) == MAX_ADDRESSES
    assert counter.wrong("192.168.0.1")[1] == LONGEST


def test_answers_held_back_are_bounded(clock):
    counter = Throttle(clock)
    delays(counter, "10.0.0.1", 100)
    for _ in range(MAX_WAITING):
        counter.__enter__()
    assert counter.wrong("10.0.0.1")[1] == 0.0
    counter.__exit__()
    assert counter.wrong("10.0.0.1")[1] == LONGEST


# --- the guard -------------------------------------------------------------------------------------------------------


def request(guard, token, kind="http"):
    """One request through the guard; what was answered, as far as it came in a few turns of the event loop."""
    sent = []

    async def send(message):
        sent.append(message.get("status"))

    headers = [(b"host", b"localhost")] + ([(b"authorization", b"Bearer " + token)] if token else [])
    scope = {"type": kind, "path": "/v1/status", "headers": headers, "client": ("10.0.0.1", 1), "extensions": {}}
    scope["extensions"]["websocket.http.response"] = {}
    return asyncio.ensure_future(guard(scope, None, send)), sent


async def some_turns():
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_a_right_token_passes_while_wrong_ones_from_its_address_wait(kind, caplog):
    async def scenario():
        async def app(scope, receive, send):
            await send({"status": 200})

        settings = Settings(token="right-token")
        guard = Guard(app, settings, Access(settings), Throttle(Clock()))
        flood = [request(guard, b"wrong", kind) for _ in range(FREE + 20)]
        await some_turns()
        assert [sent[:1] for _, sent in flood] == [[401]] * FREE + [[]] * 20
        task, sent = request(guard, b"right-token", kind)
        await some_turns()
        assert task.done() and sent == [200]
        task, sent = request(guard, None, kind)  # no token guesses nothing
        await some_turns()
        assert task.done() and sent[:1] == [401]
        for waiting, _ in flood:
            waiting.cancel()

    asyncio.run(scenario())
    lines = [r.getMessage() for r in caplog.records if r.name == "telegrad.security"]
    assert len(lines) == 6 and "10.0.0.1" in lines[-1] and "32" in lines[-1]  # 1, 2, 4, 8, 16, 32
    assert "wrong-" not in caplog.text and "right-token" not in caplog.text


def test_a_server_lets_the_right_token_in_after_many_wrong_ones():
    with serving() as server:
        wrong = f"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {'x' * 40}\r\n\r\n".encode()
        flood = [socket.create_connection(server.address) for _ in range(100)]
        for each in flood:
            each.sendall(wrong)
        for each in flood[:FREE]:
            assert each.recv(12) == b"HTTP/1.1 401"
        assert httpx.get(f"{server.url}/v1/status", headers=server.headers).status_code == 200
        for each in flood:
            each.close()
        assert httpx.get(f"{server.url}/v1/status", headers=server.headers).status_code == 200
