"""Seconds as text.

Owns: the functions that a measurement's `show` may be.
"""

from __future__ import annotations

from collections.abc import Callable


def duration(seconds: float) -> str:
    """In the unit that suits it.

    >>> duration(0.00012), duration(0.25), duration(3.0)
    ('120.0 µs', '250.00 ms', '3.00 s')
    """
    if seconds < 1e-3:
        return f"{seconds * 1e6:.1f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.2f} ms"
    return f"{seconds:.2f} s"


def per_op(seconds: float) -> str:
    """As microseconds an op and ops a second.

    >>> per_op(1e-5)
    '10.00 µs/op (100,000/s)'
    """
    return f"{seconds * 1e6:.2f} µs/op ({1 / seconds:,.0f}/s)"


def throughput(size: int) -> Callable[[float], str]:
    """For the time that `size` bytes take.

    >>> throughput(2**26)(0.064)
    '1.05 GB/s (64.00 ms)'
    """

    def show(seconds: float) -> str:
        return f"{size / seconds / 1e9:.2f} GB/s ({duration(seconds)})"

    return show
