"""The names of `tf.keras.metrics`."""
