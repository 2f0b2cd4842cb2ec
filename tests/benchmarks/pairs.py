"""Does the compatibility head find reports that were swapped between patients? AUROC on real pairs.

    python tests/benchmarks/pairs.py [--data FOLDER] [--seeds 5] [--cache FOLDER] [--sets covid …]

Grouped 5-fold cross-validation of the whole fit; in each held-out fold every image meets its own
report and every report of another patient group; AUROC counts pairs within a fold. ``js`` is the
largest Jensen-Shannon conflict alone. ``flagged`` are the shares of matched and of swapped pairs
with a probability from ``WRONG_PAIR_MARK`` on; ``ms`` the time of a fit and of a case.
Needs the real data beside the repository (see ``fusion.py``).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from fusion import DATA, SETS, label_table, read_cases

from mmreview.domain.cases import Partition
from mmreview.domain.predictions import WRONG_PAIR_MARK
from mmreview.ml import folds as grouping
from mmreview.ml.calibration import sigmoid
from mmreview.ml.metrics import auroc
from mmreview.ml.pairing import divergence, fit_pairs
from mmreview.ml.recipe import Recipe, fit
from mmreview.ml.samples import Samples, gather


def done(work: Generator[Any, None, Any]) -> Any:
    """What a generator returns."""
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return finished.value


def read(name: str, data: Path, cache: Path) -> Samples:
    """The complete pairs of a set."""
    from mmreview.ml.features import EncodedFeatures

    folder, _, targets_of = SETS[name]
    rows, cases = read_cases(data / folder)
    features = EncodedFeatures(folder=cache / folder, root=data / folder)
    for _ in features.encode(features.missing(cases)):
        pass
    targets = np.array([targets_of(row) for row in rows])
    table = label_table(cases, targets, features.modalities)
    samples: Samples = done(gather(features, table, Partition.TRAIN))
    return samples.take(samples.complete)


def seed_scores(samples: Samples, seed: int) -> dict[str, Any]:
    """Scores of matched and swapped pairs of every held-out fold."""
    outer = grouping.assign(samples.groups.tolist(), samples.targets, folds=5, seed=seed)
    parts: dict[str, list[Any]] = {n: [] for n in ("truth", "wrong", "js", "fold", "fit", "case")}
    for fold in range(int(outer.max()) + 1):
        train, test = samples.take(outer != fold), samples.take(outer == fold)
        fitted = done(fit(train, Recipe(seed=seed)))
        model = fitted.models[0]
        begun = time.perf_counter()
        head = done(
            fit_pairs(train, fitted.held_out.logits, fitted.folds, model.prior, seed=seed)
        )
        parts["fit"].append(time.perf_counter() - begun)
        if head is None:
            continue
        stranger = test.groups[:, None] != test.groups[None]
        left, right = np.nonzero(stranger | np.eye(len(test), dtype=bool))
        logits = model.opinions(test.features, test.present).logits
        image, text = logits["image"][left], logits["text"][right]
        features = {"image": test.features["image"][left], "text": test.features["text"][right]}
        begun = time.perf_counter()
        parts["wrong"].append(
            head.wrong(features, {"image": image, "text": text}, model.prior)
        )
        parts["case"].append((time.perf_counter() - begun) / len(left))
        parts["js"].append(np.nanmax(divergence(sigmoid(image), sigmoid(text)), axis=1))
        parts["truth"].append((left != right).astype(float))
        parts["fold"].append(np.full(len(left), fold))
    return {name: np.hstack(values) for name, values in parts.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="*", default=["covid", "pocus", "brixia"])
    given = parser.parse_args()
    if not given.data.is_dir():
        raise SystemExit(f"the real data is not at {given.data}")
    print("set      pairs  wrong_pair ± sd   js     flagged matched/swapped   ms fit/case")
    with tempfile.TemporaryDirectory(prefix="mmreview-pairs-") as scratch:
        for name in given.sets:
            samples = read(name, given.data, given.cache or Path(scratch))
            found = [seed_scores(samples, seed) for seed in range(given.seeds)]
            mine = [auroc(f["truth"], f["wrong"], f["fold"]) for f in found]
            js = [auroc(f["truth"], f["js"], f["fold"]) for f in found]
            called = np.hstack([f["wrong"] for f in found]) >= WRONG_PAIR_MARK
            truth = np.hstack([f["truth"] for f in found]) > 0
            print(
                f"{name:<8} {len(samples):>5}  {np.mean(mine):.3f} ± {np.std(mine):.3f}"
                f"    {np.mean(js):.3f}  {called[~truth].mean():.3f} /"
                f" {called[truth].mean():.3f}            "
                f"{1000 * np.mean(np.hstack([f['fit'] for f in found])):.0f} /"
                f" {1000 * np.mean(np.hstack([f['case'] for f in found])):.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
