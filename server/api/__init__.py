"""HTTP for other tools: what curl, a notebook in another language or a dashboard needs of the server.

Sessions that HTTP requests drive (`session_routes`), runs without one (`run_route`), the catalogue of ops
(`catalogue`), published values (`published_routes`), their description (`document`), and errors in one shape
(`problems`). `docs/http.md` is the reference.
"""

from __future__ import annotations

from fastapi import FastAPI

from server.api.bodies import Held
from server.api.catalogue import add_catalogue_routes
from server.api.document import add_document
from server.api.published_routes import add_published_routes
from server.api.run_route import add_run_route
from server.api.session_routes import add_session_routes
from server.session import Sessions


def add_tool_routes(app: FastAPI, sessions: Sessions, held: Held) -> None:
    """Serve `sessions` to tools. Call it last: the document describes the routes there are when it is asked for."""
    add_session_routes(app, sessions, held)
    add_run_route(app, sessions, held)
    add_catalogue_routes(app, sessions)
    add_published_routes(app, sessions.published)
    add_document(app)
