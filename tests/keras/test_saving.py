"""Saved models and weights, and the callbacks that save."""

import json
import os
import zipfile

import numpy as np
import pytest
import safetensors.numpy

import client as tf
from tests.client.waiting import waits
from tests.support import run_program

L = tf.keras.layers


def data(count=40):
    random = np.random.default_rng(0)
    return random.random((count, 4), dtype=np.float32), random.integers(0, 2, count)


def dense(compiled=True, **options):
    model = tf.keras.Sequential([L.Dense(8, activation="relu", input_shape=(4,)), L.Dropout(0.2), L.Dense(2)])
    if compiled:
        loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(tf.keras.optimizers.Adam(0.01), loss, metrics=["accuracy"], **options)
    return model


def same(first, second):
    pairs = zip(first, second, strict=True)
    return all(np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs)


# --- weights ---------------------------------------------------------------------------------------------------------


def test_the_documents_program(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = dense(compiled=False)
    before = model.get_weights()
    assert model.save_weights("weights") is None
    model.layers[0].kernel.assign(tf.zeros([4, 8]))
    status = model.load_weights("weights")
    status.assert_consumed()
    assert same(model.get_weights(), before)


def test_weights_of_a_model_that_is_not_built_yet_come_when_it_is(tmp_path):
    trained = dense()
    trained.fit(*data(), verbose=0)
    with waits(1):
        trained.save_weights(tmp_path / "w")
    fresh = tf.keras.Sequential([L.Dense(8, activation="relu"), L.Dropout(0.2), L.Dense(2)])
    fresh.compile("adam", "mse")
    with waits(0):
        status = fresh.load_weights(tmp_path / "w")
    with pytest.raises(AssertionError, match="Unresolved object"):
        status.assert_consumed()
    fresh.build((None, 4))
    assert same(fresh.get_weights(), trained.get_weights())
    fresh.optimizer.build(fresh.trainable_variables)
    status.assert_consumed()
    assert same(fresh.optimizer.variables, trained.optimizer.variables)


def test_weights_go_between_models_of_the_same_layers_however_made(tmp_path):
    trained = dense(compiled=False)
    trained.save_weights(tmp_path / "w")
    x = inputs = tf.keras.Input((4,))
    for layer in (L.Dense(8, activation="relu"), L.Dropout(0.2), L.Dense(2)):
        x = layer(x)
    other = tf.keras.Model(inputs, x)
    other.load_weights(tmp_path / "w").assert_consumed()
    assert same(other.get_weights(), trained.get_weights())


def test_other_shapes_are_an_error_or_spared(tmp_path, caplog):
    dense(compiled=False).save_weights(tmp_path / "w")
    wider = tf.keras.Sequential([L.Dense(8, input_shape=(4,)), L.Dropout(0.2), L.Dense(3)])
    before = wider.get_weights()
    with pytest.raises(ValueError, match=r"incompatible tensor with shape \(8, 2\)"):
        wider.load_weights(tmp_path / "w")
    assert same(wider.get_weights(), before)
    wider.load_weights(tmp_path / "w", skip_mismatch=True)
    assert "incompatible tensor" in caplog.text
    after = wider.get_weights()
    assert not np.array_equal(after[0], before[0]) and same(after[2:], before[2:])


def test_overwriting_has_to_be_allowed(tmp_path):
    model = dense(compiled=False)
    model.save_weights(tmp_path / "w")
    model.save(tmp_path / "m.keras")
    for save, name in ((model.save_weights, "w"), (model.save, "m.keras")):
        with pytest.raises(FileExistsError):
            save(tmp_path / name, overwrite=False)


def test_weights_of_another_format_are_told_as_such(tmp_path):
    path = tmp_path / "w.weights.h5"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(tf.errors.DataLossError, match="format"):
        dense(compiled=False).load_weights(path)
    with pytest.raises(tf.errors.NotFoundError):
        dense(compiled=False).load_weights(tmp_path / "nothing")
    dense(compiled=False).save_weights(path)  # a name is a name
    dense(compiled=False).load_weights(path).assert_consumed()


# --- models ----------------------------------------------------------------------------------------------------------


def test_a_loaded_model_goes_on_training_as_the_saved_one(tmp_path):
    x, y = data()
    model = dense()
    model.fit(x, y, verbose=0)
    with waits(1):
        model.save(tmp_path / "m.keras")
    loaded = tf.keras.models.load_model(tmp_path / "m.keras")
    assert same(loaded.get_weights(), model.get_weights())
    assert same(loaded.optimizer.variables, model.optimizer.variables)
    assert loaded.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)
    loaded.save(tmp_path / "again.keras")  # before any step: the optimizer's state must not be lost
    again = tf.keras.models.load_model(tmp_path / "again.keras")
    for each in (model, loaded, again):
        each.fit(x, y, shuffle=False, verbose=0)  # dropout goes on where it was, too
    assert same(loaded.get_weights(), model.get_weights()) and same(again.get_weights(), model.get_weights())


@tf.keras.utils.register_keras_serializable("tests")
class Twice(tf.keras.Model):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.inner = L.Dense(units)

    def call(self, inputs):
        return 2.0 * self.inner(inputs)


@tf.keras.utils.register_keras_serializable("tests")
def absolute(y_true, y_pred):
    return tf.reduce_mean(tf.abs(y_true - y_pred), axis=-1)


def several_outputs():
    inputs = {"a": tf.keras.Input((4,), name="a"), "b": tf.keras.Input((3, 3, 1), name="b")}
    image = L.GlobalAveragePooling2D()(L.BatchNormalization()(L.Conv2D(2, 2)(inputs["b"])))
    both = L.Concatenate()([L.Dense(3, name="shared")(inputs["a"]), image])
    return tf.keras.Model(inputs, {"y": L.Dense(1, name="y")(both), "z": L.Dense(2, name="z")(both)})


MODELS = {
    "sequential": (lambda: dense(compiled=False), [4]),
    "nested": (lambda: tf.keras.Sequential([tf.keras.Input((4,)), dense(compiled=False), L.Dense(3)]), [4]),
    "subclass": (lambda: Twice(3, name="twice"), [4]),
    "recurrent": (lambda: tf.keras.Sequential([L.Embedding(9, 4), L.LSTM(3), L.Dense(1)]), None),
}


@pytest.mark.parametrize("kind", MODELS)
def test_kinds_of_models(tmp_path, kind):
    make, shape = MODELS[kind]
    model = make()
    x = tf.random.normal([5, *shape]) if shape else tf.constant([[1, 2, 3], [4, 5, 6]])
    wanted = model(x).numpy()
    model.save(tmp_path / "m.keras")
    loaded = tf.keras.models.load_model(tmp_path / "m.keras")
    assert type(loaded) is type(model) and loaded.name == model.name
    np.testing.assert_array_equal(loaded(x).numpy(), wanted)


def test_a_functional_model_with_names_and_several_outputs(tmp_path):
    model = several_outputs()
    model.compile(
        "sgd",
        loss={"y": "mse", "z": absolute},
        loss_weights={"y": 1.0, "z": 0.5},
        metrics={"y": ["mae", tf.keras.metrics.MeanSquaredError(name="squared")]},
    )
    random = np.random.default_rng(1)
    x = {"a": random.random((8, 4), np.float32), "b": random.random((8, 3, 3, 1), np.float32)}
    y = {"y": random.random((8, 1), np.float32), "z": random.random((8, 2), np.float32)}
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded = tf.keras.models.load_model(tmp_path / "m.keras")
    found, wanted = (
        loaded.evaluate(x, y, verbose=0, return_dict=True),
        model.evaluate(x, y, verbose=0, return_dict=True),
    )
    assert found == wanted and {"loss", "y_loss", "z_loss", "y_mae", "y_squared"} <= set(found)


def test_custom_objects_by_name(tmp_path):
    class Mine(L.Layer):
        def build(self, shape):
            self.factor = self.add_weight(shape=(), initializer="ones", name="factor")

        def call(self, inputs):
            return inputs * self.factor

    model = tf.keras.Sequential([tf.keras.Input((2,)), Mine()])
    model.layers[0].factor.assign(3.0)
    model.save(tmp_path / "m.keras")
    with pytest.raises(ValueError, match="Mine"):
        tf.keras.models.load_model(tmp_path / "m.keras")
    loaded = tf.keras.models.load_model(tmp_path / "m.keras", custom_objects={"Mine": Mine})
    assert loaded(tf.ones([1, 2])).numpy().tolist() == [[3.0, 3.0]]


def test_what_it_was_compiled_with_is_optional(tmp_path):
    model = dense()
    model.fit(*data(), verbose=0)
    model.save(tmp_path / "with.keras")
    model.save(tmp_path / "without.keras", include_optimizer=False)
    assert tf.keras.models.load_model(tmp_path / "with.keras", compile=False).optimizer is None
    bare = tf.keras.models.load_model(tmp_path / "without.keras")
    assert bare.optimizer is None and same(bare.get_weights(), model.get_weights())


def test_a_learning_rate_that_was_set_is_kept(tmp_path):
    model = dense()
    model.fit(*data(), verbose=0)
    model.optimizer.learning_rate.assign(0.125)  # not by the setter, so the program knows no number
    model.save(tmp_path / "m.keras")
    assert float(tf.keras.models.load_model(tmp_path / "m.keras").optimizer.learning_rate) == 0.125
    schedule = tf.keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
    model.compile(tf.keras.optimizers.SGD(schedule), "mse")
    model.save(tmp_path / "s.keras")
    assert (
        tf.keras.models.load_model(tmp_path / "s.keras").optimizer._learning_rate.get_config() == schedule.get_config()
    )


@pytest.mark.parametrize("path", ["m.h5", "m", "m.tf", "weights.h5"])
def test_other_formats_are_refused(tmp_path, path):
    with pytest.raises(ValueError, match=r"`\.keras`"):
        dense(compiled=False).save(tmp_path / path)


def rewritten(path, name, change):
    with zipfile.ZipFile(path) as archive:
        entries = {n: archive.read(n) for n in archive.namelist()}
    entries[name] = change(entries[name])
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in entries.items():
            if content is not None:
                archive.writestr(entry, content)


@pytest.mark.parametrize(
    "damage",
    [
        lambda p: p.write_bytes(p.read_bytes()[:-30]),
        lambda p: p.write_bytes(b"not a zip"),
        lambda p: rewritten(p, "metadata.json", lambda d: b"{}"),
        lambda p: rewritten(p, "config.json", lambda d: d[:-10]),
        lambda p: rewritten(p, "config.json", lambda d: None),
        lambda p: rewritten(p, "weights.index", lambda d: d.replace(b"layer_0", b"layer_9")),
        lambda p: rewritten(p, "weights.safetensors", lambda d: d[:-1] + bytes([d[-1] ^ 1])),
        lambda p: rewritten(p, "weights.safetensors", lambda d: d + b"x"),
        lambda p: rewritten(p, "weights.safetensors", lambda d: None),
    ],
)
def test_a_damaged_file_is_told_as_such(tmp_path, damage):
    path = tmp_path / "m.keras"
    dense(compiled=False).save(path)
    damage(path)
    with pytest.raises(tf.errors.DataLossError):
        tf.keras.models.load_model(path)


def test_there_is_no_such_file(tmp_path):
    with pytest.raises(tf.errors.NotFoundError, match="File not found"):
        tf.keras.models.load_model(tmp_path / "nothing.keras")


def test_a_file_can_name_no_code(tmp_path):
    path = tmp_path / "m.keras"
    dense(compiled=False).save(path)

    def named(content):
        config = json.loads(content)
        config["class_name"], config["registered_name"] = "os.system", "os>system"
        return json.dumps(config).encode()

    rewritten(path, "config.json", named)
    with pytest.raises(ValueError, match="os>system"):
        tf.keras.models.load_model(path)


def test_a_crash_while_a_model_is_saved_leaves_the_old_file(tmp_path):
    source = f"""
import os, signal
import client as tf
from client.train import places
model = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
model.save({str(tmp_path / "m.keras")!r})
model.layers[0].bias.assign([1.0, 1.0])
os.replace = lambda *a: os.kill(os.getpid(), signal.SIGKILL)
model.save({str(tmp_path / "m.keras")!r})
"""
    assert run_program(source).returncode == -9
    assert tf.keras.models.load_model(tmp_path / "m.keras").get_weights()[1].tolist() == [0.0, 0.0]


# --- ModelCheckpoint -------------------------------------------------------------------------------------------------


def fitted(callbacks, epochs=3, **options):
    model = dense()
    model.fit(*data(), batch_size=10, epochs=epochs, verbose=0, callbacks=callbacks, **options)
    return model


def waits_of(callbacks, **options):
    before = tf.stats()["waits"]
    fitted(callbacks, **options)
    return tf.stats()["waits"] - before


def test_saving_every_epoch_or_some_batches_adds_no_wait(tmp_path):
    without = waits_of([])
    assert waits_of([tf.keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")]) == without
    assert {p.name for p in tmp_path.iterdir()} == {"1.keras", "2.keras", "3.keras"}
    by_batch = tf.keras.callbacks.ModelCheckpoint(tmp_path / "b{epoch}-{batch}", save_weights_only=True, save_freq=5)
    assert waits_of([by_batch]) == without
    found = sorted(p.name.removesuffix(".index") for p in tmp_path.glob("b*.index"))
    assert found == ["b2-1", "b3-2"]  # batches 5 and 10 of epochs of 4


def test_each_file_holds_its_epochs_weights(tmp_path):
    seen = []
    note = tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: seen.append(note.model.get_weights()))
    path = tmp_path / "{epoch:02d}-{loss:.3f}.keras"
    model = fitted([note, tf.keras.callbacks.ModelCheckpoint(path)])
    for epoch, weights in enumerate(seen, 1):
        loss = model.history.history["loss"][epoch - 1]
        loaded = tf.keras.models.load_model(tmp_path / f"{epoch:02d}-{loss:.3f}.keras")
        assert same(loaded.get_weights(), weights)


def test_only_the_best(tmp_path, capsys):
    values = iter([3.0, 2.0, 2.5, 1.0])
    value = tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(loss=next(values)))
    best = tf.keras.callbacks.ModelCheckpoint(
        tmp_path / "{epoch}", monitor="loss", save_best_only=True, save_weights_only=True, verbose=1
    )
    fitted([value, best], epochs=4)
    assert sorted(p.name for p in tmp_path.glob("*.index")) == ["1.index", "2.index", "4.index"]
    assert best.best == 1.0
    said = capsys.readouterr().out
    assert "Epoch 2: loss improved from 3.00000 to 2.00000" in said and "Epoch 3: loss did not improve from 2.0" in said


def test_only_what_beats_a_threshold(tmp_path):
    callback = tf.keras.callbacks.ModelCheckpoint(
        tmp_path / "w", monitor="loss", save_best_only=True, save_weights_only=True, initial_value_threshold=0.0
    )
    fitted([callback], epochs=1)
    assert not list(tmp_path.iterdir())


def test_a_value_that_is_not_there(tmp_path):
    callback = tf.keras.callbacks.ModelCheckpoint(tmp_path / "w", save_best_only=True, save_weights_only=True)
    with pytest.warns(UserWarning, match="val_loss"):
        fitted([callback], epochs=1)
    with pytest.raises(KeyError, match="Failed to format"):
        fitted([tf.keras.callbacks.ModelCheckpoint(tmp_path / "{nothing}.keras")], epochs=1)
    with pytest.raises(ValueError, match="save_freq"):
        tf.keras.callbacks.ModelCheckpoint(tmp_path / "m.keras", save_freq="day")
    with pytest.raises(ValueError, match=r"\.keras"):
        tf.keras.callbacks.ModelCheckpoint(tmp_path / "m")


# --- BackupAndRestore ------------------------------------------------------------------------------------------------


def test_a_backup_adds_no_wait_and_goes_with_the_training(tmp_path):
    without = waits_of([])
    assert waits_of([tf.keras.callbacks.BackupAndRestore(tmp_path / "b")]) == without
    assert not (tmp_path / "b").exists()


class Interrupted(tf.keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.left = step

    def on_train_batch_begin(self, batch, logs=None):
        self.left -= 1
        if self.left < 0:
            raise InterruptedError


SOURCES = {
    "arrays": lambda: {"x": data()[0], "y": data()[1], "batch_size": 10},
    "arrays in order": lambda: {"x": data()[0], "y": data()[1], "batch_size": 10, "shuffle": False},
    "shuffled within batches": lambda: {"x": data()[0], "y": data()[1], "batch_size": 10, "shuffle": "batch"},
    "dataset": lambda: {"x": tf.data.Dataset.from_tensor_slices(data()).shuffle(40).batch(10)},
    "steps of a dataset": lambda: {
        "x": tf.data.Dataset.from_tensor_slices(data()).shuffle(40).repeat().batch(9), "steps_per_epoch": 4,
    },
    "fewer steps than batches": lambda: {
        "x": tf.data.Dataset.from_tensor_slices(data()).shuffle(40).batch(5), "steps_per_epoch": 4,
    },
}  # fmt: skip


@pytest.mark.parametrize("save_freq", ["epoch", 3])
@pytest.mark.parametrize("source", SOURCES)
def test_an_interrupted_training_goes_on_where_it_was(tmp_path, source, save_freq):
    def train(*callbacks):
        tf.keras.utils.set_random_seed(1)
        model = dense()
        model.fit(**SOURCES[source](), epochs=4, verbose=0, callbacks=list(callbacks))
        return model

    undisturbed = train()
    backup = lambda: tf.keras.callbacks.BackupAndRestore(tmp_path / "b", save_freq=save_freq, delete_checkpoint=False)
    done = []
    count = tf.keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: done.append(batch))
    with pytest.raises(InterruptedError):
        train(backup(), Interrupted(7))
    tf.data.Dataset.range(1)  # what else a program draws on its way
    resumed = train(backup(), count)
    assert same(resumed.get_weights(), undisturbed.get_weights())
    assert same(resumed.optimizer.variables, undisturbed.optimizer.variables)
    steps = len(done)
    total = int(undisturbed.optimizer.iterations)
    assert steps == total - (6 if save_freq == 3 else total // 4)


def test_the_backup_before_the_last_can_be_kept(tmp_path):
    callback = tf.keras.callbacks.BackupAndRestore(tmp_path / "b", double_checkpoint=True, delete_checkpoint=False)
    fitted([callback])
    assert len(list((tmp_path / "b").glob("*.index"))) == 2
    with pytest.raises(ValueError, match="backup_dir"):
        tf.keras.callbacks.BackupAndRestore("")
    with pytest.raises(ValueError, match="save_freq"):
        tf.keras.callbacks.BackupAndRestore("b", save_freq=0.5)


def test_the_safetensors_of_weights_are_named_by_their_layers(tmp_path):
    dense(compiled=False).save_weights(tmp_path / "w")
    (path,) = tmp_path.glob("w.data-*")
    assert sorted(safetensors.numpy.load_file(path)) == [
        "layer_0/bias", "layer_0/kernel", "layer_2/bias", "layer_2/kernel",
    ]  # fmt: skip
    assert os.path.getsize(path) < 1000
