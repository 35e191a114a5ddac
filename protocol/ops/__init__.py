"""All ops, by family. Importing this package declares every op; `protocol.ops.registry` holds the table."""

from protocol.ops import convolution, elementwise, linalg, logical, matrix_parts, nn, pooling, products, special
from protocol.ops.registry import OPS, Op, Specs, lookup

__all__ = [
    "OPS",
    "Op",
    "Specs",
    "convolution",
    "elementwise",
    "linalg",
    "logical",
    "lookup",
    "matrix_parts",
    "nn",
    "pooling",
    "products",
    "special",
]
