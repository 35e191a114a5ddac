"""`tf.summary.image` and `tf.summary.audio`.

What travels is small: the server picks the first few and makes bytes and 16-bit samples of them; PNG and WAV are
encoded here, in the writer's thread. What never left the client is converted here. Does not know files or writers.
"""

from __future__ import annotations

import io
import wave
from typing import TYPE_CHECKING, Any

import numpy as np

from client import recording
from client.api import public
from client.convert import convert_to_tensor
from client.ops.elementwise import saturate_cast
from client.summary import events
from client.summary.values import issue_tensor, located, shape_of, whole_number
from client.tensor import Operand, Tensor
from protocol.dtypes import DType, as_dtype, float32, float64, int16, uint8
from protocol.errors import InvalidArgumentError

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


def _limit(max_outputs: Any) -> Any:
    limit = whole_number(max_outputs, "max_outputs")
    if isinstance(limit, int) and limit < 0:
        raise InvalidArgumentError(f"max_outputs must not be negative, but is {limit}")
    return limit


def _first(data: Any, limit: Any, rank: int) -> Any:
    """The first of `data`: a tensor, or an array of our own. Raises ValueError for another rank."""
    part = located(data)
    shape = shape_of(part)
    if shape is not None and len(shape) != rank:
        raise ValueError(f"Tensor must have rank {rank}.  Received rank {len(shape)}, shape {shape}")
    if isinstance(part, Operand):
        return part[:limit]
    if isinstance(limit, Operand):
        return convert_to_tensor(part)[:limit]
    return part[:limit].copy()


def _saturated(x: Any, dtype: DType) -> Any:
    """`x` cast to an integer dtype, what is beyond its limits to these."""
    if isinstance(x, Operand):
        return saturate_cast(x, dtype)
    with np.errstate(all="ignore"):
        return np.clip(x, dtype.min, dtype.max).astype(dtype.numpy)


# --- images ----------------------------------------------------------------------------------------------------------


@public("summary.image")
def image(
    name: str | None, data: Any, step: Any = None, max_outputs: Any = 3, description: str | None = None
) -> Tensor:
    """Write images. Does not wait; only the first `max_outputs` travel, as bytes.

    Args:
        name: what the tag ends with; before it come the name scopes.
        data: a tensor of shape [k, height, width, channels]: 1 channel is gray, 2 gray and alpha, 3 RGB, 4 RGBA. Floats
            are clipped to [0, 1]; integers of other widths than uint8 are scaled by their dtype's largest.
        step: the step; None: that of `tf.summary.experimental.set_step`.
        max_outputs: how many of the k images are written at most.
        description: Markdown that TensorBoard shows with it.

    Returns:
        Whether it is recorded, as a bool tensor: False where there is no default writer.

    Raises:
        ValueError: another rank; or there is a writer and no step.
        TypeError: `data` are no real numbers, or `max_outputs` is no integer.
        tf.errors.InvalidArgumentError: another number of channels, images without pixels, a negative `max_outputs`.

    >>> import client as tf
    >>> bool(tf.summary.image("noise", tf.random.uniform([2, 8, 8, 3]), step=0))
    False
    """

    def parts() -> list[Any]:
        limit = _limit(max_outputs)
        with recording.paused():
            found = _bytes_of_pixels(_first(data, limit, 4))
        _check_images(shape_of(found))
        return [found]

    return issue_tensor("image", name, parts, _encoded_images, step, description)


def _bytes_of_pixels(images: Any) -> Any:
    """As uint8: what `tf.image.convert_image_dtype` does with `saturate=True`."""
    dtype = images.dtype if isinstance(images, Operand) else as_dtype(images.dtype)
    if dtype is uint8:
        return images
    if dtype.is_floating:
        return _saturated(images * 255.5, uint8)
    if not dtype.is_integer:
        raise TypeError(f"image dtype must be either floating point or integer, not {dtype.name}")
    most = int(dtype.max)
    if most > 255:
        scaled = images // ((most + 1) // 256)
        return _saturated(scaled if isinstance(scaled, Operand) else scaled.astype(np.int16), uint8)
    return _saturated(images if isinstance(images, Operand) else images.astype(np.int16), uint8) * (256 // (most + 1))


def _check_images(shape: tuple[int | None, ...] | None) -> None:
    if shape is None or not shape[0]:  # there may be none
        return
    _, height, width, channels = shape
    if channels not in (1, 2, 3, 4, None):
        raise InvalidArgumentError(f"image must have 1, 2, 3, or 4 channels, but has {channels}")
    if height == 0 or width == 0:
        raise InvalidArgumentError(f"an image of {height} x {width} pixels cannot be encoded")


def _encoded_images(images: Array) -> Any:
    from PIL import Image

    _check_images(images.shape)
    found = [str(images.shape[2]).encode(), str(images.shape[1]).encode()]
    for pixels in images:
        stream = io.BytesIO()
        Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(stream, "PNG")
        found.append(stream.getvalue())
    return events.strings(found, [len(found)])


# --- sounds ----------------------------------------------------------------------------------------------------------


@public("summary.audio")
def audio(
    name: str | None,
    data: Any,
    sample_rate: Any,
    step: Any = None,
    max_outputs: Any = 3,
    encoding: str | None = None,
    description: str | None = None,
) -> Tensor:
    """Write sounds. Does not wait; only the first `max_outputs` travel, as 16-bit samples.

    Args:
        name: what the tag ends with; before it come the name scopes.
        data: a float32 tensor of shape [k, frames, channels] with samples in [-1, 1].
        sample_rate: frames a second.
        step: the step; None: that of `tf.summary.experimental.set_step`.
        max_outputs: how many of the k sounds are written at most.
        encoding: "wav" or None.
        description: Markdown that TensorBoard shows with it.

    Returns:
        Whether it is recorded, as a bool tensor: False where there is no default writer.

    Raises:
        ValueError: another rank or encoding; or there is a writer and no step.
        TypeError: `sample_rate` or `max_outputs` is no integer.
        tf.errors.InvalidArgumentError: another dtype, no channels, a rate that is not positive.

    >>> import client as tf
    >>> bool(tf.summary.audio("hum", tf.zeros([1, 100, 1]), 8000, step=0))
    False
    """
    if encoding not in (None, "wav"):
        raise ValueError(f"Unknown encoding: {encoding!r}")

    def parts() -> list[Any]:
        limit, rate = _limit(max_outputs), whole_number(sample_rate, "sample_rate")
        if isinstance(rate, int):
            _check_rate(rate)
        with recording.paused():
            found = _samples(_first(data, limit, 3))
        _check_sounds(shape_of(found))
        return [found, rate]

    return issue_tensor("audio", name, parts, _encoded_sounds, step, description)


def _samples(sounds: Any) -> Any:
    """As int16: 32768 times the samples, rounded (halves away from zero)."""
    import client as tf

    dtype = sounds.dtype if isinstance(sounds, Operand) else as_dtype(sounds.dtype)
    if dtype is not float32:
        raise InvalidArgumentError(f"audio must be float32, not {dtype.name}")
    space: Any = tf if isinstance(sounds, Operand) else np
    scaled = tf.cast(sounds * 32768.0, float64) if space is tf else sounds.astype(np.float64) * 32768.0
    return _saturated(space.sign(scaled) * space.floor(space.abs(scaled) + 0.5), int16)


def _check_rate(rate: int) -> None:
    if not 0 < rate < 2**31:
        raise InvalidArgumentError(f"sample_rate must be in (0, 2^31), got: {rate}")


def _check_sounds(shape: tuple[int | None, ...] | None) -> None:
    if shape is not None and shape[0] and shape[2] == 0:
        raise InvalidArgumentError("audio must have a channel")


def _encoded_sounds(sounds: Array, rate: Any) -> Any:
    _check_rate(int(rate))
    _check_sounds(sounds.shape)
    found: list[bytes] = []
    for samples in sounds:
        stream = io.BytesIO()
        with wave.open(stream, "wb") as file:
            file.setnchannels(samples.shape[1])
            file.setsampwidth(2)
            file.setframerate(int(rate))
            file.writeframes(samples.astype("<i2").tobytes())
        found += [stream.getvalue(), b""]  # each with its label, which is empty
    return events.strings(found, [len(sounds), 2])
