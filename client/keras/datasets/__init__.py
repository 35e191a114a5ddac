"""The names of `tf.keras.datasets`: known datasets as NumPy arrays, downloaded once."""

from __future__ import annotations

from typing import Any

from client.keras.datasets import boston_housing, california_housing, cifar10, cifar100, fashion_mnist, mnist


def __getattr__(name: str) -> Any:
    if name in ("imdb", "reuters"):
        raise AttributeError(
            f"tf.keras.datasets.{name} is left out: its file holds Python pickles, and reading a pickle can run code"
        )
    raise AttributeError(f"module 'tf.keras.datasets' has no attribute {name!r}")
