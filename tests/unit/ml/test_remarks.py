"""What a person hears of a round beside its measures (see also ``tests/e2e/test_bad_input``)."""

from mmreview.domain.versions import LambdaChoice


def test_a_weight_set_by_hand_that_a_fusion_has_no_use_for_is_named(make_world, make_rounds):
    world = make_world(cases=60)
    rounds = make_rounds(world)
    by_hand = LambdaChoice("manual", 0.6)
    _, result = rounds.train(world.table(), fusion="vote", weight=by_hand)
    told = {"fusion": "vote", "value": "0.6"}
    assert {"code": "remark.weight_unused", "params": told} in result.metrics["remarks"]
    _, result = rounds.train(world.table(), number=2, fusion="pooling", weight=by_hand)
    assert not any(r["code"] == "remark.weight_unused" for r in result.metrics["remarks"])
