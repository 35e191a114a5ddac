"""The ops of `protocol/ops/optimizers.py` change variables: nothing is differentiated through them."""

from __future__ import annotations

from protocol.gradients.registry import no_gradient
from protocol.ops import OPS

no_gradient(" ".join(op.name for op in OPS.values() if op.family == "optimizers"))
