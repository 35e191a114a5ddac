"""The table of ops: what an op is called, what it takes, and how its result's dtype and shape follow.

Owns: `Op`, `op()`, `lookup`, the dtype groups of the input language, and memoised inference. Does not know values,
kernels or gradients.

    op("add", "x y", infer=broadcast, types=NUMERIC, public="add math.add")

The second argument names the inputs. Inputs with no group share one dtype (the group `T`, limited by `types`); the
others say theirs:

    "condition:bool x y"        exactly bool; x and y share T
    "params indices:index"      int32 or int64
    "x y:any"                   any dtype, on its own
    "*xs"                       any number of tensors, all of T (only as the last input)
    "ref:variable value"        a variable: an op with such inputs and `effect=True` returns their new values, in order
    "ref:overwritten value"     the same, where the old value is not read

Attributes are the keyword-only parameters of the inference rule, with their annotations as types and their defaults.
A rule gets a `Spec` per input (a variadic input comes as `*xs`) and returns a `Spec`, or a tuple of them for an op with
several results. `public` lists the names under which `client` offers the op as it stands: inputs, then attributes, then
`name=None`. An op whose public face needs more (other defaults, composites) has no `public` and a function in
`client/ops/` of the same family.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from protocol import dtypes
from protocol.attrs import Attr, check_attrs, read_attrs
from protocol.dtypes import DType
from protocol.errors import InvalidArgumentError, NotFoundError
from protocol.spec import Spec, checked_shape

Specs: TypeAlias = Spec | tuple[Spec, ...]

ALL: Final = dtypes.ALL
INTS: Final = dtypes.INTS
FLOATS: Final = dtypes.FLOATS
COMPLEX: Final = dtypes.COMPLEX
BOOL: Final = (dtypes.bool_,)
REAL: Final = INTS + FLOATS
NUMERIC: Final = REAL + COMPLEX
FLOATS_COMPLEX: Final = FLOATS + COMPLEX

GROUPS: Final[dict[str, tuple[DType, ...]]] = {
    "bool": BOOL,
    "index": (dtypes.int32, dtypes.int64),
    "int": INTS,
    "real": REAL,
    "any": ALL,
    "variable": ALL,
    "overwritten": ALL,
}
_MEMO_LIMIT: Final = 4096


@dataclass(slots=True)
class Op:
    """One op. `effect` marks those that change state and are skipped after a failure until it has been raised."""

    name: str
    inputs: tuple[str, ...]
    groups: tuple[str, ...]
    variadic: bool
    rule: Callable[..., Specs]
    types: tuple[DType, ...]
    attrs: dict[str, Attr]
    effect: bool
    public: tuple[str, ...]
    doc: str
    family: str
    memo: dict[Any, Specs] = field(default_factory=dict, repr=False)

    def infer(self, specs: tuple[Spec, ...], attrs: Mapping[str, Any]) -> Specs:
        """The result's spec (a tuple of them for several results), memoised.

        Raises:
            InvalidArgumentError: dtypes or shapes that the op does not take; the text names the op and the operands.
            TypeError, ValueError: wrong number of inputs, wrong attributes.
        """
        key = (specs, tuple(attrs.items())) if attrs else specs
        try:
            found = self.memo.get(key)
        except TypeError:
            raise TypeError(f"{self.name}: an attribute is not hashable: {dict(attrs)!r:.200}") from None
        if found is None:
            found = self._infer(specs, attrs)
            if len(self.memo) >= _MEMO_LIMIT:
                self.memo.clear()
            self.memo[key] = found
        return found

    def _infer(self, specs: tuple[Spec, ...], attrs: Mapping[str, Any]) -> Specs:
        try:
            check_attrs(self.attrs, attrs, self.name)
            self._check_inputs(specs)
            found = self.rule(*specs, **attrs)
            for spec in (found,) if isinstance(found, Spec) else found:
                if spec.shape is not None:
                    checked_shape(spec.shape)
            return found
        except (InvalidArgumentError, ValueError) as error:
            kind = InvalidArgumentError if isinstance(error, InvalidArgumentError) else ValueError
            raise kind(f"{error} {self.called_on(specs)}") from None

    def called_on(self, operands: Sequence[Any]) -> str:
        """The op and its operands, or their specs, as errors name them: `[Op:add] (x: float32[2], y: float32[3])`."""
        listed = ", ".join(f"{n}: {s}" for n, s in zip(self.input_names(len(operands)), operands, strict=False))
        return f"[Op:{self.name}] ({listed})" if listed else f"[Op:{self.name}]"

    def input_names(self, count: int) -> tuple[str, ...]:
        """The name of each of `count` inputs: x, y or, for a variadic op, xs[0], xs[1], ..."""
        if not self.variadic:
            return self.inputs
        fixed = len(self.inputs) - 1
        return self.inputs[:fixed] + tuple(f"{self.inputs[-1]}[{i}]" for i in range(count - fixed))

    def input_groups(self, count: int) -> tuple[str, ...]:
        """The dtype group of each of `count` inputs."""
        if not self.variadic:
            return self.groups
        return self.groups[:-1] + (self.groups[-1],) * (count - len(self.groups) + 1)

    def _check_inputs(self, specs: tuple[Spec, ...]) -> None:
        fixed = len(self.inputs) - self.variadic
        if len(specs) < fixed or (len(specs) > fixed and not self.variadic):
            raise TypeError(f"{self.name} takes {fixed} tensors ({', '.join(self.inputs)}), not {len(specs)}")
        shared: DType | None = None
        names, groups = self.input_names(len(specs)), self.input_groups(len(specs))
        for name, group, spec in zip(names, groups, specs, strict=True):
            allowed = self.types if group == "T" else GROUPS[group]
            if spec.dtype not in allowed:
                listed = ", ".join(t.name for t in allowed)
                raise InvalidArgumentError(f"{name} must be one of {listed}, not {spec.dtype.name}")
            if group == "T":
                if shared is not None and spec.dtype is not shared:
                    raise InvalidArgumentError(
                        f"cannot compute {self.name} as input {name} was expected to be a {shared.name} tensor "
                        f"but is a {spec.dtype.name} tensor"
                    )
                shared = spec.dtype


OPS: Final[dict[str, Op]] = {}


def op(
    name: str,
    inputs: str,
    *,
    infer: Callable[..., Specs],
    types: tuple[DType, ...] = ALL,
    effect: bool = False,
    public: str = "",
    doc: str = "",
) -> Op:
    """Declare an op; see the module docstring for the languages of `inputs` and `public`.

    `doc` is the public docstring's body: one line saying what it computes, a formula where there is one.
    """
    if name in OPS:
        raise ValueError(f"the op {name!r} is declared twice")
    words = [w.partition(":") for w in inputs.split()]
    variadic = bool(words) and words[-1][0].startswith("*")
    OPS[name] = Op(
        name=name,
        inputs=tuple(w[0].lstrip("*") for w in words),
        groups=tuple(w[2] or "T" for w in words),
        variadic=variadic,
        rule=infer,
        types=types,
        attrs=read_attrs(infer),
        effect=effect,
        public=tuple(public.split()),
        doc=doc,
        family=str(sys._getframe(1).f_globals["__name__"]).rpartition(".")[2],
    )
    return OPS[name]


def lookup(name: str) -> Op:
    """The op called `name`. Raises NotFoundError."""
    found = OPS.get(name)
    if found is None:
        raise NotFoundError(f"there is no op named {name!r}", name)
    return found
