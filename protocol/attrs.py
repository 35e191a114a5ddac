"""The types of op attributes: what may stand in a spec's keyword-only annotations, and how a value is checked.

Owns: the annotation vocabulary (`Ints`, `Axes`, `Unknown`, ...), `Attr`, `read_attrs` and the strict check that both
sides apply before a rule or a kernel sees a value. Does not know which op has which attribute: that is each rule's
signature.

An attribute annotated `... | Unknown` may also be an integer tensor (`tf.reshape(x, tf.shape(y))`). Where the client
does not know its value, the rule is called with `Unknown(spec)` in its place and answers with unknown dims; the server
always calls it with the value.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from protocol.dtypes import DType
from protocol.spec import Spec

Ints: TypeAlias = tuple[int, ...]
Axes: TypeAlias = int | tuple[int, ...] | None
Pairs: TypeAlias = tuple[tuple[int, int], ...]

MAX_STRING: Final = 1024
MAX_ITEMS: Final = 4096
_INT64: Final = range(-(2**63), 2**63)


class Unknown(NamedTuple):
    """Stands, during inference on the client, for an attribute whose value only the server knows."""

    spec: Spec


class _Required:
    def __repr__(self) -> str:
        return "required"


REQUIRED: Final = _Required()


@dataclass(frozen=True, slots=True)
class Attr:
    """One attribute of an op: its name, annotation, default (`REQUIRED` when it has none), whether a tensor may
    stand for it, and whether it may be a float.
    """

    name: str
    annotation: Any
    default: Any
    takes_tensor: bool
    takes_float: bool = False

    def check(self, value: Any, op: str = "") -> None:
        """Raise TypeError unless `value` is exactly of the annotated type; `op` is named in the text."""
        if not conforms(value, self.annotation):
            of = f" [Op:{op}]" if op else ""
            raise TypeError(f"attribute {self.name!r} must be {describe(self.annotation)}, not {value!r:.100}{of}")


@cache
def read_attrs(rule: Callable[..., Any]) -> dict[str, Attr]:
    """The attributes of an op, from the keyword-only parameters of its inference rule."""
    hints = typing.get_type_hints(rule)
    found = {}
    for name, parameter in inspect.signature(rule).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            default = REQUIRED if parameter.default is parameter.empty else parameter.default
            options = typing.get_args(hints[name])
            takes_float = float in (hints[name], *options)
            found[name] = Attr(name, hints[name], default, Unknown in options, takes_float)
    return found


def check_attrs(attrs: Mapping[str, Attr], given: Mapping[str, Any], op: str) -> None:
    """Raise TypeError for an unknown, missing or ill-typed attribute."""
    for name, value in given.items():
        attr = attrs.get(name)
        if attr is None:
            raise TypeError(f"{op} has no attribute {name!r}; it has {', '.join(attrs) or 'none'}")
        attr.check(value, op)
    for name, attr in attrs.items():
        if attr.default is REQUIRED and name not in given:
            raise TypeError(f"{op} needs the attribute {name!r}")


def conforms(value: Any, annotation: Any) -> bool:
    """Whether `value` is of the type `annotation`: exactly, so that True is no int; a long or deep value never
    conforms.
    """
    origin = typing.get_origin(annotation)
    if origin in (types.UnionType, typing.Union):
        return any(conforms(value, option) for option in typing.get_args(annotation))
    if origin is Literal:
        return value in typing.get_args(annotation) and isinstance(value, str)
    if origin is tuple:
        if type(value) is not tuple or len(value) > MAX_ITEMS:
            return False
        items = typing.get_args(annotation)
        if len(items) == 2 and items[1] is Ellipsis:
            return all(conforms(item, items[0]) for item in value)
        return len(value) == len(items) and all(map(conforms, value, items))
    if annotation is None or annotation is types.NoneType:
        return value is None
    if annotation is int:
        return type(value) is int and value in _INT64
    if annotation is str:
        return type(value) is str and len(value) <= MAX_STRING
    if annotation is float:
        return type(value) is float or (type(value) is int and value in _INT64)
    return type(value) is annotation


def describe(annotation: Any) -> str:
    """`annotation` in words for an error message."""
    origin = typing.get_origin(annotation)
    if origin in (types.UnionType, typing.Union):
        options = [o for o in typing.get_args(annotation) if o is not Unknown]
        return " or ".join(describe(o) for o in options)
    if origin is Literal:
        return "one of " + ", ".join(map(repr, typing.get_args(annotation)))
    if origin is tuple:
        items = typing.get_args(annotation)
        if len(items) == 2 and items[1] is Ellipsis:
            return f"a tuple of {describe(items[0])}"
        return "a tuple of (" + ", ".join(map(describe, items)) + ")"
    if annotation is types.NoneType or annotation is None:
        return "None"
    return "a dtype" if annotation is DType else str(getattr(annotation, "__name__", annotation))
