"""The names of `tf.keras.models`."""

from client.api import names_in
from client.keras.models import cloning, functional, model, saving, sequential

globals().update(names_in("keras.models"))
