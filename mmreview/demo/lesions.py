"""What disease does to a synthetic chest: a shape for each finding, and where it lies.

``radiographs`` calls in this order: ``reshape`` (disease that changes the anatomy), ``markings``
(what it does to the vessels), ``break_rib`` while ribs are drawn, ``draw`` (what it adds). The
severity of a lesion sets its size and contrast together, so that mild ones are truly hard to see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from mmreview.demo.anatomy import LEFT, RIGHT, Anatomy
from mmreview.demo.film import COARSE, Array, Film, Layer, Points, smooth

ATELECTASIS = "Atelectasis"
CARDIOMEGALY = "Cardiomegaly"
CONSOLIDATION = "Consolidation"
DEVICES = "Support Devices"
EDEMA = "Edema"
EFFUSION = "Pleural Effusion"
FRACTURE = "Fracture"
LESION = "Lung Lesion"
PNEUMOTHORAX = "Pneumothorax"

#: A position in body coordinates: x, y, radius.
Place = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Lesion:
    """One finding in one patient. ``severity`` is 0 (barely there) to 1; ``side`` is -1 (the
    patient's right) or +1, 0 for both; ``at`` is two numbers 0 to 1 that place it in its region;
    ``kind`` tells variants apart (``support devices`` are many things)."""

    finding: str
    severity: float
    side: int
    at: tuple[float, float] = (0.5, 0.5)
    kind: str = ""


def find(findings: Sequence[Lesion], name: str) -> Lesion | None:
    """The lesion of this finding, if the patient has it."""
    return next((lesion for lesion in findings if lesion.finding == name), None)


def reshape(anatomy: Anatomy, findings: Sequence[Lesion]) -> Anatomy:
    """The anatomy that disease leaves: a wide heart, a raised dome where lung has collapsed."""
    big = find(findings, CARDIOMEGALY)
    if big:
        anatomy = replace(anatomy, ratio=max(anatomy.ratio, 0.475) + 0.018 + 0.115 * big.severity)
    band = find(findings, ATELECTASIS)
    if band and band.side == RIGHT:
        anatomy = replace(anatomy, dome_right=anatomy.dome_right - 0.012 - 0.055 * band.severity)
    elif band and band.side == LEFT:
        anatomy = replace(anatomy, dome_left=anatomy.dome_left - 0.012 - 0.055 * band.severity)
    return anatomy


def markings(
    film: Film, anatomy: Anatomy, findings: Sequence[Lesion], vessels: Layer,
    rng: np.random.Generator,
) -> Array:
    """Attenuation of the vessels: crowded and blurred by edema, missing beyond a visceral line."""
    edema = find(findings, EDEMA)
    load = edema.severity if edema else float(rng.uniform(0, 0.12))
    seen = vessels.array(0.0010 + 0.0012 * load) * np.float32(0.115 + 0.075 * load)
    collapsed = find(findings, PNEUMOTHORAX)
    if collapsed:
        seen *= 1 - np.float32(0.95) * _rim(film, anatomy, collapsed)[0].array(0.0015)
    return seen


def _rim(film: Film, anatomy: Anatomy, lesion: Lesion) -> tuple[Layer, Points]:
    """The air between chest wall and visceral pleura: its mask and the pleural line."""
    side = lesion.side
    depth = 0.022 + 0.105 * lesion.severity
    low = 0.36 + 0.38 * lesion.severity
    ys = np.linspace(0.125, low, 40)
    wall = np.array([anatomy.wall(side, y) for y in ys]) - side * 0.006
    fade = np.sqrt(np.clip((low - ys) / (low - 0.125), 0, 1))
    line = np.stack([wall - side * depth * fade, ys + 0.9 * depth * fade], axis=1)
    apex = np.array([[side * 0.062, 0.135 + 0.75 * depth]])
    line = smooth([*apex.tolist(), *line[::5].tolist()])
    outer = np.concatenate([[(side * 0.058, 0.130), (side * 0.085, 0.115)],
                            np.stack([wall, ys], axis=1)])
    rim = film.layer(fine=True)
    rim.polygon(np.concatenate([line, outer[::-1]]))
    return rim, line


def broken_rib(findings: Sequence[Lesion]) -> tuple[int, int] | None:
    """Side and number of the rib that is broken."""
    lesion = find(findings, FRACTURE)
    return (lesion.side, 3 + int(lesion.at[1] * 4.99)) if lesion else None


def break_rib(path: Points, findings: Sequence[Lesion]) -> list[Points]:
    """The two pieces of a broken rib, displaced by a step."""
    lesion = find(findings, FRACTURE)
    assert lesion is not None
    cut = _cut(path, lesion)
    step = np.array([0.0, 0.004 + 0.011 * lesion.severity])
    tail = path[cut + 1 :] + step
    return [path[:cut], tail]


def _cut(path: Points, lesion: Lesion) -> int:
    return int(len(path) * (0.55 + 0.25 * lesion.at[0]))


def draw(
    film: Film, anatomy: Anatomy, findings: Sequence[Lesion], air: Array, rng: np.random.Generator
) -> dict[str, Place]:
    """Add every lesion; returns finding → where it is."""
    places: dict[str, Place] = {}
    for lesion in findings:
        paint = _PAINTERS.get(lesion.finding)
        if paint:
            places[lesion.finding] = paint(film, anatomy, lesion, air, rng)
    big = find(findings, CARDIOMEGALY)
    if big:
        heart = anatomy.heart()
        x, y = (heart.min(axis=0) + heart.max(axis=0)) / 2
        places[CARDIOMEGALY] = (float(x), float(y), float(np.ptp(heart[:, 0]) / 2))
    fracture = find(findings, FRACTURE)
    if fracture:
        path = anatomy.rib(fracture.side, 3 + int(fracture.at[1] * 4.99), (0.03, 0.56 * np.pi))
        x, y = path[_cut(path, fracture)]
        places[FRACTURE] = (float(x), float(y), 0.03)
    return places


def _opacify(film: Film, layer: Layer, gain: float, air: Array, *, blur: float) -> None:
    """Add density to aerated lung only."""
    film.soft += layer.array(blur) * air[::COARSE, ::COARSE] * np.float32(gain)


def _effusion(
    film: Film, anatomy: Anatomy, lesion: Lesion, air: Array, rng: np.random.Generator
) -> Place:
    """Fluid in the costophrenic angle: a meniscus that climbs the wall."""
    sides = (RIGHT, LEFT) if lesion.side == 0 else (lesion.side,)
    for side in sides:
        severity = lesion.severity * (1.0 if side == sides[0] else 0.7)
        low = anatomy.angle_y(side)
        level = low - 0.035 - 0.20 * severity
        wall = abs(anatomy.wall(side, level)) - 0.004
        reach = 0.30 - 0.62 * min(severity, 0.48)
        edge = smooth([
            (side * wall, level - 0.045 - 0.05 * severity), (side * wall * 0.93, level + 0.004),
            (side * wall * 0.80, level + 0.040), (side * wall * (0.35 + reach), level + 0.062),
            (side * wall * max(reach, 0.1), level + 0.075 + 0.04 * (1 - severity)),
        ])
        bottom = anatomy.angle_y(side) + 0.01
        fluid = film.layer(fine=True)
        fluid.polygon(np.concatenate([
            edge, [(side * wall * max(reach, 0.1), bottom), (side * (wall + 0.01), bottom)]
        ]))
        film.fine += fluid.array(0.0035) * air * np.float32(0.36 + 0.07 * severity)
        haze = film.layer()
        haze.polygon(np.concatenate([edge - [0, 0.05], [(side * 0.06, bottom),
                                                        (side * (wall + 0.01), bottom)]]))
        _opacify(film, haze, 0.09, air, blur=0.025)
    side = sides[0]
    low = anatomy.angle_y(side)
    radius = 0.04 + 0.09 * lesion.severity
    return anatomy.wall(side, low) - side * 0.045, low - radius * 0.75, radius


def _pneumothorax(
    film: Film, anatomy: Anatomy, lesion: Lesion, air: Array, rng: np.random.Generator
) -> Place:
    """Darker air without markings, bounded by a thin white line; the lung within is denser."""
    rim, line = _rim(film, anatomy, lesion)
    film.fine -= rim.array(0.0012) * air * np.float32(0.045 + 0.05 * lesion.severity)
    pleura = film.layer(fine=True)
    pleura.line(line, width=0.0023, value=0.9)
    film.fine += pleura.array(0.0007) * air * np.float32(0.075 + 0.05 * lesion.severity)
    x, y = line[len(line) // 3]
    return float(x), float(y), 0.05 + 0.05 * lesion.severity


def _consolidation(
    film: Film, anatomy: Anatomy, lesion: Lesion, air: Array, rng: np.random.Generator
) -> Place:
    """Patchy airspace opacity with air bronchograms in it."""
    side = lesion.side
    y = 0.27 + 0.36 * lesion.at[1]
    inner, outer = 0.085, abs(anatomy.wall(side, y)) - 0.055
    x = side * (inner + (outer - inner) * (0.15 + 0.7 * lesion.at[0]))
    radius = 0.052 + 0.058 * lesion.severity
    patch = film.layer()
    for _ in range(34):
        angle, far = rng.uniform(0, 2 * np.pi), radius * rng.uniform(0, 1) ** 0.7
        patch.disc(
            x + far * 1.1 * np.cos(angle), y + far * 0.85 * np.sin(angle),
            radius=radius * rng.uniform(0.16, 0.40), value=rng.uniform(0.55, 1.0),
        )
    mottle = Image.fromarray(
        rng.normal(0, 1, (film.soft.shape[0] // 4 + 1, film.soft.shape[1] // 4 + 1)).astype(
            np.float32
        )
    ).resize((film.soft.shape[1], film.soft.shape[0]), Image.Resampling.BICUBIC)
    density = patch.array(0.013) * (1 + 0.16 * np.asarray(mottle))
    gain = np.float32(0.16 + 0.24 * lesion.severity)
    film.soft += density * air[::COARSE, ::COARSE] * gain
    tubes = film.layer(fine=True)
    hx, hy = anatomy.vessels_from(side)
    heading = np.arctan2(y - hy, x - hx)
    for turn in (-0.5, -0.1, 0.3):
        end = (x + radius * np.cos(heading + turn), y + radius * np.sin(heading + turn))
        begin = (x - 0.5 * radius * np.cos(heading), y - 0.5 * radius * np.sin(heading))
        tubes.line([begin, (x, y + turn * 0.01), end], width=0.0040, value=0.9)
    film.fine -= tubes.array(0.0014) * air * np.float32(0.032 * lesion.severity)
    return float(x), float(y), float(radius * 1.15)


def _edema(
    film: Film, anatomy: Anatomy, lesion: Lesion, air: Array, rng: np.random.Generator
) -> Place:
    """Perihilar haze on both sides, cuffs and short septal lines at the bases."""
    haze = film.layer()
    for side in (RIGHT, LEFT):
        x, y = anatomy.vessels_from(side)
        for _ in range(16):
            haze.disc(
                x + side * rng.uniform(-0.01, 0.10 + 0.05 * lesion.severity),
                y + rng.normal(0.035, 0.055),
                radius=rng.uniform(0.02, 0.05), value=rng.uniform(0.4, 0.9),
            )
    _opacify(film, haze, 0.06 + 0.22 * lesion.severity, air, blur=0.022)
    lines = film.layer(fine=True)
    for side in (RIGHT, LEFT):
        low = anatomy.angle_y(side)
        for number in range(int(3 + 7 * lesion.severity)):
            y = low - 0.05 - 0.014 * number
            wall = anatomy.wall(side, y) - side * 0.008
            lines.line([(wall, y), (wall - side * rng.uniform(0.015, 0.028), y + 0.002)],
                       width=0.0016, value=0.9)
    film.fine += lines.array(0.0008) * air * np.float32(0.04 + 0.05 * lesion.severity)
    return 0.0, anatomy.hilum + 0.03, 0.17


def _atelectasis(
    film: Film, anatomy: Anatomy, lesion: Lesion, air: Array, rng: np.random.Generator
) -> Place:
    """Plate-like bands above the diaphragm."""
    side = lesion.side
    y = anatomy.dome(side) - 0.025 - 0.085 * lesion.at[1]
    plates = film.layer(fine=True)
    reach = 0.07 + 0.10 * lesion.severity
    x = side * (0.11 + 0.09 * lesion.at[0])
    for number in range(1 + int(lesion.severity * 2.4)):
        lift = -0.020 * number
        plates.line(
            smooth([(x - side * reach * 0.45, y + lift + 0.012), (x, y + lift),
                    (x + side * reach * 0.6, y + lift - 0.006 * (1 + number))]),
            width=0.0055 + 0.009 * lesion.severity, value=0.9,
        )
    film.fine += plates.array(0.0018) * air * np.float32(0.10 + 0.14 * lesion.severity)
    base = film.layer()
    base.disc(x, y + 0.02, radius=0.075)
    _opacify(film, base, 0.05 + 0.12 * lesion.severity, air, blur=0.022)
    return float(x), float(y), float(reach * 0.6)


def _nodule(
    film: Film, anatomy: Anatomy, lesion: Lesion, air: Array, rng: np.random.Generator
) -> Place:
    """A rounded mass or nodule, sometimes with a spiculated edge."""
    side = lesion.side
    y = 0.22 + 0.38 * lesion.at[1]
    inner, outer = 0.10, abs(anatomy.wall(side, y)) - 0.035
    x = side * (inner + (outer - inner) * lesion.at[0])
    radius = 0.020 + 0.044 * lesion.severity
    at = np.linspace(0, 2 * np.pi, 26, endpoint=False)
    bumpy = radius * (1 + 0.05 * rng.normal(0, 1, len(at)))
    mass = film.layer(fine=True)
    for angle in at[::2]:
        far = radius * rng.uniform(1.1, 1.5)
        mass.line(
            [(x, y), (x + far * np.cos(angle), y + far * np.sin(angle))], width=0.0016, value=0.6
        )
    edge = np.stack([x + bumpy * np.cos(at), y + 0.93 * bumpy * np.sin(at)], axis=1)
    mass.polygon(smooth(edge.tolist(), closed=True, steps=4), 0.9)
    film.fine += mass.array(0.0042) * air * np.float32(0.15 + 0.15 * lesion.severity)
    return float(x), float(y), float(radius * 1.3)


_PAINTERS: dict[
    str, Callable[[Film, Anatomy, Lesion, Array, np.random.Generator], Place]
] = {
    EFFUSION: _effusion,
    PNEUMOTHORAX: _pneumothorax,
    CONSOLIDATION: _consolidation,
    EDEMA: _edema,
    ATELECTASIS: _atelectasis,
    LESION: _nodule,
}
