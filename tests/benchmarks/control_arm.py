"""Does a saving that the window shows mean one? The comparison of the queue with the control arm on
synthetic worlds where it is known whether there is anything to find.

    python -m tests.benchmarks.control_arm [--seeds 60] [--cases 40] [--audit 100]

*Nothing to find*: both arms are random, so every claim is false; at most one in twenty may be.
*Something to find*: findings are rare, and two thirds of what the queue offers has one. How often
that is told says how much reading it takes. A claim for the wrong arm is false here too. Synthetic.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmreview.domain.cases import Partition
from tests.unit.ml.conftest import Rounds, World

_RARE = (0.05, 0.10)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=60)
    parser.add_argument("--cases", type=int, default=40, help="read cases of each arm")
    parser.add_argument("--audit", type=int, default=100, help="labelled audit cases")
    wished = parser.parse_args()
    print(f"{wished.cases} cases each, {wished.audit} audit cases, {wished.seeds} worlds")
    print(f"{'world':24}{'none':>8}{'queue':>8}{'control':>9}{'95 % holds 0':>15}")
    for name, rare, pick in (
        ("nothing to find", False, _first), ("something to find", True, _rich)
    ):
        told: Counter[str] = Counter()
        inside = 0
        for seed in range(wished.seeds):
            found = _compared(seed, wished.cases, wished.audit, rare=rare, pick=pick)
            told[found["verdict"].rsplit(".", 1)[1]] += 1
            _, low, high = found["points"][-1]["difference"]
            inside += low is not None and low <= 0 <= high
        shares = [told[verdict] / wished.seeds for verdict in ("none", "queue", "control")]
        none, queue, control = (f"{share:.0%}" for share in shares)
        held = f"{inside / wished.seeds:.0%}"
        print(f"{name:24}{none:>8}{queue:>8}{control:>9}{held:>15}", flush=True)


def _compared(
    seed: int, cases: int, audit: int, *, rare: bool,
    pick: Callable[[World, int, int], list[int]],
) -> dict:
    pool = 4 * cases
    world = World(cases=audit + cases + pool, findings=4, seed=seed,
                  signal={"image": 1.2, "text": 0.8}, rates=_RARE if rare else None)
    world.partitions = (
        *[Partition.AUDIT] * audit, *[Partition.CONTROL] * cases, *[Partition.TRAIN] * pool
    )
    read = {
        "control": list(range(audit, audit + cases)),
        "queue": pick(world, audit + cases, cases),
    }
    with tempfile.TemporaryDirectory() as scratch:
        rounds = Rounds(world.features, world.findings, Path(scratch))
        work = rounds.trainer.control_arm(rounds.request(world.table(), seed=seed), read=read)
        while True:
            try:
                next(work)
            except StopIteration as done:
                return done.value


def _first(world: World, begin: int, count: int) -> list[int]:
    """Any: the worlds are shuffled."""
    return list(range(begin, begin + count))


def _rich(world: World, begin: int, count: int) -> list[int]:
    """Two thirds with a finding, as a queue that knows them would offer."""
    rows = np.arange(begin, len(world.truth))
    having = (world.truth[rows] == 1).any(axis=1)
    wanted = min(int(having.sum()), 2 * count // 3)
    chosen = np.concatenate([rows[having][:wanted], rows[~having][: count - wanted]])
    return np.random.default_rng(begin).permutation(chosen).tolist()


if __name__ == "__main__":
    main()
