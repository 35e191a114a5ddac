"""The server's files over HTTP: list, get, put, delete. A token's requests are about its own files.

Owns: paths and sizes. Does not know names (`server.files`) or contents.

    GET    /v1/files?prefix=     {"files": [{"name", "bytes", "modified"}, ...]}
    GET    /v1/files/{name}      the bytes (Range)
    PUT    /v1/files/{name}      write it, whole or not at all: 204
    DELETE /v1/files/{name}      204
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import FileResponse

from protocol.errors import InvalidArgumentError
from server.access import account_of
from server.files import Files

MAX_PUT: Final = 64 * 2**20
"""Bytes of a file that a PUT may write: descriptions. Values go through a session."""


async def _own(request: Request) -> Files:
    return account_of(request.scope).files


Own = Annotated[Files, Depends(_own)]


def add_file_routes(app: FastAPI) -> None:
    """Serve each token's files."""

    @app.get("/v1/files")
    async def list_files(files: Own, prefix: str = "") -> dict[str, Any]:
        return {"files": await asyncio.to_thread(files.listed, prefix)}

    @app.get("/v1/files/{name:path}")
    async def get_file(files: Own, name: str) -> Response:
        return FileResponse(files.existing(name), media_type="application/octet-stream")

    @app.put("/v1/files/{name:path}", status_code=204)
    async def put_file(request: Request, files: Own, name: str) -> None:
        files.path(name)  # refuse a bad name before a byte is taken
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_PUT:
                raise InvalidArgumentError(f"a file over the limit of {MAX_PUT} bytes")
            chunks.append(chunk)
        await asyncio.to_thread(_write, files, name, chunks)

    @app.delete("/v1/files/{name:path}", status_code=204)
    async def delete_file(files: Own, name: str) -> None:
        files.delete(name)


def _write(files: Files, name: str, chunks: list[bytes]) -> None:
    with files.writing(name) as out:
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                rest = rest[out.write(rest) :]
