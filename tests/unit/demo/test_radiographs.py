from functools import lru_cache

import numpy as np
import pytest

from mmreview.demo.anatomy import LEFT, RIGHT, draw_anatomy
from mmreview.demo.devices import KINDS
from mmreview.demo.lateral import lateral
from mmreview.demo.lesions import (
    CARDIOMEGALY,
    CONSOLIDATION,
    DEVICES,
    EFFUSION,
    LESION,
    PNEUMOTHORAX,
    Lesion,
)
from mmreview.demo.radiographs import Radiograph, frontal


def body(*, seed: int = 3):
    return draw_anatomy(np.random.default_rng(seed), female=False, age=55)


@lru_cache(maxsize=8)
def drawn(*lesions: Lesion, seed: int = 3) -> Radiograph:
    return frontal(body(seed=seed), lesions, np.random.default_rng(seed), portable=False)


def brightness(film: Radiograph, place: tuple[float, float, float], *, share: float = 0.5) -> float:
    x, y, radius = place
    reach = max(radius * share, 4)
    grey = np.asarray(film.image, dtype=float)
    box = grey[int(y - reach) : int(y + reach), int(x - reach) : int(x + reach)]
    return float(box.mean())


def test_lungs_are_dark_bones_and_heart_are_bright():
    grey = np.asarray(drawn().image, dtype=float)
    height, width = grey.shape
    lung = grey[int(0.45 * height), int(0.30 * width)]
    patch = grey[int(0.42 * height) : int(0.48 * height), int(0.27 * width) : int(0.33 * width)]
    middle = grey[int(0.55 * height) : int(0.65 * height), int(0.49 * width) : int(0.53 * width)]
    assert lung < 160
    assert patch.mean() + 60 < middle.mean()


@pytest.mark.parametrize("finding", [CONSOLIDATION, LESION])
def test_an_opacity_brightens_its_place(finding):
    lesion = Lesion(finding, 0.9, RIGHT, (0.5, 0.5))
    film = drawn(lesion)
    place = film.positions[finding]
    assert brightness(film, place) > brightness(drawn(), place) + 12


def test_an_effusion_fills_the_angle():
    film = drawn(Lesion(EFFUSION, 0.8, LEFT))
    place = film.positions[EFFUSION]
    assert place[0] > film.image.width / 2
    assert brightness(film, place) > brightness(drawn(), place) + 12


def test_a_pneumothorax_darkens_the_rim():
    film = drawn(Lesion(PNEUMOTHORAX, 0.9, LEFT))
    plain = drawn()
    difference = np.asarray(film.image, float) - np.asarray(plain.image, float)
    left_lung = difference[150:500, film.image.width * 5 // 8 :]
    assert (left_lung < -12).sum() > 2000


def test_a_large_heart_is_wider():
    film = drawn(Lesion(CARDIOMEGALY, 0.9, 0))
    mild = drawn(Lesion(CARDIOMEGALY, 0.1, 0))
    assert film.positions[CARDIOMEGALY][2] > mild.positions[CARDIOMEGALY][2] * 1.1


def test_severity_makes_a_lesion_easier_to_see():
    differences = []
    for severity in (0.1, 0.9):
        film = drawn(Lesion(CONSOLIDATION, severity, LEFT, (0.5, 0.5)))
        place = film.positions[CONSOLIDATION]
        differences.append(brightness(film, place) - brightness(drawn(), place))
    assert differences[0] < differences[1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_device_is_drawn_bright(kind):
    film = drawn(Lesion(DEVICES, 0.9, RIGHT, kind=kind))
    brighter = np.asarray(film.image, float) - np.asarray(drawn().image, float)
    assert (brighter > 25).sum() > 150
    assert DEVICES in film.positions


def test_a_lateral_film_has_its_own_shape():
    film = lateral(body(), (Lesion(EFFUSION, 0.7, LEFT),), np.random.default_rng(1))
    assert film.mode == "L"
    assert film.height == 960
    assert film.width < film.height
