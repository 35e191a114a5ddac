"""`tf.test`: what programs ask about GPUs and builds. Owns: these questions, answered for the server's devices."""

from __future__ import annotations

import unittest
from typing import Any

from client.api import names_in, public
from client.config import list_logical_devices


@public("test.is_gpu_available")
def is_gpu_available(cuda_only: bool = False, min_cuda_compute_capability: Any = None) -> bool:
    """Whether the server has a GPU. `tf.config.list_physical_devices("GPU")` says which.

    >>> import client as tf
    >>> tf.test.is_gpu_available() == bool(tf.config.list_physical_devices("GPU"))
    True
    """
    return bool(list_logical_devices("GPU"))


@public("test.gpu_device_name")
def gpu_device_name() -> str:
    """The name of the server's first GPU, such as `/device:GPU:0`; empty when it has none."""
    return next((d.name for d in list_logical_devices("GPU")), "")


@public("test.is_built_with_cuda", "test.is_built_with_gpu_support")
def is_built_with_cuda() -> bool:
    """Whether the server runs ops with CUDA: whether it has a GPU."""
    return is_gpu_available()


@public("test.is_built_with_rocm")
def is_built_with_rocm() -> bool:
    """False."""
    return False


@public("test.is_built_with_xla")
def is_built_with_xla() -> bool:
    """False: nothing is compiled."""
    return False


@public("test.main")
def main(argv: Any = None) -> None:
    """Run the unit tests of the calling module: `unittest.main`."""
    unittest.main(argv=argv)


__all__ = sorted(names_in("test"))
