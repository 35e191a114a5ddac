"""The names of `tf.keras.losses`."""
