"""`python requirements.py EXTRA`: what `pip install "telegrad[EXTRA]"` would install beside Telegrad, a line each.

Owns: reading pyproject.toml in the working directory, so that an image's dependencies are a layer that does not change
with Telegrad's source. Does not know versions or pip.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Any


def requirements(project: dict[str, Any], extra: str) -> list[str]:
    """The project's dependencies and those of `extra`; an extra of its own in it stands for that one's."""
    extras = project["optional-dependencies"]
    if extra not in extras:
        raise SystemExit(f"{project['name']} has no extra {extra!r}; it has {', '.join(extras)}")
    found = list(project["dependencies"])
    for each in extras[extra]:
        own = re.fullmatch(rf"{project['name']}\[([\w,-]+)\]", each)
        found += [r for e in own[1].split(",") for r in requirements(project, e)] if own else [each]
    return list(dict.fromkeys(found))


if __name__ == "__main__":
    print(*requirements(tomllib.loads(Path("pyproject.toml").read_text())["project"], sys.argv[1]), sep="\n")
