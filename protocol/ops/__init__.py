"""All ops, by family. Importing this package declares every op; `protocol.ops.registry` holds the table."""

from protocol.ops import elementwise
from protocol.ops.registry import OPS, Op, Specs, lookup

__all__ = ["OPS", "Op", "Specs", "elementwise", "lookup"]
