"""What the model believes of a case, per finding, and the arithmetic of a what-if.

A fused logit is an exact sum: ``prior + Σ contribution_m``, and a contribution is
``λ_m · unit_m``. Because ``unit_m`` travels with the prediction, another weighting of the
modalities is plain arithmetic here: no tensor is touched while a slider moves.

In an exclusive group the model adds contributions up to the logits of a softmax over the group
(with "none of them" at 0 where at most one holds). The log-odds of a finding are that sum less
``log Σ_{j≠k} exp(logit_j)`` of the others, which is counted with ``prior`` here: so a fused logit
is the log-odds everywhere, contributions add up to it, and probabilities add up too. Conflicts stay
those of each finding (its own yes or no by either modality), so that each row's mark means the same
with and without a group; that of a whole group is at least as large as any of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

from mmreview.domain.findings import ExclusiveGroup, Exclusivity


def sigmoid(logit: float) -> float:
    """The logistic function, safe for large arguments."""
    if logit >= 0:
        return 1.0 / (1.0 + math.exp(-logit))
    growth = math.exp(logit)
    return growth / (1.0 + growth)


def entropy_bits(probability: float) -> float:
    """The entropy of a yes/no opinion, in bits (0 to 1)."""
    if probability <= 0.0 or probability >= 1.0:
        return 0.0
    rest = 1.0 - probability
    return -probability * math.log2(probability) - rest * math.log2(rest)


def jensen_shannon_bits(first: float, second: float) -> float:
    """The Jensen-Shannon divergence of two yes/no opinions, in bits (0 to 1); Lin 1991."""
    middle = entropy_bits((first + second) / 2.0)
    return max(0.0, middle - (entropy_bits(first) + entropy_bits(second)) / 2.0)


#: From here on (bits) two opinions are marked as a conflict while nothing is known of how large
#: conflicts are on pairs that belong together. 0.278 bits is 80 % against 20 %.
CONFLICT_MARK = 0.25
#: Once it is known: a conflict is marked that this share of matched pairs stays below …
CONFLICT_TOP = 0.97
#: … and that is at least this large (bits): where two opinions hardly ever differ, the largest
#: difference is still none. 0.1 bits is 69 % against 31 %, or 2 % against 27 %.
CONFLICT_FLOOR = 0.1
#: From this probability on (three times the prior, see ``ml.pairing``) a person is asked whether
#: the report belongs to the image.
WRONG_PAIR_MARK = 0.15


#: With fewer labels of the rarer kind than this an opinion shows its interval …
FEW_LABELS = 20
#: … and where that is this wide too (25 to 75 % is), the labels are not enough to say. Nor are they
#: with fewer than this of the rarer kind, however narrow: nothing has been seen that could differ.
UNSURE_WIDTH, LEAST_LABELS = 0.5, 5


def is_conflict(bits: float | None, rank: float | None) -> bool:
    """True where two opinions differ enough to be marked. ``rank`` is the share of matched pairs
    with a smaller conflict, None where that is not known."""
    if bits is None:
        return False
    if rank is None:
        return bits >= CONFLICT_MARK
    return rank >= CONFLICT_TOP and bits >= CONFLICT_FLOOR


def is_wrong_pair(probability: float | None) -> bool:
    """True where a person should be asked whether the report belongs to the image."""
    return probability is not None and probability >= WRONG_PAIR_MARK


@dataclass(frozen=True, slots=True)
class FindingPrediction:
    """The opinions on one finding.

    ``modalities`` maps each modality to its own calibrated probability, ``None`` where the case
    lacks it. ``units`` maps each present modality to its logit contribution at weight 1 and
    ``weights`` to the finding's own λ, so that ``contributions[m] == weights[m] * units[m]`` and
    ``logit(fused) == prior + Σ contributions``; empty ``weights`` are the prediction's.
    ``conflict`` is in bits, ``None`` unless two modalities have an opinion; ``conflict_rank`` is
    the share of matched pairs with a smaller one, ``None`` where too few pairs are known.
    ``intervals`` hold the 90 % interval of each opinion, ``fused`` among them, where it is known;
    ``labels`` how many labels of the rarer kind (present or absent) taught it.
    """

    finding: str
    fused: float | None
    modalities: Mapping[str, float | None]
    contributions: Mapping[str, float]
    prior: float
    units: Mapping[str, float]
    conflict: float | None
    conflict_rank: float | None = None
    weights: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    labels: Mapping[str, int] = field(default_factory=dict)

    def has_few_labels(self, opinion: str) -> bool:
        """True where so few labels taught an opinion that its interval belongs on the screen."""
        return self.labels.get(opinion, FEW_LABELS) < FEW_LABELS

    @property
    def has_no_label(self) -> bool:
        """True where there is no opinion because nobody ever labelled the finding."""
        return self.fused is None and self.labels.get("fused") == 0

    def is_wide(self, opinion: str) -> bool:
        """True where an opinion's interval is too wide for one number to mean anything."""
        low, high = self.intervals.get(opinion, (0.0, 0.0))
        return self.has_few_labels(opinion) and high - low >= UNSURE_WIDTH

    def is_unsure(self, opinion: str) -> bool:
        """True where the labels are not enough to say: next to none, or few and the interval is
        wide."""
        return self.is_wide(opinion) or self.labels.get(opinion, LEAST_LABELS) < LEAST_LABELS

    @property
    def added(self) -> float:
        """What the modalities contribute together."""
        return math.fsum(self.contributions.values())

    @property
    def opposed(self) -> tuple[str, ...]:
        """The two modalities that contradict each other most; empty with fewer than two."""
        known = [(m, p) for m, p in self.modalities.items() if p is not None]
        pairs = [
            (jensen_shannon_bits(p, q), (a, b))
            for place, (b, q) in enumerate(known)
            for a, p in known[:place]
        ]
        return max(pairs, default=(0.0, ()))[1]

    @property
    def in_conflict(self) -> bool:
        """True where the opinions differ enough to be marked."""
        return is_conflict(self.conflict, self.conflict_rank)


@dataclass(frozen=True, slots=True)
class Prediction:
    """The opinions of one version on one case. ``weights`` maps each modality to its λ: the mean
    over the findings where each has its own; empty where the fusion is no weighted sum.

    ``reweightable`` is False where the fused opinion does not depend on λ (one modality only,
    or a fusion without one). ``what_if`` is True once a person has moved the slider.
    ``wrong_pair`` is the probability that image and report are of different patients;
    ``conflict_rank`` the share of matched pairs whose largest conflict is smaller. ``groups`` are
    the findings that share one distribution. ``value_parts`` is what each clinical value adds to
    the clinical logit, by finding: from what that opinion would be without any value to what it is
    (before the findings of a group are brought to one distribution).
    """

    case: str
    version: int
    weights: Mapping[str, float]
    findings: tuple[FindingPrediction, ...]
    reweightable: bool = False
    what_if: bool = False
    wrong_pair: float | None = None
    conflict_rank: float | None = None
    groups: tuple[ExclusiveGroup, ...] = ()
    value_parts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @property
    def is_wrong_pair(self) -> bool:
        """True where a person should be asked whether the report belongs to the image."""
        return is_wrong_pair(self.wrong_pair)

    @property
    def conflict(self) -> float | None:
        """The largest conflict over the findings, in bits."""
        known = [f.conflict for f in self.findings if f.conflict is not None]
        return max(known) if known else None

    def reweighted(self, weights: Mapping[str, float]) -> Prediction:
        """The same opinions fused with other weights: a what-if, marked as such.

        A finding with weights of its own keeps its stand among the others: the odds between its
        modalities change by the factor by which those of ``self.weights`` do. So the serving
        weights give the serving opinion, and a modality that gets all the weight gets it
        everywhere. A what-if has no interval: nothing was measured of it.
        """
        if not self.reweightable:
            return self
        moved = tuple(_reweigh(f, self.weights, weights) for f in self.findings)
        return replace(
            self, weights=dict(weights), what_if=True, findings=self._shared(moved)
        )

    def _shared(self, moved: tuple[FindingPrediction, ...]) -> tuple[FindingPrediction, ...]:
        """``moved``, with each group's opinions one distribution again: the softmax's logits,
        which the log of the opinions is up to what is common to them, moved with their sums."""
        before = {f.finding: f for f in self.findings}
        after = {f.finding: f for f in moved}
        for group in self.groups:
            known = {n: before[n].fused or _LEAST for n in group.findings if _spoken(before, n)}
            one_of = group.kind is Exclusivity.ONE_OF
            none = 0.0 if one_of else math.log(max(1.0 - math.fsum(known.values()), _LEAST))
            logits = {
                name: math.log(max(chance, _LEAST)) - none + after[name].added - before[name].added
                for name, chance in known.items()
            }
            for name, chance in distribution(logits, one_of=one_of).items():
                prior = _log_odds(chance) - after[name].added
                after[name] = replace(after[name], fused=chance, prior=prior)
        return tuple(after.values())


def _reweigh(
    finding: FindingPrediction, before: Mapping[str, float], after: Mapping[str, float]
) -> FindingPrediction:
    if finding.fused is None:
        return finding
    weights = _moved(finding.weights, before, after)
    contributions = {m: weights[m] * unit for m, unit in finding.units.items()}
    fused = sigmoid(finding.prior + sum(contributions.values()))
    own = {name: bounds for name, bounds in finding.intervals.items() if name in finding.modalities}
    return replace(
        finding, fused=fused, contributions=contributions, weights=weights, intervals=own
    )


#: A chance that counts as none at all where its logarithm is needed.
_LEAST = 1e-13


def _spoken(findings: Mapping[str, FindingPrediction], name: str) -> bool:
    return name in findings and findings[name].fused is not None


def _log_odds(probability: float) -> float:
    return math.log(max(probability, _LEAST) / max(1.0 - probability, _LEAST))


def distribution(logits: Mapping[str, float], *, one_of: bool) -> dict[str, float]:
    """Softmax; unless ``one_of`` holds, "none of them" takes part with logit 0."""
    top = max([*logits.values(), *(() if one_of else (0.0,))], default=0.0)
    parts = {name: math.exp(logit - top) for name, logit in logits.items()}
    total = math.fsum(parts.values()) + (0.0 if one_of else math.exp(-top))
    return {name: part / total for name, part in parts.items()}


def _moved(
    own: Mapping[str, float], before: Mapping[str, float], after: Mapping[str, float]
) -> dict[str, float]:
    """A finding's own weights after those of the whole moved from ``before`` to ``after``."""
    if own == before or set(own) != set(after) or any(before[m] <= 0.0 for m in own):
        return dict(after)
    parts = {m: share * after[m] / before[m] for m, share in own.items()}
    total = sum(parts.values())
    if total <= 0.0:  # all the weight is now where this finding had none
        return dict(after)
    return {m: part * sum(after.values()) / total for m, part in parts.items()}


@dataclass(frozen=True)
class ScoreTable:
    """The opinions on n cases as columns, NaN where there is none: what ``Prediction`` says of
    one, without the explanation. The order of the worklist is made from it (``queues.scores``).

    ``fused`` and each of ``modalities`` are (n, findings) probabilities. The rest is (n,):
    ``uncertainty`` the mean entropy of the fused opinion (see ``queues.score``) and ``conflict``
    the largest over the findings, in bits; ``uncertain_at`` and ``conflict_at`` which finding is
    nearest to 50 %, and which has the largest conflict (one to mark before any other).
    """

    fused: Floats
    modalities: Mapping[str, Floats]
    uncertainty: Floats
    uncertain_at: NDArray[np.intp]
    conflict: Floats
    conflict_at: NDArray[np.intp]
    conflict_rank: Floats
    wrong_pair: Floats


@dataclass(frozen=True, slots=True)
class CaseScore:
    """The disposable sort keys of one case under one version (see ``queues``). ``doubt`` is the
    mean entropy of the fused opinion in bits, a part of the priority."""

    key: int
    conflict: float | None
    priority: float | None
    reason: str = ""
    reason_params: Mapping[str, object] = field(default_factory=dict)
    doubt: float | None = None
