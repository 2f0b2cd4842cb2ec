"""One version, loaded: the opinions on cases from their cached features. Numpy only, immutable,
safe from any thread."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.cases import CLINICAL, Case
from mmreview.domain.findings import ExclusiveGroup, Exclusivity
from mmreview.domain.predictions import (
    FindingPrediction,
    Prediction,
    ScoreTable,
    jensen_shannon_bits,
    sigmoid,
)
from mmreview.ml import device as devices
from mmreview.ml.bundle import Bundle
from mmreview.ml.encoders.card import PARTS
from mmreview.ml.encoders.clinical import value_parts
from mmreview.ml.fusion import FUSIONS
from mmreview.ml.fusion.fusing import PARTED
from mmreview.ml.intervals import Bounds, intervals
from mmreview.ml.model import Model, Opinions
from mmreview.ml.pairing import ConflictNull, PairEvidence
from mmreview.ml.samples import CachedFeatures, are_sound
from mmreview.ml.scoring import BLOCK, joined, score_block


class BundlePredictor:
    """``domain.ports.Predictor`` over a bundle and the feature cache."""

    def __init__(self, version: int, bundle: Bundle, features: CachedFeatures) -> None:
        model = bundle.models[0]
        self.version = version
        self.findings: tuple[str, ...] = tuple(bundle.card["findings"])
        self.fusion: str = bundle.card["fusion"]
        self.weights: Mapping[str, float] = dict(model.fusion.whole.weights)
        self.weights_cv: Mapping[str, float] = dict(model.fusion.whole.weights_cv)
        self.weights_learned: Mapping[str, float] = dict(model.fusion.whole.weights_learned)
        self._groups = tuple(
            ExclusiveGroup(g["name"], Exclusivity(g["kind"]), tuple(g["findings"]))
            for g in bundle.card.get("groups", ())
        )
        self.modalities: tuple[str, ...] = model.modalities
        self._model, self._twins = model, bundle.models[1:]
        # Bundles from before this was counted say nothing.
        self._rarer: dict[str, list[int]] = dict(bundle.card["counts"].get("rarer", {}))
        self._pairs = bundle.pairs
        self._features = features
        self._rooms: list[dict[str, NDArray[np.float32]]] = []
        self._reads_parts = FUSIONS[self.fusion].reads == PARTED

    @property
    def models(self) -> tuple[Model, ...]:
        """The model that answers, then its twins, each of which has not seen one fold."""
        return (self._model, *self._twins)

    @property
    def pairs(self) -> PairEvidence:
        """What the version knows of pairs."""
        return self._pairs

    @property
    def reads_parts(self) -> bool:
        """Whether the fusion looks at parts of images and reports."""
        return self._reads_parts

    def predict(self, cases: Sequence[Case]) -> list[Prediction]:
        """One prediction a case; a modality whose features are not cached counts as absent."""
        if not cases:
            return []
        features, present = self._read(
            {m: [case.hashes(m) for case in cases] for m in self._model.modalities}
        )
        opinions = self._model.opinions(features, present)
        table = _Listed(
            self._model,
            opinions,
            intervals(opinions, [twin.opinions(features, present) for twin in self._twins]),
            self._rarer,
        )
        wrong = self._pairs.wrong(features, present, opinions.logits, self._model.prior)
        return [
            self._prediction(case, table, row, None if math.isnan(probability) else probability)
            for row, (case, probability) in enumerate(zip(cases, wrong.tolist(), strict=True))
        ]

    def value_parts(self, case: Case) -> dict[str, dict[str, float]]:
        """What each clinical value adds to each finding's own clinical logit (see the port)."""
        values = case.clinical if CLINICAL in self.modalities else {}
        if not values:
            return {}
        head, calibration = self._model.heads[CLINICAL], self._model.calibrations[CLINICAL]
        parts = value_parts(values, head.weights, calibration.slope)
        listed = {name: part.tolist() for name, part in parts.items()}
        return {
            finding: {name: part[position] for name, part in listed.items()}
            for position, finding in enumerate(self.findings)
            if head.taught[position]
        }

    def score(self, hashes: Mapping[str, Sequence[tuple[str, ...]]]) -> ScoreTable:
        """``predict`` without the explanation, as columns; in blocks, so that memory does not
        grow with the number of cases beyond what is returned. Blocks are shared out over as many
        threads as a computation may use."""
        known = {m: hashes[m] for m in self._model.modalities}
        count = len(next(iter(known.values())))

        def block(begin: int) -> ScoreTable:
            part = {m: own[begin : begin + BLOCK] for m, own in known.items()}
            try:
                room = self._rooms.pop()
            except IndexError:
                room = {}
            table = score_block(self._model, self._pairs, *self._read(part, room))
            self._rooms.append(room)
            return table

        begins = range(0, max(count, 1), BLOCK)
        if len(begins) == 1:
            return block(0)
        with devices.split_over_threads() as threads:
            return joined(list(threads.map(block, begins)))

    def _read(
        self, hashes: Mapping[str, Sequence[tuple[str, ...]]],
        room: dict[str, NDArray[np.float32]] | None = None,
    ) -> tuple[dict[str, NDArray[np.float32]], dict[str, NDArray[np.bool_]]]:
        """(n, width) features and (n,) presence by modality; damaged features are absent. ``room``
        keeps memory for ``BLOCK`` cases from block to block."""
        features, present = {}, {}
        for m, own in hashes.items():
            out = None
            if room is not None:
                if m not in room:
                    room[m] = np.empty((BLOCK, self._features.width(m)), np.float32)
                out = room[m][: len(own)]
            features[m], there = self._features.matrix(m, own, out=out)
            sound = are_sound(features[m])
            features[m][~sound] = 0
            present[m] = there & sound
        for m in self._features.part_widths if self._reads_parts else ():
            rows, _ = self._features.matrix(m + PARTS, hashes[m])
            features[m + PARTS] = np.nan_to_num(rows, posinf=0.0, neginf=0.0)
        return features, present

    def _prediction(
        self, case: Case, table: _Listed, row: int, wrong_pair: float | None
    ) -> Prediction:
        null = self._pairs.conflict
        findings = tuple(
            _finding(table, row, position, name, null)
            for position, name in enumerate(self.findings)
        )
        largest = max((f.conflict for f in findings if f.conflict is not None), default=None)
        return Prediction(
            case=case.id,
            version=self.version,
            weights=table.weights_of(row),
            findings=findings,
            reweightable=table.complete[row] and len(self._model.modalities) > 1,
            wrong_pair=wrong_pair,
            groups=self._groups,
            conflict_rank=None if null is None or largest is None else null.largest_rank(largest),
        )


class _Listed:
    """Opinions as nested lists: Python floats are quicker to pick one by one than arrays."""

    def __init__(
        self, model: Model, opinions: Opinions, bounds: Bounds, labels: dict[str, list[int]]
    ) -> None:
        fused = opinions.fused
        self.modalities = model.modalities
        self.logits: list[list[float]] = opinions.log_odds.tolist()
        self.prior: list[list[float]] = fused.prior.tolist()
        self.weights: list[list[float]] = fused.weights.tolist()
        self.complete: list[bool] = fused.complete.tolist()
        self.units: dict[str, Any] = {m: u.tolist() for m, u in fused.units.items()}
        self.shares: dict[str, Any] = {m: s.tolist() for m, s in fused.shares.items()}
        self.own: dict[str, Any] = {m: z.tolist() for m, z in opinions.logits.items()}
        self.taught = {m: model.heads[m].taught.tolist() for m in model.modalities}
        self.shared = {c for head in model.groups for c in head.group.columns}
        self._weighs = model.fusion.additive
        self.labels = labels
        self._bounds = {name: (a.tolist(), b.tolist()) for name, (a, b) in bounds.items()}

    def intervals_of(self, row: int, position: int) -> dict[str, tuple[float, float]]:
        """The interval of each opinion that there is."""
        found = {
            name: (low[row][position], high[row][position])
            for name, (low, high) in self._bounds.items()
        }
        return {name: pair for name, pair in found.items() if pair[0] == pair[0]}

    def weights_of(self, row: int) -> dict[str, float]:
        """Each modality's λ; empty where the fusion has none."""
        if not self._weighs:
            return {}
        return dict(zip(self.modalities, self.weights[row], strict=True))


def _finding(
    table: _Listed, row: int, position: int, name: str, null: ConflictNull | None
) -> FindingPrediction:
    """One finding of one case; everything is None or empty where there is no opinion."""
    modalities: dict[str, float | None] = {}
    units, weights, contributions, voices = {}, {}, {}, []
    total = table.logits[row][position]
    known = total == total
    for m in table.modalities:
        own = table.own[m][row][position]
        if own != own or not known:
            modalities[m] = None
            continue
        modalities[m] = probability = sigmoid(own)
        if table.taught[m][position]:
            voices.append(probability)
        units[m] = unit = table.units[m][row][position]
        weights[m] = weight = table.shares[m][row][position]
        contributions[m] = weight * unit
    conflict = max(
        (jensen_shannon_bits(a, b) for i, a in enumerate(voices) for b in voices[:i]),
        default=None,
    )
    return FindingPrediction(
        finding=name,
        fused=sigmoid(total) if known else None,
        modalities=modalities,
        contributions=contributions,
        prior=_prior(table, row, position, contributions) if known else 0.0,
        units=units,
        conflict=conflict,
        conflict_rank=None if null is None or conflict is None else null.rank(position, conflict),
        weights=weights,
        intervals=table.intervals_of(row, position) if known else {},
        labels={opinion: counts[position] for opinion, counts in table.labels.items()},
    )


def _prior(
    table: _Listed, row: int, position: int, contributions: Mapping[str, float]
) -> float:
    """What the contributions start from; in an exclusive group less what speaks for the others."""
    if position in table.shared:
        return table.logits[row][position] - math.fsum(contributions.values())
    return table.prior[row][position]
