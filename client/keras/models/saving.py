"""Models in files: weights alone, or with what makes the model again.

Owns: `save_weights`, `load_weights`, `save_model`, `load_model`, the layout of a `.keras` file. Does not know formats
of values (`client.train`) or configurations of layers (`client.keras.models.cloning`).

Weights are a checkpoint with the model as its root. A `.keras` file is a zip archive, nothing in it compressed:

    metadata.json         the format and the library's version
    config.json           class names and plain values: the model's, and what it was compiled with
    weights.safetensors   the values: those of the layers, and of the optimizer
    weights.index         the checkpoint's index

With the server (`server://name`), these are files of their own below that name. No file holds code, and none is run.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from typing import IO, Any, Final

import client
from client.api import public
from client.keras.layers.layer import LAYERS
from client.keras.models.compile_config import compile_config
from client.keras.models.model import Model
from client.keras.serialization import custom_object_scope
from client.train.bundle import INDEX, SUFFIX, Index, parse
from client.train.places import SERVER, LocalPlace, Progress, ServerPlace, check_prefix, receive, replacing
from client.train.snapshot import Snapshot
from client.train.status import CheckpointLoadStatus, read_checkpoint, restore_index
from client.train.writing import WRITER, Write
from protocol import __version__
from protocol.errors import DataLossError, NotFoundError

tf: Any = client

_FORMAT: Final = "telegrad-model"
_VERSION: Final = 1
_WEIGHTS: Final = "weights"
_MAX_CONFIG: Final = 2**28
"""Bytes of a configuration or index that a `.keras` file may hold."""


# --- weights ---------------------------------------------------------------------------------------------------------


def save_weights(model: Any, filepath: Any, overwrite: bool = True, wait: bool = True) -> Any:
    """What `Model.save_weights` does."""
    path = check_prefix(filepath)
    if not overwrite and _exists(path + INDEX):
        raise FileExistsError(f"{path} is there already; `overwrite=True` replaces it")
    return _finished(Write(path, model), wait)


def _finished(write: Write, wait: bool) -> Any:
    """Finish a write, now or behind the program's back."""
    if not wait:
        return WRITER.add(write)
    WRITER.wait()
    write.finish_now()
    return None


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> CheckpointLoadStatus:
    """What `Model.load_weights` does."""
    kwargs.pop("by_name", None)
    if kwargs:
        raise ValueError(f"Invalid keyword arguments: {kwargs}")
    WRITER.wait()
    path = check_prefix(filepath)
    if _is_archive(path):
        return _Archive(path).restore(model, skip_mismatch)
    if path.startswith(SERVER) and path.endswith(".keras"):
        path += f"/{_WEIGHTS}"
    if not path.startswith(SERVER) and os.path.isfile(path) and not os.path.exists(path + INDEX):
        raise DataLossError(f"{path} is of a format that is not read: weights are what `save_weights` or `save` wrote")
    return read_checkpoint(path, model, spare_shapes=skip_mismatch)


def _exists(path: str) -> bool:
    if path.startswith(SERVER):
        return ServerPlace().exists(path.removeprefix(SERVER))
    return os.path.exists(path)


def _is_archive(path: str) -> bool:
    return not path.startswith(SERVER) and os.path.isfile(path) and zipfile.is_zipfile(path)


# --- models ----------------------------------------------------------------------------------------------------------


@public("keras.models.save_model", "keras.saving.save_model")
def save_model(
    model: Any, filepath: Any, overwrite: bool = True, zipped: Any = None, *, wait: bool = True, **kwargs: Any
) -> Any:
    """Write a model to a `.keras` file: what makes it again, its weights, what it was compiled with, and the state of
    its optimizer. `Model.save` does the same. Waits once.

    Args:
        model: the model.
        filepath: a path that ends in `.keras`; `server://...` for a place in the server's data directory.
        overwrite: whether to replace a file that is there.
        zipped: ignored.
        wait: False goes on at once, while the file is written behind the program's back.
        kwargs: `include_optimizer=False` leaves out what it was compiled with.

    Returns:
        None; with `wait=False`, a `concurrent.futures.Future` that has the path when the file is there.

    Raises:
        ValueError: another ending.
        FileExistsError: the file is there, and `overwrite` is False.
        NotImplementedError: a layer without a configuration.

    >>> import os, tempfile
    >>> import client as tf
    >>> model = tf.keras.Sequential([tf.keras.layers.Dense(2, input_shape=(3,))])
    >>> path = os.path.join(tempfile.mkdtemp(), "model.keras")
    >>> tf.keras.models.save_model(model, path)
    >>> bool(tf.reduce_all(tf.keras.models.load_model(path)(tf.ones([1, 3])) == model(tf.ones([1, 3]))))
    True
    """
    path = check_prefix(filepath)
    include_optimizer = kwargs.pop("include_optimizer", True)
    if kwargs:
        raise ValueError(f"The following argument(s) are not supported: {list(kwargs)}")
    if not path.endswith(".keras"):
        raise ValueError(
            f"Invalid filepath extension for saving. Please add a `.keras` extension for Telegrad's format, or use "
            f"`save_weights` for any path. HDF5 and SavedModel are not supported. Received: filepath={path}"
        )
    server = path.startswith(SERVER)
    if not overwrite and _exists(f"{path}/config.json" if server else path):
        raise FileExistsError(f"{path} is there already; `overwrite=True` replaces it")
    config = _config_of(model, include_optimizer)
    about = {"format": _FORMAT, "version": _VERSION, "library": __version__}
    texts = {"metadata.json": json.dumps(about), "config.json": json.dumps(config, indent=1)}
    write = _ServerWrite if server else _ArchiveWrite
    return _finished(write(path, model, texts), wait)


def _config_of(model: Any, compiled: bool) -> dict[str, Any]:
    """What makes a model again, as plain values. Does not wait: the learning rate comes with the weights."""
    found: dict[str, Any] = dict(LAYERS.serialize(model))
    shape = model._self_build_shape
    found["build_config"] = {"input_shape": None if shape is None else list(shape)}
    if compiled and getattr(model, "compiled", False):
        found["compile_config"] = compile_config(model._self_compile_arguments, read=False)
    return found


@public("keras.models.load_model", "keras.saving.load_model")
def load_model(
    filepath: Any, custom_objects: Mapping[str, Any] | None = None, compile: bool = True, safe_mode: bool = True
) -> Any:
    """The model in a `.keras` file, with its weights and, if it was compiled, its optimizer's state.

    Args:
        filepath: what `Model.save` was given.
        custom_objects: classes and functions of the user's by name; or register them
            (`keras.utils.register_keras_serializable`).
        compile: whether to compile it as it was.
        safe_mode: ignored: a file holds no code.

    Raises:
        tf.errors.NotFoundError: there is no such file.
        tf.errors.DataLossError: it is damaged, or of another format.
        ValueError: an unknown class or function.
    """
    WRITER.wait()
    path = check_prefix(filepath)
    with custom_object_scope(custom_objects or {}):
        if path.startswith(SERVER):
            config = _checked(ServerPlace().read(f"{path.removeprefix(SERVER).strip('/')}/config.json"), path)
            model = _model_from(config, compile)
            status = read_checkpoint(f"{path}/{_WEIGHTS}", model)
        else:
            archive = _Archive(path)
            model = _model_from(_checked(archive.read("config.json"), path), compile)
            status = archive.restore(model)
    optimizer = getattr(model, "optimizer", None)
    if optimizer is None:
        status.expect_partial()
    elif model.trainable_variables and status.awaits(optimizer):
        optimizer.build(model.trainable_variables)  # takes its state now, so that a save before training keeps it
    return model


def _checked(data: bytes, path: str) -> dict[str, Any]:
    try:
        config = json.loads(data)
        if not isinstance(config, dict):
            raise ValueError("no configuration")
    except ValueError as error:
        raise DataLossError(f"{path} is damaged: {error}") from None
    return config


def _model_from(config: dict[str, Any], compiled: bool) -> Any:
    """A model made of a configuration, without its weights."""
    found = LAYERS.lookup(config.get("registered_name") or config["class_name"])
    if found is Model:
        from client.keras.models.cloning import functional_from_config

        model: Any = functional_from_config(config["config"])
    else:
        model = found.from_config(config["config"])
    shape = (config.get("build_config") or {}).get("input_shape")
    if shape is not None and not model.built and type(model).build is not Model.build:
        model.build(tuple(shape))
    if compiled and config.get("compile_config"):
        model.compile_from_config(config["compile_config"])
    return model


# --- .keras files ----------------------------------------------------------------------------------------------------


class _ArchivePlace(LocalPlace):
    """An archive that is being written, as the place of one checkpoint."""

    archive: zipfile.ZipFile

    def store(self, name: str, head: bytes, snapshot: Snapshot, progress: Progress) -> tuple[int, list[int]]:
        """Write the values into the archive."""
        with self.archive.open(zipfile.ZipInfo(_WEIGHTS + SUFFIX), "w", force_zip64=True) as file:
            return len(head) + snapshot.nbytes, receive(file, head, snapshot, progress)

    def replace(self, prefix: str, index: bytes, data: str) -> None:
        """Write the index into the archive."""
        self.archive.writestr(_WEIGHTS + INDEX, index)


class _ArchiveWrite(Write):
    """A model on its way to a `.keras` file."""

    def __init__(self, path: str, model: Any, texts: Mapping[str, str]) -> None:
        super().__init__(path, model, place=_ArchivePlace())
        self._texts = texts

    def finish(self) -> str:
        """Write the file; the path."""
        with replacing(self.path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for name, text in self._texts.items():
                archive.writestr(name, text)
            assert isinstance(self._place, _ArchivePlace)
            self._place.archive = archive
            return super().finish()


class _ServerWrite(Write):
    """A model on its way to the server's files. The configuration comes last: without it there is no model."""

    def __init__(self, path: str, model: Any, texts: Mapping[str, str]) -> None:
        super().__init__(f"{path}/{_WEIGHTS}", model)
        self._texts = texts

    def finish(self) -> str:
        """Write the files; the path."""
        found = super().finish()
        folder = self._prefix.removesuffix(_WEIGHTS)
        for name, text in self._texts.items():
            self._place.write(folder + name, text.encode())
        return found.removesuffix(f"/{_WEIGHTS}")


class _Archive:
    """A `.keras` file.

    Raises:
        NotFoundError: there is none.
        DataLossError: it is no such file, or damaged.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        if not os.path.isfile(path):
            raise NotFoundError(
                f"File not found: filepath={path}. Please ensure the file is an accessible `.keras` zip"
            )
        try:
            about = json.loads(self.read("metadata.json"))
            known = about["format"] == _FORMAT and about["version"] == _VERSION
        except (ValueError, KeyError, TypeError, DataLossError):
            known = False
        if not known:
            raise DataLossError(f"{path} is no model of Telegrad, or damaged; Keras' own files are not read")

    def read(self, entry: str) -> bytes:
        """The bytes of a small entry."""
        try:
            with zipfile.ZipFile(self._path) as archive:
                if archive.getinfo(entry).file_size > _MAX_CONFIG:
                    raise DataLossError(f"{self._path} has a {entry} larger than {_MAX_CONFIG} bytes")
                return archive.read(entry)
        except (zipfile.BadZipFile, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
            raise DataLossError(f"{self._path} is damaged: {error}") from None

    def restore(self, root: Any, spare_shapes: bool = False) -> CheckpointLoadStatus:
        """Give a model the weights."""
        index: Index = parse(self.read(_WEIGHTS + INDEX), f"{self._path}:{_WEIGHTS}{INDEX}")
        with zipfile.ZipFile(self._path) as archive, open(self._path, "rb") as file:
            info = archive.NameToInfo.get(_WEIGHTS + SUFFIX)
            if info is None or info.compress_type != zipfile.ZIP_STORED or info.file_size != index.size:
                raise DataLossError(f"{self._path} is damaged: its weights are not as long as they should be")
            base = _content_start(file, info.header_offset)
        return restore_index(index, LocalPlace(base), self._path, root, spare_shapes=spare_shapes)


def _content_start(file: IO[bytes], header: int) -> int:
    """Where the bytes of an entry of a zip archive begin: after its local header (APPNOTE 4.3.7)."""
    file.seek(header + 26)
    lengths = file.read(4)
    return header + 30 + int.from_bytes(lengths[:2], "little") + int.from_bytes(lengths[2:], "little")
