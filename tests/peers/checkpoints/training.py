"""Training stopped and resumed: optimizers, layers and models, the guide's loop."""

import numpy as np

from tests.peers.checkpoints.programs import base, claims, program, raised, saved, values

X = np.cos(np.arange(24, dtype=np.float32)).reshape(8, 3)
Y = np.sin(np.arange(16, dtype=np.float32)).reshape(8, 2)


class Net:
    """Two dense layers with the same first weights everywhere, as a tf.Module."""

    @staticmethod
    def make(tf):
        class Dense(tf.Module):
            def __init__(self, rows, columns):
                super().__init__()
                start = np.cos(1.7 * np.arange(rows * columns, dtype=np.float32)).reshape(rows, columns)
                self.kernel, self.bias = tf.Variable(start), tf.Variable(tf.zeros([columns]))

            def __call__(self, x):
                return x @ self.kernel + self.bias

        class Stack(tf.Module):
            def __init__(self):
                super().__init__()
                self.layers = [Dense(3, 4), Dense(4, 2)]

            def __call__(self, x):
                return self.layers[1](tf.tanh(self.layers[0](x)))

        return Stack()


def layers(tf):
    """A Keras model of the same kind."""
    model = tf.keras.Sequential([tf.keras.layers.Dense(4, "tanh"), tf.keras.layers.Dense(2)])
    model.build((None, 3))
    model.set_weights([np.cos(1.7 * np.arange(w.size, dtype=np.float32)).reshape(w.shape) for w in model.get_weights()])
    return model


def train(tf, net, optimizer, steps):
    """The losses of some steps."""
    found = []
    for _ in range(steps):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(net(tf.constant(X)) - Y))
        variables = net.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        found.append(loss)
    return [float(loss) for loss in found]


def optimizers(tf):
    """Optimizers with all kinds of state."""
    made = tf.keras.optimizers
    return {
        "SGD": lambda: made.SGD(0.1),
        "momentum": lambda: made.SGD(0.1, momentum=0.9, nesterov=True),
        "Adam": lambda: made.Adam(0.1),
        "AMSGrad": lambda: made.Adam(0.1, amsgrad=True),
        "AdamW": lambda: made.AdamW(0.1),
        "RMSprop": lambda: made.RMSprop(0.05, momentum=0.5, centered=True),
        "Adagrad": lambda: made.Adagrad(0.1),
        "Adadelta": lambda: made.Adadelta(1.0),
        "Adamax": lambda: made.Adamax(0.1),
        "Nadam": lambda: made.Nadam(0.1),
        "Ftrl": lambda: made.Ftrl(0.1),
        "Lion": lambda: made.Lion(0.05),
        "averaged": lambda: made.Adam(0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=2),
        "accumulated": lambda: made.Adam(0.1, gradient_accumulation_steps=2),
        "scheduled": lambda: made.Adam(tf.keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)),
        "clipped": lambda: made.SGD(0.1, momentum=0.9, clipnorm=0.5),
    }


def resumed(tf, folder, make_net, make_optimizer, build):
    """Losses of an unbroken run, and of one whose second half is another net and optimizer restored."""
    net, optimizer = make_net(), make_optimizer()
    train(tf, net, optimizer, 3)
    path = saved(tf, folder, net=net, optimizer=optimizer)
    expected = train(tf, net, optimizer, 3)
    other, again = make_net(), make_optimizer()
    if build:
        again.build(other.trainable_variables)
    status = tf.train.Checkpoint(net=other, optimizer=again).restore(path)
    found = train(tf, other, again, 3)
    weights = [np.array_equal(a.numpy(), b.numpy()) for a, b in zip(net.variables, other.variables, strict=True)]
    return [expected, found == expected, all(weights), int(again.iterations.numpy()), claims(status)]


@program
def optimizers_of_modules_built_before(tf, folder):
    return {name: resumed(tf, folder, lambda: Net.make(tf), make, True)[:4] for name, make in optimizers(tf).items()}


@program
def optimizers_of_modules_built_later(tf, folder):
    return {name: resumed(tf, folder, lambda: Net.make(tf), make, False)[:4] for name, make in optimizers(tf).items()}


@program
def optimizers_of_models_built_before(tf, folder):
    return {name: resumed(tf, folder, lambda: layers(tf), make, True)[:4] for name, make in optimizers(tf).items()}


@program
def optimizers_of_models_built_later(tf, folder):
    return {name: resumed(tf, folder, lambda: layers(tf), make, False)[:4] for name, make in optimizers(tf).items()}


@program
def assertions_with_an_optimizer(tf, folder):
    make = lambda: tf.keras.optimizers.Adam(0.1)
    return {
        "before": resumed(tf, folder, lambda: Net.make(tf), make, True)[4],
        "later": resumed(tf, folder, lambda: Net.make(tf), make, False)[4],
    }


@program
def the_model_alone(tf, folder):
    net, optimizer = Net.make(tf), tf.keras.optimizers.Adam(0.1)
    train(tf, net, optimizer, 2)
    path = saved(tf, folder, net=net, optimizer=optimizer)
    other = Net.make(tf)
    status = tf.train.Checkpoint(net=other).restore(path).expect_partial()
    same = [np.array_equal(a.numpy(), b.numpy()) for a, b in zip(net.variables, other.variables, strict=True)]
    return {"same": all(same), "claims": claims(status)}


@program
def an_optimizer_attached_later(tf, folder):
    net, optimizer = Net.make(tf), tf.keras.optimizers.Adam(0.1)
    train(tf, net, optimizer, 2)
    path = saved(tf, folder, net=net, optimizer=optimizer)
    expected = train(tf, net, optimizer, 2)
    checkpoint = tf.train.Checkpoint(net=Net.make(tf))
    status = checkpoint.restore(path)
    checkpoint.optimizer = again = tf.keras.optimizers.Adam(0.1)
    return {"same": train(tf, checkpoint.net, again, 2) == expected, "claims": claims(status)}


@program
def two_optimizers_of_a_net(tf, folder):
    def both(net):
        return [tf.keras.optimizers.Adam(0.1), tf.keras.optimizers.SGD(0.1, momentum=0.9)], net

    def steps(optimizers, net):
        return [loss for _ in range(2) for optimizer in optimizers for loss in train(tf, net, optimizer, 1)]

    optimizers, net = both(Net.make(tf))
    steps(optimizers, net)
    path = saved(tf, folder, net=net, optimizers=optimizers)
    expected = steps(optimizers, net)
    again, other = both(Net.make(tf))
    status = tf.train.Checkpoint(net=other, optimizers=again).restore(path)
    return {"same": steps(again, other) == expected, "claims": claims(status)}


@program
def the_optimizer_alone(tf, folder):
    net, optimizer = Net.make(tf), tf.keras.optimizers.Adam(0.1)
    train(tf, net, optimizer, 2)
    path = saved(tf, folder, net=net, optimizer=optimizer)
    again = tf.keras.optimizers.Adam(0.5)
    again.build(net.trainable_variables)
    tf.train.Checkpoint(optimizer=again).restore(path).expect_partial()
    return {"iterations": int(again.iterations.numpy()), "rate": float(again.learning_rate.numpy())}


@program
def the_learning_rate_is_restored(tf, folder):
    optimizer = tf.keras.optimizers.SGD(0.5)
    optimizer.learning_rate.assign(0.25)
    path = saved(tf, folder, optimizer=optimizer)
    again = tf.keras.optimizers.SGD(0.5)
    tf.train.Checkpoint(optimizer=again).restore(path)
    return {"rate": float(again.learning_rate.numpy())}


@program
def iterations_are_restored_before_the_first_step(tf, folder):
    net, optimizer = Net.make(tf), tf.keras.optimizers.Adam(0.1)
    train(tf, net, optimizer, 4)
    path = saved(tf, folder, optimizer=optimizer)
    again = tf.keras.optimizers.Adam(0.1)
    tf.train.Checkpoint(optimizer=again).restore(path).expect_partial()
    return {"iterations": int(again.iterations.numpy())}


@program
def a_model_before_and_after_its_first_call(tf, folder):
    def make():
        return tf.keras.Sequential(
            [tf.keras.layers.Dense(4, "tanh"), tf.keras.layers.BatchNormalization(), tf.keras.layers.Dense(2)]
        )

    first = make()
    first(tf.constant(X), training=True)
    path = saved(tf, folder, model=first)
    expected = first(tf.constant(X)).numpy()
    second = make()
    second(tf.constant(X), training=True)
    before = np.array_equal(second(tf.constant(X)).numpy(), expected)
    status = tf.train.Checkpoint(model=second).restore(path)
    return {
        "before": before,
        "after": np.array_equal(second(tf.constant(X)).numpy(), expected),
        "claims": claims(status),
    }


@program
def a_model_as_root(tf, folder):
    model = layers(tf)
    path = saved(tf, folder, model)
    before = model.get_weights()
    model.set_weights([np.zeros_like(w) for w in before])
    status = tf.train.Checkpoint(model).restore(path)
    same = [np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True)]
    return {"same": all(same), "claims": claims(status)}


@program
def a_model_of_inputs_and_outputs(tf, folder):
    def make():
        x = tf.keras.Input((3,))
        a, b = tf.keras.layers.Dense(2, name="a")(x), tf.keras.layers.Dense(2, name="b")(x)
        return tf.keras.Model(x, tf.keras.layers.Concatenate()([a, b]))

    first, second = make(), make()
    path = saved(tf, folder, model=first)
    status = tf.train.Checkpoint(model=second).restore(path)
    same = np.array_equal(first(tf.constant(X)).numpy(), second(tf.constant(X)).numpy())
    return {"same": same, "claims": claims(status)}


@program
def a_layer_shared_by_two_models(tf, folder):
    def make():
        shared = tf.keras.layers.Dense(2)
        shared.build((None, 3))
        one, two = tf.Module(), tf.Module()
        one.layer = two.layer = shared
        return one, two, shared

    one, two, shared = make()
    path = saved(tf, folder, one=one, two=two)
    other, another, again = make()
    status = tf.train.Checkpoint(one=other, two=another).restore(path)
    return {"same": np.array_equal(shared.get_weights()[0], again.get_weights()[0]), "claims": claims(status)}


@program
def a_layer_of_another_size(tf, folder):
    def make(units):
        layer = tf.keras.layers.Dense(units)
        layer.build((None, 3))
        return layer

    path = saved(tf, folder, layer=make(2))
    built = raised(tf.train.Checkpoint(layer=make(3)).restore, path)
    unbuilt = tf.keras.layers.Dense(3)
    tf.train.Checkpoint(layer=unbuilt).restore(path)
    return {"built": built, "unbuilt": raised(unbuilt.build, (None, 3)) is not None}


def guide(tf, folder, steps, keep=3):
    """The guide's loop: restore what is there, train, save every third step."""
    net, optimizer = Net.make(tf), tf.keras.optimizers.Adam(0.1)
    data = tf.data.Dataset.from_tensor_slices({"x": X, "y": Y}).shuffle(8, seed=2).repeat().batch(3)
    iterator = iter(data)
    step = tf.Variable(0)
    checkpoint = tf.train.Checkpoint(step=step, optimizer=optimizer, net=net, iterator=iterator)
    manager = tf.train.CheckpointManager(checkpoint, str(folder), max_to_keep=keep)
    restored = base(manager.latest_checkpoint)
    checkpoint.restore(manager.latest_checkpoint)
    for _ in range(steps):
        example = next(iterator)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(net(example["x"]) - example["y"]))
        variables = net.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        step.assign_add(1)
        if int(step.numpy()) % 3 == 0:
            manager.save()
    kept = [base(path) for path in manager.checkpoints]
    return restored, kept, values(step), [v.numpy() for v in net.variables]


@program
def the_guide_stopped_and_resumed(tf, folder):
    *whole, expected = guide(tf, folder / "whole", 12)
    runs = [guide(tf, folder / "parts", steps) for steps in (4, 2, 5, 6)]  # each goes on from the last third step
    same = [np.array_equal(a, b) for a, b in zip(expected, runs[-1][3], strict=True)]
    return {"whole": whole, "parts": [run[:3] for run in runs], "same": all(same)}


@program
def back_to_an_earlier_step(tf, folder):
    net, optimizer = Net.make(tf), tf.keras.optimizers.SGD(0.1, momentum=0.9)
    checkpoint = tf.train.Checkpoint(net=net, optimizer=optimizer)
    found = train(tf, net, optimizer, 4)
    path = checkpoint.write(str(folder / "best"))
    expected = train(tf, net, optimizer, 2)
    checkpoint.read(path)
    return {"losses": found, "again": train(tf, net, optimizer, 2) == expected, "written": base(path)}
