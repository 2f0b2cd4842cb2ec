"""Every kind of file a hospital sends, drawn here, and every kind that must be refused."""

import io
import os
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from mmreview.domain.errors import ImageUnreadable
from mmreview.imaging import decoding
from mmreview.imaging.decoding import decode, probe

HEIGHT, WIDTH = 40, 60


def ramp(dtype=np.uint8, top=255):
    """Grey that differs from left to right and from top to bottom."""
    across, down = np.meshgrid(np.linspace(0, 0.7, WIDTH), np.linspace(0, 0.3, HEIGHT))
    return np.rint((across + down) * top).astype(dtype)


def colours():
    grey = ramp()
    return np.stack([grey, 255 - grey, np.full_like(grey, 40)], axis=-1)


def saved(tmp_path, image, name, **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width, height, *, pixels=b""):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels))
        + chunk(b"IEND", b"")
    )


def refusal(path):
    """The code of the refusal, the same from both doors."""
    codes = set()
    for door in (probe, decode):
        with pytest.raises(ImageUnreadable) as caught:
            door(path)
        assert caught.value.params["path"] == str(path)
        codes.add(caught.value.code)
    [code] = codes
    return code


# --- what comes out right ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.gif", "a.pgm", "a.jp2"])
def test_8_bit_grey_comes_as_it_is(tmp_path, name):
    pixels = decode(saved(tmp_path, Image.fromarray(ramp()), name))
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, ramp())
    assert pixels.flags.writeable


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_16_bit_grey_keeps_every_level(tmp_path, name):
    grey = ramp(np.uint16, 65535)
    pixels = decode(saved(tmp_path, Image.fromarray(grey), name))
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, grey)


def test_big_endian_16_bit_tiff(tmp_path):
    grey = ramp(np.uint16, 4095)
    image = Image.frombytes("I;16B", (WIDTH, HEIGHT), grey.astype(">u2").tobytes())
    pixels = decode(saved(tmp_path, image, "a.tif"))
    assert pixels.dtype == np.uint16 and pixels.dtype.isnative
    np.testing.assert_array_equal(pixels, grey)


def test_16_bit_tiff_where_white_is_zero_is_turned_round(tmp_path):
    grey = ramp(np.uint16, 4095)
    path = saved(tmp_path, Image.fromarray(grey), "a.tif", tiffinfo={})
    data = bytearray(path.read_bytes())
    entry = data.index(struct.pack("<HHI", 262, 3, 1))
    data[entry + 8 : entry + 10] = struct.pack("<H", 0)
    path.write_bytes(data)
    np.testing.assert_array_equal(decode(path), 65535 - grey)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (lambda g: g, lambda g: g),  # fits: untouched
        (lambda g: g - 1024, lambda g: g),  # signed, as CT: moved to start at 0
    ],
)
def test_32_bit_integers_keep_their_steps(tmp_path, values, expected):
    grey = ramp(np.int32, 4000)
    pixels = decode(saved(tmp_path, Image.fromarray(values(grey)), "a.tif"))
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels, expected(grey))


def test_32_bit_integers_that_do_not_fit_are_scaled(tmp_path):
    pixels = decode(saved(tmp_path, Image.fromarray(ramp(np.int32, 2_000_000_000)), "a.tif"))
    assert pixels.dtype == np.uint16
    assert (pixels.min(), pixels.max()) == (0, 65535)


def test_float_tiff_is_scaled_and_its_gaps_are_filled(tmp_path):
    grey = ramp(np.float32, 1.0) + np.linspace(0, 1, WIDTH, dtype=np.float32)
    grey[0, 0], grey[1, 1], grey[2, 2] = np.nan, np.inf, -np.inf
    pixels = decode(saved(tmp_path, Image.fromarray(grey), "a.tif"))
    assert pixels.dtype == np.uint16
    assert (pixels[0, 0], pixels[1, 1], pixels[2, 2]) == (0, 65535, 0)
    rest = pixels[5].astype(int)
    assert (np.diff(rest) >= 0).all() and rest[-1] > rest[0]


def test_float_tiff_of_one_value_is_black_and_of_none_is_refused(tmp_path):
    flat = np.full((HEIGHT, WIDTH), 3.5, np.float32)
    assert decode(saved(tmp_path, Image.fromarray(flat), "a.tif")).max() == 0
    path = saved(tmp_path, Image.fromarray(flat * np.nan), "b.tif")
    assert refusal(path) == "image.damaged"


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.ppm"])
def test_colour_comes_as_it_is(tmp_path, name):
    pixels = decode(saved(tmp_path, Image.fromarray(colours()), name))
    np.testing.assert_array_equal(pixels, colours())


def test_colour_that_is_grey_becomes_grey(tmp_path):
    same = np.repeat(ramp()[..., None], 3, axis=2)
    np.testing.assert_array_equal(
        decode(saved(tmp_path, Image.fromarray(same), "a.png")), ramp()
    )
    same[HEIGHT - 3, WIDTH - 3, 2] ^= 1  # one pixel, in a row that no sample looks at
    assert decode(saved(tmp_path, Image.fromarray(same), "b.png")).ndim == 3


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk_is_not_inverted(tmp_path, name):
    # Pillow writes CMYK JPEG as Adobe does: inverted, with the marker that says so.
    ink = Image.new("CMYK", (WIDTH, HEIGHT), (0, 255, 255, 0))
    ink.paste((0, 0, 0, 0), (0, 0, WIDTH // 2, HEIGHT))
    path = saved(tmp_path, ink, name)
    if name == "a.jpg":
        assert b"Adobe" in path.read_bytes()
    pixels = decode(path).astype(int)
    assert pixels[5, 5].min() > 240  # no ink is white
    assert pixels[5, -5, 0] > 240 and pixels[5, -5, 1:].max() < 15  # magenta + yellow is red


def test_palette_colours_and_grey_palettes(tmp_path):
    palette = Image.fromarray(colours()).quantize(64)
    np.testing.assert_array_equal(
        decode(saved(tmp_path, palette, "a.png")), np.asarray(palette.convert("RGB"))
    )
    grey = Image.fromarray(ramp()).convert("P")
    np.testing.assert_array_equal(decode(saved(tmp_path, grey, "b.png")), ramp())


def test_transparent_palette_entry_is_black(tmp_path):
    image = Image.new("P", (4, 2), 0)
    image.putpalette([200, 10, 10, 10, 200, 10])
    image.paste(1, (2, 0, 4, 2))
    pixels = decode(saved(tmp_path, image, "a.png", transparency=0))
    assert pixels[0].tolist() == [[0, 0, 0]] * 2 + [[10, 200, 10]] * 2


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_transparency_lies_on_black(tmp_path, alpha):
    colour = Image.fromarray(colours())
    colour.putalpha(alpha)
    expected = colours() * (alpha / 255)
    found = decode(saved(tmp_path, colour, "a.png"))
    if alpha == 0:
        assert found.shape == (HEIGHT, WIDTH) and found.max() == 0
    else:
        assert np.abs(found - expected).max() <= 1
    grey = Image.fromarray(ramp())
    grey.putalpha(alpha)
    found = decode(saved(tmp_path, grey, "b.png"))
    assert found.shape == (HEIGHT, WIDTH)
    assert np.abs(found - ramp() * (alpha / 255)).max() <= 1


def test_1_bit(tmp_path):
    bits = ramp() > 100
    pixels = decode(saved(tmp_path, Image.fromarray(bits), "a.png"))
    np.testing.assert_array_equal(pixels, bits * np.uint8(255))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif"])
def test_exif_orientation(tmp_path, orientation, name):
    upright = ramp()
    undo = {  # how a camera stores what is to be shown upright
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: np.transpose, 6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(np.transpose(a), 2), 8: lambda a: np.rot90(a, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(undo(upright)))
    options = {"quality": 100} if name == "a.jpg" else {}
    path = saved(tmp_path, stored, name, exif=exif, **options)
    assert probe(path) == (WIDTH, HEIGHT)
    assert np.abs(decode(path).astype(int) - upright).max() <= 3


def test_broken_exif_does_not_cost_the_pixels(tmp_path):
    path = saved(tmp_path, Image.fromarray(ramp()), "a.png", exif=b"Exif\x00\x00MM\x00*\xff\xff")
    np.testing.assert_array_equal(decode(path), ramp())


def test_reduced_decoding_keeps_both_sides_long_enough(tmp_path):
    grey = np.asarray(Image.fromarray(ramp()).resize((800, 600)))
    path = saved(tmp_path, Image.fromarray(grey), "a.jpg")
    assert decode(path).shape == (600, 800)
    assert decode(path, at_least=601).shape == (600, 800)
    assert decode(path, at_least=260).shape == (300, 400)
    assert decode(path, at_least=70).shape == (75, 100)
    assert probe(path) == (800, 600)
    close = np.asarray(Image.fromarray(grey).reduce(2)).astype(int)
    assert np.abs(decode(path, at_least=260) - close).max() <= 4


def test_the_first_of_several_frames_is_taken(tmp_path):
    frames = [Image.fromarray(ramp()), Image.fromarray(255 - ramp())]
    for name in ("a.gif", "a.tif"):
        path = saved(tmp_path, frames[0], name, save_all=True, append_images=frames[1:])
        np.testing.assert_array_equal(decode(path), ramp())


# --- what is refused --------------------------------------------------------------------------


def test_missing_folder_pipe_and_empty(tmp_path):
    assert refusal(tmp_path / "none.png") == "image.missing"
    assert refusal(tmp_path) == "image.not_a_file"
    os.mkfifo(tmp_path / "pipe.png")
    assert refusal(tmp_path / "pipe.png") == "image.not_a_file"
    (tmp_path / "empty.png").touch()
    assert refusal(tmp_path / "empty.png") == "image.empty"


@pytest.mark.parametrize(
    "data", [b"\0", b"hello", b"<html>" * 50, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"]
)
def test_what_is_no_image(tmp_path, data):
    (tmp_path / "a.png").write_bytes(data)
    assert refusal(tmp_path / "a.png") == "image.not_an_image"


def noise(**options):
    data = np.random.default_rng(0).integers(0, 255, (90, 110, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(data).save(buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize(
    "options",
    [
        {"format": "JPEG"},
        {"format": "JPEG", "progressive": True},
        {"format": "PNG"},
        {"format": "BMP"},
        {"format": "GIF"},
        {"format": "PPM"},
        {"format": "TIFF"},
        {"format": "TIFF", "compression": "tiff_lzw"},
        {"format": "WEBP"},
        {"format": "JPEG2000"},
    ],
    ids=lambda value: "-".join(str(v) for v in value.values()),
)
def test_a_file_cut_short_is_refused_not_shown_half_grey(tmp_path, options, share):
    whole = noise(**options)
    path = tmp_path / "cut"
    path.write_bytes(whole)
    decode(path)
    path.write_bytes(whole[: int(len(whole) * share)])
    assert refusal(path) in ("image.damaged", "image.not_an_image")


def test_a_large_png_bomb_is_refused_at_once(tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of(30_000, 30_000, pixels=b"\0" * 1_000_000))
    begun = time.perf_counter()
    assert refusal(path) == "image.too_many_pixels"
    assert time.perf_counter() - begun < 0.5


def test_between_our_limit_and_the_librarys_too(tmp_path):
    path = tmp_path / "large.png"
    path.write_bytes(png_of(10_001, 10_000))
    assert refusal(path) == "image.too_many_pixels"


def test_a_heavy_file_is_refused_unread(tmp_path, monkeypatch):
    path = saved(tmp_path, Image.fromarray(colours()), "a.png")
    monkeypatch.setattr(decoding, "MAX_FILE_BYTES", path.stat().st_size)
    decode(path)
    monkeypatch.setattr(decoding, "MAX_FILE_BYTES", path.stat().st_size - 1)
    assert refusal(path) == "image.file_too_large"


def test_random_damage_never_escapes_as_another_error(tmp_path):
    chance = np.random.default_rng(7)
    path = tmp_path / "a"
    for options in ({"format": "PNG"}, {"format": "TIFF"}, {"format": "JPEG"}, {"format": "GIF"}):
        whole = np.frombuffer(noise(**options), np.uint8)
        for _ in range(40):
            broken = whole.copy()
            where = chance.integers(0, min(broken.size, 400), 6)
            broken[where] = chance.integers(0, 256, 6)
            path.write_bytes(broken.tobytes())
            try:
                pixels = decode(path)
            except ImageUnreadable as error:
                assert error.code.startswith("image.")
            else:
                assert pixels.dtype in (np.uint8, np.uint16)
