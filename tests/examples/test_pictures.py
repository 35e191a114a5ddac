"""The pictures that example programs draw: PNG files of the size asked for, which show the data."""

import os
import struct
import subprocess
import sys
from pathlib import Path

import linear_regression
import numpy as np
import pytest
import train_digits
from matplotlib.image import imread

from tests.support import ROOT


def picture(path: Path, width: int, height: int) -> np.ndarray:
    """The pixels of a PNG file of that size, which must not be all alike."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n" and data[12:16] == b"IHDR"
    assert struct.unpack(">II", data[16:24]) == (width, height)
    pixels = imread(path)[..., :3]
    assert pixels.shape == (height, width, 3) and pixels.std() > 0.01
    return pixels


def height_of_curve(pixels: np.ndarray, part: slice) -> float:
    """How far down the coloured pixels of some columns are, as a share of the picture's height."""
    columns = pixels[:, part]
    rows, _ = np.nonzero(columns.max(axis=2) - columns.min(axis=2) > 0.2)
    return float(rows.mean()) / len(pixels)


def test_the_loss_of_the_digits(tmp_path):
    falling = [2.0 * 0.98**i for i in range(120)]
    train_digits.draw(falling, tmp_path / "falling.png")
    train_digits.draw(falling[::-1], tmp_path / "rising.png")
    falls, rises = (picture(tmp_path / name, 960, 540) for name in ("falling.png", "rising.png"))
    left, right = slice(160, 300), slice(500, 700)
    assert height_of_curve(falls, left) + 0.05 < height_of_curve(falls, right)  # counted from above
    assert height_of_curve(rises, right) + 0.05 < height_of_curve(rises, left)
    train_digits.draw(falling[:3], tmp_path / "short.png")  # fewer than the mean is over
    picture(tmp_path / "short.png", 960, 540)


def test_the_line_and_its_points(tmp_path):
    x = np.linspace(-2, 2, 50)
    losses = [(0, 69.0), (100, 2.0), (200, 1.0)]
    linear_regression.draw(x, 3 * x + 2, 3.0, 2.0, losses, tmp_path / "fits.png")
    linear_regression.draw(x, 3 * x + 2, -3.0, 2.0, losses, tmp_path / "misses.png")
    fits, misses = (picture(tmp_path / name, 1200, 540) for name in ("fits.png", "misses.png"))
    half = fits.shape[1] // 2
    assert np.any(fits[:, :half] != misses[:, :half])  # another line
    np.testing.assert_array_equal(fits[:, half + 60 :], misses[:, half + 60 :])  # the same losses


@pytest.mark.parametrize(
    ("program", "options", "size"),
    [("train_digits.py", ["--epochs", "1"], (960, 540)), ("linear_regression.py", [], (1200, 540))],
)
def test_programs_draw_where_they_are_told_to(program, options, size, tmp_path):
    path = tmp_path / "picture.png"
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / program), *options, "--plot", str(path)],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert str(path) in done.stdout.splitlines()[-1]
    picture(path, *size)
    assert [p.name for p in tmp_path.iterdir()] == ["picture.png"]
