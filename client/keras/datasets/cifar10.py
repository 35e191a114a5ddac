"""CIFAR-10: small colour images of ten classes."""

from __future__ import annotations

import numpy as np

from client.api import public
from client.keras.datasets.files import Split, load_images, locate


@public("keras.datasets.cifar10.load_data")
def load_data() -> Split:
    """60000 colour images of: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.

    They are read from the binary version of the archive, `datasets/cifar-10-binary.tar.gz` in the cache, and not from
    the one of Python pickles that Keras reads, since reading a pickle can run code. The images and their order are the
    same.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of uint8, of the shapes [50000, 32, 32, 3], [50000, 1],
        [10000, 32, 32, 3] and [10000, 1].

    Raises:
        OSError: the file is not there and can't be downloaded; the text says where to put it.

    >>> import client as tf
    >>> (x_train, y_train), (x_test, y_test) = tf.keras.datasets.cifar10.load_data()  # doctest: +SKIP
    >>> x_train.shape  # doctest: +SKIP
    (50000, 32, 32, 3)
    """
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    *parts, test = load_images(locate("cifar10"), [f"cifar-10-batches-bin/{name}.bin" for name in names], 1, 0)
    return (np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])), test
