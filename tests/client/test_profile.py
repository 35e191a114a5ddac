"""`tf.profile`: names the lines that wait, counts exactly, costs nothing when off, and survives what happens inside."""

import signal
import sys
import threading

import numpy as np
import pytest

import client as tf
from client import context
from client.session import Session
from client.sites import Sites
from client.transfers import Transfers
from tests.client.waiting import remote, waits
from tests.support import run_program, serving

METHODS = [*((Session, name) for name in ("issue", "waiting", "stall")), (Transfers, "stall"), (Sites, "add")]


def hooks():
    return [owner.__dict__[name] for owner, name in METHODS]


@pytest.fixture(autouse=True)
def left_as_it_was():
    before = hooks()
    yield
    assert hooks() == before


def here() -> int:
    return sys._getframe(1).f_lineno


def counts(profile):
    return {op.name: op.count for op in profile.ops}


# --- waits -----------------------------------------------------------------------------------------------------------


def test_a_deliberate_read_in_a_loop_is_named_first():
    x = remote(np.full((50, 50), 0.01, np.float32))
    y = x
    with tf.profile() as p:
        for _ in range(20):
            y = y @ x
            n = float(tf.norm(y)); line = here()  # fmt: skip  # noqa: E702
        y.numpy()
    first = p.waits[0]
    assert (first.file, first.line, first.count, first.kind) == (__file__, line, 20, "wait")
    assert first.function == "test_a_deliberate_read_in_a_loop_is_named_first"
    assert first.source.startswith("n = float(tf.norm(y))")
    assert n > 0
    assert [w.count for w in p.waits] == [20, 1]
    assert 0 < first.mean_ms == pytest.approx(first.total_ms / 20)
    assert first.mean_ms <= first.longest_ms <= first.total_ms <= p.waiting_ms <= p.wall_ms
    assert p.client_ms == pytest.approx(p.wall_ms - p.waiting_ms)


def test_waits_are_those_of_stats_and_the_profile_adds_none():
    x = remote(2.0)
    with waits(3), tf.profile() as p:
        float(x + 1.0)
        print(x)
        tf.sync()
    with waits(0):
        assert p.ops and str(p)
    assert sum(w.count for w in p.waits) == 3


def test_starting_and_stopping_wait_for_nothing():
    with tf.profile():
        remote(1.0)
    p = tf.profile()
    with waits(0):
        p.start()
        y = remote(1.0) * 2.0
        p.stop()
    assert float(y) == 2.0
    assert not p.waits and counts(p) == {"identity": 1, "multiply": 1}


def test_waits_of_other_threads_are_listed_and_not_this_ones():
    x = remote(3.0)

    def read():
        float(x * 2.0)

    with tf.profile() as p:
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    assert [(w.function, w.count) for w in p.waits] == [("read", 1)]
    assert p.waiting_ms == 0 and p.client_ms == p.wall_ms


def test_a_program_held_back_by_flow_control_says_where():
    heavy = remote(np.ones((1500, 1500), np.float32))
    small = remote(1.0)
    tf.sync()
    with tf.profile() as p:
        for _ in range(20):
            product = heavy @ heavy
        for _ in range(40_000):  # more than the credit of 32768 items
            small = small + 1.0; line = here()  # fmt: skip  # noqa: E702
    stalls = [w for w in p.waits if w.kind == "stall"]
    assert [(w.file, w.line) for w in stalls] == [(__file__, line)]
    assert p.stalls == stalls[0].count > 0
    assert p.stalled_ms == stalls[0].total_ms == pytest.approx(p.waiting_ms)
    assert counts(p) == {"matmul": 20, "add": 40_000}
    assert "held back by flow control" in str(p) and product.shape == (1500, 1500)


# --- the server's part -----------------------------------------------------------------------------------------------


def test_ops_are_counted_exactly_those_of_backward_passes_too():
    w = tf.Variable([[1.0, 2.0]])
    with tf.profile() as p:
        for _ in range(5):
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(w * w)
            w.assign_sub(0.1 * tape.gradient(loss, w))
    ops = {op.name: (op.count - op.backward, op.backward) for op in p.ops}
    # d(w * w) = g * w + g * w: two products and their sum; of the sum: ones, broadcast.
    assert ops["multiply"] == (10, 10) and ops["reduce_sum"] == (5, 0) and ops["assign_sub"] == (5, 0)
    assert ops["add_n"] == ops["broadcast_to"] == (0, 5) and ops["ones_like"] == (0, 5)
    assert p.ops_issued == sum(here for here, _ in ops.values())
    items = {item.name: item.count for item in p.items}
    assert items["gradient"] == 5
    assert all(op.server_ms > 0 and op.longest_ms >= op.mean_ms > 0 and op.device_ms == 0 for op in p.ops)
    busy = sum(op.server_ms for op in p.ops) + sum(item.server_ms for item in p.items)
    assert p.server_busy_ms == pytest.approx(busy)


def test_what_is_issued_outside_is_not_counted():
    x = remote([1.0, 2.0])
    for _ in range(100):
        x = x * 1.5
    with tf.profile() as p:
        x = x + 1.0
    for _ in range(100):
        x = x / 2.0
    assert counts(p) == {"add": 1} and p.ops_issued == 1


def test_light_and_heavy_ops_count_alike():
    small, large = remote(1.0), remote(np.ones((300, 300), np.float32))
    with tf.profile() as p:
        float(small + 1.0)  # alone on an idle wire: on the event loop
        float((large + 1.0)[0, 0])
    assert counts(p) == {"add": 2, "strided_slice": 1}
    assert {item.name: item.count for item in p.items}["read"] == 2


def test_ops_that_fail_count_too():
    with tf.profile() as p:
        tf.linalg.inv(tf.zeros([3, 3]))
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.sync()
    assert counts(p)["inv"] == 1


def test_bytes_and_frames_both_ways():
    data = np.zeros(2**19, np.float32)
    with tf.profile() as p:
        x = tf.constant(data) + 1.0
        x.numpy()
    assert 2**21 <= p.bytes_sent < 2**21 + 5000
    assert 2**21 <= p.bytes_received < 2**21 + 5000
    assert p.frames_sent >= 1
    assert {item.name for item in p.items} >= {"upload", "waiting for an upload", "read"}


def test_the_memory_peak_is_that_of_the_profile():
    before = remote(np.ones(2**20, np.float32)) * 2.0
    tf.sync()
    del before
    with tf.profile() as p:
        x = tf.ones([2**18])
        tf.sync()
        with tf.profile() as inner:
            y = tf.ones([2**16])
            tf.sync()
        del x
    held = tf.stats()["server_bytes"] - y.shape[0] * 4
    assert 2**20 <= p.memory_peak_bytes - held <= 2**20 + 2**18 + 1000
    assert inner.memory_peak_bytes == p.memory_peak_bytes
    assert tf.stats()["server_peak_bytes"] >= 2**23


def test_totals_stay_exact_when_spans_are_dropped():
    x = remote(1.0)
    with tf.profile() as p:
        for _ in range(70_000):
            x = x * 1.0
    assert counts(p) == {"multiply": 70_000} and p.ops_issued == 70_000
    assert p.spans_dropped >= 2 * (70_000 - 2**16)


# --- on and off ------------------------------------------------------------------------------------------------------


def test_off_the_program_runs_the_sessions_own_methods():
    before = hooks()
    p = tf.profile().start()
    assert all(now is not then for now, then in zip(hooks(), before, strict=True))
    with tf.profile():
        pass
    assert all(now is not then for now, then in zip(hooks(), before, strict=True))
    p.stop()
    assert hooks() == before


def test_nested_profiles():
    x = remote(1.0)
    with tf.profile() as outer:
        x = x + 1.0
        with tf.profile() as inner:
            x = x * 2.0
            float(x)
        x = x - 1.0
        float(x)
    assert counts(inner) == {"multiply": 1} and counts(outer) == {"add": 1, "multiply": 1, "subtract": 1}
    assert sum(w.count for w in inner.waits) == 1 and sum(w.count for w in outer.waits) == 2
    assert inner.wall_ms < outer.wall_ms and inner.bytes_sent < outer.bytes_sent


def test_profiles_that_overlap_without_being_nested():
    x = remote(1.0)
    first, second = tf.profile().start(), tf.profile()
    x = x + 1.0
    second.start()
    x = x * 2.0
    first.stop()
    x = x - 1.0
    second.stop()
    assert counts(first) == {"add": 1, "multiply": 1} and counts(second) == {"multiply": 1, "subtract": 1}


def test_a_profile_can_be_used_again():
    p = tf.profile()
    assert repr(p) == str(p) == "<tf.Profile: never started>"
    with p:
        assert repr(p) == str(p) == p._repr_html_() == "<tf.Profile: on>"
        remote(1.0) + 1.0
    assert counts(p) == {"identity": 1, "add": 1}
    with p:
        remote(1.0)
    assert counts(p) == {"identity": 1}


def test_what_makes_no_sense_is_refused():
    p = tf.Profile()
    with pytest.raises(RuntimeError, match="not on"):
        p.stop()
    with p:
        with pytest.raises(RuntimeError, match="on already"):
            p.start()
        with pytest.raises(RuntimeError, match=r"stop\(\) it first"):
            p.ops  # noqa: B018
    others = [tf.profile().start() for _ in range(8)]
    with pytest.raises(RuntimeError, match="8 profiles are on"):
        tf.profile().start()
    for each in others:
        each.stop()
    assert all(not each.ops for each in others)


def test_an_exception_leaves_it_off():
    before = hooks()
    with pytest.raises(KeyError), tf.profile() as p:
        raise KeyError("inside")
    assert hooks() == before and not p.running


def test_ctrl_c_while_it_waits_leaves_it_off():
    before = hooks()
    x = remote(np.ones((1000, 1000), np.float32))
    tf.sync()
    handler = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with pytest.raises(KeyboardInterrupt), tf.profile() as p:
            for _ in range(500):
                x = x @ x * 1e-3
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            x.numpy()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert hooks() == before and not p.running
    assert sum(w.count for w in p.waits) == 1  # the one that was interrupted
    assert 0 < counts(p)["matmul"] < 500  # the others were cancelled
    with tf.profile() as again:
        remote(1.0)
    assert counts(again) == {"identity": 1}


def test_ctrl_c_while_it_is_looked_at_loses_nothing():
    x = remote(np.ones((1000, 1000), np.float32))
    with tf.profile() as p:
        for _ in range(40):
            x = x @ x * 1e-3
    handler = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        with pytest.raises(KeyboardInterrupt):
            str(p)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert counts(p) == {"matmul": 40, "multiply": 40} and p.spans_dropped == 0 and not p.missing


# --- sessions --------------------------------------------------------------------------------------------------------


@pytest.fixture
def leave():
    yield
    tf.disconnect()


def test_a_new_connection_within_a_profile(leave):
    with serving() as one, serving() as two:
        tf.connect(one.url, one.token)
        x = remote(1.0)
        with tf.profile() as p:
            float(x * 2.0)
            tf.connect(two.url, two.token)
            float(remote(1.0) * 3.0)
        assert counts(p) == {"multiply": 2, "identity": 1}
        assert sum(w.count for w in p.waits) == 2 and not p.missing
        assert p.ops_issued == 3


def test_a_profile_that_begins_before_the_first_connection(leave):
    tf.disconnect()
    with tf.profile() as p:
        float(tf.constant(1.0) + 2.0)
    assert counts(p) == {"add": 1} and p.ops_issued == 1


def test_a_session_that_ends_before_anybody_looks(leave):
    with serving() as server:
        tf.connect(server.url, server.token)
        with tf.profile() as p:
            remote(1.0) * 2.0
        tf.disconnect()
    assert counts(p) == {"identity": 1, "multiply": 1} and not p.missing


def test_a_server_that_dies_costs_its_part_alone(leave, capfd):
    with serving() as server:
        tf.connect(server.url, server.token, reconnect_timeout=0.1)
        x = remote(1.0)
        with tf.profile() as p:
            float(x + 1.0)
            server.kill()
            with pytest.raises(tf.errors.UnavailableError):
                float(x + 1.0)
        assert [w.count for w in sorted(p.waits, key=lambda w: w.line)] == [1, 1]
        assert not p.ops and len(p.missing) == 1
        assert "a server's part is missing" in str(p)


def test_an_older_server_leaves_the_clients_part(monkeypatch):
    x = remote(1.0)
    monkeypatch.setattr(context.session(), "settings", frozenset())
    with tf.profile() as p:
        float(x + 1.0)
    assert sum(w.count for w in p.waits) == 1 and p.ops_issued == 1 and not p.ops
    assert "older" in p.missing[0]


def test_a_forked_child_is_not_profiled():
    done = run_program(
        """
import os, client as tf
with tf.profile() as p:
    x = tf.identity(tf.constant(1.0))
    if not (child := os.fork()):
        tf.connect()
        float(tf.constant(1.0) + 1.0)
        os._exit(0 if not p.running and not p.waits else 1)
    status = os.waitpid(child, 0)[1]
print(status, [op.name for op in p.ops])
"""
    )
    assert done.stdout.strip() == "0 ['identity']", done.stderr


@pytest.mark.gpu
def test_ops_of_a_gpu_have_the_devices_time():
    pytest.importorskip("cupy", reason="needs CuPy and a GPU")
    with serving("--device", "gpu") as server:
        tf.connect(server.url, server.token)
        x = tf.random.normal([2000, 2000])
        tf.sync()
        with tf.profile() as p:
            for _ in range(20):
                y = x @ x
        matmul = next(op for op in p.ops if op.name == "matmul")
        assert matmul.device_ms > 0 and y.shape == (2000, 2000)
        tf.disconnect()
