"""Can chance alone wear a model down? Rounds that teach nothing, one after the other.

    python tests/benchmarks/streams.py [--streams 200] [--rounds 20] [--audit 200] [--seed 0]

SYNTHETIC, as ``poisoned``. Each stream is a project of its own: a first version on 60 cases, then
rounds of 30 more whose labels are *random* (drawn without looking at the case, as often present as
the true ones), each judged by the gate on an audit set. Two kinds by turns: in ``nothing`` ones no
label has anything to do with its case, not in the audit set either; in ``spoiled`` ones the first
version and the audit set are honest, and every correction after is noise. Hidden cases say what the
last version that serves is truly worth against the first. Wanted: at most 5 % of the streams end
with one that is truly worse by delta.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from poisoned import Project, World, per_case, said_of, share, together

from mmreview.domain.versions import Outcome
from mmreview.ml.samples import Samples

_FIRST, _BATCH, _HIDDEN = 60, 30, 4000


@dataclass(frozen=True)
class Stream:
    """How one ended: what its last serving version is truly worth against its first, against the
    best that ever served, and how many were promoted."""

    kind: str
    change: float
    from_best: float
    promoted: int
    delta: float


def noise(samples: Samples, rng: np.random.Generator) -> Samples:
    """The cases with labels that are drawn without looking at them."""
    rates = samples.targets.mean(axis=0)
    drawn = (rng.random(samples.targets.shape) < rates).astype(np.float32)
    return replace(samples, targets=drawn)


def stream(kind: str, seed: int, *, rounds: int, audit: int) -> Stream:
    """One project, worn by so many rounds."""
    world, rng = World(seed, signal=float(kind == "spoiled")), np.random.default_rng(seed + 1)
    hidden = world.cases(_HIDDEN)
    project = Project(world.cases(audit))
    learned = world.cases(_FIRST)
    project.round(learned)
    losses = {1: float(per_case(hidden.targets, said_of(project.model(1), hidden)).mean())}
    promoted = 0
    for _ in range(rounds):
        learned = together(learned, noise(world.cases(_BATCH), rng))
        number, verdict = project.round(learned)
        if verdict.outcome is Outcome.ACCEPTED:
            promoted += 1
            said = said_of(project.model(number), hidden)
            losses[number] = float(per_case(hidden.targets, said).mean())
    last = losses[project.serving]
    return Stream(
        kind, last - losses[1], last - min(losses.values()), promoted, project.rules.delta
    )


def lines(found: list[Stream]) -> Iterator[str]:
    """The table."""
    for kind in ("nothing", "spoiled"):
        mine = [s for s in found if s.kind == kind]
        if not mine:
            continue
        worse = sum(s.change > s.delta for s in mine)
        behind = sum(s.from_best > s.delta for s in mine)
        change = np.array([s.change for s in mine])
        yield (
            f"{kind:<8} streams {len(mine)}: promoted {np.mean([s.promoted for s in mine]):.1f} "
            f"versions each; last less first {change.mean():+.4f} nats "
            f"({np.quantile(change, 0.05):+.4f} to {np.quantile(change, 0.95):+.4f})"
        )
        yield f"  truly worse than the first by delta: {share(worse, len(mine))}"
        yield f"  truly worse than the best by delta: {share(behind, len(mine))}"
    worse = sum(s.change > s.delta for s in found)
    yield f"all: truly worse than the first by delta: {share(worse, len(found))}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--audit", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    found = []
    for number in range(given.streams):
        kind = ("nothing", "spoiled")[number % 2]
        seed = given.seed + 100 * number
        found.append(stream(kind, seed, rounds=given.rounds, audit=given.audit))
        if (number + 1) % 20 == 0:
            print(f"{number + 1} of {given.streams} streams", flush=True)
    for line in lines(found):
        print(line, flush=True)


if __name__ == "__main__":
    main()
