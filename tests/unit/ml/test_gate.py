"""The gate lets what is not worse serve, refuses what is worse, and says when it cannot tell."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmreview.domain.gates import Attempt, GateRules
from mmreview.domain.ports import GateTerms
from mmreview.domain.versions import Outcome
from mmreview.ml import gate

FOLDER = Path(__file__).parents[3] / "resources/translations/en"
SENTENCES = json.loads((FOLDER / "gate.json").read_text())


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def bout(shift, *, cases=200, noise=0.3, basis="audit", seed=0, others=(), findings=3, spoil=None):
    """A champion that knows something, and a challenger whose logits lie ``shift`` nearer to the
    truth; ``others`` are how much nearer the first and the best version lie than the champion."""
    rng = np.random.default_rng(seed)
    truth = (rng.random((cases, findings)) < 0.4).astype(float)
    sign = 2 * truth - 1
    champion = sign + rng.standard_normal((cases, findings))
    challenger = champion + shift * sign + noise * rng.standard_normal((cases, findings))
    if spoil is not None:
        challenger[:, spoil] = -challenger[:, spoil]
    rivals = [gate.Rivalry("champion", 7, sigmoid(champion))]
    for name, nearer in zip(("first", "best"), others, strict=False):
        said = champion + nearer * sign + 0.05 * rng.standard_normal((cases, findings))
        rivals.append(gate.Rivalry(name, len(rivals), sigmoid(said)))
    return gate.Bout(
        truth, sigmoid(challenger), tuple(rivals), np.array([f"g{i // 2}" for i in range(cases)]),
        None, basis, tuple(f"F{t}" for t in range(findings)),
    )


def sentence(verdict):
    return SENTENCES[verdict.reason].format(**verdict.params)


def ruled(attempts=(), **rules):
    return GateTerms(rules=GateRules(**rules), attempts=tuple(attempts))


@pytest.mark.parametrize("basis", ["audit", "cross_validation"])
def test_better_is_accepted(basis):
    verdict = gate.judge(bout(0.5, basis=basis), seed=0)
    assert verdict.accepted
    assert verdict.reason == f"gate.better.{basis}"
    assert verdict.log_loss_difference < 0
    assert verdict.auroc_difference > 0
    assert verdict.cases == 200
    assert "200" in sentence(verdict)
    assert [row["finding"] for row in verdict.report["findings"]] == ["F0", "F1", "F2"]
    assert ("budget" in verdict.report) is (basis == "audit")


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


def test_many_small_losses_do_not_add_up():
    # Better than the champion, and far behind the first and the best version.
    for others, reason in (((1.0,), "gate.worse_than_first"), ((0.0, 1.0), "gate.worse_than_best")):
        verdict = gate.judge(bout(0.1, others=others, cases=400), seed=0)
        assert not verdict.accepted
        assert verdict.reason == reason
        assert str(len(others)) in sentence(verdict)
        assert [r["role"] for r in verdict.report["rivals"]][1:] == ["first", "best"][: len(others)]


def test_a_finding_that_is_surely_lost_is_named():
    verdict = gate.judge(bout(0.8, cases=400, findings=6, spoil=4), seed=0, terms=ruled(delta=0.5))
    lost = {row["finding"]: row for row in verdict.report["findings"]}["F4"]
    assert lost["held"]
    assert lost["upper"] < 0
    if verdict.reason == "gate.finding_worse":
        assert "F4" in sentence(verdict)
    assert not verdict.accepted


def test_probabilities_that_mean_less_are_refused():
    # The same ranking, surer of it than is true; so mild a loss that it alone would pass here.
    made = bout(0.0, noise=0.0, cases=400)
    logit = np.log(made.challenger / (1 - made.challenger))
    champion = replace(made.rivals[0], opinions=sigmoid(2 * logit))
    sharper = replace(made, challenger=sigmoid(3.2 * logit), rivals=(champion,))
    verdict = gate.judge(sharper, seed=0, terms=ruled(tolerance=0.05, delta=0.5))
    assert verdict.reason == "gate.calibration_worse"
    assert not verdict.accepted
    assert verdict.report["calibration"]["held"]
    sentence(verdict)


def test_too_few_cases_to_tell_is_an_answer_and_says_how_many_more():
    verdicts = [gate.judge(bout(0.3, cases=8, noise=1.5, seed=s), seed=0) for s in range(20)]
    reasons = {v.reason for v in verdicts}
    assert "gate.too_few.audit" in reasons
    for verdict in verdicts:
        assert sentence(verdict)
        assert verdict.accepted is (verdict.reason.split(".")[1] in ("better", "not_worse"))
        if verdict.reason == "gate.too_few.audit":
            assert verdict.report["needed"] > 0
            assert str(verdict.report["needed"]) in sentence(verdict)


def test_as_many_more_as_it_says_would_do():
    made = [bout(0.1, cases=24, noise=0.6, seed=seed) for seed in range(20)]
    judged = [(few, gate.judge(few, seed=0)) for few in made]
    few, verdict = next(pair for pair in judged if pair[1].reason == "gate.too_few.audit")
    times = -(-(verdict.cases + verdict.report["needed"]) // verdict.cases)
    more = replace(
        few, truth=np.tile(few.truth, (times, 1)), challenger=np.tile(few.challenger, (times, 1)),
        rivals=(replace(few.rivals[0], opinions=np.tile(few.rivals[0].opinions, (times, 1))),),
        groups=np.array([f"{copy} {g}" for copy in range(times) for g in few.groups]),
    )
    assert gate.judge(more, seed=0).report["rivals"][0]["upper"] <= 0.05 * 1.1


def test_all_cases_of_one_patient_tell_nothing():
    made = bout(0.5)
    verdict = gate.judge(replace(made, groups=np.full(200, "one")), seed=0)
    assert verdict.reason == "gate.one_patient"
    assert not verdict.accepted
    sentence(verdict)


def test_a_project_may_ask_for_proof_or_for_a_reader():
    same = bout(0.0, noise=0.0)
    verdict = gate.judge(same, seed=0, terms=ruled(superior=True))
    assert verdict.reason == "gate.not_superior.audit"
    assert not verdict.accepted
    waits = gate.judge(same, seed=0, terms=ruled(act=True))
    assert waits.outcome is Outcome.WAITING
    assert not waits.accepted
    refused = gate.judge(bout(-0.5), seed=0, terms=ruled(act=True))
    assert refused.outcome is Outcome.REFUSED


def test_what_is_too_slow_or_too_large_is_refused():
    made = bout(0.5)
    for burden, reason in (
        (gate.Burden(latency_ms=9.0), "gate.too_slow"), (gate.Burden(size_mb=999), "gate.too_large")
    ):
        verdict = gate.judge(replace(made, burden=burden), seed=0)
        assert verdict.reason == reason
        sentence(verdict)


def test_a_long_used_set_asks_for_more():
    made = bout(0.05, cases=120, noise=0.5)
    fresh = gate.judge(made, seed=0).report
    refused = [Attempt(0.004, False)] * 40
    worn = gate.judge(made, seed=0, terms=ruled(refused)).report
    assert worn["budget"]["alpha"] < fresh["budget"]["alpha"]
    assert worn["rivals"][0]["upper"] >= fresh["rivals"][0]["upper"]
    assert worn["budget"]["attempts"] == 41


@pytest.mark.parametrize(("alpha", "freedom", "exact"), [
    (0.05, 10, 1.8125), (0.005, 20, 2.8453), (0.001, 5, 5.8934), (0.1, 100, 1.2901),
])  # fmt: skip
def test_students_quantile_is_that_of_the_tables(alpha, freedom, exact):
    assert gate.student(alpha, freedom) == pytest.approx(exact, rel=0.02)


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
