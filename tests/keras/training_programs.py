"""Trainings that run under TensorFlow and under Telegrad, in the same order of the same data, so that all agree.

Each takes `tf` and gives numbers, strings and None in lists and dicts. `tests/peers/record_training.py` writes down
what TensorFlow gives. Several outputs go with batches of one size: TensorFlow's means of the outputs' own losses leave
the batches' sizes out of account, unlike its mean of the whole loss.
"""

import csv
import os
import tempfile

import numpy as np

PROGRAMS = {}


def program(function):
    PROGRAMS[function.__name__] = function
    return function


def data(rows=20, columns=3):
    x = np.sin(np.arange(rows * columns, dtype=np.float32)).reshape(rows, columns)
    y = np.cos(np.arange(rows, dtype=np.float32))[:, None]
    return x, y, (np.arange(rows) * 7 % 3).astype(np.int32)


def weights(*shape):
    return np.cos(np.arange(np.prod(shape), dtype=np.float32) * 1.7).reshape(shape)


def dense(tf, units, columns, name=None, **kwargs):
    layer = tf.keras.layers.Dense(units, name=name, **kwargs)
    layer.build((None, columns))
    layer.set_weights([weights(columns, units), weights(units) * 0.1])
    return layer


def regression(tf, rate=0.1, **compiled):
    model = tf.keras.Sequential([tf.keras.Input((3,)), dense(tf, 1, 3)])
    model.compile(optimizer=tf.keras.optimizers.SGD(rate), **{"loss": "mse", **compiled})
    return model


def classifier(tf, rate=0.5, **compiled):
    model = tf.keras.Sequential([tf.keras.Input((3,)), dense(tf, 3, 3, activation="softmax")])
    chosen = {"loss": "sparse_categorical_crossentropy", "metrics": ["accuracy"], **compiled}
    model.compile(optimizer=tf.keras.optimizers.SGD(rate), **chosen)
    return model


def two_outputs(tf, **compiled):
    x = tf.keras.Input((3,))
    a, b = dense(tf, 1, 3, "first")(x), dense(tf, 3, 3, "second", activation="softmax")(x)
    model = tf.keras.Model(x, [a, b])
    model.compile(optimizer=tf.keras.optimizers.SGD(0.1), **compiled)
    return model


def fit(model, *args, epochs=3, **kwargs):
    settings = {"shuffle": False, "verbose": 0, "batch_size": 6, **kwargs}
    return model.fit(*args, epochs=epochs, **settings).history


def values(model):
    return [np.asarray(w).tolist() for w in model.get_weights()]


@program
def plain(tf):
    x, y, _ = data()
    model = regression(tf, metrics=["mae", tf.keras.metrics.MeanSquaredError(name="again")])
    return [fit(model, x, y), values(model)]


@program
def float64_arrays(tf):
    x, y, _ = data()
    return fit(regression(tf), x.astype(np.float64), y.astype(np.float64))


@program
def targets_of_rank_one(tf):
    x, y, _ = data()
    return fit(regression(tf, metrics=["mae"]), x, y[:, 0])


@program
def optimizer_by_name(tf):
    x, y, _ = data()
    model = regression(tf)
    model.compile(loss=tf.keras.losses.Huber())
    return [fit(model, x, y), values(model)]


@program
def accuracy_of_labels(tf):
    x, _, labels = data()
    return fit(classifier(tf), x, labels, validation_split=0.3)


@program
def accuracy_of_labels_in_a_column(tf):
    x, _, labels = data()
    return fit(classifier(tf), x, labels[:, None])


@program
def accuracy_one_hot(tf):
    x, _, labels = data()
    one_hot = np.eye(3, dtype=np.float32)[labels]
    return fit(classifier(tf, loss="categorical_crossentropy", metrics=["acc"]), x, one_hot)


@program
def accuracy_binary(tf):
    x, _, labels = data()
    model = tf.keras.Sequential([tf.keras.Input((3,)), dense(tf, 1, 3, activation="sigmoid")])
    model.compile(tf.keras.optimizers.SGD(0.5), "binary_crossentropy", metrics=["accuracy"])
    return fit(model, x, (labels > 0).astype(np.float32)[:, None])


@program
def crossentropy_by_shapes(tf):
    x, _, labels = data()
    return fit(classifier(tf, loss="crossentropy", metrics=None), x, labels)


@program
def validation_data(tf):
    x, y, _ = data()
    model = regression(tf)
    return fit(model, x[:12], y[:12], validation_data=(x[12:], y[12:]), validation_freq=2, epochs=4)


@program
def validation_with_sample_weights(tf):
    x, y, _ = data()
    model = regression(tf, metrics=["mse"], weighted_metrics=["mse"])
    given = (x[12:], y[12:], np.arange(8, dtype=np.float32))
    return fit(model, x[:12], y[:12], validation_data=given, validation_batch_size=5)


@program
def class_weight(tf):
    x, _, labels = data()
    model = classifier(tf, weighted_metrics=["accuracy"])
    return [fit(model, x, labels, class_weight={0: 1.0, 1: 3.0, 2: 0.5}), values(model)]


@program
def class_weight_one_hot(tf):
    x, _, labels = data()
    model = classifier(tf, loss="categorical_crossentropy")
    return fit(model, x, np.eye(3, dtype=np.float32)[labels], class_weight={0: 1.0, 1: 3.0})


@program
def sample_weight(tf):
    x, y, _ = data()
    model = regression(tf, metrics=["mae"], weighted_metrics=["mae"])
    given = np.linspace(0, 2, 20, dtype=np.float32)
    return [fit(model, x, y, sample_weight=given), model.evaluate(x, y, sample_weight=given, verbose=0)]


@program
def outputs_in_a_list(tf):
    x, y, labels = data()
    model = two_outputs(tf, loss=["mse", "sparse_categorical_crossentropy"], loss_weights=[1.0, 0.25])
    history = fit(model, x, [y, labels], batch_size=5)
    return [history, model.evaluate(x, [y, labels], verbose=0), model.metrics_names]


@program
def outputs_by_name(tf):
    x, y, labels = data()
    model = two_outputs(
        tf,
        loss={"first": "mse", "second": "sparse_categorical_crossentropy"},
        loss_weights={"first": 2.0, "second": 0.5},
        metrics={"first": ["mae", "mse"], "second": "accuracy"},
        weighted_metrics={"second": ["accuracy"]},
    )
    weight = np.linspace(0, 1, 20, dtype=np.float32)
    history = fit(model, x, [y, labels], sample_weight=[weight, 1 - weight], batch_size=5)
    return [history, model.evaluate(x, {"first": y, "second": labels}, return_dict=True, verbose=0)]


@program
def one_loss_for_all_outputs(tf):
    x, y, _ = data()
    model = two_outputs(tf, loss="mse", metrics=[["mae"], ["mae"]])
    return fit(model, x, [y, np.tile(y, 3)], batch_size=5)


@program
def outputs_in_a_dict(tf):
    x, y, labels = data()
    inputs = tf.keras.Input((3,))
    a, b = dense(tf, 1, 3, "first")(inputs), dense(tf, 3, 3, "second", activation="softmax")(inputs)
    model = tf.keras.Model(inputs, {"u": a, "v": b})
    losses = {"u": "mse", "v": "sparse_categorical_crossentropy"}
    model.compile(tf.keras.optimizers.SGD(0.1), loss=losses, metrics={"v": ["accuracy"]})
    return fit(model, x, {"u": y, "v": labels}, batch_size=5)


@program
def inputs_by_name(tf):
    x, y, _ = data()

    class Join(tf.keras.layers.Layer):
        def call(self, inputs):
            return tf.concat(inputs, -1)

    a, b = tf.keras.Input((3,), name="a"), tf.keras.Input((3,), name="b")
    model = tf.keras.Model({"a": a, "b": b}, dense(tf, 1, 6)(Join()([a, b])))
    model.compile(tf.keras.optimizers.SGD(0.1), "mse")
    history = fit(model, {"a": x, "b": x * 2}, y)
    return [history, model.predict({"a": x[:3], "b": x[:3]}, verbose=0).tolist()]


@program
def regularized(tf):
    x, y, _ = data()
    layer = tf.keras.layers.Dense(1, kernel_regularizer=tf.keras.regularizers.L2(0.1))
    layer.build((None, 3))
    layer.set_weights([weights(3, 1), weights(1)])
    model = tf.keras.Sequential([tf.keras.Input((3,)), layer])
    model.compile(tf.keras.optimizers.SGD(0.1), "mse", metrics=["mse"])
    return [fit(model, x, y), model.evaluate(x, y, verbose=0)]


@program
def steps(tf):
    x, y, _ = data()
    model = regression(tf)
    return fit(model, x, y, steps_per_epoch=2, epochs=2)


@program
def generator(tf):
    x, y, _ = data()

    def batches():
        i = 0
        while True:
            yield x[i % 20 : i % 20 + 4], y[i % 20 : i % 20 + 4]
            i += 4

    return fit(regression(tf), batches(), batch_size=None, steps_per_epoch=4, epochs=4)


@program
def sequence(tf):
    x, y, _ = data()

    class Batches(tf.keras.utils.Sequence):
        def __len__(self):
            return 4

        def __getitem__(self, i):
            return x[i * 5 : i * 5 + 5], y[i * 5 : i * 5 + 5]

    model = regression(tf)
    return [fit(model, Batches(), batch_size=None), model.predict(Batches(), verbose=0).tolist()]


@program
def dataset(tf):
    x, _, labels = data()
    model = classifier(tf)
    batches = tf.data.Dataset.from_tensor_slices((x, labels)).batch(8)
    history = fit(
        model, batches, batch_size=None, validation_data=batches.take(1), class_weight={1: 2.0, 2: 0.5, 0: 1.0}
    )
    return [history, model.evaluate(batches, verbose=0)]


@program
def endless_dataset(tf):
    x, y, _ = data()
    batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(8).repeat()
    return fit(regression(tf), batches, batch_size=None, steps_per_epoch=5, epochs=2)


@program
def single_batches(tf):
    x, _, labels = data()
    model = classifier(tf)
    return [
        [float(v) for v in model.train_on_batch(x, labels)],
        [float(v) for v in model.train_on_batch(x, labels, class_weight={0: 2.0, 1: 0.0, 2: 1.0})],
        {k: float(v) for k, v in model.test_on_batch(x, labels, return_dict=True).items()},
        model.predict_on_batch(x[:2]).tolist(),
    ]


@program
def custom_train_step(tf):
    x, y, _ = data()

    class Model(tf.keras.Sequential):
        def train_step(self, given):
            inputs, targets = given
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.abs(self(inputs, training=True) - targets))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return {"mine": loss, "half": loss / 2}

    model = Model([tf.keras.Input((3,)), dense(tf, 1, 3)])
    model.compile(optimizer=tf.keras.optimizers.SGD(0.1))
    return [fit(model, x, y), values(model)]


@program
def custom_loss_and_metrics(tf):
    x, y, _ = data()

    class Model(tf.keras.Sequential):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
            return super().compute_loss(x, y, y_pred, sample_weight) + tf.reduce_mean(y_pred)

        def compute_metrics(self, x, y, y_pred, sample_weight=None):
            found = super().compute_metrics(x, y, y_pred, sample_weight)
            found["largest"] = tf.reduce_max(y_pred)
            return found

    model = Model([tf.keras.Input((3,)), dense(tf, 1, 3)])
    model.compile(optimizer=tf.keras.optimizers.SGD(0.1), loss=lambda a, b: tf.reduce_mean((a - b) ** 2, -1))
    return fit(model, x, y)


@program
def early_stopping(tf):
    x, y, _ = data()
    model = regression(tf, rate=0.9)
    callback = tf.keras.callbacks.EarlyStopping("loss", patience=2, restore_best_weights=True, min_delta=0.01)
    history = fit(model, x, y, epochs=30, callbacks=[callback])
    found = [callback.stopped_epoch, callback.best_epoch, callback.best, values(model)]
    warm = tf.keras.callbacks.EarlyStopping("loss", start_from_epoch=4, baseline=0.0, patience=3)
    later = fit(regression(tf), x, y, epochs=30, callbacks=[warm])
    return [history, *found, later, warm.stopped_epoch]


@program
def early_stopping_of_accuracy(tf):
    x, _, labels = data()
    callback = tf.keras.callbacks.EarlyStopping("val_accuracy", patience=3)
    return fit(classifier(tf, rate=2.0), x, labels, epochs=30, callbacks=[callback], validation_split=0.3)


@program
def lower_learning_rate(tf):
    x, y, _ = data()
    callback = tf.keras.callbacks.ReduceLROnPlateau(
        "loss", factor=0.5, patience=1, min_delta=0.01, cooldown=1, min_lr=0.005
    )
    return fit(regression(tf, rate=0.9), x, y, epochs=15, callbacks=[callback])


@program
def scheduled_learning_rate(tf):
    x, y, _ = data()
    callback = tf.keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate if epoch < 2 else rate * 0.5)
    model = regression(tf)
    return [fit(model, x, y, epochs=5, callbacks=[callback]), float(model.optimizer.learning_rate)]


@program
def schedule(tf):
    x, y, _ = data()
    model = regression(tf)
    rate = tf.keras.optimizers.schedules.ExponentialDecay(0.1, 4, 0.5)
    model.compile(tf.keras.optimizers.SGD(rate), "mse")
    return fit(model, x, y)


@program
def csv_file(tf):
    x, y, _ = data()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log.csv")
        fit(regression(tf, metrics=["mae"]), x, y, callbacks=[tf.keras.callbacks.CSVLogger(path, separator=";")])
        fit(regression(tf, metrics=["mae"]), x, y, callbacks=[tf.keras.callbacks.CSVLogger(path, ";", append=True)])
        with open(path, newline="") as file:
            rows = list(csv.reader(file, delimiter=";"))
    return [rows[0], [[v if v == "NA" else float(v) for v in row] for row in rows[1:]]]


@program
def order_of_callbacks(tf):
    x, y, _ = data()
    seen = []

    class Tell(tf.keras.callbacks.Callback):
        pass

    def teller(name):
        def hook(self, *args, logs=None):
            *number, given = args if logs is None else (*args, logs)
            seen.append([name, *number, sorted(given or {}) if name != "on_predict_batch_end" else list(given)])

        return hook

    for name in dir(tf.keras.callbacks.Callback):
        if name.startswith("on_") and name not in ("on_batch_begin", "on_batch_end"):
            setattr(Tell, name, teller(name))
    model = regression(tf, metrics=["mae"], steps_per_execution=2)
    fit(model, x, y, epochs=2, validation_data=(x[:4], y[:4]), callbacks=[Tell()])
    model.evaluate(x, y, verbose=0, callbacks=[Tell()])
    model.predict(x, verbose=0, callbacks=[Tell()])
    return seen


@program
def stopped_in_the_middle(tf):
    x, y, _ = data()
    model = regression(tf)

    def stop(batch, logs):
        model.stop_training = batch == 1

    return fit(model, x, y, callbacks=[tf.keras.callbacks.LambdaCallback(on_train_batch_end=stop)])


@program
def predictions(tf):
    x, _, _ = data()
    model = two_outputs(tf, loss="mse")
    a, b = model.predict(x, batch_size=7, verbose=0)
    return [a.tolist(), b.tolist(), str(a.dtype)]


@program
def errors(tf):
    x, y, _ = data()
    model = regression(tf)
    fresh = tf.keras.Sequential([tf.keras.layers.Dense(1)])
    attempts = [
        lambda: fresh.fit(x, y),
        lambda: model.fit(x, y[:5]),
        lambda: model.fit(x, y, sample_weight=y[:, 0], class_weight={0: 1.0}),
        lambda: model.fit(x[:2], y[:2], validation_split=0.9),
        lambda: model.fit([1.0, 2.0], [1.0, 2.0]),
        lambda: model.fit(iter(()), verbose=0, shuffle=False),
        lambda: model.fit(iter([[x, y]]), verbose=0, shuffle=False),
        lambda: model.train_on_batch(x, y, sample_weight=y[:, 0], class_weight={0: 1.0}),
        lambda: model.evaluate(x, y, nonsense=1),
        lambda: model.compile("nobody"),
        lambda: model.compile("sgd", "mse", metrics="mae"),
        lambda: model.compile("sgd", "mse", loss_weights="x"),
        lambda: tf.keras.callbacks.ReduceLROnPlateau(factor=1.0),
        lambda: tf.keras.utils.Progbar(3, stateful_metrics=["a"], stateless_metrics=["b"]),
        lambda: regression(tf, loss=None).fit(x, y, verbose=0),
        lambda: fit(regression(tf), x, y, callbacks=[tf.keras.callbacks.EarlyStopping("learning")]),
        lambda: fit(regression(tf), x, y, callbacks=[tf.keras.callbacks.LearningRateScheduler(lambda e, r: "no")]),
    ]
    found = []
    for attempt in attempts:
        try:
            attempt()
            found.append(None)
        except Exception as error:
            found.append(type(error).__name__)
    return found


def outcome(name, tf):
    """What a program gives, as JSON can hold it."""
    return PROGRAMS[name](tf)
