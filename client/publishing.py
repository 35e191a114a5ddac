"""Values shared between sessions by name: `tf.publish`, `tf.published`, `tf.unpublish`, `tf.list_published`.

Owns: these functions. Does not know where the server keeps the values. There is nothing like it in TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from client import context, devices
from client.api import public
from client.convert import convert_to_tensor, operand_of
from client.tensor import Operand, Tensor
from protocol.names import checked_name
from protocol.spec import Spec
from protocol.wire import Item

if TYPE_CHECKING:
    from client.session import Session


@public("publish")
def publish(name: str, value: Any) -> None:
    """Give a value a name on the server, under which other programs read it: `tf.published(name)` in a session of the
    same token, or plain HTTP (`GET /v1/published/{name}`).

    The server keeps the value as it is at this point of the program, in place of what had the name before, until
    `tf.unpublish`. It outlives the session, but not the server. Does not wait: what goes wrong on the server is raised
    at the next wait, as with any op.

    Args:
        name: parts between slashes: letters, digits and `._+-`, no part starting with a dot.
        value: a tensor, a variable, or what converts to a tensor.

    Raises:
        tf.errors.InvalidArgumentError: `name` is no name.

    >>> import client as tf
    >>> tf.publish("weights/latest", tf.constant([1.0, 2.0]) * 2.0)
    >>> print(tf.published("weights/latest").numpy())
    [2. 4.]
    """
    checked_name(name)
    operand = value if isinstance(value, Operand) else convert_to_tensor(value)
    session = operand._session or context.session()
    session.check()
    session.issue((Item.PUBLISH, name, operand_of(operand)))


@public("published")
def published(name: str) -> Tensor:
    """The value that is published under a name, as a tensor of this session: its bytes stay on the server.

    One wait, for its dtype and shape. The tensor keeps its value when another one is published under the name.

    Args:
        name: what `tf.publish` was given.

    Raises:
        tf.errors.NotFoundError: nothing is published under `name`.
        tf.errors.InvalidArgumentError: `name` is no name.

    >>> import client as tf
    >>> tf.publish("example", [3, 4])
    >>> tf.published("example") + 1
    <tf.Tensor: shape=(2,), dtype=int32, numpy=array([4, 5], dtype=int32)>
    """
    checked_name(name)
    session = context.session()
    session.check()
    identifier = next(session.ids)
    place = devices.innermost() if devices.scopes_used else None
    try:
        dtype, shape = _ask(session, Item.FETCH_PUBLISHED, identifier, name, place)
    except BaseException:
        session.releases.append(identifier)
        raise
    return Tensor(session, Spec(dtype, shape), identifier, None, devices.placement(session, ()) if place else None)


@public("unpublish")
def unpublish(name: str) -> None:
    """Take a name away from its value. Who has read the value keeps it. Does not wait.

    Raises:
        tf.errors.InvalidArgumentError: `name` is no name. At the next wait, `tf.errors.NotFoundError`: nothing was
            published under it.

    >>> import client as tf
    >>> tf.publish("gone", 1.0)
    >>> tf.unpublish("gone")
    >>> tf.list_published("gone")
    []
    """
    checked_name(name)
    session = context.session()
    session.check()
    session.issue((Item.UNPUBLISH, name))


@public("list_published")
def list_published(prefix: str = "") -> list[dict[str, Any]]:
    """What is published, by name. One wait.

    Args:
        prefix: what the names start with.

    Returns:
        For each a dictionary: `name`, `dtype` (its name), `shape`, `bytes`, `version` (grows with each publishing on
        the server), `modified` (seconds since 1970).

    >>> import client as tf
    >>> tf.publish("layers/1", tf.zeros([2, 3]))
    >>> [(p["name"], p["shape"]) for p in tf.list_published("layers/")]
    [('layers/1', [2, 3])]
    """
    report = _ask(context.session(), Item.LIST_PUBLISHED, prefix)
    return [{**entry, "shape": list(entry["shape"])} for entry in report["published"]]


def _ask(session: Session, kind: int, *fields: Any) -> Any:
    """The answer to an item, in one wait."""
    session.check()
    with session.waiting():
        read = session.start_read(*fields, kind=kind)
        session.flush()
        session.finish_reads([read])
    return read.value
