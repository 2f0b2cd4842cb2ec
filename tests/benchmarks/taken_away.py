"""Is a version without the report (or the image) as good as a model that never knew of it?

    python tests/benchmarks/taken_away.py [--sets dev|NAME …] [--seeds N] [--cache FOLDER]

On the real targets of ``targets`` (grouped 5-fold, cases with image and note): the fused opinion on
cases that one modality is taken away from, against the opinion of a recipe fitted with the other
modality alone on the same rows. AUROC counts pairs within an outer fold; ``delta`` is the first
less the second, over all seeds, and ``worst`` the finding where they are farthest apart.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.cases import Partition
from mmreview.ml import folds as grouping
from mmreview.ml import metrics
from mmreview.ml.evaluation import comparable
from mmreview.ml.recipe import Recipe, fit
from mmreview.ml.samples import Samples, gather

Floats = NDArray[np.float64]


def _beside(name: str) -> ModuleType:
    """The module ``name`` of this folder, which is no package."""
    spec = spec_from_file_location(f"benchmark_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


targets = _beside("targets")


def samples_of(name: str, data: Path, cache: Path) -> Samples:
    """The labelled cases of one set with their features."""
    from mmreview.ml.features import EncodedFeatures

    chosen = targets.DEV[name]
    rows, cases = targets.fusion.read_cases(data / chosen.folder)
    features = EncodedFeatures(folder=cache / chosen.folder, root=data / chosen.folder)
    for _ in features.encode(features.missing(cases)):
        pass
    wanted = np.array([chosen.targets(row) for row in rows])
    table = targets.fusion.label_table(cases, wanted, features.modalities)
    found: Samples = targets._result(gather(features, table, Partition.TRAIN))
    return found


def only(samples: Samples, modality: str) -> Samples:
    """The same rows for a recipe that knows one modality; labels rest on it where they did."""
    bit = 1 << samples.modalities.index(modality)
    return replace(
        samples,
        modalities=(modality,),
        features={modality: samples.features[modality]},
        present={modality: samples.present[modality]},
        basis=((samples.basis & bit) != 0).astype(np.int8),
    )


def compared(samples: Samples, there: str, seed: int) -> tuple[NDArray[np.int8], Floats, Floats]:
    """Outer folds, and (n, findings) opinions with the others taken away and of the dedicated."""
    outer = grouping.assign(samples.groups.tolist(), samples.targets, folds=5, seed=seed)
    both, alone = (np.full(samples.targets.shape, np.nan) for _ in range(2))
    for fold in range(int(outer.max()) + 1):
        inside = outer == fold
        train, test = samples.take(~inside), samples.take(inside)
        present = {m: p & (m == there) for m, p in test.present.items()}
        for rows, found in ((train, both), (only(train, there), alone)):
            fitted = targets._result(fit(rows, Recipe(seed=seed, twins=False)))
            opinions = fitted.models[0].opinions(test.features, present)
            found[inside] = opinions.probabilities["fused"]
    return outer, both, alone


def main() -> None:
    """Print a line for each set and modality."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=targets.fusion.DATA)
    parser.add_argument("--cache", type=Path, help="keep the encoded features here")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sets", nargs="+", default=list(targets.DEV))
    given = parser.parse_args()
    print("".join(f"{c:>12}" for c in ("set", "left", "AUROC", "dedicated", "delta", "worst")))
    with tempfile.TemporaryDirectory(prefix="mmreview-taken-") as scratch:
        for name in given.sets:
            samples = samples_of(name, given.data, given.cache or Path(scratch))
            truth, _ = comparable(samples)
            for there in samples.modalities:
                seeds = [compared(samples, there, seed) for seed in range(given.seeds)]
                mine, theirs = (
                    np.array(
                        [
                            np.mean([
                                metrics.measure(truth[:, t], s[which][:, t], s[0])["auroc"]
                                for s in seeds
                            ])
                            for t in range(truth.shape[1])
                        ]
                    )
                    for which in (1, 2)
                )
                gaps = mine - theirs
                worst = gaps[np.argmax(np.abs(gaps))]
                print(
                    f"{name:>12}{there:>12}{mine.mean():>12.4f}{theirs.mean():>12.4f}"
                    f"{gaps.mean():>+12.4f}{worst:>+12.4f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
