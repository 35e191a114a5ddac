"""The engine, a base image and the CPU image: found, made or built once; without them tests are skipped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.engine import Engine, Service, composed, find_base, find_engine


@pytest.fixture(scope="session")
def engine() -> Engine:
    return find_engine()


@pytest.fixture(scope="session")
def base(engine: Engine) -> str:
    return find_base(engine)


@pytest.fixture(scope="session")
def cpu_image(engine: Engine, base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    name = engine.build("cpu", base, tmp_path_factory.mktemp("build"))
    yield name
    engine("rmi", name, check=False)


@pytest.fixture
def service(engine: Engine, cpu_image: str, tmp_path: Path) -> Iterator[Service]:
    with composed(engine, tmp_path) as found:
        yield found
