"""A training that can be killed at any moment and started again: `python resumable.py FOLDER KIND STEPS`.

It goes on from its latest checkpoint, whatever is there, also where the server lost its session, and in the end prints
a digest of all weights and of the optimizer's and the generator's state. KIND is "loop", a loop of one's own with a
dataset iterator, a random generator and unseeded dropout in the checkpoint, or "fit", which has `BackupAndRestore`.
"""

import hashlib
import sys

import numpy as np

import client as tf

folder, kind, steps = sys.argv[1], sys.argv[2], int(sys.argv[3])


def data():
    random = np.random.default_rng(0)
    return random.random((120, 6), dtype=np.float32), random.integers(0, 3, 120)


def network():
    layers = tf.keras.layers
    return tf.keras.Sequential([layers.Dense(16, activation="relu"), layers.Dropout(0.25), layers.Dense(3)])


def loop():
    tf.random.set_seed(5)
    model, optimizer = network(), tf.keras.optimizers.Adam(0.01)
    generator = tf.random.Generator.from_seed(1)
    iterator = iter(tf.data.Dataset.from_tensor_slices(data()).shuffle(50, seed=2).repeat().batch(16))
    step = tf.Variable(0, dtype=tf.int64)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer, data=iterator, random=generator, step=step)
    manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=2)
    checkpoint.restore(manager.latest_checkpoint)
    done = int(step)
    print("from", done, flush=True)
    for number in range(done, steps):
        x, y = next(iterator)
        with tf.GradientTape() as tape:
            logits = model(x + generator.normal(x.shape, stddev=0.01), training=True)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=y, logits=logits)
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        step.assign_add(1)
        print("step", number, flush=True)
        if number % 3 == 0:
            manager.save(wait=number % 2 == 0)  # in the foreground and behind the program's back
    checkpoint.sync()
    return (*model.variables, *optimizer.variables, generator.state)


def fit():
    tf.random.set_seed(5)
    model = network()
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(0.01), loss)
    model.build((None, 6))
    backup = tf.keras.callbacks.BackupAndRestore(folder, save_freq=4, delete_checkpoint=False)
    begin = tf.keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: print("step", flush=True))
    model.fit(*data(), batch_size=8, epochs=steps // 15, verbose=0, callbacks=[backup, begin])
    return (*model.variables, *model.optimizer.variables)


def values():
    while True:
        try:
            return tf.fetch(*(loop if kind == "loop" else fit)())
        except tf.errors.SessionLostError:
            print("lost", flush=True)
            connect()


def connect():
    """Until it works: a connection that is being made can meet a fault too, and then says so."""
    while True:
        try:
            return tf.connect()
        except tf.errors.UnavailableError as error:
            print(f"no connection: {error}", file=sys.stderr)


digest = hashlib.sha256()
for value in values():
    digest.update(np.asarray(value).tobytes())
print("weights", digest.hexdigest())
