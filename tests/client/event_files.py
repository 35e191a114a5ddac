"""Reading event files back, with TensorBoard's own reader."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tensorboard.backend.event_processing.event_accumulator import TENSORS, EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

import client as tf
from tests.client.summarized import events_in


def read(folder: Path | str) -> dict[str, list[tuple[int, Any]]]:
    """By tag, the steps and values that TensorBoard finds."""
    accumulator = EventAccumulator(str(folder), size_guidance={TENSORS: 0})
    accumulator.Reload()
    return {
        tag: [(e.step, make_ndarray(e.tensor_proto)) for e in accumulator.Tensors(tag)]
        for tag in accumulator.Tags()["tensors"]
    }


def scalars(folder: Path | str) -> dict[str, list[tuple[int, float]]]:
    """The same of the numbers alone, as floats."""
    return {
        tag: [(step, float(value)) for step, value in found]
        for tag, found in read(folder).items()
        if all(value.dtype == "float32" for _, value in found)
    }


def in_order(folder: Path | str) -> list[tuple[str, int]]:
    """Tags and steps as they stand in the one file."""
    (path,) = Path(folder).iterdir()
    return [(e.summary.value[0].tag, e.step) for e in events_in(path) if e.HasField("summary")]


def default_writer(folder: Path) -> Iterator[Any]:
    """For a fixture: a writer that is the default, closed at the end."""
    made = tf.summary.create_file_writer(folder)
    with made.as_default():
        yield made
    made.close()
