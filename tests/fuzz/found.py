"""Calls that once took memory or time without end, or failed in a way that no caller understands: how they end now."""

from __future__ import annotations

import numpy as np

from protocol import dtypes
from protocol.errors import InvalidArgumentError, OpError, ResourceExhaustedError
from tests.fuzz.calls import Call

_I32, _F32 = np.int32, np.float32
_BIG = 2**31 - 1
_MANY = 2**18
_ZEROS = np.zeros((1, 1, 1, 1), _F32)
_CONV = {"strides": (1, 1), "dilations": (1, 1)}


def _call(op: str, *inputs: np.ndarray, **attrs: object) -> Call:
    return Call(op, inputs, attrs)


# What a value alone says: how large the result is.
_SIZES_BY_VALUE = [
    _call("sequence_mask", np.array([1, _BIG], _I32)),
    _call("repeat_each", np.ones(2, _F32), np.array([1, _BIG], _I32)),
    _call("repeat_each", np.ones((2, 3), _F32), np.array([1, _BIG], _I32), axis=-2),
    _call("bincount", np.array([1, _BIG - 1], _I32)),
    _call("bincount", np.ones((3, 2), _I32), minlength=_BIG, axis=-1),
    _call("segment_sum", np.ones((2, 3), _F32), np.array([0, _BIG - 1], _I32)),
    _call("segment_max", np.ones((2, 3), _F32), np.array([0, _BIG - 1], _I32)),
    _call("where", np.ones((1,) * 30 + (1024, 64), bool)),
]
# Nothing comes out, and much would be taken on the way.
_EMPTY = [
    _call("linspace", np.ones(0, _F32), np.ones(0, _F32), num=2**40),
    _call("one_hot", np.ones(0, _I32), depth=2**40),
    _call("sequence_mask", np.ones(0, _I32), maxlen=2**40),
    _call("eye", num_rows=2**20, batch_shape=(0,)),
    _call("unsorted_segment_mean", np.ones((2, 0), _I32), np.array([0, 1], _I32), num_segments=2**40),
    _call("gather", np.ones((2**40, 0), _F32), np.ones(0, _I32), axis=1),
    _call("reverse_sequence", np.ones((0, 2**40), _F32), np.ones(0, _I32), seq_axis=1),
    _call("random_shuffle", np.ones((2**40, 0), _F32), seed=(1, 2)),
    _call("tile", np.ones((2, 2), _F32), multiples=(2**31, 0)),
]
# What is computed on the way is larger than all that goes in and comes out.
_ON_THE_WAY = [
    _call(
        "conv", np.ones((1, 64, 64, 2), _F32), np.ones((1, 1, 1, _MANY), _F32),
        padding="VALID", strides=(64, 64), dilations=(1, 1),
    ),
    _call(
        "conv_backprop_input", np.ones((1, 1, _MANY, 1), _F32), np.ones((1, _MANY, 1, 1), _F32),
        input_sizes=(1, 1, 1, _MANY), padding=((0, _MANY - 1), (0, 0)), **_CONV,
    ),
    _call("random_gamma", np.ones((), np.float16), shape=(2**20,), seed=(1, 2)),
]  # fmt: skip
_REFUSED = [
    _call("repeat_each", np.ones(2, _F32), np.array([2**62, 2**62])),  # their sum is negative in 64 bits
    _call("reshape", np.ones(0, _F32), shape=(2**40, 2**40, 0)),
    _call("unstack", np.ones((2**40, 0), _F32)),
    _call("split", np.ones((0, 2), _F32), num_or_size_splits=2**40),
    _call("relu_grad", np.ones(2, np.uint8), np.ones(2, np.uint8), alpha=2.0),
    _call("zeros", shape=(1,) * 33),
    _call("fill", np.ones((), _F32), dims=(2**32, 2**32)),
]
_EXHAUSTED = [
    _call("zeros", shape=(2**40,)),
    _call("range", start=0, limit=2**40, delta=1, dtype=dtypes.int64),
]
# Padding far longer than the axis: the taps that meet an element are few, and all were tried.
_LONG = [
    _call(
        "max_pool", _ZEROS, window=(1, 2**31 + 1, 1, 1), strides=(1, 2**30, 1, 1),
        padding=((0, 0), (2**31, 2**31), (0, 0), (0, 0)),
    ),
]  # fmt: skip
# Integers of all kinds index.
_INDICES = [
    _call("gather_nd", np.ones((3, 2), _F32), np.array([[1]], np.uint64)),
    _call("gather_nd", np.ones((1, 1), np.int8), np.empty((0, 1), np.uint64)),
]
FOUND: list[tuple[Call, type[OpError] | None]] = [
    *((c, None) for c in (*_LONG, *_INDICES)),
    *((c, ResourceExhaustedError) for c in (*_SIZES_BY_VALUE, *_EMPTY, *_ON_THE_WAY, *_EXHAUSTED)),
    *((c, InvalidArgumentError) for c in _REFUSED),
]
