"""Devices: where arrays live and which array module runs their kernels.

Owns: `Device` (NumPy on `CPU:0`, CuPy on each `GPU:n`) and `open_devices`. Does not know sessions, ids or ops.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np


class Device:
    """A device with its array module `xp`. The CPU's needs no stream: NumPy runs where it is called."""

    xp: Any = np

    def __init__(self, name: str) -> None:
        self.name = name

    scope: AbstractContextManager[Any] | None = None
    """To be entered before running kernels of this device; None where there is nothing to enter."""

    def take(self, array: Any) -> Any:
        """`array` (of any device) as an array of this one."""
        return array if type(array) is np.ndarray else array.get()

    def host(self, array: Any) -> np.ndarray[Any, Any]:
        """A C-contiguous NumPy array of `array`'s elements. Waits for the device."""
        return np.ascontiguousarray(array) if array.ndim else array

    def synchronize(self) -> None:
        """Wait until everything issued to this device is done."""

    def memory(self) -> dict[str, int]:
        """Bytes in use, by whomever, and in total, as far as the system tells."""
        try:
            lines = Path("/proc/meminfo").read_text().splitlines()
        except OSError:
            return {}
        found = {name: int(value.split()[0]) * 1024 for name, value in (line.split(":") for line in lines)}
        return {"used": found["MemTotal"] - found["MemAvailable"], "total": found["MemTotal"]}

    def out_of_memory(self, error: BaseException) -> bool:
        """Whether `error` means that the device had no memory left."""
        return isinstance(error, MemoryError)


class GpuDevice(Device):
    """A CUDA device under CuPy, with a stream of its own."""

    def __init__(self, index: int) -> None:
        import cupy

        super().__init__(f"GPU:{index}")
        self.xp = cupy
        self._device = cupy.cuda.Device(index)
        with self._device:
            self._stream = cupy.cuda.Stream(non_blocking=True)
        self.scope = _Both(self._device, self._stream)

    def take(self, array: Any) -> Any:
        with self.scope:
            return self.xp.asarray(array)

    def host(self, array: Any) -> np.ndarray[Any, Any]:
        with self.scope:
            return np.ascontiguousarray(self.xp.asnumpy(array)).reshape(array.shape)

    def synchronize(self) -> None:
        self._stream.synchronize()

    def memory(self) -> dict[str, int]:
        with self._device:
            free, total = self.xp.cuda.runtime.memGetInfo()
        return {"used": int(total - free), "total": int(total)}

    def out_of_memory(self, error: BaseException) -> bool:
        return isinstance(error, MemoryError | self.xp.cuda.memory.OutOfMemoryError)


class _Both:
    """Two context managers as one; cheaper than an ExitStack on the path of every op."""

    def __init__(self, first: Any, second: Any) -> None:
        self._first, self._second = first, second

    def __enter__(self) -> None:
        self._first.__enter__()
        self._second.__enter__()

    def __exit__(self, *error: Any) -> None:
        self._second.__exit__(*error)
        self._first.__exit__(*error)


def open_devices(which: str) -> list[Device]:
    """The devices to serve, the default last: `cpu`, `gpu` (an error when there is none) or `auto` (GPUs if there are
    any).

    Raises:
        RuntimeError: `gpu` was asked for and CuPy finds none.
    """
    devices = [Device("CPU:0")]
    if which == "cpu":
        return devices
    try:
        import cupy

        count = cupy.cuda.runtime.getDeviceCount()
        devices += [GpuDevice(i) for i in range(count)]
    except Exception as error:  # no CuPy, no driver, no device: CuPy raises a class of its own for each
        if which == "gpu":
            raise RuntimeError(f"no GPU can be used: {error}") from error
    if which == "gpu" and len(devices) == 1:
        raise RuntimeError("no GPU can be used: CuPy finds none")
    return devices
