"""What the program wants of each of its sessions, the present one and those that come.

Owns: the settings that were switched on, and who wants to know when a session opens or closes. Does not know what a
setting does: the server has them (`protocol/README.md`, Settings).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from client import context
from protocol.errors import NotFoundError

if TYPE_CHECKING:
    from client.session import Session

_wanted: dict[str, Any] = {}
on_open: Final[list[Callable[[Session], None]]] = []
"""Called with a session before its first op."""
on_close: Final[list[Callable[[Session], None]]] = []
"""Called with a session while it can still be asked."""


def want(name: str, value: Any) -> None:
    """Give a setting a value in the present session, from here on in its stream, and in every later one. Waits for
    nothing.

    Raises:
        tf.errors.NotFoundError: the present session's server does not have it; later ones get it all the same.
    """
    _wanted[name] = value
    session = context.current()
    if session is not None and session.alive():
        session.switch(name, value)


def wanted(name: str) -> Any:
    """What a setting was given last, None before."""
    return _wanted.get(name)


def opened(session: Session) -> None:
    """A session has its first connection: tell its server what is wanted."""
    for name, value in _wanted.items():
        if value:  # all are off at first
            try:
                session.switch(name, value)
            except NotFoundError as error:
                warnings.warn(error.message, stacklevel=2)
    for listener in list(on_open):
        listener(session)


def closing(session: Session) -> None:
    """A session is about to end."""
    for listener in list(on_close):
        listener(session)
