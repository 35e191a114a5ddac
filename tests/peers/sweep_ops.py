"""Ops and their gradients, as programs that both libraries run: every public function that has a gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np


def made(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed + sum(shape)).uniform(low, high, shape).astype(np.float32)


def graded(run: Callable[..., Any], *inputs: np.ndarray) -> Callable[[Any], list[Any]]:
    """The values of `run(tf, *tensors)`, and the gradients of their squares' sum for each float input."""

    def program(tf: Any) -> list[Any]:
        tensors = [tf.constant(i) for i in inputs]
        sources = [t for t in tensors if t.dtype.is_floating or t.dtype.is_complex]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            found = run(tf, *tensors)
            results = tf.nest.flatten(found)
            floats = [r for r in results if r.dtype.is_floating]
            total = tf.add_n([tf.reduce_sum(tf.square(r) + r) for r in floats])
        gradients = tape.gradient(total, sources)
        return [*results, *(np.asarray("none") if g is None else tf.convert_to_tensor(g) for g in gradients)]

    return program


UNARY = {
    "math": "abs acos:1 acosh:2 asin:1 asinh atan atanh:1 ceil cos cosh digamma:3 erf erfc erfinv:1 exp expm1 floor "
    "lgamma:3 log:3 log1p:3 log_sigmoid negative ndtri:0 reciprocal:3 round rsqrt:3 sigmoid sign sin sinh softplus "
    "sqrt:3 square tan:1 tanh bessel_i0 bessel_i1 bessel_i0e bessel_i1e cumsum cumprod cumulative_logsumexp "
    "reduce_sum reduce_mean reduce_max reduce_min reduce_prod reduce_std reduce_variance reduce_logsumexp "
    "reduce_euclidean_norm l2_normalize",
    "nn": "softsign relu relu6 leaky_relu elu selu gelu silu softmax log_softmax l2_loss",
    "linalg": "trace diag matrix_transpose norm",
}
RANGES = {"0": (0.1, 0.9), "1": (-0.9, 0.9), "2": (1.1, 3.0), "3": (0.2, 3.0), "": (-2.0, 2.0)}
BINARY = (
    "add subtract multiply divide maximum minimum pow:3 squared_difference divide_no_nan multiply_no_nan "
    "xdivy:3 xlogy:3 xlog1py:3 atan2:3 floormod:3"
)


def elementwise() -> Iterator[tuple[str, Any]]:
    for space, names in UNARY.items():
        for word in names.split():
            name, _, where = word.partition(":")
            x = made(3, 4, low=RANGES[where][0], high=RANGES[where][1])

            def run(tf: Any, x: Any, space: str = space, name: str = name) -> Any:
                return getattr(getattr(tf, space), name)(x)

            yield f"{space}.{name}", graded(run, x)
    for word in BINARY.split():
        name, _, where = word.partition(":")
        low, high = RANGES[where]
        for shapes in (((3, 4), (3, 4)), ((3, 1), (4,))):
            x, y = (made(*s, low=low, high=high, seed=i) for i, s in enumerate(shapes))

            def both(tf: Any, x: Any, y: Any, name: str = name) -> Any:
                return getattr(tf.math, name)(x, y)

            yield f"{name}-{shapes}", graded(both, x, y)


def arrays() -> Iterator[tuple[str, Any]]:
    x, y, m, v = made(2, 3, 4), made(2, 4, 5), made(4, 4), made(6)
    image, kernel = made(2, 7, 8, 4), made(3, 3, 4, 6)
    index = np.array([[0, 1], [1, 1]], np.int32)
    programs: dict[str, tuple[Any, ...]] = {
        "reshape": (lambda tf, x: tf.reshape(x, [4, -1]), x),
        "transpose": (lambda tf, x: tf.transpose(x, [2, 0, 1]), x),
        "transpose-default": (lambda tf, x: tf.transpose(x), x),
        "expand_dims": (lambda tf, x: tf.expand_dims(x, 1), x),
        "squeeze": (lambda tf, x: tf.squeeze(x[:1]), x),
        "reverse": (lambda tf, x: tf.reverse(x, [1, 2]), x),
        "roll": (lambda tf, x: tf.roll(x, [1, 2], [0, 2]), x),
        "broadcast_to": (lambda tf, v: tf.broadcast_to(v, [3, 6]), v),
        "concat": (lambda tf, x: tf.concat([x, x * 2.0, x[:, :1]], 1), x),
        "stack": (lambda tf, x: tf.stack([x, x * 2.0], 1), x),
        "unstack": (lambda tf, x: tf.unstack(x, axis=1)[1:], x),
        "split": (lambda tf, x: tf.split(x, [1, 3], axis=2)[1], x),
        "tile": (lambda tf, x: tf.tile(x, [2, 1, 3]), x),
        "repeat": (lambda tf, x: tf.repeat(x, 3, axis=1), x),
        "repeat-each": (lambda tf, x: tf.repeat(x, [1, 0, 2], axis=1), x),
        "pad": (lambda tf, x: tf.pad(x, [[1, 0], [0, 2], [1, 1]]), x),
        "pad-value": (lambda tf, x: tf.pad(x, [[1, 0], [0, 2], [1, 1]], constant_values=3.0), x),
        "pad-reflect": (lambda tf, x: tf.pad(x, [[1, 0], [0, 2], [1, 1]], "REFLECT"), x),
        "pad-symmetric": (lambda tf, x: tf.pad(x, [[1, 0], [0, 2], [1, 1]], "SYMMETRIC"), x),
        "slice": (lambda tf, x: tf.slice(x, [0, 1, 1], [-1, 2, 2]), x),
        "getitem": (lambda tf, x: x[:, ::-2, 1:, tf.newaxis], x),
        "gather": (lambda tf, x: tf.gather(x, index), x),
        "gather-axis": (lambda tf, x: tf.gather(x, index, axis=2), x),
        "gather-batch": (lambda tf, x: tf.gather(x, index, axis=1, batch_dims=1), x),
        "gather_nd": (lambda tf, x: tf.gather_nd(x, [[0, 1], [1, 2], [0, 1]]), x),
        "boolean_mask": (lambda tf, x: tf.boolean_mask(x, [[True, False, True], [False, True, True]]), x),
        "where": (lambda tf, x: tf.where(x > 0.0, x * 2.0, x * 3.0), x),
        "scatter_nd": (lambda tf, x: tf.scatter_nd([[1], [3]], x, [5, 3, 4]), x),
        "tensor_scatter_add": (lambda tf, m, v: tf.tensor_scatter_nd_add(m, [[0, 0], [1, 2]], v[:2]), m, v),
        "tensor_scatter_update": (lambda tf, m, v: tf.tensor_scatter_nd_update(m, [[0, 0], [1, 2]], v[:2]), m, v),
        "segment_sum": (lambda tf, m: tf.math.segment_sum(m, [0, 0, 1, 2]), m),
        "segment_mean": (lambda tf, m: tf.math.segment_mean(m, [0, 0, 1, 2]), m),
        "segment_max": (lambda tf, m: tf.math.segment_max(m, [0, 0, 1, 2]), m),
        "unsorted_segment_sum": (lambda tf, m: tf.math.unsorted_segment_sum(m, [2, 0, 2, 1], 4), m),
        "unsorted_segment_mean": (lambda tf, m: tf.math.unsorted_segment_mean(m, [2, 0, 2, 1], 4), m),
        "unsorted_segment_prod": (lambda tf, m: tf.math.unsorted_segment_prod(m, [2, 0, 2, 1], 4), m),
        "sort": (lambda tf, x: tf.sort(x, axis=1), x),
        "top_k": (lambda tf, x: tf.math.top_k(x, 2)[0], x),
        "matmul": (lambda tf, x, y: tf.matmul(x, y), x, y),
        "matmul-turned": (
            lambda tf, x, y: tf.matmul(x, y, transpose_a=True, transpose_b=True), made(2, 4, 3), made(2, 5, 4),
        ),
        "tensordot": (lambda tf, x, y: tf.tensordot(x, y, [[2], [1]]), x, y),
        "einsum": (lambda tf, x, y: tf.einsum("bij,bjk->bki", x, y), x, y),
        "einsum-diagonal": (lambda tf, m: tf.einsum("ii->i", m), m),
        "cross": (lambda tf, a, b: tf.linalg.cross(a, b), made(4, 3), made(4, 3, seed=1)),
        "inv": (lambda tf, m: tf.linalg.inv(m), m),
        "det": (lambda tf, m: tf.linalg.det(m), m),
        "logdet": (lambda tf, m: tf.linalg.logdet(m @ tf.transpose(m) + tf.eye(4)), m),
        "solve": (lambda tf, m, b: tf.linalg.solve(m, b), m, made(4, 2)),
        "cholesky": (lambda tf, m: tf.linalg.cholesky(m @ tf.transpose(m) + tf.eye(4)), m),
        "triangular_solve": (lambda tf, m, b: tf.linalg.triangular_solve(m + 3.0 * tf.eye(4), b), m, made(4, 2)),
        "eigvalsh": (lambda tf, m: tf.linalg.eigvalsh(m + tf.transpose(m)), m),
        "svd-values": (lambda tf, m: tf.linalg.svd(m, compute_uv=False), m),
        "qr": (lambda tf, m: tf.linalg.qr(m)[1] ** 2, m),
        "expm": (lambda tf, m: tf.linalg.expm(m * 0.3), m),
        "band_part": (lambda tf, m: tf.linalg.band_part(m, 1, 0), m),
        "diag_part": (lambda tf, m: tf.linalg.diag_part(m), m),
        "set_diag": (lambda tf, m, v: tf.linalg.set_diag(m, v[:4]), m, v),
        "conv2d": (lambda tf, x, w: tf.nn.conv2d(x, w, 1, "SAME"), image, kernel),
        "conv2d-strided": (lambda tf, x, w: tf.nn.conv2d(x, w, 2, "VALID"), image, kernel),
        "conv2d_transpose": (lambda tf, x, w: tf.nn.conv2d_transpose(x, w, [2, 14, 16, 6], 2), image, made(3, 3, 6, 4)),
        "depthwise": (lambda tf, x, w: tf.nn.depthwise_conv2d(x, w, [1, 1, 1, 1], "SAME"), image, made(3, 3, 4, 2)),
        "max_pool": (lambda tf, x: tf.nn.max_pool2d(x, 2, 2, "SAME"), image),
        "avg_pool": (lambda tf, x: tf.nn.avg_pool2d(x, 3, 2, "SAME"), image),
        "bias_add": (lambda tf, x, b: tf.nn.bias_add(x, b), image, made(4)),
        "moments": (lambda tf, x: tf.nn.moments(x, [0, 1]), x),
        "softmax_cross_entropy": (
            lambda tf, x: tf.nn.softmax_cross_entropy_with_logits(tf.one_hot([1, 3, 0], 4), x[0]), x,
        ),
        "sparse_cross_entropy": (
            lambda tf, x: tf.nn.sparse_softmax_cross_entropy_with_logits(tf.constant([1, 3, 0]), x[0]), x,
        ),
        "sigmoid_cross_entropy": (
            lambda tf, x: tf.nn.sigmoid_cross_entropy_with_logits(tf.sigmoid(x[1]), x[0]), x,
        ),
        "clip_by_value": (lambda tf, x: tf.clip_by_value(x, -1.0, 0.5), x),
        "clip_by_norm": (lambda tf, x: tf.clip_by_norm(x, 1.5, axes=[1]), x),
        "global_norm": (lambda tf, x, y: tf.linalg.global_norm([x, y]), x, y),
        "cumsum": (lambda tf, x: tf.cumsum(x, 1, exclusive=True, reverse=True), x),
        "depth_to_space": (lambda tf, x: tf.nn.depth_to_space(x, 2), image),
        "norm-axis": (lambda tf, x: tf.norm(x, axis=1), x),
        "scan": (lambda tf, x: tf.scan(lambda a, e: a * 0.5 + e, x), x),
        "stop_gradient": (lambda tf, x: x * tf.stop_gradient(x), x),
    }  # fmt: skip
    for name, (run, *inputs) in programs.items():
        yield name, graded(run, *inputs)


def cases() -> Iterator[tuple[str, Any]]:
    """Every program."""
    yield from elementwise()
    yield from arrays()
