"""Connections cut at any byte, in either direction, lose and repeat nothing. Real sockets through a proxy that cuts."""

import random
import time

import numpy as np
import pytest

import client as tf
from benchmarks.proxy import Proxy
from tests.support import serving

TRANSPORTS = pytest.mark.parametrize("transport", ["websocket", "http"])


@pytest.fixture(scope="module")
def server():
    with serving() as process:
        yield process


@pytest.fixture(autouse=True)
def leave():
    yield
    tf.disconnect()


def counting_program(steps: int) -> tuple[float, list[float]]:
    """A program whose result shows any op that was lost, repeated or out of order: v = 2 v + i (mod 10007), and what
    was read on the way.
    """
    v = tf.Variable(1.0, dtype=tf.float64)
    seen = []
    for i in range(steps):
        v.assign(tf.math.floormod(v * 2.0 + float(i), 10007.0))
        if i % 25 == 0:
            seen.append(float(v))
    return float(v), seen


def expected(steps: int) -> tuple[float, list[float]]:
    v, seen = 1, []
    for i in range(steps):
        v = (v * 2 + i) % 10007
        if i % 25 == 0:
            seen.append(float(v))
    return float(v), seen


@TRANSPORTS
def test_hundreds_of_cuts_change_nothing(server, transport):
    rng = random.Random(transport)
    allowance = {"websocket": (300, 6000), "http": (500, 6000)}[transport]
    with Proxy(server.address, allowance=lambda: rng.randint(*allowance)) as proxy:
        tf.connect(proxy.url, server.token, transport=transport)
        steps = 8000
        assert counting_program(steps) == expected(steps)
        assert proxy.cuts >= 200, proxy.cuts


@TRANSPORTS
def test_large_values_survive_cuts(server, transport):
    rng = random.Random(7)
    values = np.random.default_rng(0).standard_normal((700, 1000)).astype(np.float32)  # 2.8 MB: beside the stream
    with Proxy(server.address, allowance=lambda: rng.randint(500_000, 1_500_000)) as proxy:
        tf.connect(proxy.url, server.token, transport=transport)
        for round_ in range(4):
            x = tf.constant(values + round_)
            np.testing.assert_array_equal((x * 2.0).numpy(), (values + round_) * 2)
        assert proxy.cuts >= 8, proxy.cuts


@TRANSPORTS
def test_every_byte_of_a_short_exchange(server, transport):
    """Cut once after n bytes, for every n that the exchange passes."""
    cut_at = iter(range(330, 1500, 9))
    state = {"next": None}

    def allowance():
        at, state["next"] = state["next"], None
        return at

    with Proxy(server.address, allowance=allowance) as proxy:
        tf.connect(proxy.url, server.token, transport=transport)
        v = tf.Variable(0.0)
        cuts = 0
        for i, at in enumerate(cut_at, 1):
            state["next"] = at
            proxy.cut_all()
            for _ in range(3):
                v.assign_add(1.0)
            assert float(v) == 3.0 * i
            cuts += 1
        assert proxy.cuts >= cuts


def test_a_slow_restart_of_the_network_is_a_pause(server, capfd):
    with Proxy(server.address) as proxy:
        tf.connect(proxy.url, server.token)
        v = tf.Variable(1.0)
        assert float(v) == 1.0
        proxy.refusing = True
        proxy.cut_all()
        v.assign_add(1.0)
        later = tf.fetch(v, wait=False)
        with pytest.raises(TimeoutError):
            later.result(timeout=2.5)
        assert "trying again" in capfd.readouterr().err
        proxy.refusing = False
        assert later.result(timeout=20) == 2.0
        assert tf.stats()["reconnects"] == 1


def test_reconnect_timeout_bounds_the_pause(server):
    with Proxy(server.address) as proxy:
        tf.connect(proxy.url, server.token, reconnect_timeout=0.5)
        x = tf.constant(np.ones(1000, np.float32)) + 1.0
        proxy.refusing = True
        proxy.cut_all()
        with pytest.raises(tf.errors.UnavailableError, match="could not be reached"):
            (x * 2.0).numpy()


def test_a_server_that_forgot_the_session_says_so(server):
    with Proxy(server.address) as proxy:
        tf.connect(proxy.url, server.token)
        x = tf.constant(np.ones(1000, np.float32)) + 1.0
        x.numpy()
        import httpx

        from client import context

        session = context.session()
        answer = httpx.delete(f"{server.url}/v1/sessions/{session.id}", headers=server.headers)
        assert answer.status_code == 204
        with pytest.raises(tf.errors.SessionLostError, match=r"restore a checkpoint"):
            (x * 2.0).numpy()
        with pytest.raises(tf.errors.SessionLostError):
            x + 1.0


def test_a_long_op_and_a_long_silence_are_not_cut():
    """Many heartbeats long: the client and the server each hear that the other lives."""
    with serving("--heartbeat", "0.1") as process:
        tf.connect(process.url, process.token)
        x = tf.random.normal([1100, 1100], seed=1)
        started = time.monotonic()
        largest = tf.linalg.svd(x, compute_uv=False)[0]
        assert float(largest) > 0
        while time.monotonic() - started < 2.0:  # silence: twenty heartbeats, where three missed would cut
            time.sleep(0.05)
        assert float(largest + 1.0) > 1
        assert tf.stats()["reconnects"] == 0
