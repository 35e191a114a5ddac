"""Optimizers against their published rules in double precision, and what they share: clipping, averages, state."""

import inspect

import numpy as np
import pytest

import client as tf
from server.kernels import KERNELS
from tests.client.waiting import remote, waits
from tests.ops.case import check
from tests.ops.cases import optimizers as rules
from tests.ops.test_gpu_branches import Stranger

K = tf.keras.optimizers
STEPS = 10
SHAPES = ((4, 3), (3,), (), (0, 2))

# An optimizer, its arguments, the op's rule, what each slot starts from, and the rule's hyperparameters.
RULES = [
    (K.SGD, {}, "update_sgd", (), {}),
    (K.SGD, {"momentum": 0.9}, "update_momentum", (0,), {"momentum": 0.9}),
    (K.SGD, {"momentum": 0.8, "nesterov": True}, "update_momentum", (0,), {"momentum": 0.8, "nesterov": True}),
    (K.Adam, {}, "update_adam", (0, 0), {}),
    (K.Adam, {"beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.1}, "update_adam", (0, 0),
     {"beta_1": 0.5, "beta_2": 0.75, "epsilon": 0.1}),
    (K.Adam, {"amsgrad": True}, "update_amsgrad", (0, 0, 0), {}),
    (K.AdamW, {}, "update_adam", (0, 0), {"weight_decay": 0.004}),
    (K.AdamW, {"weight_decay": 0.25}, "update_adam", (0, 0), {"weight_decay": 0.25}),
    (K.Adamax, {}, "update_adamax", (0, 0), {}),
    (K.Lamb, {}, "update_lamb", (0, 0), {}),
    (K.Lion, {}, "update_lion", (0,), {}),
    (K.Adagrad, {}, "update_adagrad", (0.1,), {}),
    (K.Adagrad, {"initial_accumulator_value": 0.5, "epsilon": 0.25}, "update_adagrad", (0.5,), {"epsilon": 0.25}),
    (K.Adadelta, {}, "update_adadelta", (0, 0), {}),
    (K.RMSprop, {}, "update_rmsprop", (0,), {}),
    (K.RMSprop, {"momentum": 0.5}, "update_rmsprop_momentum", (0, 0), {"momentum": 0.5}),
    (K.RMSprop, {"centered": True}, "update_rmsprop_centered", (0, 0), {}),
    (K.RMSprop, {"rho": 0.5, "momentum": 0.5, "centered": True}, "update_rmsprop_centered_momentum", (0, 0, 0),
     {"rho": 0.5, "momentum": 0.5}),
    (K.Ftrl, {}, "update_ftrl", (0.1, 0), {}),
    (K.Ftrl, {"l1_regularization_strength": 0.1, "l2_regularization_strength": 0.2, "beta": 0.3,
              "l2_shrinkage_regularization_strength": 0.1}, "update_ftrl", (0.1, 0),
     {"l1": 0.1, "l2": 0.2, "beta": 0.3, "l2_shrinkage": 0.1}),
    (K.SGD, {"weight_decay": 0.5}, "update_sgd", (), {"weight_decay": 0.5}),
    (K.Nadam, {}, "update_nadam", (0, 0), {}),
]  # fmt: skip
by_rule = pytest.mark.parametrize(
    ("kind", "options", "op", "first", "hyper"), RULES, ids=[f"{r[0].__name__}-{r[1]}" for r in RULES]
)


def start(dtype="float32", shapes=SHAPES):
    rng = np.random.default_rng(3)
    return [rng.normal(size=shape).astype(dtype) for shape in shapes]


def gradient(step, shape, dtype="float32"):
    return np.random.default_rng(50 + step).normal(size=shape).astype(dtype)


def followed(op, value, first, hyper, grads, rate):
    """What the published rule makes of `value` and the slots, in double precision."""
    state = [value.astype(np.float64), *(np.full(value.shape, f, np.float64) for f in first)]
    product = 1.0
    for step, grad in enumerate(grads):
        values, *indices = grad if isinstance(grad, tuple) else (grad,)
        extras = []
        if op == "update_nadam":
            product *= rules.single(0.9) * (1 - 0.5 * 0.96 ** (step + 1))
            extras = [product]
        with np.errstate(all="ignore"):
            state = rules.reference(op)(*state, values.astype(float), rate, step, *extras, *indices, **hyper)
    return state


@by_rule
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-7)])
def test_ten_steps_follow_the_published_rule(kind, options, op, first, hyper, dtype, tolerance):
    values = start(dtype)
    variables = [tf.Variable(v) for v in values]
    optimizer = kind(learning_rate=0.0625, **options)
    with waits(0):
        for step in range(STEPS):
            optimizer.apply([remote(gradient(step, v.shape, dtype)) for v in values], variables)
    for variable, value in zip(variables, values, strict=True):
        grads = [gradient(step, value.shape, dtype) for step in range(STEPS)]
        expected = followed(op, value, first, hyper, grads, 0.0625)[0]
        np.testing.assert_allclose(variable.numpy(), expected, rtol=tolerance, atol=tolerance)
    assert optimizer.iterations.numpy() == STEPS


@by_rule
def test_gradients_of_rows(kind, options, op, first, hyper):
    (value,) = start(shapes=[(6, 3)])
    rows = [np.array(r, "int64") for r in ([1, 4, 1], [0, 5], [2, 2], [3], [])]
    grads = [(gradient(i, (len(r), 3)), r) for i, r in enumerate(rows)]
    variable = tf.Variable(value)
    optimizer = kind(learning_rate=0.0625, **options)
    with waits(0):
        for values, indices in grads:
            slices = tf.IndexedSlices(tf.constant(values), tf.constant(indices), tf.constant([6, 3]))
            optimizer.apply_gradients([(slices, variable)])
    expected = followed(op, value, first, hyper, grads, 0.0625)[0]
    np.testing.assert_allclose(variable.numpy(), expected, rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision(dtype):
    variable = tf.Variable(tf.cast([1.0, 2.0], dtype))
    optimizer = K.Adam(0.25)
    optimizer.apply([tf.constant([1.0, -1.0])], [variable])  # the gradient is cast
    assert variable.dtype == dtype
    assert np.asarray(variable.numpy(), "float32").tolist() == [0.75, 2.25]
    assert [v.dtype.name for v in optimizer.variables[2:]] == [dtype, dtype]


@pytest.mark.parametrize("case", [c for c in rules.CASES if "row" not in c.label], ids=lambda c: c.name)
def test_kernels_without_numpys_own_ways(case):
    with np.errstate(all="ignore"):
        found = KERNELS[case.op](Stranger(), *case.inputs, **case.attrs)
    check(case, found if type(found) is tuple else (found,))


# --- what it costs, and what it leaves alone -------------------------------------------------------------------------


def test_an_update_is_one_item_for_each_variable_and_one_for_the_counter():
    variables = [tf.Variable(tf.ones([2, 2])) for _ in range(8)]
    grads = [remote(np.ones((2, 2), "float32")) for _ in range(8)]
    optimizer = K.Adam(weight_decay=0.1)
    optimizer.apply(grads, variables)
    tf.fetch(variables[0])
    before = tf.stats()["ops"]
    optimizer.apply_gradients(zip(grads, variables, strict=True))
    tf.fetch(variables[0])
    assert tf.stats()["ops"] - before == 9


def test_values_taken_before_an_update_stay():
    variable = tf.Variable([1.0, 2.0])
    before = variable.read_value()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(variable * variable)
    for optimizer in (K.SGD(0.5), K.Adam(0.5), K.Ftrl(0.5), K.RMSprop(0.5, momentum=0.5, centered=True)):
        optimizer.apply([tf.constant([1.0, 1.0])], [variable])
    assert before.numpy().tolist() == [1.0, 2.0]
    assert tape.gradient(loss, variable).numpy().tolist() == [2.0, 4.0]


def test_one_optimizer_does_not_take_the_step_of_another_failure():
    variable = tf.Variable([1.0, 2.0])
    optimizer = K.SGD(0.5)
    optimizer.apply([tf.constant([1.0, 1.0])], [variable])
    bad = tf.IndexedSlices(tf.constant([1.0]), remote([7]), tf.constant([2]))
    optimizer.apply([bad], [variable])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"7 is not in \[0, 2\)"):
        variable.numpy()
    assert (variable.numpy().tolist(), int(optimizer.iterations)) == ([0.5, 1.5], 1)


# --- what all optimizers share ---------------------------------------------------------------------------------------


def trained(optimizer, steps=6, values=(1.0, -2.0), grads=None):
    """The variable's values after each step, with gradients 1, 2, 3, ... times (1, -0.5)."""
    variable = tf.Variable(np.array(values, "float32"))
    found = []
    with waits(0):
        for step in range(steps):
            grad = np.array([1, -0.5], "float32") * (step + 1) if grads is None else grads[step]
            optimizer.apply([tf.constant(grad)], [variable])
            found.append(variable.read_value())
    return np.array(tf.fetch(*found))


def test_gradient_accumulation():
    found = trained(K.SGD(0.5, gradient_accumulation_steps=3))
    start = np.array([1.0, -2.0])
    change = 0.5 * np.array([1, -0.5])
    means = [0, 0, 2, 2, 2, 2 + 5]
    np.testing.assert_allclose(found, [start - m * change for m in means])


def test_accumulated_gradients_make_one_step_of_a_rule():
    optimizer = K.Adam(0.0625, gradient_accumulation_steps=2)
    found = trained(optimizer, grads=[np.array([g, -g], "float32") for g in (1, 2, 3, 4, 5, 6)])
    means = [np.array([g, -g]) for g in (1.5, 3.5, 5.5)]
    expected = followed("update_adam", np.array([1.0, -2.0]), (0, 0), {}, means, 0.0625)[0]
    np.testing.assert_allclose(found[-1], expected, rtol=1e-6)
    assert int(optimizer.iterations) == 3


def test_moving_average():
    optimizer = K.SGD(0.5, use_ema=True, ema_momentum=0.75, ema_overwrite_frequency=3)
    found = trained(optimizer)
    value, average = np.array([1.0, -2.0]), None
    for step in range(6):
        value = value - 0.5 * np.array([1, -0.5]) * (step + 1)
        average = value if step == 0 else 0.75 * average + 0.25 * value
        if (step + 1) % 3 == 0:
            value = average
        np.testing.assert_allclose(found[step], value, rtol=1e-6)


def test_moving_average_at_the_end():
    variable = tf.Variable(1.0)
    optimizer = K.SGD(1.0, use_ema=True, ema_momentum=0.5)
    for _ in range(2):
        optimizer.apply([tf.constant(1.0)], [variable])
    assert float(variable) == -1.0
    optimizer.finalize_variable_values([variable])
    assert float(variable) == -0.5


@pytest.mark.parametrize(
    ("options", "first", "second"),
    [
        ({"clipnorm": 1.0}, [0.6, 0.8], [0.5]),
        ({"clipvalue": 2.0}, [2.0, 2.0], [0.5]),
        ({"global_clipnorm": 2.5}, np.array([3.0, 4.0]) * 2.5 / np.sqrt(25.25), [0.5 * 2.5 / np.sqrt(25.25)]),
        ({"loss_scale_factor": 4.0}, [0.75, 1.0], [0.125]),
    ],
)
def test_clipping_and_scaling(options, first, second):
    variables = [tf.Variable([0.0, 0.0]), tf.Variable([0.0])]
    with waits(0):
        K.SGD(1.0, **options).apply([tf.constant([3.0, 4.0]), tf.constant([0.5])], variables)
    for variable, expected in zip(variables, (first, second), strict=True):
        np.testing.assert_allclose(variable.numpy(), -np.array(expected), rtol=1e-6)


def test_variables_left_out_of_weight_decay():
    kernel, bias = tf.Variable([1.0], name="kernel"), tf.Variable([1.0], name="bias")
    other = tf.Variable([1.0], name="other")
    optimizer = K.AdamW(0.5, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_list=[other], var_names=["bias"])
    optimizer.apply([tf.zeros([1])] * 3, [kernel, bias, other])
    assert [float(v[0]) for v in (kernel, bias, other)] == [0.75, 1.0, 1.0]
    with pytest.raises(ValueError, match="only be configured before the optimizer is built"):
        optimizer.exclude_from_weight_decay(var_names=["kernel"])


def test_constraints_apply_after_updates():
    from client.keras.weights import Weight

    weight = Weight([1.0, 3.0], name="kernel", constraint=lambda w: tf.clip_by_value(w, 0.0, 2.0))
    with waits(0):
        K.SGD(1.0).apply([tf.constant([2.0, 0.5])], [weight])
    assert weight.numpy().tolist() == [0.0, 2.0]


def test_minimize():
    variable = tf.Variable([3.0])
    optimizer = K.SGD(0.25)
    with waits(0):
        counter = optimizer.minimize(lambda: variable * variable, [variable])
        with tf.GradientTape() as tape:
            loss = variable * variable
        optimizer.minimize(loss, lambda: [variable], tape=tape)
    assert (variable.numpy().tolist(), int(counter)) == ([0.75], 2)
    with pytest.raises(ValueError, match="`tape` is required when a `Tensor` loss is passed"):
        optimizer.minimize(loss, [variable])


# --- the learning rate -----------------------------------------------------------------------------------------------


def test_the_learning_rate_can_be_set():
    variable = tf.Variable(0.0)
    optimizer = K.SGD(0.5)
    one = [tf.constant(1.0)]
    optimizer.apply(one, [variable])
    with waits(0):
        optimizer.learning_rate = 0.25
        optimizer.apply(one, [variable])
        optimizer.learning_rate.assign(2)
        optimizer.apply(one, [variable])
        optimizer.learning_rate = tf.Variable(4.0)
        optimizer.apply(one, [variable])
        optimizer.learning_rate = lambda: 8.0
        optimizer.apply(one, [variable])
        optimizer.learning_rate = K.schedules.PiecewiseConstantDecay([4], [16.0, 32.0])
        optimizer.apply(one, [variable])
    assert float(variable) == -(0.5 + 0.25 + 2 + 4 + 8 + 32)
    with pytest.raises(TypeError, match="its learning rate is not settable"):
        optimizer.learning_rate = 0.5
    assert [v.path.partition("/")[2] for v in optimizer.variables] == ["iteration"]


def test_a_schedule_sees_the_number_of_the_step():
    variable = tf.Variable(0.0)
    optimizer = K.SGD(K.schedules.InverseTimeDecay(1.0, 1, 1.0))
    with waits(0):
        for _ in range(4):
            optimizer.apply([tf.constant(1.0)], [variable])
        rate = optimizer.learning_rate
    np.testing.assert_allclose(float(variable), -(1 + 1 / 2 + 1 / 3 + 1 / 4), rtol=1e-6)
    assert float(rate) == pytest.approx(0.2)


@pytest.mark.parametrize("rate", [1, "a tensor", "fast", None])
def test_what_is_no_learning_rate(rate):
    rate = tf.constant(0.5) if rate == "a tensor" else rate
    with pytest.raises(ValueError, match="Argument `learning_rate` should be float"):
        K.SGD(rate)


# --- optimizers of the user's ----------------------------------------------------------------------------------------


class Plain(K.Optimizer):
    def build(self, variables):
        super().build(variables)
        self.sums = [self.add_variable_from_reference(v, name="sum") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        total = self.sums[self._get_variable_index(variable)]
        self.assign_add(total, gradient)
        self.assign_sub(variable, total * learning_rate)


def test_a_rule_of_the_users():
    variable = tf.Variable([1.0, 2.0])
    optimizer = Plain(0.5, weight_decay=0.5)
    with waits(0):
        for _ in range(2):
            optimizer.apply([tf.constant([1.0, 0.0])], [variable])
    assert variable.numpy().tolist() == [(1.0 * 0.75 - 0.5) * 0.75 - 1.0, 2.0 * 0.75 * 0.75]
    assert [v.path for v in optimizer.variables[2:]] == [f"{optimizer.name}/Variable_0_sum"]


def test_a_rule_of_the_users_with_accumulated_gradients():
    variable = tf.Variable(0.0)
    optimizer = Plain(1.0, gradient_accumulation_steps=2)
    values = []
    for grad in (1.0, 3.0, 5.0, 7.0):
        optimizer.apply([tf.constant(grad)], [variable])
        values.append(float(variable))
    assert values == [0.0, -2.0, -2.0, -10.0]


def test_a_rule_that_builds_on_another():
    class Louder(K.SGD):
        def update_step(self, gradient, variable, learning_rate):
            super().update_step(gradient * 2.0, variable, learning_rate)

    variable = tf.Variable(4.0)
    Louder(0.5, weight_decay=0.5).apply([tf.constant(1.0)], [variable])
    assert float(variable) == 4.0 * 0.75 - 1.0


def test_rows_assigned_by_a_rule_of_the_users():
    class Rows(K.Optimizer):
        def update_step(self, gradient, variable, learning_rate):
            self.assign_sub(variable, gradient)

    variable = tf.Variable([1.0, 2.0])
    Rows(0.5).apply([tf.IndexedSlices(tf.constant([1.0]), tf.constant([1]), tf.constant([2]))], [variable])
    assert variable.numpy().tolist() == [1.0, 1.0]


# --- loss scaling ----------------------------------------------------------------------------------------------------


def test_loss_scaling_leaves_out_steps_that_overflow():
    variable = tf.Variable([1.0])
    inner = K.Adam(0.0625)
    optimizer = K.LossScaleOptimizer(inner, initial_scale=8.0, dynamic_growth_steps=2)
    grads = [1.0, np.inf, 2.0, 3.0, np.nan, 4.0]
    scales = []
    with waits(0):
        for grad in grads:
            scale = optimizer.scale_loss(tf.constant(1.0))
            scales.append(scale)
            optimizer.apply([tf.constant([grad]) * scale], [variable])
    assert list(tf.fetch(*scales)) == [8.0, 8.0, 4.0, 4.0, 8.0, 4.0]
    finite = [np.array([g]) for g in grads if np.isfinite(g)]
    expected = followed("update_adam", np.array([1.0]), (0, 0), {}, finite, 0.0625)[0]
    np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-6)
    assert int(optimizer.iterations) == int(inner.iterations) == 4
    again = K.deserialize(K.serialize(optimizer))
    assert (type(again.inner_optimizer), again.initial_scale) == (K.Adam, 8.0)
    with pytest.raises(ValueError, match=r"does not support `clipnorm`\. Instead, set `clipnorm` on the"):
        K.LossScaleOptimizer(inner, clipnorm=1.0)


# --- state and configuration -----------------------------------------------------------------------------------------


def test_variables_stand_in_the_order_in_which_keras_saves_them():
    variables = [tf.Variable([1.0], name=n) for n in "ab"]

    def names(optimizer):
        optimizer.build(variables)
        return [v.path.removeprefix(f"{optimizer.name}/") for v in optimizer.variables]

    first = ["iteration", "learning_rate"]
    moments = ["a_0_momentum", "a_0_velocity", "b_0_momentum", "b_0_velocity"]
    assert names(K.Adam(amsgrad=True)) == [*first, *moments, "a_0_velocity_hat", "b_0_velocity_hat"]
    assert names(K.RMSprop(momentum=0.5)) == [*first, "a_0_velocity", "b_0_velocity", "a_0_momentum", "b_0_momentum"]
    shared = ["a_0_average", "b_0_average", "a_0_gradient_accumulator", "b_0_gradient_accumulator"]
    assert names(K.SGD(use_ema=True, gradient_accumulation_steps=2)) == [*first, *shared]


def test_state_is_saved_and_loaded():
    variable, other = tf.Variable([1.0, 2.0]), tf.Variable([1.0, 2.0])
    one, two, store = K.Adam(0.5), K.Adam(0.25), {}
    one.apply([tf.constant([1.0, 2.0])], [variable])
    one.save_own_variables(store)
    with pytest.warns(UserWarning, match="Skipping variable loading"):
        two.load_own_variables(store)
    two.build([other])
    two.load_own_variables(store)
    for mine, theirs in zip(two.variables, one.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
    two.set_weights([v.numpy() * 2 for v in one.variables])
    assert (int(two.iterations), float(two.learning_rate)) == (2, 1.0)
    with pytest.raises(ValueError, match="an optimizer that has not yet been built"):
        K.SGD().set_weights([1])
    with pytest.raises(ValueError, match="not compatible with provided weight shape"):
        two.set_weights([np.zeros(3)])


@by_rule
def test_configurations(kind, options, op, first, hyper):
    optimizer = kind(0.5, **options, clipnorm=2.0)
    config = K.serialize(optimizer)
    assert config["class_name"] == kind.__name__
    assert config["config"]["learning_rate"] == 0.5
    assert all(config["config"][k] == v for k, v in options.items())
    again = K.get(config)
    assert type(again) is kind
    assert again.get_config() == optimizer.get_config()


def test_a_configuration_with_a_schedule():
    optimizer = K.SGD(K.schedules.CosineDecay(0.5, 10))
    again = K.deserialize(K.serialize(optimizer))
    assert type(again.learning_rate) is tf.Tensor
    assert float(again.learning_rate) == 0.5


@pytest.mark.parametrize("name", ["Adam", "adam", "ADAM", "sgd", "rmsprop", "RMSprop", "adamw", "ftrl", "lion"])
def test_optimizers_by_name(name):
    assert type(K.get(name)).__name__.lower() == name.lower()


@pytest.mark.parametrize("identifier", [3, "nothing", 0.5])
def test_what_is_no_optimizer(identifier):
    with pytest.raises(ValueError, match=f"Could not interpret optimizer identifier: {identifier}"):
        K.get(identifier)


def test_signatures_list_the_arguments_that_all_share():
    shared = "weight_decay clipnorm clipvalue global_clipnorm use_ema ema_momentum ema_overwrite_frequency "
    shared += "loss_scale_factor gradient_accumulation_steps name kwargs"
    assert list(inspect.signature(K.Adam).parameters) == [
        "learning_rate",
        "beta_1",
        "beta_2",
        "epsilon",
        "amsgrad",
        *shared.split(),
    ]
    assert list(inspect.signature(K.AdamW).parameters)[:4] == ["learning_rate", "weight_decay", "beta_1", "beta_2"]
    assert K.SGD(0.5, 0.9, True, 0.25).weight_decay == 0.25
    assert K.AdamW(0.5, 0.25, 0.9, 0.99, 1e-6, True, 2.0).clipnorm == 2.0


# --- errors ----------------------------------------------------------------------------------------------------------


def test_variables_without_gradients_stay():
    one, two = tf.Variable(1.0), tf.Variable(1.0, name="lonely")
    with pytest.warns(UserWarning, match=r"Gradients do not exist for variables \['lonely:0'\]"):
        K.SGD(0.5).apply([tf.constant(1.0), None], [one, two])
    assert (float(one), float(two)) == (0.5, 1.0)


def test_errors():
    variable, other = tf.Variable([1.0, 2.0]), tf.Variable([1.0])
    with pytest.raises(ValueError, match=r"No gradients provided for any variable\."):
        K.SGD().apply_gradients([(None, variable)])
    optimizer = K.SGD()
    with pytest.raises(ValueError, match="the optimizer must already be built on a list of variables"):
        optimizer.apply([tf.constant([1.0, 1.0])])
    optimizer.build([variable])
    with pytest.raises(ValueError, match=r"Unknown variable: <tf\.Variable"):
        optimizer.apply([tf.constant([1.0])], [other])
    with pytest.raises(ValueError, match="Received a list of 2 gradients, but the optimizer is tracking 1"):
        optimizer.apply([tf.constant([1.0, 1.0])] * 2)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"with shape \[2\] using a Tensor with shape \[3\]"):
        optimizer.apply([tf.constant([1.0, 1.0, 1.0])])
    optimizer.apply([])
    assert int(optimizer.iterations) == 0
    assert variable.numpy().tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: K.SGD(momentum=2.0), "`momentum` must be a float between"),
        (lambda: K.SGD(lr=0.1), "Argument.s. not recognized: {'lr': 0.1}"),
        (lambda: K.Adam(clipnorm=1.0, clipvalue=1.0), "Only one of `clipnorm`, `clipvalue` and `global_clipnorm`"),
        (lambda: K.SGD(gradient_accumulation_steps=1), "must be an integer >= 2"),
        (lambda: K.SGD(use_ema=True, ema_momentum=2.0), r"must be in the range \[0, 1\]"),
        (lambda: K.SGD(use_ema=True, ema_overwrite_frequency=0.5), "must be an integer >= 1 or None"),
        (lambda: K.AdamW(weight_decay=None), "Argument `weight_decay` must be a float"),
        (lambda: K.Lion(beta_1=0.0), "Argument `beta_1` must be in the"),
        (lambda: K.Ftrl(learning_rate_power=1.0), "`learning_rate_power` needs to be negative or zero"),
        (lambda: K.Ftrl(l1_regularization_strength=-1.0), "`l1_regularization_strength` needs to be positive or zero"),
    ],
)
def test_arguments_out_of_range(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def test_decay_is_ignored():
    with pytest.warns(UserWarning, match="`decay` is no longer supported"):
        K.SGD(decay=0.5)
