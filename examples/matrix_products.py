"""Multiply a matrix by itself 200 times on each device of the server, and move tensors between devices.

python examples/matrix_products.py [--size 1000] [--url http://gpu-host:8470 --token-file token]
"""

from __future__ import annotations

import time

from common import connected

import client as tf


def measure(x: tf.Tensor, steps: int) -> float:
    """Seconds for `steps` products. They are sent without waiting; only the value at the end waits for all of them."""
    float(tf.reduce_sum(tf.matmul(x, x)))  # what happens once, at the first use of a device, does not count
    start = time.perf_counter()
    for _ in range(steps):
        x = tf.matmul(x, x)
    x.numpy()
    return time.perf_counter() - start


def on_every_device(size: int, steps: int) -> dict[str, float]:
    """Device -> seconds."""
    found = {}
    for device in tf.config.list_logical_devices():
        with tf.device(device.name):
            found[device.name] = measure(tf.random.normal([size, size]), steps)
    return found


def moved(x: tf.Tensor) -> list[str]:
    """The devices of a tensor's copies; `.gpu()` only where there is one."""
    copies = [x.cpu()]
    if tf.config.list_physical_devices("GPU"):
        copies.append(x.gpu())
    return [c.device for c in copies]


def main() -> None:
    size: tuple[str, dict[str, object]] = ("--size", {"type": int, "default": 1000, "help": "rows of the matrix"})
    given = connected(__doc__, size)
    print(f"Time to multiply a {given.size}x{given.size} matrix by itself 200 times:")
    for device, seconds in on_every_device(given.size, 200).items():
        print(f"{device}: {seconds:.2f} s")
    if not tf.config.list_physical_devices("GPU"):
        print("GPU: not found")
    print(*moved(tf.random.normal([10, 10])))


if __name__ == "__main__":
    main()
