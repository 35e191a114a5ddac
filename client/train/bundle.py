"""What a checkpoint looks like as bytes: an index in JSON and values in the safetensors format.

Owns: both formats and their checks. Does not know where they are kept (`client.train.places`), objects or sessions.

    ckpt-1.index                     {"format": ..., "version": 1, "checksum": ..., "content": {...}}
    ckpt-1.data-<id>.safetensors     the values, one after the other

The content names the data file, lists each tensor (dtype, shape, offset, checksum) and the nodes of the object graph:
a node's children by the names of its edges, the tensor of a variable, the state of what else has one. The index is
written last and whole, so a checkpoint is there or it is not. Checksums are 64-bit XXH3 in hexadecimal; they find
damage, not malice.

Any reader of safetensors can open the data. A complex tensor stands there as real ones with a last axis of two.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import xxhash

from protocol import __version__, dtypes
from protocol.dtypes import DType
from protocol.errors import DataLossError
from protocol.spec import MAX_RANK, Spec

FORMAT: Final = "telegrad-checkpoint"
VERSION: Final = 1
INDEX: Final = ".index"
DATA: Final = ".data-"
SUFFIX: Final = ".safetensors"
_ALIGNMENT: Final = 64
"""Where the first value begins: a multiple of this many bytes, so that a file that is mapped can be used in place."""

_NAMES: Final = {
    "bool": "BOOL", "int8": "I8", "int16": "I16", "int32": "I32", "int64": "I64", "uint8": "U8", "uint16": "U16",
    "uint32": "U32", "uint64": "U64", "float16": "F16", "bfloat16": "BF16", "float32": "F32", "float64": "F64",
    "complex64": "F32", "complex128": "F64",
}  # fmt: skip


class Entry(NamedTuple):
    """A tensor in a data file. `offset` counts from the file's first byte."""

    dtype: DType
    shape: tuple[int, ...]
    offset: int
    checksum: int

    @property
    def nbytes(self) -> int:
        """Its size."""
        size: int = math.prod(self.shape) * self.dtype.size
        return size


@dataclass
class Node:
    """An object of the graph. `state` is of the kind of object that `kind` says, None for no state."""

    children: dict[str, int] = field(default_factory=dict)
    tensor: str | None = None
    state: Any = None
    kind: str | None = None

    @property
    def has_state(self) -> bool:
        """Whether it has a state of its own."""
        return self.kind is not None

    @property
    def has_value(self) -> bool:
        """Whether there is something to restore in the object itself."""
        return self.tensor is not None or self.has_state


@dataclass
class Index:
    """What an index file says."""

    data: str
    size: int
    tensors: dict[str, Entry]
    nodes: list[Node]


def head(specs: Mapping[str, Spec]) -> tuple[bytes, list[int]]:
    """The first bytes of a safetensors file with these tensors, and where in the file each begins."""
    header: dict[str, Any] = {"__metadata__": {"format": FORMAT}}
    starts, position = [], 0
    for key, spec in specs.items():
        assert spec.shape is not None
        shape = [*spec.shape, 2] if spec.dtype.is_complex else [*spec.shape]
        header[key] = {
            "dtype": _NAMES[spec.dtype.name],
            "shape": shape,
            "data_offsets": [position, position + spec.nbytes],
        }
        starts.append(position)
        position += spec.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNMENT)
    found = len(text).to_bytes(8, "little") + text
    return found, [len(found) + s for s in starts]


def tensor_key(names: Iterable[str]) -> str:
    """The name of a tensor in the data file: the edges from the root to its variable."""
    return "/".join(n.replace("~", "~0").replace("/", "~1") for n in names) or "."


def dump(index: Index) -> bytes:
    """An index file's bytes."""
    nodes = []
    for node in index.nodes:
        entry: dict[str, Any] = {"children": node.children} if node.children else {}
        if node.tensor is not None:
            entry["tensor"] = node.tensor
        if node.has_state:
            entry |= {"state": node.state, "kind": node.kind}
        nodes.append(entry)
    tensors = {
        key: {"dtype": e.dtype.name, "shape": list(e.shape), "offset": e.offset, "checksum": f"{e.checksum:016x}"}
        for key, e in index.tensors.items()
    }
    content = {"library": __version__, "data": index.data, "bytes": index.size, "tensors": tensors, "nodes": nodes}
    whole = {"format": FORMAT, "version": VERSION, "checksum": _checksum(content), "content": content}
    return json.dumps(whole, indent=1).encode()


def parse(data: bytes, path: str) -> Index:
    """What an index file says.

    Raises:
        DataLossError: it is damaged, of another format, or of a version that this library does not know.
    """
    try:
        whole = json.loads(data)
        if not isinstance(whole, dict) or whole.get("format") != FORMAT:
            raise DataLossError(f"{path} is no checkpoint of Telegrad")
        if whole["version"] != VERSION:
            raise DataLossError(f"{path} has version {whole['version']!r:.20}; this library reads version {VERSION}")
        content = whole["content"]
        if whole["checksum"] != _checksum(content):
            raise DataLossError(f"{path} is damaged: its checksum is not that of its contents")
        tensors = {key: _entry(value) for key, value in content["tensors"].items()}
        nodes = [
            Node(dict(n.get("children", {})), n.get("tensor"), n.get("state"), n.get("kind")) for n in content["nodes"]
        ]
        index = Index(str(content["data"]), int(content["bytes"]), tensors, nodes)
        _check(index)
    except DataLossError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DataLossError(f"{path} is damaged, or no checkpoint of Telegrad: {error}") from None
    return index


def _entry(value: Mapping[str, Any]) -> Entry:
    shape = tuple(value["shape"])
    if len(shape) > MAX_RANK or not all(type(d) is int and d >= 0 for d in shape):
        raise ValueError(f"{shape!r:.100} is no shape")
    return Entry(dtypes.as_dtype(value["dtype"]), shape, int(value["offset"]), int(value["checksum"], 16))


def _check(index: Index) -> None:
    """Raise ValueError unless the parts fit together."""
    if "/" in index.data or "\\" in index.data or not index.nodes:
        raise ValueError("no data file or no nodes")
    for entry in index.tensors.values():
        if entry.offset < 0 or entry.offset + entry.nbytes > index.size:
            raise ValueError("a tensor lies outside of the data file")
    for node in index.nodes:
        if node.tensor is not None and node.tensor not in index.tensors:
            raise ValueError(f"there is no tensor {node.tensor!r:.100}")
        if not all(type(c) is int and 0 <= c < len(index.nodes) for c in node.children.values()):
            raise ValueError("an edge leads nowhere")


def _checksum(content: Any) -> str:
    return xxhash.xxh3_64_hexdigest(json.dumps(content, sort_keys=True, separators=(",", ":")).encode())
