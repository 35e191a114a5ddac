"""`tf.debugging.enable_check_numerics`: which ops fail, with TensorFlow's text, where it is raised, at no wait."""

import random
import sys

import numpy as np
import pytest

import client as tf
from benchmarks.proxy import Proxy
from client import context
from client.session import Session
from tests.client.waiting import remote, waits
from tests.support import run_program, serving

Invalid = tf.errors.InvalidArgumentError
NAN, INF = np.nan, np.inf


@pytest.fixture(autouse=True)
def checking():
    tf.debugging.enable_check_numerics()
    yield
    tf.debugging.disable_check_numerics()
    tf.sync()


def here() -> int:
    return sys._getframe(1).f_lineno


# --- messages: recorded from TensorFlow 2.21, but for the op's name and what it says of its own check op --------------

HEAD = '!!! Detected Infinity or NaN in output {} of eagerly-executing op "{}" (# of outputs: {}) !!!\n'
MESSAGES = {
    "one": (
        lambda: tf.math.log(tf.constant([0.0, -1.0, 1.0])),
        HEAD.format(0, "log", 1) + "  dtype: <dtype: 'float32'>\n  shape: (3,)\n  # of -Inf elements: 1\n"
        "  # of +NaN elements: 1\n\n  Input tensor: tf.Tensor([ 0. -1.  1.], shape=(3,), dtype=float32)\n\n"
        " : Tensor had -Inf and NaN values",
    ),
    "two inputs": (
        lambda: tf.add(tf.constant([1.0, NAN]), [1.0, 2.0]),
        HEAD.format(0, "add", 1) + "  dtype: <dtype: 'float32'>\n  shape: (2,)\n  # of +NaN elements: 1\n\n"
        "  Input tensors (2):\n         0: tf.Tensor([ 1. nan], shape=(2,), dtype=float32)\n"
        "         1: tf.Tensor([1. 2.], shape=(2,), dtype=float32)\n\n : Tensor had NaN values",
    ),
    "several lines": (
        lambda: tf.math.log(tf.constant([[0.0], [1.0]], tf.float16)),
        HEAD.format(0, "log", 1) + "  dtype: <dtype: 'float16'>\n  shape: (2, 1)\n  # of -Inf elements: 1\n\n"
        "  Input tensor: tf.Tensor(\n[[0.]\n [1.]], shape=(2, 1), dtype=float16)\n\n : Tensor had -Inf values",
    ),
    "a cast": (
        lambda: tf.cast(tf.constant([1e300], tf.float64), tf.float32),
        HEAD.format(0, "cast", 1) + "  dtype: <dtype: 'float32'>\n  shape: (1,)\n  # of +Inf elements: 1\n\n"
        "  Input tensor: tf.Tensor([1.e+300], shape=(1,), dtype=float64)\n\n : Tensor had +Inf values",
    ),
    "all three": (
        lambda: tf.constant([INF, -INF, -INF, NAN]) * 1.0,
        "  # of -Inf elements: 2\n  # of +Inf elements: 1\n  # of +NaN elements: 1\n",
    ),
    "a scalar": (
        lambda: tf.sqrt(tf.constant(-1.0)),
        "  shape: ()\n  # of +NaN elements: 1\n\n  Input tensor: tf.Tensor(-1.0, shape=(), dtype=float32)\n",
    ),
    "edges": (
        lambda: tf.math.log(tf.reshape(tf.range(3000.0), [30, 100])),
        "  Input tensor: tf.Tensor(\n[[0.000e+00 1.000e+00 2.000e+00 ... 9.700e+01 9.800e+01 9.900e+01]\n",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_the_message(name, capfd):
    run, text = MESSAGES[name]
    result = run()
    with pytest.raises(Invalid) as raised:
        result.numpy()
    assert text in str(raised.value)
    assert "in <lambda>:" in str(raised.value)
    told = capfd.readouterr().err
    assert told.count("\n") == 1 and "!!! Detected Infinity or NaN" in told and "test_numeric_checks.py" in told


def test_a_message_stays_short_however_large_the_inputs_are():
    tensors = [tf.ones([1000, 1000]) * float(i) for i in range(20)]
    tensors.append(tf.fill([1000, 1000], NAN))
    bad = tf.add_n(tensors)
    with pytest.raises(Invalid) as raised:
        bad.numpy()
    text = str(raised.value)
    assert "# of +NaN elements: 1000000" in text and "and 13 more" in text and len(text) < 3000
    assert "0: tf.Tensor(shape=(1000, 1000), dtype=float32)" in text


# --- where and when --------------------------------------------------------------------------------------------------


def test_it_is_raised_at_the_next_wait_with_the_line_that_issued_the_op():
    x = remote([0.0, 1.0])
    with waits(1):
        y = tf.math.log(x); line = here()  # fmt: skip  # noqa: E702
        z = x + 1.0
        with pytest.raises(Invalid, match=rf"test_numeric_checks\.py:{line}, in") as raised:
            z.numpy()
    assert raised.value.op == "log"
    assert z.numpy().tolist() == [1.0, 2.0]
    with pytest.raises(Invalid, match="Detected Infinity"):
        (y * 2.0).numpy()


def test_finite_programs_wait_no_more_than_without():
    w = tf.Variable(tf.ones([8, 3]))
    optimizer = tf.keras.optimizers.Adam(0.1)
    x = remote(np.random.default_rng(0).normal(size=(16, 8)).astype(np.float32))
    with waits(1):
        for _ in range(10):
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(tf.one_hot([0] * 16, 3), x @ w))
            optimizer.apply_gradients([(tape.gradient(loss, w), w)])
        assert np.isfinite(float(loss))


def test_in_synchronous_mode_it_is_raised_on_the_line_itself():
    tf.config.experimental.set_synchronous_execution(True)
    try:
        x = tf.constant([0.0, 1.0])
        with pytest.raises(Invalid, match="Detected Infinity") as raised:
            tf.math.log(x)
        assert raised.traceback[0].path.name == "test_numeric_checks.py"
    finally:
        tf.config.experimental.set_synchronous_execution(False)


def test_synchronous_mode_by_the_environment():
    done = run_program(
        """
import client as tf
tf.debugging.enable_check_numerics()
x = tf.constant([0.0, 1.0])
try:
    tf.math.log(x)
except tf.errors.InvalidArgumentError as error:
    print("here", error.op)
tf.math.log(x + 1.0)
""",
        TELEGRAD_SYNC="1",
    )
    assert done.stdout == "here log\n", done.stderr


# --- which ops -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_every_dtype_that_has_such_values(dtype, value):
    bad = remote([1.0, value], dtype) + tf.constant(1.0, dtype)
    with pytest.raises(Invalid, match=rf"<dtype: '{dtype}'>\n  shape: \(2,\)"):
        bad.numpy()


@pytest.mark.parametrize("value", [complex(0, NAN), complex(INF, 0), complex(0, -INF)])
def test_either_part_of_a_complex_number(value):
    with pytest.raises(Invalid, match="complex64"):
        (remote([value], "complex64") * 2.0).numpy()


def test_integers_bools_and_nothing_at_all_pass():
    nan = tf.constant([NAN, INF])
    assert tf.math.is_nan(nan).numpy().tolist() == [True, False]
    assert (remote([2**31 - 1], "int32") + 1).numpy().tolist() == [-(2**31)]
    assert (remote(np.zeros((0, 3), np.float32)) * 2.0).shape == (0, 3)
    tf.sync()


def test_constants_are_no_ops():
    assert np.isnan(tf.constant([NAN]).numpy()[0])
    assert np.isinf(float(tf.Variable(-INF)))


# As TensorFlow 2.21 does, run with the same values: what only moves them passes, and what computes does not.
MOVES = {
    "concat": lambda x: tf.concat([x, x], 0),
    "expand_dims": lambda x: tf.expand_dims(x, 0),
    "fill": lambda x: tf.fill([2], NAN),
    "identity": tf.identity,
    "maximum": lambda x: tf.maximum(x, 1.0),
    "minimum": lambda x: tf.minimum(x, 1.0),
    "reshape": lambda x: tf.reshape(x, [2, 1]),
    "slice": lambda x: tf.slice(x, [0], [1]),
    "squeeze": lambda x: tf.squeeze(tf.reshape(x, [1, 2])),
    "strided_slice": lambda x: x[:1],
    "transpose": lambda x: tf.transpose(tf.reshape(x, [1, 2])),
    "unstack": lambda x: tf.unstack(x)[0],
    "zeros_like": tf.zeros_like,
}
COMPUTES = {
    "broadcast_to": lambda x: tf.broadcast_to(x, [2, 2]),
    "gather": lambda x: tf.gather(x, [0]),
    "reduce_max of nothing": lambda x: tf.reduce_max(tf.zeros([0])),
    "split": lambda x: tf.split(x, 2)[0],
    "stack": lambda x: tf.stack([x, x]),
    "tile": lambda x: tf.tile(x, [2]),
    "where": lambda x: tf.where([True, True], x, 1.0),
    "a later result": lambda x: tf.linalg.svd(tf.constant([[INF, 1.0]]))[0],
}


@pytest.mark.parametrize("name", MOVES)
def test_what_only_moves_values_passes(name):
    x = remote([NAN, 1.0])
    MOVES[name](x).numpy()
    tf.sync()


@pytest.mark.parametrize("name", COMPUTES)
def test_what_computes_does_not(name):
    x = remote([NAN, 1.0])
    result = COMPUTES[name](x)
    with pytest.raises(Invalid, match="Detected Infinity"):
        result.numpy()


def test_a_backward_pass():
    x = remote(0.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.sqrt(x)
    assert float(y) == 0.0
    with waits(1):
        gradient = tape.gradient(y, x); line = here()  # fmt: skip  # noqa: E702
        with pytest.raises(Invalid, match=rf"(?s)# of \+Inf elements: 1.*test_numeric_checks\.py:{line},"):
            gradient.numpy()


def test_a_backward_pass_that_another_tape_records():
    x = remote(0.0)
    with tf.GradientTape() as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.sqrt(x)
        tape.gradient(y, x); line = here()  # fmt: skip  # noqa: E702
    with pytest.raises(Invalid, match=rf"(?s)Detected Infinity.*test_numeric_checks\.py:{line},"):
        tf.sync()


def test_arithmetic_on_constants_is_checked_too():
    with pytest.raises(Invalid, match='op "divide"'):
        (tf.constant(1.0) / tf.constant(0.0)).numpy()


def test_a_variable_keeps_its_value():
    v = tf.Variable([1.0, 2.0])
    for change in (lambda: v.assign([NAN, 1.0]), lambda: v.assign_add([1.0, INF]), lambda: v.assign(v / 0.0)):
        change()
        v.assign_add([5.0, 5.0])
        with pytest.raises(Invalid, match="Detected Infinity"):
            tf.sync()
        assert v.numpy().tolist() == [1.0, 2.0]
    optimizer = tf.keras.optimizers.SGD(1.0)
    optimizer.apply_gradients([(tf.constant([NAN, 0.0]), v)])
    with pytest.raises(Invalid, match='op "update_'):
        tf.sync()
    assert v.numpy().tolist() == [1.0, 2.0]


# --- on and off ------------------------------------------------------------------------------------------------------


def test_on_and_off_hold_for_what_is_issued_from_there_on():
    x = remote([0.0])
    tf.debugging.disable_check_numerics()
    with waits(1):
        first = tf.math.log(x)
        tf.debugging.enable_check_numerics()
        tf.debugging.enable_check_numerics(stack_height_limit=5, path_length_limit=None)
        second = x + 1.0
        tf.debugging.disable_check_numerics()
        tf.debugging.disable_check_numerics()
        third = tf.math.log(x)
        values = tf.fetch(first, second, third)
    assert [v.tolist() for v in values] == [[-INF], [1.0], [-INF]]
    tf.sync()


def test_it_goes_on_after_a_reconnect_and_in_a_new_session():
    rng = random.Random(3)
    try:
        with serving() as server, Proxy(server.address, allowance=lambda: rng.randint(1000, 1600)) as proxy:
            tf.connect(proxy.url, server.token)
            assert np.isinf(tf.constant(INF).numpy())
            for _ in range(150):
                float(remote(1.0) + 1.0)
            assert proxy.cuts >= 5
            bad = tf.math.log(remote(0.0))
            with pytest.raises(Invalid, match="Detected Infinity"):
                bad.numpy()
    finally:
        tf.disconnect()
    bad = tf.math.log(remote(0.0))
    with pytest.raises(Invalid, match="Detected Infinity"):
        bad.numpy()


def test_enabling_does_not_connect():
    done = run_program(
        "import client as tf\nfrom client import context\n"
        "tf.debugging.disable_check_numerics()\ntf.debugging.enable_check_numerics()\nassert context.current() is None"
    )
    assert done.returncode == 0, done.stderr


def test_an_older_server_is_named(monkeypatch):
    monkeypatch.setattr(context.session(), "settings", frozenset())
    with pytest.raises(tf.errors.NotFoundError, match="older than this client"):
        tf.debugging.enable_check_numerics()


def test_an_older_server_that_is_connected_later_is_named_too(monkeypatch):
    attach = Session.attach

    def without_settings(self, connection, welcome):
        attach(self, connection, {k: v for k, v in welcome.items() if k != "settings"})

    monkeypatch.setattr(Session, "attach", without_settings)
    tf.disconnect()
    with pytest.warns(UserWarning, match="older than this client"):
        tf.connect()
    assert np.isneginf(float(tf.math.log(remote(0.0))))
    tf.disconnect()
