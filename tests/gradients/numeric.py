"""Gradients by differences, in double precision, of ops run on a real server.

With random weights r the op's results become one number f(x) = Re sum(conj(r) * op(x)). For real inputs the gradient is
the usual one; for complex inputs TensorFlow's convention is df = Re sum(conj(gradient) * dx).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import client as tf
from client.dispatch import call
from protocol import dtypes
from protocol.ops import OPS
from protocol.spec import Spec
from tests.ops.case import Case

STEP = 1e-6
WIDE = {"float16": "float64", "bfloat16": "float64", "float32": "float64", "complex64": "complex128"}


def widened(case: Case) -> tuple[tuple[np.ndarray, ...], dict[str, Any]] | None:
    """The case's inputs and attributes in double precision; None if the op has no such dtype or no float inputs."""
    op = OPS[case.op]
    inputs = []
    for value, group in zip(case.inputs, op.input_groups(len(case.inputs)), strict=True):
        kind = dtypes.as_dtype(value.dtype)
        wide = dtypes.as_dtype(WIDE.get(kind.name, kind.name))
        if group == "T" and wide not in op.types:
            return None
        inputs.append(value.astype(wide.numpy))
    attrs = {
        k: dtypes.as_dtype(WIDE.get(v.name, v.name)) if isinstance(v, dtypes.DType) else v
        for k, v in case.attrs.items()
    }
    return tuple(inputs), attrs


def gradient_cases(cases: Sequence[Case]) -> list[Case]:
    """One case for each op, shape and attributes: those whose dtypes alone differ are the same in double precision."""
    seen = set()
    found = []
    for case in cases:
        wide = widened(case) if case.gradient else None
        if wide is None or not any(dtypes.as_dtype(i.dtype).differentiable for i in wide[0]):
            continue
        inferred = OPS[case.op].infer(tuple(Spec(dtypes.as_dtype(i.dtype), i.shape) for i in wide[0]), wide[1])
        if not any(s.dtype.differentiable for s in ((inferred,) if isinstance(inferred, Spec) else inferred)):
            continue
        key = (case.op, tuple((i.shape, i.dtype.name, i.tobytes()[:64]) for i in wide[0]), repr(wide[1]))
        if key not in seen:
            seen.add(key)
            found.append(case)
    return found


class Problem:
    """One case as a function of its float inputs."""

    def __init__(self, case: Case) -> None:
        wide = widened(case)
        assert wide is not None
        self.case = case
        self.inputs, self.attrs = wide
        self.where = [i for i, v in enumerate(self.inputs) if dtypes.as_dtype(v.dtype).differentiable]
        self.rng = np.random.default_rng(zlib.crc32(case.name.encode()))
        self.weights: list[Any] | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to move."""
        return not any(self.inputs[i].size for i in self.where)

    def like(self, value: np.ndarray) -> np.ndarray:
        """A random array of a value's shape and dtype."""
        found = self.rng.uniform(0.5, 1.5, value.shape) * self.rng.choice([-1, 1], value.shape)
        if value.dtype.kind == "c":
            found = found + 1j * self.rng.uniform(-1, 1, value.shape)
        return np.asarray(found).astype(value.dtype)

    def tensors(self, direction: Sequence[np.ndarray] | None = None, step: float = 0.0) -> list[tf.Tensor]:
        """The inputs on the server, moved along a direction."""
        moved = list(self.inputs)
        if direction is not None:
            for i, d in zip(self.where, direction, strict=True):
                moved[i] = moved[i] + d * step
        return [tf.identity(tf.constant(v)) for v in moved]

    def step_like(self, value: np.ndarray) -> np.ndarray:
        """A random direction from a value: self-adjoint where the value must be."""
        found = self.like(value)
        return (found + np.conj(np.swapaxes(found, -1, -2))) / 2 if self.case.symmetric else found

    def weights_of(self, result: Any) -> np.ndarray:
        """Random weights; 0 for the limits of the dtype, which stand for "no elements"."""
        value = result.numpy()
        limit = np.isfinite(value) & (np.abs(value) > 1e300)
        return np.where(limit, 0, self.like(value)).astype(value.dtype)

    def value(self, tensors: Sequence[Any]) -> Any:
        """f: a real scalar."""
        found = call(self.case.op, *tensors, **self.attrs)
        if self.case.observe is not None:
            found = self.case.observe(tf, *(found if isinstance(found, tuple) else (found,)))
        results = [r for r in (found if isinstance(found, tuple) else (found,)) if r.dtype.differentiable]
        if self.weights is None:
            self.weights = [tf.constant(self.weights_of(r)) for r in results]
        total = tf.constant(0.0, tf.float64)
        for r, w in zip(results, self.weights, strict=True):
            part = tf.reduce_sum(tf.math.conj(w) * r)
            total = total + (tf.math.real(part) if part.dtype.is_complex else tf.cast(part, tf.float64))
        return total

    def gradients(self, tensors: Sequence[Any]) -> list[Any]:
        """The first-order gradients for the float inputs, None among them."""
        sources = [tensors[i] for i in self.where]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            value = self.value(tensors)
        return [dense(g) for g in tape.gradient(value, sources)]

    def along(self, gradients: Sequence[Any], direction: Sequence[np.ndarray]) -> Any:
        """Re sum(conj(gradient) * direction): a real scalar."""
        total = tf.constant(0.0, tf.float64)
        for g, d in zip(gradients, direction, strict=True):
            if g is not None:
                part = tf.reduce_sum(tf.math.conj(g) * tf.constant(d))
                total = total + (tf.math.real(part) if part.dtype.is_complex else part)
        return total

    def direction(self, gradients: Sequence[Any]) -> list[np.ndarray]:
        """A random direction, in the inputs that have a gradient."""
        return [
            self.step_like(self.inputs[i])
            if g is not None and i not in self.case.fixed
            else np.zeros_like(self.inputs[i])
            for i, g in zip(self.where, gradients, strict=True)
        ]


def dense(gradient: Any) -> Any:
    return tf.convert_to_tensor(gradient) if isinstance(gradient, tf.IndexedSlices) else gradient


def slope(function: Callable[[float], Any]) -> Any:
    """The derivative at 0 by a fourth-order difference, as one tensor."""
    near = function(STEP * 100) - function(-STEP * 100)
    far = function(STEP * 200) - function(-STEP * 200)
    return (8.0 * near - far) / (12.0 * STEP * 100)
