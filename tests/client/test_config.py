"""`tf.config` and `tf.test`: the server's devices, synchronous execution, memory, settings that are remembered."""

import numpy as np
import pytest

import client as tf
from client import context
from tests.client.waiting import waits

CPU = tf.config.PhysicalDevice(name="/physical_device:CPU:0", device_type="CPU")
NONE = tf.config.PhysicalDevice(name="/physical_device:GPU:99", device_type="GPU")
experimental, threading = tf.config.experimental, tf.config.threading


def test_devices():
    assert tf.config.list_physical_devices("CPU") == [CPU]
    assert repr(CPU) == "PhysicalDevice(name='/physical_device:CPU:0', device_type='CPU')"
    assert CPU in experimental.list_physical_devices()
    assert tf.config.list_logical_devices("CPU")[0].name == "/device:CPU:0"
    assert tf.config.list_physical_devices("cpu") == []
    assert tf.config.get_visible_devices("CPU") == [CPU]
    assert len(tf.config.list_logical_devices()) == len(tf.config.list_physical_devices())
    with tf.device(tf.config.list_logical_devices("CPU")[0].name):
        assert tf.zeros([100]).device.endswith("CPU:0")
    gpus = tf.config.list_physical_devices("GPU")
    assert tf.test.is_gpu_available() == tf.test.is_built_with_cuda() == bool(gpus)
    assert bool(tf.test.gpu_device_name()) == bool(gpus)


def test_visible_devices_are_the_servers():
    tf.config.set_visible_devices(tf.config.list_physical_devices())
    tf.config.set_visible_devices(CPU, "CPU")
    with pytest.raises(RuntimeError, match="cannot be hidden from here"):
        tf.config.set_visible_devices([], "CPU")
    for devices in (3, [NONE]):
        with pytest.raises(ValueError, match="Unrecognized device"):
            tf.config.set_visible_devices(devices)
    with pytest.raises(ValueError, match="Unrecognized device"):
        tf.config.set_visible_devices([CPU], "GPU")
    assert tf.config.get_logical_device_configuration(CPU) is None
    tf.config.set_logical_device_configuration(CPU, [tf.config.LogicalDeviceConfiguration(memory_limit=3)])
    with pytest.raises(RuntimeError, match="divided"):
        tf.config.set_logical_device_configuration(CPU, [tf.config.LogicalDeviceConfiguration()] * 2)


def test_synchronous_execution_makes_every_op_wait():
    x = tf.constant(np.ones(64, np.float32))
    assert not experimental.get_synchronous_execution()
    experimental.set_synchronous_execution(True)
    try:
        assert experimental.get_synchronous_execution()
        assert context.synchronous_by_default
        with waits(2):
            y = tf.tanh(x) + 1.0
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.linalg.inv(tf.zeros([2, 2]))  # on its own line, not at the next read
    finally:
        experimental.set_synchronous_execution(False)
    with waits(0):
        y = y + 1.0
    assert not context.synchronous_by_default


def test_memory():
    before = experimental.get_memory_info("CPU:0")["current"]
    with waits(0):
        kept = tf.constant(np.ones(1 << 18, np.float32))
        info = experimental.get_memory_info("CPU:0")
        assert info["current"] >= before + (1 << 20)
        assert info["peak"] >= info["current"]
        assert experimental.get_memory_usage("CPU:0") >= 1 << 20
    del kept
    for name, text in (("GPU:99", "No matching devices found"), ("foo", "Failed parsing"), ("CPU", "Failed parsing")):
        with pytest.raises(ValueError, match=text):
            experimental.get_memory_info(name)
    with pytest.raises(ValueError, match="Cannot reset memory stats"):
        experimental.reset_memory_stats("CPU:0")
    with pytest.raises(ValueError, match="non-GPU"):
        experimental.set_memory_growth(CPU, True)
    assert experimental.get_memory_growth(CPU)
    for call in (lambda: experimental.set_memory_growth("GPU:0", True), lambda: experimental.get_memory_growth(NONE)):
        with pytest.raises(ValueError, match="Unrecognized device"):
            call()


def test_device_details():
    assert experimental.get_device_details(CPU) == {}
    with pytest.raises(ValueError, match=r"must be a tf\.config\.PhysicalDevice"):
        experimental.get_device_details(tf.config.list_logical_devices()[0])
    with pytest.raises(ValueError, match="must be one obtained"):
        experimental.get_device_details(NONE)


@pytest.mark.parametrize(
    ("setter", "getter", "before", "value"),
    [
        (tf.config.set_soft_device_placement, tf.config.get_soft_device_placement, True, False),
        (tf.config.run_functions_eagerly, tf.config.functions_run_eagerly, False, True),
        (threading.set_intra_op_parallelism_threads, threading.get_intra_op_parallelism_threads, 0, 2),
        (threading.set_inter_op_parallelism_threads, threading.get_inter_op_parallelism_threads, 0, 2),
        (experimental.enable_tensor_float_32_execution, experimental.tensor_float_32_execution_enabled, True, False),
        (experimental.set_device_policy, experimental.get_device_policy, "silent", "warn"),
    ],
)
def test_settings_are_remembered(setter, getter, before, value):
    assert getter() == before
    setter(value)
    assert getter() == value
    setter(before)


def test_optimizer_settings():
    assert tf.config.optimizer.get_jit() == ""
    tf.config.optimizer.set_jit(True)
    assert tf.config.optimizer.get_jit() == "autoclustering"
    tf.config.optimizer.set_jit(False)
    tf.config.optimizer.set_experimental_options({"a": 1})
    assert tf.config.optimizer.get_experimental_options() == {"a": 1}
    with pytest.raises(ValueError, match="Invalid argument `device_policy`"):
        experimental.set_device_policy("foo")
