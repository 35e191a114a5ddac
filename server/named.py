"""The session that a request's path names, as a dependency of the routes of `server.app` and `server.api`.

Owns: `Named`. Does not know what the routes do with it.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from server.access import account_of
from server.session import Session


async def _named_session(request: Request, identifier: str) -> Session:
    found: Session = request.app.state.sessions.get(identifier, account_of(request.scope))
    return found


Named: TypeAlias = Annotated[Session, Depends(_named_session)]
