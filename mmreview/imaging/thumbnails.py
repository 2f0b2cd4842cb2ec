"""Small pictures for the filmstrip: default window, longest side given, never enlarged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmreview.imaging.windowing import Picture, apply_window, load_picture


def load_thumbnail(path: Path, *, side: int) -> NDArray[np.uint8]:
    """Decode a file no finer than needed and shrink it (see ``thumbnail``).

    Raises:
        ImageUnreadable: it cannot be decoded.
    """
    return thumbnail(load_picture(path, at_least=side), side=side)


def thumbnail(picture: Picture, *, side: int) -> NDArray[np.uint8]:
    """A picture with its longest side ``side`` pixels: (h, w) grey or (h, w, 3) colour."""
    image = Image.fromarray(apply_window(picture.pixels, picture.low, picture.high))
    image.thumbnail((side, side), Image.Resampling.BOX, reducing_gap=2.0)
    return np.array(image)
