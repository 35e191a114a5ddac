"""Where tokens must not be seen: logs at any level, answers, command lines, the environment of children."""

import os
from pathlib import Path

import httpx
import numpy as np
import pytest

from protocol.wire import Item
from server.settings import Settings, parse
from tests.server.owners import owners
from tests.stream.raw import Raw, RawHttp, http
from tests.support import wait_until

ONES = np.ones(3, np.float32)


def test_no_log_and_no_answer_has_a_token(tmp_path, capfd):
    with owners(tmp_path, environment={"TELEGRAD_LOG_LEVEL": "debug"}, alice={}) as two:
        tokens = [two.alice.token, two.admin.token, "a-wrong-token-that-nobody-has"]
        answers = []
        for token in tokens:
            headers = {"Authorization": f"Bearer {token}"}
            for path in ("/v1/status", "/v1/nothing", "/openapi.json", "/v1/files", "/v1/sessions/x/reads/1"):
                answers.append(httpx.get(two.alice.url + path, headers=headers).text)
            answers.append(httpx.post(f"{two.alice.url}/v1/sessions", headers={**headers, "Origin": "x"}).text)
        with Raw(two.alice) as raw, RawHttp(two.admin) as other:
            raw.ask([Item.CONST, 1, ONES], [Item.READ, 1, 1])
            raw.send([99])  # what breaks the rules is logged
            raw.end()
            sessions = [raw.session, other.session]
        two.drop("alice")
        two.give("carol")
        two.hang_up()
        with http(two.admin) as web:
            wait_until(lambda: "carol" in web.get("/v1/status").text)
            answers.append(web.get("/v1/status").text)
        command = Path(f"/proc/{two.server.pid}/cmdline")
        if command.exists():
            answers.append(command.read_text())
    said = capfd.readouterr()
    logged = said.out + said.err
    assert "telegrad.security" in logged and "telegrad.access" in logged and "telegrad.session" in logged
    for secret in (*tokens, *two.secrets.values(), *sessions):
        assert secret not in logged and secret[:10] not in logged
        assert not any(secret in answer for answer in answers)


def test_settings_and_errors_do_not_show_a_token(capsys):
    assert "a-secret" not in repr(Settings(token="a-secret"))
    with pytest.raises(SystemExit):
        parse(["--no-auth"], {"TELEGRAD_TOKEN": "a-secret"})
    said = capsys.readouterr().err
    assert "exclude" in said and "a-secret" not in said


def test_a_token_on_the_command_line_is_warned_of(capsys):
    settings, made = parse(["--token", "a-secret"], {})
    said = capsys.readouterr().err
    assert settings.token == "a-secret" and not made
    assert "--token shows the token" in said and "TELEGRAD_TOKEN" in said and "a-secret" not in said
    parse([], {"TELEGRAD_TOKEN": "a-secret"})
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(os.name == "nt", reason="no signals to a group")
def test_the_token_is_not_handed_to_children(monkeypatch):
    from server import __main__ as program

    seen = []

    def stop(which):
        seen.append(os.environ.get("TELEGRAD_TOKEN"))
        raise KeyboardInterrupt

    monkeypatch.setenv("TELEGRAD_TOKEN", "a-secret")
    monkeypatch.setattr(program, "open_devices", stop)
    with pytest.raises(KeyboardInterrupt):
        program.main(["--port", "0", "--isolation", "thread"])
    assert seen == [None]
