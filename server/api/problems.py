"""Errors of HTTP requests in their one shape: problem details (RFC 9457) with a `code`.

Owns: `HttpError`, and the handlers for what routing and validation raise. Does not know what requests do.
`server.security` makes the same shape of the errors that have a place in `protocol.errors`, `server.requests` of bugs.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from protocol.errors import InvalidArgumentError, NotFoundError, OpError, code_of, error_from
from server.logs import note_error
from server.security import STATUS, problem

MEDIA_TYPE: Final = "application/problem+json"
_PYTHON: Final = {10: 409, 80: 400, 81: 400, 82: 400, 83: 400, 84: 501}
_DETAILS: Final = {
    404: "there is nothing at this path",
    405: "this path does not take the method",
}


class HttpError(Exception):
    """An answer with a status of its own choice; `more` are further members of the problem details."""

    def __init__(self, status: int, error: Exception, **more: Any) -> None:
        super().__init__(str(error))
        self.status = status
        self.error = error
        self.more = more


def details(error: Exception) -> dict[str, Any]:
    """What is said of an error wherever one is told: its class, text and code."""
    return {"title": type(error).__name__, "detail": str(error) or type(error).__name__, "code": code_of(error)}


def failed(failure: dict[str, Any]) -> HttpError:
    """The answer to a request that was about one thing, which failed as an item tells."""
    code = failure["code"]
    return HttpError(_PYTHON.get(code) or STATUS.get(code, 500), error_from(code, failure["detail"]))


def _respond(status: int, error: Exception, headers: Any = None, **more: Any) -> Response:
    noted = OpError(str(error))
    noted.error_code = code_of(error)
    request = note_error(noted)
    about = {} if request is None else {"request_id": request}
    return _response(status, {"type": "about:blank", "status": status, **details(error), **about, **more}, headers)


def _response(status: int, body: dict[str, Any], headers: Any = None) -> Response:
    # Plain ASCII: a text may quote what was sent, half a surrogate pair too.
    return Response(json.dumps(body).encode(), status, headers, media_type=MEDIA_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error of `app` in the one shape."""

    @app.exception_handler(OpError)
    async def known(_: Request, error: OpError) -> Response:
        status, body = problem(error)
        return _response(status, body)

    @app.exception_handler(HttpError)
    async def chosen(_: Request, error: HttpError) -> Response:
        return _respond(error.status, error.error, **error.more)

    @app.exception_handler(RequestValidationError)
    async def malformed(_: Request, error: RequestValidationError) -> Response:
        where = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        return _respond(400, InvalidArgumentError(where))

    @app.exception_handler(HTTPException)
    async def routed(_: Request, error: HTTPException) -> Response:
        text = _DETAILS.get(error.status_code, str(error.detail or HTTPStatus(error.status_code).phrase))
        kind = NotFoundError if error.status_code == 404 else InvalidArgumentError
        return _respond(error.status_code, kind(text), error.headers)
