"""What a tokens file may say, and what is said of one that says something else."""

import hashlib
import json
import re
import subprocess
import sys

import pytest

from server.settings import Settings, parse
from server.throttle import FREE, LONGEST
from server.tokens import _QUOTAS, RIGHTS, Quota, read_tokens
from tests.server.owners import Seen
from tests.support import ROOT, serving

SECRET = "a-token-of-24-characters"
DIGEST = hashlib.sha256(SECRET.encode()).hexdigest()
USUAL = Quota.usual(Settings())


def read(tmp_path, text, name="tokens.toml"):
    path = tmp_path / name
    path.write_text(text)
    return read_tokens(path, USUAL)


def entry(**fields):
    return json.dumps({"tokens": [{"name": "alice", "token": SECRET, **fields}]})


def test_every_key(tmp_path):
    (token,) = read(
        tmp_path,
        f"""
        [[tokens]]
        name = "alice-2"
        sha256 = "{DIGEST.upper()}"
        max_sessions = 4
        memory = "16g"
        session_memory = 1024
        max_tensors = 100_000
        upload_bytes = "1 GiB"
        total_upload_bytes = "2 GiB"
        queued_bytes = "16m"
        run_seconds = 1.5
        file_bytes = 0
        rights = ["admin"]
        """,
    )
    assert token.digest is not None and token.digest.hex() == DIGEST
    assert (token.name, token.rights) == ("alice-2", {"admin"})
    assert token.quota == Quota(
        max_sessions=4, session_memory=1024, upload_bytes=2**30, memory=2**34, file_bytes=0, max_tensors=100_000,
        queued_bytes=2**24, run_seconds=1.5, total_upload_bytes=2**31,
    )  # fmt: skip


def test_the_same_in_json_and_what_is_left_out(tmp_path):
    (token,) = read(tmp_path, entry(), "tokens.json")
    assert token.digest is not None and token.digest.hex() == DIGEST
    assert token.quota == USUAL and token.rights == {"publish", "read"}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "Alice"}, "lower-case"),
        ({"name": "../up"}, "lower-case"),
        ({"name": ""}, "lower-case"),
        ({"name": "a" * 65}, "lower-case"),
        ({"name": 7}, "lower-case"),
        ({"token": "short"}, "16 to 512"),
        ({"token": "a token with spaces in it"}, "16 to 512"),
        ({"token": "a-token-beyond-ascii-é"}, "16 to 512"),
        ({"token": 12345678901234567}, "16 to 512"),
        ({"sha256": DIGEST}, "either"),
        ({"token": None}, "either"),
        ({"token": None, "sha256": DIGEST[1:]}, "64 hex"),
        ({"max_sessions": 0}, "max_sessions"),
        ({"max_sessions": True}, "max_sessions"),
        ({"max_sessions": "4"}, "max_sessions"),
        ({"memory": -1}, "memory"),
        ({"memory": "lots"}, "memory"),
        ({"memory": 1.5}, "memory"),
        ({"memory": 2**70}, "memory"),
        ({"queued_bytes": "1m"}, "queued_bytes"),
        ({"run_seconds": 0}, "run_seconds"),
        ({"run_seconds": "1"}, "run_seconds"),
        ({"rights": ["root"]}, "rights"),
        ({"rights": "admin"}, "rights"),
        ({"rights": [["admin"]]}, "rights"),
        ({"colour": 1}, "'colour'"),
    ],
    ids=repr,
)
def test_what_an_entry_must_not_say(tmp_path, fields, told):
    with pytest.raises(ValueError, match=told) as error:
        read(tmp_path, entry(**fields), "tokens.json")
    assert SECRET not in str(error.value) and str(fields.get("token", SECRET)) not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "1", "{}", '{"tokens": []}', '{"tokens": {}}', '{"tokens": [1]}', '{"token": []}', "[" * 100_000,
        '{"tokens": [' + ", ".join([json.dumps({"name": "a", "token": SECRET})] * 2) + "]}",
        '{"tokens": [' + ", ".join(json.dumps({"name": n, "token": SECRET}) for n in "ab") + "]}",
        f'{{"tokens": [{{"name": "a", "token": "{SECRET}" "b"}}]}}',
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_what_a_file_must_not_be(tmp_path, text):
    with pytest.raises(ValueError) as error:
        read(tmp_path, text, "tokens.json")
    assert SECRET not in str(error.value)


def test_bytes_that_are_no_text(tmp_path):
    for name in ("tokens.toml", "tokens.json"):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00")
        with pytest.raises(ValueError):
            read_tokens(tmp_path / name, USUAL)


@pytest.mark.parametrize("text", [f"[[tokens]]\nname = 'a'\ntoken = '{SECRET}", f"token = {SECRET}"])
def test_a_malformed_line_is_named_and_not_quoted(tmp_path, text):
    with pytest.raises(ValueError, match=r"malformed, at (line \d|end of document)") as error:
        read(tmp_path, text)
    assert SECRET not in str(error.value)


def test_the_page_about_them(tmp_path):
    page = (ROOT / "docs" / "security.md").read_text()
    tokens = read(tmp_path, re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1])
    assert [t.name for t in tokens] == ["alice", "dashboard"]
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(_QUOTAS)
    assert all(f"`{right}`" in page for right in RIGHTS)
    assert f"From the {FREE + 1}th wrong token" in page and f"up to {LONGEST:g} seconds" in page


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.fixture
def tokens_file(tmp_path):
    path = tmp_path / "tokens.json"
    path.write_text(entry())
    return str(path)


def test_a_file_of_tokens_stands_for_a_token(tokens_file):
    settings, made = parse(["--host", "0.0.0.0", "--tokens-file", tokens_file], {})
    assert settings.token is None and not made
    settings, _ = parse([], {"TELEGRAD_TOKENS_FILE": tokens_file, "TELEGRAD_TOKEN": "x"})
    assert settings.token == "x" and str(settings.tokens_file) == tokens_file


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--tokens-file", "/nowhere"], "/nowhere"),
        (["--no-auth", "--tokens-file", "{}"], "exclude"),
        (["--host", "0.0.0.0"], "--tokens-file"),
    ],
)
def test_what_the_command_line_must_not_say(tokens_file, arguments, told, capsys):
    with pytest.raises(SystemExit) as ended:
        parse([a.format(tokens_file) for a in arguments], {})
    assert ended.value.code == 2 and told in capsys.readouterr().err


def test_the_default_token_is_given_once(tmp_path, capsys):
    path = tmp_path / "tokens.json"
    path.write_text(entry(name="default"))
    assert parse(["--tokens-file", str(path)], {})[0].token is None
    with pytest.raises(SystemExit):
        parse(["--tokens-file", str(path)], {"TELEGRAD_TOKEN": "x"})
    assert "'default'" in capsys.readouterr().err


# --- telegrad-server token -------------------------------------------------------------------------------------------


def command(*arguments):
    return subprocess.run(
        [sys.executable, "-P", "-m", "server", "token", *arguments], capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )  # fmt: skip


def test_a_token_that_is_made_can_be_used(tmp_path):
    path = tmp_path / "tokens.toml"
    made = [command("alice", "--memory", "1g", "--max-sessions", "3"), command("bob", "--rights", "read,admin")]
    path.write_text("".join(m.stdout for m in made))
    alice, bob = (m.stderr.split()[-1] for m in made)
    assert len(alice) >= 40 and alice != bob and alice not in path.read_text()
    with serving("--tokens-file", str(path)) as server:
        seen = Seen(server.url, server.port, alice).status()
        assert seen["token"]["name"] == "alice" and seen["limits"]["sessions"] == 3 and seen["limits"]["bytes"] == 2**30
        assert Seen(server.url, server.port, bob).status()["token"]["rights"] == ["admin", "read"]


@pytest.mark.parametrize("arguments", [["Alice"], ["a b"], ['a"\nb = "c'], ["alice", "--memory", "x"], []])
def test_an_entry_that_would_not_be_taken_is_not_made(arguments):
    done = command(*arguments)
    assert done.returncode == 2 and not done.stdout
