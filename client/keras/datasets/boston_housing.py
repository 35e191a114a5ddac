"""Boston housing: prices of homes in 1978."""

from __future__ import annotations

from typing import Any

from client.api import public
from client.keras.datasets.files import Split, load_rows


@public("keras.datasets.boston_housing.load_data")
def load_data(path: Any = "boston_housing.npz", test_split: float = 0.2, seed: int = 113) -> Split:
    """506 suburbs by 13 features, with the median price of a home in thousands of dollars.

    One of the features assumes that segregation by race moves prices, so that the data are of use only where that is
    the subject; `california_housing` is a better example of regression.

    Args:
        path: what to call the file in the cache; an absolute path is used as it is.
        test_split: the part of the rows that is for tests, at least 0 and less than 1.
        seed: of the order of the rows.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of float64, of the shapes [rows, 13] and [rows].

    Raises:
        ValueError: another `test_split`.
        OSError: the file is not there and can't be downloaded; the text says where to put it.

    >>> import client as tf
    >>> (x_train, y_train), (x_test, y_test) = tf.keras.datasets.boston_housing.load_data()  # doctest: +SKIP
    >>> x_train.shape  # doctest: +SKIP
    (404, 13)
    """
    return load_rows("boston_housing", path, test_split, seed)
