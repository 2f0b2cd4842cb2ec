"""Twenty rounds of corrections against one training from scratch, and what they do to the rest.

    python tests/benchmarks/rounds.py [--sets covid synthetic …] [--seeds 10] [--rounds 20]
        [--cache FOLDER] [--data FOLDER] [--replay CASES] [--quick SHARE]
        [--cases 2000]

Three tenths of the patients are set aside with their true labels. On the others, each round is one
of ``FusionTrainer``, warm from the version that serves; the gate decides whether it serves. Two
stories, 15 % of the imported labels wrong in both:

* ``all``: two fifths of the cases are imported with labels; each round corrects one twentieth of
  all cases, until all are. ``gap`` is the macro AUROC of what serves in the end less that of one
  training from scratch on the same labels, without replay (target within .005 either way; published
  -.018), ``last`` the same of the last version, whether it serves or not.
* ``one``: all are imported with labels; each round corrects a twentieth of one finding's (another
  finding each seed). ``gap`` is the mean AUROC of the *other* findings, what serves in the end less
  the first version (target >= -.005).

``worst`` is the finding with the least gap, the mean over seeds; ``refused`` counts rounds that the
gate kept back; ± is the standard deviation over seeds. With ``--replay`` no more than so many cases
teach the heads (``ml.replay``, forced; those corrected always do, so that it wants a ``--share``
below 1 of the cases that the rounds correct: all are imported with labels then); the first version
is exact. With ``--quick`` rounds are quick ones (``ml.renewal``, forced) until that share of a
finding's rarer labels has changed. ``synthetic`` are made features, as wide as the real ones, with
labels that they cause (``training``).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.domain.cases import Partition
from mmreview.domain.labels import LabelTable
from mmreview.domain.ports import TrainingRequest
from mmreview.domain.versions import LambdaChoice, Role, Version
from mmreview.ml import bundle as bundles
from mmreview.ml import renewal, replay
from mmreview.ml.metrics import auroc
from mmreview.ml.samples import CachedFeatures, Samples, gather
from mmreview.ml.trainer import FusionTrainer

sys.path.insert(0, str(Path(__file__).parent))
import planted
import targets
import training

Floats = NDArray[np.float64]
_WRONG, _KNOWN, _ASIDE = 0.15, 0.4, 0.3
#: More cases than there are.
_ALL = 1_000_000_000


@dataclass(frozen=True)
class World:
    """Features, the true labels of all cases, and the findings."""

    features: CachedFeatures
    truth: LabelTable
    findings: tuple[str, ...]

    def table(
        self, rows: NDArray[np.intp], labels: NDArray[np.float32], corrected: NDArray[np.bool_],
        seq: int = 0,
    ) -> LabelTable:
        """Some cases with these labels; those without any are left out."""
        rows = rows[(~np.isnan(labels[rows])).any(axis=1)]
        whole = self.truth
        return LabelTable(
            keys=whole.keys[rows],
            groups=tuple(whole.groups[row] for row in rows),
            partitions=(Partition.TRAIN,) * len(rows),
            hashes={m: tuple(h[row] for row in rows) for m, h in whole.hashes.items()},
            targets=labels[rows],
            corrected=corrected[rows],
            basis=whole.basis[rows],
            through_seq=seq,
        )


def real(name: str, data: Path, cache: Path) -> World:
    """A set of ``targets``, encoded."""
    features, table, findings = planted.table_of(name, data, cache)
    return World(features, table, findings)


def synthetic(cases: int) -> World:
    """Made features."""
    features = training.SyntheticFeatures(cases)
    table = features.table(features.targets, np.zeros(features.targets.shape, bool))
    return World(features, table, tuple(f"finding {t}" for t in range(training.FINDINGS)))


class Chain:
    """Versions of one story, each from what serves before it."""

    def __init__(self, world: World, aside: Samples, folder: Path, seed: int) -> None:
        self._world, self._aside, self._folder, self._seed = world, aside, folder, seed
        self._trainer = FusionTrainer(world.features)
        self._count, self.refused = 0, 0
        self.serving: Version | None = None
        self._known: LabelTable | None = None

    def train(self, table: LabelTable, *, scratch: bool = False) -> Version:
        """One round; it serves if the gate accepts it. One from ``scratch`` never does."""
        self._count += 1
        parent = None if scratch else self.serving
        request = TrainingRequest(
            version=self._count, table=table, findings=self._world.findings, schema="benchmark",
            fusion="mixture", weight=LambdaChoice(), seed=self._seed,
            folder=self._folder / str(self._count), parent=parent,
            parent_folder=self._folder / parent.folder if parent else None,
            parent_table=self._known if parent else None,
        )
        bound = replay.BOUND
        replay.BOUND = _ALL if parent is None else bound
        made = planted.result(self._trainer.train(request))
        replay.BOUND = bound
        version = Version(
            self._count, made.sha256, Role.CHAMPION, parent.id if parent else None,
            str(self._count), "", made.fusion, 0, table.through_seq, made.metrics,
        )
        if not scratch and made.gate.accepted:
            self.serving, self._known = version, table
        elif not scratch:
            self.refused += 1
        return version

    def measured(self, version: Version) -> Floats:
        """(findings,) AUROC of its fused opinion on the patients set aside; NaN where undefined."""
        bundle = bundles.read(
            self._folder / version.folder, version=version.id, sha256=version.sha256
        )
        model, aside = bundle.models[0], self._aside
        opinion = model.opinions(aside.features, aside.present).probabilities["fused"]
        found = []
        for t in range(opinion.shape[1]):
            known = ~np.isnan(aside.targets[:, t]) & ~np.isnan(opinion[:, t])
            value = auroc(aside.targets[known, t], opinion[known, t])
            found.append(np.nan if value is None else value)
        return np.array(found)


@dataclass
class Story:
    """The labels of a world, wrong at first, corrected round by round."""

    world: World
    rng: np.random.Generator

    def __post_init__(self) -> None:
        truth = self.world.truth.targets
        _, patient = np.unique(self.world.truth.groups, return_inverse=True)
        aside = self.rng.random(int(patient.max()) + 1) < _ASIDE
        self.aside = np.flatnonzero(aside[patient])
        self.train = self.rng.permutation(np.flatnonzero(~aside[patient]))
        self.ordered = np.sort(self.train)
        wrong = self.rng.random(truth.shape) < _WRONG
        self.labels = np.where(wrong, 1 - truth, truth).astype(np.float32)
        self.corrected = np.zeros(truth.shape, bool)

    def correct(self, rows: NDArray[np.intp], columns: list[int]) -> None:
        """Set the truth."""
        cells = np.ix_(rows, columns)
        self.labels[cells] = self.world.truth.targets[cells]
        self.corrected[cells] = ~np.isnan(self.labels[cells])

    def table(self, seq: int) -> LabelTable:
        """What is known of the cases that train."""
        return self.world.table(self.ordered, self.labels, self.corrected, seq)


def run(
    world: World, folder: Path, *, seed: int, rounds: int, one: bool, share: float
) -> dict[str, Any]:
    """One story of one seed; ``each`` are the findings' own gaps."""
    story = Story(world, np.random.default_rng(seed))
    count = len(world.findings)
    columns = [seed % count] if one else list(range(count))
    if not one and share == 1:
        story.labels[story.train[round(_KNOWN * len(story.train)) :]] = np.nan
    none = np.zeros(world.truth.targets.shape, bool)
    aside = planted.result(
        gather(
            world.features, world.table(story.aside, world.truth.targets, none), Partition.TRAIN
        )
    )
    chain = Chain(world, aside, folder, seed)
    first = chain.measured(chain.train(story.table(0)))
    looked_at = story.train[: round(share * len(story.train))]
    for number, rows in enumerate(np.array_split(looked_at, rounds), start=1):
        story.correct(rows, columns)
        last = chain.train(story.table(number))
    assert chain.serving is not None
    served, ended = chain.measured(chain.serving), chain.measured(last)
    refused = float(chain.refused)
    if one:
        gaps = served - first
        own, gaps[columns] = float(gaps[columns[0]]), np.nan
        return {"gap": float(np.nanmean(gaps)), "each": gaps, "own": own, "refused": refused}
    full = chain.measured(chain.train(story.table(rounds), scratch=True))
    return {
        "gap": float(np.nanmean(served - full)), "last": float(np.nanmean(ended - full)),
        "each": served - full, "full": float(np.nanmean(full)),
        "first": float(np.nanmean(first)), "refused": refused,
    }


def rows_of(
    given: argparse.Namespace, scratch: Path
) -> Iterator[tuple[str, str, list[dict[str, Any]]]]:
    """Set, story, and what each seed gave."""
    for name in given.sets:
        cache = given.cache or scratch / "cache"
        world = synthetic(given.cases) if name == "synthetic" else real(name, given.data, cache)
        for story in given.stories:
            found = []
            for seed in range(given.first, given.first + given.seeds):
                with tempfile.TemporaryDirectory(dir=scratch) as folder:
                    found.append(
                        run(
                            world, Path(folder), seed=seed, rounds=given.rounds,
                            one=story == "one", share=given.share,
                        )
                    )
            yield name, story, found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=targets.fusion.DATA)
    parser.add_argument("--cache", type=Path, help="keep the encoded features here")
    parser.add_argument("--sets", nargs="+", default=["covid", "synthetic"])
    parser.add_argument("--stories", nargs="+", default=["all", "one"])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--cases", type=int, default=2000, help="of the synthetic set")
    parser.add_argument("--share", type=float, default=1.0, help="of the cases are corrected")
    parser.add_argument("--replay", type=int, help="so many cases teach the heads at most")
    parser.add_argument("--quick", type=float, help="quick rounds until so much has changed")
    given = parser.parse_args()
    if given.quick:  # as if there were very many labels, and an audit set
        renewal.FROM, renewal.DUE, renewal.big_enough = 0, given.quick, lambda _: True
    replay.BOUND = given.replay or replay.BOUND
    with tempfile.TemporaryDirectory(prefix="mmreview-rounds-") as scratch:
        for name, story, found in rows_of(given, Path(scratch)):
            columns = {c: np.array([row[c] for row in found]) for c in found[0]}
            each = columns.pop("each")
            known = each[:, ~np.isnan(each).all(axis=0)]
            told = [f"{c} {v.mean():+.4f} ± {v.std():.4f}" for c, v in columns.items()]
            told.insert(1, f"worst {np.nanmean(known, axis=0).min():+.4f}")
            print(f"{name:>10} {story:>4}  " + "  ".join(told), flush=True)


if __name__ == "__main__":
    main()
