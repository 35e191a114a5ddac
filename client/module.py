"""`tf.Module`: a Python object that owns variables.

Owns: the class: its name, and finding the variables and modules in its attributes. Does not know layers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from client.api import public
from client.control_flow import name_scope
from client.tracking import Tracked, members, snake_case
from client.variable import Variable


@public("Module")
class Module(Tracked):
    """A base for objects whose attributes are variables, and other modules.

    Args:
        name: its name, a Python identifier; None: made of the class's name.

    Raises:
        ValueError: `name` is no identifier.

    >>> import client as tf
    >>> class Dense(tf.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.w = tf.Variable(tf.ones([2, 3]), name="w")
    >>> len(Dense().trainable_variables), Dense().name
    (1, 'dense')
    """

    _TF_MODULE_IGNORED_PROPERTIES: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, name: str | None = None) -> None:
        if name is None:
            name = snake_case(type(self).__name__)
        if not name.isidentifier():
            raise ValueError(
                f"{name!r} is not a valid module name. Module names must be valid Python identifiers (e.g. a valid "
                f"class name)."
            )
        self._self_name = name

    @property
    def name(self) -> str:
        """Its name."""
        return self._self_name

    @property
    def name_scope(self) -> name_scope:
        """A context in which names are prefixed with its own."""
        return name_scope(self._self_name)

    @classmethod
    def with_name_scope(cls, method: Callable[..., Any]) -> Callable[..., Any]:
        """A decorator: the method runs in the module's name scope."""
        import functools

        @functools.wraps(method)
        def wrapped(self: Module, *args: Any, **kwargs: Any) -> Any:
            with self.name_scope:
                return method(self, *args, **kwargs)

        return wrapped

    @property
    def variables(self) -> tuple[Variable, ...]:
        """All variables of it and its submodules, in the order of the attributes' names."""
        found: dict[int, Variable] = {}
        for each in _walk(self, set()):
            if isinstance(each, Variable):
                found.setdefault(id(each), each)
        return tuple(found.values())

    @property
    def trainable_variables(self) -> tuple[Variable, ...]:
        """Those that are trainable."""
        return tuple(v for v in self.variables if v.trainable)

    @property
    def non_trainable_variables(self) -> tuple[Variable, ...]:
        """Those that are not."""
        return tuple(v for v in self.variables if not v.trainable)

    @property
    def submodules(self) -> tuple[Module, ...]:
        """The modules in its attributes, and theirs."""
        return tuple(m for m in _walk(self, set()) if isinstance(m, Module))


def _walk(module: Module, seen: set[int]) -> Iterator[Any]:
    """What a module owns: its own first, by attribute name, then what its modules own."""
    seen.add(id(module))
    owned = []
    for _, value in sorted(module._edges()):
        for each in members(value):
            if id(each) not in seen:
                if isinstance(each, Variable):
                    seen.add(id(each))
                    yield each
                elif isinstance(each, Module):
                    owned.append(each)
    for each in owned:
        if id(each) not in seen:
            yield each
            yield from _walk(each, seen)
