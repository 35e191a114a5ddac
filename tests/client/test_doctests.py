"""Every example in a docstring of the client and the protocol runs and prints what it says."""

import doctest
import importlib
import pkgutil

import pytest

import client
import protocol
from client.api import PUBLIC


def modules():
    for package in (client, protocol):
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield found.name


@pytest.mark.parametrize("name", sorted(modules()))
def test_examples(name):
    result = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert result.failed == 0


def test_every_public_name_has_a_docstring():
    missing = [path for path, found in PUBLIC.items() if not (getattr(found, "__doc__", None) or "").strip()]
    assert not missing
