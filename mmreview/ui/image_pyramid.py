"""A decoded picture made ready to be painted: its sizes, halved again and again, as Qt images.

``prepare`` runs off the UI thread (the display lane) right after decoding and does what is costly
once per picture. ``ImageView`` then paints the visible part of the level that is just finer than
the screen, windowed on the way: a paint costs what the screen has pixels, not what the file has.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QRect
from PySide6.QtGui import QImage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mmreview.imaging.windowing import Picture

#: The pyramid ends where both sides are at most this long; that level is the thumbnail.
_SMALLEST = 160


@dataclass(frozen=True, slots=True)
class Window:
    """Grey values from ``low`` (black) to ``high`` (white), in the picture's own units."""

    low: float
    high: float
    inverted: bool = False

    @property
    def width(self) -> float:
        """The range that is spread over the greys (W)."""
        return self.high - self.low

    @property
    def level(self) -> float:
        """The value in the middle of the greys (L)."""
        return (self.low + self.high) / 2

    def moved(self, *, width: float, level: float) -> Window:
        """The same with another width (at least 1) and level."""
        half = max(width, 1.0) / 2
        return replace(self, low=level - half, high=level + half)

    def flipped(self) -> Window:
        """The same with black and white exchanged."""
        return replace(self, inverted=not self.inverted)


@dataclass(frozen=True, eq=False)
class PreparedPicture:
    """A picture as ``ImageView`` takes it. Never changes; safe to make and hand over in any thread.

    ``arrays[k]`` holds the pixels at 1/2^k of the size, rounded up: pixel (x, y) of it stands for
    the source pixels from (x·2^k, y·2^k) on. ``images[k]`` is the same as 8-bit Qt image over the
    same memory, or None for a picture of 16 bits or of colour. ``window`` is the default one;
    ``thumbnail`` is drawn with it.
    """

    arrays: tuple[NDArray[Any], ...]
    images: tuple[QImage | None, ...]
    width: int
    height: int
    bits: int
    is_colour: bool
    window: Window
    thumbnail: QImage

    @property
    def levels(self) -> int:
        """How many sizes there are; level 0 is the full one."""
        return len(self.arrays)

    def level_for(self, scale: float) -> int:
        """The level to paint from at ``scale`` screen pixels a source pixel: the smallest that
        still has at least one pixel for each of the screen's."""
        if scale >= 1:
            return 0
        return min(math.floor(-math.log2(scale) + 1e-9), self.levels - 1)

    def rendered(self, level: int, part: QRect, window: Window) -> QImage:
        """``part`` (in pixels of ``level``) under ``window``, as an RGB32 image."""
        image = self.images[level]
        if image is not None:
            seen = image.copy(part)
            seen.setColorTable(_colour_table(window))
            return seen.convertToFormat(QImage.Format.Format_RGB32)
        return _rendered(_cut(self.arrays[level], part), window)


def prepare(picture: Picture) -> PreparedPicture:
    """Build the pyramid of ``picture``. Costly (about 10 ms for 7 megapixels of 8 bits) and free of
    widgets: call it on the display lane."""
    import numpy as np

    pixels = np.ascontiguousarray(picture.pixels)
    arrays = [pixels]
    while max(arrays[-1].shape[:2]) > _SMALLEST:
        arrays.append(_halved(arrays[-1]))
    is_grey8 = pixels.ndim == 2 and pixels.dtype == np.uint8
    window = Window(picture.low, picture.high)
    last = arrays[-1]
    whole = QRect(0, 0, last.shape[1], last.shape[0])
    return PreparedPicture(
        arrays=tuple(arrays),
        images=tuple(_wrapped(array) if is_grey8 else None for array in arrays),
        width=pixels.shape[1],
        height=pixels.shape[0],
        bits=pixels.dtype.itemsize * 8,
        is_colour=picture.is_colour,
        window=window,
        thumbnail=_rendered(_cut(last, whole), window),
    )


def _halved(pixels: NDArray[Any]) -> NDArray[Any]:
    """Each 2 × 2 block's rounded mean; an odd last row or column stands for two."""
    import numpy as np

    height, width = pixels.shape[:2]
    if height % 2 or width % 2:
        more = ((0, height % 2), (0, width % 2), (0, 0))[: pixels.ndim]
        pixels = np.pad(pixels, more, mode="edge")
    wide = np.uint16 if pixels.dtype == np.uint8 else np.uint32
    total = pixels[0::2, 0::2].astype(wide)
    total += pixels[1::2, 0::2]
    total += pixels[0::2, 1::2]
    total += pixels[1::2, 1::2]
    total += 2
    total >>= 2
    return total.astype(pixels.dtype)


def _wrapped(grey: NDArray[Any]) -> QImage:
    """An indexed Qt image over the array's memory, which ``PreparedPicture.arrays`` keeps alive."""
    height, width = grey.shape
    return QImage(grey.data, width, height, width, QImage.Format.Format_Indexed8)


def _cut(pixels: NDArray[Any], part: QRect) -> NDArray[Any]:
    return pixels[part.y() : part.y() + part.height(), part.x() : part.x() + part.width()]


def _rendered(pixels: NDArray[Any], window: Window) -> QImage:
    """Pixels of any kind under ``window``, as an RGB32 image that owns its memory."""
    import numpy as np

    from mmreview.imaging.windowing import apply_window

    seen = np.ascontiguousarray(
        apply_window(pixels, window.low, window.high, inverted=window.inverted)
    )
    height, width = seen.shape[:2]
    colour = seen.ndim == 3
    form = QImage.Format.Format_RGB888 if colour else QImage.Format.Format_Grayscale8
    stride = width * (3 if colour else 1)
    return QImage(seen.data, width, height, stride, form).convertToFormat(
        QImage.Format.Format_RGB32
    )


def _colour_table(window: Window) -> list[int]:
    """What each of the 256 grey values looks like under ``window``, as Qt's ARGB numbers."""
    import numpy as np

    from mmreview.imaging.windowing import apply_window

    ramp = np.arange(256, dtype=np.uint8).reshape(1, 256)
    seen = apply_window(ramp, window.low, window.high, inverted=window.inverted)
    grey = seen.ravel().astype(np.uint32)
    table: list[int] = (grey * 0x010101 + 0xFF000000).tolist()
    return table
