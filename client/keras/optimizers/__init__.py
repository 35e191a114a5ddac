"""The names of `tf.keras.optimizers`."""
