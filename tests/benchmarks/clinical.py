"""What clinical values are worth on the real dev targets: each set with and without them.

    python tests/benchmarks/clinical.py [--seeds N] [--cache FOLDER] [--sets covid brixia …]

Age, sex, temperature, saturation and blood counts come from the sets' own metadata (``age`` and
``sex`` of the pairs; the covid set's ``metadata.csv`` for the others, most of them missing). No
target of the dev sets is made from such a value. Outcomes need thought: the values are of the
day of the picture and known before the outcome, but temperature and saturation were noted more
often for the sick, so that *being measured* may tell; ``marks`` shows what that alone is worth,
the clinical opinion from which values are known and nothing else.

Protocol of ``targets.py``: grouped 5-fold, everything nested, AUROC within outer folds, all seeds
together; ± is the standard error of a bootstrap over patient groups. All opinions are measured on
the cases that have image, report and some value, the same ones with and without the third modality.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.cases import CLINICAL, Case, Partition
from mmreview.domain.clinical import NAMES, read_values
from mmreview.ml.evaluation import Unseen, unseen_opinions
from mmreview.ml.features import EncodedFeatures
from mmreview.ml.recipe import Recipe
from mmreview.ml.samples import Samples, gather

#: The source's names that are read as clinical values.
_COLUMNS = (
    "age", "sex", "temperature", "pO2_saturation", "leukocyte_count", "neutrophil_count",
    "lymphocyte_count",
)


def _beside(name: str) -> ModuleType:
    """The module ``name`` of this folder, which is no package."""
    spec = spec_from_file_location(f"benchmark_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    return module


targets = _beside("targets")


def with_values(rows: list[dict[str, Any]], cases: list[Case], folder: Path) -> list[Case]:
    """The cases with what the source says of their patients."""
    table: dict[str, dict[str, str]] = {}
    if (folder / "metadata.csv").exists():
        with (folder / "metadata.csv").open(encoding="utf-8") as file:
            table = {row["filename"]: row for row in csv.DictReader(file)}
    found = []
    for row, case in zip(rows, cases, strict=True):
        told = {**row, **table.get(Path(row["image"]).name, {})}
        own = {name: told[name] for name in _COLUMNS if told.get(name)}
        found.append(replace(case, metadata=own))
    return found


def only_marks(samples: Samples) -> Samples:
    """The same with every value in the middle: what is left is which are known."""
    features = samples.features[CLINICAL].copy()
    features[:, : len(NAMES)] = 0
    return replace(samples, features={**samples.features, CLINICAL: features})


def without(samples: Samples) -> Samples:
    """The same with image and report only."""
    kept = tuple(m for m in samples.modalities if m != CLINICAL)
    return replace(
        samples, modalities=kept, features={m: samples.features[m] for m in kept},
        present={m: samples.present[m] for m in kept},
    )


def opinions(samples: Samples, seeds: int) -> list[Unseen]:
    """Each seed's opinions."""
    return [
        targets._result(unseen_opinions(samples, folds=5, recipe=Recipe(seed=seed)))
        for seed in range(seeds)
    ]


def compare(name: str, samples: Samples, seeds: int) -> None:
    """Print a set's table."""
    truth = np.where(samples.complete[:, None], samples.targets, np.nan).astype(np.float64)
    known = np.where(samples.complete[:, None], samples.targets, np.nan).astype(np.float64)
    columns = _measurable(known)
    truth = known[:, columns]
    found: dict[str, list[Unseen]] = {}
    for kind, part in (
        ("without", without(samples)), ("with", samples), ("marks", only_marks(samples))
    ):
        found[kind] = opinions(part, seeds)
    count = int((~np.isnan(truth)).any(axis=1).sum())
    print(f"\n{name}: {truth.shape[1]} findings on {count} cases with image, report and values")
    measured = {}
    for label, kind, opinion in (
        ("image", "without", "image"), ("report", "without", "text"),
        ("fused without", "without", "fused"), ("values", "with", CLINICAL),
        ("marks alone", "marks", CLINICAL), ("fused with", "with", "fused"),
        ("fused with marks", "marks", "fused"),
    ):
        chosen = [
            Unseen(u.folds, {opinion: u.opinions[opinion][:, columns]}) for u in found[kind]
        ]
        measured[label] = targets.measure(truth, samples.groups, chosen, opinion)
        one = measured[label]
        error = float(np.nanstd(np.nanmean(one.drawn, axis=1)))
        ece = one.calibration[0]
        print(f"  {label:17} AUROC {one.auroc.mean():.3f} ± {error:.3f}  ECE {ece:.3f}")
    for label in ("fused with", "fused with marks"):
        gap = measured[label].auroc - measured["fused without"].auroc
        drawn = measured[label].drawn - measured["fused without"].drawn
        error = float(np.nanstd(np.nanmean(drawn, axis=1)))
        print(f"  {label} less without: {gap.mean():+.4f} ± {error:.4f}, worst {gap.min():+.3f}")


def _measurable(truth: NDArray[np.floating]) -> NDArray[np.intp]:
    """Findings with at least five labels of either kind."""
    counts = np.minimum((truth == 1).sum(axis=0), (truth == 0).sum(axis=0))
    return np.flatnonzero(counts >= 5)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=targets.fusion.DATA)
    parser.add_argument("--cache", type=Path, help="keep the encoded features here")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sets", nargs="+", default=list(targets.DEV), choices=list(targets.DEV))
    given = parser.parse_args()
    if not given.data.is_dir():
        raise SystemExit(f"the real data is not at {given.data}")
    with tempfile.TemporaryDirectory(prefix="mmreview-clinical-") as scratch:
        for name in given.sets:
            chosen = targets.DEV[name]
            folder = given.data / chosen.folder
            rows, cases = targets.fusion.read_cases(folder)
            cases = with_values(rows, cases, folder)
            features = EncodedFeatures(
                folder=(given.cache or Path(scratch)) / chosen.folder, root=folder
            )
            features.join(CLINICAL)
            for _ in features.encode(features.missing(cases)):
                pass
            labels = np.array([chosen.targets(row) for row in rows])
            table = targets.fusion.label_table(cases, labels, features.modalities)
            samples = targets._result(gather(features, table, Partition.TRAIN))
            named = [problem for case in cases for problem in read_values(case.metadata).problems]
            print(f"{name}: {len(named)} values are not believed")
            compare(name, samples, given.seeds)


if __name__ == "__main__":
    main()
