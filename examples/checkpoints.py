"""State in files: weights of a model, a variable, a model with its optimizer, a training that goes on after a crash.

python examples/checkpoints.py [--url http://gpu-host:8470 --token-file token] [--folder somewhere]

The files are on this machine. With `--folder server://somewhere` they stay with the server, in its --data-dir.
"""

from __future__ import annotations

import tempfile
from typing import Any

from common import connected

import client as tf


def weights_of_a_model(folder: str) -> Any:
    """Saved with one wait, whatever their number; loaded with none."""
    model = tf.keras.Sequential(
        [tf.keras.layers.Dense(4, activation="relu", input_shape=(3,)), tf.keras.layers.Dense(1)]
    )
    model.save_weights(f"{folder}/weights")
    return model.load_weights(f"{folder}/weights").assert_consumed()


def a_variable(folder: str) -> tuple[str, Any]:
    """A value comes back from the latest checkpoint."""
    x = tf.Variable(10.0)
    checkpoint = tf.train.Checkpoint(x=x)
    x.assign(2.0)
    path = checkpoint.save(f"{folder}/")
    x.assign(11.0)
    checkpoint.restore(tf.train.latest_checkpoint(folder))
    return path, x


def a_model_and_its_optimizer(folder: str) -> Any:
    """Layers are built at their first call, so what is restored before that gets its values then."""
    layers = tf.keras.layers
    model = tf.keras.Sequential(
        [layers.Conv2D(16, [3, 3], activation="relu"), layers.GlobalAveragePooling2D(), layers.Dense(10)]
    )
    optimizer = tf.keras.optimizers.Adam(learning_rate=0.001)
    root = tf.train.Checkpoint(optimizer=optimizer, model=model)
    root.save(f"{folder}/ckpt")
    return root.restore(tf.train.latest_checkpoint(folder))


def train(folder: str, steps: int) -> tuple[int, int]:
    """Steps up to number `steps`, from the latest checkpoint on: the first step of this run, and the number of saves.

    Saving does not stop the loop: the files are written behind its back, with the values of that step.
    """
    w, step = tf.Variable([5.0, 5.0]), tf.Variable(0)
    batches = iter(tf.data.Dataset.range(1000).shuffle(1000, seed=1).batch(8))
    optimizer = tf.keras.optimizers.Adam(0.1)
    checkpoint = tf.train.Checkpoint(w=w, step=step, batches=batches, optimizer=optimizer)
    manager = tf.train.CheckpointManager(checkpoint, folder, max_to_keep=3)
    checkpoint.restore(manager.latest_checkpoint)
    first = int(step)
    for number in range(first, steps):
        x = tf.cast(next(batches), tf.float32) / 1000.0
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(w[0] * x + w[1] - (2.0 * x - 1.0)))
        optimizer.apply_gradients([(tape.gradient(loss, w), w)])
        step.assign_add(1)
        if number % 10 == 9:
            manager.save(wait=False)
    manager.sync()
    return first, len(manager.checkpoints)


if __name__ == "__main__":
    given = connected(__doc__, ("--folder", {"help": "where the files go; a new directory, if none is given"}))
    place = given.folder or tempfile.mkdtemp()
    print(weights_of_a_model(f"{place}/weights"))
    saved, variable = a_variable(f"{place}/variable")
    print(f"{saved} -> {variable}")
    print(a_model_and_its_optimizer(f"{place}/model"))
    for end in (30, 60):
        begun, kept = train(f"{place}/training", end)
        print(f"steps {begun} to {end}, {kept} checkpoints kept")
