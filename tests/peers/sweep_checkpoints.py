"""TensorFlow's checkpoint semantics: the programs in `checkpoints/`, each outcome as a text and the numbers in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from tests.peers.checkpoints import PROGRAMS, run


def apart(value: Any, numbers: list[float]) -> Any:
    """A value with its floats, which may differ by rounding, moved to `numbers`."""
    if isinstance(value, float):
        numbers.append(value)
        return "#"
    if isinstance(value, list):
        return [apart(each, numbers) for each in value]
    return {k: apart(v, numbers) for k, v in value.items()} if isinstance(value, dict) else value


def arrays(found: dict[str, Any]) -> list[Any]:
    """Per outcome its text and its floats."""
    made: list[Any] = []
    for name, value in found.items():
        numbers: list[float] = []
        text = json.dumps(apart(value, numbers), separators=(",", "="))
        made += [f"{name}={text}", np.array(numbers)]
    return made


def cases() -> Iterator[tuple[Any, ...]]:
    for name in PROGRAMS:
        yield name.replace("_", " "), lambda tf, name=name: arrays(run(name, tf))
