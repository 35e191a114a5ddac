"""`tf.debugging.enable_check_numerics`: ops fail whose result has a NaN or an infinity.

Owns: the switch. Does not know how values are checked, which is the server's work: the check costs no round trip.
"""

from __future__ import annotations

from client import session_settings
from client.api import public

_SETTING = "check_numerics"


@public("debugging.enable_check_numerics")
def enable_check_numerics(stack_height_limit: int | None = 30, path_length_limit: int | None = 50) -> None:
    """Have every op fail whose floating-point or complex result has a NaN or an infinity, in backward passes too.

    The error is raised as all errors of the server are: once, at the next wait, with the line that issued the op; in
    synchronous mode (`tf.config.experimental.set_synchronous_execution(True)`) on that line itself. The op's result is
    poisoned, and a variable that it would have changed keeps its value.

    The check holds for all threads (TensorFlow's for the one that asks), for what is issued from here on, in this
    session and in those that `tf.connect` makes later. It adds no round trip; on a GPU each op waits for the device.
    Ops that only move values are passed over, as in TensorFlow: `concat`, `reshape`, `transpose`, indexing, `fill`,
    `maximum`, `minimum`, `identity`. Constants are no ops.

    Args:
        stack_height_limit: ignored: it is for graphs, which there are none of.
        path_length_limit: ignored.

    Raises:
        tf.errors.NotFoundError: the server is older than this client, and cannot check.

    >>> import client as tf
    >>> tf.debugging.enable_check_numerics()
    >>> y = tf.math.log(tf.constant([0.0, 1.0]))
    >>> y.numpy()
    Traceback (most recent call last):
    ...
    protocol.errors.InvalidArgumentError: ...
    >>> tf.debugging.disable_check_numerics()
    """
    session_settings.want(_SETTING, True)


@public("debugging.disable_check_numerics")
def disable_check_numerics() -> None:
    """Let ops give NaN and infinities again, from here on. Nothing happens where nothing is checked.

    >>> import client as tf
    >>> tf.debugging.disable_check_numerics()
    """
    if session_settings.wanted(_SETTING):
        session_settings.want(_SETTING, False)
