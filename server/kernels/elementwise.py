"""Kernels of the elementwise ops."""

from __future__ import annotations

from server.kernels.registry import kernel

kernel("add", lambda xp, x, y: xp.add(x, y))
kernel("tanh", lambda xp, x: xp.tanh(x))
