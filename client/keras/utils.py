"""The names of `tf.keras.utils`."""
