"""What a version says of itself on the audit partition, from the first labelled audit case on."""

import json

import numpy as np

from mmreview.domain.cases import Partition
from mmreview.ml.metrics import auroc


def test_a_version_is_measured_on_audit_cases_however_few(make_world, make_rounds):
    world = make_world(audit=0.06)
    few = np.flatnonzero([drawn.value == "audit" for drawn in world.partitions])[:12]
    rows = [i for i, drawn in enumerate(world.partitions) if drawn.value == "train"]
    rows = np.sort(np.concatenate([rows, few]))
    _, result = make_rounds(world).train(world.table(rows=rows))
    found = json.loads(json.dumps(result.metrics["audit"]))
    assert result.metrics["basis"] == "cross_validation"
    assert found["cases"] == 12 and found["labels"] == 48
    value, low, high = found["auroc"]["fused"]
    assert low <= value <= high
    assert set(found["auroc"]) == {"fused", "image", "text"}
    assert found["ece_perfect"][0] < found["ece_perfect"][1]


def test_on_an_audit_set_that_judges_both_say_the_same(make_world, make_rounds):
    world = make_world(audit=0.3)
    _, result = make_rounds(world).train(world.table())
    found = result.metrics["audit"]
    assert result.metrics["basis"] == "audit"
    assert found["auroc"]["fused"][0] == result.metrics["auroc"]["fused"]
    interval = result.metrics["macro"]["fused"]["intervals"]["auroc"]
    assert found["auroc"]["fused"][1:] == interval
    assert found["cases"] == result.metrics["cases"]
    assert found["ece"] == result.metrics["micro"]["fused"]["ece"]


def test_without_audit_labels_nothing_is_said(make_world, make_rounds):
    world = make_world()
    assert make_rounds(world).train(world.table())[1].metrics["audit"] is None


def test_old_versions_are_measured_on_the_same_cases_as_new_ones(make_world, make_rounds):
    world = make_world(audit=0.3)
    audit = [i for i, drawn in enumerate(world.partitions) if drawn.value == "audit"]
    rows = [i for i, drawn in enumerate(world.partitions) if drawn.value == "train"]
    rounds = make_rounds(world)
    early = np.sort(rows[:60] + audit[:8])
    old, first = rounds.train(world.table(rows=early))
    new, then = rounds.train(world.table(), number=2, parent=old)
    versions = [(v, rounds.folder / v.folder) for v in (old, new)]
    gone = (old, rounds.folder / "nowhere")
    work = rounds.trainer.audit(world.table(), findings=world.findings, versions=versions)
    found = finish(work)
    assert first.metrics["audit"]["cases"] == 8
    assert found[1]["cases"] == found[2]["cases"] == len(audit)
    assert found[2]["auroc"]["fused"] == then.metrics["audit"]["auroc"]["fused"]
    again = rounds.trainer.audit(world.table(), findings=world.findings, versions=[gone])
    assert finish(again) == {}


def test_an_audit_set_drawn_later_does_not_flatter_who_learned_from_it(make_world, make_rounds):
    world = make_world(cases=200, signal={"image": 0.0, "text": 0.0})
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table())
    world.partitions = tuple(Partition.AUDIT if (i // 2) % 4 == 0 else Partition.TRAIN
                             for i in range(200))
    found = finish(rounds.trainer.audit(
        world.table(), findings=world.findings,
        versions=[(version, rounds.folder / version.folder)],
    ))
    audit = [i for i, drawn in enumerate(world.partitions) if drawn is Partition.AUDIT]
    fused = [[f.fused for f in p.findings]
             for p in rounds.load(version).predict([world.case(i) for i in audit])]
    by_heart = np.mean([auroc(world.truth[audit, t], np.array(fused)[:, t]) for t in range(4)])
    assert by_heart > 0.6, "it does know its own cases"
    assert found[1]["auroc"]["fused"][0] < by_heart - 0.08


def finish(work):
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value
