"""`telegrad-server token NAME`: makes a token, and prints the entry for the file that lists tokens.

Owns: the command. The entry goes to standard output and holds the digest alone, so that it can be appended to the file;
the token goes to standard error, once, and is kept nowhere.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tomllib
from typing import Final

from server.settings import Settings
from server.tokens import RIGHTS, Quota, digest_of, parse_tokens

_LIMITS: Final = {
    "max_sessions": "sessions at once",
    "memory": "bytes of values of all its sessions, such as 16g",
    "session_memory": "bytes of values of each session",
    "max_tensors": "tensors of each session",
    "upload_bytes": "bytes of uploads of each session that its stream has not come to",
    "queued_bytes": "bytes of frames of each session that are not done",
    "run_seconds": "seconds that one item may run",
    "file_bytes": "bytes of files kept on the server",
}


def main(arguments: list[str]) -> int:
    """Make a token; the exit status."""
    command = _parser()
    given = vars(command.parse_args(arguments))
    token = secrets.token_urlsafe(32)
    lines = ["[[tokens]]", f'name = "{given["name"]}"', f'sha256 = "{digest_of(token.encode()).hex()}"']
    for key in _LIMITS:
        if given[key] is not None:
            lines.append(f"{key} = {_toml(given[key])}")
    if given["rights"] is not None:
        rights = ", ".join(f'"{right}"' for right in given["rights"].split(",") if right)
        lines.append(f"rights = [{rights}]")
    entry = "\n".join(lines)
    try:
        parse_tokens(tomllib.loads(entry), Quota.usual(Settings()))
    except ValueError as error:
        command.error(str(error))
    print(f"\n{entry}")
    sys.stdout.flush()
    print(f"the token of {given['name']}, shown this once: {token}", file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        "telegrad-server token",
        description="Make a token. Its entry for --tokens-file is printed, so `>> tokens.toml` adds it; the token "
        "itself goes to standard error.",
    )
    command.add_argument("name", help="lower-case letters, digits, _ and -")
    for key, text in _LIMITS.items():
        command.add_argument(f"--{key.replace('_', '-')}", help=text)
    command.add_argument("--rights", help=f"of {', '.join(RIGHTS)}, with commas; publish,read if not given")
    return command


def _toml(text: str) -> str:
    """A number as it is; anything else as a string."""
    try:
        float(text)
    except ValueError:
        return '"' + text.replace("\\", "").replace('"', "") + '"'
    return text
