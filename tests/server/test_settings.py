"""Where the token comes from."""

import pytest

from server import settings


@pytest.fixture
def token_file(tmp_path):
    path = tmp_path / "token"
    path.write_text("from the file\n")
    return str(path)


@pytest.mark.parametrize("empty", [{}, {"TELEGRAD_TOKEN": ""}], ids=["unset", "empty"])
def test_without_a_token_in_the_environment_the_file_counts(token_file, empty):
    found, made = settings.parse([], {"TELEGRAD_TOKEN_FILE": token_file, **empty})
    assert (found.token, made) == ("from the file", False)


def test_the_environment_comes_before_the_file(token_file):
    found, _ = settings.parse([], {"TELEGRAD_TOKEN_FILE": token_file, "TELEGRAD_TOKEN": "said"})
    assert found.token == "said"


@pytest.mark.parametrize("environ", [{}, {"TELEGRAD_TOKEN": ""}], ids=["unset", "empty"])
def test_beyond_loopback_nothing_is_made_up(environ, capsys):
    with pytest.raises(SystemExit):
        settings.parse(["--host", "0.0.0.0"], environ)
    assert "needs a token" in capsys.readouterr().err


def test_an_empty_token_file_is_an_error(tmp_path, capsys):
    path = tmp_path / "token"
    path.write_text("\n")
    with pytest.raises(SystemExit):
        settings.parse([], {"TELEGRAD_TOKEN_FILE": str(path)})
    assert "is empty" in capsys.readouterr().err


def test_beside_named_tokens_the_one_token_may_be_empty(tmp_path):
    (tmp_path / "token").touch()
    (tmp_path / "tokens.toml").write_text('[[tokens]]\nname = "alice"\ntoken = "sixteen-letters-or-more"\n')
    files = {"TELEGRAD_TOKEN_FILE": str(tmp_path / "token"), "TELEGRAD_TOKENS_FILE": str(tmp_path / "tokens.toml")}
    found, made = settings.parse(["--host", "0.0.0.0"], files)
    assert (found.token, made) == (None, False)
