"""Support devices on a synthetic film: tubes, lines, leads, a pacemaker, wires after surgery."""

from __future__ import annotations

import numpy as np

from mmreview.demo.anatomy import LEFT, RIGHT, Anatomy
from mmreview.demo.film import Film, Layer, smooth
from mmreview.demo.lesions import Lesion, Place

#: What a device can be; the report names the same thing.
KINDS = ("tube", "line", "pacemaker", "wires", "drain")


def draw_devices(
    film: Film, anatomy: Anatomy, lesion: Lesion, rng: np.random.Generator
) -> Place:
    """Add the device named by ``lesion.kind``; returns where it is."""
    layer = film.layer(fine=True)
    place = {
        "tube": _tube, "line": _line, "pacemaker": _pacemaker, "wires": _wires, "drain": _drain,
    }[lesion.kind](layer, anatomy, lesion, rng)
    strength = 0.10 + 0.30 * lesion.severity
    if lesion.kind in ("pacemaker", "wires"):
        strength += 0.15
    film.fine += layer.array(0.0006) * np.float32(strength)
    return place


def _tube(layer: Layer, anatomy: Anatomy, lesion: Lesion, rng: np.random.Generator) -> Place:
    """An endotracheal tube above the carina, a gastric tube and the leads of a monitor."""
    tip = anatomy.hilum - 0.13 + 0.03 * rng.normal()
    for x in (-0.007, 0.007):
        layer.line([(x, -0.1), (x + 0.002, tip)], width=0.0016, value=0.55)
    layer.line([(0.0, -0.1), (0.003, tip - 0.01)], width=0.0022, value=1.0)
    if rng.random() < 0.6:
        layer.line(
            smooth([(0.012, -0.1), (0.014, 0.25), (0.020, 0.5), (0.022, 0.72), (0.07, 0.84),
                    (0.14, 0.85)]),
            width=0.0032, value=0.7,
        )
    _leads(layer, anatomy, rng)
    return 0.0, float(tip), 0.06


def _leads(layer: Layer, anatomy: Anatomy, rng: np.random.Generator) -> None:
    """The electrodes of a monitor and their cables."""
    for side in (RIGHT, LEFT):
        x, y = side * rng.uniform(0.20, 0.30), rng.uniform(0.22, 0.34)
        layer.disc(x, y, radius=0.0075, value=0.65)
        layer.line(
            smooth([(x, y), (x + side * 0.03, y + 0.12), (side * 0.24, 0.62),
                    (side * 0.10, 1.1)]),
            width=0.0022, value=0.5,
        )


def _line(layer: Layer, anatomy: Anatomy, lesion: Lesion, rng: np.random.Generator) -> Place:
    """A central venous catheter to the cavoatrial junction."""
    side = lesion.side or RIGHT
    tip = anatomy.hilum + rng.normal(0.0, 0.02)
    entry = [(side * 0.33, 0.20), (side * 0.20, 0.178)] if rng.random() < 0.5 else [
        (side * 0.10, 0.0), (side * 0.075, 0.10)]
    layer.line(
        smooth([*entry, (side * 0.06, 0.21), (-0.028, 0.27), (-0.034, 0.34), (-0.033, tip)]),
        width=0.0036, value=0.9,
    )
    return -0.034, float(tip), 0.06


def _pacemaker(layer: Layer, anatomy: Anatomy, lesion: Lesion, rng: np.random.Generator) -> Place:
    """A generator below the left clavicle with two leads into the heart."""
    x, y = 0.245 * anatomy.width, 0.245
    turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    layer.polygon(smooth(np.stack([
        x + 0.034 * np.sign(np.cos(turn)) * np.abs(np.cos(turn)) ** 0.6,
        y + 0.040 * np.sign(np.sin(turn)) * np.abs(np.sin(turn)) ** 0.6,
    ], axis=1).tolist(), closed=True, steps=3), 0.72)
    layer.disc(x - 0.004, y + 0.006, radius=0.017, value=0.95)
    left = float(anatomy.heart()[:, 0].max())
    base = min(anatomy.dome_right, anatomy.dome_left)
    start = [(x - 0.01, y - 0.035), (0.19, 0.175), (0.08, 0.20), (-0.02, 0.26), (-0.036, 0.36)]
    layer.line(smooth([*start, (-0.055, base - 0.10), (0.0, base + 0.01),
                       (left * 0.72, base + 0.005)]), width=0.0036, value=1.0)
    layer.line(smooth([*start, (-0.050, base - 0.14), (-0.070, base - 0.17)]), width=0.0032,
               value=1.0)
    return float(x), float(y), 0.055


def _wires(layer: Layer, anatomy: Anatomy, lesion: Lesion, rng: np.random.Generator) -> Place:
    """Sternal wires and clips after open heart surgery."""
    for number in range(6):
        y = 0.29 + 0.072 * number
        tilt = rng.normal(0, 0.003)
        layer.line(smooth([(-0.017, y + tilt), (0.0, y - 0.010), (0.017, y - tilt),
                           (0.0, y + 0.010)], closed=True), width=0.0030, value=1.0)
        layer.line([(0.0, y), (0.008, y + 0.012)], width=0.003, value=1.0)
    for _ in range(4):
        x, y = rng.uniform(0.03, 0.09), rng.uniform(0.42, 0.62)
        layer.line([(x, y), (x + 0.006, y + 0.003)], width=0.003, value=1.0)
    return 0.0, 0.47, 0.16


def _drain(layer: Layer, anatomy: Anatomy, lesion: Lesion, rng: np.random.Generator) -> Place:
    """A chest drain from the side of the chest towards the apex, with leads."""
    side = lesion.side or RIGHT
    wall = anatomy.wall(side, 0.6)
    path = smooth([(wall + side * 0.14, 0.72), (wall + side * 0.03, 0.66),
                   (wall - side * 0.06, 0.54), (side * 0.17, 0.32), (side * 0.13, 0.20)])
    for shift in (-0.0045, 0.0045):
        layer.line(np.add(path, (shift, 0.0)), width=0.0020, value=0.55)
    layer.line(np.add(path, (0.0028, 0.0)), width=0.0026, value=1.0)
    _leads(layer, anatomy, rng)
    return float(side * 0.17), 0.32, 0.09
