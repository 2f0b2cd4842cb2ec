"""The feature cache: found by content hash, in whatever order and in however many blocks."""

import hashlib

import numpy as np
import pytest

from mmreview.ml.cache import FeatureCache, MappedBlockFiles

WIDTH = 5


def names(count, prefix=""):
    return [hashlib.sha256(f"{prefix}{n}".encode()).hexdigest() for n in range(count)]


def cache_in(folder, **options):
    files = MappedBlockFiles(folder, width=WIDTH, card={})
    return FeatureCache(files, width=WIDTH, **options)


@pytest.fixture
def filled(tmp_path):
    hashes = names(900)
    rows = np.random.default_rng(0).standard_normal((900, WIDTH)).astype(np.float32)
    writer = cache_in(tmp_path)
    for begin in (600, 0, 300):
        writer.append(hashes[begin : begin + 300], rows[begin : begin + 300])
    return tmp_path, hashes, rows


def test_rows_come_in_the_order_they_are_asked_for(filled):
    folder, hashes, rows = filled
    rng = np.random.default_rng(1)
    for cache in (cache_in(folder), cache_in(folder, read_only=True)):
        for order in (np.arange(900), np.arange(900)[::-1], rng.permutation(900), [5], [7, 7, 3]):
            found, known = cache.read([hashes[i] for i in order])
            np.testing.assert_array_equal(found, rows[order])
            assert known.all()
        assert len(cache) == 900


def test_what_is_not_there_is_zero_and_missing(filled):
    folder, hashes, rows = filled
    cache, strange = cache_in(folder), names(3, "strange")
    asked = [strange[0], *hashes[100:500], strange[1], hashes[2], strange[2]]
    found, known = cache.read(asked)
    assert np.flatnonzero(~known).tolist() == [0, 401, 403]
    assert not found[~known].any()
    np.testing.assert_array_equal(found[1:401], rows[100:500])
    assert cache.missing(asked) == set(strange)
    assert cache.missing([]) == set()
    assert cache_in(folder / "nothing").missing(hashes[:2]) == set(hashes[:2])


def test_a_content_that_is_written_again_is_what_was_written_last(filled):
    folder, hashes, _ = filled
    again = np.ones((4, WIDTH), np.float32)
    cache = cache_in(folder)
    assert not cache.missing(hashes)
    cache.append([*hashes[:3], hashes[0]], np.vstack([again[:3], 2 * again[3:]]))
    assert cache.read(hashes[:4])[0][:3, 0].tolist() == [2, 1, 1]
    assert len(cache) == 900
    assert cache_in(folder).read(hashes[:1])[0][0, 0] == 2


def test_contents_with_the_same_beginning_are_not_taken_for_each_other(tmp_path):
    one, two = "ab" * 8 + "00" * 24, "ab" * 8 + "11" * 24
    cache = cache_in(tmp_path)
    cache.append([one], np.ones((1, WIDTH), np.float32))
    assert cache.missing([one, two]) == {two}


@pytest.fixture
def report_rows():
    """Three dense numbers, then eight that are mostly zeros, in some rows all of them."""
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((500, 11)).astype(np.float32)
    rows[:, 3:][rng.random((500, 8)) < 0.8] = 0
    rows[7, 3:], rows[8] = 0, 0
    return rows


def sparse_cache(folder, stored="float32"):
    files = MappedBlockFiles(folder, width=11, card={}, stored=stored, sparse=8)
    return FeatureCache(files, width=11)


def test_mostly_zeros_come_back_to_the_bit_in_any_order(tmp_path, report_rows):
    hashes = names(500)
    writer = sparse_cache(tmp_path)
    writer.append(hashes, report_rows)
    for cache in (writer, sparse_cache(tmp_path)):
        for order in (np.arange(500), np.arange(300, 499), np.arange(500)[::-1], [7, 8, 8, 2], [9]):
            found, known = cache.read([hashes[i] for i in order])
            np.testing.assert_array_equal(found, report_rows[order])
            assert known.all()
        mixed, known = cache.read([hashes[1], "00" * 32, hashes[4]])
        np.testing.assert_array_equal(mixed, report_rows[[1, 8, 4]])
        assert known.tolist() == [True, False, True]


def test_a_writer_sees_the_rounded_numbers_that_a_reader_will(tmp_path, report_rows):
    hashes = names(500)
    writer = sparse_cache(tmp_path, "float16")
    writer.append(hashes, report_rows)
    said, read = (cache.read(hashes)[0] for cache in (writer, sparse_cache(tmp_path, "float16")))
    np.testing.assert_array_equal(said, read)
    np.testing.assert_array_equal(said[:, 3:], report_rows[:, 3:])
    assert np.abs(said - report_rows).max() == pytest.approx(0, abs=2e-3)
    assert (said != report_rows).any()


def test_small_blocks_are_merged_to_the_bit(tmp_path, report_rows, monkeypatch):
    monkeypatch.setattr("mmreview.ml.cache._MANY", 4)
    hashes, cache = names(500), sparse_cache(tmp_path, "float16")
    for begin in range(0, 500, 50):
        cache.append(hashes[begin : begin + 50], report_rows[begin : begin + 50])
    assert len(list(tmp_path.glob("*.npy"))) <= 5
    once = sparse_cache(tmp_path / "once", "float16")
    once.append(hashes, report_rows)
    for one in (cache, sparse_cache(tmp_path, "float16")):
        np.testing.assert_array_equal(one.read(hashes)[0], once.read(hashes)[0])


def test_what_an_older_program_cached_is_read_as_it_is(tmp_path, report_rows):
    hashes = names(500)
    table = np.empty(200, [("sha256", "V32"), ("feature", "<f4", (11,))])
    table["sha256"] = np.frombuffer(bytes.fromhex("".join(hashes[:200])), "V32")
    table["feature"] = report_rows[:200]
    np.save(tmp_path / "000001-older.npy", table)
    cache = sparse_cache(tmp_path, "float16")
    assert cache.missing(hashes) == set(hashes[200:])
    np.testing.assert_array_equal(cache.read(hashes[:200])[0], report_rows[:200])
    cache.append(hashes[200:], report_rows[200:])
    both = sparse_cache(tmp_path, "float16").read(hashes[150:250])[0]
    np.testing.assert_array_equal(both[:50], report_rows[150:200])
    np.testing.assert_array_equal(both[50:, 3:], report_rows[200:250, 3:])


@pytest.mark.parametrize("damage", ["cut", "longer", "foreign", "width"])
def test_a_damaged_block_is_none(tmp_path, report_rows, damage):
    hashes = names(500)
    sparse_cache(tmp_path).append(hashes, report_rows)
    [path] = tmp_path.glob("*.npy")
    raw = np.load(path)
    if damage == "cut":
        np.save(path, raw[:-40])
    elif damage == "longer":
        np.save(path, np.append(raw, np.zeros(8, np.uint8)))
    elif damage == "foreign":
        np.save(path, np.zeros(4000, np.uint8))
    cache = sparse_cache(tmp_path)
    if damage == "width":
        cache = FeatureCache(MappedBlockFiles(tmp_path, width=12, card={}), width=12)
    assert cache.missing(hashes) == set(hashes)
