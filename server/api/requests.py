"""Requests against the models of `server.api.models`.

Owns: `validated`. Does not know what a request asks for.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from protocol.errors import InvalidArgumentError
from server.api.problems import HttpError


def validated(model: Any, value: Any) -> Any:
    """`value` as a model, or a TypeAdapter, has it. Raises HttpError (400) that names the item."""
    try:
        return model.validate_python(value) if isinstance(model, TypeAdapter) else model.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        where = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found[:4])[:1000]
        place = found[0]["loc"]
        more = {"item": place[1]} if len(place) > 1 and place[0] == "items" and isinstance(place[1], int) else {}
        raise HttpError(400, InvalidArgumentError(where), **more) from None
