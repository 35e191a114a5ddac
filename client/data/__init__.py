"""The names of `tf.data`."""
