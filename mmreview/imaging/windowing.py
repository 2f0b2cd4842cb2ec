"""Window and level: which part of an image's range is shown, and the bytes that show it.

The image view holds a ``Picture`` and asks for ``apply_window`` again while a person drags. The
encoders and thumbnails take the default window.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.imaging.decoding import decode

#: The share of pixels (%) that may be darker, and lighter, than the default window of a wide image.
_TAIL = 0.5

#: The default window is found on about this many pixels, evenly spread.
_SAMPLE = 250_000

#: Pixels that are looked up at a time: index and result stay in the processor's cache.
_BLOCK = 1 << 15


@dataclass(frozen=True, slots=True)
class Picture:
    """Decoded pixels with the window that they are first shown with.

    ``pixels`` is (height, width) uint8 or uint16, or (height, width, 3) uint8. ``low`` is drawn
    black and ``high`` white, in the pixels' own units.
    """

    pixels: NDArray[Any]
    low: float
    high: float
    is_colour: bool

    @property
    def width(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """In pixels."""
        return int(self.pixels.shape[0])

    @property
    def range(self) -> tuple[float, float]:
        """The least and largest value that the pixels' type can hold."""
        return 0.0, float(np.iinfo(self.pixels.dtype).max)


def load_picture(path: Path, *, at_least: int | None = None) -> Picture:
    """Decode a file (see ``decoding.decode``) and find its default window.

    Raises:
        ImageUnreadable: it cannot be decoded.
    """
    return picture(decode(path, at_least=at_least))


def picture(pixels: NDArray[Any]) -> Picture:
    """Pixels with their default window: all of it for 8 bits, robust ends for 16."""
    is_colour = pixels.ndim == 3
    if pixels.dtype == np.uint8:
        return Picture(pixels, 0.0, 255.0, is_colour)
    low, high = _robust_ends(pixels)
    return Picture(pixels, low, high, is_colour)


def _robust_ends(pixels: NDArray[Any]) -> tuple[float, float]:
    step = max(1, int((pixels.size / _SAMPLE) ** 0.5))
    sample = pixels[::step, ::step]
    low, high = (float(value) for value in np.percentile(sample, (_TAIL, 100.0 - _TAIL)))
    if high <= low:  # nearly all one value: show what little there is
        low, high = float(pixels.min()), float(pixels.max())
    return low, max(high, low + 1.0)


def apply_window(
    pixels: NDArray[Any], low: float, high: float, *, inverted: bool = False
) -> NDArray[np.uint8]:
    """The bytes to draw: ``low`` and less are 0, ``high`` and more are 255, linear between.

    Same shape as ``pixels``, which must be uint8 or uint16. Where nothing changes the pixels
    themselves are returned.
    """
    if pixels.dtype == np.uint8 and (low, high, inverted) == (0.0, 255.0, False):
        return pixels
    table = _table(int(np.iinfo(pixels.dtype).max), low, high, inverted=inverted)
    source = np.ascontiguousarray(pixels).reshape(-1)
    shown = np.empty(source.size, dtype=np.uint8)
    for start in range(0, source.size, _BLOCK):
        stop = start + _BLOCK
        np.take(table, source[start:stop], out=shown[start:stop], mode="clip")
    return shown.reshape(pixels.shape)


def _table(top: int, low: float, high: float, *, inverted: bool) -> NDArray[np.uint8]:
    values = np.arange(top + 1, dtype=np.float32)
    width = max(high - low, 1e-6)
    levels = np.clip((values - np.float32(low)) * np.float32(255.0 / width), 0.0, 255.0)
    table = np.rint(levels).astype(np.uint8)
    return 255 - table if inverted else table
