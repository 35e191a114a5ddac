"""`tf.data.experimental`: the names that older programs have.

Owns: `cardinality`, `assert_cardinality`. Does not know how datasets are made.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from client.api import public
from client.data import stages
from client.data.base import integer
from client.data.dataset import Dataset, Node


@public("data.experimental.cardinality")
def cardinality(dataset: Dataset) -> Any:
    """`dataset.cardinality()`.

    >>> import client as tf
    >>> int(tf.data.experimental.cardinality(tf.data.Dataset.range(3)))
    3
    """
    return dataset.cardinality()


@public("data.experimental.assert_cardinality")
def assert_cardinality(expected_cardinality: Any) -> Callable[[Dataset], Dataset]:
    """For `Dataset.apply`: says how many elements there are, which is checked in iterating.

    Raises:
        tf.errors.FailedPreconditionError: in iterating: there are more or fewer.

    >>> import client as tf
    >>> odd = tf.data.Dataset.range(6).filter(lambda x: x % 2 == 1)
    >>> len(odd.apply(tf.data.experimental.assert_cardinality(3)))
    3
    """
    expected = integer(expected_cardinality)

    def claim(dataset: Dataset) -> Dataset:
        return Node(
            "AssertCardinality",
            (dataset,),
            lambda run, upload: stages.Counted(dataset._stage(run, upload), expected),
            lambda: expected,
            lambda: dataset.element_spec,
        )

    return claim
