"""Ops that fail when their result has a NaN or an infinity, as TensorFlow's `enable_check_numerics` has them.

Owns: `switch`, which ops are passed over, and the message. Does not know who asks. While it is on, the executor's
`compute` is one that looks at the results; off, it is the class's own, so that nothing is looked at or asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from protocol.errors import InvalidArgumentError
from protocol.ops import Op
from server.plans import Bound
from server.values import Value

if TYPE_CHECKING:
    from server.executor import Executor

_MOVES: Final = frozenset(
    (
        "concat", "expand_dims", "fill", "identity", "matrix_transpose", "maximum", "minimum", "reshape", "slice",
        "squeeze", "strided_slice", "strided_slice_grad", "transpose", "unstack",
    )
)  # fmt: skip
"""Ops that make no such value of others: those that TensorFlow passes over (its SAFE_OPS, and Identity)."""
_OF_NOTHING: Final = frozenset(("moments",))
"""Ops whose statistics of an empty batch are NaN and do no harm (FusedBatchNorm's, in TensorFlow's
IGNORE_OP_OUTPUTS).
"""
_SHOWN_BYTES: Final = 2**20
"""Bytes of an input up to which the message shows its value."""
_SHOWN_INPUTS: Final = 8
_SHOWN_CHARACTERS: Final = 2000


def is_on(executor: Executor) -> bool:
    """Whether results are checked."""
    return "compute" in executor.__dict__


def switch(executor: Executor, on: bool) -> None:
    """Check the results of every op from here on, those of backward passes too; or no more."""
    if on and not is_on(executor):
        executor.compute = _checked(executor.compute)  # type: ignore[method-assign]
    elif not on:
        executor.__dict__.pop("compute", None)


def _checked(compute: Callable[..., list[Value]]) -> Callable[..., list[Value]]:
    def run(bound: Bound, values: list[Value], attrs: Mapping[str, Any], device_name: Any) -> list[Value]:
        results = compute(bound, values, attrs, device_name)
        op = bound.op
        if op.name not in _MOVES and not (op.name in _OF_NOTHING and not values[0].array.size):
            for slot, result in enumerate(results):
                if result.spec.dtype.differentiable and not _finite(result):
                    raise InvalidArgumentError(_message(op, slot, len(results), result, values), op.name)
        return results

    return run


def _finite(value: Value) -> bool:
    """Whether all elements are finite numbers. On a GPU it waits for the device."""
    return bool(_on_device(value, lambda xp: xp.isfinite(value.array).all()))


def _on_device(value: Value, compute: Callable[[Any], Any]) -> Any:
    device = value.device
    if device is None or device.scope is None:
        return compute(np)
    with device.scope:
        return compute(device.xp)


def _message(op: Op, slot: int, count: int, result: Value, inputs: Sequence[Value]) -> str:
    """TensorFlow's text, with our op's name."""
    kinds = [(sign, number) for sign, number in zip(("-Inf", "+Inf", "NaN"), _counts(result), strict=True) if number]
    outputs = f"(# of outputs: {count})"
    lines = [
        f'!!! Detected Infinity or NaN in output {slot} of eagerly-executing op "{op.name}" {outputs} !!!',
        f"  dtype: {result.spec.dtype}",
        f"  shape: {result.spec.shape}",
        *[f"  # of {'+NaN' if sign == 'NaN' else sign} elements: {number}" for sign, number in kinds],
        "",
    ]
    if len(inputs) == 1:
        lines.append(f"  Input tensor: {_shown(inputs[0])}")
    elif inputs:
        lines.append(f"  Input tensors ({len(inputs)}):")
        lines += [f"         {i}: {_shown(value)}" for i, value in enumerate(inputs[:_SHOWN_INPUTS])]
        if len(inputs) > _SHOWN_INPUTS:
            lines.append(f"         and {len(inputs) - _SHOWN_INPUTS} more")
    had = [sign for sign, _ in kinds]
    return "\n".join([*lines, "", f" : Tensor had {_and(had)} values [Op:{op.name}]"])


def _and(words: list[str]) -> str:
    """`-Inf, +Inf, and NaN`."""
    if len(words) < 3:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"


def _counts(value: Value) -> tuple[int, int, int]:
    """How many elements are negative infinities, positive ones, and NaN. The parts of a complex number count each."""

    def count(xp: Any) -> tuple[int, int, int]:
        array = value.array
        parts = (array.real, array.imag) if value.spec.dtype.is_complex else (array,)
        negative = sum(int((xp.isinf(p) & (p < 0)).sum()) for p in parts)
        positive = sum(int((xp.isinf(p) & (p > 0)).sum()) for p in parts)
        return negative, positive, sum(int(xp.isnan(p).sum()) for p in parts)

    found: tuple[int, int, int] = _on_device(value, count)
    return found


def _shown(value: Value) -> str:
    """`tf.Tensor([1. 2.], shape=(2,), dtype=float32)`; of a large one the edges, of a very large one no value."""
    spec = value.spec
    rest = f"shape={spec.shape}, dtype={spec.dtype.name})"
    if value.nbytes > _SHOWN_BYTES or value.array.shape != spec.shape:
        return f"tf.Tensor({rest}"
    host = value.array if value.device is None else value.device.host(value.array)
    text = str(host) if host.ndim else str(host[()])
    text = text if len(text) <= _SHOWN_CHARACTERS else "..."
    return f"tf.Tensor({chr(10) if chr(10) in text else ''}{text}, {rest}"
