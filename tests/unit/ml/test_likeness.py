"""Near-duplicates by features: the same picture in another encoding is found, the like is not."""

import numpy as np
import pytest

from mmreview.domain.likeness import Alikeness
from mmreview.ml.likeness import LEAST_CASES, NEAR, FeatureLikeness
from tests.unit.ml.conftest import FakeFeatures


def ended(generator):
    while True:
        try:
            next(generator)
        except StopIteration as done:
            return done.value


@pytest.fixture
def features():
    """300 pictures and reports that are nothing alike; 7 is nearly 3, 8 has 3's picture only."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((300, 120)).astype(np.float32) * 2 + 5
    text = rng.standard_normal((300, 60)).astype(np.float32)
    image[7] = image[3] + 0.2 * rng.standard_normal(120)
    text[7] = text[3] + 0.01 * rng.standard_normal(60)
    image[8] = image[3] + 0.2 * rng.standard_normal(120)
    return FakeFeatures({"image": image, "text": text})


def pool(image, text=None):
    text = image if text is None else text
    return {
        "image": [(str(n),) if n is not None else () for n in image],
        "text": [(str(n),) if n is not None else () for n in text],
    }


def alike(likeness, mine, keys, hashes):
    return ended(likeness.alike(mine, keys=keys, hashes=hashes))


def test_a_near_duplicate_is_found_and_one_with_another_report_comes_after_it(features):
    keys = [n for n in range(300) if n != 3]
    found = alike(
        FeatureLikeness(features), {"image": ("3",), "text": ("3",)}, keys, pool(keys)
    )
    assert [(a.key, a.kind) for a in found] == [(7, Alikeness.WHOLE), (8, Alikeness.IMAGE)]
    assert NEAR["image"] <= found[0].image < 1.0
    assert found[1].text < NEAR["text"]


def test_asking_again_reads_next_to_nothing(features):
    keys = list(range(1, 300))
    read = []
    matrix = features.matrix
    features.matrix = lambda m, hashes: read.append(len(hashes)) or matrix(m, hashes)
    likeness = FeatureLikeness(features)
    alike(likeness, {"image": ("3",), "text": ("3",)}, keys, pool(keys))
    read.clear()
    found = alike(likeness, {"image": ("8",), "text": ("8",)}, keys, pool(keys))
    assert [a.key for a in found if a.key != 8] == [3, 7]
    assert sum(read) < 20


def test_a_changed_pool_is_looked_through_again(features):
    likeness = FeatureLikeness(features)
    keys = [n for n in range(300) if n not in (3, 7, 8)]
    mine = {"image": ("3",), "text": ("3",)}
    assert alike(likeness, mine, keys, pool(keys)) == []
    more = sorted([*keys, 7])
    assert [a.key for a in alike(likeness, mine, more, pool(more))] == [7]


def test_reports_alone_make_cases_alike_only_where_neither_has_a_picture(features):
    keys = [n for n in range(300) if n != 3]
    without = [None] * len(keys)
    mine = {"image": (), "text": ("3",)}
    found = alike(FeatureLikeness(features), mine, keys, pool(without, keys))
    assert [(a.key, a.kind, a.image) for a in found] == [(7, Alikeness.WHOLE, None)]
    pictured = [n if n == 7 else None for n in keys]
    assert alike(FeatureLikeness(features), mine, keys, pool(pictured, keys)) == []


def test_a_case_that_lacks_the_report_shares_the_picture_only(features):
    keys = [n for n in range(300) if n != 3]
    texts = [None if n == 7 else n for n in keys]
    found = alike(
        FeatureLikeness(features), {"image": ("3",), "text": ("3",)}, keys, pool(keys, texts)
    )
    assert [(a.key, a.kind, a.text) for a in found if a.key == 7] == [(7, Alikeness.IMAGE, None)]


def test_with_next_to_no_cases_only_the_same_content_counts(features):
    keys = [1, 2, 7, 9]
    hashes = pool([1, 2, 7, 3])
    assert len(keys) < LEAST_CASES
    found = alike(FeatureLikeness(features), {"image": ("3",), "text": ("3",)}, keys, hashes)
    assert [(a.key, a.kind, a.image) for a in found] == [(9, Alikeness.WHOLE, 1.0)]


def test_a_case_that_is_not_encoded_is_alike_by_its_content_alone(features):
    features.matrix = lambda m, hashes: (
        np.zeros((len(hashes), features.width(m)), np.float32), np.zeros(len(hashes), bool)
    )
    keys = list(range(10, 60))
    hashes = pool([3, *range(11, 60)])
    found = alike(FeatureLikeness(features), {"image": ("3",), "text": ("3",)}, keys, hashes)
    assert [a.key for a in found] == [10]


def test_features_that_are_no_numbers_are_left_out(features):
    source = features._matrices["image"]
    source[7] = np.nan
    keys = [n for n in range(300) if n != 3]
    found = alike(
        FeatureLikeness(features), {"image": ("3",), "text": ("3",)}, keys, pool(keys)
    )
    assert [a.key for a in found] == [8]
