"""From a film's attenuation to a picture: detector, processing, exposure, noise, marks.

Large densities are compressed and edges lifted as digital radiography does, then noise is added
and a tone curve applied. ``finish`` collimates the field, sets the side marker and burns SYNTHETIC
into a strip below the exposed field, where it covers no anatomy.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from mmreview.demo.film import COARSE, Film

#: Height of a finished picture in pixels.
HEIGHT = 960

#: The strip below the exposed field that carries the mark, in pixels.
STRIP = 36
MARK = "SYNTHETIC"


def mark_box(width: int, height: int) -> tuple[int, int, int, int]:
    """Where SYNTHETIC stands in a picture of this size (left, top, right, bottom)."""
    return 0, height - STRIP, width, height


def develop(film: Film, rng: np.random.Generator, *, portable: bool) -> Image.Image:
    """Detector, processing and tone curve: attenuation to grey levels (mode L)."""
    total = film.total()
    small = Image.fromarray(np.ascontiguousarray(total[::COARSE, ::COARSE]))
    local = small.resize((small.width // 11, small.height // 11), Image.Resampling.BOX)
    wide = np.asarray(
        local.resize((film.width, film.height), Image.Resampling.BICUBIC), dtype=np.float32
    )
    detail = total - wide
    lift = np.float32(rng.uniform(1.15, 1.45) * (0.9 if portable else 1.0))
    picture = wide * np.float32(0.80) + detail * lift
    picture += np.float32(rng.normal(0.10, 0.02))
    grain = rng.standard_normal(total.shape, dtype=np.float32)
    grain[1:] = grain[1:] * 0.75 + grain[:-1] * 0.45
    level = np.float32(rng.uniform(0.008, 0.013) * (1.5 if portable else 1.0))
    grain *= level * (0.55 + np.clip(picture, 0, 1.1))
    picture += grain
    slope = np.float32(rng.normal(5.4, 0.35) * (0.88 if portable else 1.0))
    middle = np.float32(rng.normal(0.52, 0.022))
    np.clip(picture, -0.2, 1.6, out=picture)
    curve = np.exp(slope * (middle - picture))
    curve += 1
    np.reciprocal(curve, out=curve)
    floor = 1 / (1 + np.exp(slope * middle))
    ceiling = 1 / (1 + np.exp(-slope * (np.float32(1.18) - middle)))
    curve -= floor
    curve *= np.float32(247) / (ceiling - floor)
    curve += 4
    return Image.fromarray(np.clip(curve, 4, 251, out=curve).astype(np.uint8))


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


def finish(picture: Image.Image, rng: np.random.Generator, *, letter: str) -> Image.Image:
    """Collimation, the side marker and the strip with SYNTHETIC."""
    width, height = picture.size
    cut = [int(v) for v in rng.integers(2, 26, 4)]
    field = Image.new("L", picture.size, 0)
    ImageDraw.Draw(field).rectangle(
        (cut[0], cut[1], width - cut[2], height - cut[3]), fill=255
    )
    field = field.filter(ImageFilter.GaussianBlur(1.6))
    final = Image.new("L", (width, height + STRIP), 0)
    final.paste(Image.composite(picture, Image.new("L", picture.size, 3), field))
    draw = ImageDraw.Draw(final)
    left = bool(rng.random() < 0.5)
    x = width - cut[2] - 58 if left else cut[0] + 34
    draw.text((x, cut[1] + 22), "L" if left else "R", font=_font(34), fill=244)
    if letter:
        draw.text((x - 4, cut[1] + 60), letter, font=_font(18), fill=226)
    draw.text((width / 2, height + STRIP / 2), MARK, font=_font(24), fill=236, anchor="mm")
    return final
