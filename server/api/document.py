"""The description of the HTTP interface: the OpenAPI document, and the page that shows it.

Owns: `/openapi.json`, `/docs`, and what routes say of their bodies. Does not know what they do.

The page is plain HTML made from the document: it loads nothing from elsewhere and runs no script, so it works on a
machine without a way out, and there is nothing on it that could read a token.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import FastAPI, Query
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from pydantic import TypeAdapter
from pydantic.json_schema import models_json_schema

from server.api import models
from server.api.bodies import JSON, NPY
from server.api.problems import MEDIA_TYPE

_REF: Final = "#/components/schemas/{model}"
_DOCUMENTED: Final = (
    models.Execute, models.Outcomes, models.Values, models.Tensor, models.Output, models.Problem, models.OpEntry,
    models.OpList, models.DeviceList, models.PublishedList, models.TensorList, *models.KINDS,
)  # fmt: skip
_BINARY: Final = {"type": "string", "format": "binary"}
_DESCRIPTION: Final = (
    "Remote tensors for tools that speak HTTP. Errors are problem details (RFC 9457) with a `code`. "
    "The Python client uses a WebSocket instead: see protocol/README.md."
)
_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "Any text, new for each request: sent again with the same body, the request is not executed again.",
}


Format = Annotated[str | None, Query(max_length=20, description="json, msgpack or npy, in place of Accept.")]
"""The parameter that says what to answer with, where a header cannot be set."""


def _schema(model: Any, media: str) -> dict[str, Any]:
    if media == NPY:
        return {"schema": _BINARY}
    if hasattr(model, "__name__") and not getattr(model, "__args__", None):
        return {"schema": {"$ref": _REF.format(model=model.__name__)}}
    return {"schema": TypeAdapter(model).json_schema(ref_template=_REF) | {"$defs": None}}


def _content(model: Any, kinds: Sequence[str]) -> dict[str, Any]:
    found = {kind: _schema(model, kind) for kind in kinds}
    for entry in found.values():
        if entry["schema"].get("$defs", 0) is None:
            del entry["schema"]["$defs"]
    return found


def body_of(model: Any, kinds: Sequence[str], idempotent: bool = False) -> dict[str, Any]:
    """What a route says of a request's body, which it reads itself."""
    found: dict[str, Any] = {"requestBody": {"required": True, "content": _content(model, kinds)}}
    if idempotent:
        found["parameters"] = [_KEY]
    return found


def answers(model: Any, kinds: Sequence[str]) -> dict[int | str, dict[str, Any]]:
    """What a route says of its answer."""
    return {200: {"description": "Done", "content": _content(model, kinds)}}


def binary(media: str, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route says of an answer of bytes, with 200 and `statuses`."""
    return {status: {"description": "Done", "content": {media: {"schema": _BINARY}}} for status in (200, *statuses)}


def add_document(app: FastAPI) -> None:
    """Serve the document and its page."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]

    @app.get("/docs", include_in_schema=False)
    async def docs() -> HTMLResponse:
        policy = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
        return HTMLResponse(_page(app.openapi()), headers=policy)


def _document(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes)
    _, schemas = models_json_schema([(m, "validation") for m in _DOCUMENTED], ref_template=_REF)
    components = found.setdefault("components", {})
    components["schemas"] = components.get("schemas", {}) | schemas.get("$defs", {})
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    found["security"] = [{"token": []}]
    problem = {"description": "What went wrong", "content": {MEDIA_TYPE: _schema(models.Problem, "")}}
    for path, methods in found["paths"].items():
        for operation in methods.values():
            operation["responses"].pop("422", None)  # we answer 400
            content = operation["responses"].get("200", {}).get("content", {})
            if len(content) > 1 and content.get(JSON) == {"schema": {}}:
                del content[JSON]  # which FastAPI takes for granted: the route says what it is instead
            operation["responses"]["default"] = problem
            if path in ("/healthz", "/readyz"):
                operation["security"] = []
    return found


# --- the page --------------------------------------------------------------------------------------------------------

_STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}"
    "code,pre{font-family:ui-monospace,monospace;font-size:.9em}h2{margin-top:2.5rem}h3{margin:1.6rem 0 .2rem}"
    "table{border-collapse:collapse;margin:.4rem 0}td{text-align:left;padding:.15rem .8rem .15rem 0;vertical-align:top}"
    "pre{background:#f4f4f4;padding:.6rem;overflow:auto}details{margin:.3rem 0}"
)


def _page(document: dict[str, Any]) -> str:
    info = document["info"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{_text(info['title'])}</title><style>{_STYLE}</style>",
        f"<h1>{_text(info['title'])} {_text(info['version'])}</h1><p>{_text(info.get('description', ''))}</p>",
        "<p>The same for programs: <a href=openapi.json>openapi.json</a> (OpenAPI).</p>",
    ]
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            group = (operation.get("tags") or ["others"])[0]
            groups.setdefault(group, []).append(_operation(method.upper(), path, operation))
    for group, operations in groups.items():
        parts += [f"<h2>{_text(group)}</h2>", *operations]
    parts.append("<h2>schemas</h2>")
    for name, schema in sorted(document["components"]["schemas"].items()):
        parts.append(f"<h3 id='{_text(name)}'>{_text(name)}</h3><p>{_text(schema.get('description', ''))}</p>")
        parts.append(_fields(schema))
    return "".join(parts)


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    rows = [
        f"<tr><td><code>{_text(p['name'])}</code><td>{_text(p['in'])}<td>{_kind(p.get('schema', {}))}"
        f"<td>{_text(p.get('description', ''))}"
        for p in operation.get("parameters", ())
    ]
    bodies = [("body", operation["requestBody"]["content"])] if "requestBody" in operation else []
    bodies += [
        (code, r["content"]) for code, r in operation["responses"].items() if r.get("content") and code != "default"
    ]
    for what, content in bodies:
        for media, entry in content.items():
            rows.append(
                f"<tr><td>{_text(what)}<td><code>{_text(media)}</code><td colspan=2>{_kind(entry.get('schema', {}))}"
            )
    return (
        f"<h3><code>{method} {_text(path)}</code></h3><p>{_text(operation.get('summary', ''))}</p>"
        f"<table>{''.join(rows)}</table>"
    )


def _fields(schema: dict[str, Any]) -> str:
    needed = schema.get("required", ())
    rows = [
        f"<tr><td><code>{_text(name)}</code>{'' if name in needed else ' ?'}<td>{_kind(field)}"
        f"<td>{_text(field.get('description', ''))}"
        for name, field in schema.get("properties", {}).items()
    ]
    return f"<table>{''.join(rows)}</table>"


def _kind(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"<a href='#{_text(name)}'>{_text(name)}</a>"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(map(_kind, schema[key])))
    if "const" in schema:
        return f"<code>{_text(schema['const'])}</code>"
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    return _text(schema.get("format") or schema.get("type") or "anything")


def _text(value: Any) -> str:
    return html.escape(str(value), quote=True)
