"""The one door through which a file becomes pixels.

Whatever a project holds or an import names is decoded here: the window, the encoders and the import
all call ``decode`` or ``probe``. A file is measured before it is believed: its size and the pixels
that its header claims are checked before anything is allocated, and a file that ends early is
refused rather than shown with a grey half. Of a file with several frames the first is taken.
"""

from __future__ import annotations

import contextlib
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from mmreview.domain.errors import ImageUnreadable

#: Three times the largest radiography detectors (mammography, 6,000 x 4,700 pixels).
MAX_PIXELS = 100_000_000

#: A hundred megapixels of 16 bit, uncompressed, with room for what surrounds them.
MAX_FILE_BYTES = 256 * 1024 * 1024

#: What may be opened. Pillow knows more, some of it programs (EPS starts Ghostscript).
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PPM")

#: EXIF orientations that swap width and height.
_SIDEWAYS = (5, 6, 7, 8)

_TIFF_PHOTOMETRIC = 262
_TIFF_WHITE_IS_ZERO = 0


def probe(path: Path) -> tuple[int, int]:
    """The width and height of an image as it is shown (EXIF orientation applied).

    All of it is decoded, at the least resolution that its format allows, so that an image which
    passes can be opened later.

    Raises:
        ImageUnreadable: see ``decode``.
    """
    return _read(path, at_least=1)[1]


def decode(path: Path, *, at_least: int | None = None) -> NDArray[Any]:
    """The pixels of an image file, upright.

    Returns:
        (height, width) uint8; (height, width) uint16 where the file has more than 8 bits of grey;
        (height, width, 3) uint8 for colour. Colour whose channels are equal comes as grey,
        transparency lies on black, floats and 32-bit integers are scaled to 16 bits (see
        ``_wide_grey``). The array is writable and the caller's own.

    With ``at_least`` a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size while both sides keep
    that many pixels, which is several times faster; other formats come whole.

    Raises:
        ImageUnreadable: the file is missing, empty, too large, not an image, damaged or cut short;
            ``code`` says which, ``path`` names it.
    """
    return _read(path, at_least=at_least)[0]


def _read(path: Path, *, at_least: int | None) -> tuple[NDArray[Any], tuple[int, int]]:
    """The pixels, and the width and height of the image at full size, upright."""
    with _opened(path) as image:
        width, height = image.size
        if image.format in ("JPEG", "MPO"):
            if _orientation(image) in _SIDEWAYS:
                width, height = height, width
            if at_least is not None:
                image.draft(None, (max(1, at_least), max(1, at_least)))
        try:
            image.load()
            # Odd metadata is no reason to refuse sound pixels; they stay as they are stored.
            with contextlib.suppress(Exception):
                ImageOps.exif_transpose(image, in_place=True)
            if image.format not in ("JPEG", "MPO"):
                width, height = image.size
            return _pixels(image), (width, height)
        except MemoryError:
            raise
        except Exception as error:  # arbitrary bytes make Pillow raise almost anything
            raise ImageUnreadable(
                "image.damaged", path=str(path), detail=str(error) or type(error).__name__
            ) from error


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image behind ``path``, header read and limits checked, nothing decoded."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for ever
            raise ImageUnreadable("image.not_a_file", path=str(path))
        file = path.open("rb")
    except FileNotFoundError as error:
        raise ImageUnreadable("image.missing", path=str(path)) from error
    except (OSError, ValueError) as error:
        raise ImageUnreadable("image.damaged", path=str(path), detail=str(error)) from error
    with file:
        if found.st_size == 0:
            raise ImageUnreadable("image.empty", path=str(path))
        if found.st_size > MAX_FILE_BYTES:
            raise ImageUnreadable(
                "image.file_too_large",
                path=str(path),
                megabytes=found.st_size >> 20,
                limit=MAX_FILE_BYTES >> 20,
            )
        # What Pillow warns of (odd metadata, large images) is either harmless or refused below.
        # A filter that stays is safe with threads, catch_warnings is not.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        try:
            image = Image.open(file, formats=FORMATS)
            pixels = image.size[0] * image.size[1]
        except UnidentifiedImageError as error:
            raise ImageUnreadable("image.not_an_image", path=str(path)) from error
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            pixels = MAX_PIXELS + 1
        except Exception as error:  # see _read
            raise ImageUnreadable(
                "image.damaged", path=str(path), detail=str(error) or type(error).__name__
            ) from error
        if pixels > MAX_PIXELS:
            raise ImageUnreadable(
                "image.too_many_pixels", path=str(path), limit=MAX_PIXELS // 1_000_000
            )
        with image:
            yield image


def _orientation(image: Image.Image) -> int:
    with contextlib.suppress(Exception):  # broken EXIF is no reason to refuse the pixels
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    return 1


def _pixels(image: Image.Image) -> NDArray[Any]:
    """A loaded image as grey or colour pixels (see ``decode``)."""
    mode = image.mode
    if mode.startswith("I") or mode == "F":
        return _wide_grey(np.array(image), white_is_zero=_white_is_zero(image))
    if mode == "1":
        image, mode = image.convert("L"), "L"
    see_through = mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    if mode in ("L", "LA", "La") and see_through:
        # Premultiplied by its alpha is what lies on black.
        if mode != "La":
            image = image.convert("LA").convert("La")
        return np.ascontiguousarray(np.array(image)[..., 0])
    if mode == "L":
        return np.array(image)
    if see_through:
        if mode != "RGBa":
            image = image.convert("RGBA").convert("RGBa")
        return _grey_if_equal(np.array(image)[..., :3])
    return _grey_if_equal(np.array(image if mode == "RGB" else image.convert("RGB")))


def _white_is_zero(image: Image.Image) -> bool:
    """Pillow turns 8-bit TIFF of this kind around itself, but not the wider ones."""
    tags: Any = getattr(image, "tag_v2", {})
    return image.format == "TIFF" and tags.get(_TIFF_PHOTOMETRIC) == _TIFF_WHITE_IS_ZERO


def _wide_grey(values: NDArray[Any], *, white_is_zero: bool) -> NDArray[np.uint16]:
    """Grey of more than 8 bits as uint16.

    Whole numbers that fit stay as they are; signed ones that span no more than 16 bits are moved
    to start at 0; everything else is scaled from its least to its largest finite value. NaN and
    infinities take the nearest end.

    Raises:
        ValueError: not one value is finite.
    """
    if values.dtype.itemsize == 2:
        grey = values.astype(np.uint16)
        return np.uint16(65535) - grey if white_is_zero else grey
    if values.dtype.kind == "f":
        finite = values[np.isfinite(values)]
        if finite.size == 0:
            raise ValueError("no finite value")
        low, high = float(finite.min()), float(finite.max())
        values = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
        fits = False
    else:
        low, high = float(values.min()), float(values.max())
        fits = high - low <= 65535
        if low >= 0 and high <= 65535:
            low = 0.0
    scale = 1.0 if fits else 65535.0 / ((high - low) or 1.0)
    grey = np.rint((values.astype(np.float64) - low) * scale).astype(np.uint16)
    return np.uint16(65535) - grey if white_is_zero else grey


def _grey_if_equal(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One channel if all three say the same."""
    for part in (pixels[::61], pixels):  # a few rows first: most colour is seen at once
        first = part[..., 0]
        if not (np.array_equal(first, part[..., 1]) and np.array_equal(first, part[..., 2])):
            return np.ascontiguousarray(pixels)
    return np.ascontiguousarray(pixels[..., 0])
