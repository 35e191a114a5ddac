"""The names of `tf.data`: datasets that feed programs.

Imported at its first use, so that a program without datasets does not pay for it.
"""

from __future__ import annotations

from client.api import names_in, namespace
from client.data import experimental as _experimental
from client.data import sources
from client.data.base import AUTOTUNE
from client.data.base import INFINITE as INFINITE_CARDINALITY
from client.data.base import UNKNOWN as UNKNOWN_CARDINALITY
from client.data.dataset import Dataset
from client.data.iterator import Iterator
from client.data.options import Options
from client.data.structure import DatasetSpec

experimental = namespace("data.experimental")
experimental.__dict__.update(
    AUTOTUNE=AUTOTUNE, INFINITE_CARDINALITY=INFINITE_CARDINALITY, UNKNOWN_CARDINALITY=UNKNOWN_CARDINALITY
)
globals().update(names_in("data"))
