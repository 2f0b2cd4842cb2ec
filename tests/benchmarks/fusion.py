"""How good the fused opinion is on real pairs: grouped nested cross-validation, printed as a table.

    python tests/benchmarks/fusion.py [--data FOLDER] [--seeds N] [--cache FOLDER] [--weight cv]

Targets are those of the first measurements: covid (8 labels), brixia (a radiologist's zone scores,
which do not come from the text), outcomes (survival, intubated, ICU) and pocus (5 lung ultrasound
findings). Macro AUROC counts pairs within outer folds, on cases with image and report. ``best`` is
the better modality of each finding, chosen with hindsight. Needs the real data beside the
repository; encoding it takes about two minutes on two cores, kept with ``--cache``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mmreview.domain.cases import Case, ImageRef, Partition
from mmreview.domain.labels import LabelTable
from mmreview.ml.trainer import FusionTrainer
from mmreview.services.learning import parse_weight

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
COVID = ("Pneumonia", "Viral", "COVID-19", "Bacterial", "Fungal", "No Finding", "ARDS", "SARS")
BRIXIA = {"S-Global": 8, "S-A": 1, "S-B": 2, "S-C": 2, "S-D": 1, "S-E": 1, "S-F": 2}
OUTCOMES = ("survival", "intubated", "went_icu")
POCUS = ("Healthy", "Consolidations", "Effusion", "Pleural line irregularities", "B-lines")

Row = dict[str, Any]


def listed(names: tuple[str, ...]) -> Callable[[Row], list[float]]:
    """Labels that a row lists are present, the others absent; unlabelled rows know nothing."""

    def targets(row: Row) -> list[float]:
        if row.get("label_status", "labelled") != "labelled":
            return [np.nan] * len(names)
        return [float(name in row["labels"]) for name in names]

    return targets


def scored(row: Row) -> list[float]:
    """The senior radiologist's zone scores against their thresholds."""
    known = row.get("brixia") or {}
    return [
        np.nan if known.get(zone) is None else float(known[zone] >= threshold)
        for zone, threshold in BRIXIA.items()
    ]


def outcome(row: Row) -> list[float]:
    """What happened to the patient, where it is known."""
    known = row.get("outcomes") or {}
    return [np.nan if known.get(name) is None else float(known[name]) for name in OUTCOMES]


SETS: dict[str, tuple[str, tuple[str, ...], Callable[[Row], list[float]]]] = {
    "covid": ("covid_chestxray", COVID, listed(COVID)),
    "brixia": ("covid_chestxray", tuple(BRIXIA), scored),
    "outcomes": ("covid_chestxray", OUTCOMES, outcome),
    "pocus": ("pocus_lung_ultrasound", POCUS, listed(POCUS)),
}


def read_cases(folder: Path) -> tuple[list[Row], list[Case]]:
    """The rows of a manifest and their cases, images left in place."""
    rows = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    cases = []
    for key, row in enumerate(rows):
        names = [row["image"], *(row.get("extra_frames") or [])]
        images = tuple(
            ImageRef(hashlib.sha256(path.read_bytes()).hexdigest(), str(path.resolve()), 0, 0)
            for path in (folder / name for name in names)
            if path.exists()
        )
        report = row["report"] or None
        cases.append(
            Case(
                key=key,
                id=row["id"],
                group=row["split_group"],
                partition=Partition.TRAIN,
                images=images,
                report=report,
                report_sha256=hashlib.sha256(report.encode()).hexdigest() if report else None,
            )
        )
    return rows, cases


def label_table(cases: list[Case], targets: np.ndarray, modalities: tuple[str, ...]) -> LabelTable:
    """Every case with at least one label."""
    kept = np.flatnonzero(~np.isnan(targets).all(axis=1))
    return LabelTable(
        keys=np.array([cases[i].key for i in kept], np.int64),
        groups=tuple(cases[i].group for i in kept),
        partitions=tuple(cases[i].partition for i in kept),
        hashes={m: tuple(cases[i].hashes(m) for i in kept) for m in modalities},
        targets=targets[kept].astype(np.float32),
        corrected=np.zeros(targets[kept].shape, bool),
        basis=np.full(targets[kept].shape, (1 << len(modalities)) - 1, np.int8),
        through_seq=0,
    )


def evaluations(
    data: Path, cache: Path, *, seeds: int, weight: str, names: list[str]
) -> Iterator[tuple[str, list[Row]]]:
    """For each set the rows of ``evaluate``, one list a seed joined."""
    from mmreview.ml.features import EncodedFeatures

    for name in names:
        folder, findings, targets_of = SETS[name]
        rows, cases = read_cases(data / folder)
        features = EncodedFeatures(folder=cache / folder, root=data / folder)
        for step in features.encode(features.missing(cases)):
            for problem in step.problems:
                print("  problem:", problem)
        targets = np.array([targets_of(row) for row in rows])
        table = label_table(cases, targets, features.modalities)
        trainer = FusionTrainer(features)
        found: list[Row] = []
        for seed in range(seeds):
            work = trainer.evaluate(
                table, findings=findings, folds=5, seed=seed, weight=parse_weight(weight)
            )
            while True:
                try:
                    next(work)
                except StopIteration as done:
                    found += [{**row, "seed": seed} for row in done.value["rows"]]
                    break
        yield name, found


def summary(name: str, rows: list[Row]) -> Row:
    """The macro AUROC of each opinion (mean over seeds) and the differences per finding."""
    auroc: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        if row["finding"] != "macro" and row["auroc"] is not None:
            auroc.setdefault(row["opinion"], {}).setdefault(row["finding"], []).append(row["auroc"])
    means = {o: {f: float(np.mean(v)) for f, v in found.items()} for o, found in auroc.items()}
    best = {f: max(means["image"][f], means["text"][f]) for f in means["fused"]}
    gaps = {f: means["fused"][f] - best[f] for f in best}
    ece = [r["ece"] for r in rows if r["finding"] == "macro" and r["opinion"] == "fused"]
    return {
        "set": name,
        **{opinion: float(np.mean(list(found.values()))) for opinion, found in means.items()},
        "best": float(np.mean(list(best.values()))),
        "fused-best": float(np.mean(list(gaps.values()))),
        ">=-.005": float(np.mean([gap >= -0.005 for gap in gaps.values()])),
        "worst": min(gaps.values()),
        "ece": float(np.mean(ece)),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--weight", default="cv")
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    given = parser.parse_args()
    if not given.data.is_dir():
        raise SystemExit(f"the real data is not at {given.data}")
    with tempfile.TemporaryDirectory(prefix="mmreview-fusion-") as scratch:
        work = evaluations(
            given.data, given.cache or Path(scratch), seeds=given.seeds, weight=given.weight,
            names=given.sets,
        )
        header: list[str] = []
        for name, rows in work:
            line = summary(name, rows)
            if not header:
                header = list(line)
                print("  ".join(f"{column.removeprefix('fusion:'):>13}" for column in header))
            cells = [line[c] if isinstance(line[c], str) else f"{line[c]:.3f}" for c in header]
            print("  ".join(f"{cell:>13}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
