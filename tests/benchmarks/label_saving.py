"""How many labels each acquisition policy saves: replays against random, equally tuned.

    python tests/benchmarks/label_saving.py [--sets openi synthetic covid pocus]
        [--policies hybrid margin …] [--seeds 10] [--first-seed 0] [--cache FOLDER] [--rounds FILE]

Each seed holds 30 % of the patient groups out (stratified, ``ml.yardstick``); the other cases are
read batch by batch in the order that a policy of ``ml.acquisition`` offers them. After each batch
everything is fitted anew by ``ml.recipe`` (heads, calibration, fusion; regularisation searched
again each time the labels have grown by half), the same for every policy. One case read gives all
its findings: *cases* are what is counted. ``cases`` is where macro AUROC first reaches 95 % of that
with the whole pool read, on the line between two batches; ``ratio`` is to random's, ``saving``
1 less that with its 95 % interval over seeds, ``area`` how much larger the mean AUROC over the
budget is than random's (paired by seed, Student's t). Until a first version can be fitted, a policy
that looks at opinions draws at random.

* ``openi``: the Open-i reports, text only; findings are the 20 most frequent MeSH headings that
  name one (not anatomy, "normal" or quality), from 12 to 1.7 % of the cases; reports with the same
  words are one group; those without indexing or text are left out.
* ``synthetic``: the demo's cohort, 2,000 cases, each finding a fifth as frequent as usual, at least
  2.5 %. Drawn and encoded on first use (10 minutes on two cores), kept in ``--cache``.
* ``covid``, ``pocus``: the real pairs, all labels.

Policies were tuned on seeds 100 and up (and on another synthetic cohort); report with seeds 0 to 9.
``--noise`` flips labels that are read (not those that measure).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tarfile
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.acquisition import (
    AcquisitionRequest,
    PolicyNeedsSuspects,
    PolicyNeedsVersion,
)
from mmreview.domain.cases import Case, ImageRef, Partition
from mmreview.domain.labels import LabelTable
from mmreview.domain.simulations import RANDOM, Curve, policy_rows
from mmreview.domain.versions import Role, Version
from mmreview.ml.acquisition import PolicyRegistry
from mmreview.ml.bundle import Bundle
from mmreview.ml.encoders.registry import DEFAULT_ENCODERS
from mmreview.ml.predictor import BundlePredictor
from mmreview.ml.recipe import Recipe, fit
from mmreview.ml.samples import Samples, labels_needed
from mmreview.ml.yardstick import Yardstick

OPENI = (
    "Opacity", "Cardiomegaly", "Pulmonary Atelectasis", "Calcinosis", "Calcified Granuloma",
    "Cicatrix", "Pleural Effusion", "Atherosclerosis", "Catheters, Indwelling", "Airspace Disease",
    "Deformity", "Granulomatous Disease", "Nodule", "Implanted Medical Device",
    "Surgical Instruments", "Scoliosis", "Fractures, Bone", "Pulmonary Congestion", "Osteophyte",
    "Infiltrate",
)
_SECTIONS = ("INDICATION", "FINDINGS", "IMPRESSION")
_COHORT_SEED, _COHORT_CASES = 31, 2000
_SHARE = 0.3
_SEARCH_AGAIN = 1.5
_YARDSTICK = Yardstick()


def _beside(name: str) -> ModuleType:
    """The module ``name`` of this folder, which is no package."""
    spec = spec_from_file_location(f"benchmark_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fusion = _beside("fusion")


def result(work: Generator[Any, None, Any]) -> Any:
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


# --- sets ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Labelled:
    """A set in memory: (n, width) features and (n,) presence by modality, (n, findings) targets,
    (n,) patient groups. ``batch`` cases are read between two rounds, ``budget`` in all."""

    features: dict[str, NDArray[np.float32]]
    present: dict[str, NDArray[np.bool_]]
    targets: NDArray[np.float32]
    groups: NDArray[np.str_]
    findings: tuple[str, ...]
    batch: int
    budget: int

    def samples(self, rows: NDArray[np.intp], targets: NDArray[np.float32]) -> Samples:
        """Some cases as what a fit takes, with these targets."""
        names = tuple(self.features)
        return Samples(
            modalities=names,
            features={m: x[rows] for m, x in self.features.items()},
            present={m: p[rows] for m, p in self.present.items()},
            keys=rows.astype(np.int64),
            groups=self.groups[rows],
            targets=targets,
            corrected=np.ones(targets.shape, bool),
            basis=np.full(targets.shape, (1 << len(names)) - 1, np.int8),
            blocks={m: DEFAULT_ENCODERS[m].blocks for m in names},
            pieces={m: DEFAULT_ENCODERS[m].pieces for m in names},
            weighing={m: DEFAULT_ENCODERS[m].weighing for m in names},
        )


class Memory:
    """``ml.samples.CachedFeatures`` over a set; a case's hash is its row."""

    marked: frozenset[str] = frozenset()
    part_widths: dict[str, int] = {}

    def __init__(self, found: Labelled) -> None:
        self.modalities = tuple(found.features)
        self._found = found

    def width(self, modality: str) -> int:
        """See the protocol, as for all below."""
        return self._found.features[modality].shape[1]

    def blocks(self, modality: str) -> tuple[int, ...]:
        """As the encoder's."""
        return DEFAULT_ENCODERS[modality].blocks

    def weighing(self, modality: str) -> Any:
        """As the encoder's."""
        return DEFAULT_ENCODERS[modality].weighing

    def pieces(self, modality: str) -> Any:
        """As the encoder's."""
        return DEFAULT_ENCODERS[modality].pieces

    def fingerprint(self, modality: str) -> str:
        """One encoder a modality."""
        return modality

    def want_parts(self) -> None:
        """There are none."""

    def parts_cached(self) -> bool:
        """There are none."""
        return False

    def cached(self, modality: str) -> int:
        """All are."""
        return len(self._found.features[modality])

    def matrix(
        self, modality: str, hashes: Sequence[tuple[str, ...]],
        out: NDArray[np.float32] | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """The rows."""
        rows = [int(own[0]) if own else 0 for own in hashes]
        there = np.array([bool(own) for own in hashes], bool)
        return np.multiply(self._found.features[modality][rows], there[:, None], out=out), there


def _encoded(
    cases: list[Case], root: Path, cache: Path, targets: NDArray[np.float64], **how: Any
) -> Labelled:
    from mmreview.ml.features import EncodedFeatures

    features = EncodedFeatures(folder=cache, root=root)
    result(step for step in features.encode(features.missing(cases)))
    kept = np.flatnonzero(~np.isnan(targets).all(axis=1))
    found = {}
    for m in features.modalities:
        rows, there = features.matrix(m, [cases[i].hashes(m) for i in kept])
        if there.any():
            found[m] = rows, there
    return Labelled(
        features={m: rows for m, (rows, _) in found.items()},
        present={m: there for m, (_, there) in found.items()},
        targets=targets[kept].astype(np.float32),
        groups=np.array([cases[i].group for i in kept]),
        **how,
    )


def openi(data: Path, cache: Path) -> Labelled:
    """See the module."""
    cases, targets = [], []
    with tarfile.open(data / "openi" / "NLMCXR_reports.tgz") as archive:
        members = sorted(
            (m for m in archive.getmembers() if m.name.endswith(".xml")), key=lambda m: m.name
        )
        for member in members:
            file = archive.extractfile(member)
            assert file is not None
            tree = ElementTree.fromstring(file.read())
            headings = {(e.text or "").split("/")[0].strip() for e in tree.iter("major")}
            said = {e.get("Label", ""): (e.text or "").strip() for e in tree.iter("AbstractText")}
            body = " ".join(f"{said.get('FINDINGS', '')} {said.get('IMPRESSION', '')}".split())
            if not headings or "No Indexing" in headings or not body:
                continue
            report = "\n\n".join(f"{name}: {said[name]}" for name in _SECTIONS if said.get(name))
            cases.append(
                Case(
                    key=len(cases), id=Path(member.name).stem, partition=Partition.TRAIN,
                    group=_sha(body.lower())[:16], images=(), report=report,
                    report_sha256=_sha(report),
                )
            )
            targets.append([float(name in headings) for name in OPENI])
    return _encoded(
        cases, data, cache / "openi", np.array(targets), findings=OPENI, batch=20, budget=400
    )


def synthetic(data: Path, cache: Path, *, seed: int = _COHORT_SEED) -> Labelled:
    """See the module."""
    from mmreview.demo import cohort

    folder = cache / f"synthetic-{seed}"
    if not (folder / "manifest.jsonl").exists():
        usual = dict(cohort.PREVALENCE)
        rare = {name: (max(share / 5, 0.025), with_) for name, (share, with_) in usual.items()}
        cohort.PREVALENCE.update(rare)
        try:
            result(cohort.write_cohort(folder, cases=_COHORT_CASES, seed=seed))
        finally:
            cohort.PREVALENCE.update(usual)
    rows = [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]
    cases = [
        Case(
            key=key, id=row["id"], group=row["patient_id"], partition=Partition.TRAIN,
            images=tuple(
                ImageRef(_sha((folder / name).read_bytes()), name, 0, 0)
                for name in row.get("images", ())
            ),
            report=row.get("report"),
            report_sha256=_sha(row["report"]) if "report" in row else None,
        )
        for key, row in enumerate(rows)
    ]
    findings = tuple(rows[0]["truth"]["findings"])
    targets = np.array([[float(r["truth"]["findings"][f]) for f in findings] for r in rows])
    return _encoded(
        cases, folder, cache / f"features-{seed}", targets, findings=findings, batch=20,
        budget=500,
    )


def _real(name: str, **how: Any) -> Callable[[Path, Path], Labelled]:
    def made(data: Path, cache: Path) -> Labelled:
        folder, findings, targets_of = fusion.SETS[name]
        rows, cases = fusion.read_cases(data / folder)
        targets = np.array([targets_of(row) for row in rows])
        return _encoded(cases, data / folder, cache / folder, targets, findings=findings, **how)

    return made


def _sha(content: str | bytes) -> str:
    return hashlib.sha256(content.encode() if isinstance(content, str) else content).hexdigest()


SETS: dict[str, Callable[[Path, Path], Labelled]] = {
    "openi": openi,
    "synthetic": synthetic,
    "covid": _real("covid", batch=10, budget=250),
    "pocus": _real("pocus", batch=4, budget=60),
}


# --- one run -------------------------------------------------------------------------------------


class Replay:
    """One seed of a set: who is held out, what the reader says."""

    def __init__(self, found: Labelled, *, seed: int, noise: float) -> None:
        self.found, self.seed = found, seed
        self.held_out = _YARDSTICK.hold_out(
            tuple(found.groups.tolist()), found.targets, share=_SHARE, seed=seed
        )
        self.measured = _YARDSTICK.findings(found.targets, self.held_out)
        self.pool = np.flatnonzero(~self.held_out)
        wrong = np.random.default_rng([seed, 7]).random(found.targets.shape) < noise
        self.said = np.where(wrong, 1 - found.targets, found.targets).astype(np.float32)
        self.full = self.auroc(self._fitted(self.pool, {})[0])

    def _fitted(self, rows: NDArray[np.intp], spreads: dict[str, float]) -> tuple[Any, ...]:
        recipe = Recipe(seed=self.seed, spreads=spreads or None)
        samples = self.found.samples(rows, self.said[rows])
        fitted = result(fit(samples, recipe))
        return fitted.models, fitted.spreads, dict(
            zip(rows.tolist(), fitted.folds.tolist(), strict=True)
        )

    def auroc(self, models: tuple[Any, ...] | None) -> float:
        """Macro AUROC of a fit on the patients that are held out."""
        rows = np.flatnonzero(self.held_out)
        truth = self.found.targets[rows][:, self.measured]
        if models is None:
            return _YARDSTICK.macro_auroc(truth, None)
        features = {m: x[rows] for m, x in self.found.features.items()}
        present = {m: p[rows] for m, p in self.found.present.items()}
        fused = models[0].opinions(features, present).probabilities["fused"]
        return _YARDSTICK.macro_auroc(truth, fused[:, self.measured])

    def curve(self, policy: str) -> Curve:
        """Read by ``policy`` until the budget is spent."""
        found, features = self.found, Memory(self.found)
        read: list[int] = []
        points = [(0, 0.5)]
        predictor: BundlePredictor | None = None
        spreads: dict[str, float] = {}
        searched = 0
        while len(read) < min(found.budget, len(self.pool)):
            read += self._offered(policy, features, read, predictor)
            table = self._table(read)
            if labels_needed(table):
                points.append((len(read), 0.5))
                continue
            if len(read) >= _SEARCH_AGAIN * searched:
                spreads, searched = {}, len(read)
            models, spreads, fold_of = self._fitted(np.sort(np.array(read)), spreads)
            points.append((len(read), self.auroc(models)))
            card = {
                "findings": list(found.findings), "fusion": Recipe.fusion, "counts": {},
                "modalities": list(found.features), "metrics": {},
            }
            predictor = BundlePredictor(1, Bundle(models, fold_of, card), features)
        return Curve(policy, self.seed, tuple(points), self.full)

    def _table(self, read: list[int]) -> LabelTable:
        rows = np.sort(np.array(read, np.int64))
        targets = self.said[rows]
        return LabelTable(
            keys=rows,
            groups=tuple(self.found.groups[rows].tolist()),
            partitions=(Partition.TRAIN,) * len(rows),
            hashes=self._hashes(rows),
            targets=targets,
            corrected=np.ones(targets.shape, bool),
            basis=np.full(targets.shape, (1 << len(self.found.features)) - 1, np.int8),
            through_seq=0,
        )

    def _hashes(self, rows: NDArray[np.int64]) -> dict[str, tuple[tuple[str, ...], ...]]:
        return {
            m: tuple((str(row),) if there[row] else () for row in rows.tolist())
            for m, there in self.found.present.items()
        }

    def _offered(
        self, policy: str, features: Memory, read: list[int], predictor: BundlePredictor | None
    ) -> list[int]:
        unread = np.setdiff1d(self.pool, read)
        top = min(self.found.batch, self.found.budget - len(read), len(unread))
        version = None if predictor is None else _VERSION
        request = AcquisitionRequest(
            policy=policy, top=top, keys=unread.tolist(), hashes=self._hashes(unread),
            table=self._table(read), findings=self.found.findings, version=version,
            folder=Path(), seed=self.seed, threads=1,
        )
        registry = PolicyRegistry(features, load=lambda *_: predictor)
        try:
            keys = [choice.key for choice in result(registry.rank(request))]
        except (PolicyNeedsVersion, PolicyNeedsSuspects):
            keys = []
        if len(keys) < top:
            rest = replace(request, policy=RANDOM, top=len(unread))
            others = [choice.key for choice in result(registry.rank(rest))]
            keys += [key for key in others if key not in keys][: top - len(keys)]
        return keys


_VERSION = Version(
    id=1, sha256="", role=Role.CHAMPION, parent=None, folder="", created_at="", fusion="mixture",
    corrections=0, through_seq=0, metrics={}, gate={},
)


# --- the table -----------------------------------------------------------------------------------


def report(name: str, arms: dict[str, list[Curve]], seconds: dict[str, float]) -> None:
    """A line for each policy."""
    full = np.mean([curve.full for curve in arms[RANDOM]])
    print(f"\n{name}: macro AUROC with the whole pool read {full:.3f}")
    print(f"{'policy':>12} {'reached':>8} {'cases':>17} {'ratio':>6} {'saving':>20} "
          f"{'area less random':>24} {'s a run':>8}")
    rows = policy_rows(arms)
    for row in rows:
        ratio = row.cases.mean / rows[0].cases.mean
        print(
            f"{row.policy:>12} {row.reached:>5}/{row.seeds:<2} {_said(row.cases, '{:.0f}'):>17} "
            f"{ratio:>6.2f} {_said(row.saving, '{:+.2f}'):>20} {_said(row.gain, '{:+.4f}'):>24} "
            f"{seconds[row.policy] / row.seeds:>8.1f}",
            flush=True,
        )


def _said(interval: Any, form: str) -> str:
    if interval is None:
        return "–"
    if interval.low is None:
        return form.format(interval.mean)
    return " ".join(form.format(v) for v in (interval.mean, interval.low, interval.high))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=fusion.DATA)
    parser.add_argument("--cache", type=Path, help="keep what is drawn and encoded here")
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    parser.add_argument("--policies", nargs="*", default=["margin", "rare", "hybrid"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--noise", type=float, default=0.0)
    parser.add_argument("--batch", type=int)
    parser.add_argument("--budget", type=int)
    parser.add_argument("--rounds", type=Path, help="append every curve to this JSON lines file")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mmreview-saving-") as scratch:
        for name in given.sets:
            found = SETS[name](given.data, given.cache or Path(scratch))
            found = replace(
                found, batch=given.batch or found.batch, budget=given.budget or found.budget
            )
            _measure(name, found, given)


def _measure(name: str, found: Labelled, given: argparse.Namespace) -> None:
    arms: dict[str, list[Curve]] = {p: [] for p in dict.fromkeys((RANDOM, *given.policies))}
    seconds = dict.fromkeys(arms, 0.0)
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        replay = Replay(found, seed=seed, noise=given.noise)
        for policy, curves in arms.items():
            began = time.process_time()
            curves.append(replay.curve(policy))
            seconds[policy] += time.process_time() - began
            if given.rounds:
                with given.rounds.open("a") as file:
                    line = {"set": name, "policy": policy, "seed": seed, "full": replay.full,
                            "points": curves[-1].points}
                    file.write(json.dumps(line) + "\n")
    report(name, arms, seconds)


if __name__ == "__main__":
    main()
