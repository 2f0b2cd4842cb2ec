"""A project on a real store with a model room that answers at once: for tests of the window.

The store, the services and every widget are the real ones; only encoders, fusion and trainer are
stood in for, so that a test needs neither torch nor seconds.
"""

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from mmreview.compose import ProjectOpener, furnish
from mmreview.domain.acquisition import PolicyNotFound
from mmreview.domain.cases import ImageRef, Partition
from mmreview.domain.errors import TooFewLabels, TooFewToCompare
from mmreview.domain.findings import Finding, FindingSchema, State
from mmreview.domain.likeness import Alike, Alikeness
from mmreview.domain.ports import CaseDraft, TrainingResult
from mmreview.domain.predictions import (
    FindingPrediction,
    Prediction,
    ScoreTable,
    jensen_shannon_bits,
    sigmoid,
)
from mmreview.domain.progress import Progress, TrainingStep
from mmreview.domain.queues import Choice
from mmreview.domain.versions import GateVerdict
from mmreview.ml.scoring import entropy

SCHEMA = FindingSchema(
    "test",
    tuple(Finding(name) for name in ("Edema", "Cardiomegaly", "Pleural Effusion", "Fracture")),
)


class FakeFeatures:
    modalities = ("image", "text")

    def __init__(self):
        self.encoded = None  # None: everything is; else the keys that are

    def join(self, modality):
        if modality not in self.modalities:
            self.modalities = (*self.modalities, modality)

    def missing(self, cases):
        return [] if self.encoded is None else [c for c in cases if c.key not in self.encoded]

    def encode(self, cases):
        for number, case in enumerate(cases, start=1):
            if self.encoded is not None:
                self.encoded.add(case.key)
            yield Progress("progress.encode", number, len(cases))

    def warm_up(self):
        pass

    def describe(self):
        return {"device": "CPU"}


class FakePredictor:
    """Opinions from a hash of case, finding and version; the first finding always conflicts."""

    fusion = "pooling"
    weights = {"image": 0.58, "text": 0.42}
    weights_cv = {"image": 0.5, "text": 0.5}
    weights_learned = {"image": 0.58, "text": 0.42}

    def __init__(self, version, findings):
        self.version = version
        self.findings = findings

    @property
    def modalities(self):
        return tuple(self.weights)

    def value_parts(self, case):
        return {}

    def predict(self, cases):
        return [self._case(case.id, {m: case.hashes(m) for m in self.weights}) for case in cases]

    def score(self, hashes):
        rows = [dict(zip(hashes, row, strict=True)) for row in zip(*hashes.values(), strict=True)]
        findings = [self._case("", {m: row[m] for m in self.weights}).findings for row in rows]

        def column(value):
            known = [[value(f) for f in row] for row in findings]
            return np.array(known, np.float64).reshape(len(rows), len(self.findings))

        fused, bits = column(lambda f: f.fused), column(lambda f: f.conflict)
        none = np.full(len(rows), np.nan)
        return ScoreTable(
            fused=fused,
            modalities={m: column(lambda f, m=m: f.modalities[m]) for m in self.weights},
            uncertainty=entropy(fused).mean(axis=1),
            uncertain_at=np.nan_to_num(np.abs(fused - 0.5), nan=2).argmin(axis=1),
            conflict=bits.max(axis=1),
            conflict_at=np.nan_to_num(bits, nan=-1).argmax(axis=1),
            conflict_rank=none,
            wrong_pair=none,
        )

    def _case(self, case, hashes):
        there = {m: own for m, own in hashes.items() if own}
        return Prediction(
            case,
            self.version,
            dict(self.weights),
            tuple(self._finding(name, there) for name in self.findings),
            reweightable=len(there) == 2,
        )

    def _finding(self, name, there):
        units = {m: self._logit(own, name) for m, own in there.items()}
        if name == self.findings[0] and len(there) == 2:
            units = {"image": 2.5, "text": -2.5}
        parts = {m: self.weights[m] * unit for m, unit in units.items()}
        opinions = {m: sigmoid(units[m]) if m in units else None for m in self.weights}
        both = [p for p in opinions.values() if p is not None]
        return FindingPrediction(
            name,
            sigmoid(sum(parts.values())) if parts else None,
            opinions,
            parts,
            prior=0.0,
            units=units,
            conflict=jensen_shannon_bits(*both) if len(both) == 2 else None,
        )

    def _logit(self, *what):
        digest = hashlib.sha256(repr((*what, self.version)).encode()).digest()
        return (digest[0] - 128) / 40


class FakeTrainer:
    """Takes three steps, writes one file; needs one label, accepts unless ``refusing``."""

    refusing = False
    fusions = ("mixture", "soft", "pooling")
    findings = SCHEMA.names

    def train(self, request):
        if not len(request.table.keys):
            raise TooFewLabels(needed=5)
        for number in range(1, 4):
            yield TrainingStep(
                "training.phase.fitting", number / 4, number, loss=1 / number,
                held_out_loss=1.1 / number,
            )
        yield TrainingStep("training.phase.measuring", 0.95)
        request.folder.mkdir(parents=True)
        (request.folder / "card.json").write_text("{}")
        reason = "gate.first" if request.parent is None else "gate.better"
        verdict = GateVerdict(
            not self.refusing, "cross_validation", 40, -0.01, 0.01,
            "gate.worse" if self.refusing else reason,
            {"count": 40, "cases": 40, "difference": 0.01},
        )
        metrics = {"auroc": {"fused": 0.87, "image": 0.8, "text": 0.82}, "cases": 40}
        return TrainingResult(f"sha-{request.version}", "pooling", metrics, verdict)

    def audit(self, table, *, findings, versions):
        yield Progress("progress.audit", 0, len(versions))
        return {
            version.id: {
                "cases": len(table.keys), "labels": 4 * len(table.keys), "positives": 9,
                "auroc": {"fused": [0.8, 0.7, 0.9]}, "ece": 0.05, "ece_perfect": [0.01, 0.06],
            }
            for version, _ in versions
        }

    def control_arm(self, request, *, read):
        have = {arm: len(keys) for arm, keys in read.items()}
        if min(have.values()) < 20:
            lacking = {arm: max(0, 20 - count) for arm, count in have.items()}
            raise TooFewToCompare(audit=0, **lacking)
        yield Progress("progress.control_arm", 50, 100)
        points = [
            {"cases": n, "labels": {"queue": 4 * n, "control": 4 * n},
             "queue": [0.7 + n / 200, 0.6 + n / 200, 0.8 + n / 200],
             "control": [0.66 + n / 200, 0.56 + n / 200, 0.76 + n / 200],
             "difference": [0.04, -0.05, 0.13]}
            for n in (10, 20)
        ]
        return {
            "points": points, "audit": {"cases": 40, "findings": list(self.findings)},
            "read": have, "verdict": "insights.saving.none", "params": {"cases": 20},
            "saving": None,
        }

    def learning_curve(self, request):
        yield Progress("progress.learning_curve", 50, 100)
        rows = [{"fused": [0.6 + number / 10, 0.5, 0.9]} for number in range(3)]
        return {
            "points": [{"cases": 10 * n, "labels": 40 * n, "rows": {"macro": row}}
                       for n, row in enumerate(rows, start=1)],
            "cases": 40, "groups": 30, "folds": 5,
        }

    def labels_needed(self, table):
        return 0 if len(table.keys) else 5

    def load(self, version, folder):
        return FakePredictor(version.id, self.findings)


class FakeAcquisition:
    """Offers the pool in its own order."""

    policies = ("random", "margin", "hybrid")

    def rank(self, request):
        if request.policy not in self.policies:
            raise PolicyNotFound(policy=request.policy, known=", ".join(self.policies))
        yield Progress("progress.acquire", 0, len(request.keys))
        return [
            Choice(key, 1 / (place + 1), "queue.uncertain", {"finding": request.findings[0]})
            for place, key in enumerate(request.keys[: request.top])
        ]


def draft(number, *, image=None, report="FINDINGS: Clear lungs.", partition=Partition.TRAIN,
          labels=None):
    report_hash = hashlib.sha256(report.encode()).hexdigest() if report is not None else None
    return CaseDraft(
        id=f"case-{number:04d}",
        group=f"patient-{number}",
        partition=partition,
        images=image or (),
        report=report,
        report_sha256=report_hash,
        patient_id=f"patient-{number}",
        accession="",
        study_date="2026-03-14",
        metadata={"sex": "F", "age": 40 + number},
        labels=labels or {},
        fingerprint=f"print-{number}",
    )


def picture(folder: Path, number: int) -> ImageRef:
    """A small grey picture, copied into the project as an import would."""
    path = folder / "images" / f"{number}.png"
    path.parent.mkdir(exist_ok=True)
    Image.new("L", (96, 64), 40 + 10 * (number % 20)).save(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return ImageRef(sha256, f"images/{number}.png", 96, 64)


def make_project(
    folder: Path, *, cases: int = 6, labels: bool = False, schema: FindingSchema = SCHEMA
) -> Path:
    """A project with ``cases`` cases; the second has no report, the third no image."""
    from mmreview.store.engine import create_store

    store = create_store(folder, schema)
    drafts = []
    for number in range(1, cases + 1):
        image = () if number == 3 else (picture(store.folder, number),)
        report = None if number == 2 else f"FINDINGS: Report number {number}. No effusion."
        states = {"Edema": State.PRESENT if number % 2 else State.ABSENT} if labels else {}
        drafts.append(draft(number, image=image, report=report, labels=states))
    store.cases.upsert(drafts)
    store.close()
    return folder


class FakeLikeness:
    """Every case is alike to those that a test says it is: ``twins`` maps keys to kinds."""

    def __init__(self, twins=None):
        self.twins = twins or {}

    def alike(self, mine, *, keys, hashes):
        yield Progress("progress.alike", 0, len(keys))
        return [
            Alike(key, kind, 0.98, 1.0 if kind is Alikeness.WHOLE else 0.2)
            for key, kind in self.twins.items()
            if key in keys
        ]


class FakeOpener(ProjectOpener):
    """Opens real projects with the model room stood in for."""

    def __init__(self):
        super().__init__()
        self.features = FakeFeatures()
        self.trainer = FakeTrainer()
        self.likeness = FakeLikeness()
        self.acquisition = FakeAcquisition()

    def _furnish(self, store):
        return furnish(
            store, features=self.features, trainer=self.trainer, likeness=self.likeness,
            acquisition=self.acquisition,
        )

    def create(self, path, *, schema="test", seed=0):
        return self._create(path, SCHEMA, seed=seed)

    def create_demo(self, path, *, seed):
        return self.open(make_project(path, labels=True))

    def fill_demo(self, desk, *, cases, seed):
        yield from self.refresh(desk, actor="demo")

    def schemas(self):
        return ("test",)
