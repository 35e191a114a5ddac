"""The server's files over HTTP: list, get, put, delete. A token's requests are about its own files.

Owns: paths and sizes. Does not know names (`server.files`) or contents.

    GET    /v1/files?prefix=     {"files": [{"name", "bytes", "modified"}, ...]}
    GET    /v1/files/{name}      the bytes (Range)
    PUT    /v1/files/{name}      write it, whole or not at all: 204
    DELETE /v1/files/{name}      204
"""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import FileResponse

from protocol.errors import InvalidArgumentError, OutOfRangeError
from server.access import account_of
from server.api.bodies import Held
from server.api.document import binary
from server.api.problems import HttpError
from server.files import Files

_RANGE: Final = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")
MAX_PUT: Final = 64 * 2**20
"""Bytes of a file that a PUT may write: descriptions. Values go through a session."""


async def _own(request: Request) -> Files:
    return account_of(request.scope).files


Own = Annotated[Files, Depends(_own)]


def add_file_routes(app: FastAPI, held: Held) -> None:
    """Serve each token's files; `held` counts the bytes of bodies."""

    @app.get("/v1/files")
    async def list_files(files: Own, prefix: str = "") -> dict[str, Any]:
        return {"files": await asyncio.to_thread(files.listed, prefix)}

    @app.get("/v1/files/{name:path}", responses=binary("application/octet-stream", 206))
    async def get_file(request: Request, files: Own, name: str) -> Response:
        path = files.existing(name)
        about = path.stat()
        _check_range(request.headers.get("range"), about.st_size)
        return FileResponse(path, media_type="application/octet-stream", stat_result=about)

    @app.put("/v1/files/{name:path}", status_code=204)
    async def put_file(request: Request, files: Own, name: str) -> None:
        files.path(name)  # refuse a bad name before a byte is taken
        chunks, size = [], 0
        with held.bytes(request) as take:
            async for chunk in request.stream():
                size += len(chunk)
                if size > MAX_PUT:
                    raise InvalidArgumentError(f"a file over the limit of {MAX_PUT} bytes")
                take(len(chunk))
                chunks.append(chunk)
            await asyncio.to_thread(_write, files, name, chunks)

    @app.delete("/v1/files/{name:path}", status_code=204)
    async def delete_file(files: Own, name: str) -> None:
        files.delete(name)


def _check_range(text: str | None, size: int) -> None:
    """Raise InvalidArgumentError, or HttpError (416), unless a Range header asks for a part of a file of that size."""
    if text is None:
        return
    match = _RANGE.fullmatch(text)
    if match is None:
        raise InvalidArgumentError(f"the range {text!r:.100} is none of bytes=first-, bytes=first-last, bytes=-count")
    first, last, count = [None if part in (None, "") else int(part) for part in match.groups()]
    there = count != 0 and size > 0 if first is None else first < size and (last is None or first <= last)
    if not there:
        raise HttpError(416, OutOfRangeError(f"the range {text!r} has nothing of a file of {size} bytes"))


def _write(files: Files, name: str, chunks: list[bytes]) -> None:
    with files.writing(name) as out:
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                rest = rest[out.write(rest) :]
