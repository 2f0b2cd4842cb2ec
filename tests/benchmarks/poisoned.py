"""Does the gate let through what is worse, and does it let through what is better?

    python tests/benchmarks/poisoned.py [--runs 100] [--projects 3] [--audit 400] [--seed 0]

SYNTHETIC. A project's cases have an image and a report that each see a noisy part of six findings;
20,000 hidden cases say what a version is truly worth. Each run adds the labels of 30 cases and
trains from the champion on all of them, as a round does (``ml.recipe``), and the gate judges it by
its rules (``ml.champion``, ``services.gating``) on an audit set that is never trained on. A third
of the runs are poisoned, each by turns: two of five labels *flipped*, two pairs of findings
*swapped*, a *tiny* batch of 24 cases instead of all. A poisoned run's labels are mended after it.

``worse`` are versions that are truly worse than the champion by more than delta; ``shown`` are
those that are so much better than it that an audit set of this size shows it (at 5 %, one-sided)
95 times in 100. Wanted: no ``worse`` one promoted, and 90 % of the ``shown``. ``passable`` ones are
better by less, but still so that a fresh audit set would pass them 95 times in 100: as the champion
was let through on this very set, its luck there stands against them.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from heads import finished
from numpy.typing import NDArray

from mmreview.domain.cases import Partition
from mmreview.domain.gates import GateRules
from mmreview.domain.labels import LabelTable
from mmreview.domain.ports import GateTerms, TrainingRequest
from mmreview.domain.versions import GateVerdict, LambdaChoice, Outcome, Role, Version
from mmreview.ml import gate
from mmreview.ml.champion import Champion, judged
from mmreview.ml.model import Model
from mmreview.ml.recipe import Ancestor, Recipe, fit
from mmreview.ml.samples import Samples
from mmreview.services.gating import Gating

Floats = NDArray[np.float64]

FINDINGS = tuple(f"Finding {letter}" for letter in "ABCDEF")
HIDDEN = 20_000
_WIDTHS = {"image": 40, "text": 24}
_SIGNAL = {"image": 0.7, "text": 1.0}
_FIRST, _BATCH = 60, 30
_KINDS = ("flipped", "swapped", "tiny")
_SURE = NormalDist().inv_cdf(0.95)


class World:
    """Cases with known truth. ``signal`` 0 makes labels that no feature knows anything of."""

    def __init__(self, seed: int, *, signal: float = 1.0) -> None:
        self._rng = np.random.default_rng(seed)
        self._rates = np.linspace(0.1, 0.5, len(FINDINGS))
        self._signal = signal
        self._mixing = {}
        for m, width in _WIDTHS.items():
            mixing = self._rng.standard_normal((len(FINDINGS), width))
            self._mixing[m] = mixing / np.linalg.norm(mixing, axis=1, keepdims=True)
        self._made = 0

    def cases(self, count: int) -> Samples:
        """So many new cases with honest labels, two of each patient."""
        truth = (self._rng.random((count, len(FINDINGS))) < self._rates).astype(np.float32)
        features = {}
        for m, width in _WIDTHS.items():
            seen = 2 * self._signal * _SIGNAL[m] * (truth - self._rates) @ self._mixing[m]
            features[m] = (seen + self._rng.standard_normal((count, width))).astype(np.float32)
        keys = np.arange(self._made, self._made + count)
        self._made += count
        return Samples(
            modalities=tuple(_WIDTHS),
            features=features,
            present={m: np.ones(count, bool) for m in _WIDTHS},
            keys=keys,
            groups=np.array([f"patient {key // 2}" for key in keys]),
            targets=truth,
            corrected=np.ones(truth.shape, bool),
            basis=np.full(truth.shape, 0b11, np.int8),
        )


@dataclass
class Project:
    """The versions of one project, as ``services`` keep them; models beside them. It is the
    version store, the trail and the preferences that the gate asks."""

    audit: Samples
    rules: GateRules = field(default_factory=GateRules)
    made: list[Version] = field(default_factory=list)
    known: dict[int, Champion] = field(default_factory=dict)
    serving: int = 0
    spreads: dict[str, float] | None = None
    searched: int = 0

    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        return self.made

    def get(self, name: str, default: Any = None) -> Any:
        """A preference."""
        return self.rules.as_json() if name == "gate" else default

    @property
    def champion(self) -> Version | None:
        """The serving version."""
        return next((v for v in self.made if v.id == self.serving), None)

    def terms(self) -> GateTerms:
        """What the next challenger is judged by."""
        store: Any = self
        gating = Gating(versions=store, events=store, preferences=store, folder=Path())
        return gating.terms(self.champion)

    def model(self, version: int) -> Model:
        """A version's model."""
        return self.known[version].ancestor.models[0]

    def round(self, samples: Samples, table: LabelTable | None = None) -> tuple[int, GateVerdict]:
        """One round on these cases; the new version's number and the verdict on it."""
        number, parent = len(self.made) + 1, self.champion
        ancestor = self.known[parent.id].ancestor if parent else None
        labels = int((~np.isnan(samples.targets)).sum())
        kept = self.spreads if labels < 1.5 * self.searched else None  # as the trainer does
        fitted = finished(fit(samples, Recipe("mixture", spreads=kept), ancestor=ancestor))
        if kept is None:
            self.spreads, self.searched = fitted.spreads, labels
        terms = self.terms()
        request = TrainingRequest(
            version=number, table=table or table_of(samples), findings=FINDINGS, schema="",
            fusion="mixture", weight=LambdaChoice(), seed=0, folder=Path(), parent=parent,
            parent_table=None, terms=terms,
        )
        rivals = [(rival, self.known[rival.version.id]) for rival in terms.rivals]
        verdict = judged(
            request, samples, fitted, self.audit, self.known[parent.id] if parent else None, rivals
        )
        fold_of = dict(zip(samples.keys.tolist(), fitted.folds.tolist(), strict=True))
        nothing: Any = None
        self.known[number] = Champion(nothing, Ancestor(fitted.models, fold_of), "")
        self._register(number, verdict)
        return number, verdict

    def _register(self, number: int, verdict: GateVerdict) -> None:
        role = verdict.role
        if role is Role.CHAMPION:
            self.made = [
                replace(v, role=Role.RETIRED) if v.role is Role.CHAMPION else v for v in self.made
            ]
            self.serving = number
        told = {
            "basis": verdict.basis, "report": verdict.report, "reason": verdict.reason,
            "accepted": verdict.accepted,
        }
        self.made.append(
            Version(number, "", role, None, "", "", "mixture", 0, 0, metrics={}, gate=told)
        )


def table_of(samples: Samples) -> LabelTable:
    """The labels as a table; the gate's fallback compares with the parent's."""
    return LabelTable(
        keys=samples.keys, groups=tuple(samples.groups), hashes={},
        partitions=(Partition.TRAIN,) * len(samples), targets=samples.targets,
        corrected=samples.corrected, basis=samples.basis, through_seq=0,
    )


def said_of(model: Model, cases: Samples) -> Floats:
    """The fused opinions."""
    return model.opinions(cases.features, cases.present).probabilities["fused"]


def per_case(truth: Floats, said: Floats) -> Floats:
    """(n,) mean log-loss of each case."""
    return gate.element_log_loss(truth, said).mean(axis=1)


def poisoned(samples: Samples, kind: str, rng: np.random.Generator) -> Samples:
    """The cases with their labels spoiled."""
    targets = samples.targets.copy()
    if kind == "flipped":
        wrong = rng.random(targets.shape) < 0.4
        targets[wrong] = 1 - targets[wrong]
    elif kind == "swapped":
        a, b, c, d = rng.permutation(len(FINDINGS))[:4]
        targets[:, [a, b, c, d]] = targets[:, [b, a, d, c]]
    elif kind == "tiny":
        return samples.take(np.sort(rng.choice(len(samples), 24, replace=False)))
    return replace(samples, targets=targets)


@dataclass(frozen=True)
class Run:
    """One run: what was done to it, what it is truly worth against the champion, what was said."""

    kind: str
    truly: float
    worse: bool
    shown: bool
    passable: bool
    promoted: bool
    reason: str


def runs(seed: int, *, count: int, audit: int) -> Iterator[Run]:
    """One project's runs."""
    world, rng = World(seed), np.random.default_rng(seed + 1)
    hidden = world.cases(HIDDEN)
    project = Project(world.cases(audit))
    honest = world.cases(_FIRST)
    project.round(honest)
    losses = {1: per_case(hidden.targets, said_of(project.model(1), hidden))}
    for run in range(count):
        honest = together(honest, world.cases(_BATCH))
        kind = _KINDS[run // 3 % 3] if run % 3 == 2 else "honest"
        before, terms = project.serving, project.terms()
        number, verdict = project.round(poisoned(honest, kind, rng))
        losses[number] = per_case(hidden.targets, said_of(project.model(number), hidden))
        truly = float((losses[number] - losses[before]).mean())
        yield Run(
            kind, truly, worse=truly > terms.rules.delta,
            shown=_is_shown(losses, number, before, audit),
            passable=_is_passable(losses, number, before, terms, audit, verdict),
            promoted=verdict.outcome is Outcome.ACCEPTED, reason=verdict.reason,
        )


def _is_shown(losses: Mapping[int, Floats], number: int, before: int, audit: int) -> bool:
    """Whether an audit set shows so true a gain 95 times in 100."""
    gap = losses[number] - losses[before]
    return float(gap.mean()) + 2 * _SURE * float(gap.std()) / np.sqrt(audit) < 0


def _is_passable(
    losses: Mapping[int, Floats], number: int, before: int, terms: GateTerms, audit: int,
    verdict: GateVerdict,
) -> bool:
    """Whether a fresh audit set passes it 95 times in 100."""
    alpha = float(verdict.report["budget"]["alpha"])
    reach = NormalDist().inv_cdf(1 - alpha)
    for rival in (before, *(r.version.id for r in terms.rivals)):
        gap = losses[number] - losses[rival]
        error = float(gap.std()) / np.sqrt(audit)
        if float(gap.mean()) + (reach + _SURE) * error > terms.rules.delta:
            return False
        if rival == before and float(gap.mean()) + _SURE * error > terms.rules.tolerance:
            return False
    return True


def together(mine: Samples, more: Samples) -> Samples:
    """All of these cases."""
    joined = {
        name: np.concatenate([getattr(mine, name), getattr(more, name)])
        for name in ("keys", "groups", "targets", "corrected", "basis")
    }
    features = {m: np.concatenate([mine.features[m], more.features[m]]) for m in mine.features}
    present = {m: np.concatenate([mine.present[m], more.present[m]]) for m in mine.present}
    return replace(mine, features=features, present=present, **joined)


def share(hits: int, of: int) -> str:
    """``18/20 (.90, .70–.97)`` with Wilson's 95 % interval."""
    if not of:
        return "none"
    z, p = NormalDist().inv_cdf(0.975), hits / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z * np.sqrt(p * (1 - p) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return f"{hits}/{of} ({p:.2f}, {max(0.0, middle - half):.2f} to {min(1.0, middle + half):.2f})"


def lines(found: Sequence[Run]) -> Iterator[str]:
    """The table."""
    for kind in ("honest", *_KINDS):
        mine = [run for run in found if run.kind == kind]
        yield (
            f"{kind:<8} runs {len(mine):>4}  promoted {sum(r.promoted for r in mine):>4}  truly "
            f"worse by delta {sum(r.worse for r in mine):>4}, promoted of those "
            f"{sum(r.worse and r.promoted for r in mine)}"
        )
    worse = [run for run in found if run.worse]
    shown = [run for run in found if run.shown]
    passable = [run for run in found if run.passable]
    yield f"truly worse by delta and promoted: {share(sum(r.promoted for r in worse), len(worse))}"
    yield f"shown with 95 % power and promoted: {share(sum(r.promoted for r in shown), len(shown))}"
    passed = sum(r.promoted for r in passable)
    yield f"passable and promoted: {share(passed, len(passable))}"
    for title, some in (("shown", shown), ("passable", passable)):
        for reason in sorted({r.reason for r in some if not r.promoted}):
            count = sum(r.reason == reason for r in some if not r.promoted)
            yield f"  refused though {title}: {reason} {count}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--projects", type=int, default=3)
    parser.add_argument("--audit", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found: list[Run] = []
    for project in range(given.projects):
        found += runs(given.seed + 10 * project, count=given.runs, audit=given.audit)
        print(f"project {project + 1} of {given.projects}: {len(found)} runs", flush=True)
    for line in lines(found):
        print(line, flush=True)


if __name__ == "__main__":
    main()
