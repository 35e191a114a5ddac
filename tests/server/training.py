"""A training whose result depends on every step: `python training.py STEPS [TRANSPORT]`; the server is that of
TELEGRAD_URL.

Beside the small ops of a training there are large values both ways, bursts that fill the wire, and ops that fail for
want of memory, which cost nothing but themselves. It prints each step as it is issued, and in the end a digest of
everything it has.
"""

import hashlib
import sys

import numpy as np

import client as tf

steps = int(sys.argv[1])
tf.connect(transport=sys.argv[2] if len(sys.argv) > 2 else "auto")
tf.random.set_seed(3)
generator = tf.random.Generator.from_seed(4)
layers = tf.keras.layers
model = tf.keras.Sequential([layers.Dense(32, activation="tanh"), layers.Dropout(0.2), layers.Dense(4)])
optimizer = tf.keras.optimizers.Adam(0.01)
mean = tf.keras.metrics.Mean()
constant = np.random.default_rng(0).standard_normal((300, 1000)).astype(np.float32)  # over the inline limit
total = tf.Variable(tf.zeros([300, 1000]))
piece = tf.Variable(tf.zeros([200, 1000]))  # of constants within the limit
kept = tf.GradientTape(persistent=True)  # lives through everything
with kept:
    w = tf.Variable([2.0, 3.0])
    square = w * w
digest = hashlib.sha256()
for step in range(steps):
    x = tf.random.normal([16, 8]) + generator.normal([16, 8], stddev=0.01)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x, training=True) - x[:, :4]))
    optimizer.apply_gradients(
        zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
    )
    mean.update_state(loss)
    if step % 10 == 5:
        total.assign_add(tf.constant(constant) * float(step))
    if step % 25 == 12:
        digest.update(total.numpy().tobytes())
    if step % 40 == 20:
        for i in range(8):
            piece.assign_add(tf.constant(constant[:200]) * float(i))
    if step % 30 == 15:
        before = float(mean.result())
        try:
            tf.ones([2**40]).numpy()
        except tf.errors.ResourceExhaustedError as error:
            assert "allowed" in str(error)
        else:
            raise AssertionError("four terabytes were found")
        assert float(mean.result()) == before
    if step % 7 == 3:
        digest.update(np.float32(float(loss)).tobytes())
    print("step", step, flush=True)
rest = (total, piece, generator.state, mean.result(), kept.gradient(square, w))
for value in (*model.get_weights(), *tf.fetch(*optimizer.variables), *tf.fetch(*rest)):
    digest.update(np.asarray(value).tobytes())
print("digest", digest.hexdigest(), flush=True)
