"""Fashion-MNIST: pictures of clothes."""

from __future__ import annotations

from client.api import public
from client.keras.datasets.files import FASHION_MNIST, Split, load_idx, locate


@public("keras.datasets.fashion_mnist.load_data")
def load_data() -> Split:
    """70000 gray images of: T-shirt/top, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.

    Four compressed files lie in the cache's folder `datasets/fashion-mnist`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of uint8, of the shapes [60000, 28, 28], [60000],
        [10000, 28, 28] and [10000].

    Raises:
        OSError: a file is not there and can't be downloaded; the text says where to put it.

    >>> import client as tf
    >>> (x_train, y_train), (x_test, y_test) = tf.keras.datasets.fashion_mnist.load_data()  # doctest: +SKIP
    >>> x_train.shape  # doctest: +SKIP
    (60000, 28, 28)
    """
    x_train, y_train, x_test, y_test = [
        load_idx(locate(name, folder="datasets/fashion-mnist")) for name in FASHION_MNIST
    ]
    return (x_train, y_train), (x_test, y_test)
