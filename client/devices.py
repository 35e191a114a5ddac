"""Devices as the program names them: `tf.device` scopes, placement, copies.

Owns: the scopes (per thread), where a result lands, device names. Does not know how an op is sent.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from protocol.errors import InvalidArgumentError
from protocol.placement import short_name

if TYPE_CHECKING:
    from client.session import Session
    from client.tensor import Operand, Tensor


class _Scopes(threading.local):
    stack: tuple[str | None, ...] = ()


_scopes = _Scopes()
scopes_used = False  # whether any thread ever entered a scope: dispatch looks here first


class device:
    """A scope in which ops run on one of the server's devices; `None` lifts an outer scope.

    Raises:
        tf.errors.InvalidArgumentError: on entering, when the server has no such device.

    >>> import client as tf
    >>> with tf.device("/cpu:0"):
    ...     x = tf.ones([2]) + 1
    >>> x.device
    '/job:localhost/replica:0/task:0/device:CPU:0'
    """

    def __init__(self, device_name: str | None) -> None:
        self._name = None if device_name is None else short_name(str(device_name))

    def __enter__(self) -> device:
        if self._name is not None:
            check(self._name)
        global scopes_used
        scopes_used = True
        _scopes.stack = (*_scopes.stack, self._name)
        return self

    def __exit__(self, *_: Any) -> None:
        _scopes.stack = _scopes.stack[:-1]


def check(name: str) -> None:
    """Raise InvalidArgumentError unless the server has the device."""
    from client import context

    known = context.session().devices
    if name not in known:
        raise InvalidArgumentError(
            f"Could not satisfy device specification {name!r}: the server has {', '.join(known)}"
        )


def innermost() -> str | None:
    """The device of the innermost scope, None outside of all."""
    stack = _scopes.stack
    return stack[-1] if stack else None


def default(session: Session) -> str:
    """Where ops run when nothing says otherwise: the first GPU, else the CPU."""
    return session.devices[1] if len(session.devices) > 1 else session.devices[0]


def placement(session: Session, inputs: Sequence[Operand]) -> str:
    """Where a result will be, by the server's own rule: the scope, else where the operands agree, else the default."""
    scope = innermost()
    if scope is not None:
        return scope
    places = {t._place or default(session) for t in inputs if t._session is not None}
    return places.pop() if len(places) == 1 else default(session)


def copy_to(tensor: Tensor, name: str) -> Tensor:
    """The tensor on another device."""
    from client.dispatch import call

    with device(name):
        return call("identity", tensor)  # type: ignore[no-any-return]
