"""Kernels of the ops that change a variable: each gives the variable's new value."""

from __future__ import annotations

from server.kernels.registry import kernel

kernel("assign", lambda xp, ref, value: value)
kernel("assign_add", lambda xp, ref, value: xp.add(ref, value))
kernel("assign_sub", lambda xp, ref, value: xp.subtract(ref, value))
