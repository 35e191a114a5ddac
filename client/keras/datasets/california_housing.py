"""California housing: prices of homes in 1990."""

from __future__ import annotations

from typing import Any

from client.api import public
from client.keras.datasets.files import Split, load_rows


@public("keras.datasets.california_housing.load_data")
def load_data(
    version: str = "large", path: Any = "california_housing.npz", test_split: float = 0.2, seed: int = 113
) -> Split:
    """20640 districts by 8 features, with the median value of a home in dollars.

    The features say where a district lies, and what its homes, people and incomes are.

    Args:
        version: `large`, or `small` for the first 600 rows.
        path: what to call the file in the cache; an absolute path is used as it is.
        test_split: the part of the rows that is for tests, at least 0 and less than 1.
        seed: of the order of the rows.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: arrays of floats, of the shapes [rows, 8] and [rows].

    Raises:
        ValueError: another `version` or `test_split`.
        OSError: the file is not there and can't be downloaded; the text says where to put it.

    >>> import client as tf
    >>> (x_train, y_train), (x_test, y_test) = tf.keras.datasets.california_housing.load_data()  # doctest: +SKIP
    >>> x_train.shape  # doctest: +SKIP
    (16512, 8)
    """
    if version not in ("small", "large"):
        raise ValueError(f"Argument `version` must be one of 'small', 'large'. Received: version={version}")
    return load_rows("california_housing", path, test_split, seed, 600 if version == "small" else None)
