"""`tf.train.Checkpoint`: the state of objects, saved to files and restored from them.

Owns: `Checkpoint`, `CheckpointOptions`, the counter of saves. Does not know formats, places or how objects are matched.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

from client.api import public
from client.tracking import Tracked, arrived, edges
from client.train.graph import check_root, check_trackable
from client.train.places import check_prefix
from client.train.restoring import restored_by
from client.train.state import record_latest
from client.train.status import CheckpointLoadStatus, InitializationOnlyStatus, read_checkpoint
from client.train.writing import WRITER, Write
from client.variable import Variable
from protocol.errors import NotFoundError


@public("train.CheckpointOptions")
class CheckpointOptions:
    """How to save.

    Args:
        experimental_io_device: ignored: files are the client's, or the server's by `server://`.
        experimental_enable_async_checkpoint: whether `save` and `write` return before the files are there; see
            `Checkpoint.sync`.
        experimental_write_callbacks: functions of the path, or of nothing, called when the files are there.
        enable_async: another name of the second one.

    >>> import client as tf
    >>> options = tf.train.CheckpointOptions(experimental_enable_async_checkpoint=True)
    """

    def __init__(
        self,
        experimental_io_device: Any = None,
        experimental_enable_async_checkpoint: bool = False,
        experimental_write_callbacks: Sequence[Callable[..., Any]] | None = None,
        enable_async: bool = False,
        experimental_skip_slot_variables: bool = False,
        experimental_sharding_callback: Any = None,
    ) -> None:
        self.experimental_io_device = experimental_io_device
        self.experimental_enable_async_checkpoint = enable_async or experimental_enable_async_checkpoint
        self.experimental_write_callbacks = experimental_write_callbacks
        self.experimental_skip_slot_variables = experimental_skip_slot_variables
        self.experimental_sharding_callback = experimental_sharding_callback

    @property
    def enable_async(self) -> bool:
        """Another name of `experimental_enable_async_checkpoint`."""
        return self.experimental_enable_async_checkpoint


@public("train.Checkpoint")
class Checkpoint(Tracked):
    """The state of some objects: variables and what has some (modules, layers, models, optimizers, metrics), dataset
    iterators, random generators, lists and dicts of these.

    A save follows the objects' attributes, list positions and dict keys, and a restore finds them again by these, not
    by the names of variables. What is not made yet gets its value when it is.

    Files are on this machine; a path that begins with `server://` names files in the server's data directory, so that
    values need not cross the network.

    Args:
        root: an object whose children are saved as the checkpoint's own.
        kwargs: objects by name. They become attributes.

    Raises:
        ValueError: something that has no state, or a name that the root uses for another object.

    >>> import tempfile
    >>> import client as tf
    >>> x = tf.Variable(10.0)
    >>> checkpoint = tf.train.Checkpoint(x=x)
    >>> path = checkpoint.save(tempfile.mkdtemp() + "/")
    >>> _ = x.assign(11.0)
    >>> status = checkpoint.restore(path)
    >>> print(float(x))
    10.0
    """

    def __init__(self, root: Any = None, **kwargs: Any) -> None:
        self._self_root = root
        self._self_attached: list[tuple[str, Any]] = []
        self._self_counter: Variable | None = None
        self._self_counted: tuple[int, int] | None = None  # the counter's value, and by which restore it was set
        self._self_pending: list[Future[str]] = []
        if root is not None:
            check_root(self._root)
            found = dict(edges(self._root)).get("save_counter")
            self._self_counter = found if isinstance(found, Variable) else None
            self._self_attached.append(("root", self._root))
            object.__setattr__(self, "root", root)
        for name, value in sorted(kwargs.items()):
            setattr(self, name, value)
            given = value() if isinstance(value, weakref.ref) else value
            check_trackable(given, name)
            if root is None:
                continue
            there = dict(edges(self._root)).get(name)
            if there is None:
                self._self_attached.append((name, given))
            elif there is not given:
                raise ValueError(
                    f"Cannot create a Checkpoint with keyword argument {name} if root.{name} already exists."
                )

    @property
    def _root(self) -> Any:
        root = self._self_root
        if root is None:
            return self
        return root() if isinstance(root, weakref.ref) else root

    def _checkpoint_edges(self) -> Iterator[tuple[str, Any]]:
        for name, value in self._edges():
            yield name, value() if isinstance(value, weakref.ref) else value
        if self._self_counter is not None:
            yield "save_counter", self._self_counter

    # --- the counter -------------------------------------------------------------------------------------------------

    @property
    def save_counter(self) -> Variable:
        """The number of saves so far, an int64 variable; it is saved and restored too."""
        self._self_counted = None  # whoever has the variable may assign to it
        return self._counter()

    def _counter(self) -> Variable:
        if self._self_counter is None:
            made = Variable(0, trainable=False, name="save_counter", dtype="int64")
            self._self_counter, self._self_counted = made, (0, 0)
            root = self._root
            if root is not self:
                self._self_attached.append(("save_counter", made))
            arrived(root, "save_counter", made)
        return self._self_counter

    def _count(self) -> int:
        """Count a save; its number. Waits only where the program has had its hands on the counter."""
        counter = self._counter()
        known = self._self_counted
        number = known[0] if known is not None and known[1] == restored_by(counter) else int(counter)
        counter.assign_add(1)
        self._self_counted = (number + 1, restored_by(counter))
        return number + 1

    # --- saving ------------------------------------------------------------------------------------------------------

    def save(self, file_prefix: Any, options: CheckpointOptions | None = None, *, wait: bool = True) -> Any:
        """Save under a new number, and note that it is the latest of its directory (`tf.train.latest_checkpoint`).

        What is saved is the state at this call. All values come in one round trip; nothing is held in memory as a
        whole. The files are there completely or not at all.

        Args:
            file_prefix: the beginning of the path: `path/ckpt` becomes `path/ckpt-1`, then `path/ckpt-2`, ...
            options: see `CheckpointOptions`.
            wait: False goes on at once, while the files are written behind the program's back.

        Returns:
            The path. With `wait=False`, a `concurrent.futures.Future` of it.

        Raises:
            tf.errors.OpError: a value could not be had, or the server said no.
            OSError: the files could not be written.
        """
        prefix = check_prefix(file_prefix)
        return self._write(f"{prefix}-{self._count()}", options, wait, record_latest)

    def write(self, file_prefix: Any, options: CheckpointOptions | None = None, *, wait: bool = True) -> Any:
        """Save at just this path, without counting or noting it; see `save`. To be read by `read`."""
        return self._write(check_prefix(file_prefix), options, wait)

    def _write(
        self,
        path: str,
        options: CheckpointOptions | None = None,
        wait: bool = True,
        then: Callable[[str], Any] | None = None,
    ) -> Any:
        options = options or CheckpointOptions()
        callbacks = [*(options.experimental_write_callbacks or ()), *([] if then is None else [then])]

        def done(path: str) -> None:
            for callback in callbacks:
                _call(callback, path)

        write = Write(path, self._root, self._self_attached)
        if wait and not options.experimental_enable_async_checkpoint:
            WRITER.wait()  # earlier ones first, so that this is the latest
            done(write.finish_now())
            return path
        future = WRITER.add(write, done)
        self._self_pending = [f for f in self._self_pending if not f.done()] + [future]
        return path if wait else future

    def sync(self) -> None:
        """Wait until the files of all saves are there. Raises what went wrong in one."""
        pending, self._self_pending = self._self_pending, []
        for future in pending:
            future.result()

    # --- restoring ---------------------------------------------------------------------------------------------------

    def read(self, save_path: Any, options: CheckpointOptions | None = None) -> Any:
        """Restore what `write` saved; see `restore`, which also takes care of the counter."""
        self.sync()
        if save_path is None:
            return InitializationOnlyStatus()
        return read_checkpoint(check_prefix(save_path), self._root, self._self_attached)

    def restore(self, save_path: Any, options: CheckpointOptions | None = None) -> Any:
        """Give objects the values that were saved, now or, to those that are not there yet, when they are made.

        Args:
            save_path: a path that `save` gave, or `tf.train.latest_checkpoint`; None restores nothing.
            options: see `CheckpointOptions`.

        Returns:
            A `CheckpointLoadStatus`, whose `assert_consumed()` checks that everything was found.

        Raises:
            tf.errors.NotFoundError: there is no checkpoint.
            tf.errors.DataLossError: it is damaged; no value was changed.
            ValueError: a variable has another shape or dtype than what was saved; no value was changed.
        """
        try:
            status = self.read(save_path, options)
        except NotFoundError as error:
            raise NotFoundError(
                f"Error when restoring from checkpoint at {save_path}: {error.message}\nPlease double-check that the "
                "path is correct. You may be missing the checkpoint suffix (e.g. the '-1' in 'path/to/ckpt-1')."
            ) from None
        counter = self._counter()
        if isinstance(status, CheckpointLoadStatus):
            value = status.value_of(counter)
            if value is not None:
                self._self_counted = (int(value), restored_by(counter))
        return status


def _call(callback: Callable[..., Any], path: str) -> None:
    """Call a function that takes the path, or nothing."""
    import inspect

    if inspect.signature(callback).parameters:
        callback(path)
    else:
        callback()
