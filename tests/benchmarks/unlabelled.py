"""What cases without a label teach on real pairs, and whether the round can tell when they help.

    python tests/benchmarks/unlabelled.py [--data FOLDER] [--cache FOLDER] [--sets a,b]
        [--labelled 40,100,200] [--seeds N]

Of each split 30 % of the patient groups are for the test; of the rest so many cases keep their
labels, the others teach without (``ml.unlabelled``). A line gives the fused log-loss and AUROC of
the test's cases without them, how both change if they always teach, how they change if the round
decides by its own folds, and how often it did. ± is the standard error over seeds. Needs the real
data beside the repository.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from fusion import DATA
from heads import finished, samples_of
from numpy.typing import NDArray

from mmreview.domain.errors import MmreviewError
from mmreview.ml.metrics import auroc, element_log_loss
from mmreview.ml.model import Model
from mmreview.ml.recipe import Recipe, fit
from mmreview.ml.samples import Samples
from mmreview.ml.unlabelled import believed, try_unlabelled

_TEST = 0.3
_FEWEST = 3


def split(samples: Samples, labelled: int, seed: int) -> tuple[Samples, Samples, Samples]:
    """Labelled, spare and test cases; no patient group is in two of them."""
    groups = np.random.default_rng(seed).permutation(np.unique(samples.groups))
    order = {group: place for place, group in enumerate(groups.tolist())}
    place = np.array([order[group] for group in samples.groups.tolist()])
    sizes = np.cumsum(np.bincount(place))
    test = np.searchsorted(sizes, _TEST * len(samples))
    taught = np.searchsorted(sizes, sizes[test] + labelled)
    return (
        samples.take((place > test) & (place <= taught)),
        samples.take(place > taught),
        samples.take(place <= test),
    )


def measured(model: Model, test: Samples) -> NDArray[np.float64]:
    """Log-loss, and macro AUROC of the fused and of the image's own opinion."""
    truth = test.targets.astype(np.float64)
    said = model.opinions(test.features, test.present).probabilities
    known = ~np.isnan(truth) & np.isfinite(said["fused"])
    loss = element_log_loss(np.nan_to_num(truth), np.nan_to_num(said["fused"], nan=0.5))[known]
    ranked = []
    for opinion in ("fused", "image"):
        found = [_ranked(truth[:, t], said[opinion][:, t]) for t in range(truth.shape[1])]
        ranked.append(float(np.nanmean(found)))
    return np.array([loss.mean(), *ranked])


def _ranked(truth: NDArray[np.float64], said: NDArray[np.float64]) -> float:
    known = ~np.isnan(truth) & np.isfinite(said)
    truth, said = truth[known], said[known]
    if min((truth == 1).sum(), (truth == 0).sum()) < _FEWEST:
        return float("nan")
    found = auroc(truth, said, None)
    return float("nan") if found is None else found


def tried(
    samples: Samples, labelled: int, seed: int
) -> tuple[NDArray[np.float64], ...] | None:
    """(3,) measures without, (3,) changes if always taught, the same if the round decides, and
    whether it did; None where the labels of a split are too few to fit."""
    mine, spare, test = split(samples, labelled, seed)
    recipe = Recipe(seed=seed)
    try:
        fitted = finished(fit(mine, recipe))
    except MmreviewError:
        return None
    without = measured(fitted.models[0], test)
    plan = replace(recipe, twins=False, spreads=fitted.spreads)
    whole = finished(fit(mine.joined(believed(spare, fitted.models[0])), plan))
    always = measured(whole.models[0], test) - without
    found = finished(try_unlabelled(mine, spare, recipe, fitted))
    decided = measured(found.fitted.models[0], test) - without
    return without, always, decided, np.array([found.told["used"]], float)


def lines(
    data: Path, cache: Path, names: list[str], labelled: list[int], seeds: int
) -> Iterator[str]:
    """The table."""
    for name in names:
        samples = samples_of(data, cache, name)
        samples = samples.take(samples.complete)
        for count in labelled:
            runs = [run for seed in range(seeds) if (run := tried(samples, count, seed))]
            if not runs:
                yield f"{name:<9} {count:>4} labelled: too few to fit"
                continue
            without, always, decided, used = (np.stack(each) for each in zip(*runs, strict=True))
            yield (
                f"{name:<9} {count:>4} labelled, {len(runs)} splits: log-loss "
                f"{without[:, 0].mean():.4f}, AUROC {without[:, 1].mean():.3f}"
            )
            for title, change in (("always", always), ("by the round's own folds", decided)):
                parts = [
                    f"{measure} {change[:, at].mean():+.4f} ± "
                    f"{change[:, at].std() / np.sqrt(len(runs)):.4f}"
                    for at, measure in enumerate(("log-loss", "AUROC fused", "image alone"))
                ]
                yield f"{'':<15}{title:<26}" + "  ".join(parts)
            yield f"{'':<15}used in {int(used.sum())} of {len(runs)}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--sets", default="covid,brixia,pocus")
    parser.add_argument("--labelled", default="40,100,200")
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    counts = [int(count) for count in given.labelled.split(",")]
    with tempfile.TemporaryDirectory(prefix="mmreview-unlabelled-") as scratch:
        cache = given.cache or Path(scratch)
        for line in lines(given.data, cache, given.sets.split(","), counts, given.seeds):
            print(line, flush=True)


if __name__ == "__main__":
    main()
