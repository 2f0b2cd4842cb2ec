"""Label errors planted in real labels: how many of the first offered are truly wrong.

    python tests/benchmarks/planted.py [--sets covid …] [--seeds 10] [--first 0] [--offered 60]
        [--cache FOLDER] [--data FOLDER]

Errors are planted at random, the model is fitted on what is there (out of fold by patient), and the
first ``--offered`` suspects of ``ml.label_errors`` are looked up among the planted. Four plantings:

* ``flips``: a tenth of all known labels, over (case, finding), turned round: the issue's;
* ``few``: a fiftieth of them;
* ``matched``: of each finding a tenth of the rarer kind, and as many of the other, so that no
  finding becomes more frequent and a rare one's true cases are not outnumbered by false ones;
* ``swapped``: a tenth of the cases get each other's labels; wrong is what differs.

``random`` is what drawing labels at random would find; ± is the standard deviation over seeds.
``self`` ranks by out-of-fold self-confidence alone (Northcutt 2021). Ways and weights were chosen
on seeds 100 to 109: report others.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.cases import Partition
from mmreview.domain.labels import LabelTable
from mmreview.ml.features import EncodedFeatures
from mmreview.ml.label_errors import suspects
from mmreview.ml.recipe import Recipe, fit
from mmreview.ml.samples import Samples, gather

sys.path.insert(0, str(Path(__file__).parent))
import targets

Array = NDArray[np.float32]
Planting = Callable[[Array, np.random.Generator], Array]


def flipped(share: float) -> Planting:
    """Turn this share of the known labels round."""

    def plant(labels: Array, rng: np.random.Generator) -> Array:
        known = np.argwhere(~np.isnan(labels))
        chosen = known[rng.choice(len(known), round(share * len(known)), replace=False)]
        planted = labels.copy()
        planted[tuple(chosen.T)] = 1 - planted[tuple(chosen.T)]
        return planted

    return plant


def matched(labels: Array, rng: np.random.Generator) -> Array:
    """Turn round a tenth of each finding's rarer kind and as many of the other."""
    planted = labels.copy()
    for t in range(labels.shape[1]):
        kinds = [np.flatnonzero(labels[:, t] == kind) for kind in (1, 0)]
        count = max(1, round(0.1 * min(len(rows) for rows in kinds)))
        for rows in kinds:
            chosen = rng.choice(rows, min(count, len(rows)), replace=False)
            planted[chosen, t] = 1 - labels[chosen, t]
    return planted


def swapped(labels: Array, rng: np.random.Generator) -> Array:
    """Give a tenth of the cases each other's labels."""
    chosen = rng.choice(len(labels), round(0.1 * len(labels)), replace=False)
    planted = labels.copy()
    planted[chosen] = labels[np.roll(chosen, 1)]
    return planted


PLANTINGS: dict[str, Planting] = {
    "flips": flipped(0.1),
    "few": flipped(0.02),
    "matched": matched,
    "swapped": swapped,
}


def table_of(
    name: str, data: Path, cache: Path
) -> tuple[EncodedFeatures, LabelTable, tuple[str, ...]]:
    """The features and labels of a set of ``targets`` and its findings."""
    chosen = {**targets.DEV, **targets.CHECK}[name]
    rows, cases = targets.fusion.read_cases(data / chosen.folder)
    features = EncodedFeatures(folder=cache / chosen.folder, root=data / chosen.folder)
    for _ in features.encode(features.missing(cases)):
        pass
    known = np.array([chosen.targets(row) for row in rows])
    return features, targets.fusion.label_table(cases, known, features.modalities), chosen.findings


def found(
    samples: Samples, findings: tuple[str, ...], plant: Planting, *, seed: int, offered: int
) -> tuple[int, int, float]:
    """Errors among the first ``offered`` by suspicion, by self-confidence alone, and at random."""
    labels = plant(samples.targets, np.random.default_rng(seed))
    planted = replace(samples, targets=labels)
    known = ~np.isnan(labels)
    wrong = known & (labels != samples.targets)
    fitted = result(fit(planted, Recipe(seed=seed)))
    place = {key: row for row, key in enumerate(samples.keys.tolist())}
    listed = result(suspects(planted, fitted, findings, seed=seed))[:offered]
    hits = sum(wrong[place[s["key"]], findings.index(s["finding"])] for s in listed)
    belief = np.nan_to_num(fitted.held_out.probabilities["fused"], nan=0.5)
    confidence = np.where(labels == 1, belief, 1 - belief)
    worst = np.argsort(np.where(known, confidence, np.inf), axis=None, kind="stable")[:offered]
    return int(hits), int(wrong.ravel()[worst].sum()), offered * wrong.sum() / known.sum()


def result(work: Any) -> Any:
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=targets.fusion.DATA)
    parser.add_argument("--cache", type=Path, help="keep the encoded features here")
    parser.add_argument("--sets", nargs="+", default=["covid"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--offered", type=int, default=60)
    given = parser.parse_args()
    if not given.data.is_dir():
        raise SystemExit(f"the real data is not at {given.data}")
    print(f"planted errors among the first {given.offered} offered, {given.seeds} seeds")
    print(f"{'set':>8} {'planting':>9} {'found':>12} {'self':>12} {'random':>7} {'times':>6}  each")
    with tempfile.TemporaryDirectory(prefix="mmreview-planted-") as scratch:
        for name in given.sets:
            features, table, findings = table_of(name, given.data, given.cache or Path(scratch))
            samples = result(gather(features, table, Partition.TRAIN))
            for kind, plant in PLANTINGS.items():
                seeds = range(given.first, given.first + given.seeds)
                counts = [
                    found(samples, findings, plant, seed=s, offered=given.offered) for s in seeds
                ]
                columns = zip(*counts, strict=True)
                hits, alone, chance = (np.array(column, float) for column in columns)
                print(
                    f"{name:>8} {kind:>9} {hits.mean():6.1f} ± {hits.std():3.1f} "
                    f"{alone.mean():6.1f} ± {alone.std():3.1f} {chance.mean():7.1f} "
                    f"{hits.mean() / chance.mean():6.1f}  {' '.join(f'{h:.0f}' for h in hits)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
