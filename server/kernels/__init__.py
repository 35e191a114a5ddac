"""All kernels, by family, in files named as in `protocol/ops/`. Importing this package declares every kernel."""

from server.kernels import convolution, elementwise, linalg, logical, matrix_parts, nn, pooling, products, special
from server.kernels.registry import KERNELS

__all__ = [
    "KERNELS",
    "convolution",
    "elementwise",
    "linalg",
    "logical",
    "matrix_parts",
    "nn",
    "pooling",
    "products",
    "special",
]
