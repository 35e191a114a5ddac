"""Elementwise math: one result element per (broadcast) input element."""

from __future__ import annotations

from protocol.ops.registry import FLOATS_COMPLEX, NUMERIC, op
from protocol.ops.rules import broadcast, same

op("add", "x y", infer=broadcast, types=NUMERIC, public="add math.add", doc="x + y, elementwise.")
op("tanh", "x", infer=same, types=FLOATS_COMPLEX, public="tanh math.tanh nn.tanh", doc="Hyperbolic tangent.")
