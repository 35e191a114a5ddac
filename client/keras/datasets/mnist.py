"""MNIST: handwritten digits."""

from __future__ import annotations

from typing import Any

from client.api import public
from client.keras.datasets.files import Split, load_npz, locate


@public("keras.datasets.mnist.load_data")
def load_data(path: Any = "mnist.npz") -> Split:
    """70000 gray images of the digits 0 to 9.

    Args:
        path: what to call the file in the cache (`~/.keras/datasets`, or below `KERAS_HOME`); an absolute path is used
            as it is.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of uint8, of the shapes [60000, 28, 28], [60000],
        [10000, 28, 28] and [10000].

    Raises:
        OSError: the file is not there and can't be downloaded; the text says where to put it.

    >>> import client as tf
    >>> (x_train, y_train), (x_test, y_test) = tf.keras.datasets.mnist.load_data()  # doctest: +SKIP
    >>> x_train.shape  # doctest: +SKIP
    (60000, 28, 28)
    """
    x_train, y_train, x_test, y_test = load_npz(locate("mnist", path), "x_train", "y_train", "x_test", "y_test")
    return (x_train, y_train), (x_test, y_test)
