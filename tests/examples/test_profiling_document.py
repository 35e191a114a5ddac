"""The programs in docs/profiling.md print what the page shows, but for the times."""

import re
from pathlib import Path

import pytest

from tests.support import ROOT, run_program

PAGE = (ROOT / "docs" / "profiling.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", PAGE, re.DOTALL)
NAMES = ["profile", "numerics"]


def without_figures(text: str) -> list[str]:
    """The lines without what differs from run to run: times, sizes, and the widths of their columns."""
    lines = (line for line in text.splitlines() if set(line) != {"-", " "})
    return [re.sub(r"-?[\d.]+( %| [mµk]?[sB]\b)?|[ \t]+", " ", line).replace("  ", " ").strip() for line in lines]


@pytest.mark.parametrize(("source", "shown"), PROGRAMS, ids=NAMES)
def test_a_program_prints_what_the_page_shows(source, shown, tmp_path: Path):
    (tmp_path / "train.py").write_text(source)
    done = run_program(f"import os, runpy; os.chdir({str(tmp_path)!r}); runpy.run_path('train.py')")
    assert done.returncode == 0, done.stderr
    # Ops are sorted by their times, so only what there is can be compared.
    assert sorted(without_figures(done.stdout)) == sorted(without_figures(shown))


def test_the_counts_of_the_page_are_exact(tmp_path: Path):
    (tmp_path / "train.py").write_text(PROGRAMS[0][0])
    done = run_program(f"import os, runpy; os.chdir({str(tmp_path)!r}); runpy.run_path('train.py')")

    def counts(text: str) -> dict[str, str]:
        return dict(re.findall(r"^(\w+) +(\d+ {1,40}(?:\d+)?)(?= {2,}\d)", text, re.MULTILINE))

    found = {name: row.split() for name, row in counts(done.stdout).items()}
    assert found and found == {name: row.split() for name, row in counts(PROGRAMS[0][1]).items()}
    assert "900 ops issued" in done.stdout and "900 ops issued" in PAGE
    lines = re.findall(r"^train\.py:\d+  .*?(?= {2,}\d)", done.stdout, re.MULTILINE)
    assert lines == re.findall(r"^train\.py:\d+  .*?(?= {2,}\d)", PAGE, re.MULTILINE)
