"""The names of `tf.keras.callbacks`."""
