"""The names of `tf.debugging`: the assertions of `client.value_checks` and `client.shape_checks`, the switch of
`client.numeric_checks`, and settings.
"""

from __future__ import annotations

from client import numeric_checks, shape_checks, value_checks
from client.api import names_in, public

assert numeric_checks and shape_checks and value_checks

_settings = {"traceback_filtering": True, "log_device_placement": False}


@public("debugging.enable_traceback_filtering")
def enable_traceback_filtering() -> None:
    """Remembered, without effect: tracebacks are Python's."""
    _settings["traceback_filtering"] = True


@public("debugging.disable_traceback_filtering")
def disable_traceback_filtering() -> None:
    """Remembered, without effect: tracebacks are Python's."""
    _settings["traceback_filtering"] = False


@public("debugging.is_traceback_filtering_enabled")
def is_traceback_filtering_enabled() -> bool:
    """Whether filtering was enabled last; True before."""
    return _settings["traceback_filtering"]


@public("debugging.set_log_device_placement")
def set_log_device_placement(enabled: bool) -> None:
    """Remembered, without effect: `Tensor.device` says where a tensor is."""
    _settings["log_device_placement"] = bool(enabled)


@public("debugging.get_log_device_placement")
def get_log_device_placement() -> bool:
    """What `set_log_device_placement` was given, False before."""
    return _settings["log_device_placement"]


globals().update(names_in("debugging"))
__all__ = sorted(names_in("debugging"))
