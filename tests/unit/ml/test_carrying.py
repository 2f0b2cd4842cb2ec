"""A finding is weighed anew when its own labels change, and not when another's do."""

from dataclasses import replace

import numpy as np
import pytest

from mmreview.domain.cases import Partition
from mmreview.domain.versions import LambdaChoice
from mmreview.ml import bundle as bundles
from mmreview.ml.carrying import changes
from mmreview.ml.samples import gather

FINDINGS = 4


@pytest.fixture
def world(make_world):
    return make_world(cases=200, findings=FINDINGS, signal={"image": 0.6, "text": 0.9})


@pytest.fixture
def wrong(world):
    """A fifth of the labels are turned round."""
    turned = np.random.default_rng(3).random(world.truth.shape) < 0.2
    return np.where(turned, 1 - world.truth, world.truth).astype(np.float32)


def bundle_of(rounds, version):
    return bundles.read(
        rounds.folder / version.folder, version=version.id, sha256=version.sha256
    )


def corrected_in(world, wrong, column):
    targets, by_hand = wrong.copy(), np.zeros(wrong.shape, bool)
    targets[:, column] = world.truth[:, column]
    by_hand[:, column] = True
    return world.table(targets=targets, corrected=by_hand, seq=2)


def test_the_others_keep_calibration_and_weights_in_every_fold(make_rounds, world, wrong):
    rounds = make_rounds(world)
    first, _ = rounds.train(world.table(targets=wrong), fusion="mixture")
    second, _ = rounds.train(
        corrected_in(world, wrong, 1), number=2, parent=first, fusion="mixture"
    )
    before, after = bundle_of(rounds, first), bundle_of(rounds, second)
    others = [0, 2, 3]
    for old, new in zip(before.models, after.models, strict=True):
        for m in old.modalities:
            np.testing.assert_array_equal(
                old.calibrations[m].slope[others], new.calibrations[m].slope[others]
            )
        was, now = old.fusion.whole, new.fusion.whole
        for name in ("gain", "bias", "doubt"):
            np.testing.assert_array_equal(
                getattr(was, name)[others], getattr(now, name)[others]
            )
        np.testing.assert_array_equal(was.shares[:, others], now.shares[:, others])
        assert (was.shares[:, 1] != now.shares[:, 1]).all()
        np.testing.assert_allclose(
            list(now.weights.values()), now.shares.mean(axis=1), atol=1e-12
        )


def test_the_others_opinions_stand_still(make_rounds, world, wrong):
    rounds = make_rounds(world)
    first, _ = rounds.train(world.table(targets=wrong), fusion="mixture")
    second, result = rounds.train(
        corrected_in(world, wrong, 1), number=2, parent=first, fusion="mixture"
    )
    cases = [world.case(i) for i in range(40)]
    for old, new in zip(
        rounds.load(first).predict(cases), rounds.load(second).predict(cases), strict=True
    ):
        for column in (0, 2, 3):
            assert new.findings[column].fused == pytest.approx(
                old.findings[column].fused, abs=0.005
            )
    assert result.metrics["old_labels"]["Finding A"]["difference"][0] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("how", ["another weight", "another fusion", "no parent's labels"])
def test_all_are_weighed_anew_where_the_round_is_no_routine_one(make_rounds, world, wrong, how):
    rounds = make_rounds(world)
    first, _ = rounds.train(world.table(targets=wrong), fusion="mixture")
    options = {"fusion": "mixture"}
    if how == "another weight":
        options["weight"] = LambdaChoice("learned")
    if how == "another fusion":
        options["fusion"] = "soft"
    if how == "no parent's labels":
        rounds.tables.clear()
    second, _ = rounds.train(corrected_in(world, wrong, 1), number=2, parent=first, **options)
    was = bundle_of(rounds, first).models[0].fusion.whole
    now = bundle_of(rounds, second).models[0].fusion.whole
    assert (was.gain != now.gain).all()


def test_a_chain_of_rounds_gives_the_same_bytes_twice(
    make_rounds, world, wrong, bundle_digest
):
    made = []
    for folder in ("a", "b"):
        rounds = make_rounds(world, folder)
        first, _ = rounds.train(world.table(targets=wrong), fusion="mixture")
        second, _ = rounds.train(
            corrected_in(world, wrong, 2), number=2, parent=first, fusion="mixture"
        )
        made.append(bundle_digest(rounds.folder / second.folder))
    assert made[0] == made[1]


class TestChanges:
    @pytest.fixture
    def known(self, world):
        table = world.table()
        none = np.zeros(world.truth.shape, bool)
        return replace(table, uncertain=none.copy(), confirmed=none.copy())

    def found(self, world, table, known, learned=None):
        samples = next_of(gather(world.features, table, Partition.TRAIN))
        keys = known.keys.tolist() if learned is None else learned
        return changes(samples, known, dict.fromkeys(keys, 0)).tolist()

    def test_the_same_labels(self, world, known):
        assert self.found(world, known, known) == [0] * FINDINGS

    def test_a_state_a_hand_a_basis_a_doubt_and_a_label_that_went(self, world, known):
        targets, hand = known.targets.copy(), known.corrected.copy()
        targets[5, 0] = 1 - targets[5, 0]
        hand[6, 1] = True
        now = replace(known, targets=targets, corrected=hand)
        assert self.found(world, now, known) == [1, 1, 0, 0]
        basis, doubt, targets = known.basis.copy(), known.uncertain.copy(), known.targets.copy()
        basis[5, 0] = 1
        targets[6, 1], doubt[6, 1] = np.nan, True
        targets[7, 2] = np.nan
        now = replace(known, basis=basis, uncertain=doubt, targets=targets)
        assert self.found(world, now, known) == [1, 1, 1, 0]

    def test_a_case_that_the_parent_had_not_learned_or_that_is_gone(self, world, known):
        targets = known.targets.copy()
        targets[9, 1:] = np.nan  # of the new case only the first finding is known
        table = replace(known, targets=targets)
        others = [key for key in known.keys.tolist() if key != 9]
        assert self.found(world, table, table, others) == [1, 0, 0, 0]
        rest = table.take([row for row in range(len(table.keys)) if row != 9])
        assert self.found(world, rest, table) == [1, 0, 0, 0]


def next_of(work):
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value
