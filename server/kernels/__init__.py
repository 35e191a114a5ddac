"""All kernels, by family, in files named as in `protocol/ops/`. Importing this package declares every kernel."""

from server.kernels import elementwise
from server.kernels.registry import KERNELS

__all__ = ["KERNELS", "elementwise"]
