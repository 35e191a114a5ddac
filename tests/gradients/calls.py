"""A call of every public function behind the ops, as a function of its float inputs.

Runs under Telegrad and under TensorFlow alike: `run` gets the one or the other as `tf`. A name is the function's path,
with what is special of a call after a colon.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

X = np.array([0.3, 0.6, 0.2], "float32")
Y = np.array([0.7, 0.4, 0.5], "float32")
SCALAR = np.float32(0.5)
MATRIX = np.array([[2, 0.5, 0.1], [0.5, 3, 0.2], [0.1, 0.2, 4]], "float32")
TALL = MATRIX[:, :2]
WIDE = MATRIX[:2]
COMPLEX = np.array([0.3 + 0.1j, 0.6 - 0.2j, 0.2 + 0.5j], "complex64")
COMPLEX_MATRIX = (MATRIX + 0.3j * (np.tril(MATRIX, -1) - np.triu(MATRIX, 1))).astype("complex64")
IMAGE = np.linspace(0.1, 0.9, 32, dtype="float32").reshape(1, 4, 4, 2)
IDS = np.array([0, 0, 1])
SEED = (1, 2)


class Call(NamedTuple):
    """`run(tf, *tensors)` gives one tensor, or several."""

    name: str
    run: Callable[..., Any]
    inputs: tuple[np.ndarray, ...]


def function_at(tf: Any, path: str) -> Any:
    """The function with a dotted path."""
    found = tf
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _call(name: str, *inputs: Any, after: tuple[Any, ...] = (), **options: Any) -> Call:
    """The function of that name with the inputs, then `after`, as arguments."""

    def run(tf: Any, *tensors: Any) -> Any:
        return function_at(tf, name.partition(":")[0])(*tensors, *after, **options)

    return Call(name, run, tuple(np.asarray(i) for i in inputs))


def _row(name: str, run: Callable[..., Any], *inputs: Any) -> Call:
    """A call that is written out: `run(f, *tensors)` with the function of that name as `f`."""
    return Call(
        name,
        lambda tf, *tensors: run(function_at(tf, name.partition(":")[0]), *tensors),
        tuple(np.asarray(i) for i in inputs),
    )


UNARY = """
identity stop_gradient zeros_like ones_like abs negative sign square math.reciprocal sqrt math.rsqrt exp math.expm1
math.log math.log1p sigmoid math.log_sigmoid sin cos tan asin acos atan sinh cosh tanh asinh atanh floor math.ceil round
math.rint math.real math.imag math.conj math.angle math.is_nan math.is_inf math.is_finite nn.relu nn.relu6 nn.elu
nn.selu nn.gelu math.softplus nn.softsign nn.softmax nn.log_softmax nn.l2_loss reduce_sum reduce_prod reduce_mean
reduce_max reduce_min reduce_logsumexp math.reduce_euclidean_norm math.reduce_variance math.reduce_std
math.count_nonzero nn.zero_fraction argmax argmin cumsum math.cumprod math.cumulative_logsumexp sort argsort math.erf
math.erfc math.erfinv math.erfcinv math.ndtri math.lgamma math.digamma math.special.bessel_i0
math.special.bessel_i1 math.special.bessel_i0e math.special.bessel_i1e math.special.bessel_j0 math.special.bessel_j1
math.special.bessel_y0 math.special.bessel_y1 math.special.bessel_k0 math.special.bessel_k1 math.special.bessel_k0e
math.special.bessel_k1e math.special.dawsn math.special.expint math.special.spence math.special.fresnel_cos
math.special.fresnel_sin shape size rank transpose squeeze nn.leaky_relu nn.silu nn.crelu nn.scale_regularization_loss
nn.compute_average_loss math.l2_normalize math.top_k unique unique_with_counts math.lbeta norm linalg.normalize where
linalg.diag linalg.tensor_diag random.shuffle
"""
BINARY = """
add subtract multiply realdiv math.floordiv math.floormod math.mod truncatediv truncatemod pow maximum minimum
math.squared_difference math.multiply_no_nan math.xdivy math.xlogy math.xlog1py atan2 math.nextafter complex equal
not_equal less less_equal greater greater_equal math.zeta math.polygamma math.igamma math.igammac truediv divide
math.divide_no_nan nn.sigmoid_cross_entropy_with_logits nn.softmax_cross_entropy_with_logits
nn.log_poisson_loss searchsorted linalg.cross meshgrid
"""
MATRICES = """
linalg.inv linalg.det linalg.slogdet linalg.logdet linalg.cholesky linalg.qr linalg.svd linalg.eigh linalg.eigvalsh
linalg.eig linalg.eigvals linalg.expm linalg.pinv linalg.matrix_rank linalg.trace linalg.diag_part
linalg.tensor_diag_part linalg.matrix_transpose linalg.adjoint
"""
COMPLEX_UNARY = """
abs negative sign square math.reciprocal sqrt math.rsqrt exp math.log sigmoid sin cos tanh math.real math.imag math.conj
math.angle reduce_sum reduce_prod reduce_mean cumsum math.cumprod identity transpose zeros_like norm
math.reduce_euclidean_norm math.reduce_variance math.reduce_std
"""
COMPLEX_BINARY = (
    "add subtract multiply divide pow math.xdivy math.xlogy equal math.squared_difference math.divide_no_nan"
)
COMPLEX_MATRICES = """
linalg.inv linalg.det linalg.slogdet linalg.logdet linalg.cholesky linalg.qr linalg.svd linalg.eigh linalg.eigvalsh
linalg.eig linalg.eigvals linalg.expm linalg.adjoint
"""
WINDOW = {"ksize": 2, "strides": 1, "padding": "VALID"}
FILTERS = np.linspace(-1, 1, 24, dtype="float32").reshape(2, 2, 2, 3)
LINE, CUBE = IMAGE[:, 0], IMAGE[:, None]

CALLS = [
    *(_call(n, X) for n in dict.fromkeys(UNARY.split())),
    *(_call(n, X, Y) for n in BINARY.split()),
    *(_call(n, MATRIX) for n in MATRICES.split()),
    *(_call(f"{n}:complex", COMPLEX) for n in COMPLEX_UNARY.split()),
    *(_call(f"{n}:complex", COMPLEX, COMPLEX[::-1]) for n in COMPLEX_BINARY.split()),
    *(_call(f"{n}:complex", COMPLEX_MATRIX) for n in COMPLEX_MATRICES.split()),
    _call("acosh", X + 1),
    _call("math.betainc", X, Y, X),
    _call("scalar_mul", SCALAR, X),
    _call("nn.bias_add", MATRIX, X),
    _call("clip_by_norm", X, SCALAR),
    # Shapes.
    _call("reshape", X, after=((3, 1),)),
    _call("expand_dims", X, after=(0,)),
    _call("reverse", X, after=((0,),)),
    _call("roll", X, after=(1, 0)),
    _call("broadcast_to", X, after=((2, 3),)),
    _call("ensure_shape", X, after=((3,),)),
    _call("reverse_sequence", MATRIX, after=((1, 2, 3),), seq_axis=1, batch_axis=0),
    _call("nn.space_to_depth", IMAGE, after=(2,)),
    _call("nn.depth_to_space", np.reshape(IMAGE, (1, 2, 2, 8)), after=(2,)),
    _row("shape_n", lambda f, x: f([x]), X),
    _row("cast", lambda f, x: f(x, "float64"), X),
    _row("cast:integer", lambda f, x: f(x, "int32"), X),
    _row("cast:complex", lambda f, x: f(x, "complex64"), X),
    _row("cast:real", lambda f, x: f(x, "float32"), COMPLEX),
    _row("saturate_cast", lambda f, x: f(x, "float16"), X),
    _row("saturate_cast:integer", lambda f, x: f(x, "int8"), X),
    # Making tensors.
    _row("zeros", lambda f, x: f((3,)) + x, X),
    _row("ones", lambda f, x: f((3,)) * x, X),
    _row("eye", lambda f, x: f(3) * x, X),
    _row("fill", lambda f, x: f((2,), x), SCALAR),
    _row("range", lambda f, x: f(x, 3.0, 1.0), SCALAR),
    _row("linspace", lambda f, x, y: f(x, y, 4), X, Y),
    _row("linspace:one", lambda f, x, y: f(x, y, 1), X, Y),
    _row("one_hot", lambda f, x, y: f([0, 1], 3, on_value=x, off_value=y), SCALAR, SCALAR),
    _row("sequence_mask", lambda f, x: f([1, 2], 3, dtype="float32") * x, X),
    # Several tensors.
    _row("add_n", lambda f, x, y: f([x, y]), X, Y),
    _row("math.accumulate_n", lambda f, x, y: f([x, y]), X, Y),
    _row("linalg.global_norm", lambda f, x, y: f([x, y]), X, Y),
    _row("clip_by_global_norm", lambda f, x, y: [*f([x, y], 0.1)[0], f([x, y], 0.1)[1]], X, Y),
    _row("clip_by_global_norm:norm", lambda f, x, y, n: f([x, y], 0.1, n)[0], X, Y, SCALAR),
    _row("clip_by_value", lambda f, x, low, high: f(x, low, high), X, SCALAR, SCALAR),
    _row("concat", lambda f, x, y: f([x, y], 0), X, Y),
    _row("stack", lambda f, x, y: f([x, y], 1), X, Y),
    _row("unstack", lambda f, x: f(x), X),
    _row("split", lambda f, x: f(x, 3), X),
    _row("identity_n", lambda f, x, y: f([x, y]), X, Y),
    _row("tuple", lambda f, x, y: f([x, y]), X, Y),
    # Picking and putting.
    _row("gather", lambda f, x: f(x, [0, 1]), X),
    _row("gather:axis", lambda f, x: f(x, [0, 1], axis=1), MATRIX),
    _row("gather_nd", lambda f, x: f(x, [[0], [1]]), X),
    _row("slice", lambda f, x: f(x, [1], [1]), X),
    _row("strided_slice", lambda f, x: f(x, [0], [2]), X),
    _row("boolean_mask", lambda f, x: f(x, [True, False, True]), X),
    _row("where:choose", lambda f, x, y: f([True, False, True], x, y), X, Y),
    _row("where:condition", lambda f, c, x, y: f(c > 0.3, x, y), X, X, Y),
    _row("pad", lambda f, x: f(x, [[1, 2]]), X),
    _row("pad:value", lambda f, x, v: f(x, [[1, 2]], constant_values=v), X, SCALAR),
    _row("pad:reflect", lambda f, x: f(x, [[1, 2]], "REFLECT"), X),
    _row("pad:symmetric", lambda f, x: f(x, [[1, 2]], "SYMMETRIC"), X),
    _row("tile", lambda f, x: f(x, [2]), X),
    _row("repeat", lambda f, x: f(x, 2), X),
    _row("repeat:each", lambda f, x: f(x, [1, 0, 2], axis=0), X),
    _row("scatter_nd", lambda f, x: f([[0], [3], [1]], x, [4]), X),
    *(
        _row(f"tensor_scatter_nd_{n}", lambda f, x, y: f(x, [[0], [1], [2]], y), X, Y)
        for n in ("update", "add", "sub", "min", "max")
    ),
    *(_row(f"math.segment_{n}", lambda f, x: f(x, IDS), X) for n in ("sum", "mean", "max", "min", "prod")),
    *(
        _row(f"math.unsorted_segment_{n}", lambda f, x: f(x, IDS, 3), X)
        for n in ("sum", "mean", "max", "min", "prod", "sqrt_n")
    ),
    _row("math.in_top_k", lambda f, x: f([0, 1, 2], x, 1), MATRIX),
    _row("math.bincount", lambda f, w: f([0, 1, 1], weights=w), X),
    _row("math.confusion_matrix", lambda f, w: f([0, 1, 1], [1, 1, 0], weights=w, dtype="float32"), X),
    _row("nn.embedding_lookup", lambda f, x: f(x, [0, 1]), MATRIX),
    _row("nn.embedding_lookup:norm", lambda f, x: f(x, [0, 1], max_norm=1.0), MATRIX),
    # Products and matrices.
    _call("matmul", MATRIX, MATRIX),
    _call("linalg.matvec", MATRIX, X),
    _call("tensordot", MATRIX, MATRIX, after=(1,)),
    _row("einsum", lambda f, x, y: f("ij,jk->ik", x, y), MATRIX, MATRIX),
    _row("einsum:trace", lambda f, x: f("ii->", x), MATRIX),
    _call("linalg.solve", MATRIX, MATRIX),
    _call("linalg.triangular_solve", MATRIX, MATRIX),
    _call("linalg.cholesky_solve", np.tril(MATRIX), MATRIX),
    _call("linalg.lstsq", TALL, MATRIX),
    _call("linalg.lstsq:wide", WIDE, WIDE),
    _call("linalg.qr:wide", WIDE),
    _call("linalg.qr:tall", TALL),
    _call("linalg.qr:full", TALL, full_matrices=True),
    _call("linalg.svd:full", TALL, full_matrices=True),
    _call("linalg.svd:far", TALL[:, :1], full_matrices=True),
    _call("linalg.svd:values", TALL, compute_uv=False),
    _call("linalg.band_part", MATRIX, after=(1, 0)),
    _row("linalg.diag:padding", lambda f, x, p: f(x, padding_value=p, num_rows=4), X, SCALAR),
    _row("linalg.diag_part:padding", lambda f, x, p: f(x, padding_value=p, k=(-1, 1)), MATRIX, SCALAR),
    _call("linalg.set_diag", MATRIX, X),
    _row("norm:spectral", lambda f, x: f(x, 2, axis=(0, 1)), MATRIX),
    _row("norm:1", lambda f, x: f(x, 1), X),
    _row("norm:infinity", lambda f, x: f(x, np.inf), X),
    # Networks.
    _row("nn.sparse_softmax_cross_entropy_with_logits", lambda f, x: f([0, 1, 2], x), MATRIX),
    _call("nn.weighted_cross_entropy_with_logits", X, Y, SCALAR),
    _row("nn.compute_average_loss:weights", lambda f, x, w: f(x, w), X, Y),
    _call("nn.log_poisson_loss:full", X, Y, compute_full_loss=True),
    _row("nn.dropout", lambda f, x: f(x, 0.5), X),
    _row("nn.dropout:rate", lambda f, x, r: f(x, r), X, SCALAR),
    _row("nn.moments", lambda f, x: f(x, [0]), MATRIX),
    _row("nn.weighted_moments", lambda f, x, w: f(x, [0], w), MATRIX, MATRIX),
    _row("nn.sufficient_statistics", lambda f, x: f(x, [0])[1:3], MATRIX),
    _row("nn.normalize_moments", lambda f, c, m, v: f(c, m, v, None), SCALAR, X, Y),
    _row("nn.batch_normalization", lambda f, *a: f(*a, 1e-3), MATRIX, X, Y, X, Y),
    _call("nn.lrn", IMAGE),
    _call("nn.conv2d", IMAGE, FILTERS, after=(1, "SAME")),
    _call("nn.conv1d", LINE, FILTERS[0], after=(1, "SAME")),
    _call("nn.conv3d", CUBE, FILTERS[None], after=((1,) * 5, "SAME")),
    _call("nn.convolution", IMAGE, FILTERS),
    _call("nn.conv_transpose", IMAGE, np.swapaxes(FILTERS, 2, 3), after=((1, 4, 4, 3), 1)),
    _call("nn.conv1d_transpose", LINE, np.swapaxes(FILTERS[0], 1, 2), after=((1, 4, 3), 1)),
    _call("nn.conv2d_transpose", IMAGE, np.swapaxes(FILTERS, 2, 3), after=((1, 4, 4, 3), 1)),
    _call("nn.conv3d_transpose", CUBE, np.swapaxes(FILTERS[None], 3, 4), after=((1, 1, 4, 4, 3), 1)),
    _call("nn.depthwise_conv2d", IMAGE, FILTERS, after=((1, 1, 1, 1), "SAME")),
    _call("nn.separable_conv2d", IMAGE, FILTERS, np.ones((1, 1, 6, 2), "float32"), after=((1, 1, 1, 1), "SAME")),
    _call("nn.atrous_conv2d", IMAGE, FILTERS, after=(2, "SAME")),
    _call("nn.atrous_conv2d_transpose", IMAGE, np.swapaxes(FILTERS, 2, 3), after=((1, 4, 4, 3), 2, "SAME")),
    *(_call(f"nn.{n}_pool", IMAGE, **WINDOW) for n in ("max", "avg")),
    *(_call(f"nn.{n}_pool1d", LINE, **WINDOW) for n in ("max", "avg")),
    *(_call(f"nn.{n}_pool2d", IMAGE, **WINDOW) for n in ("max", "avg")),
    *(_call(f"nn.{n}_pool3d", CUBE, ksize=1, strides=1, padding="VALID") for n in ("max", "avg")),
    _row("nn.pool", lambda f, x: f(x, [2, 2], "MAX"), IMAGE),
    _row("nn.max_pool_with_argmax", lambda f, x: f(x, 2, 2, "VALID"), IMAGE),
    # Random values, as functions of their parameters.
    *(_row(f"random.{n}", lambda f, a, b: f((3,), a, b), SCALAR, SCALAR + 1) for n in ("normal", "truncated_normal")),
    _row("random.uniform", lambda f, a, b: f((3,), a, b), SCALAR, SCALAR + 1),
    *(
        _row(f"random.stateless_{n}", lambda f, a, b: f((3,), SEED, a, b), SCALAR, SCALAR + 1)
        for n in ("normal", "truncated_normal", "uniform")
    ),
    _row("random.categorical", lambda f, x: f(x, 2), MATRIX),
    _row("random.stateless_categorical", lambda f, x: f(x, 2, SEED), MATRIX),
    _row("random.experimental.stateless_shuffle", lambda f, x: f(x, SEED), X),
    _row("random.gamma", lambda f, a, b: f((2,), a, b), X + 1, Y),
    _row("random.stateless_gamma", lambda f, a, b: f((3,), SEED, a, b), X + 1, Y),
    _row("random.poisson", lambda f, x: f((2,), x), X),
    _row("random.stateless_poisson", lambda f, x: f((3,), SEED, x, "float32"), X),
    _row("random.stateless_binomial", lambda f, c, p: f((3,), SEED, c, p, "float32"), X * 10, Y),
    # Control.
    _row("cond", lambda f, x, y: f(True, lambda: x, lambda: y), X, Y),
    _row("case", lambda f, x, y: f([(x[0] > 9.0, lambda: x)], default=lambda: y), X, Y),
    Call("switch_case", lambda tf, x, y: tf.switch_case(tf.constant(1), [lambda: x, lambda: y]), (X, Y)),
    _row("while_loop", lambda f, x, y: f(lambda i, v: i < 2, lambda i, v: (i + 1, v * y), [0, x])[1], X, Y),
    _row("py_function", lambda f, x: f(lambda v: v * v, [x], "float32"), X),
    _row("numpy_function", lambda f, x: f(lambda v: v * v, [x], "float32"), X),
    _row("debugging.check_numerics", lambda f, x: f(x, ""), X),
    _row("debugging.assert_all_finite", lambda f, x: f(x, ""), X),
    _row("map_fn", lambda f, x: f(lambda v: v * v, x), X),
    _row("scan", lambda f, x: f(lambda a, v: a * v, x), X),
    _row("foldl", lambda f, x: f(lambda a, v: a * v, x), X),
    _row("foldr", lambda f, x: f(lambda a, v: a * v, x), X),
    _row("vectorized_map", lambda f, x: f(lambda v: v * v, x), X),
]


def outcome(tf: Any, call: Call) -> str:
    """For each result that has a gradient's dtype, or for all of them cast to float32, a word with a letter for each
    input: v for a value, n for None; or the name of the error.
    """
    tensors = [tf.constant(i) for i in call.inputs]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(tensors)
        results = call.run(tf, *tensors)
        results = [*results] if isinstance(results, list | tuple) else [results]
        floats = [r for r in results if r.dtype.is_floating or r.dtype.is_complex]
        targets = floats or [tf.cast(r, tf.float32) for r in results]
    words = []
    for target in targets:
        try:
            gradients = tape.gradient(target, tensors)
            for g in gradients:
                if g is not None:
                    tf.convert_to_tensor(g).numpy()
            words.append("".join("n" if g is None else "v" for g in gradients))
        except Exception as error:
            words.append(_error(error))
    return " ".join(words)


def _error(error: Exception) -> str:
    known = (LookupError, NotImplementedError, ValueError)
    return next((k.__name__ for k in known if isinstance(error, k)), type(error).__name__)
