"""`tf.GradientTape`: what is recorded, what gradients are, which errors are raised, and that nothing waits."""

import gc
import threading

import numpy as np
import pytest

import client as tf
from tests.client.waiting import remote, waits


def numbers(value):
    return None if value is None else np.asarray(tf.convert_to_tensor(value)).tolist()


# --- values ----------------------------------------------------------------------------------------------------------


def test_the_document_s_example():
    w = tf.Variable([[1.0]])
    with waits(0):
        with tf.GradientTape() as tape:
            loss = w * w
        grad = tape.gradient(loss, w)
    assert str(grad) == "tf.Tensor([[2.]], shape=(1, 1), dtype=float32)"


def test_a_whole_step_waits_for_nothing_and_is_one_gradient_item():
    w, b = tf.Variable(2.0), tf.Variable(1.0)
    x = remote([1.0, 2.0, 3.0])
    tf.sync()
    frames = tf.stats()["frames_sent"]
    with waits(0):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(x * w + b))
        dw, db = tape.gradient(loss, [w, b])
        w.assign_sub(0.1 * dw)
        b.assign_sub(0.1 * db)
    # d/dw sum (wx + b)^2 = 2 sum x (2x + 1) = 2 (3 + 10 + 21)
    assert np.allclose(w.numpy(), 2 - 0.1 * 68) and np.allclose(b.numpy(), 1 - 0.1 * 30)
    assert tf.stats()["frames_sent"] - frames <= 20


def test_structures_of_sources_and_several_targets():
    x, y = tf.constant(3.0), tf.constant(2.0)
    with tf.GradientTape() as tape:
        tape.watch({"x": x, "y": [y]})
        products = [x * y, x * x]
    grads = tape.gradient(products, {"s": x, "l": [y, x]})
    assert numbers(grads["s"]) == 8.0 and [numbers(g) for g in grads["l"]] == [3.0, 8.0]


def test_output_gradients_weigh_the_targets():
    x = tf.constant([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        z = x * 3.0
    weighed = tape.gradient([y, z], x, output_gradients=[tf.constant([1.0, 10.0]), None])
    assert numbers(weighed) == [5.0, 43.0]
    with pytest.raises(ValueError):
        tape.gradient([y, z], x, output_gradients=[None])


def test_intermediate_results_are_sources_too():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        z = y * y
    assert [numbers(g) for g in tape.gradient(z, [x, y])] == [108.0, 18.0]


def test_a_target_among_the_sources_has_gradient_one():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
    assert numbers(tape.gradient(x, x)) == 1.0
    v = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as tape:
        pass
    assert numbers(tape.gradient(v, v)) == [1.0, 1.0]


def test_what_does_not_depend_is_none_or_zero():
    x, y = tf.constant([1.0, 2.0]), tf.constant([3.0, 4.0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, y])
        z = x * 2.0
    with waits(0):
        assert tape.gradient(z, y) is None
        assert tape.gradient(z, tf.constant(1.0)) is None
        zero = tape.gradient(z, y, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        tape.gradient(z, y, unconnected_gradients="zero")
    assert numbers(zero) == [0.0, 0.0]


def test_stop_gradient_and_integers_end_a_path():
    x = tf.constant([1.5, 2.5])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        stopped = tf.stop_gradient(x) * 2.0
        counted = tf.cast(tf.cast(x, tf.int32), tf.float32)
    assert tape.gradient(stopped, x) is None
    assert tape.gradient(counted, x) is None


def test_a_variable_used_before_and_after_an_assignment():
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        first = v * v
        v.assign(10.0)
        second = v * v * v
        total = first + second
    assert numbers(tape.gradient(total, v)) == 4.0 + 300.0


def test_a_persistent_tape_keeps_the_values_of_its_time():
    v = tf.Variable([1.0, 2.0])
    with tf.GradientTape(persistent=True) as tape:
        y = v * v
    v.assign([5.0, 6.0])
    assert numbers(tape.gradient(y, v)) == [2.0, 4.0]
    with tf.GradientTape():  # now the pass runs on the client
        assert numbers(tape.gradient(y, v)) == [2.0, 4.0]


def test_reading_within_a_tape_does_not_break_it():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        assert float(y) == 9.0 and "9.0" in repr(y) and y > 8.0
        z = y * x
    assert numbers(tape.gradient(z, x)) == 27.0


def test_control_flow_in_python():
    def f(x, n):
        for _ in range(n):
            x = x * x if float(x) < 100 else x + 1.0
        return x

    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = f(x, 4)  # 9, 81, 6561, 6562
    assert numbers(y) == 6562.0 and numbers(tape.gradient(y, x)) == 8 * 3.0**7


def test_unknown_shapes_wait_for_nothing():
    x = tf.Variable([1.0, -2.0, 3.0, -4.0])
    mask = remote([True, False, True, True])
    with waits(0), tf.GradientTape() as outer:
        with tf.GradientTape() as tape:
            picked = tf.boolean_mask(x, mask)
            y = tf.reduce_sum(picked * picked * picked + 1.0)
        grad = tape.gradient(y, x)
        z = tf.reduce_sum(grad * tf.constant([1.0, 1.0, 2.0, 1.0]))
        second = outer.gradient(z, x)
    assert numbers(grad) == [3.0, 0.0, 27.0, 48.0]
    assert numbers(second) == [6.0, 0.0, 36.0, -24.0]


# --- recording -------------------------------------------------------------------------------------------------------


def test_only_trainable_variables_are_watched_by_themselves():
    v, frozen = tf.Variable(2.0), tf.Variable(3.0, trainable=False)
    with tf.GradientTape(persistent=True) as tape:
        y = v * frozen
    assert numbers(tape.gradient(y, v)) == 3.0 and tape.gradient(y, frozen) is None
    assert tape.watched_variables() == (v,)
    with tf.GradientTape() as tape:
        tape.watch(frozen)
        y = v * frozen
    assert numbers(tape.gradient(y, frozen)) == 2.0
    assert tape.watched_variables() == (frozen, v)


def test_without_watching_accessed_variables():
    v, w = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(v)
        y = v * w
    assert [numbers(g) for g in tape.gradient(y, [v, w])] == [3.0, None]


def test_stop_recording_and_reset():
    x = tf.constant(3.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * x
        with tape.stop_recording():
            z = y * y
        w = y * 2.0
    assert tape.gradient(z, x) is None and numbers(tape.gradient(w, x)) == 12.0
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
        tape.reset()
        tape.watch(x)
        y = y + x
    assert numbers(tape.gradient(y, x)) == 1.0


def test_a_tape_goes_on_when_entered_again():
    x = tf.constant(3.0)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    z = y * 10.0  # not recorded
    with tape:
        w = y + x
    assert tape.gradient(z, x) is None
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = x * x
    with tape:
        w = y + x
    assert numbers(tape.gradient(w, x)) == 7.0


def test_tapes_are_per_thread():
    v = tf.Variable(2.0)
    found = []

    def other():
        found.append(v * v)

    with tf.GradientTape() as tape:
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert tape.watched_variables() == () and tape.gradient(found[0], v) is None


def test_ops_on_what_no_tape_tracks_are_not_recorded():
    v = tf.Variable(2.0)
    with tf.GradientTape() as tape:
        for _ in range(100):
            remote(1.0) * 2.0
        y = v * 3.0
    assert len(tape._outline.nodes) == 1
    assert numbers(tape.gradient(y, v)) == 3.0


# --- higher orders ---------------------------------------------------------------------------------------------------


def test_orders_up_to_the_fourth():
    x = tf.constant(2.0)
    with waits(0), tf.GradientTape() as t4:
        t4.watch(x)
        with tf.GradientTape() as t3:
            t3.watch(x)
            with tf.GradientTape() as t2:
                t2.watch(x)
                with tf.GradientTape() as t1:
                    t1.watch(x)
                    y = x * x * x * x * x
                g1 = t1.gradient(y, x)
            g2 = t2.gradient(g1, x)
        g3 = t3.gradient(g2, x)
    g4 = t4.gradient(g3, x)
    assert [numbers(g) for g in (g1, g2, g3, g4)] == [80.0, 160.0, 240.0, 240.0]


def test_a_persistent_tape_inside_its_own_context():
    x = tf.Variable(3.0)
    with tf.GradientTape(persistent=True) as tape:
        y = x * x * x
        first = tape.gradient(y, x)
    assert [numbers(tape.gradient(y, x)), numbers(tape.gradient(first, x))] == [27.0, 18.0]


def test_jacobians():
    x = tf.constant([1.0, 2.0, 3.0])
    m = tf.constant([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, m])
        y = tf.reduce_sum(m * x, axis=1)
    with waits(0):
        jx, jm, nothing = tape.jacobian(y, [x, m, tf.constant(1.0)])
    assert numbers(jx) == m.numpy().tolist() and nothing is None
    expected = np.zeros((2, 2, 3))
    expected[0, 0] = expected[1, 1] = [1, 2, 3]
    assert np.array_equal(jm, expected)
    assert tape.jacobian(y, tf.zeros([2, 2]), unconnected_gradients="zero").shape == (2, 2, 2)


def test_a_hessian():
    x = tf.Variable([1.0, 2.0])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = tf.reduce_sum(x * x * x) + x[0] * x[1]
        grad = inner.gradient(y, x)
    assert numbers(outer.jacobian(grad, x)) == [[6.0, 1.0], [1.0, 12.0]]


def test_batch_jacobian():
    x = tf.constant([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = tf.stack([x[:, 0] * x[:, 1], x[:, 0], x[:, 1] * x[:, 1]], axis=1)
    found = tape.batch_jacobian(y, x)
    assert np.array_equal(found, [[[b, a], [1, 0], [0, 2 * b]] for a, b in x.numpy()])
    with pytest.raises(ValueError, match="must have rank at least 2"):
        tape.batch_jacobian(y[0], x)
    with pytest.raises(ValueError, match=r"Need first dimension of target shape \(\(2, 3\)\) and source"):
        tape.batch_jacobian(y[:2], x)


def test_jacobians_of_nothing():
    x = tf.zeros([0])
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x * 2.0
    assert tape.jacobian(y, x).shape == (0, 0)


# --- slices ----------------------------------------------------------------------------------------------------------


def test_gathered_rows_have_a_gradient_in_slices():
    v = tf.Variable(tf.ones([4, 3]))
    with waits(0):
        with tf.GradientTape() as tape:
            rows = tf.gather(v, [[1, 2], [1, 1]]) * 2.0
        grad = tape.gradient(rows, v)
    assert isinstance(grad, tf.IndexedSlices) and tf.is_tensor(grad)
    assert numbers(grad.indices) == [1, 2, 1, 1] and grad.values.shape == (4, 3)
    assert grad.shape == (4, 3) and grad.dtype is tf.float32 and numbers(grad.dense_shape) == [4, 3]
    assert numbers(grad) == [[0.0] * 3, [6.0] * 3, [2.0] * 3, [0.0] * 3]


@pytest.mark.parametrize("order", ["there", "here"])
def test_slices_are_joined_and_densified_where_needed(order):
    v = tf.Variable(tf.ones([3, 2]))
    index = tf.constant([0], tf.int64)
    with tf.GradientTape(persistent=True) as tape:
        both = tf.reduce_sum(tf.gather(v, [1, 2])) + tf.reduce_sum(tf.gather(tf.identity(v), index) * 5.0)
        mixed = both + tf.reduce_sum(v)
    outer = tf.GradientTape()
    if order == "here":
        outer.__enter__()
    slices, summed = tape.gradient(both, v), tape.gradient(mixed, v)
    if order == "here":
        outer.__exit__(None, None, None)
    assert isinstance(slices, tf.IndexedSlices) and slices.indices.dtype is tf.int64
    assert sorted(numbers(slices.indices)) == [0, 1, 2]
    assert numbers(slices) == [[5.0] * 2, [1.0] * 2, [1.0] * 2]
    assert numbers(summed) == [[6.0] * 2, [2.0] * 2, [2.0] * 2]


def test_second_order_through_a_gather():
    v = tf.Variable([[1.0, 2.0], [3.0, 4.0]])
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            y = tf.reduce_sum(tf.gather(v, [1, 1]) ** 3)
        grad = tf.convert_to_tensor(inner.gradient(y, v))
        z = tf.reduce_sum(grad * grad)
    # grad = 6 v^2 on row 1, so dz/dv = 2 * 6 v^2 * 12 v = 144 v^3
    assert numbers(outer.gradient(z, v)) == [[0.0, 0.0], [144.0 * 27, 144.0 * 64]]


def test_slices_in_ops():
    rows = tf.IndexedSlices(tf.ones([2, 3]), tf.constant([0, 1]), tf.constant([4, 3]))
    assert numbers((-rows).values) == [[-1.0] * 3] * 2
    assert numbers(rows + tf.ones([4, 3])) == [[2.0] * 3] * 2 + [[1.0] * 3] * 2
    assert numbers(tf.square(rows)) == [[1.0] * 3] * 2 + [[0.0] * 3] * 2
    assert numbers(tf.add_n([rows, rows])) == [[2.0] * 3] * 2 + [[0.0] * 3] * 2
    assert numbers(tf.linalg.global_norm([rows, tf.ones([2]), None])) == pytest.approx(8**0.5)
    (clipped, other, nothing), norm = tf.clip_by_global_norm([rows, tf.ones([2]), None], 1.0)
    assert isinstance(clipped, tf.IndexedSlices) and nothing is None and numbers(norm) == pytest.approx(8**0.5)
    assert np.allclose(clipped.values, 8**-0.5) and np.allclose(other, 8**-0.5)
    assert np.allclose(tf.clip_by_norm(rows, 1.0).values, 6**-0.5)
    assert np.allclose(tf.clip_by_value(rows, 0.0, 0.5).values, 0.5)
    with pytest.raises(ValueError, match="without dense_shape"):
        tf.convert_to_tensor(tf.IndexedSlices(tf.ones([2, 3]), tf.constant([0, 1])))


# --- errors, with TensorFlow's texts ---------------------------------------------------------------------------------


def squared():
    x = tf.constant(3.0)
    tape = tf.GradientTape()
    with tape:
        tape.watch(x)
        y = x * x
    return x, y, tape


def test_one_gradient_from_a_tape_that_is_not_persistent():
    text = r"A non-persistent GradientTape can only be used to compute one set of gradients \(or jacobians\)"
    for second in ("gradient", "jacobian"):
        x, y, tape = squared()
        tape.gradient(y, x)
        with pytest.raises(RuntimeError, match=text):
            getattr(tape, second)(y, x)
    x, y, tape = squared()
    tape.jacobian(y, x)
    with pytest.raises(RuntimeError, match=text):
        tape.gradient(y, x)


def test_misuse():
    x, y, tape = squared()
    with pytest.raises(ValueError, match="Tape is still recording, This can happen if you try to re-enter"), tape, tape:
        pass
    with pytest.raises(TypeError, match="Argument `target` should be a list or nested structure of Tensors"):
        tape.gradient(None, x)
    with pytest.raises(ValueError, match="Unknown value for unconnected_gradients: 'foo'"):
        tape.gradient(y, x, unconnected_gradients="foo")
    with pytest.raises(TypeError):
        tape.gradient(y, [x, 1.0])
    with pytest.raises(TypeError):
        tape.gradient(3.0, x)
    with pytest.raises(ValueError, match=r"Passed in object 1\.0 of type 'float', not tf.Tensor or tf.Variable or"):
        tape.watch(1.0)
    with (
        pytest.raises(RuntimeError, match="Trying to stop recording a tape which is not recording"),
        tape.stop_recording(),
    ):
        pass
    with pytest.raises(ValueError, match="Tape is not recording"):
        tape.reset()
    assert numbers(tape.gradient(y, x)) == 6.0, "a refused call uses nothing up"
    with pytest.raises(RuntimeError, match=r"tf\.gradients is not supported when eager execution is enabled"):
        tf.gradients(y, x)


def test_integers_have_no_gradient(caplog):
    i = tf.constant(3)
    with tf.GradientTape() as tape:
        tape.watch(i)
        y = i * i
    assert "The dtype of the watched tensor must be floating (e.g. tf.float32), got tf.int32" in caplog.text
    assert tape.gradient(y, i) is None
    assert "The dtype of the target tensor must be floating" in caplog.text
    assert "The dtype of the source tensor must be floating" in caplog.text


def test_a_failed_op_fails_its_gradient_and_no_other():
    x, y = remote([[1.0, 2.0], [2.0, 4.0]]), remote(2.0)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, y])
        bad = tf.linalg.inv(x)
        good = y * y
    wrong, right = tape.gradient(bad, x), tape.gradient(good, y)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible"):
        right.numpy()
    assert right.numpy() == 4.0
    with pytest.raises(tf.errors.InvalidArgumentError, match="not invertible"):
        wrong.numpy()


# --- lifetime --------------------------------------------------------------------------------------------------------


def tensors():
    gc.collect()
    tf.sync()
    tf.sync()  # the first one's wait has sent the releases
    return tf.stats()["server_tensors"], tf.stats()["server_bytes"]


def test_an_abandoned_tape_is_freed():
    x = remote(np.ones([100], np.float32))
    before = tensors()
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        y = x
        for _ in range(50):
            y = y * x
    del y
    held = tensors()
    assert held[1] > before[1] + 40 * 400
    del tape
    assert tensors() == before


def test_values_on_a_tape_are_charged_once():
    x = remote(np.ones([1000], np.float32))
    before = tensors()[1]
    with tf.GradientTape() as tape:
        tape.watch(x)
        kept = [x * x]
        kept.append(kept[-1] * x)
    assert tensors()[1] - before == 2 * 4000
    del tape


def test_a_thousand_steps_leave_nothing_behind():
    w = tf.Variable(tf.ones([10]))
    x = remote(np.ones([10], np.float32))

    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(w * x - 2.0))
        w.assign_sub(0.01 * tape.gradient(loss, w))
        return loss

    step()
    before = tensors()
    with waits(0):
        for _ in range(1000):
            step()
    assert tensors() == before
    assert np.allclose(w, 2.0, atol=1e-3)
