"""docs/operations.md says what the server has: each option, each metric with its labels, each line of the log."""

import re
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families as parse

from protocol.wire import Item
from server.settings import parser
from tests.stream.raw import Raw
from tests.support import ROOT, serving

PAGE = (ROOT / "docs" / "operations.md").read_text()
OWN_DEFAULT = {"--memory-limit"}
"""Options whose default depends on the machine."""


def section(title):
    return re.split(r"^## ", PAGE.partition(f"## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def rows(title):
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in lines[2:]]


def code(text):
    return re.findall(r"`([^`]+)`", text)


def options():
    return {
        max(a.option_strings, key=len): a for a in parser({})._actions if a.dest != "help" and a.option_strings
    }  # fmt: skip


def test_every_option_is_in_the_table_and_no_other():
    assert [code(row[0])[0] for row in rows("Settings")] and {code(row[0])[0] for row in rows("Settings")} == set(
        options()
    )


@pytest.mark.parametrize("row", rows("Settings"), ids=lambda row: row[0].strip("`-"))
def test_an_option_is_as_the_table_says(row):
    name, environment, default = code(row[0])[0], code(row[1]), code(row[2])
    action = options()[name]
    named = re.findall(r"TELEGRAD_\w+", action.help)
    assert environment == named[:1]
    if environment and name != "--token":
        value = {"--memory-limit": "1g", "--access-log": "1"}.get(name, "7")
        assert str(getattr(options_with(environment[0], value), action.dest)) != str(action.default)
    if name not in OWN_DEFAULT:
        assert default == ([] if action.default is None else [str(action.default)])


def options_with(variable, value):
    choices = {"TELEGRAD_DEVICE": "cpu", "TELEGRAD_LOG_LEVEL": "error", "TELEGRAD_LOG_FORMAT": "json"}
    given = parser({variable: choices.get(variable, value)}).parse_args([])
    return SimpleNamespace(**vars(given))


@pytest.fixture(scope="module")
def families():
    """What /metrics gives once there is something of everything."""
    with serving() as server, Raw(server) as raw:
        raw.send([Item.BIND, 0, "matmul"], [Item.RUN, 0, 1, [np.ones((2, 3)), np.ones((2, 3))]])
        raw.send([Item.RUN, 0, 2, [np.ones((2, 2)), np.ones((2, 2))]], [Item.SYNC, 1])
        raw.replies(2)
        httpx.get(f"{server.url}/v1/status")
        text = httpx.get(f"{server.url}/metrics", headers=server.headers).text
    return {family.name: family for family in parse(text) if family.name.startswith("telegrad_")}


def test_every_metric_is_in_the_table_as_it_is(families):
    found = {}
    for name, family in families.items():
        assert family.samples, f"{name} was not exercised"
        shown = f"{name}_total" if family.type == "counter" else name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[shown] = (family.type, frozenset(labels))
    told = {
        code(name)[0]: (kind, frozenset(filter(None, labels.split(", ")))) for name, kind, labels, _ in rows("Metrics")
    }
    assert told == found


def test_the_alerts_are_rules_over_metrics_that_there_are(families):
    (text,) = re.findall(r"```yaml\n(.*?)```", section("Alerts worth having"), re.DOTALL)
    rules = yaml.safe_load(text)["groups"][0]["rules"]
    names = {s.name for f in families.values() for s in f.samples}
    labels = {key for f in families.values() for s in f.samples for key in s.labels}
    for rule in rules:
        assert rule["alert"] and set(re.findall(r"\btelegrad_\w+", rule["expr"])) <= names, rule
        assert set(re.findall(r"(\w+)=\"", rule["expr"])) <= labels | {"job"}, rule
    for name in re.findall(r"\b(?:telegrad)_\w+", PAGE):
        assert name in names | set(families) or f"{name}_total" in names, name


def test_the_scrape_configuration_is_yaml():
    (text,) = re.findall(r"```yaml\n(.*?)```", section("Metrics"), re.DOTALL)
    assert yaml.safe_load(text)["scrape_configs"][0]["authorization"]["credentials_file"]


def test_every_message_of_the_log_is_in_the_table():
    source = "".join((ROOT / "server" / name).read_text() for name in ("events.py", "requests.py", "app.py"))
    said = set(re.findall(r'"(session (?:[a-z]+ ?)+|request (?:refused|failed)|exception in a request)"', source))
    said |= {f"server {what}" for what in re.findall(r'events\.server\("(\w+)"', source)} | {"request"}
    told = {message for row in rows("Logs") for message in code(row[0])}
    assert len(said) > 8 and said == told
    reasons = next(row[2] for row in rows("Logs") if row[0] == "`session ends`")
    from server.events import REASONS

    assert all(reason in reasons for reason in REASONS)
    told_words = next(row[3] for row in rows("Metrics") if "session_ends" in row[0])
    assert set(code(told_words)) == {*REASONS.values(), "broken"}
