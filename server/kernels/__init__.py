"""All kernels, by family, in files named as in `protocol/ops/`. Importing this package declares every kernel."""

from server.kernels import convolution, elementwise, logical, nn, pooling, special
from server.kernels.registry import KERNELS

__all__ = ["KERNELS", "convolution", "elementwise", "logical", "nn", "pooling", "special"]
