"""Errors name the op, its operands' shapes and dtypes, and what to do. Classes are TensorFlow's."""

import os
import re
import sys

import numpy as np
import pytest

import client as tf
from client import context
from client.transport import parse_endpoint
from client.transport.payloads import request_json
from tests.client.faults import answering, http_answer
from tests.client.waiting import remote
from tests.support import run_program, serving

zeros = tf.zeros


def text_of(error, call):
    """The text of the error that a call raises, now or when what it gives is read."""
    with pytest.raises(error) as caught:
        found = call()
        if isinstance(found, tf.Tensor):
            found.numpy()
    assert type(caught.value) is error
    return str(caught.value)


# --- shapes and dtypes -----------------------------------------------------------------------------------------------

INVALID = tf.errors.InvalidArgumentError

MISTAKES = {
    "zeros([2, 3]) @ zeros([2, 3])": (INVALID, "[Op:matmul] (a: float32[2,3], b: float32[2,3])"),
    "tf.matmul(zeros([3]), zeros([3]))": (INVALID, "[Op:matmul] (a: float32[3], b: float32[3])"),
    "tf.matmul(zeros([2, 3]), zeros([3, 2], tf.float64))": (INVALID, "a: float32[2,3], b: float64[3,2]"),
    "zeros([2, 3]) + zeros([4])": (INVALID, "[2,3] vs. [4] [Op:add] (x: float32[2,3], y: float32[4])"),
    "zeros([2, 3]) * [1, 2]": (INVALID, "[Op:multiply] (x: float32[2,3], y: float32[2])"),
    "zeros([2, 3]) + zeros([3], tf.float64)": (INVALID, "(x: float32[2,3], y: float64[3]). Convert with tf.cast"),
    "zeros([2], tf.int32) + 1.5": (INVALID, "[Op:add] (x: int32[2], y: 1.5). Convert with tf.cast"),
    "zeros([2], tf.int32) - 1.5": (TypeError, "[Op:subtract] (x: int32[2], y: 1.5). Convert with tf.cast"),
    "1.5 - zeros([2], tf.int32)": (TypeError, "[Op:subtract] (x: 1.5, y: int32[2]). Convert with tf.cast"),
    "zeros([2], tf.int32) / zeros([2])": (TypeError, "[Op:divide] (x: int32[2], y: float32[2]). Convert with tf.cast"),
    "zeros([2]) & zeros([2])": (INVALID, "[Op:bitwise_and] (x: float32[2], y: float32[2])"),
    "zeros([2], tf.bool) + zeros([2], tf.bool)": (INVALID, "[Op:add] (x: bool[2], y: bool[2]). Convert with tf.cast"),
    "tf.add(zeros([2, 3]), zeros([3], tf.float64))": (INVALID, "(x: float32[2,3], y: float64[3])"),
    "tf.add(zeros([2], tf.int32), 1.5)": (INVALID, "[Op:add] (x: int32[2], y: 1.5). Convert with tf.cast"),
    "zeros([2], tf.bool) + np.zeros(3)": (INVALID, "[Op:add] (x: bool[2], y: NumPy's float64[3]). Convert with"),
    "zeros([2]) + None": (ValueError, "Attempt to convert a value (None) with an unsupported type"),
    "zeros([2]) + 'a'": (TypeError, "string tensors are not supported"),
    "tf.sqrt(tf.constant(4))": (INVALID, "not int32 [Op:sqrt] (x: int32[])"),
    "tf.reshape(zeros([6]), [4])": (INVALID, "[Op:reshape] (tensor: float32[6])"),
    "tf.concat([zeros([2, 3]), zeros([3, 4])], 0)": (INVALID, "(values[0]: float32[2,3], values[1]: float32[3,4])"),
    "tf.reduce_sum(zeros([2, 3]), axis=2)": (INVALID, "[Op:reduce_sum] (input_tensor: float32[2,3])"),
    "zeros([3])[5]": (INVALID, "slice index 5 of dimension 0 out of bounds. [Op:strided_slice] (input_: float32[3])"),
    "zeros([-1])": (INVALID, "Dimension -1 must be >= 0 [Op:zeros]"),
    "tf.random.normal('ab')": (TypeError, "must be a tuple of int, not 'ab' [Op:random_normal]"),
    "tf.random.normal([1.5])": (TypeError, "must be a tuple of int, not (1.5,) [Op:random_normal]"),
    "tf.gather(remote([1.0, 2.0]), remote(7))": (INVALID, "(params: float32[2], indices: int32[])\n  issued at "),
    "remote(1) // remote(0)": (INVALID, "division by zero [Op:floordiv] (x: int32[], y: int32[])\n  issued at "),
    "tf.linalg.inv(zeros([8, 8]))": (INVALID, "not invertible. [Op:inv] (input: float32[8,8])\n  issued at "),
}  # fmt: skip


@pytest.mark.parametrize("program", MISTAKES)
def test_mistakes_that_name_the_op_and_its_operands(program):
    error, text = MISTAKES[program]
    assert text in text_of(error, lambda: eval(program))


def test_long_operands_are_cut():
    assert "y: [0, 1, 2, 3, 4, 5, ...])" in text_of(TypeError, lambda: zeros([2], tf.bool) // list(range(1000)))


def test_an_assignment_names_the_variable():
    v = tf.Variable([1.0, 2.0], name="weights")
    for call in (v.assign, v.assign_add, v.assign_sub):
        text = text_of(ValueError, lambda call=call: call([1.0, 2.0, 3.0]))
        assert "(2,)" in text or "[2]" in text
        assert "float32[2]" in text and "float32[3]" in text and "'weights:0'" in text
    assert "float32" in text_of(ValueError, lambda: v.assign(zeros([2], tf.int32)))
    np.testing.assert_array_equal(v.numpy(), [1.0, 2.0])


# --- memory ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def small():
    with serving("--memory-limit", "8m") as server:
        tf.connect(server.url, server.token)
        yield server
        tf.disconnect()


def test_out_of_memory_says_how_much_and_what_to_do(small):
    x = tf.ones([1000, 1000])
    y = tf.ones([1000, 1000])
    text = text_of(tf.errors.ResourceExhaustedError, lambda: tf.matmul(x, y))
    assert "4000000 bytes asked, 8000000 used, 8388608 allowed in this session" in text
    assert "[Op:matmul] (a: float32[1000,1000], b: float32[1000,1000])" in text
    assert "Take less at a time" in text and "--memory-limit" in text and "issued at" in text
    text = text_of(tf.errors.ResourceExhaustedError, lambda: tf.constant(np.ones(10**6)))
    assert "8000000 bytes asked" in text and "[Op:constant]" in text


# --- sessions --------------------------------------------------------------------------------------------------------


@pytest.fixture
def earlier():
    """Values of an earlier connection: vectors of floats, an integer, and a variable."""
    with serving() as server:
        tf.connect(server.url, server.token)
        found = remote([1.0, 2.0]), remote(2), tf.Variable([1.0, 2.0])
        tf.sync()
        tf.connect(server.url, server.token)
        for _ in range(20):  # so that ids which started anew would name values of this session
            tf.sync()
        yield found
        tf.disconnect()


def test_a_tensor_from_before_connect(earlier):
    x, n, v = earlier
    new = remote([5.0, 6.0])
    text = text_of(ValueError, lambda: new + x)
    assert "[Op:add] (x: float32[2], y: float32[2]): y is from before connect()" in text and "numpy()" in text
    assert "x is from before connect()" in text_of(ValueError, lambda: x + new)
    assert "values[1] is from before" in text_of(ValueError, lambda: tf.stack([new, x]))

    def gradient():
        with tf.GradientTape() as tape:
            tape.watch(new)
            y = new * new
        return tape.gradient(y, new, output_gradients=x)

    w = tf.Variable([7.0, 8.0])
    calls = [
        lambda: x.numpy(), lambda: print(x), lambda: x + 1.0, lambda: tf.fetch(new, x), lambda: tf.print(new, x),
        lambda: v.numpy(), lambda: v.assign([3.0, 4.0]), lambda: tf.Variable(x), lambda: w.assign(x),
        lambda: w.assign_add(x), lambda: tf.range(n), lambda: tf.zeros([n]), lambda: new[n], lambda: w[:n].assign(new),
        gradient,
    ]  # fmt: skip
    for call in calls:
        text = text_of(tf.errors.SessionLostError, call)
        assert "disconnected" in text and "connect()" in text
    np.testing.assert_array_equal(w.numpy(), [7.0, 8.0])
    tf.sync()


def test_a_session_the_server_ended():
    with serving() as server:
        tf.connect(server.url, server.token)
        x = tf.ones([2000])
        tf.sync()
        endpoint = parse_endpoint(server.url, server.token, "auto")
        request_json(endpoint, "DELETE", f"/v1/sessions/{context.session().id}")
        for call in (lambda: x.numpy(), lambda: x + 1.0, tf.sync):
            text = text_of(tf.errors.SessionLostError, call)
            assert "call connect(), restore a checkpoint" in text
        tf.disconnect()


def test_a_server_that_does_not_come_back():
    with serving() as server:
        tf.connect(server.url, server.token, reconnect_timeout=0.1)
        x = tf.ones([2000])
        tf.sync()
        server.kill()
        text = text_of(tf.errors.UnavailableError, lambda: x.numpy())
        assert server.url in text and "could not be reached" in text
        tf.disconnect()


def test_the_embedded_server_was_killed():
    source = """
import os, signal, client as tf
from client import context
x = tf.ones([2000]); tf.sync()
os.kill(context._server.pid, signal.SIGKILL)
x.numpy()
"""
    done = run_program(source)
    assert re.search(r"SessionLostError: the embedded server was killed by signal 9\. .*call connect\(\)", done.stderr)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_is_told_what_to_do():
    source = """
import os, sys, client as tf
x = tf.ones([2000]); tf.sync()
child = os.fork()
if not child:
    for call in (lambda: x.numpy(), lambda: x + 1.0):
        try:
            call()
        except tf.errors.SessionLostError as error:
            print(error, flush=True)
    tf.connect()
    print(float(tf.reduce_sum(tf.ones([3]))), flush=True)
    tf.disconnect()
    os._exit(0)
os.waitpid(child, 0)
print(float(tf.reduce_sum(x)))
"""
    done = run_program(source)
    said = "a forked process cannot use its parent's tensors; call connect() in the child"
    assert done.stdout.splitlines() == [said, said, "3.0", "2000.0"], done.stderr


# --- connecting ------------------------------------------------------------------------------------------------------


def test_nothing_at_that_address():
    text = text_of(tf.errors.UnavailableError, lambda: tf.connect("http://127.0.0.1:1"))
    assert "http://127.0.0.1:1 cannot be reached" in text and "`telegrad doctor http://127.0.0.1:1`" in text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (http_answer(200, "<h1>It works!</h1>"), "no Telegrad server"),
        (http_answer(201, "[]"), "no Telegrad server"),
        (http_answer(201, "{}"), "no Telegrad server"),
        (http_answer(404, "nothing here"), "answered 404: nothing here"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "cannot be reached"),
    ],
)
def test_something_else_at_that_address(answer, text):
    with answering(answer) as address:
        found = text_of(tf.errors.UnavailableError, lambda: tf.connect(f"http://{address}"))
    assert text in found and "telegrad doctor" in found


@pytest.mark.parametrize("url", ["ftp://host", "http://", "http://host:port", "http://host:99999", "http://[::1"])
def test_no_url(url):
    assert "write http://host:8470 or https://host" in text_of(ValueError, lambda: tf.connect(url))


def test_a_token_in_the_url_is_not_repeated():
    text = text_of(ValueError, lambda: tf.connect("http://user:secret@host"))
    assert "TELEGRAD_TOKEN" in text and "secret" not in text


def test_the_server_extra_is_not_installed(tmp_path):
    for name in ("fastapi", "scipy"):
        (tmp_path / f"{name}.py").touch()
    source = """
import importlib.util, client as tf
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name in ("fastapi", "scipy") else find(name, *rest)
tf.ones([2000]).numpy()
"""
    done = run_program(source)
    assert re.search(r'needs fastapi, scipy: pip install "telegrad\[server\]", or connect\("http://', done.stderr)


def test_an_error_is_raised_on_the_users_line():
    with pytest.raises(INVALID) as caught:
        zeros([2, 3]) + zeros([4])
    assert caught.traceback[0].path.name == os.path.basename(__file__)
    bad, line = tf.linalg.inv(zeros([8, 8])), sys._getframe().f_lineno
    assert f"issued at {os.path.abspath(__file__)}:{line}" in text_of(INVALID, lambda: bad)
