"""What fuzzing has found before, and what it starts from: each file of `corpus` runs through its part's check."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.guided import CHECKS, CORPUS

FILES = sorted(path for part in CHECKS for path in (CORPUS / part).iterdir())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_a_file_of_the_corpus(path: Path) -> None:
    CHECKS[path.parent.name](path.read_bytes())


def test_every_part_has_files() -> None:
    assert {path.parent.name for path in FILES} == set(CHECKS)
    assert all(path.stat().st_size < 2**16 for path in FILES)
