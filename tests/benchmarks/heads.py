"""How good image and report are each for itself on real pairs, and whether 80 % means 80 %.

    python tests/benchmarks/heads.py [--data FOLDER] [--seeds N] [--cache FOLDER] [--sets a,b]

The sets are those of ``fusion.py``. Everything is fitted, searched and calibrated within the outer
folds (patient groups stay together). Macro AUROC counts pairs within outer folds, on cases with
image and report; ± is the standard error over seeds. ECE has 15 bins, the mean over findings;
``floor`` is what opinions with the same probabilities would show if each meant what it says,
simulated. Needs the real data beside the repository.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from fusion import DATA, SETS, label_table, read_cases

from mmreview.domain.cases import Partition
from mmreview.ml import folds as grouping
from mmreview.ml.features import EncodedFeatures
from mmreview.ml.metrics import auroc, calibration_error
from mmreview.ml.recipe import Recipe, fit
from mmreview.ml.samples import Samples, gather

#: Macro AUROC of image and report to reach (issue 4), and ECE above the floor.
TARGETS = {
    "covid": (0.714, 0.878),
    "brixia": (0.742, 0.587),
    "outcomes": (0.814, 0.728),
    "pocus": (0.796, 0.970),
}
ABOVE_FLOOR = 0.015
_WORLDS = 100


def finished(work: Generator[Any, None, Any]) -> Any:
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def samples_of(data: Path, cache: Path, name: str) -> Samples:
    """One set's labels and features."""
    folder, _, targets_of = SETS[name]
    rows, cases = read_cases(data / folder)
    features = EncodedFeatures(folder=cache / folder, root=data / folder)
    finished(features.encode(features.missing(cases)))
    targets = np.array([targets_of(row) for row in rows])
    table = label_table(cases, targets, features.modalities)
    found: Samples = finished(gather(features, table, Partition.TRAIN))
    return found


def unseen(samples: Samples, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Each opinion on rows that nothing in it has seen, and the outer folds."""
    outer = grouping.assign(samples.groups.tolist(), samples.targets, folds=5, seed=seed)
    found: dict[str, np.ndarray] = {}
    for fold in np.unique(outer):
        inside = outer == fold
        fitted = finished(fit(samples.take(~inside), Recipe(seed=seed, twins=False)))
        test = samples.take(inside)
        opinions = fitted.models[0].opinions(test.features, test.present).probabilities
        for name, values in opinions.items():
            found.setdefault(name, np.full(samples.targets.shape, np.nan))[inside] = values
    return found, outer


def measured(samples: Samples, values: np.ndarray, outer: np.ndarray) -> tuple[float, ...]:
    """Macro AUROC, ECE and the ECE of a perfect model with the same probabilities."""
    rng = np.random.default_rng(0)
    rows = []
    for t in range(samples.targets.shape[1]):
        known = samples.complete & ~np.isnan(samples.targets[:, t])
        truth, said = samples.targets[known, t].astype(np.float64), values[known, t]
        ranked = auroc(truth, said, outer[known])
        if ranked is not None:
            floor = [
                calibration_error((rng.random(len(said)) < said).astype(np.float64), said)
                for _ in range(_WORLDS)
            ]
            rows.append((ranked, calibration_error(truth, said), np.mean(floor)))
    return tuple(np.mean(np.array(rows, dtype=float), axis=0).tolist())


def lines(data: Path, cache: Path, names: list[str], seeds: int) -> Iterator[str]:
    """The table."""
    for name in names:
        samples = samples_of(data, cache, name)
        found: dict[str, list[tuple[float, ...]]] = {}
        for seed in range(seeds):
            opinions, outer = unseen(samples, seed)
            for opinion, values in opinions.items():
                found.setdefault(opinion, []).append(measured(samples, values, outer))
        for opinion in samples.modalities:
            ranked, error, floor = np.mean(found[opinion], axis=0)
            noise = np.std([row[0] for row in found[opinion]]) / np.sqrt(seeds)
            goal = TARGETS[name][samples.modalities.index(opinion)]
            yield (
                f"{name:<9} {opinion:<6} AUROC {ranked:.3f} ± {noise:.3f} (target {goal:.3f})  "
                f"ECE {error:.3f}, floor {floor:.3f}: {error - floor:+.3f} "
                f"(target {ABOVE_FLOOR:+.3f})"
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--sets", default=",".join(SETS))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mmreview-heads-") as scratch:
        cache = given.cache or Path(scratch)
        for line in lines(given.data, cache, given.sets.split(","), given.seeds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
