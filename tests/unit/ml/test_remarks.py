"""What a person hears of a round beside its measures (see also ``tests/e2e/test_bad_input``)."""

import pytest

from mmreview.domain.versions import LambdaChoice
from mmreview.ml.fusion import FUSIONS, reads_parts
from mmreview.ml.remarks import weight_unused


def test_a_weight_set_by_hand_that_a_fusion_has_no_use_for_is_named(make_world, make_rounds):
    world = make_world(cases=60)
    rounds = make_rounds(world)
    by_hand = LambdaChoice("manual", 0.6)
    _, result = rounds.train(world.table(), fusion="vote", weight=by_hand)
    told = {"fusion": "vote", "value": "0.6"}
    assert {"code": "remark.weight_unused", "params": told} in result.metrics["remarks"]
    _, result = rounds.train(world.table(), number=2, fusion="pooling", weight=by_hand)
    assert not any(r["code"] == "remark.weight_unused" for r in result.metrics["remarks"])


@pytest.mark.parametrize("name", [name for name in FUSIONS if not reads_parts(name)])
def test_a_fusion_without_a_weight_is_one_that_serves_none(make_world, make_rounds, name):
    world = make_world(cases=60)
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table(), fusion=name)
    unused = weight_unused(LambdaChoice("manual", 0.6), name)
    assert bool(unused) == (not rounds.load(version).weights)
    assert weight_unused(LambdaChoice(), name) == []
