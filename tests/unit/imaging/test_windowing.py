"""The default window, the look-up and the thumbnails."""

import time

import numpy as np
import pytest
from PIL import Image

from mmreview.imaging.thumbnails import load_thumbnail, thumbnail
from mmreview.imaging.windowing import apply_window, load_picture, picture


@pytest.fixture
def chance():
    return np.random.default_rng(3)


def test_8_bits_are_shown_as_they_are(chance):
    pixels = chance.integers(0, 256, (30, 40), dtype=np.uint8)
    shown = picture(pixels)
    assert (shown.low, shown.high, shown.is_colour) == (0.0, 255.0, False)
    assert (shown.width, shown.height) == (40, 30)
    assert apply_window(pixels, shown.low, shown.high) is pixels


def test_the_default_window_of_16_bits_ignores_outliers(chance):
    pixels = chance.normal(2000, 200, (300, 400)).astype(np.uint16)
    pixels[0, :20] = 65535  # a burnt-in letter
    pixels[-1, :20] = 0
    shown = picture(pixels)
    assert 1200 < shown.low < 1700
    assert 2300 < shown.high < 2800
    assert shown.range == (0.0, 65535.0)


@pytest.mark.parametrize("value", [0, 700, 65535])
def test_one_value_still_has_a_window(value):
    shown = picture(np.full((10, 10), value, np.uint16))
    assert shown.high > shown.low
    apply_window(shown.pixels, shown.low, shown.high)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("inverted", [False, True])
def test_the_look_up_is_the_formula(chance, dtype, inverted):
    top = np.iinfo(dtype).max
    pixels = chance.integers(0, top + 1, (211, 333), dtype=dtype)
    low, high = 0.2 * top, 0.7 * top
    expected = np.rint(np.clip((pixels.astype(float) - low) / (high - low) * 255, 0, 255))
    shown = apply_window(pixels, low, high, inverted=inverted)
    assert shown.dtype == np.uint8 and shown.shape == pixels.shape
    difference = shown.astype(int) - (255 - expected if inverted else expected)
    assert np.abs(difference).max() <= 1  # float32 may round the other way
    assert shown[pixels <= low].tolist() == [255 if inverted else 0] * int((pixels <= low).sum())


def test_colour_and_views_that_are_not_contiguous(chance):
    colour = chance.integers(0, 256, (50, 60, 3), dtype=np.uint8)
    assert picture(colour).is_colour
    np.testing.assert_array_equal(
        apply_window(colour[::2, ::-1], 10, 200), apply_window(colour, 10, 200)[::2, ::-1]
    )


def test_a_window_of_no_width_is_a_threshold():
    pixels = np.array([[1, 2, 3]], np.uint16)
    assert apply_window(pixels, 2, 2).tolist() == [[0, 0, 255]]


def test_a_full_radiograph_is_windowed_well_under_a_naive_formula(chance):
    pixels = chance.integers(0, 4096, (3000, 2500), dtype=np.uint16)

    def best(work):
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            work()
            times.append(time.perf_counter() - begun)
        return min(times)

    ours = best(lambda: apply_window(pixels, 100, 3000))
    naive = best(lambda: np.clip((pixels - 100.0) / 2900 * 255, 0, 255).astype(np.uint8))
    assert ours < naive


def test_thumbnails_fit_and_keep_what_is_seen(tmp_path):
    grey = np.zeros((400, 800), np.uint16)
    grey[:, 400:] = 4000
    path = tmp_path / "a.png"
    Image.fromarray(grey).save(path)
    small = load_thumbnail(path, side=96)
    assert small.shape == (48, 96) and small.dtype == np.uint8
    assert small[:, :40].max() == 0 and small[:, 56:].min() == 255


def test_thumbnails_are_not_enlarged_and_colour_stays(chance):
    colour = chance.integers(0, 256, (20, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(thumbnail(picture(colour), side=96), colour)


def test_pictures_load_from_files(tmp_path, chance):
    pixels = chance.integers(0, 256, (20, 30), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(load_picture(tmp_path / "a.png").pixels, pixels)
