"""The names under which values are published: what both sides accept as one.

Owns: `checked_name`. Does not know who publishes, or where values are kept.
"""

from __future__ import annotations

import re
from typing import Any, Final

from protocol.errors import InvalidArgumentError

MAX_NAME: Final = 512
_PART: Final = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9._+-]{0,199}")


def checked_name(name: Any) -> str:
    """`name`, if it is parts between slashes: letters, digits and `._+-`, no part starting with a dot.

    Raises:
        InvalidArgumentError: it is not.
    """
    parts = name.split("/") if isinstance(name, str) and len(name) <= MAX_NAME else []
    if not parts or not all(_PART.fullmatch(part) for part in parts):
        raise InvalidArgumentError(
            f"{name!r:.100} is no name to publish under: letters, digits and ._+- between slashes, no part starting "
            "with a dot"
        )
    found: str = name
    return found
