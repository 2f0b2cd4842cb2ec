"""Suspected label errors: the planted ones are found, the rare ones left alone."""

import json
from dataclasses import replace

import numpy as np

from mmreview.domain.cases import Partition
from mmreview.ml.label_errors import MOST, suspects
from mmreview.ml.recipe import Recipe, fit
from mmreview.ml.samples import gather


def end(work):
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def found(world, table, *, seed=0):
    samples = end(gather(world.features, table, Partition.TRAIN))
    fitted = end(fit(samples, Recipe(seed=seed)))
    return end(suspects(samples, fitted, world.findings, seed=seed))


def planted(world, count, *, seed=1):
    """The labels with so many of them turned round, and which."""
    rng = np.random.default_rng(seed)
    targets = world.truth.copy()
    chosen = np.unravel_index(rng.choice(targets.size, count, replace=False), targets.shape)
    targets[chosen] = 1 - targets[chosen]
    return targets, {(int(r), world.findings[c]) for r, c in zip(*chosen, strict=True)}


def test_planted_errors_come_first(make_world):
    world = make_world(cases=300, findings=4)
    targets, wrong = planted(world, 60)
    listed = found(world, world.table(targets=targets))
    first = [(s["key"], s["finding"]) in wrong for s in listed[:30]]
    assert sum(first) >= 27
    for suspect in listed:
        said = targets[suspect["key"], world.findings.index(suspect["finding"])]
        assert suspect["state"] == ("present" if said else "absent")
        assert 0 <= suspect["confidence"] < 0.5
    assert len(listed) <= MOST
    json.dumps(listed)


def test_the_same_twice(make_world):
    world = make_world(cases=200)
    targets, _ = planted(world, 40)
    assert found(world, world.table(targets=targets)) == found(world, world.table(targets=targets))


def test_what_was_confirmed_is_not_suspected_and_what_was_corrected_less(make_world):
    world = make_world(cases=300)
    targets, _ = planted(world, 60)
    table = world.table(targets=targets)
    worst = found(world, table)[0]
    cell = worst["key"], world.findings.index(worst["finding"])
    marks = np.zeros(targets.shape, bool)
    marks[cell] = True
    named = [(s["key"], s["finding"]) for s in found(world, replace(table, confirmed=marks))]
    assert (worst["key"], worst["finding"]) not in named
    again = found(world, replace(table, corrected=marks))
    place = [(s["key"], s["finding"]) for s in again].index((worst["key"], worst["finding"]))
    assert place > 0


def test_audit_cases_are_never_suspected(make_world):
    world = make_world(cases=300, audit=0.3)
    targets, _ = planted(world, 80)
    audit = {row for row, drawn in enumerate(world.partitions) if drawn is Partition.AUDIT}
    assert audit.isdisjoint(s["key"] for s in found(world, world.table(targets=targets)))


def test_the_true_cases_of_a_finding_that_nothing_shows_are_no_errors(make_world):
    world = make_world(cases=300, findings=3)
    rng = np.random.default_rng(5)
    targets = world.truth.copy()
    targets[:, 2] = rng.random(300) < 0.05  # rare, and not to be seen in the features
    listed = found(world, world.table(targets=targets))
    blamed = sum(s["finding"] == world.findings[2] for s in listed)
    assert blamed <= 0.6 * targets[:, 2].sum()


def test_a_label_on_the_image_alone_is_judged_by_the_image(make_world):
    world = make_world(cases=300, signal={"image": 2.0, "text": 0.0})
    targets, wrong = planted(world, 30)
    basis = np.full(targets.shape, 1, np.int8)
    listed = found(world, world.table(targets=targets, basis=basis))
    assert sum((s["key"], s["finding"]) in wrong for s in listed[:20]) >= 17


def test_nothing_to_suspect(make_world):
    world = make_world(cases=60, findings=3)
    targets = np.full(world.truth.shape, np.nan, np.float32)
    targets[:, 0] = world.truth[:, 0]
    targets[:, 1] = 1  # one class only
    assert {s["finding"] for s in found(world, world.table(targets=targets))} <= {
        world.findings[0]
    }


def test_damaged_features_and_one_patient_are_survived(make_world):
    world = make_world(cases=120)
    targets, _ = planted(world, 20)
    world.matrices["image"][::7] = np.nan
    damaged = found(world, world.table(targets=targets))
    assert damaged
    assert all(0 <= suspect["confidence"] <= 1 for suspect in damaged)
    world.groups = ("one patient",) * 119 + ("another",)
    of_one = found(world, world.table(targets=targets))
    assert all(0 <= suspect["confidence"] <= 1 for suspect in of_one)
    assert {suspect["finding"] for suspect in of_one} <= set(world.findings)


def test_a_round_leaves_its_suspects(make_world, make_rounds):
    world = make_world(cases=200)
    targets, _ = planted(world, 30)
    _, result = make_rounds(world).train(world.table(targets=targets))
    assert result.metrics["suspects"][0].keys() == {"key", "finding", "state", "confidence"}
