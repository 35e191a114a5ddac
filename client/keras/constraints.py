"""The names of `tf.keras.constraints`."""
