"""Error classes and their wire codes, one registry for both sides.

    OpError                     base, as tf.errors.OpError
    +-- CancelledError          1   the user interrupted, or the session was told to drop the work
    +-- UnknownError            2   a kernel failed in a way that has no class of its own
    +-- InvalidArgumentError    3   a value, shape or dtype that the op cannot take (also a ValueError)
    +-- DeadlineExceededError   4
    +-- NotFoundError           5   no such op, tensor, device or name
    +-- AlreadyExistsError      6
    +-- PermissionDeniedError   7
    +-- ResourceExhaustedError  8   out of memory or past a quota
    +-- FailedPreconditionError 9
    +-- AbortedError            10
    +-- OutOfRangeError         11
    +-- UnimplementedError      12  the op does not run on that device
    +-- InternalError           13  a bug in Telegrad
    +-- UnavailableError        14  the server cannot be reached
    |   +-- SessionLostError    64  the server does not know the session any more
    +-- DataLossError           15
    +-- UnauthenticatedError    16  no token, or a wrong one
    +-- ProtocolError           65  the peer broke the rules of `protocol/README.md`
        +-- SequenceGapError        a frame out of order: costs the connection, not the session

Owns: the classes, `code_of`, `error_from`, `brief`. Codes 1 to 16 are TensorFlow's (and gRPC's). Python's own
TypeError, ValueError, IndexError, LookupError and NotImplementedError travel too (80 to 84), because inference on the
server raises them as the client's does.
"""

from __future__ import annotations

from typing import Final


class OpError(Exception):
    """An op failed. `message` is the text, `op` the op's name if known, `error_code` the number on the wire."""

    error_code: int = 2

    def __init__(self, message: str = "", op: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.op = op


class CancelledError(OpError):
    error_code = 1


class UnknownError(OpError):
    error_code = 2


class InvalidArgumentError(OpError, ValueError):
    """A value, shape or dtype that the op cannot take.

    A ValueError too: TensorFlow raises one or the other for the same mistake, depending on how the op was called.
    """

    error_code = 3


class DeadlineExceededError(OpError):
    error_code = 4


class NotFoundError(OpError):
    error_code = 5


class AlreadyExistsError(OpError):
    error_code = 6


class PermissionDeniedError(OpError):
    error_code = 7


class ResourceExhaustedError(OpError):
    error_code = 8


class FailedPreconditionError(OpError):
    error_code = 9


class AbortedError(OpError):
    error_code = 10


class OutOfRangeError(OpError):
    error_code = 11


class UnimplementedError(OpError):
    error_code = 12


class InternalError(OpError):
    error_code = 13


class UnavailableError(OpError):
    error_code = 14


class SessionLostError(UnavailableError):
    """The server does not know the session any more: its tensors and variables are gone. Restore a checkpoint and go
    on.
    """

    error_code = 64


class DataLossError(OpError):
    error_code = 15


class UnauthenticatedError(OpError):
    error_code = 16


class ProtocolError(OpError):
    """The peer broke a rule of `protocol/README.md`."""

    error_code = 65


class SequenceGapError(ProtocolError):
    """A frame came out of order: this connection is of no use any more, but a new one resumes the session."""


_OP_ERRORS: Final[dict[int, type[OpError]]] = {
    c.error_code: c
    for c in (
        CancelledError, UnknownError, InvalidArgumentError, DeadlineExceededError, NotFoundError, AlreadyExistsError,
        PermissionDeniedError, ResourceExhaustedError, FailedPreconditionError, AbortedError, OutOfRangeError,
        UnimplementedError, InternalError, UnavailableError, DataLossError, UnauthenticatedError, SessionLostError,
        ProtocolError,
    )
}  # fmt: skip
_PYTHON_ERRORS: Final[dict[int, type[Exception]]] = {
    80: TypeError,
    81: ValueError,
    82: IndexError,
    83: LookupError,
    84: NotImplementedError,
}


MAX_MESSAGE: Final = 4096
"""Characters of an error's text that travel, and that a server keeps."""
_ENDING: Final = 512


def brief(text: str) -> str:
    """`text`, with its middle left out where it is over `MAX_MESSAGE`: what the text is about may be as large as a
    client likes.
    """
    if len(text) <= MAX_MESSAGE:
        return text
    return f"{text[: MAX_MESSAGE - _ENDING - 5]} ... {text[-_ENDING:]}"


def code_of(error: BaseException) -> int:
    """The wire code of `error`; MemoryError is RESOURCE_EXHAUSTED, and what has no code of its own is UNKNOWN."""
    if isinstance(error, OpError):
        return error.error_code
    if isinstance(error, MemoryError):
        return ResourceExhaustedError.error_code
    for code, kind in _PYTHON_ERRORS.items():
        if type(error) is kind:
            return code
    return UnknownError.error_code


def error_from(code: int, message: str, op: str | None = None) -> Exception:
    """The exception that `code` stands for; an unknown code (a newer peer's) becomes UnknownError."""
    if code in _PYTHON_ERRORS:
        return _PYTHON_ERRORS[code](message)
    return _OP_ERRORS.get(code, UnknownError)(message, op)
