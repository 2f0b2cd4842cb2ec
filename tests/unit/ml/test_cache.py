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
