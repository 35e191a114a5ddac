"""The names of `tf.keras.metrics`."""

from client.api import names_in
from client.keras.metrics import confusion, iou, means, metric, regression, scores

globals().update(names_in("keras.metrics"))
