"""The gate lets what is not worse serve, refuses what is worse, and says when it cannot tell."""

import json
from pathlib import Path

import numpy as np
import pytest

from mmreview.ml import gate

SENTENCES = json.loads(
    (Path(__file__).parents[3] / "resources/translations/en/model.json").read_text()
)


def bout(shift, *, cases=200, noise=0.3, basis="audit", seed=0):
    """A champion that knows something, and a challenger whose logits lie ``shift`` nearer to the
    truth."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((cases, 3)) < 0.4).astype(float)
    sign = 2 * truth - 1
    champion = sign + rng.standard_normal((cases, 3))
    challenger = champion + shift * sign + noise * rng.standard_normal((cases, 3))
    p, q = (1 / (1 + np.exp(-z)) for z in (challenger, champion))
    return gate.Bout(truth, p, q, np.array([f"g{i // 2}" for i in range(cases)]), None, basis)


def sentence(verdict):
    return SENTENCES[verdict.reason].format(**verdict.params)


@pytest.mark.parametrize("basis", ["audit", "cross_validation"])
def test_better_is_accepted(basis):
    verdict = gate.judge(bout(0.5, basis=basis), seed=0)
    assert verdict.accepted
    assert verdict.reason == f"gate.better.{basis}"
    assert verdict.log_loss_difference < 0
    assert verdict.auroc_difference > 0
    assert verdict.cases == 200
    assert "200" in sentence(verdict)


@pytest.mark.parametrize("basis", ["audit", "cross_validation"])
def test_worse_is_refused(basis):
    verdict = gate.judge(bout(-0.5, basis=basis), seed=0)
    assert not verdict.accepted
    assert verdict.reason == f"gate.worse.{basis}"
    assert "promote this one by hand" in sentence(verdict)


def test_the_same_again_is_not_worse():
    verdict = gate.judge(bout(0.0, noise=0.0), seed=0)
    assert verdict.accepted
    assert verdict.reason == "gate.not_worse.audit"
    assert verdict.log_loss_difference == 0
    sentence(verdict)


def test_too_few_cases_to_tell_is_an_answer():
    verdicts = [gate.judge(bout(0.3, cases=8, noise=1.5, seed=s), seed=0) for s in range(20)]
    reasons = {v.reason for v in verdicts}
    assert "gate.too_few.audit" in reasons
    for verdict in verdicts:
        assert sentence(verdict)
        assert verdict.accepted is (verdict.reason.split(".")[1] in ("better", "not_worse"))


def test_a_first_version_is_accepted():
    assert gate.first("audit", 3).accepted
    assert sentence(gate.first("audit", 3))
    assert sentence(gate.incomparable("audit", 3))


def test_an_audit_set_needs_cases_and_labels_of_both_kinds():
    truth = np.full((30, 2), np.nan)
    assert not gate.big_enough(truth)
    truth[:, 0] = 0
    assert not gate.big_enough(truth)
    truth[:10, 0] = 1
    assert gate.big_enough(truth)
    assert not gate.big_enough(truth[:19])


@pytest.mark.parametrize("audit", [0.2, 0.0], ids=["audit", "cross_validation"])
def test_a_sabotaged_challenger_is_refused(make_world, make_rounds, audit):
    world = make_world(cases=300, audit=audit)
    rounds = make_rounds(world)
    champion, first = rounds.train(world.table())
    assert first.gate.reason == "gate.first"
    # With an audit set even labels that are all wrong are found out; without, a part is.
    rng = np.random.default_rng(1)
    spoiled = rng.random(world.truth.shape) < (0.9 if audit else 0.35)
    spoiled[[str(p) == "audit" for p in world.partitions]] = False
    targets = np.where(spoiled, 1 - world.truth, world.truth).astype(np.float32)
    table = world.table(targets=targets, corrected=spoiled, seq=2)
    _, result = rounds.train(table, number=2, parent=champion)
    assert result.gate.basis == ("audit" if audit else "cross_validation")
    if audit:
        assert result.metrics["basis"] == "audit"
    assert not result.gate.accepted, result.gate
    assert result.gate.reason.startswith("gate.worse")
    # The honest labels again are let through.
    _, honest = rounds.train(world.table(seq=3), number=3, parent=champion)
    assert honest.gate.accepted


def test_more_labels_are_let_through(make_world, make_rounds):
    world = make_world(cases=240)
    rounds = make_rounds(world)
    champion, _ = rounds.train(world.table(rows=np.arange(60)))
    _, result = rounds.train(world.table(seq=2), number=2, parent=champion)
    assert result.gate.accepted
    assert result.gate.log_loss_difference < 0
