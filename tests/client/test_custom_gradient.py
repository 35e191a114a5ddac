"""`tf.custom_gradient` and what is made of it."""

import numpy as np
import pytest

import client as tf
from tests.client.waiting import waits


def gradient_of(f, x, **options):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    found = tape.gradient(y, x, **options)
    return None if found is None else found.numpy().tolist()


@tf.custom_gradient
def log1pexp(x):
    e = tf.exp(x)

    def grad(dy):
        return dy * (1 - 1 / (1 + e))

    return tf.math.log(1 + e), grad


def test_log1pexp():
    def plain(x):
        return tf.math.log(1 + tf.exp(x))

    with waits(3):
        assert gradient_of(plain, tf.constant(0.0)) == 0.5
        assert np.isnan(gradient_of(plain, tf.constant(100.0)))
        assert gradient_of(log1pexp, tf.constant(0.0)) == 0.5
    assert gradient_of(log1pexp, tf.constant(100.0)) == 1.0


def test_clipping_the_norm_of_a_gradient():
    @tf.custom_gradient
    def clip_gradient_by_norm(x, norm):
        y = tf.identity(x)

        def grad_fn(dresult):
            return [tf.clip_by_norm(dresult, norm), None]

        return y, grad_fn

    v = tf.constant([3.0, 4.0])
    with waits(1):
        assert np.allclose(gradient_of(lambda x: clip_gradient_by_norm(x, 0.5) * v, tf.zeros([2])), [0.3, 0.4])


def test_without_a_tape_it_is_the_function():
    with waits(1):
        assert float(log1pexp(tf.constant(0.0))) == pytest.approx(np.log(2))


def test_only_what_crosses_it_runs_here():
    @tf.custom_gradient
    def doubled(x):
        return x * 2.0, lambda dy: dy * 20.0

    x = tf.constant(3.0)
    with waits(0), tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = doubled(x * x)
        z = x * x
    assert float(tape.gradient(y, x)) == 120.0 and float(tape.gradient(z, x)) == 6.0


def test_second_and_third_order():
    # TensorFlow: the derivative of what grad computes
    for order, expected in ((1, 0.5), (2, 0.25), (3, 0.0)):
        x = tf.constant(0.0)
        tapes = [tf.GradientTape() for _ in range(order)]
        for tape in tapes:
            tape.__enter__()
            tape.watch(x)
        y = log1pexp(x)
        for tape in reversed(tapes):
            tape.__exit__(None, None, None)
            y = tape.gradient(y, x)
        assert float(y) == pytest.approx(expected)


def test_nested():
    @tf.custom_gradient
    def inner(x):
        return x * x, lambda dy: dy * 100.0

    @tf.custom_gradient
    def outer(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = inner(x) * 3.0
        found = tape.gradient(y, x)
        return y, lambda dy: dy * found

    assert gradient_of(outer, tf.constant(2.0)) == 300.0


def test_variables():
    v = tf.Variable(3.0)

    @tf.custom_gradient
    def f(x):
        def grad(dy, variables=None):
            assert variables == [v]
            return dy * 10.0, [dy * 7.0]

        return x * v, grad

    x = tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x)
    assert [float(g) for g in tape.gradient(y, [x, v])] == [10.0, 7.0]


def test_a_variable_as_an_argument_is_none_of_them():
    v = tf.Variable(3.0)

    @tf.custom_gradient
    def f(x):
        return x * 2.0, lambda dy: dy * 5.0

    with tf.GradientTape() as tape:
        y = f(v)
    assert float(tape.gradient(y, v)) == 5.0


def test_structures_and_several_results():
    @tf.custom_gradient
    def f(pair, scale=None):
        a, b = pair["a"], pair["b"]
        return (a * b, a + b), lambda d1, d2: (d1 * 2.0, d2 * 3.0)

    a, b = tf.constant(1.0), tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch([a, b])
        first, second = f({"a": a, "b": b})
        total = first + 10.0 * second
    assert [float(g) for g in tape.gradient(total, [a, b])] == [2.0, 30.0]


def test_none_is_no_gradient():
    @tf.custom_gradient
    def f(x):
        return x * 2.0, lambda dy: None

    assert gradient_of(f, tf.constant(1.0)) is None
    assert gradient_of(f, tf.constant(1.0), unconnected_gradients="zero") == 0.0


def test_a_gradient_function_may_read_values():
    @tf.custom_gradient
    def f(x):
        return x * 2.0, lambda dy: dy if float(x) > 0 else -dy

    assert gradient_of(f, tf.constant(1.0)) == 1.0 and gradient_of(f, tf.constant(-1.0)) == -1.0


def test_errors():
    v = tf.Variable(1.0)
    x = tf.constant(1.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.custom_gradient(lambda x: (x * 2.0, lambda dy: (dy, dy)))(x)
    with pytest.raises(
        ValueError, match="custom_gradient function expected to return 1 gradients, but returned 2 inst"
    ):
        tape.gradient(y, x)
    with pytest.raises(TypeError, match="grad_fn must accept keyword argument 'variables', since function uses varia"):
        tf.custom_gradient(lambda x: (x * v, lambda dy: dy))(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.custom_gradient(lambda x: (x * v, lambda dy, variables=None: (dy, [dy, dy])))(x)
    with pytest.raises(ValueError, match="Must return gradient for each variable from @custom_gradient grad_fn"):
        tape.gradient(y, x)
    with pytest.raises(TypeError):
        tf.custom_gradient(lambda x: x * 2.0)(x)


def test_recompute_grad():
    v = tf.Variable(2.0)

    @tf.recompute_grad
    def f(x):
        return tf.tanh(x * v) * v

    x = tf.constant(0.3)
    with waits(0):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = f(x)
        dx, dv = tape.gradient(y, [x, v])
    t = np.tanh(0.6)
    assert float(dx) == pytest.approx(4 * (1 - t * t), rel=1e-5)
    assert float(dv) == pytest.approx(t + 2 * 0.3 * (1 - t * t), rel=1e-5)


def test_recompute_grad_of_a_variable_alone():
    v = tf.Variable(3.0)
    with tf.GradientTape() as tape:
        y = tf.recompute_grad(lambda x: x * x)(v)
    assert float(tape.gradient(y, v)) == 6.0


def test_pass_through():
    assert gradient_of(tf.grad_pass_through(tf.math.ceil), tf.constant([1.2, 2.7])) == [1.0, 1.0]
