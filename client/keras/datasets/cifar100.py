"""CIFAR-100: small colour images of a hundred classes."""

from __future__ import annotations

from client.api import public
from client.keras.datasets.files import Split, load_images, locate


@public("keras.datasets.cifar100.load_data")
def load_data(label_mode: str = "fine") -> Split:
    """60000 colour images of 100 classes, which make 20 groups.

    They are read from the binary version of the archive, `datasets/cifar-100-binary.tar.gz` in the cache, and not from
    the one of Python pickles that Keras reads, since reading a pickle can run code. The images and their order are the
    same.

    Args:
        label_mode: `fine` for the classes, `coarse` for the groups.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of uint8, of the shapes [50000, 32, 32, 3], [50000, 1],
        [10000, 32, 32, 3] and [10000, 1].

    Raises:
        ValueError: another `label_mode`.
        OSError: the file is not there and can't be downloaded; the text says where to put it.

    >>> import client as tf
    >>> (x_train, y_train), (x_test, y_test) = tf.keras.datasets.cifar100.load_data()  # doctest: +SKIP
    >>> x_train.shape  # doctest: +SKIP
    (50000, 32, 32, 3)
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(f'`label_mode` must be one of `"fine"`, `"coarse"`. Received: label_mode={label_mode}.')
    members = ["cifar-100-binary/train.bin", "cifar-100-binary/test.bin"]
    train, test = load_images(locate("cifar100"), members, 2, ("coarse", "fine").index(label_mode))
    return train, test
