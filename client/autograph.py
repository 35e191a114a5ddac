"""`tf.autograph`: what TensorFlow uses to trace Python into graphs. Programs that mention it run; nothing is converted.

Owns: the names. Does not know functions (`client.functions`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from client.api import namespace, public

__all__ = ["experimental", "set_verbosity", "to_code", "to_graph", "trace"]


@public("autograph.experimental.do_not_convert")
def do_not_convert(func: Callable[..., Any] | None = None) -> Any:
    """`func` itself: no function is converted. Without an argument, a decorator.

    >>> import client as tf
    >>> @tf.autograph.experimental.do_not_convert
    ... def plain(x):
    ...     return x + 1
    >>> plain(1)
    2
    """
    return do_not_convert if func is None else func


@public("autograph.experimental.set_loop_options")
def set_loop_options(
    parallel_iterations: Any = None,
    swap_memory: Any = None,
    maximum_iterations: Any = None,
    shape_invariants: Any = None,
) -> None:
    """Nothing: loops are Python's."""


@public("autograph.to_graph")
def to_graph(
    entity: Callable[..., Any], recursive: bool = True, experimental_optional_features: Any = None
) -> Callable[..., Any]:
    """`entity` itself."""
    return entity


@public("autograph.to_code")
def to_code(entity: Callable[..., Any], recursive: bool = True, experimental_optional_features: Any = None) -> str:
    """Raises NotImplementedError: no code is generated."""
    raise NotImplementedError("functions run as they are written: there is no generated code")


@public("autograph.set_verbosity")
def set_verbosity(level: int, alsologtostdout: bool = False) -> None:
    """Nothing: there is no conversion to report."""


@public("autograph.trace")
def trace(*args: Any) -> None:
    """Print the arguments.

    >>> import client as tf
    >>> tf.autograph.trace("step", 1)
    step 1
    """
    print(*args)


experimental = namespace("autograph.experimental")
