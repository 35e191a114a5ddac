"""Looking into checkpoints without objects: `tf.train.load_checkpoint`, `list_variables`, `load_variable`.

Owns: `CheckpointReader`. Does not know sessions: values come as NumPy arrays from this machine's files; those that the
server keeps are read through a session. A tensor's name is the path to its variable, with TensorFlow's suffix or
without.
"""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np

from client.api import public
from client.tensor import Tensor
from client.train.bundle import INDEX, parse
from client.train.places import check_prefix, place_of
from client.train.state import latest_checkpoint
from protocol.dtypes import DType
from protocol.errors import NotFoundError

_SUFFIX: Final = "/.ATTRIBUTES/VARIABLE_VALUE"


class CheckpointReader:
    """The tensors of a checkpoint. `tf.train.load_checkpoint` makes one."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._place, name = place_of(path)
        self._index = parse(self._place.read(name + INDEX), path + INDEX)
        self._data = name[: len(name) - len(os.path.basename(name))] + self._index.data

    def get_variable_to_shape_map(self) -> dict[str, list[int]]:
        """Each tensor's shape by its name."""
        return {key + _SUFFIX: list(e.shape) for key, e in self._index.tensors.items()}

    def get_variable_to_dtype_map(self) -> dict[str, DType]:
        """Each tensor's dtype by its name."""
        return {key + _SUFFIX: e.dtype for key, e in self._index.tensors.items()}

    def has_tensor(self, tensor_str: str) -> bool:
        """Whether there is a tensor of that name."""
        return tensor_str.removesuffix(_SUFFIX) in self._index.tensors

    def get_tensor(self, tensor_str: str) -> Any:
        """A tensor's value as a NumPy array.

        Raises:
            tf.errors.NotFoundError: there is none of that name.
            tf.errors.DataLossError: the file is damaged.
        """
        entry = self._index.tensors.get(tensor_str.removesuffix(_SUFFIX))
        if entry is None:
            raise NotFoundError(f"Key {tensor_str} not found in checkpoint {self._path}")
        self._place.verify(self._data, self._index.size, [entry], lambda _: None)
        found = self._place.load(self._data, entry)
        value = found.numpy() if isinstance(found, Tensor) else np.array(found)
        return value if np.ndim(value) else value[()]

    def debug_string(self) -> str:
        """The tensors' names, dtypes and shapes, one a line."""
        return "\n".join(f"{k} ({e.dtype.name}) {list(e.shape)}" for k, e in sorted(self._index.tensors.items()))


@public("train.load_checkpoint")
def load_checkpoint(ckpt_dir_or_file: Any) -> CheckpointReader:
    """A reader of a checkpoint.

    Args:
        ckpt_dir_or_file: a path that `Checkpoint.save` gave, or a directory, of which the latest is taken.

    Raises:
        ValueError: a directory without one.
        tf.errors.NotFoundError: there is none at that path.
        tf.errors.DataLossError: it is damaged.

    >>> import tempfile
    >>> import client as tf
    >>> path = tf.train.Checkpoint(x=tf.Variable([1.0, 2.0])).write(tempfile.mkdtemp() + "/w")
    >>> tf.train.load_checkpoint(path).get_tensor("x")
    array([1., 2.], dtype=float32)
    """
    path = check_prefix(ckpt_dir_or_file)
    if os.path.isdir(path) and not os.path.exists(path + INDEX):
        found = latest_checkpoint(path)
        if found is None:
            raise ValueError(f"Couldn't find 'checkpoint' file or checkpoints in given directory {path}")
        path = found
    return CheckpointReader(path)


@public("train.list_variables")
def list_variables(ckpt_dir_or_file: Any) -> list[tuple[str, list[int]]]:
    """The names and shapes of a checkpoint's tensors, by name; see `load_checkpoint`.

    >>> import tempfile
    >>> import client as tf
    >>> tf.train.list_variables(tf.train.Checkpoint(x=tf.Variable([1.0, 2.0])).write(tempfile.mkdtemp() + "/w"))
    [('x/.ATTRIBUTES/VARIABLE_VALUE', [2])]
    """
    return sorted(load_checkpoint(ckpt_dir_or_file).get_variable_to_shape_map().items())


@public("train.load_variable")
def load_variable(ckpt_dir_or_file: Any, name: str) -> Any:
    """The value of one tensor of a checkpoint, as a NumPy array; see `load_checkpoint`.

    >>> import tempfile
    >>> import client as tf
    >>> tf.train.load_variable(tf.train.Checkpoint(x=tf.Variable(3)).write(tempfile.mkdtemp() + "/w"), "x")
    np.int32(3)
    """
    return load_checkpoint(ckpt_dir_or_file).get_tensor(name.removesuffix(":0"))
