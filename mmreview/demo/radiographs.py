"""Draws a synthetic frontal chest radiograph from an anatomy and its lesions.

Attenuation is summed layer by layer (soft tissue, air, vessels, bones, lesions); ``darkroom`` turns
it into a picture. Only numpy and Pillow, a fifth of a second a picture on one core.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from mmreview.demo import lesions as pathology
from mmreview.demo.anatomy import LEFT, RIGHT, Anatomy
from mmreview.demo.darkroom import HEIGHT, STRIP, develop, finish
from mmreview.demo.devices import draw_devices
from mmreview.demo.film import COARSE, Array, Film, Layer, Pose, band, outline, smooth
from mmreview.demo.lesions import Lesion


@dataclass(frozen=True, slots=True)
class Radiograph:
    """A picture (mode L) and where its lesions are: finding → (x, y, radius) in pixels."""

    image: Image.Image
    positions: dict[str, tuple[float, float, float]]


def frontal(
    anatomy: Anatomy, findings: Sequence[Lesion], rng: np.random.Generator, *, portable: bool
) -> Radiograph:
    """A frontal film. ``portable`` ones (AP, in bed) are flatter, rotated and less inspired."""
    anatomy = pathology.reshape(_today(anatomy, rng, portable=portable), findings)
    pose = Pose(
        angle=float(rng.normal(0, 0.030 if portable else 0.012)),
        zoom=float(rng.normal(0.985, 0.02)),
        shift_x=float(rng.normal(0, 0.012)),
        shift_y=float(rng.normal(0.012, 0.01)),
    )
    film = Film(height=HEIGHT - STRIP, width=int(rng.integers(208, 232)) * 4, pose=pose)
    _soft_tissue(film, anatomy)
    solid = _mediastinum(film, anatomy)
    air = _lungs(film, anatomy, solid, rng)
    vessels = film.layer(fine=True)
    for side in (RIGHT, LEFT):
        _vessels(film, vessels, anatomy, side, rng)
    film.fine += air * pathology.markings(film, anatomy, findings, vessels, rng)
    _bones(film, anatomy, findings, rng)
    places = pathology.draw(film, anatomy, findings, air, rng)
    device = pathology.find(findings, pathology.DEVICES)
    if device:
        places[device.finding] = draw_devices(film, anatomy, device, rng)
    picture = develop(film, rng, portable=portable)
    positions = {
        finding: (*(round(float(v), 1) for v in film.pixels([(x, y)])[0]), round(r * film.scale, 1))
        for finding, (x, y, r) in places.items()
    }
    return Radiograph(finish(picture, rng, letter="AP" if portable else ""), positions)


def _today(anatomy: Anatomy, rng: np.random.Generator, *, portable: bool) -> Anatomy:
    """The same patient breathing in more or less deeply; AP films magnify the heart."""
    breath = rng.normal(-0.030 if portable else 0.0, 0.014)
    return replace(
        anatomy,
        dome_right=anatomy.dome_right + breath,
        dome_left=anatomy.dome_left + breath + rng.normal(0, 0.003),
        ratio=anatomy.ratio * (1.06 if portable else 1.0) + float(rng.normal(0, 0.008)),
    )


def _soft_tissue(film: Film, anatomy: Anatomy) -> None:
    """Trunk, neck, shoulders and arms; the air outside stays black."""
    bulk = 0.050 + 0.022 * anatomy.build
    edge = anatomy.width * 0.33 + bulk
    trunk = film.layer()
    half = [
        (0.072, -0.10), (0.076, 0.0), (0.092, 0.035), (0.16, 0.062), (0.30, 0.076),
        (0.42, 0.105), (0.50, 0.175), (0.56, 0.33), (0.60, 0.60), (0.62, 1.1),
    ]
    body = smooth(half)
    trunk.polygon(np.concatenate([body, (body * [-1, 1])[::-1]]))
    film.add(trunk, 0.50, blur=0.008)
    chest = film.layer()
    sides = smooth([(edge * 0.9, 0.30), (edge, 0.42), (edge * 1.01, 0.6), (edge, 0.85),
                    (edge * 0.99, 1.1)])
    top = [(0.05, 0.02), (0.10, 0.085), (0.24, 0.12)]
    right = np.concatenate([np.array(top), sides])
    chest.polygon(np.concatenate([right, (right * [-1, 1])[::-1]]))
    film.add(chest, 0.18 + 0.05 * anatomy.build, blur=0.022)
    armpit = film.layer()
    for side in (RIGHT, LEFT):
        fold = smooth([(side * (edge + 0.012), 0.47), (side * (edge + 0.05), 0.43),
                       (side * (edge + 0.085), 0.52), (side * (edge + 0.10), 0.80),
                       (side * (edge + 0.12), 1.1), (side * (edge + 0.012), 1.1)])
        armpit.polygon(fold)
    film.add(armpit, -0.46, blur=0.007)
    belly = film.layer()
    low = max(anatomy.dome_right, anatomy.dome_left)
    waist = edge * 0.92
    belly.polygon([(-waist, low + 0.05), (waist, low + 0.05), (edge, 1.1), (-edge, 1.1)])
    film.add(belly, 0.16, blur=0.06)
    if anatomy.female:
        breast = film.layer()
        sag = 0.66 + 0.03 * anatomy.build
        for side in (RIGHT, LEFT):
            breast.polygon(smooth([
                (side * 0.09, sag - 0.10), (side * 0.13, sag), (side * 0.22, sag + 0.035),
                (side * (edge + 0.005), sag - 0.01), (side * (edge + 0.015), sag - 0.12),
                (side * 0.30, sag - 0.27), (side * 0.17, sag - 0.22),
            ], closed=True), 1.0)
        film.add(breast, 0.085 + 0.03 * anatomy.build, blur=0.012)


def _lungs(film: Film, anatomy: Anatomy, solid: Array, rng: np.random.Generator) -> Array:
    """Take the lungs' air out, less of it where heart and vessels are ``solid``; returns how much
    of aerated lung there is (full grid, 0 to 1)."""
    air = film.layer(fine=True)
    deep = film.layer()
    for side in (RIGHT, LEFT):
        outlined = anatomy.lung(side)
        air.polygon(outlined)
        deep.polygon(outlined)
        _recess(film, anatomy, side)
    sharp = air.array(0.0022) * (1 - np.float32(0.76) * solid)
    film.fine -= np.float32(0.31) * sharp
    depth = deep.array(0.035) * (1 - np.float32(0.76) * solid[::COARSE, ::COARSE])
    film.soft -= np.float32(0.16) * depth
    coarse = rng.normal(0, 1, film.soft.shape).astype(np.float32)
    mottle = Image.fromarray(coarse[::3, ::3]).resize(
        (film.width // 4, film.height // 4), Image.Resampling.BICUBIC
    )
    film.soft += (0.006 * np.asarray(mottle) + 0.009 * _softened(coarse)) * depth
    return sharp


def _softened(noise: Array) -> Array:
    """Noise averaged over its four neighbours."""
    across = noise + np.roll(noise, 1, 1)
    return (across + np.roll(across, 1, 0)) / 2


def _recess(film: Film, anatomy: Anatomy, side: int) -> None:
    """Lung behind the dome lightens the upper abdomen; a bubble of gas under the left one."""
    dome = anatomy.diaphragm(side)
    behind = film.layer()
    behind.polygon(np.concatenate([dome, np.add(dome, (0, 0.085))[::-1]]))
    film.add(behind, -0.055, blur=0.022)
    if side == LEFT and anatomy.bubble > 0.3:
        x, y = 0.17, anatomy.dome_left + 0.055
        gas = film.layer()
        size = 0.026 + 0.03 * anatomy.bubble
        at = np.linspace(0, 2 * np.pi, 30)
        gas.polygon(np.stack([
            x + 1.5 * size * np.cos(at), y + size * 0.75 * np.sin(at) + 0.2 * size * np.cos(2 * at)
        ], axis=1))
        film.add(gas, -0.15, blur=0.006)


def _mediastinum(film: Film, anatomy: Anatomy) -> Array:
    """Heart, aorta, great vessels and the air of trachea and main bronchi; returns where it is
    solid (full grid, 0 to 1)."""
    hilum = anatomy.hilum
    solid = film.layer(fine=True)
    solid.polygon(smooth([
        (-0.044, 0.06), (-0.050, 0.20), (-0.058, 0.28), (-0.062, 0.36), (-0.060, hilum),
        (-0.045, 0.60), (0.045, 0.60), (0.062, hilum), (0.056, 0.31), (0.05, 0.20), (0.042, 0.06),
    ], closed=True))
    for side in (RIGHT, LEFT):
        x, y = anatomy.vessels_from(side)
        artery = [(x - side * 0.03, y - 0.045), (x - side * 0.006, y - 0.03),
                  (x + side * 0.008, y + 0.005), (x + side * 0.005, y + 0.045),
                  (x - side * 0.012, y + 0.075), (x - side * 0.03, y + 0.08)]
        solid.polygon(smooth(artery, closed=True), 0.55)
    solid.disc(0.032 + anatomy.knob * 0.42, 0.315, radius=anatomy.knob)
    solid.polygon(anatomy.heart())
    mask = solid.array(0.0040)
    film.fine += np.float32(0.085) * mask
    aorta = film.layer()
    at = np.linspace(0.315, 0.90, 20)
    edge = 0.050 + anatomy.knob * 0.45 - 0.030 * ((at - 0.315) / 0.585) ** 0.8
    aorta.polygon(np.concatenate([np.stack([edge, at], 1), [(0.0, 0.90), (0.0, 0.315)]]))
    film.add(aorta, 0.07, blur=0.003)
    muscle = film.layer()
    muscle.polygon(anatomy.heart() * [0.8, 1.0] + [0.004, 0.0])
    film.add(muscle, 0.085, blur=0.032)
    windpipe = film.layer()
    windpipe.line([(0.0, -0.05), (0.002, 0.20), (0.006, hilum - 0.075)], width=0.031)
    windpipe.line([(0.005, hilum - 0.082), (-0.032, hilum - 0.03), (-0.052, hilum)], width=0.019)
    windpipe.line(
        [(0.005, hilum - 0.082), (0.044, hilum - 0.034), (0.066, hilum - 0.01)], width=0.016
    )
    film.add(windpipe, -0.15, blur=0.0045)
    return mask


def _vessels(
    film: Film, layer: Layer, anatomy: Anatomy, side: int, rng: np.random.Generator
) -> None:
    """The bronchovascular tree of a lung: branches that get thinner from the hilum outwards."""
    x, y = anatomy.vessels_from(side)
    root = film.layer()
    at = x - side * 0.010
    root.polygon(smooth([
        (at - side * 0.012, y - 0.055), (at + side * 0.020, y - 0.030),
        (at + side * 0.026, y + 0.012), (at + side * 0.024, y + 0.060),
        (at + side * 0.006, y + 0.105), (at - side * 0.014, y + 0.095),
    ], closed=True))
    film.add(root, 0.10, blur=0.009)
    headings = ((-1.30, 0.006), (-0.95, 0.0055), (-0.45, 0.005), (0.05, 0.0055), (0.50, 0.007),
                (0.95, 0.0085), (1.32, 0.0085), (1.12, 0.006))
    stack = [
        (x + side * rng.uniform(-0.006, 0.012), y + 0.026 * lift, heading + rng.normal(0, 0.15),
         width * rng.uniform(0.85, 1.15), 0)
        for lift, (heading, width) in zip((-1.2, -0.9, -0.4, 0.3, 0.9, 1.4, 2.0, 2.6), headings,
                                          strict=True)
    ]
    while stack:
        x0, y0, heading, width, depth = stack.pop()
        stretch, turn, fork, forks = rng.random(4).tolist()
        length = (0.046 - 0.0034 * depth) * (0.65 + 0.65 * stretch)
        bend = 0.84 * (turn - 0.5)
        xm = x0 + side * math.cos(heading) * length / 2
        ym = y0 + math.sin(heading) * length / 2
        x1 = xm + side * math.cos(heading + bend) * length / 2
        y1 = ym + math.sin(heading + bend) * length / 2
        layer.line([(x0, y0), (xm, ym), (x1, y1)], width=width, value=0.34 + 40 * width)
        if depth < 8 and width > 0.0009:
            angle = heading + bend
            stack.append((x1, y1, angle + 0.1 + 0.17 * fork, width * 0.84, depth + 1))
            if depth > 0 or forks < 0.6:
                stack.append((x1, y1, angle - 0.2 - 0.4 * fork, width * 0.66, depth + 1))


def _bones(
    film: Film, anatomy: Anatomy, findings: Sequence[Lesion], rng: np.random.Generator
) -> None:
    """Ribs with their cortex, spine, clavicles, shoulder blades and upper arms."""
    strength = 1.0 - 0.35 * anatomy.frailty
    broken = pathology.broken_rib(findings)
    back, front = film.layer(fine=True), film.layer(fine=True)
    cortex = film.layer(fine=True)
    for side in (RIGHT, LEFT):
        for number in range(10):
            wide = 0.0165 + 0.0006 * number
            whole = anatomy.rib(side, number, (0.03, (0.56 if number < 8 else 0.49) * np.pi))
            pieces = [whole]
            if broken == (side, number):
                pieces = pathology.break_rib(whole, findings)
            for piece in pieces:
                edges = band(piece, wide)
                back.polygon(outline(edges), 0.85)
                cortex.line(edges[0], width=0.0019, value=0.50)
                cortex.line(edges[1], width=0.0023, value=0.85)
            if number < 8:
                path = anatomy.rib(side, number, (0.50 * np.pi, (0.83 - 0.008 * number) * np.pi))
                edges = band(path, np.linspace(wide, wide * 1.28, len(path)))
                front.polygon(outline(edges), 0.8)
                cortex.line(edges[0], width=0.0016, value=0.30)
                cortex.line(edges[1], width=0.0018, value=0.42)
    _spine(film, back, cortex, anatomy)
    film.add(back, 0.078 * strength, blur=0.0012)
    film.add(front, 0.052 * strength, blur=0.0020)
    shoulders = film.layer(fine=True)
    for side in (RIGHT, LEFT):
        _shoulder(shoulders, cortex, anatomy, side)
    film.add(shoulders, 0.13 * strength, blur=0.0022)
    film.add(cortex, 0.062 * strength, blur=0.0009)


def _spine(film: Film, back: Layer, cortex: Layer, anatomy: Anatomy) -> None:
    """Vertebral bodies with end plates, pedicles and spinous processes."""
    column = film.layer()
    ys = np.linspace(-0.05, 1.05, 60)
    wide = 0.044 + 0.016 * np.clip(ys, 0, 1)
    column.polygon(outline(band(np.stack([anatomy.midline(ys), ys], 1), wide)))
    film.add(column, 0.070, blur=0.005)
    top, tall = -0.03, 0.040
    while top < 1.02:
        middle = float(anatomy.midline(np.array([top + tall / 2]))[0])
        half = 0.021 + 0.008 * max(0.0, top)
        for y in (top + 0.003, top + tall - 0.003):
            bow = smooth([(middle - half, y), (middle, y + 0.0012), (middle + half, y)])
            cortex.line(bow, width=0.0024, value=0.75)
        for side in (RIGHT, LEFT):
            cortex.line([(middle + side * half, top + 0.004),
                         (middle + side * half * 0.93, top + tall / 2),
                         (middle + side * half, top + tall - 0.004)], width=0.002, value=0.6)
            back.disc(middle + side * half * 0.66, top + tall * 0.42, radius=0.0050, value=0.75)
        back.polygon([(middle - 0.004, top + tall * 0.55), (middle + 0.004, top + tall * 0.55),
                      (middle + 0.003, top + tall * 1.1), (middle - 0.003, top + tall * 1.1)], 0.7)
        top += tall + 0.0065
        tall += 0.0011


def _shoulder(layer: Layer, cortex: Layer, anatomy: Anatomy, side: int) -> None:
    """Clavicle, shoulder blade and the head and shaft of the upper arm."""
    wide = anatomy.width
    collar = smooth([(0.030, 0.187), (0.085, 0.168), (0.15, 0.148), (0.225, 0.136), (0.30, 0.124),
                     (0.372, 0.126)])
    path = collar * [side * wide, 1.0]
    along = np.linspace(0, 1, len(path))
    thick = np.interp(along, [0, 0.12, 0.5, 0.9, 1], [0.033, 0.024, 0.019, 0.023, 0.012])
    edges = band(path, thick)
    blade = smooth([
        (0.335, 0.150), (0.300, 0.205), (0.318, 0.30), (0.345, 0.395), (0.372, 0.435),
        (0.392, 0.395), (0.408, 0.28), (0.425, 0.20), (0.400, 0.155),
    ], closed=True) * [side * wide, 1.0]
    layer.polygon(blade, 0.30)
    cortex.line(blade, width=0.0026, value=0.55)
    arm = smooth([(0.455, 0.155), (0.488, 0.170), (0.503, 0.205), (0.506, 0.25), (0.516, 0.34),
                  (0.545, 0.62), (0.505, 0.62), (0.474, 0.34), (0.452, 0.25), (0.434, 0.205),
                  (0.436, 0.172)], closed=True) * [side * wide, 1.0]
    layer.polygon(arm, 0.75)
    cortex.line(np.concatenate([arm, arm[:1]]), width=0.0028, value=0.7)
    layer.polygon(outline(edges), 0.78)
    for edge in edges:
        cortex.line(edge, width=0.0024, value=0.85)
    spine = smooth([(0.31, 0.185), (0.37, 0.145), (0.43, 0.122), (0.452, 0.135)])
    layer.line(spine * [side * wide, 1.0], width=0.011, value=0.55)
