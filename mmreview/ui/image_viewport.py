"""Where an image lies in its view: scale, centre and the rules that keep it in sight.

Plain arithmetic for ``ImageView``. Lengths on the screen are device pixels, so that a scale of 1 is
one image pixel on one screen pixel at any display scale; points on the image are source pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

#: The closest look: this many screen pixels for one image pixel.
MAX_SCALE = 32.0


@dataclass(slots=True)
class Viewport:
    """One image of ``image`` (width, height) in a view of ``view`` with ``bottom`` pixels of it
    kept free while the whole image is shown (for the filmstrip).

    While ``fitted``, the image follows the view's size. Otherwise an image longer than the view
    covers it, and one that is shorter stands in the middle, so that it can never be lost.
    """

    image: tuple[int, int] = (0, 0)
    view: tuple[float, float] = (1.0, 1.0)
    bottom: float = 0.0
    scale: float = 1.0
    x: float = 0.0
    y: float = 0.0
    fitted: bool = True

    @property
    def fit_scale(self) -> float:
        """The scale at which the whole image is as large as it can be."""
        width, height = self.image
        if not width or not height:
            return 1.0
        free = max(self.view[1] - self.bottom, 1.0)
        return min(self.view[0] / width, free / height, MAX_SCALE)

    @property
    def is_movable(self) -> bool:
        """True while some of the image is out of sight."""
        return (
            self.image[0] * self.scale > self.view[0] + 0.5
            or self.image[1] * self.scale > self._height + 0.5
        )

    @property
    def _height(self) -> float:
        """The height that the image has for itself: the strip is covered only when zoomed in."""
        return max(self.view[1] - self.bottom, 1.0)

    @property
    def origin(self) -> tuple[float, float]:
        """Where the image's top left corner lies, from the view's."""
        return (
            self.view[0] / 2 - self.x * self.scale,
            self._height / 2 - self.y * self.scale,
        )

    def visible(self, step: float, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """The part in sight of a level of the image that has ``size`` pixels, each standing for
        ``step`` of the image's: left, top, width, height, with a little more on each side so that
        smooth edges have what they need."""
        starts, lengths = [], []
        for origin, view, whole in zip(self.origin, self.view, size, strict=True):
            start = max(math.floor(-origin / self.scale / step) - 2, 0)
            end = min(math.ceil((view - origin) / self.scale / step) + 2, whole)
            starts.append(start)
            lengths.append(max(end - start, 0))
        return starts[0], starts[1], lengths[0], lengths[1]

    def place(self, image: tuple[int, int]) -> None:
        """Take another image, whole and in the middle."""
        self.image = image
        self.fit()

    def resize(self, view: tuple[float, float], *, bottom: float) -> None:
        """Take another view; what was in its middle stays there."""
        self.view = view
        self.bottom = bottom
        if self.fitted:
            self.fit()
        else:
            self._settle()

    def fit(self) -> None:
        """Show the whole image."""
        self.fitted = True
        self.scale = self.fit_scale
        self.x, self.y = self.image[0] / 2, self.image[1] / 2

    def zoom(self, scale: float, *, at: tuple[float, float] | None = None) -> None:
        """Change the scale, with the image point under ``at`` (the middle) staying where it is."""
        smallest = min(self.fit_scale, 1.0)
        scale = min(max(scale, smallest), MAX_SCALE)
        at = at or (self.view[0] / 2, self._height / 2)
        left, top = self.origin
        point = ((at[0] - left) / self.scale, (at[1] - top) / self.scale)
        self.fitted = math.isclose(scale, self.fit_scale)
        self.scale = scale
        self.x = point[0] + (self.view[0] / 2 - at[0]) / scale
        self.y = point[1] + (self._height / 2 - at[1]) / scale
        self._settle()

    def move(self, right: float, down: float) -> None:
        """Move the image by so many screen pixels."""
        self.fitted = self.fitted and not self.is_movable
        self.x -= right / self.scale
        self.y -= down / self.scale
        self._settle()

    def _settle(self) -> None:
        self.x = _settled(self.x, self.image[0], self.view[0] / self.scale)
        self.y = _settled(self.y, self.image[1], self._height / self.scale)


def _settled(centre: float, length: int, seen: float) -> float:
    """The centre nearest to the wanted one that leaves no gap at an edge of the image."""
    if seen >= length:
        return length / 2
    return min(max(centre, seen / 2), length - seen / 2)
