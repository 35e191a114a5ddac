"""The names of `tf.keras.activations`."""
