"""The names of `tf.keras.datasets`."""
