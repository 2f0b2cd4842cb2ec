"""Coreset, BADGE and typicality do what their papers say, on small made cases."""

import numpy as np
import pytest

from mmreview.ml.acquisition.badge import gradients_apart, remaining
from mmreview.ml.acquisition.clusters import clustered, farthest, nearest, scattered, squares
from mmreview.ml.acquisition.geometry import surveyed
from mmreview.ml.acquisition.pool import Pool
from mmreview.ml.acquisition.questions import asked
from mmreview.ml.acquisition.typicality import typical
from mmreview.ml.exclusive import Group, GroupHead
from tests.unit.ml.acquisition.conftest import finish


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def greedy(points, centres, count):
    """k-center greedy as the paper writes it."""
    chosen, centres = [], [*centres]
    for _ in range(count):
        far = [
            -1 if i in chosen else min(np.linalg.norm(p - c) for c in centres)
            for i, p in enumerate(points)
        ]
        chosen.append(int(np.argmax(far)))
        centres.append(points[chosen[-1]])
    return chosen


def test_the_cover_is_that_of_brute_force(rng):
    points = rng.standard_normal((60, 5)).astype(np.float32)
    centres = rng.standard_normal((3, 5)).astype(np.float32)
    (_, apart), _ = finish(nearest(points, centres))
    (rows, far), _ = finish(farthest(points, apart, 12))
    assert rows.tolist() == greedy(points, centres, 12)
    assert np.all(np.diff(far) <= 1e-5)


def test_coreset_covers_from_what_is_labelled(ask):
    asking = ask(cases=90, labelled=30, widths={"image": 6, "text": 5})
    chosen = [c.key for c in asking.rank("coreset", top=8)]
    pool = Pool(asking.request("coreset"), asking.world.features, None)
    geometry, _ = finish(surveyed(pool))
    (points,), _ = finish(pool.scan(geometry.places, opinions=False))
    (centres,), _ = finish(pool.scan_labelled(np.arange(30), geometry.places))
    expected = greedy(points, centres, 8)
    assert chosen == [pool.keys[i] for i in expected]


def test_without_labels_coreset_begins_in_the_middle(ask):
    asking = ask(cases=40, labelled=0, widths={"image": 6, "text": 5})
    first, second, *_ = (c.key for c in asking.rank("coreset", top=5))
    x = np.hstack([asking.world.matrices[m] - asking.world.matrices[m].mean(axis=0)
                   for m in ("image", "text")])
    spread = [asking.world.matrices[m].std(axis=0) for m in ("image", "text")]
    scale = np.concatenate([np.full(len(s), 1 / np.linalg.norm(s)) for s in spread])
    places = x * scale
    assert first == np.linalg.norm(places, axis=1).argmin()
    assert second == np.linalg.norm(places - places[first], axis=1).argmax()


def test_distances_are_kept_about_as_they_are_by_the_projection(ask, rng):
    asking = ask(cases=200, labelled=0, widths={"image": 900, "text": 24})
    pool = Pool(asking.request("coreset"), asking.world.features, None)
    geometry, _ = finish(surveyed(pool))
    (places,), _ = finish(pool.scan(geometry.places, opinions=False))
    assert places.shape == (200, 64 + 24)
    image = asking.world.matrices["image"]
    exact = image / np.linalg.norm(image.std(axis=0))
    a, b = rng.integers(0, 200, (2, 400))
    a, b = a[a != b], b[a != b]
    ratio = squares(places[a, :64] - places[b, :64]) / squares(exact[a] - exact[b])
    assert ratio.mean() == pytest.approx(1, abs=0.08)
    assert ratio.std() == pytest.approx((2 / 64) ** 0.5, abs=0.06)


def test_gradients_are_those_of_the_outer_product(rng):
    fused = rng.random((40, 3)).astype(np.float32)
    points = rng.standard_normal((40, 4)).astype(np.float32)
    left = remaining(fused, asked(3, ()))
    np.testing.assert_allclose(left, fused - (fused >= 0.5))
    explicit = np.einsum("nk,nd->nkd", left, points).reshape(40, -1)
    (rows, lengths), _ = finish(
        gradients_apart(left.copy(), points, 10, np.random.default_rng(0))
    )
    np.testing.assert_allclose(lengths, squares(explicit), rtol=1e-5)
    expected, _ = finish(
        scattered(squares(explicit), lambda i: explicit @ explicit[i], 10, np.random.default_rng(0))
    )
    assert rows.tolist() == expected.tolist()
    assert rows[0] == squares(explicit).argmax()
    for i, j in ((0, 1), (5, 30)):
        product = (left[i] @ left[j]) * (points[i] @ points[j])
        assert product == pytest.approx(explicit[i] @ explicit[j], rel=1e-4)


def test_the_gradient_of_a_group_is_that_of_its_softmax():
    at_most, one_of = GroupHead(Group((0, 1), False), {}), GroupHead(Group((2, 3), True), {})
    fused = np.array([[0.2, 0.1, 0.4, 0.6], [0.6, 0.3, 0.4, 0.6], [np.nan] * 4], np.float32)
    left = remaining(fused, asked(4, (at_most, one_of)))
    # In the first row "none of them" is likeliest (.7), so nothing is taken off the two.
    np.testing.assert_allclose(
        left[:2], [[0.2, 0.1, 0.4, -0.4], [-0.4, 0.3, 0.4, -0.4]], atol=1e-6
    )
    assert np.isnan(left[2]).all()


def test_seeding_prefers_the_far_and_never_takes_one_twice(rng):
    points = np.repeat(np.eye(4, dtype=np.float32) * 10, 5, axis=0)
    rows, _ = finish(scattered(squares(points), lambda i: points @ points[i], 20, rng))
    assert sorted(rows.tolist()) == list(range(20))
    assert sorted(row // 5 for row in rows[:4]) == [0, 1, 2, 3]


def test_k_means_finds_clusters_that_are_there(rng):
    centres = rng.standard_normal((6, 8)).astype(np.float32) * 20
    truth = np.repeat(np.arange(6), 30)
    points = centres[truth] + rng.standard_normal((180, 8)).astype(np.float32)
    (labels, found), _ = finish(clustered(points, 6, rng))
    assert len({(a, b) for a, b in zip(truth, labels, strict=True)}) == 6
    for label in range(6):
        np.testing.assert_allclose(found[label], points[labels == label].mean(axis=0), atol=1e-3)


def test_typical_cases_are_in_the_middle_of_uncovered_clusters(rng):
    centres = np.eye(4, dtype=np.float32) * 40
    sizes = [60, 50, 40, 30]
    points = np.concatenate(
        [rng.standard_normal((n, 4)) + c for n, c in zip(sizes, centres, strict=True)]
    ).astype(np.float32)
    of = np.repeat(np.arange(4), sizes)
    labelled = centres[:1]  # the largest cluster is known
    (rows, densities, counts), _ = finish(typical(points, labelled, 3, rng))
    assert of[rows].tolist() == [1, 2, 3]
    assert counts.tolist() == [50, 40, 30]
    for row, density in zip(rows, densities, strict=True):
        members = points[of == of[row]]
        apart = np.sort(np.linalg.norm(members[:, None] - members[None], axis=2), axis=1)
        mean = apart[:, 1:21].mean(axis=1)
        assert density == pytest.approx(1 / mean.min(), rel=1e-3)


def test_more_typical_cases_than_clusters_are_still_found(rng):
    points = np.repeat(rng.standard_normal((3, 4)).astype(np.float32), 4, axis=0)
    (rows, _, _), _ = finish(typical(points, points[:0], 12, rng))
    assert sorted(rows.tolist()) == list(range(12))


def test_typicality_covers_the_pool_before_any_label(ask):
    asking = ask(cases=300, labelled=0)
    chosen = asking.rank("typicality", top=10)
    assert {c.reason for c in chosen} == {"queue.typical"}
    assert sum(c.params["count"] for c in chosen) == 300


def test_a_draw_stands_for_a_large_pool(ask, monkeypatch):
    monkeypatch.setattr("mmreview.ml.acquisition.typicality.SAMPLE", 100)
    chosen = ask(cases=300, labelled=0).rank("typicality", top=10)
    assert sum(c.params["count"] for c in chosen) == pytest.approx(300, abs=10)
