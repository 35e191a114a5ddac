"""Events as TensorBoard reads them: the one module that knows the `tensorboard` package.

Owns: the protocol buffers of events, tensors and plugin metadata, the records of an event file, its name. Does not know
sessions, threads or files. `tensorboard` is imported at the first use; it works without TensorFlow and imports none.
"""

from __future__ import annotations

import importlib
import itertools
import os
import socket
import time
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

import numpy as np

from protocol.dtypes import BY_NUMPY
from protocol.errors import DataLossError

_WRITER: Final = "telegrad"
_ENUM: Final = {"float16": "HALF", "float32": "FLOAT", "float64": "DOUBLE"}
"""Names of dtypes in a TensorProto, where they are not the dtype's own in capitals."""

_files: Final = itertools.count()


@cache
def _module(path: str) -> Any:
    try:
        return importlib.import_module(f"tensorboard.{path}")
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "tensorboard":
            raise
        raise ModuleNotFoundError(
            'summaries are written by the tensorboard package: pip install "telegrad[tensorboard]"', name="tensorboard"
        ) from None


def file_name(suffix: str) -> str:
    """A new event file's name: by time, host, process and number in it."""
    return f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_files)}{suffix}"


def records(stream: Any) -> Any:
    """What writes events to a stream: its `write` frames one and adds checksums."""
    return _module("summary.writer.record_writer").RecordWriter(stream)


def header() -> bytes:
    """The first event of a file."""
    pb = _module("compat.proto.event_pb2")
    source = pb.SourceMetadata(writer=_WRITER)
    return _bytes(pb.Event(wall_time=time.time(), file_version="brain.Event:2", source_metadata=source))


def event(wall_time: float, step: int, summary: Any) -> bytes:
    """An event with a summary."""
    return _bytes(_module("compat.proto.event_pb2").Event(wall_time=wall_time, step=step, summary=summary))


def summary(tag: str, tensor: Any, metadata: bytes) -> Any:
    """A summary of one tensor."""
    pb = _module("compat.proto.summary_pb2")
    value = pb.Summary.Value(tag=tag, tensor=tensor, metadata=pb.SummaryMetadata.FromString(metadata))
    return pb.Summary(value=[value])


def parsed_summary(serialized: Sequence[bytes]) -> Any:
    """A summary with the values of several that were serialized. Raises DataLossError."""
    found = _module("compat.proto.summary_pb2").Summary()
    for i, data in enumerate(serialized):
        _parse(found, data, f"Summary binary proto tensor string at index {i}")
    return found


def _parse(message: Any, data: bytes, what: str) -> None:
    try:
        message.MergeFromString(data)
    except Exception as error:  # a DecodeError, of a package that only tensorboard knows
        raise DataLossError(f"Bad {what}") from error


def numbers(array: np.ndarray[Any, Any]) -> Any:
    """An array as a TensorProto."""
    name = BY_NUMPY[array.dtype].name
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return _tensor(f"DT_{_ENUM.get(name, name.upper())}", array.shape, tensor_content=little.tobytes())


def strings(values: Sequence[bytes], shape: Sequence[int]) -> Any:
    """Strings, in C order, as a TensorProto."""
    return _tensor("DT_STRING", shape, string_val=values)


def _tensor(dtype: str, shape: Sequence[int], **content: Any) -> Any:
    shapes, kinds = _module("compat.proto.tensor_shape_pb2"), _module("compat.proto.types_pb2")
    dims = [shapes.TensorShapeProto.Dim(size=d) for d in shape]
    return _module("compat.proto.tensor_pb2").TensorProto(
        dtype=kinds.DataType.Value(dtype), tensor_shape=shapes.TensorShapeProto(dim=dims), **content
    )


@cache
def metadata(plugin: str, description: str | None) -> bytes:
    """What tells TensorBoard which of its plugins shows a summary: "scalar", "histogram", "image", "text", "audio".

    Raises:
        TypeError: a description that is no string.
    """
    module = _module(f"plugins.{plugin}.metadata")
    encoding = {"encoding": module.Encoding.Value("WAV")} if plugin == "audio" else {}
    return _bytes(module.create_summary_metadata(display_name=None, description=description, **encoding))


def plugin_metadata(name: str, content: bytes) -> bytes:
    """The same for a plugin of another kind."""
    pb = _module("compat.proto.summary_pb2")
    data = pb.SummaryMetadata.PluginData(plugin_name=name, content=content)
    return _bytes(pb.SummaryMetadata(plugin_data=data))


def serialized_metadata(given: Any) -> bytes:
    """Metadata of the user's, a message or its bytes, checked.

    Raises:
        TypeError: it is neither.
        tf.errors.DataLossError: bytes that are no metadata.
    """
    if given is None:
        return b""
    if hasattr(given, "SerializeToString"):
        return _bytes(given)
    if not isinstance(given, bytes | str):
        raise TypeError(f"metadata must be a SummaryMetadata or its bytes, not {type(given).__name__}")
    data = given.encode() if isinstance(given, str) else given
    _parse(_module("compat.proto.summary_pb2").SummaryMetadata(), data, "metadata")
    return data


def _bytes(message: Any) -> bytes:
    found: bytes = message.SerializeToString()
    return found
