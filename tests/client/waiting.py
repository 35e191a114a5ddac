"""Counting round trips, and values that only the server knows."""

import contextlib
from collections.abc import Iterator
from typing import Any

import client as tf


@contextlib.contextmanager
def waits(expected: int) -> Iterator[None]:
    """Check how often the block waits for the server."""
    before = tf.stats()["waits"]
    yield
    assert tf.stats()["waits"] - before == expected


def remote(value: Any, dtype: Any = None) -> tf.Tensor:
    """A tensor with that value, which the client does not know."""
    tensor = tf.identity(tf.constant(value, dtype))
    assert tf.get_static_value(tensor) is None
    return tensor
