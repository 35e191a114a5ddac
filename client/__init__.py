"""TensorFlow-like eager tensors whose values live on a server: `import client as tf`.

The API is TensorFlow 2's; beyond it there are `connect`, `disconnect`, `sync`, `stats` and `fetch`. Without a
`connect`, the first op starts an embedded server.
"""

from __future__ import annotations

import importlib
from typing import Any

from client import api, operators
from client.context import connect, disconnect, stats, sync
from client.convert import constant, convert_to_tensor
from client.devices import device
from client.reading import fetch
from client.shape import TensorShape
from client.tensor import Tensor
from client.variable import Variable
from protocol import __version__, errors
from protocol import dtypes as _dtypes
from protocol.dtypes import (
    DType,
    as_dtype,
    bfloat16,
    complex64,
    complex128,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)  # fmt: skip
from protocol.dtypes import bool_ as bool

api.declare_ops()

import client.ops
from client import (
    control_flow,
    custom_gradient,
    debugging,
    functions,
    host_functions,
    mapping,
    module,
    printing,
    profiling,
    publishing,
    tape,
)

operators.install()
globals().update(api.names_in(""))

from client import autograph, bitwise, config, dtypes, linalg, math, nest, nn, random, test

half, double = float16, float64
newaxis = None

_LAZY = {"keras": "client.keras", "data": "client.data", "train": "client.train", "summary": "client.summary"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:  # imported at first use: importing Telegrad stays quick
        return importlib.import_module(_LAZY[name])
    raise AttributeError(f"module 'client' has no attribute {name!r}")
