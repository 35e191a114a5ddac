"""Where the files of the datasets come from, and how they are read.

Owns: their addresses and hashes, `locate`, and readers of the formats. Files are read as numbers and never as pickles.
"""

from __future__ import annotations

import gzip
import math
import os
import tarfile
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np

from client.keras.downloads import get_file, obtain

Array: TypeAlias = np.ndarray[Any, Any]
Split: TypeAlias = tuple[tuple[Array, Array], tuple[Array, Array]]
"""(x_train, y_train), (x_test, y_test)."""


class Source(NamedTuple):
    """Where a file comes from, and its SHA-256 or MD5 hash if it is known."""

    url: str
    hash: str | None = None


_KERAS: Final = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_TORONTO: Final = "https://www.cs.toronto.edu/~kriz/"

SOURCES: Final[dict[str, Source]] = {
    "mnist": Source(f"{_KERAS}mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"),
    "boston_housing": Source(
        f"{_KERAS}boston_housing.npz", "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5"
    ),
    "california_housing": Source(
        f"{_KERAS}california_housing.npz", "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f"
    ),
    "cifar10": Source(f"{_TORONTO}cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"),
    "cifar100": Source(f"{_TORONTO}cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"),
}
FASHION_MNIST: Final = [
    f"{part}-{kind}-ubyte.gz" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
]
SOURCES.update({name: Source(_KERAS + name) for name in FASHION_MNIST})


def locate(name: str, path: Any = None, folder: str = "datasets") -> Path:
    """A dataset's file on disk, downloaded if need be.

    Args:
        name: that of its source.
        path: what to call the file in the cache; None: as at its source. An absolute path is used as it is: a file
            that lies there is not compared with the hash.
        folder: the folder of the cache.
    """
    source = SOURCES[name]
    if path is not None and os.path.isabs(path):
        wanted = Path(path)
        return wanted if wanted.exists() else obtain(wanted, source.url, source.hash)
    return Path(get_file(path, source.url, file_hash=source.hash, cache_subdir=folder))


def load_npz(path: Path, *names: str) -> list[Array]:
    """Arrays of an .npz file."""
    with np.load(path, allow_pickle=False) as arrays:
        return [arrays[name] for name in names]


def load_idx(path: Path) -> Array:
    """The unsigned bytes of a compressed IDX file: two zeros, the type 8, the rank, the sizes of the axes, elements.

    Raises:
        ValueError: another type, or fewer or more elements than the sizes say.
    """
    with gzip.open(path) as file:
        content = file.read()
    rank = content[3] if len(content) > 3 else 0
    start = 4 + 4 * rank
    if content[:3] != b"\0\0\x08" or len(content) < start:
        raise ValueError(f"{path} is no IDX file of bytes")
    shape = tuple(np.frombuffer(content, ">u4", rank, 4).tolist())
    found = np.frombuffer(content, np.uint8, offset=start)
    if found.size != math.prod(shape):
        raise ValueError(f"{path} has {found.size} elements, and the shape {shape}")
    return found.reshape(shape).copy()


def load_images(archive: Path, members: list[str], labels: int, label: int) -> list[tuple[Array, Array]]:
    """Images and labels of the binary files in a CIFAR archive: records of some labels and 3 x 32 x 32 bytes.

    Args:
        archive: the compressed tar archive, which is read without being extracted.
        members: the files.
        labels: how many labels a record has.
        label: which of them to take.

    Returns:
        For each file, its images [n, 32, 32, 3] and its labels [n, 1].
    """
    found, size = [], labels + 3 * 32 * 32
    with tarfile.open(archive) as tar:
        for member in members:
            file = tar.extractfile(member)
            content = b"" if file is None else file.read()
            if not content or len(content) % size:
                raise ValueError(f"{member} in {archive} does not consist of records of {size} bytes")
            records = np.frombuffer(content, np.uint8).reshape(-1, size)
            planes = records[:, labels:].reshape(-1, 3, 32, 32)
            found.append((np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), records[:, label : label + 1].copy()))
    return found


def load_rows(name: str, path: Any, test_split: float, seed: int, rows: int | None = None) -> Split:
    """The first rows of a dataset's arrays x and y in a random order, the last part of them for tests.

    Raises:
        ValueError: a part that is not in [0, 1).
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"Invalid `test_split` argument: {test_split}. It must be between 0 and 1 (exclusive of 1).")
    x, y = [array[:rows] for array in load_npz(locate(name, path), "x", "y")]
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)  # the order that Keras has
    cut = int(len(x) * (1 - test_split))
    return (x[order[:cut]], y[order[:cut]]), (x[order[cut:]], y[order[cut:]])
