"""The catalogue of ops, and the devices, for tools that cannot look into the Python library.

Owns: `describe` and the routes. Does not know how ops run.

    GET /v1/ops          every op: inputs, attributes, dtypes, what it does
    GET /v1/ops/{name}   one of them
    GET /v1/devices      the server's devices and their memory
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Final

from fastapi import FastAPI, Path, Query, Request, Response

from protocol.attrs import REQUIRED, Attr
from protocol.attrs import describe as annotation_text
from protocol.dtypes import DType
from protocol.gradients import GRADIENTS
from protocol.ops import OPS, Op, lookup
from protocol.ops.registry import GROUPS
from server.access import account_of
from server.api import bodies, models
from server.api.bodies import JSON, MSGPACK
from server.api.document import Format, answers
from server.api.op_docs import DOCS
from server.session import Sessions
from server.status_routes import memory_seen

_BOTH: Final = (JSON, MSGPACK)
_VARIABLES: Final = ("variable", "overwritten")


def describe(name: str) -> dict[str, Any]:
    """What the catalogue says of an op. Raises NotFoundError."""
    return _described(lookup(name).name)


@cache
def _described(name: str) -> dict[str, Any]:
    op = OPS[name]
    return {
        "name": op.name,
        "family": op.family,
        "doc": op.doc or DOCS[op.name],
        "inputs": [_input(op, i) for i in range(len(op.inputs))],
        "attrs": [_attr(a) for a in op.attrs.values()],
        "effect": op.effect,
        "differentiable": _differentiable(op),
    }


def _input(op: Op, position: int) -> dict[str, Any]:
    group = op.groups[position]
    types = op.types if group == "T" else GROUPS[group]
    return {
        "name": op.inputs[position],
        "dtypes": [t.name for t in types],
        "same_dtype": group == "T",
        "several": op.variadic and position == len(op.inputs) - 1,
        "variable": group in _VARIABLES,
    }


def _differentiable(op: Op) -> list[str]:
    gradient = GRADIENTS[op.name]
    return [] if gradient.missing else [n for i, n in enumerate(op.inputs) if gradient.rule(i) is not None]


def _attr(attr: Attr) -> dict[str, Any]:
    required = attr.default is REQUIRED
    found = {
        "name": attr.name,
        "type": annotation_text(attr.annotation),
        "required": required,
        "tensor": attr.takes_tensor,
    }
    return found if required else {**found, "default": _plain(attr.default)}


def _plain(value: Any) -> Any:
    if isinstance(value, DType):
        return value.name
    if isinstance(value, float) and value - value != 0:  # not finite
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return list(map(_plain, value)) if isinstance(value, tuple) else value


def add_catalogue_routes(app: FastAPI, sessions: Sessions) -> None:
    """Serve the catalogue."""

    @app.get("/v1/ops", tags=["catalogue"], summary="Every op", responses=answers(models.OpList, _BOTH))
    async def list_ops(
        request: Request,
        prefix: Annotated[str, Query(max_length=100)] = "",
        family: Annotated[str | None, Query(max_length=100)] = None,
        format: Format = None,
    ) -> Response:
        kind = bodies.accepted(request, _BOTH)
        names = [n for n, op in sorted(OPS.items()) if n.startswith(prefix) and family in (None, op.family)]
        return bodies.answer({"ops": [describe(n) for n in names]}, kind)

    @app.get("/v1/ops/{name}", tags=["catalogue"], summary="One op", responses=answers(models.OpEntry, _BOTH))
    async def get_op(request: Request, name: Annotated[str, Path(max_length=100)], format: Format = None) -> Response:
        return bodies.answer(describe(name), bodies.accepted(request, _BOTH))

    @app.get("/v1/devices", tags=["catalogue"], summary="Devices", responses=answers(models.DeviceList, _BOTH))
    async def list_devices(request: Request, format: Format = None) -> Response:
        kind = bodies.accepted(request, _BOTH)
        default = sessions.devices[min(1, len(sessions.devices) - 1)]
        admin = "admin" in account_of(request.scope).token.rights
        found = [{"name": d.name, "default": d is default, **memory_seen(d.memory(), admin)} for d in sessions.devices]
        return bodies.answer({"devices": found}, kind)
