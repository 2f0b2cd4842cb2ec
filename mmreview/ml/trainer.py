"""The trainer: one round from a snapshot of labels to a durable, measured, judged bundle.

read features → heads (all rows and each fold, warm from the parent) → calibration → fusion →
metrics → gate → write. It is a generator that yields at least every tenth of a second, so that a
cancel is quick; nothing touches the disk before the last step, and that step is atomic.

Importing this module is light; no part of a round needs torch.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.cases import Partition
from mmreview.domain.errors import BundleInvalid
from mmreview.domain.findings import ExclusiveGroup, Exclusivity
from mmreview.domain.labels import LabelTable
from mmreview.domain.ports import Rival, TrainingRequest, TrainingResult
from mmreview.domain.progress import Progress, TrainingStep
from mmreview.domain.versions import LambdaChoice, Version
from mmreview.ml import bundle as bundles
from mmreview.ml import device as devices
from mmreview.ml import evaluation
from mmreview.ml.bundle import Bundle
from mmreview.ml.carrying import carries, changes
from mmreview.ml.champion import (
    Champion,
    champion_of,
    changed_share,
    judged,
    truth_of_audit,
    unseen,
)
from mmreview.ml.control_arm import Arms, control_arm, rows_among
from mmreview.ml.encoders.card import PARTS
from mmreview.ml.exclusive import Group
from mmreview.ml.fusion import AUTO, FUSIONS, fusion_named, reads_parts
from mmreview.ml.fusion.fusing import PARTED
from mmreview.ml.label_errors import suspects
from mmreview.ml.learning_curve import learning_curve
from mmreview.ml.lineage import lineage, origins
from mmreview.ml.model import Model
from mmreview.ml.old_labels import change_on_old_labels
from mmreview.ml.pairing import Earlier, PairEvidence, complete_pairs, described, learn_pairs
from mmreview.ml.plans import HeadPlan
from mmreview.ml.predictor import BundlePredictor
from mmreview.ml.prepared import Shelf
from mmreview.ml.recipe import Ancestor, Fitted, Recipe, Step, fit
from mmreview.ml.relay import relay
from mmreview.ml.remarks import remarks, weight_unused
from mmreview.ml.renewal import Renewal, renew, renewable
from mmreview.ml.replay import replay
from mmreview.ml.samples import (
    CachedFeatures,
    Samples,
    gather,
    labels_needed,
    lacking_parts,
    rarer_labels,
    require_features,
    require_labels,
    require_parts,
    rows_of,
)
from mmreview.ml.search import Found, search
from mmreview.ml.unlabelled import Tried, try_unlabelled

Floats = NDArray[np.float64]

#: The heads' regularisation is searched again once there are this many times the labels.
_SEARCH_AGAIN = 1.5
#: The share of a round that is done when a search for the fusion is.
_SEARCHED = 0.9


class FusionTrainer:
    """``domain.ports.Trainer`` over the feature cache. Of a round it keeps what is made of features
    alone (``prepared``), which the next one comes to the same way, but later."""

    def __init__(self, features: CachedFeatures) -> None:
        self._features = features
        self._shelves: defaultdict[str, Shelf] = defaultdict(Shelf)

    @property
    def fusions(self) -> tuple[str, ...]:
        """The names of the fusions that it knows."""
        return tuple(FUSIONS)

    # --- training -----------------------------------------------------------------------------

    def train(self, request: TrainingRequest) -> Generator[TrainingStep, None, TrainingResult]:
        """Train one version (see ``domain.ports.Trainer``). The fusion ``auto`` is searched for.

        Raises:
            TooFewLabels: no finding has enough labels of both kinds.
            FeaturesMissing: nothing that is labelled is encoded yet.
            FusionNotFound: there is no such fusion.
        """
        if request.fusion != AUTO:
            fusion_named(request.fusion)
        require_labels(request.table)
        with devices.steady_products():
            return (yield from self._round(request))

    def _round(
        self, request: TrainingRequest
    ) -> Generator[TrainingStep, None, TrainingResult]:
        parent = self._parent(request)
        parts = self._reads_parts(request, parent)
        samples = yield from self._read(
            request.table, Partition.TRAIN, 0.0, parts, self._shelves
        )
        audit = yield from self._read(request.table, Partition.AUDIT, 0.09, parts)
        require_features(samples)
        recipe, found, begun = self._recipe(request, parent), None, 0.1
        if reads_parts(recipe.fusion):
            require_parts(samples, recipe.fusion)
        elif lacking_parts(samples):  # a search then leaves out what reads them
            samples = replace(samples, part_widths={})
        if request.fusion == AUTO:
            found = yield from _search(samples, recipe, request.findings)
            best = found.candidate
            recipe = replace(recipe, fusion=best.fusion, plan=best.plan, spreads=None)
            begun = _SEARCHED
        ancestor = _ancestor(request, parent, samples, recipe)
        replayed = None if ancestor is None else replay(samples, seed=request.seed)
        if replayed is not None:
            samples = replace(samples, replayed=replayed.factors)
        renewal = _renewal(request, parent, ancestor, samples, recipe, audit)
        fitting = (
            fit(samples, recipe, ancestor=ancestor, shelves=self._shelves)
            if renewal is None
            else renew(samples, recipe, renewal.ancestor, self._shelves)
        )
        fitted = yield from relay(fitting, lambda step: _training_step(step, begun))
        tried = yield from self._try_unlabelled(request, samples, recipe, fitted, parts)
        fitted = tried.fitted if tried is not None else fitted
        measuring = evaluation.measure_version(
            samples, fitted, audit, request.findings, seed=request.seed
        )
        measured = yield from relay(
            measuring, lambda _: TrainingStep("training.phase.measuring", 0.95)
        )
        pairs, measured["pairs"] = yield from _pairs(samples, fitted, parent, seed=request.seed)
        measured["remarks"] = [
            *remarks(samples, fitted.models[0].heads, request.findings),
            *weight_unused(request.weight, recipe.fusion),
            *(said for part in (replayed, renewal) if part for said in part.told(samples)),
        ]
        measured |= yield from _of_labels(request, samples, fitted, ancestor, renewal)
        if found is not None:
            measured["search"] = found.table
        if tried is not None:
            measured["unlabelled"] = tried.told
        yield TrainingStep("training.phase.measuring", 0.97)
        rivals, request = self._rivals(request)
        verdict = judged(request, samples, fitted, audit, parent, rivals)
        yield TrainingStep("training.phase.measuring", 0.99)
        card = self._card(request, recipe, samples, fitted, parent, measured)
        card["since_whole"] = renewal.counted(request.findings) if renewal else {}
        card["believed"] = [] if tried is None else list(tried.taught)
        fold_of = dict(zip(samples.keys.tolist(), fitted.folds.tolist(), strict=True))
        sha256 = bundles.write(Bundle(fitted.models, fold_of, card, pairs), request.folder)
        return TrainingResult(sha256, recipe.fusion, measured, verdict, lineage(card))

    def _read(
        self, table: LabelTable, partition: Partition, begun: float, parts: bool,
        shelves: Mapping[str, Shelf] | None = None,
    ) -> Generator[TrainingStep, None, Samples]:
        def tell(share: float) -> TrainingStep:
            return TrainingStep("training.phase.reading", begun + 0.09 * share * (begun == 0))

        reading = gather(self._features, table, partition, parts=parts, shelves=shelves)
        return (yield from relay(reading, tell))

    def _try_unlabelled(
        self, request: TrainingRequest, samples: Samples, recipe: Recipe, fitted: Fitted,
        parts: bool,
    ) -> Generator[TrainingStep, None, Tried | None]:
        """What the unlabelled cases of the request teach, if they are to be tried."""
        if request.unlabelled is None:
            return None
        spare = yield from self._read(request.unlabelled, Partition.TRAIN, 0.9, parts)
        work = try_unlabelled(samples, spare, recipe, fitted)
        return (
            yield from relay(
                work, lambda step: TrainingStep(step.phase, 0.9 + 0.05 * step.share)
            )
        )

    def _reads_parts(self, request: TrainingRequest, parent: Champion | None) -> bool:
        """Whether this round, or the version that it is compared with, looks at parts; a search
        does if they are there."""
        if request.fusion == AUTO:
            return self._features.parts_cached()
        known = None if parent is None else parent.bundle.card["fusion"]
        return reads_parts(request.fusion) or reads_parts(known)

    def prepare(self, fusion: str) -> None:
        """Count what ``fusion`` reads among what is encoded (FusionNotFound)."""
        if fusion != AUTO and fusion_named(fusion).reads == PARTED:
            self._features.want_parts()

    def _parent(self, request: TrainingRequest) -> Champion | None:
        """The champion's bundle, if its encoders are today's (BundleInvalid if it is damaged)."""
        if request.parent is None or request.parent_folder is None:
            return None
        version = request.parent
        try:
            bundle = bundles.read(request.parent_folder, version=version.id, sha256=version.sha256)
            self._check_encoders(bundle, version.id)
        except BundleInvalid as error:
            if error.is_damage:
                raise
            return None
        return champion_of(bundle, request.findings, sha256=version.sha256)

    def _rivals(
        self, request: TrainingRequest
    ) -> tuple[list[tuple[Rival, Champion]], TrainingRequest]:
        """The versions besides the champion that the challenger is compared with; those that
        cannot answer any more are named in the terms, and the next of their kind stands in."""
        found: list[tuple[Rival, Champion]] = []
        left_out: dict[int, None] = {}
        seen = {request.parent.id if request.parent else None}
        for rival in request.terms.rivals:
            for version, folder in ((rival.version, rival.folder), *rival.instead):
                if version.id in seen:
                    break  # it is compared with already
                try:
                    bundle = bundles.read(folder, version=version.id, sha256=version.sha256)
                    self._check_encoders(bundle, version.id)
                except BundleInvalid:
                    left_out[version.id] = None
                    continue
                known = champion_of(bundle, request.findings, sha256=version.sha256)
                found.append((replace(rival, version=version, folder=folder), known))
                seen.add(version.id)
                break
        terms = replace(request.terms, left_out=tuple(left_out))
        return found, replace(request, terms=terms)

    def _check_encoders(self, bundle: Bundle, version: int) -> None:
        """A version from before the project had a further modality still answers without it."""
        modalities = tuple(bundle.card["modalities"])
        if not set(modalities) <= set(self._features.modalities):
            raise BundleInvalid(
                "error.bundle_other_modalities", version=version, modalities=", ".join(modalities)
            )
        for m, fingerprint in bundle.card["encoders"].items():
            if fingerprint != self._features.fingerprint(m):
                raise BundleInvalid("error.bundle_other_encoder", version=version, modality=m)

    @staticmethod
    def _recipe(request: TrainingRequest, parent: Champion | None) -> Recipe:
        """A routine round keeps the parent's plan, and its regularisation until the labels have
        grown; a search starts from what the parent is."""
        fusion = request.fusion
        if fusion == AUTO:
            served = request.parent.fusion if parent is not None and request.parent else ""
            fusion = served if served in FUSIONS else Recipe.fusion
        plan = HeadPlan.of_json(parent.bundle.card.get("plan") if parent is not None else None)
        spreads: Mapping[str, float] | None = None
        if parent is not None:
            searched = parent.bundle.card["regularisation"]
            if _labels(request.table) < _SEARCH_AGAIN * searched["labels"]:
                spreads = searched["spreads"]
        return Recipe(
            fusion, request.weight, request.seed, spreads, families=request.families,
            groups=_columns(request.groups, request.findings), plan=plan,
        )

    def _card(
        self, request: TrainingRequest, recipe: Recipe, samples: Samples, fitted: Fitted,
        parent: Champion | None, measured: Mapping[str, Any],
    ) -> dict[str, Any]:
        model = fitted.models[0]
        seen = list(samples.modalities)
        if reads_parts(recipe.fusion):
            seen += [m + PARTS for m in samples.part_widths]
        if recipe.spreads is not None and parent is not None:
            searched = parent.bundle.card["regularisation"]["labels"]
        else:
            searched = _labels(request.table)
        return {
            "schema": request.schema,
            "findings": list(request.findings),
            "groups": [
                {"name": g.name, "kind": str(g.kind), "findings": list(g.findings)}
                for g in request.groups
            ],
            "modalities": list(samples.modalities),
            "encoders": {name: self._features.fingerprint(name) for name in seen},
            "fusion": recipe.fusion,
            "plan": recipe.plan.as_json(),
            "weight": str(request.weight),
            "lambda": {
                "serving": dict(model.fusion.whole.weights),
                "per_finding": _per_finding(model, request.findings),
                "cv": dict(model.fusion.whole.weights_cv),
                "learned": dict(model.fusion.whole.weights_learned),
            },
            "calibration": "slope and offset per finding, slopes drawn to the pooled one",
            "regularisation": {"spreads": fitted.spreads, "labels": searched},
            "folds": len(fitted.models) - 1,
            "counts": {
                "cases": len(samples),
                "groups": len(np.unique(samples.groups)),
                "labels": _labels(request.table),
                "corrections": request.table.corrections,
                "rarer": rarer_labels(samples),
            },
            "parent": parent.sha256 if parent else None,
            "metrics": dict(measured),
            **origins(request),
        }

    # --- measuring and serving ----------------------------------------------------------------

    def labels_needed(self, table: LabelTable) -> int:
        """How many further labels of one finding a first version needs; 0 if it can be fitted."""
        return labels_needed(table)

    def evaluate(
        self, table: LabelTable, *, findings: tuple[str, ...], folds: int, seed: int,
        weight: LambdaChoice, families: tuple[str, ...] = (), fusion: str | None = None,
        groups: tuple[ExclusiveGroup, ...] = (),
    ) -> Generator[Progress, None, dict[str, Any]]:
        """Grouped nested cross-validation (see ``domain.ports.Trainer``)."""
        require_labels(table)
        parts = reads_parts(fusion)
        reading = gather(self._features, table, Partition.TRAIN, parts=parts)
        samples = yield from relay(
            reading, lambda share: Progress("progress.evaluate", round(5 * share), 100)
        )
        require_features(samples)
        recipe = Recipe(
            fusion or Recipe.fusion, weight=weight, seed=seed, families=families,
            groups=_columns(groups, findings),
        )
        found = yield from evaluation.nested(
            samples, findings=findings, folds=folds, recipe=recipe
        )
        return {**found, "remarks": weight_unused(weight, recipe.fusion)}

    def learning_curve(
        self, request: TrainingRequest
    ) -> Generator[Progress, None, dict[str, Any]]:
        """How good opinions are by the number of labels (see ``domain.ports.Trainer``)."""
        require_labels(request.table)
        parent = self._parent(request)
        recipe = self._recipe(request, parent)
        reading = self._read(
            request.table, Partition.TRAIN, 0.0, reads_parts(recipe.fusion)
        )
        samples = yield from relay(
            reading, lambda _: Progress("progress.learning_curve", 0, 100)
        )
        require_features(samples)
        if reads_parts(recipe.fusion):
            require_parts(samples, recipe.fusion)
        return (yield from learning_curve(samples, recipe, findings=request.findings))

    def control_arm(
        self, request: TrainingRequest, *, read: Mapping[str, Sequence[int]]
    ) -> Generator[Progress, None, dict[str, Any]]:
        """What the queue saves against drawing at random (see ``domain.ports.Trainer``)."""
        recipe = self._recipe(request, self._parent(request))
        parts = reads_parts(recipe.fusion)
        partitions = {"queue": Partition.TRAIN, "control": Partition.CONTROL}
        samples = {}
        for arm, partition in partitions.items():
            table = request.table.take(rows_among(request.table, read[arm]).tolist())
            samples[arm] = yield from self._read_quietly(table, partition, parts)
        audit = yield from self._read_quietly(request.table, Partition.AUDIT, parts)
        arms = Arms(samples, read, audit)
        with devices.steady_products():
            return (yield from control_arm(arms, recipe, findings=request.findings))

    def audit(
        self, table: LabelTable, *, findings: tuple[str, ...],
        versions: Sequence[tuple[Version, Any]],
    ) -> Generator[Progress, None, dict[int, dict[str, Any] | None]]:
        """How good versions are on today's audit cases (see ``domain.ports.Trainer``)."""
        parts = any(reads_parts(version.fusion) for version, _ in versions)
        table = table.take(rows_of(table, Partition.AUDIT).tolist())
        audit = yield from self._read_quietly(table, Partition.AUDIT, parts, "progress.audit")
        found: dict[int, dict[str, Any] | None] = {}
        for at, (version, folder) in enumerate(versions):
            yield Progress("progress.audit", at, len(versions))
            try:
                bundle = bundles.read(folder, version=version.id, sha256=version.sha256)
                self._check_encoders(bundle, version.id)
            except BundleInvalid:
                continue
            # Today's audit set may be drawn from what an older version learned from.
            ancestor = champion_of(bundle, findings, sha256=version.sha256).ancestor
            opinions = {"fused": np.nan_to_num(unseen(ancestor, audit), nan=0.5)}
            found[version.id] = evaluation.on_audit(audit, opinions, seed=0)
        return found

    def _read_quietly(
        self, table: LabelTable, partition: Partition, parts: bool,
        stage: str = "progress.control_arm",
    ) -> Generator[Progress, None, Samples]:
        reading = gather(self._features, table, partition, parts=parts)
        return (yield from relay(reading, lambda _: Progress(stage, 0, 100)))

    def load(self, version: Version, folder: Path) -> BundlePredictor:
        """Load a bundle after checking its hash and its encoders (BundleInvalid)."""
        bundle = bundles.read(folder, version=version.id, sha256=version.sha256)
        self._check_encoders(bundle, version.id)
        if reads_parts(bundle.card["fusion"]):
            self._features.want_parts()
        return BundlePredictor(version.id, bundle, self._features)


def _ancestor(
    request: TrainingRequest, parent: Champion | None, samples: Samples, recipe: Recipe
) -> Ancestor | None:
    """What the parent gives to the fit, and the findings that keep more of it."""
    if parent is None:
        return None
    known = request.parent_table
    changed = changed_share(samples, known, parent.ancestor.fold_of)
    ancestor = replace(parent.ancestor, changed=changed)
    if known is None or request.fusion == AUTO or not carries(parent.bundle.card, recipe):
        return ancestor
    return replace(ancestor, changes=changes(samples, known, ancestor.fold_of))


def _renewal(
    request: TrainingRequest, parent: Champion | None, ancestor: Ancestor | None,
    samples: Samples, recipe: Recipe, audit: Samples,
) -> Renewal | None:
    """What this round is, if it is a quick one."""
    if parent is None or request.unlabelled is not None:
        return None
    return renewable(
        samples, recipe, ancestor, parent.bundle.card,
        findings=request.findings, audit_truth=truth_of_audit(request, audit),
    )


def _pairs(
    samples: Samples, fitted: Fitted, parent: Champion | None, *, seed: int
) -> Generator[TrainingStep, None, tuple[PairEvidence, dict[str, Any]]]:
    """What the round knows of pairs, from the opinions of models that have not seen them, and how
    the card says it."""
    assert fitted.held_out is not None
    model = fitted.models[0]
    taught = {m: head.taught for m, head in model.heads.items()}
    logits = fitted.held_out.logits
    earlier = None
    if parent is not None:
        said = parent.bundle.card["metrics"].get("pairs", {})
        earlier = Earlier(parent.bundle.pairs.head, said.get("complete", 0))
    learning = learn_pairs(
        samples, logits, taught, fitted.folds, model.prior, seed=seed, earlier=earlier
    )
    pairs = yield from relay(learning, lambda _: TrainingStep("training.phase.measuring", 0.96))
    complete = complete_pairs(samples)
    if earlier is not None and pairs.head is earlier.head:
        complete = earlier.complete
    return pairs, described(pairs, complete=complete)


def _of_labels(
    request: TrainingRequest, samples: Samples, fitted: Fitted, ancestor: Ancestor | None,
    renewal: Renewal | None,
) -> Generator[TrainingStep, None, dict[str, Any]]:
    """What a round says of single labels: which are suspect, and how it changed on those that the
    parent knew."""
    step = TrainingStep("training.phase.measuring", 0.96)
    searching = suspects(samples, fitted, request.findings, seed=request.seed)
    found: dict[str, Any] = {"suspects": (yield from relay(searching, lambda _: step))}
    if ancestor is not None and request.parent_table is not None:
        found["old_labels"] = change_on_old_labels(
            samples, fitted, ancestor, request.parent_table,
            findings=request.findings, seed=request.seed, by_twins=renewal is None,
        )
        yield step
    return found


def _columns(
    groups: tuple[ExclusiveGroup, ...], findings: tuple[str, ...]
) -> tuple[Group, ...]:
    """The exclusive groups as columns of ``findings``."""
    return tuple(
        Group(tuple(findings.index(n) for n in g.findings), g.kind is Exclusivity.ONE_OF, g.name)
        for g in groups
    )


def _labels(table: LabelTable) -> int:
    return int((~np.isnan(table.targets[rows_of(table, Partition.TRAIN)])).sum())


def _search(
    samples: Samples, recipe: Recipe, findings: tuple[str, ...]
) -> Generator[TrainingStep, None, Found]:
    def tell(step: Progress) -> TrainingStep:
        share = step.done / step.total
        return TrainingStep("training.phase.searching", 0.1 + (_SEARCHED - 0.1) * share)

    return (yield from relay(search(samples, recipe, findings=findings), tell))


def _training_step(step: Step, begun: float) -> TrainingStep:
    trace = step.trace
    return TrainingStep(
        step.phase,
        begun + (0.95 - begun) * step.share,
        iteration=trace.iteration,
        loss=trace.loss,
        held_out_loss=trace.held_out_loss,
    )


def _per_finding(model: Model, findings: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Each finding's own λ; empty where one serves all."""
    shares = model.fusion.whole.shares
    if shares is None:
        return {}
    columns = shares.T.tolist()
    return {
        name: dict(zip(model.modalities, column, strict=True))
        for name, column in zip(findings, columns, strict=True)
    }
