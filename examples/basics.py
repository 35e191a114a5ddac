"""First steps: a product, broadcasting, operators, NumPy, control flow on values, a gradient, a running mean.

python examples/basics.py [--url http://gpu-host:8470 --token-file token]
"""

from __future__ import annotations

import numpy as np
from common import connected

import client as tf


def hello() -> str:
    """A matrix product, printed: one wait."""
    x = [[2.0]]
    return f"hello, {tf.matmul(x, x)}"


def arithmetic() -> list[str]:
    """Broadcasting, operators and NumPy's functions on tensors: a wait for each value that is looked at."""
    a = tf.constant([[1, 2], [3, 4]])
    b = tf.add(a, 1)
    return [str(a.numpy()), str(b.numpy()), str((a * b).numpy()), str(np.multiply(a, b))]


def fizzbuzz(limit: int) -> list[str]:
    """Python's own control flow on tensors. The numbers are known here, so none of it waits."""
    said = []
    counter = tf.constant(0)
    for n in range(1, int(tf.convert_to_tensor(limit)) + 1):
        number = tf.constant(n)
        if int(number % 3) == 0 and int(number % 5) == 0:
            said.append("FizzBuzz")
        elif int(number % 3) == 0:
            said.append("Fizz")
        elif int(number % 5) == 0:
            said.append("Buzz")
        else:
            said.append(str(number.numpy()))
        counter += 1
    return said


def gradient_of_a_square() -> tf.Tensor:
    """d(w * w)/dw at 1: asked for without a wait, printed with one."""
    w = tf.Variable([[1.0]])
    with tf.GradientTape() as tape:
        loss = w * w
    return tape.gradient(loss, w)


def running_mean() -> tuple[float, float]:
    """A metric: updates wait for nothing, each result that is looked at for one round trip."""
    m = tf.keras.metrics.Mean("loss")
    m(0)
    m(5)
    first = float(m.result())
    m([8, 9])
    return first, float(m.result())


def main() -> None:
    connected(__doc__)
    print(hello())
    print(*arithmetic(), sep="\n")
    print(*fizzbuzz(15))
    print(gradient_of_a_square())
    print(*running_mean())


if __name__ == "__main__":
    main()
