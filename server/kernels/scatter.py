"""Kernels of the scatters."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from server.kernels.positions import row_numbers, scatter_rows
from server.kernels.registry import kernel


def _scatter(xp: Any, how: str, tensor: Any, indices: Any, updates: Any) -> Any:
    depth, shape = indices.shape[-1], tensor.shape
    named = f"shape [{','.join(map(str, shape))}]"
    numbers, good = row_numbers(xp, indices, shape[:depth], named)
    count, width = prod(shape[:depth]), prod(shape[depth:])
    flat = None if good is None else good.reshape(-1)
    rows = numbers.reshape(-1)
    found = scatter_rows(xp, how, tensor.reshape(count, width), rows, updates.reshape(rows.size, width), flat)
    return found.reshape(shape)


def _tensor_scatter(how: str) -> Callable[..., Any]:
    return lambda xp, tensor, indices, updates: _scatter(xp, how, tensor, indices, updates)


kernel(
    "scatter_nd",
    lambda xp, indices, updates, *, shape: _scatter(xp, "add", xp.zeros(shape, updates.dtype), indices, updates),
)
for _how in ("update", "add", "sub", "min", "max"):
    kernel(f"tensor_scatter_nd_{_how}", _tensor_scatter(_how))
