"""`tf.config`: devices, and settings. Those that have no meaning for a remote server are accepted and remembered, so
that programs run.

Owns: device lists, `set_synchronous_execution`, memory figures, remembered settings. Does not know how ops find a
    device (`client.devices`).

The devices are the server's: asking for them connects, which starts an embedded server where none was named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from client import context
from client.api import names_in, namespace, public
from protocol.errors import InvalidArgumentError
from protocol.placement import short_name


@public("config.PhysicalDevice")
class PhysicalDevice(NamedTuple):
    """A device of the server."""

    name: str
    device_type: str


@public("config.LogicalDevice")
class LogicalDevice(NamedTuple):
    """A device as `tf.device` takes it: each physical device is one."""

    name: str
    device_type: str


@public("config.LogicalDeviceConfiguration", "config.experimental.VirtualDeviceConfiguration")
class LogicalDeviceConfiguration(NamedTuple):
    """How TensorFlow would divide a device. Devices are not divided here."""

    memory_limit: Any = None
    experimental_priority: Any = None
    experimental_device_ordinal: Any = None


# --- devices ---------------------------------------------------------------------------------------------------------


@public("config.list_physical_devices", "config.experimental.list_physical_devices")
def list_physical_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices of the server, or those of a type: `"CPU"` or `"GPU"`.

    >>> import client as tf
    >>> tf.config.list_physical_devices("CPU")
    [PhysicalDevice(name='/physical_device:CPU:0', device_type='CPU')]
    """
    return [PhysicalDevice(f"/physical_device:{name}", kind) for name, kind in _devices(device_type)]


@public("config.list_logical_devices", "config.experimental.list_logical_devices")
def list_logical_devices(device_type: str | None = None) -> list[LogicalDevice]:
    """The devices of the server, or those of a type, as `tf.device` takes them.

    >>> import client as tf
    >>> tf.config.list_logical_devices("CPU")
    [LogicalDevice(name='/device:CPU:0', device_type='CPU')]
    """
    return [LogicalDevice(f"/device:{name}", kind) for name, kind in _devices(device_type)]


@public("config.get_visible_devices", "config.experimental.get_visible_devices")
def get_visible_devices(device_type: str | None = None) -> list[PhysicalDevice]:
    """The devices of the server, or those of a type: all of them are visible."""
    return list_physical_devices(device_type)


def _devices(device_type: str | None) -> list[tuple[str, str]]:
    names = [(name, name.partition(":")[0]) for name in context.session().devices]
    return [(name, kind) for name, kind in names if device_type in (None, kind)]


def _known(device: Any) -> PhysicalDevice:
    """`device`, if it is one of the server's. Raises ValueError, as TensorFlow does."""
    if device not in list_physical_devices():
        raise ValueError(f"Unrecognized device: {device!r}")
    return device  # type: ignore[no-any-return]


@public("config.set_visible_devices", "config.experimental.set_visible_devices")
def set_visible_devices(devices: Any, device_type: str | None = None) -> None:
    """Check that the program would use exactly the devices it has: which devices a server offers is decided where it
    is started.

    Args:
        devices: one of `list_physical_devices`, a list of them, or an empty list.
        device_type: the type that is chosen among. None: all.

    Raises:
        ValueError: no device of the server, or of another type than `device_type`.
        RuntimeError: a device of the server is left out. `tf.device` says where ops run; the server's `--device`
            option what it offers.
    """
    listed = list(devices) if isinstance(devices, Sequence) and not isinstance(devices, tuple | str) else [devices]
    for device in map(_known, listed):
        if device_type not in (None, device.device_type):
            raise ValueError(f"Unrecognized device: {device!r}")
    hidden = [d for d in list_physical_devices(device_type) if d not in listed]
    if hidden:
        raise RuntimeError(
            f"{', '.join(d.name for d in hidden)} cannot be hidden from here: "
            "place ops with tf.device, or start the server with --device"
        )


@public("config.get_logical_device_configuration", "config.experimental.get_virtual_device_configuration")
def get_logical_device_configuration(device: Any) -> None:
    """None: devices are not divided. Raises ValueError for what is no device of the server."""
    _known(device)


@public("config.set_logical_device_configuration", "config.experimental.set_virtual_device_configuration")
def set_logical_device_configuration(device: Any, logical_devices: Any) -> None:
    """Check that the device stays whole: a list of one configuration is accepted, its limits are the server's to set.

    Raises:
        ValueError: no device of the server.
        RuntimeError: the device would be divided.
    """
    _known(device)
    if logical_devices is not None and len(logical_devices) > 1:
        raise RuntimeError("the server's devices cannot be divided from here")


@public("config.experimental.get_device_details")
def get_device_details(device: Any) -> dict[str, Any]:
    """What is known of a device beyond its name: nothing yet.

    Raises:
        ValueError: no device of the server.
    """
    if not isinstance(device, PhysicalDevice):
        raise ValueError(f"device must be a tf.config.PhysicalDevice, but got: {device}")
    if device not in list_physical_devices():
        raise ValueError(
            f"The PhysicalDevice must be one obtained from calling `tf.config.list_physical_devices`, but got: {device}"
        )
    return {}


# --- execution -------------------------------------------------------------------------------------------------------


@public("config.experimental.set_synchronous_execution")
def set_synchronous_execution(enable: bool | None) -> None:
    """Make every op wait until it is done, so that its error is raised on its own line; for this session and later
    ones.

    It costs a round trip an op: it is for finding mistakes. `TELEGRAD_SYNC=1` in the environment does the same.

    Args:
        enable: whether to wait; None is as if nothing had been said: no.

    >>> import client as tf
    >>> tf.config.experimental.set_synchronous_execution(True)
    >>> before = tf.stats()["waits"]
    >>> y = tf.tanh(tf.constant(1.0))
    >>> tf.stats()["waits"] - before
    1
    >>> tf.config.experimental.set_synchronous_execution(False)
    """
    context.synchronous_by_default = bool(enable)
    current = context.current()
    if current is not None:
        current.synchronous = bool(enable)
        if enable:
            current.sync()


@public("config.experimental.get_synchronous_execution")
def get_synchronous_execution() -> bool:
    """Whether every op waits until it is done."""
    current = context.current()
    return context.synchronous_by_default if current is None else current.synchronous


# --- memory ----------------------------------------------------------------------------------------------------------


@public("config.experimental.get_memory_info")
def get_memory_info(device: str) -> dict[str, int]:
    """The bytes of this session's values on the server, now and at most so far: `{"current": ..., "peak": ...}`.

    A round trip, not counted as a wait. The server counts a session's values together: with several devices, each
    gives the same figures.

    Args:
        device: a name such as `"GPU:0"`.

    Raises:
        ValueError: no such device.

    >>> import client as tf
    >>> sorted(tf.config.experimental.get_memory_info("CPU:0"))
    ['current', 'peak']
    """
    _device_named(device)
    stats = context.stats()
    return {"current": stats["server_bytes"], "peak": stats["server_peak_bytes"]}


@public("config.experimental.get_memory_usage")
def get_memory_usage(device: str) -> int:
    """The bytes of this session's values on the server. Raises ValueError for no such device."""
    return get_memory_info(device)["current"]


@public("config.experimental.reset_memory_stats")
def reset_memory_stats(device: str) -> None:
    """Raises ValueError: the server keeps a session's peak from its start; `tf.connect()` starts another."""
    _device_named(device)
    raise ValueError(f"Cannot reset memory stats for device '{device}'")


def _device_named(device: str) -> str:
    try:
        if ":" not in device:
            raise InvalidArgumentError("no index")
        name = short_name(device)
    except InvalidArgumentError:
        raise ValueError(
            f"Failed parsing device name: '{device}'. Note a valid device string should at least contain a device type "
            'and a device index, like "GPU:0".'
        ) from None
    if name not in context.session().devices:
        raise ValueError(f"No matching devices found for '{device}'")
    return name


_growth: dict[PhysicalDevice, bool] = {}


@public("config.experimental.set_memory_growth")
def set_memory_growth(device: Any, enable: bool) -> None:
    """Remembered, without effect: the server takes memory as it needs it. Raises ValueError for what is no GPU of the
    server.
    """
    if _known(device).device_type == "CPU":
        raise ValueError("Cannot set memory growth on non-GPU and non-Pluggable devices")
    _growth[device] = bool(enable)


@public("config.experimental.get_memory_growth")
def get_memory_growth(device: Any) -> bool:
    """What `set_memory_growth` was given, True before: the server takes memory as it needs it. Raises ValueError for
    no device of the server.
    """
    return _growth.get(_known(device), True)


# --- settings that are remembered ------------------------------------------------------------------------------------


class _Setting:
    """A value that a program sets and asks for, and that changes nothing here."""

    def __init__(self, value: Any, kind: Callable[[Any], Any]) -> None:
        self.value = value
        self._kind = kind

    def set(self, value: Any) -> None:
        self.value = self._kind(value)


_run_eagerly: Final = _Setting(False, bool)
_soft_placement: Final = _Setting(True, bool)
_intra_op_threads: Final = _Setting(0, int)
_inter_op_threads: Final = _Setting(0, int)
_jit: Final = _Setting("", lambda enabled: {True: "autoclustering", False: ""}.get(enabled, enabled))
_options: Final = _Setting({}, dict)
_tensor_float_32: Final = _Setting(True, bool)
_POLICIES: Final = ("explicit", "warn", "silent", "silent_for_int32")
_policy: Final = _Setting("silent", lambda policy: _known_policy(policy))


@public("config.run_functions_eagerly", "config.experimental_run_functions_eagerly")
def run_functions_eagerly(run_eagerly: bool) -> None:
    """Remembered, without effect: a `tf.function` always runs eagerly."""
    _run_eagerly.set(run_eagerly)


@public("config.functions_run_eagerly", "config.experimental_functions_run_eagerly")
def functions_run_eagerly() -> bool:
    """What `run_functions_eagerly` was given; False before, as in TensorFlow, though they do."""
    return bool(_run_eagerly.value)


@public("config.set_soft_device_placement")
def set_soft_device_placement(enabled: bool) -> None:
    """Remembered, without effect: an op runs on the device that `tf.device` names, or fails."""
    _soft_placement.set(enabled)


@public("config.get_soft_device_placement")
def get_soft_device_placement() -> bool:
    """What `set_soft_device_placement` was given, True before."""
    return bool(_soft_placement.value)


@public("config.threading.set_intra_op_parallelism_threads")
def set_intra_op_parallelism_threads(num_threads: int) -> None:
    """Remembered, without effect: the server's threads are its own."""
    _intra_op_threads.set(num_threads)


@public("config.threading.get_intra_op_parallelism_threads")
def get_intra_op_parallelism_threads() -> int:
    """What `set_intra_op_parallelism_threads` was given, 0 before."""
    return int(_intra_op_threads.value)


@public("config.threading.set_inter_op_parallelism_threads")
def set_inter_op_parallelism_threads(num_threads: int) -> None:
    """Remembered, without effect: a session's ops run one after the other."""
    _inter_op_threads.set(num_threads)


@public("config.threading.get_inter_op_parallelism_threads")
def get_inter_op_parallelism_threads() -> int:
    """What `set_inter_op_parallelism_threads` was given, 0 before."""
    return int(_inter_op_threads.value)


@public("config.optimizer.set_jit")
def set_jit(enabled: bool | str) -> None:
    """Remembered, without effect: nothing is compiled."""
    _jit.set(enabled)


@public("config.optimizer.get_jit")
def get_jit() -> str:
    """What `set_jit` was given: `"autoclustering"` for True, an empty string for False and before."""
    return str(_jit.value)


@public("config.optimizer.set_experimental_options")
def set_experimental_options(options: dict[str, Any]) -> None:
    """Remembered, without effect: there are no graphs to optimize."""
    _options.value = {**_options.value, **options}


@public("config.optimizer.get_experimental_options")
def get_experimental_options() -> dict[str, Any]:
    """The options given to `set_experimental_options` so far."""
    return dict(_options.value)


@public("config.experimental.enable_tensor_float_32_execution")
def enable_tensor_float_32_execution(enabled: bool) -> None:
    """Remembered, without effect: float32 products have the precision that the server's libraries give them."""
    _tensor_float_32.set(enabled)


@public("config.experimental.tensor_float_32_execution_enabled")
def tensor_float_32_execution_enabled() -> bool:
    """What `enable_tensor_float_32_execution` was given, True before."""
    return bool(_tensor_float_32.value)


def _known_policy(policy: str | None) -> str:
    if policy not in (*_POLICIES, None):
        raise ValueError(f"Invalid argument `device_policy`: {policy!r}: it is one of {', '.join(_POLICIES)}")
    return policy or "silent"


@public("config.experimental.set_device_policy")
def set_device_policy(device_policy: str | None) -> None:
    """Remembered, without effect: operands on another device are always copied silently. Raises ValueError for an
    unknown policy.
    """
    _policy.set(device_policy)


@public("config.experimental.get_device_policy")
def get_device_policy() -> str:
    """What `set_device_policy` was given, `"silent"` before."""
    return str(_policy.value)


experimental = namespace("config.experimental")
threading = namespace("config.threading")
optimizer = namespace("config.optimizer")
__all__ = [*sorted(names_in("config")), "experimental", "optimizer", "threading"]
