"""The names of `tf.keras.losses`."""

from client.api import names_in
from client.keras.losses import classification, loss, margins, overlap, regression

globals().update(names_in("keras.losses"))
