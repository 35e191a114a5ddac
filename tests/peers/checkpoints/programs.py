"""What the checkpoint programs are made of: the table they enter, and what they say of a checkpoint.

A program takes `tf` and an empty folder and gives a dict of plain values: numbers, strings, bools, None, and lists of
them. It runs under TensorFlow and under Telegrad.
"""

import contextlib
import gc
import logging
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np

PROGRAMS = {}


def program(function):
    """A decorator: the function is a program, by its own name."""
    assert function.__name__ not in PROGRAMS, function.__name__
    PROGRAMS[function.__name__] = function
    return function


def run(name, tf):
    """What a program gives in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, remarks():
        return {key: plain(value) for key, value in PROGRAMS[name](tf, Path(folder)).items()}


def outcome(name, tf):
    """What a program gives; the class of its error if it fails."""
    try:
        return run(name, tf)
    except Exception as error:
        return {"failed": type(error).__name__}


def plain(value):
    """NumPy's arrays and numbers, tensors, variables and tuples as JSON has them."""
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return plain(np.asarray(value).tolist()) if hasattr(value, "__array__") or hasattr(value, "numpy") else value


def values(*variables):
    """The variables' values."""
    return [plain(v.numpy()) for v in variables]


def raised(function, *args, **kwargs):
    """The class of the error that a call raises, None if none."""
    try:
        function(*args, **kwargs)
    except Exception as error:
        return type(error).__name__
    return None


def claims(status):
    """Which of the three assertions a status makes."""
    names = ("assert_consumed", "assert_existing_objects_matched", "assert_nontrivial_match")
    return [raised(getattr(status, name)) is None for name in names]


def saved(tf, folder, *roots, name="saved", **parts):
    """The path of a new checkpoint of these parts."""
    return tf.train.Checkpoint(*roots, **parts).save(str(folder / name))


def base(path):
    """The last part of a path, None for None."""
    return None if path is None else os.path.basename(path)


def here(folder, paths):
    """Paths below the folder, relative to it."""
    return [os.path.relpath(path, folder) for path in paths]


class _Lines(logging.Handler):
    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines = []

    def emit(self, record):
        self.lines.append(record.getMessage())


@contextlib.contextmanager
def remarks():
    """The list of the warnings of the block, logged or raised as warnings, what is left of it collected."""
    handler = _Lines()
    loggers = [logging.getLogger(name) for name in ("tensorflow", "telegrad", "client")]
    found = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for logger in loggers:
            logger.addHandler(handler)
        try:
            yield found
            gc.collect()
        finally:
            for logger in loggers:
                logger.removeHandler(handler)
            found += handler.lines + [str(each.message) for each in caught]


def about(found, text):
    """Whether a warning has this text in it."""
    return any(text in line for line in found)


UNRESTORED = "expect_partial()"
INCONSISTENT = "nconsistent references"


def stray(tf, folder, path, make, *, partial=False):
    """Whether restoring into what `make` gives, and dropping all of it, warns of values not restored."""
    with remarks() as found:
        checkpoint = make()
        status = checkpoint.restore(path)
        if partial:
            status.expect_partial()
        del status, checkpoint
    return about(found, UNRESTORED)
