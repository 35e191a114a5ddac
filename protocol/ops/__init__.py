"""All ops, by family. Importing this package declares every op; `protocol.ops.registry` holds the table."""

from protocol.ops import convolution, elementwise, logical, nn, pooling, special
from protocol.ops.registry import OPS, Op, Specs, lookup

__all__ = ["OPS", "Op", "Specs", "convolution", "elementwise", "logical", "lookup", "nn", "pooling", "special"]
