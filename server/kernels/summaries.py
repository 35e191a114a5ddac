"""Kernels of what is made to be looked at."""

from __future__ import annotations

from typing import Any

from protocol import histograms
from server.kernels.registry import kernel


def _histogram_buckets(xp: Any, data: Any, buckets: int = histograms.DEFAULT) -> Any:
    return histograms.buckets(xp, data, buckets)


kernel("histogram_buckets", _histogram_buckets)
