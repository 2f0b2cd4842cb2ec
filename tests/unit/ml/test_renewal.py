"""Quick rounds on very many labels: the heads learn, the rest of the version stays, until a whole
round is due; and what was read before is not read again."""

import json

import numpy as np
import pytest

from mmreview.domain.cases import Partition
from mmreview.ml import bundle as bundles
from mmreview.ml import renewal
from mmreview.ml.prepared import Shelf
from mmreview.ml.recipe import Recipe, fit
from mmreview.ml.samples import gather

FINDINGS = ("Finding A", "Finding B", "Finding C")


@pytest.fixture
def world(make_world, monkeypatch):
    monkeypatch.setattr(renewal, "FROM", 200)
    return make_world(cases=400, findings=3, audit=0.2)


def changed(world, cases, *, column=0):
    """Labels of some of the cases turned round, by a reader."""
    targets, hand = world.truth.copy(), np.zeros(world.truth.shape, bool)
    targets[cases, column] = 1 - targets[cases, column]
    hand[cases, column] = True
    return {"targets": targets, "corrected": hand}


def taught(world, count):
    """The first so many cases that teach."""
    return [row for row in range(len(world.truth)) if str(world.partitions[row]) == "train"][:count]


def trained(rounds, world, *, parent=None, number=1, **labels):
    version, result = rounds.train(
        world.table(**labels), number=number, parent=parent, fusion="mixture"
    )
    return version, result, bundles.read(
        rounds.folder / version.folder, version=version.id, sha256=version.sha256
    )


def same(first, second):
    """Whether two heads are the same to the bit."""
    return np.array_equal(first.weights, second.weights) and np.array_equal(first.bias, second.bias)


def ended(work):
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def codes(result):
    return [remark["code"] for remark in result.metrics["remarks"]]


class TestQuickRounds:
    def test_the_heads_that_serve_learn_and_all_else_stays(self, make_rounds, world):
        rounds = make_rounds(world)
        first, _, before = trained(rounds, world)
        _, result, after = trained(
            rounds, world, parent=first, number=2, **changed(world, taught(world, 3))
        )
        assert "remark.renewal" in codes(result)
        assert after.card["since_whole"] == {name: 3 * (t == 0) for t, name in enumerate(FINDINGS)}
        for m in world.features.modalities:
            assert not same(before.models[0].heads[m], after.models[0].heads[m])
            assert all(
                same(old.heads[m], new.heads[m])
                for old, new in zip(before.models[1:], after.models[1:], strict=True)
            )
            for old, new in zip(before.models, after.models, strict=True):
                assert np.array_equal(old.calibrations[m].slope, new.calibrations[m].slope)
        assert json.dumps(result.metrics["old_labels"])
        assert set(result.metrics["old_labels"]) == set(FINDINGS)

    def test_the_head_is_the_one_that_a_whole_round_would_fit(
        self, make_rounds, world, monkeypatch
    ):
        labels = changed(world, taught(world, 3))
        made = []
        for least in (200, 10_000):
            monkeypatch.setattr(renewal, "FROM", least)
            rounds = make_rounds(world, f"from-{least}")
            first, *_ = trained(rounds, world)
            made.append(trained(rounds, world, parent=first, number=2, **labels))
        (_, quick, renewed), (_, whole, fitted) = made
        assert "remark.renewal" in codes(quick) and "remark.renewal" not in codes(whole)
        for m in world.features.modalities:
            mine, theirs = renewed.models[0].heads[m], fitted.models[0].heads[m]
            gap = np.abs(mine.weights - theirs.weights).max() / np.abs(theirs.weights).max()
            assert gap < 0.02

    def test_what_the_twins_say_is_held_out(self, make_rounds, world):
        rounds = make_rounds(world)
        first, *_ = trained(rounds, world)
        _, quick, _ = trained(
            rounds, world, parent=first, number=2, **changed(world, taught(world, 3))
        )
        suspect = {row["key"] for row in quick.metrics["suspects"]}
        assert suspect & set(taught(world, 3))  # turned round: contradicted by who has not seen it

    def test_changes_add_up_until_a_whole_round_is_due(self, make_rounds, world):
        rounds = make_rounds(world)
        version, *_ = trained(rounds, world)
        rows = taught(world, 60)
        kept = []
        for number, count in enumerate((1, 3, 20, 21), start=2):
            labels = changed(world, rows[:count])
            version, result, bundle = trained(
                rounds, world, parent=version, number=number, **labels
            )
            kept.append((bundle.card["since_whole"].get(FINDINGS[0]), codes(result)))
        assert [count for count, _ in kept] == [1, 3, None, 1]
        assert ["remark.renewal" in told for _, told in kept] == [True, True, False, True]

    def test_without_an_audit_set_every_round_is_whole(self, make_rounds, make_world):
        world = make_world(cases=400, findings=3)
        rounds = make_rounds(world)
        first, *_ = trained(rounds, world)
        _, result, bundle = trained(
            rounds, world, parent=first, number=2, **changed(world, taught(world, 3))
        )
        assert bundle.card["since_whole"] == {}
        assert "remark.renewal" not in codes(result)

    def test_the_same_bytes_with_and_without_what_was_kept(
        self, make_rounds, world, bundle_digest
    ):
        labels = changed(world, taught(world, 3))
        made = []
        for name, fresh in (("kept", False), ("fresh", True)):
            rounds = make_rounds(world, name)
            first, *_ = trained(rounds, world)
            if fresh:  # another process: nothing is kept of what was read
                known, rounds = rounds.tables, make_rounds(world, name)
                rounds.tables = known
            version, *_ = trained(rounds, world, parent=first, number=2, **labels)
            made.append(bundle_digest(rounds.folder / version.folder))
        assert made[0] == made[1]


class TestReading:
    """``samples.gather`` with a shelf."""

    @pytest.fixture
    def asked(self, world, monkeypatch):
        """How many cases were read at a time."""
        found, matrix = [], world.features.matrix
        monkeypatch.setattr(
            world.features, "matrix",
            lambda m, hashes, out=None: found.append(len(hashes)) or matrix(m, hashes, out),
        )
        return found

    @pytest.fixture
    def shelves(self, world):
        """Shelves that hold what a fit on today's cases has prepared."""
        shelves = {m: Shelf() for m in world.features.modalities}
        read = ended(gather(world.features, world.table(), Partition.TRAIN, shelves=shelves))
        ended(fit(read, Recipe(), shelves=shelves))
        return shelves

    def test_what_was_prepared_is_left_unread(self, world, shelves, asked):
        table = world.table()
        found = ended(gather(world.features, table, Partition.TRAIN, shelves=shelves))
        assert not asked
        plain = ended(gather(world.features, table, Partition.TRAIN))
        for m, values in plain.features.items():
            assert found.features[m].shape == values.shape
            assert np.array_equal(found.features[m][[5, 2]], values[[5, 2]])
            assert np.array_equal(found.features[m][3], values[3])
            assert np.array_equal(found.features[m][4:6, ::2], values[4:6, ::2])
            assert np.array_equal(np.asarray(found.features[m]), values)
            assert np.array_equal(found.present[m], plain.present[m])

    def test_who_has_none_is_all_zeros(self, world):
        world.hashes["text"][taught(world, 1)[0]] = ()
        shelves = {m: Shelf() for m in world.features.modalities}
        for _ in range(2):
            found = ended(
                gather(world.features, world.table(), Partition.TRAIN, shelves=shelves)
            )
            assert not found.present["text"][0] and found.present["text"][1:].all()
            assert not found.features["text"][0].any()
            ended(fit(found, Recipe(), shelves=shelves))

    @pytest.mark.parametrize("what", ["a content more", "another encoder", "another case"])
    def test_what_is_not_the_same_is_read(self, world, shelves, asked, monkeypatch, what):
        table = world.table()
        if what == "a content more":
            monkeypatch.setattr(world.features, "cached", lambda modality: 1_000)
        elif what == "another encoder":
            world.features.prints["image"] = world.features.prints["text"] = "newer"
        else:
            table = world.table(rows=np.delete(np.arange(len(world.truth)), taught(world, 1)))
        ended(gather(world.features, table, Partition.TRAIN, shelves=shelves))
        assert len(asked) == 2

    def test_what_proved_to_be_the_same_is_known_by_its_new_name(
        self, world, shelves, asked, monkeypatch
    ):
        monkeypatch.setattr(world.features, "cached", lambda modality: 1_000)
        for reads in (2, 0):  # something else came to the cache: read once, and prepared already
            asked.clear()
            found = ended(gather(world.features, world.table(), Partition.TRAIN, shelves=shelves))
            ended(fit(found, Recipe(), shelves=shelves))
            assert len(asked) == reads

    def test_damaged_features_are_read_and_counted_each_time(self, world):
        world.matrices["image"][taught(world, 1)[0]] = np.nan
        shelves = {m: Shelf() for m in world.features.modalities}
        for _ in range(2):
            found = ended(
                gather(world.features, world.table(), Partition.TRAIN, shelves=shelves)
            )
            assert found.damaged["image"] == 1
            ended(fit(found, Recipe(), shelves=shelves))
