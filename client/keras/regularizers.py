"""The names of `tf.keras.regularizers`."""
