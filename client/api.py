"""The public names: TensorFlow's dotted paths, each with its function.

Owns: `public`, `names_in`, and the functions made from op declarations that have `public` names. Does not know what
they compute.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any, Final, TypeVar

from client import dispatch
from protocol.attrs import REQUIRED
from protocol.ops import OPS, Op

_F = TypeVar("_F")

PUBLIC: Final[dict[str, Any]] = {}
"""Dotted path below `tf.` -> function or class."""


def public(*paths: str) -> Callable[[_F], _F]:
    """Offer a function or class under TensorFlow's names: `@public("clip_by_value")`, `@public("math.top_k",
    "nn.top_k")`.
    """

    def register(function: _F) -> _F:
        for path in paths:
            if path in PUBLIC:
                raise ValueError(f"tf.{path} is declared twice")
            PUBLIC[path] = function
        return function

    return register


def names_in(namespace: str) -> dict[str, Any]:
    """What stands in a namespace: `names_in("math")` has `tanh`; `names_in("")` the top level's."""
    prefix = f"{namespace}." if namespace else ""
    found = {}
    for path, function in PUBLIC.items():
        rest = path.removeprefix(prefix)
        if path.startswith(prefix) and "." not in rest:
            found[rest] = function
    return found


def namespace(path: str) -> ModuleType:
    """A namespace within another, as a module: `config.experimental`, made in the module of `config`."""
    module = ModuleType(f"client.{path}", f"The names of `tf.{path}`.")
    module.__dict__.update(names_in(path))
    return module


def function_of(op: Op, path: str) -> Callable[..., Any]:
    """The public function of an op that needs no more than its declaration: inputs, attributes, `name=None`."""
    name = path.rpartition(".")[2]
    defaults: dict[str, Any] = {}
    parameters = list(op.inputs)  # a variadic input is one list of tensors, as in `tf.add_n([a, b])`
    for attr in op.attrs.values():
        if attr.default is REQUIRED:
            parameters.append(attr.name)
        else:
            defaults[f"_default_{attr.name}"] = attr.default
            parameters.append(f"{attr.name}=_default_{attr.name}")
    inputs = ", ".join(f"*{n}" if op.variadic and n == op.inputs[-1] else n for n in op.inputs)
    attrs = ", ".join(f"{a!r}: {a}" for a in op.attrs)
    arguments = f"_op, ({inputs}{',' if inputs else ''})" + (f", {{{attrs}}}" if attrs else "")
    # The function is written out, as `namedtuple` does, so that it has TensorFlow's signature and costs one call.
    source = f"def {name}({', '.join([*parameters, 'name=None'])}):\n    return _call({arguments})"
    scope: dict[str, Any] = {"_call": dispatch.call_op, "_op": op, "__name__": __name__, **defaults}
    exec(source, scope)
    function: Callable[..., Any] = scope[name]
    function.__doc__ = op.doc
    function.__qualname__ = name
    function.__module__ = __name__
    return function


def declare_ops() -> None:
    """Make the functions of all ops that have public names."""
    for op in OPS.values():
        functions: dict[str, Callable[..., Any]] = {}
        for path in op.public:
            name = path.rpartition(".")[2]
            if name not in functions:
                functions[name] = function_of(op, path)
            public(path)(functions[name])
