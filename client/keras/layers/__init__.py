"""The names of `tf.keras.layers`."""
