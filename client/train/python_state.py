"""`tf.train.experimental.PythonState`: state of the user's own in checkpoints.

Owns: the class. Does not know files.
"""

from __future__ import annotations

import base64
from typing import Any

from client.api import public
from client.tracking import Stateful


@public("train.experimental.PythonState")
class PythonState(Stateful):
    """A base for Python objects whose state a `tf.train.Checkpoint` keeps: override `serialize` and `deserialize`.

    >>> import tempfile
    >>> import client as tf
    >>> class Best(tf.train.experimental.PythonState):
    ...     value = 0.0
    ...     def serialize(self):
    ...         return str(self.value)
    ...     def deserialize(self, string_value):
    ...         self.value = float(string_value)
    >>> best = Best()
    >>> checkpoint = tf.train.Checkpoint(best=best)
    >>> best.value = 0.75
    >>> path = checkpoint.write(tempfile.mkdtemp() + "/c")
    >>> best.value = 0.5
    >>> _ = checkpoint.read(path).assert_consumed()
    >>> best.value
    0.75
    """

    _state_kind = "Python state"

    def serialize(self) -> Any:
        """The state as text or bytes."""
        raise NotImplementedError

    def deserialize(self, string_value: Any) -> None:
        """Take the state that `serialize` gave."""
        raise NotImplementedError

    def _checkpoint_state(self) -> Any:
        found = self.serialize()
        if isinstance(found, bytes):
            return {"base64": base64.b64encode(found).decode()}
        if not isinstance(found, str):
            raise TypeError(f"{type(self).__name__}.serialize() gave {found!r:.100}, which is neither text nor bytes")
        return found

    def _restore_state(self, state: Any) -> None:
        self.deserialize(base64.b64decode(state["base64"]) if isinstance(state, dict) else state)
