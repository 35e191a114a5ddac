"""Ops as a session uses them, with what inference said of their results.

Owns: `Bound`, whose plans are kept for the operands' specs seen so far, and `Missing`. Does not know values, devices or
when an op runs (`server.executor`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from protocol.errors import NotFoundError
from protocol.ops import Op
from protocol.spec import Spec

_MAX_PLANS: Final = 1024


class Bound:
    """An op that a session uses: its kernel, and what inference said for the operands seen so far."""

    __slots__ = ("kernel", "op", "plans", "several")

    def __init__(self, op: Op, kernel: Callable[..., Any]) -> None:
        self.op = op
        self.kernel = kernel
        self.several = False  # whether the op gives a tuple, of one result too
        self.plans: dict[Any, tuple[tuple[Spec, ...], int]] = {}

    def plan_for(self, specs: tuple[Spec, ...], attrs: Mapping[str, Any]) -> tuple[tuple[Spec, ...], int]:
        """The results' specs and their bytes, as far as known before the kernel runs. Raises as inference does."""
        key: Any = (specs, tuple(attrs.items())) if attrs else specs
        try:
            found = self.plans.get(key)
        except TypeError:
            raise TypeError(f"{self.op.name}: malformed attributes {dict(attrs)!r:.200}") from None
        if found is None:
            inferred = self.op.infer(specs, attrs)
            self.several = not isinstance(inferred, Spec)
            results = inferred if self.several else (inferred,)
            if len(self.plans) >= _MAX_PLANS:
                self.plans.clear()
            found = self.plans[key] = (results, sum(spec.nbytes for spec in results if spec.is_static))
        return found


class Missing(Bound):
    """A stand-in for an op this server does not know: running it fails that op alone, by name."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(Op(name, ("xs",), ("any",), True, _nothing, (), {}, False, (), "", ""), _nothing)

    def plan_for(self, specs: tuple[Spec, ...], attrs: Mapping[str, Any]) -> tuple[tuple[Spec, ...], int]:
        name = self.op.name
        raise NotFoundError(f"this server has no op named {name!r}: it may be older than the client", name)


def _nothing(*_: Any) -> Any:
    raise NotImplementedError
