"""`tf.data.Options`: accepted, so that programs that set them run.

Owns: `Options`. Does not know datasets; no option changes anything here.
"""

from __future__ import annotations

from typing import Any, Final

from client.api import public

_NAMES: Final = frozenset((
    "autotune", "dataset_name", "deterministic", "experimental_deterministic", "experimental_distribute",
    "experimental_external_state_policy", "experimental_optimization", "experimental_slack",
    "experimental_symbolic_checkpoint", "experimental_threading", "experimental_warm_start", "framework_type",
    "threading",
))  # fmt: skip
_GROUPS: Final = frozenset(("autotune", "experimental_distribute", "experimental_optimization", "threading"))


class _Group:
    """Options that belong together."""

    def __init__(self) -> None:
        self.__dict__["_set"] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        self._set[name] = value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.__dict__["_set"].get(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Group) and self._set == other._set

    __hash__ = None  # type: ignore[assignment]


@public("data.Options")
class Options:
    """Settings for `Dataset.with_options`, with TensorFlow's names. They are kept, and change nothing: order is always
    deterministic here.

    >>> import client as tf
    >>> options = tf.data.Options()
    >>> options.deterministic = False
    >>> tf.data.Dataset.range(3).with_options(options).options().deterministic
    False
    """

    def __init__(self) -> None:
        self.__dict__["_set"] = {}

    def __setattr__(self, name: str, value: Any) -> None:
        self._check(name)
        self._set[name] = value

    def __getattr__(self, name: str) -> Any:
        self._check(name)
        if name in _GROUPS:
            return self._set.setdefault(name, _Group())
        return self._set.get(name)

    @staticmethod
    def _check(name: str) -> None:
        if name not in _NAMES:
            raise AttributeError(f"'Options' object has no attribute {name!r}")

    def merge(self, options: Options) -> Options:
        """These options and others, which come first where both are set."""
        merged = Options()
        merged._set.update(self._set)
        merged._set.update(options._set)
        return merged

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Options) and self._set == other._set

    __hash__ = None  # type: ignore[assignment]
