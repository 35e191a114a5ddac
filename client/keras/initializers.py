"""The names of `tf.keras.initializers`."""
