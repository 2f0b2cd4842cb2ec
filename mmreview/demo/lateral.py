"""Draws the lateral film that some synthetic cases have beside the frontal one.

The patient faces left: x is 0 in the middle of the chest, the sternum lies at negative x, the
spine at positive x. Findings that a lateral film shows well are drawn: a large heart, fluid in the
posterior angle, a nodule or a consolidation behind or over the heart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from mmreview.demo.anatomy import Anatomy
from mmreview.demo.darkroom import HEIGHT, STRIP, develop, finish
from mmreview.demo.film import COARSE, Array, Film, Points, Pose, band, outline, smooth
from mmreview.demo.lesions import CARDIOMEGALY, CONSOLIDATION, EFFUSION, LESION, Lesion, find

#: Front and back of the lungs from the apex to the posterior angle.
_FRONT = ((-0.020, 0.150), (-0.085, 0.185), (-0.150, 0.26), (-0.195, 0.36), (-0.222, 0.48),
          (-0.228, 0.60), (-0.215, 0.700))
_BACK = ((0.205, 0.905), (0.245, 0.80), (0.256, 0.66), (0.256, 0.50), (0.240, 0.36),
         (0.200, 0.25), (0.140, 0.180), (0.070, 0.145))


def lateral(anatomy: Anatomy, findings: Sequence[Lesion], rng: np.random.Generator) -> Image.Image:
    """The lateral film of this patient (mode L)."""
    pose = Pose(angle=float(rng.normal(0, 0.012)), zoom=float(rng.normal(0.97, 0.015)),
                shift_x=float(rng.normal(-0.01, 0.01)), shift_y=0.01)
    film = Film(height=HEIGHT - STRIP, width=int(rng.integers(180, 200)) * 4, pose=pose)
    lift = anatomy.dome_right - 0.69
    solid = _soft_tissue(film, anatomy, findings)
    air = _lungs(film, lift, solid, rng)
    _bones(film, anatomy)
    _lesions(film, findings, air, lift)
    return finish(develop(film, rng, portable=False), rng, letter="LAT")


def _soft_tissue(film: Film, anatomy: Anatomy, findings: Sequence[Lesion]) -> Array:
    """Trunk, raised arms and heart; returns where the chest is solid (0 to 1)."""
    bulk = 0.012 * anatomy.build
    trunk = film.layer()
    trunk.polygon(smooth([
        (-0.07, -0.10), (-0.08, 0.06), (-0.15, 0.16), (-0.235 - bulk, 0.30), (-0.285 - bulk, 0.48),
        (-0.285 - bulk, 0.66), (-0.275 - bulk, 1.1), (0.30, 1.1), (0.315, 0.80), (0.335, 0.55),
        (0.325, 0.34), (0.275, 0.18), (0.21, 0.06), (0.19, -0.10),
    ], closed=True))
    film.add(trunk, 0.66 + 0.03 * anatomy.build, blur=0.010)
    arms = film.layer()
    arms.polygon(smooth([(-0.20, -0.1), (-0.14, 0.10), (-0.02, 0.20), (0.14, 0.19), (0.24, 0.05),
                         (0.24, -0.1)], closed=True))
    film.add(arms, 0.16, blur=0.016)
    belly = film.layer()
    belly.polygon([(-0.29, 0.78), (0.0, 0.76), (0.31, 0.90), (0.31, 1.1), (-0.29, 1.1)])
    film.add(belly, 0.12, blur=0.05)
    if anatomy.female:
        breast = film.layer()
        breast.polygon(smooth([(-0.23, 0.36), (-0.31, 0.46), (-0.335, 0.56), (-0.30, 0.63),
                               (-0.20, 0.60)], closed=True))
        film.add(breast, 0.13, blur=0.010)
    big = find(findings, CARDIOMEGALY)
    size = 1.0 + (0.10 + 0.22 * big.severity if big else 0.0)
    solid = film.layer(fine=True)
    heart = np.array([(-0.195, 0.70), (-0.205, 0.62), (-0.165, 0.53), (-0.10, 0.465), (-0.03, 0.45),
                      (0.02, 0.50), (0.045, 0.58), (0.04, 0.66), (0.0, 0.735), (-0.10, 0.75)])
    middle = np.array([-0.16, 0.70])
    solid.polygon(smooth((middle + (heart - middle) * size).tolist(), closed=True), 0.8)
    solid.polygon(smooth([(-0.055, 0.36), (-0.02, 0.315), (0.045, 0.305), (0.09, 0.34),
                          (0.105, 0.42), (0.085, 0.42), (0.05, 0.36), (0.0, 0.355),
                          (-0.035, 0.46), (-0.07, 0.46)], closed=True), 0.42)
    solid.disc(0.015, 0.425, radius=0.030, value=0.62)
    return solid.array(0.006)


def _domes(lift: float) -> tuple[Points, Points]:
    """The right and the left hemidiaphragm, front to back."""
    right = np.array([(-0.222, 0.690), (-0.16, 0.672), (-0.06, 0.682), (0.04, 0.725),
                      (0.13, 0.795), (0.205, 0.905)])
    left = right + np.array([0.0, 0.022])
    shift = np.array([0.0, lift])
    return smooth((right + shift).tolist()), smooth((left + shift).tolist())


def _lungs(film: Film, lift: float, solid: Array, rng: np.random.Generator) -> Array:
    """Take both lungs' air out; what lies behind one dome only is half as dark."""
    back, front = np.array(_BACK), np.array(_FRONT)
    masks = []
    for dome in _domes(lift):
        lung = film.layer(fine=True)
        lung.polygon(np.concatenate([smooth(front.tolist()), dome, smooth(back.tolist())]))
        masks.append(lung.array(0.0025))
    air = (masks[0] + masks[1]) * np.float32(0.5) * (1 - np.float32(0.8) * solid)
    film.fine -= np.float32(0.44) * air
    x = (np.arange(film.soft.shape[1]) * COARSE - film.width / 2) / film.scale
    gradient = (0.10 * np.exp(-((x - 0.06) / 0.13) ** 2)).astype(np.float32)
    film.soft += gradient[None, :] * air[::COARSE, ::COARSE]
    film.soft += rng.normal(0, 0.012, film.soft.shape).astype(np.float32) * air[::COARSE, ::COARSE]
    vessels = film.layer(fine=True)
    for heading in rng.uniform(0, 2 * np.pi, 34):
        at, far = np.array([0.015, 0.43]), rng.uniform(0.05, 0.20)
        bend = rng.normal(0, 0.25)
        end = at + far * np.array([np.cos(heading), np.sin(heading)])
        over = at + 0.5 * far * np.array([np.cos(heading + bend), np.sin(heading + bend)])
        vessels.line(smooth([tuple(at), tuple(over), tuple(end)]), width=0.0032, value=0.36)
    film.fine += vessels.array(0.0012) * air * np.float32(0.09)
    return air


def _bones(film: Film, anatomy: Anatomy) -> None:
    """Spine, sternum and ribs seen from the side, and the air of the trachea."""
    strength = 1.0 - 0.35 * anatomy.frailty
    body, cortex = film.layer(fine=True), film.layer(fine=True)
    ys = np.linspace(0.02, 1.05, 240)
    spine = np.stack([0.155 + 0.055 * np.sin((ys - 0.05) * 2.7), ys], axis=1)
    for top in np.arange(0.03, 1.03, 0.049):
        inside = (ys >= top) & (ys <= top + 0.043)
        block = outline(band(spine[inside], 0.050)) if inside.sum() > 1 else None
        if block is not None:
            body.polygon(block, 0.55)
            cortex.line(np.concatenate([block, block[:1]]), width=0.002, value=0.6)
    sternum = smooth([(-0.115, 0.185), (-0.175, 0.26), (-0.222, 0.36), (-0.248, 0.48),
                      (-0.252, 0.58)])
    body.polygon(outline(band(sternum, 0.016)), 0.55)
    for number in range(8):
        y = 0.17 + 0.073 * number
        back = 0.215 + 0.045 * np.sin(number / 3)
        for shift in (0.0, 0.016):
            rib = smooth([(back, y + shift), (back + 0.012, y + 0.035 + shift),
                          (0.10, y + 0.125 + shift), (-0.02, y + 0.185 + shift),
                          (-0.13 + 0.012 * number, y + 0.215 + shift)])
            edges = band(rib, np.linspace(0.013, 0.003, len(rib)))
            body.polygon(outline(edges), 0.26)
            for edge in edges:
                cortex.line(edge, width=0.0016, value=0.24)
    film.add(body, 0.16 * strength, blur=0.0018)
    film.add(cortex, 0.06 * strength, blur=0.001)
    windpipe = film.layer()
    windpipe.line([(0.01, -0.05), (0.025, 0.20), (0.030, 0.40)], width=0.026)
    film.add(windpipe, -0.10, blur=0.004)


def _lesions(film: Film, findings: Sequence[Lesion], air: Array, lift: float) -> None:
    """What the lateral film shows of disease."""
    fluid = find(findings, EFFUSION)
    if fluid:
        level = 0.865 + lift - 0.16 * fluid.severity
        pool = film.layer(fine=True)
        pool.polygon([*smooth([(0.03, level + 0.02), (0.12, level + 0.03), (0.20, level),
                               (0.262, level - 0.06)]).tolist(), (0.27, 0.95), (0.03, 0.95)])
        film.fine += pool.array(0.005) * air * np.float32(0.36)
    for name, radius, gain in ((LESION, 0.016, 0.16), (CONSOLIDATION, 0.055, 0.13)):
        lesion = find(findings, name)
        if lesion:
            spot = film.layer()
            y = 0.25 + 0.36 * lesion.at[1]
            spot.disc(0.10 * (lesion.at[0] - 0.3), y, radius=radius * (0.7 + lesion.severity))
            film.soft += (
                spot.array(radius * 0.22) * air[::COARSE, ::COARSE]
                * np.float32(gain * (0.6 + lesion.severity))
            )
