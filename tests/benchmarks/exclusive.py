"""One class out of several: softmax groups against yes-or-no opinions that are scaled to add up.

    python tests/benchmarks/exclusive.py [--seeds N] [--cache FOLDER] [--sets NAME …]

Grouped 5-fold, everything nested, on cases with image and note of the development sets: covid's
diagnosis (COVID-19, another infection, no finding), its kind of infection, pocus' diagnosis, and
covid's opacity graded by the senior radiologist (terciles of the Brixia score). Both arms have the
same heads, calibration and fusion. Difference: softmax less scaled, the mean over seeds, with a
95 % bootstrap interval over patient groups (log-loss: below 0 is better; accuracy: above 0).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.cases import Partition
from mmreview.ml import group_metrics
from mmreview.ml.evaluation import comparable, unseen_opinions
from mmreview.ml.exclusive import Group, classes_of
from mmreview.ml.recipe import Recipe
from mmreview.ml.samples import gather

Floats = NDArray[np.float64]
Row = dict[str, Any]
_DRAWS = 500
_OPINIONS = ("fused", "image", "text")


def _beside(name: str) -> ModuleType:
    """The module ``name`` of this folder, which is no package."""
    spec = spec_from_file_location(f"benchmark_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fusion = _beside("fusion")


def _diagnosis(row: Row) -> str | None:
    labels = row["labels"]
    if row.get("label_status") != "labelled" or not labels:
        return None
    if "COVID-19" in labels:
        return "COVID-19"
    return "none" if "No Finding" in labels else "other"


def _kind(row: Row) -> str | None:
    labels = row["labels"]
    if "COVID-19" in labels:
        return "COVID-19"
    return next((k for k in ("Viral", "Bacterial", "Fungal") if k in labels), None)


def _pocus(row: Row) -> str:
    return {"regular": "regular", "COVID-19": "COVID-19"}.get(row["diagnosis"], "pneumonia")


def _grade(row: Row) -> str | None:
    score = (row.get("brixia") or {}).get("S-Global")
    if score is None:
        return None
    return "mild" if score <= 5 else "moderate" if score <= 10 else "severe"


@dataclass(frozen=True)
class Task:
    """A group of classes on one folder's rows."""

    folder: str
    classes: tuple[str, ...]
    class_of: Callable[[Row], str | None]


_COVID, _POCUS = "covid_chestxray", "pocus_lung_ultrasound"
TASKS = {
    "diagnosis": Task(_COVID, ("none", "COVID-19", "other"), _diagnosis),
    "kind": Task(_COVID, ("COVID-19", "Viral", "Bacterial", "Fungal"), _kind),
    "grade": Task(_COVID, ("mild", "moderate", "severe"), _grade),
    "pocus": Task(_POCUS, ("regular", "pneumonia", "COVID-19"), _pocus),
}


def _result(work: Any) -> Any:
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def run(name: str, task: Task, data: Path, cache: Path, seeds: int) -> None:
    """Measure one task and print its lines."""
    from mmreview.ml.features import EncodedFeatures

    rows, cases = fusion.read_cases(data / task.folder)
    features = EncodedFeatures(folder=cache / task.folder, root=data / task.folder)
    for step in features.encode(features.missing(cases)):
        for problem in step.problems:
            print(f"  {name}: {problem}")
    known = [task.class_of(row) for row in rows]
    targets = np.array(
        [[np.nan if k is None else float(k == c) for c in task.classes] for k in known]
    )
    table = fusion.label_table(cases, targets, features.modalities)
    samples = _result(gather(features, table, Partition.TRAIN))
    truth, _ = comparable(samples)
    group = Group(tuple(range(len(task.classes))), one_of=True)
    classes = classes_of(truth, one_of=True)
    _, member = np.unique(samples.groups, return_inverse=True)
    count = int(member.max()) + 1
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), _DRAWS)
    weight = drawn[:, member].astype(float)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    losses: dict[str, list[Floats]] = {}
    hits: dict[str, list[Floats]] = {}
    for seed in range(seeds):
        recipe = Recipe(seed=seed)
        arms = {
            "scaled": _result(unseen_opinions(samples, folds=5, recipe=recipe)),
            "softmax": _result(
                unseen_opinions(samples, folds=5, recipe=replace(recipe, groups=(group,)))
            ),
        }
        for opinion in _OPINIONS:
            gaps = []
            for arm, unseen in arms.items():
                chance = group_metrics.class_chances(unseen.opinions[opinion], one_of=True)
                kept = (classes >= 0) & ~np.isnan(chance).any(axis=1)
                measured = group_metrics.measure(classes[kept], chance[kept], unseen.folds[kept])
                found.setdefault((opinion, arm), []).append(measured)
                own = np.clip(chance[np.arange(len(classes)), np.maximum(classes, 0)], 1e-6, 1)
                right = (chance.argmax(axis=1) == classes).astype(float)
                gaps.append((np.where(kept, -np.log(own), 0), np.where(kept, right, 0), kept))
            losses.setdefault(opinion, []).append(gaps[1][0] - gaps[0][0])
            hits.setdefault(opinion, []).append(gaps[1][1] - gaps[0][1])
            mass = weight @ gaps[0][2].astype(float)
    spread = ", ".join(f"{int((classes == c).sum())} {n}" for c, n in enumerate(task.classes))
    print(f"\n{name}: {spread}")
    columns = ("opinion", "arm", *group_metrics.MEASURES)
    print("  ".join(f"{c:>10.10}" for c in columns))
    for (opinion, arm), measured in found.items():
        cells = [f"{np.mean([m[c] for m in measured]):.3f}" for c in group_metrics.MEASURES]
        print("  ".join(f"{cell:>10.10}" for cell in (opinion, arm, *cells)))
    for opinion in _OPINIONS:
        said = []
        for what, gaps in (("log-loss", losses[opinion]), ("accuracy", hits[opinion])):
            gap = np.mean(gaps, axis=0)
            low, high = np.quantile(weight @ gap / mass, [0.025, 0.975])
            said.append(f"{what} {gap[classes >= 0].mean():+.4f} [{low:+.4f} {high:+.4f}]")
        print(f"  {opinion}: softmax less scaled: {', '.join(said)}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=fusion.DATA)
    parser.add_argument("--cache", type=Path, help="keep the encoded features here")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="+", default=list(TASKS))
    given = parser.parse_args()
    if not given.data.is_dir():
        raise SystemExit(f"the real data is not at {given.data}")
    with tempfile.TemporaryDirectory(prefix="mmreview-exclusive-") as scratch:
        for name in given.sets:
            run(name, TASKS[name], given.data, given.cache or Path(scratch), given.seeds)


if __name__ == "__main__":
    main()
