"""All kernels, by family, in files named as in `protocol/ops/`. Importing this package declares every kernel."""

from server.kernels import (
    arrays,
    convolution,
    creation,
    elementwise,
    indexing,
    joining,
    linalg,
    logical,
    matrix_parts,
    nn,
    pooling,
    products,
    reductions,
    scatter,
    segments,
    sorting,
    special,
)
from server.kernels.registry import KERNELS

__all__ = [
    "KERNELS",
    "arrays",
    "convolution",
    "creation",
    "elementwise",
    "indexing",
    "joining",
    "linalg",
    "logical",
    "matrix_parts",
    "nn",
    "pooling",
    "products",
    "reductions",
    "scatter",
    "segments",
    "sorting",
    "special",
]
