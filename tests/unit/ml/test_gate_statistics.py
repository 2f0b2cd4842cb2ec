"""What the gate promises over many attempts, on opinions whose true worth is known.

The same with real rounds of training, and more of them: ``tests/benchmarks`` (poisoned, streams).
"""

import numpy as np

from mmreview.domain.gates import Attempt, GateRules
from mmreview.domain.ports import GateTerms
from mmreview.ml import gate
from mmreview.ml.metrics import element_log_loss

AUDIT, HIDDEN, FINDINGS = 200, 4000, 3
DELTA = GateRules().delta


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Cases:
    """Audit cases, which the gate sees, before hidden ones, which say what is true."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.truth = (self.rng.random((AUDIT + HIDDEN, FINDINGS)) < 0.3).astype(float)
        self.sign = 2 * self.truth - 1
        self.groups = np.array([f"p{n // 2}" for n in range(AUDIT)])

    def opinions(self, knows):
        """Logits that know so much of the truth."""
        return knows * self.sign - 0.6 + self.rng.standard_normal(self.truth.shape)

    def changed(self, logits, towards, noise):
        return logits + towards * self.sign + noise * self.rng.standard_normal(logits.shape)

    def loss(self, logits):
        """The true loss, case by case."""
        return element_log_loss(self.truth[AUDIT:], sigmoid(logits[AUDIT:])).mean(axis=1)

    def judge(self, challenger, rivals, attempts=()):
        bout = gate.Bout(
            self.truth[:AUDIT], sigmoid(challenger[:AUDIT]),
            tuple(gate.Rivalry(name, n, sigmoid(z[:AUDIT])) for n, (name, z) in enumerate(rivals)),
            self.groups, None, "audit",
        )
        return gate.judge(bout, seed=0, terms=GateTerms(attempts=tuple(attempts)))


def test_nothing_that_is_truly_worse_by_delta_gets_through_and_what_is_shown_better_does():
    worse, shown = [], []
    for seed in range(120):
        cases = Cases(seed)
        champion = cases.opinions(1.0)
        towards = cases.rng.uniform(-0.3, 0.6)
        challenger = cases.changed(champion, towards, noise=0.4)
        gap = cases.loss(challenger) - cases.loss(champion)
        verdict = cases.judge(challenger, [("champion", champion)])
        if gap.mean() > DELTA:
            worse.append(verdict.accepted)
        if gap.mean() + 2 * 1.645 * gap.std() / np.sqrt(AUDIT) < 0:  # 5 %, with 95 % power
            shown.append(verdict.accepted)
    assert min(len(worse), len(shown)) >= 10
    assert not any(worse)
    assert np.mean(shown) >= 0.9


def stream(seed, *, rounds):
    """How much worse than the first version the last one is, and how many served, where every
    challenger is truly a little worse than what serves."""
    cases = Cases(seed)
    served, attempts = [cases.opinions(1.0)], []
    for _ in range(rounds):
        champion, first = served[-1], served[0]
        best = min(served, key=lambda z: gate.log_loss_of(cases.truth[:AUDIT], sigmoid(z[:AUDIT])))
        rivals = [("champion", champion)]
        rivals += [("first", first)] if first is not champion else []
        rivals += [("best", best)] if best is not first and best is not champion else []
        challenger = cases.changed(champion, -0.002, noise=0.12)
        assert cases.loss(challenger).mean() > cases.loss(champion).mean()
        verdict = cases.judge(challenger, rivals, attempts)
        attempts.append(Attempt(verdict.report["budget"]["alpha"], verdict.accepted))
        if verdict.accepted:
            served.append(challenger)
    return float((cases.loss(served[-1]) - cases.loss(served[0])).mean()), len(served) - 1


def test_small_losses_do_not_add_up_over_many_rounds():
    ends, promoted = zip(*(stream(seed, rounds=12) for seed in range(16)), strict=True)
    assert sum(promoted) > 10  # what looks equal by chance does get through
    assert np.mean(np.array(ends) > DELTA) <= 0.05
