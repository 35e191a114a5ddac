"""The names of `tf.keras.models`."""
