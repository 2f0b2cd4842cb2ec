"""From a file or a report to what an encoder takes. numpy and Pillow only; runs in threads.

An image keeps its proportions (letterbox on black). On 577 real radiographs with ridge heads,
patient-grouped folds and 3 seeds, macro AUROC was .714 letterboxed and .719 squashed for the
diagnoses, .760 and .723 for severity by zones: about level on one, better on the other. It cuts
nothing away, as a centre crop would. No gain either, over four real sets (5 seeds): the mean with
the mirror image (better on the diagnoses, worse on ultrasound, twice the time), the mean of
letterbox and squash, 288 or 320 pixels. A change that alters a number changes the identifier below,
because the feature cache is keyed by it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mmreview.imaging.windowing import apply_window, load_picture

#: Height and width of what the image encoder sees, in pixels.
SIDE = 224

#: 16 bits are shown through their default window, JPEGs may be decoded at a fraction of their
#: size, the longer side becomes 224 (bicubic, antialiased), the rest is black, and 0..255 becomes
#: -1..1: the range these weights were trained with (the ImageNet mean and deviation cost .011).
IMAGE_PREPROCESSING = "window8-letterbox224-bicubic-pm1"


def load_image(path: Path) -> NDArray[np.uint8]:
    """An image file as (224, 224, 3) uint8.

    Raises:
        ImageUnreadable: it cannot be decoded.
    """
    picture = load_picture(path, at_least=SIDE)
    return letterbox(apply_window(picture.pixels, picture.low, picture.high))


def letterbox(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w) grey or (h, w, 3) colour, fitted into the middle of a black (224, 224, 3)."""
    image = Image.fromarray(pixels)
    scale = SIDE / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    fitted = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC, reducing_gap=3.0))
    canvas = np.zeros((SIDE, SIDE, 3), dtype=np.uint8)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    canvas[top : top + height, left : left + width] = (
        fitted if fitted.ndim == 3 else fitted[..., None]
    )
    return canvas


def split_windows(
    tokens: Sequence[int], *, window: int, overlap: int, sentence_ends: frozenset[int]
) -> list[Sequence[int]]:
    """Cut a long report into overlapping windows that together hold every token.

    A window ends with the last sentence that ends in its second half, or when it is full. The next
    one starts ``overlap`` tokens before that end, so that a sentence which a cut divides is seen
    with its context on one side at least. No token at all is one empty window.
    """
    windows, start = [], 0
    while len(tokens) - start > window:
        end = start + window
        for position in range(end, start + window // 2, -1):
            if tokens[position - 1] in sentence_ends:
                end = position
                break
        windows.append(tokens[start:end])
        start = end - overlap
    windows.append(tokens[start:])
    return windows
