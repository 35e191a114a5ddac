"""Published values over plain HTTP.

Owns: paths, forms and conditional requests. Does not know who published (`server.published`).

    GET    /v1/published           what is published, by name
    GET    /v1/published/{name}    a value; `ETag` and `If-None-Match`
    DELETE /v1/published/{name}    take the name away: 204
"""

from __future__ import annotations

from typing import Annotated

from fastapi import FastAPI, Query, Request, Response

from protocol.spec import Spec
from server.access import account_of
from server.api import bodies, models
from server.api.bodies import JSON, MSGPACK, NPY
from server.api.document import Format, answers
from server.api.tensors import check_size, tensor_response
from server.published import Published

_ALL = (JSON, MSGPACK, NPY)


def add_published_routes(app: FastAPI, published: Published) -> None:
    """Serve `published`, each request the names of its token."""

    @app.get(
        "/v1/published",
        tags=["published"],
        summary="What is published",
        responses=answers(models.PublishedList, (JSON, MSGPACK)),
    )
    async def list_published(
        request: Request, prefix: Annotated[str, Query(max_length=512)] = "", format: Format = None
    ) -> Response:
        kind = bodies.accepted(request, (JSON, MSGPACK))
        return bodies.answer({"published": published.shelf(account_of(request.scope)).listed(prefix)}, kind)

    @app.get(
        "/v1/published/{name:path}",
        tags=["published"],
        summary="A published value",
        responses=answers(models.Tensor, _ALL) | {304: {"description": "It is the one that If-None-Match names"}},
    )
    async def get_published(
        request: Request,
        name: str,
        format: Format = None,
    ) -> Response:
        kind = bodies.accepted(request, _ALL)
        entry = published.shelf(account_of(request.scope)).entry(name)
        headers = {"etag": f'"{entry.version}"', "cache-control": "no-cache", "vary": "Accept"}
        known = request.headers.get("if-none-match", "")
        if headers["etag"] in [tag.strip().removeprefix("W/") for tag in known.split(",")]:
            return Response(status_code=304, headers=headers)
        check_size(Spec(entry.dtype, entry.array.shape), kind)
        return await tensor_response(entry.array, kind, headers)

    @app.delete("/v1/published/{name:path}", tags=["published"], summary="Take a name away", status_code=204)
    async def delete_published(request: Request, name: str) -> None:
        published.shelf(account_of(request.scope)).unpublish(name)
