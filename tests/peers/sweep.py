"""The same programs under TensorFlow and under Telegrad, and how many gave the same numbers.

    python -m tests.peers.sweep                     # all modules, with the TensorFlow of this environment
    python -m tests.peers.sweep losses layers       # some of them
    TELEGRAD_PEER_PYTHON=.../python python -m tests.peers.sweep     # with that of another

A module `sweep_<name>.py` has `cases()`: pairs of a name and a function of `tf` that gives arrays (or a triple with the
relative tolerance where float32's rounding adds up). It runs in two processes, and the arrays are compared by their
largest element: |ours - theirs| <= tolerance * max(1, |theirs|).
"""

from __future__ import annotations

import argparse
import importlib
import os
import pkgutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[2]
TOLERANCE = 2e-5
FAILED = "failed: "


def module_names() -> list[str]:
    """The modules there are."""
    found = pkgutil.iter_modules([str(Path(__file__).parent)])
    return sorted(m.name.removeprefix("sweep_") for m in found if m.name.startswith("sweep_"))


def cases_of(names: list[str]) -> Iterator[tuple[str, Any, float]]:
    """Every case: its name, function and tolerance."""
    for name in names:
        for case in importlib.import_module(f"tests.peers.sweep_{name}").cases():
            label, function, tolerance = case if len(case) == 3 else (*case, TOLERANCE)
            yield f"{name}:{label}", function, tolerance


def run(library: str, names: list[str], path: Path) -> None:
    """Run all cases with a library and write their arrays."""
    tf: Any = importlib.import_module(library)
    found: dict[str, np.ndarray[Any, Any]] = {}
    for name, function, _ in cases_of(names):
        try:
            for i, value in enumerate(function(tf)):
                found[f"{name}/{i}"] = np.asarray(value)
        except Exception as error:
            found[f"{name}/0"] = np.asarray(f"{FAILED}{type(error).__name__}: {error}"[:300])
    np.savez(path, **{k.replace("/", "|"): v for k, v in found.items()})


def results_of(library: str, python: str, names: list[str], folder: Path) -> dict[str, np.ndarray[Any, Any]]:
    """What a library gives, in a process of its own."""
    path = folder / f"{library}.npz"
    command = [python, "-m", "tests.peers.sweep", *names, "--library", library, "--write", str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run(
        command, check=True, cwd=ROOT, env=environment, stderr=None if library == "client" else subprocess.DEVNULL
    )
    with np.load(path) as data:
        return {k.replace("|", "/"): data[k] for k in data.files}


def difference(ours: np.ndarray[Any, Any], theirs: np.ndarray[Any, Any], tolerance: float) -> str:
    """What is different between two arrays; empty if they agree."""
    if "U" in (ours.dtype.kind, theirs.dtype.kind):  # an error, of which the class counts, or a word
        same = ":".join(str(ours).split(":")[:2]) == ":".join(str(theirs).split(":")[:2])
        return "" if same else f"ours {str(ours)[:200]}, theirs {str(theirs)[:200]}"
    if ours.shape != theirs.shape:
        return f"shape {ours.shape}, theirs {theirs.shape}"
    if ours.dtype.kind in "biu" and theirs.dtype.kind in "biu":
        return "" if np.array_equal(ours, theirs) else f"{ours}, theirs {theirs}"
    a, b = ours.astype(np.complex128), theirs.astype(np.complex128)
    scale = max(1.0, float(np.abs(b[np.isfinite(b)]).max(initial=0.0)))
    if np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True):
        return ""
    with np.errstate(all="ignore"):
        return f"up to {np.nanmax(np.abs(a - b)):.3g} apart of {scale:.3g}"


def compare(names: list[str], python: str) -> tuple[int, list[str]]:
    """How many cases there are, and what is wrong with those that differ."""
    with tempfile.TemporaryDirectory() as folder:
        theirs = results_of("tensorflow", python, names, Path(folder))
        ours = results_of("client", sys.executable, names, Path(folder))
    cases = list(cases_of(names))
    wrong = []
    for name, _, tolerance in cases:
        keys = [k for k in theirs if k.rpartition("/")[0] == name]
        if sorted(keys) != sorted(k for k in ours if k.rpartition("/")[0] == name):
            wrong.append(f"{name}: {str(ours.get(f'{name}/0'))[:300]}: other results than {keys}")
            continue
        found = [d for d in (difference(ours[k], theirs[k], tolerance) for k in keys) if d]
        if found:
            wrong.append(f"{name}: {'; '.join(found)}")
    return len(cases), wrong


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("modules", nargs="*", help=f"of {', '.join(module_names())}")
    options.add_argument("--library", help="run this library alone")
    options.add_argument("--write", type=Path, help="where its arrays go")
    given = options.parse_args()
    names = given.modules or module_names()
    if given.library:
        run(given.library, names, given.write)
        return 0
    count, wrong = compare(names, os.environ.get("TELEGRAD_PEER_PYTHON", sys.executable))
    for line in wrong:
        print(f"differs: {line}")
    print(f"{count - len(wrong)} of {count} programs agree with TensorFlow")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
