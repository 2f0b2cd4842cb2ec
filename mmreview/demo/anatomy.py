"""The body of a synthetic patient: where chest wall, lungs, diaphragm, heart and ribs lie.

Everything is in body coordinates (see ``film``). +x is the right of the picture, which is the
patient's left; ``side`` is -1 for the patient's right lung and +1 for the left one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mmreview.demo.film import Points, smooth

RIGHT, LEFT = -1, 1

#: Half-width of the rib cage by height, for a chest of width 1 (measured off real chest films).
_CAGE = (
    (0.105, 0.08), (0.135, 0.128), (0.165, 0.160), (0.225, 0.207), (0.31, 0.25), (0.42, 0.285),
    (0.54, 0.31), (0.66, 0.325), (0.78, 0.33), (0.90, 0.325), (1.05, 0.31),
)


@dataclass(frozen=True, slots=True)
class Anatomy:
    """One patient on one day. Lengths are heights of the film; ``ratio`` is the width of the heart
    over that of the chest; ``build`` is -1 (slim) to 1 (heavy); ``frailty`` 0 to 1 dims bones."""

    width: float
    dome_right: float
    dome_left: float
    ratio: float
    build: float
    female: bool
    frailty: float
    lean: float
    knob: float
    ribs_from: float
    rib_gap: float
    rib_drop: float
    bubble: float
    hilum: float

    def cage(self, y: Points) -> Points:
        """The inner half-width of the rib cage at heights ``y``."""
        table = smooth(_CAGE)
        return np.interp(y, table[:, 0], table[:, 1]) * self.width

    def midline(self, y: Points) -> Points:
        """x of the spine at heights ``y``: nobody is quite straight."""
        return self.lean * np.sin((y - 0.1) * 3.6)

    def dome(self, side: int) -> float:
        """y of the top of a hemidiaphragm."""
        return self.dome_right if side == RIGHT else self.dome_left

    def wall(self, side: int, y: float) -> float:
        """x of the inner chest wall at ``y``."""
        at = np.array([y])
        return float(self.midline(at)[0] * 0.3 + side * self.cage(at)[0])

    def angle_y(self, side: int) -> float:
        """y of the costophrenic angle."""
        return self.dome(side) + 0.115

    def diaphragm(self, side: int) -> Points:
        """The dome from the costophrenic angle to the spine, (n, 2)."""
        top, low = self.dome(side), self.angle_y(side)
        wall = abs(self.wall(side, low)) - 0.003
        return smooth(
            [
                (side * wall, low),
                (side * wall * 0.93, low - 0.045),
                (side * wall * 0.79, top + 0.022),
                (side * wall * 0.585, top),
                (side * wall * 0.37, top + 0.012),
                (side * wall * 0.19, top + 0.045),
                (side * 0.042, top + 0.062),
            ]
        )

    def lung(self, side: int) -> Points:
        """The outline of a lung as air is seen on the film, (n, 2)."""
        ys = np.linspace(0.138, self.angle_y(side), 40)
        lateral = np.stack(
            [self.midline(ys) * 0.3 + side * (self.cage(ys) - 0.006), ys], axis=1
        )
        bottom = self.diaphragm(side)
        low = float(bottom[-1, 1])
        hilum = self.hilum
        medial = smooth(
            [
                (side * 0.040, low),
                (side * 0.046, low - 0.1),
                (side * 0.055, hilum + 0.06),
                (side * (0.060 if side == RIGHT else 0.066), hilum - 0.04),
                (side * (0.054 if side == RIGHT else 0.062), 0.30),
                (side * 0.052, 0.22),
                (side * 0.047, 0.165),
                (side * 0.058, 0.133),
                (side * 0.082, 0.1155),
                (side * 0.108, 0.1195),
            ]
        )
        return np.concatenate([lateral, bottom, medial])

    def heart(self) -> Points:
        """The outline of the heart, (n, 2); its width is ``ratio`` times the chest's."""
        base = min(self.dome_right, self.dome_left) + 0.052
        chest = 2 * float(self.cage(np.array([base - 0.06]))[0])
        total = self.ratio * chest
        right, left = 0.34 * total, 0.66 * total
        top = self.hilum - 0.03
        tall = base - top
        return smooth(
            [
                (-0.040, top - 0.03),
                (-0.050, top + 0.20 * tall),
                (-right * 0.94, top + 0.48 * tall),
                (-right, top + 0.68 * tall),
                (-right * 0.86, top + 0.90 * tall),
                (-right * 0.45, base + 0.018),
                (0.35 * left, base + 0.040),
                (0.78 * left, base + 0.030),
                (left * 0.985, base - 0.022),
                (left * 0.97, base - 0.16 * tall),
                (left * 0.80, top + 0.56 * tall),
                (left * 0.56, top + 0.28 * tall),
                (0.062, top + 0.02),
                (0.048, top - 0.04),
                (0.0, top - 0.05),
            ],
            closed=True,
        )

    def vessels_from(self, side: int) -> tuple[float, float]:
        """The hilum: where the bronchovascular tree of a lung starts (the left one is higher)."""
        return side * 0.078, self.hilum + (0.012 if side == RIGHT else -0.012)

    def rib(self, side: int, number: int, span: tuple[float, float]) -> Points:
        """The middle of a rib between two angles of its hoop, (n, 2).

        A rib is a tilted hoop seen from the front: 0 is at the spine, pi/2 at the side of the
        chest, beyond that it comes back along the front, lower.
        """
        at = np.linspace(*span, 44)
        top = self.ribs_from + number * self.rib_gap
        drop = self.rib_drop * min(1.0, 0.42 + 0.085 * number)
        y = top + drop * (0.26 * (1 - np.cos(at)) + 0.48 * at / np.pi)
        y -= 0.010 * np.sin(np.minimum(at * 2, np.pi))
        side_y = top + drop / 2
        reach = float(self.cage(np.array([side_y]))[0]) + 0.002
        x = self.midline(y) + side * np.maximum(0.026, reach * np.sin(at))
        return np.stack([x, y], axis=1)


def draw_anatomy(rng: np.random.Generator, *, female: bool, age: int) -> Anatomy:
    """A patient's build, drawn once per patient so that follow-ups look alike."""
    dome = rng.normal(0.688, 0.018)
    return Anatomy(
        width=float(rng.normal(1.0, 0.035) * (0.97 if female else 1.02)),
        dome_right=float(dome),
        dome_left=float(dome + rng.normal(0.022, 0.007)),
        ratio=float(np.clip(rng.normal(0.452, 0.022) + 0.0004 * (age - 55), 0.40, 0.505)),
        build=float(np.clip(rng.normal(0, 0.45), -1, 1)),
        female=female,
        frailty=float(np.clip((age - 40) / 60 + rng.normal(0, 0.12), 0, 1)),
        lean=float(rng.normal(0, 0.004)),
        knob=float(np.clip(rng.normal(0.034, 0.004) + 0.00012 * (age - 50), 0.022, 0.048)),
        ribs_from=float(rng.normal(0.142, 0.006)),
        rib_gap=float(rng.normal(0.0675, 0.0018)),
        rib_drop=float(rng.normal(0.255, 0.014)),
        bubble=float(rng.uniform(0, 1)),
        hilum=float(rng.normal(0.425, 0.010)),
    )
