"""What a user's function makes of elements, found without running it on the server.

Owns: `result_of`. The function is called with tensors of a session that sends nothing, which shows dtypes and shapes;
where that does not do (it uses tensors from elsewhere, or reads values) it is called with the first element. Does not
know datasets but by `first`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from client.data.structure import (
    DatasetSpec,
    Nested,
    as_element,
    components,
    delivered,
    map_components,
    shape_of,
    spec_of,
)
from client.tensor import Tensor
from client.tensor_spec import TensorSpec
from protocol.spec import Spec


class _UntraceableError(Exception):
    """The function needs a value."""


class _NoSession:
    """Stands for a session: takes items and drops them. Its ids are no numbers, so that none gets on a real wire."""

    def __init__(self) -> None:
        self.ids = iter(object, None)
        self.bound: dict[str, int] = {}
        self.releases: list[int] = []
        self.devices = ("CPU:0",)
        self.several_devices = False
        self.lost = None

    def bind(self, op: Any) -> int:
        return 0

    def issue(self, item: Any, weight: int = 0) -> None:
        pass

    def check(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        raise _UntraceableError(name)


def result_of(function: Callable[..., Any], spec: Any, first: Callable[[], Any]) -> Any:
    """What `function` makes of elements that `spec` describes, as specs and datasets.

    Args:
        function: takes an element, or a tuple's components.
        spec: the structure of specs.
        first: gives the first element, or raises StopIteration.

    Raises:
        ValueError: there is no element to try it with.
    """
    session: Any = _NoSession()

    def placeholder(part: Any) -> Tensor:
        if isinstance(part, DatasetSpec):
            raise _UntraceableError(part)
        return Tensor(
            session, Spec(part.dtype, None if part.shape.dims is None else tuple(part.shape.dims)), next(session.ids)
        )

    try:
        value = map_components(placeholder, spec)
        return map_components(_described, as_element(_called(function, value)))
    except Exception as error:
        try:
            element = first()
        except StopIteration:
            raise ValueError(f"the elements of an empty dataset cannot be described: {error}") from error
    value = delivered(element)
    found = as_element(_called(function, value))
    return map_components(lambda part: _opened(_described(part), _open_sizes(spec, element)), found)


def _called(function: Callable[..., Any], value: Any) -> Any:
    found = function(*value) if type(value) is tuple else function(value)
    return tuple(found) if type(found) is list else found


def _described(part: Any) -> Any:
    return part if isinstance(part, Nested) else spec_of(part)


def _open_sizes(spec: Any, element: Any) -> set[int]:
    """The sizes that dims have here which the spec leaves open."""
    sizes: set[Any] = set()
    for part, value in zip(components(spec), components(element), strict=True):
        if isinstance(part, TensorSpec) and part.shape.dims is not None and not isinstance(value, Nested):
            sizes.update(n for d, n in zip(part.shape.dims, shape_of(value) or (), strict=False) if d is None)
    return sizes - {None}


def _opened(part: Any, sizes: set[int]) -> Any:
    """A spec whose dims of those sizes are open: they may be the same dims."""
    if not sizes or not isinstance(part, TensorSpec) or part.shape.dims is None:
        return part
    return TensorSpec([None if d in sizes else d for d in part.shape.dims], part.dtype)
