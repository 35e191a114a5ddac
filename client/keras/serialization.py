"""Objects by name and configuration: `"relu"`, `"Adam"`, `{"class_name": "L2", "config": {...}}`.

Owns: `Registry`, one for each kind of object (initializers, losses, layers, ...), and the user's own classes registered
with `register_keras_serializable`. Does not know any of these objects: a kind registers its own. A configuration names
classes and holds plain values, never code.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from client.api import public
from client.tracking import snake_case

_F = TypeVar("_F")

_CUSTOM: Final[dict[str, Any]] = {}
_CUSTOM_NAMES: Final[dict[Any, str]] = {}


@public("keras.utils.register_keras_serializable", "keras.saving.register_keras_serializable")
def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[_F], _F]:
    """Let configurations name a class or function of the user's as `package>name`.

    Args:
        package: a prefix that keeps names of different libraries apart.
        name: the name; None: that of the class or function.

    Raises:
        ValueError: a class without `get_config`.

    >>> import client as tf
    >>> @tf.keras.utils.register_keras_serializable("doc")
    ... def double(x):
    ...     return 2.0 * x
    >>> tf.keras.utils.get_registered_object("doc>double") is double
    True
    """

    def register(target: _F) -> _F:
        if isinstance(target, type) and not hasattr(target, "get_config"):
            raise ValueError("Cannot register a class that does not have a get_config() method.")
        registered = f"{package}>{name or getattr(target, '__name__', '')}"
        _CUSTOM[registered] = target
        _CUSTOM_NAMES[target] = registered
        return target

    return register


@public("keras.utils.get_registered_object", "keras.saving.get_registered_object")
def get_registered_object(
    name: str, custom_objects: Mapping[str, Any] | None = None, module_objects: Mapping[str, Any] | None = None
) -> Any:
    """The class or function of the user's under `name`, or None.

    >>> import client as tf
    >>> tf.keras.utils.get_registered_object("nobody>nothing")
    """
    for objects in (custom_objects or {}, _CUSTOM, module_objects or {}):
        if name in objects:
            return objects[name]
    return None


@public("keras.utils.get_registered_name", "keras.saving.get_registered_name")
def get_registered_name(target: Any) -> str:
    """The name under which a class or function was registered, else its own.

    >>> import client as tf
    >>> tf.keras.utils.get_registered_name(tf.keras.layers.Dense)
    'Dense'
    """
    found = _CUSTOM_NAMES.get(target)
    return found if found is not None else str(target.__name__)


@public("keras.utils.custom_object_scope", "keras.utils.CustomObjectScope", "keras.saving.custom_object_scope")
@contextlib.contextmanager
def custom_object_scope(custom_objects: Mapping[str, Any]) -> Iterator[None]:
    """Within the block, configurations can name these classes and functions.

    >>> import client as tf
    >>> with tf.keras.utils.custom_object_scope({"half": lambda x: x / 2}):
    ...     layer = tf.keras.layers.Activation("half")
    """
    before = dict(_CUSTOM)
    _CUSTOM.update(custom_objects)
    try:
        yield
    finally:
        _CUSTOM.clear()
        _CUSTOM.update(before)


class Registry:
    """The objects of one kind, by name.

    `kind` is the word in error texts ("initializer"). `add` registers a class or function under its own name, the
    name's snake case, and any aliases.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.objects: dict[str, Any] = {}

    def add(self, *aliases: str) -> Callable[[_F], _F]:
        """Register a class or function: `@REGISTRY.add("glorot_uniform")`."""

        def register(target: _F) -> _F:
            name = str(getattr(target, "__name__", ""))
            for alias in (name, *aliases):
                self.objects[alias] = target
            self.objects.setdefault(snake_case(name), target)  # "hinge" is the function, "Hinge" the class
            return target

        return register

    def lookup(self, name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The class or function called `name`. Raises ValueError."""
        found = get_registered_object(name, custom_objects, self.objects)
        if found is None:
            found = self.objects.get(name.lower())
        if found is None:
            raise ValueError(f"Could not interpret {self.kind} identifier: {name}")
        return found

    def get(self, identifier: Any) -> Any:
        """The object that a user's argument stands for: None as it is, a name, a configuration, a class (made with its
        defaults), or a callable as it is.

        Raises:
            ValueError: anything else, or an unknown name.
        """
        if identifier is None:
            return None
        found = identifier
        if isinstance(identifier, Mapping):
            return self.deserialize(identifier)
        if isinstance(identifier, str):
            found = self.lookup(identifier)
        if isinstance(found, type):
            return found()
        if callable(found) or (found is not identifier):
            return found
        raise ValueError(f"Could not interpret {self.kind} identifier: {identifier}")

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The object that `serialize` described: `{"class_name": ..., "config": ...}`, or a function's name."""
        if config is None:
            return None
        if isinstance(config, str):
            return self.lookup(config, custom_objects)
        if not isinstance(config, Mapping) or "class_name" not in config:
            raise ValueError(f"Could not interpret {self.kind} configuration: {config!r:.200}")
        name = config.get("registered_name") or config["class_name"]
        if config["class_name"] == "function":
            return self.lookup(config["config"], custom_objects)
        found = self.lookup(name, custom_objects)
        settings = config.get("config") or {}
        return found.from_config(dict(settings)) if hasattr(found, "from_config") else found(**settings)

    def serialize(self, target: Any) -> Any:
        """A configuration of plain values; a function stands as its name.

        Raises:
            ValueError: a lambda or another thing without a name.
        """
        if target is None:
            return None
        if hasattr(target, "get_config"):
            kind = type(target)
            config = {"class_name": kind.__name__, "config": target.get_config()}
            if kind in _CUSTOM_NAMES:
                config["registered_name"] = _CUSTOM_NAMES[kind]
            return config
        name = _CUSTOM_NAMES.get(target) or getattr(target, "__name__", None)
        if name is None or name == "<lambda>":
            raise ValueError(f"{target!r} has no name, so no configuration can name it")
        return name
