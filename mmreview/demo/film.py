"""The drawing surface of a synthetic radiograph: a map of attenuation that layers are added to.

``radiographs`` and ``lesions`` draw on it with points in body coordinates (the film's height is 1,
x is 0 at the patient's midline and grows to the right of the picture, y grows downwards). Soft
shapes go to a grid of a quarter of the resolution, fine ones to the full grid; both are summed
when the film is developed. Numbers are relative attenuation: 0 is air, 1 is dense bone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

Array: TypeAlias = NDArray[np.float32]
Points: TypeAlias = NDArray[np.float64]

#: The soft grid has this many times fewer pixels along a side.
COARSE = 4


@dataclass(frozen=True, slots=True)
class Pose:
    """How the patient stands before the detector: turn (radians), zoom and shift (heights)."""

    angle: float = 0.0
    zoom: float = 1.0
    shift_x: float = 0.0
    shift_y: float = 0.0


class Layer:
    """A mask to draw shapes into, values 0 to 1 (kept in 8 bits)."""

    def __init__(self, film: Film, *, fine: bool) -> None:
        self.film = film
        self.fine = fine
        self.step = 1 if fine else COARSE
        size = (film.width // self.step, film.height // self.step)
        self.image = Image.new("L", size)
        self._draw = ImageDraw.Draw(self.image)

    def _pixels(self, points: Points | Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
        if isinstance(points, list) and len(points) < 6:  # thousands of vessels: skip numpy
            return [self.film.pixel(x, y, step=self.step) for x, y in points]
        return [tuple(p) for p in (self.film.pixels(points) / self.step).tolist()]

    def polygon(self, points: Points | Sequence[tuple[float, float]], value: float = 1.0) -> None:
        """Fill a closed shape."""
        self._draw.polygon(self._pixels(points), fill=round(255 * value))

    def line(
        self,
        points: Points | Sequence[tuple[float, float]],
        *,
        width: float,
        value: float = 1.0,
    ) -> None:
        """Draw a path; ``width`` in heights. Below a pixel the line gets fainter, not thinner."""
        wide = width * self.film.scale / self.step
        value *= min(1.0, wide)
        self._draw.line(
            self._pixels(points), fill=round(255 * value), width=max(1, round(wide)), joint="curve"
        )

    def disc(self, x: float, y: float, *, radius: float, value: float = 1.0) -> None:
        """Fill a circle."""
        (px, py), = self._pixels([(x, y)])
        r = radius * self.film.scale / self.step
        self._draw.ellipse((px - r, py - r, px + r, py + r), fill=round(255 * value))

    def blurred(self, blur: float) -> Image.Image:
        """The mask as a picture after a blur of ``blur`` heights (standard deviation).

        On the full grid a box of equal variance does: at a few pixels nobody sees the
        difference, and it takes a third of the time.
        """
        deviation = blur * self.film.scale / self.step
        if deviation <= 0.3:
            return self.image
        if self.fine:
            radius = (math.sqrt(12 * deviation**2 + 1) - 1) / 2
            return self.image.filter(ImageFilter.BoxBlur(radius))
        return self.image.filter(ImageFilter.GaussianBlur(deviation))

    def array(self, blur: float = 0.0) -> Array:
        """The mask as float32 in 0 to 1."""
        return np.asarray(self.blurred(blur), dtype=np.float32) * np.float32(1 / 255)


class Film:
    """The attenuation of a body, summed layer by layer. ``fine`` is (height, width) float32."""

    def __init__(self, *, height: int, width: int, pose: Pose) -> None:
        self.height = height - height % COARSE
        self.width = width - width % COARSE
        self.pose = pose
        self.scale = self.height * pose.zoom
        self._cos, self._sin = math.cos(pose.angle), math.sin(pose.angle)
        self._across = self.width / 2 + pose.shift_x * self.scale
        self._down = self.height / 2 + pose.shift_y * self.scale
        self.fine: Array = np.zeros((self.height, self.width), np.float32)
        self.soft: Array = np.zeros(
            (self.height // COARSE, self.width // COARSE), np.float32
        )

    def pixel(self, x: float, y: float, *, step: int = 1) -> tuple[float, float]:
        """One point as a pixel of the full grid (``step`` 1) or of the soft one."""
        y = y - 0.5
        across = self._across + self.scale * (x * self._cos - y * self._sin)
        down = self._down + self.scale * (x * self._sin + y * self._cos)
        return across / step, down / step

    def pixels(self, points: Points | Sequence[tuple[float, float]]) -> Points:
        """Body coordinates (n, 2) as pixels (n, 2) of the full grid."""
        at = np.asarray(points, dtype=np.float64)
        x, y = at[:, 0], at[:, 1] - 0.5
        across = self._across + self.scale * (x * self._cos - y * self._sin)
        down = self._down + self.scale * (x * self._sin + y * self._cos)
        return np.stack([across, down], axis=1)

    def layer(self, *, fine: bool = False) -> Layer:
        """An empty mask of this film."""
        return Layer(self, fine=fine)

    def add(self, layer: Layer, gain: float, *, blur: float = 0.0) -> None:
        """Add a mask times ``gain`` (negative for air)."""
        target = self.fine if layer.fine else self.soft
        target += layer.array(blur) * np.float32(gain)

    def upsampled(self, coarse: Array) -> Array:
        """A quarter-resolution map on the full grid."""
        picture = Image.fromarray(np.ascontiguousarray(coarse, dtype=np.float32))
        size = (self.width, self.height)
        return np.asarray(picture.resize(size, Image.Resampling.BILINEAR), dtype=np.float32)

    def total(self) -> Array:
        """Everything that was added, on the full grid."""
        return self.fine + self.upsampled(self.soft)


def smooth(
    points: Sequence[tuple[float, float]], *, steps: int = 12, closed: bool = False
) -> Points:
    """A Catmull-Rom curve through ``points`` (n, 2) with ``steps`` points a span."""
    at = np.asarray(points, dtype=np.float64)
    if closed:
        at = np.concatenate([at[-1:], at, at[:2]])
    else:
        at = np.concatenate([2 * at[:1] - at[1:2], at, 2 * at[-1:] - at[-2:-1]])
    t = np.linspace(0.0, 1.0, steps, endpoint=False)[:, None]
    spans = [
        0.5
        * (
            2 * b
            + (c - a) * t
            + (2 * a - 5 * b + 4 * c - d) * t**2
            + (3 * b - a - 3 * c + d) * t**3
        )
        for a, b, c, d in zip(at, at[1:], at[2:], at[3:], strict=False)
    ]
    return np.concatenate([*spans, at[-2:-1]])


def band(path: Points, widths: NDArray[np.float64] | float) -> tuple[Points, Points]:
    """The two edges (n, 2) of a band of full width ``widths`` (heights) around a path (n, 2)."""
    along = np.gradient(path, axis=0)
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
    normal = np.stack([-along[:, 1] / length, along[:, 0] / length], axis=1)
    half = np.broadcast_to(np.asarray(widths, dtype=np.float64) / 2, (len(path),))[:, None]
    return path - normal * half, path + normal * half


def outline(edges: tuple[Points, Points]) -> Points:
    """The closed polygon between two edges."""
    return np.concatenate([edges[0], edges[1][::-1]])
