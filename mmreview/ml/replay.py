"""Beyond what a round can refit at once: all corrected labels, a reservoir of the imported ones.

The heads' fit costs time by the case. Up to ``BOUND`` labelled cases all of them teach; beyond, a
case teaches if any of its labels was corrected, or if it is in the reservoir of some finding: for
each finding and each kind (present, absent) so many imported cases, drawn at random, as make up the
bound. A case keeps its draw for ever, so a reservoir changes only where cases come: as by Vitter's
algorithm R (1985), but by the smallest of random numbers, one a case, so that the order in which
cases come does not matter. Each imported label of a kind counts for all of its kind over those that
teach.

Only heads leave cases out, and only where there is a parent to start from. What is left out is not
forgotten: at the parent's weights it says what it would have said (``surrogate``), and the heads
are drawn to those weights (L2-SP, Li 2018). Calibration, fusion, prior and every measure rest on
all labels, so that opinions keep meaning what they say.

Measured by a forced bound (diagnoses, 387 cases with 15 % wrong labels, a fifth corrected in ten
rounds, seeds 100-102; macro AUROC of other patients against one training on all): without a bound
-.001; 200 cases teaching: +.000 (120: +.005), drawn to the parent's three times as strongly -.000,
not at all -.011 and refused by the gate now and then. Without what the others would have said:
-.037, drawn to the parent's with one, three, ten times the strength -.034, -.028, -.014; with a
reservoir drawn anew each round -.022.

Replay is for what memory cannot hold, not for speed. On 8,700 synthetic cases (five rounds from one
parent, report's head of 2,432 features, against a fit to the end) a bound of 2,000 diverged (AUROC
-.011, at most -.09; the gap grew threefold a round), 3,000 drifted (-.001, -.010), 4,000 stood
(-.0002, -.002); two steps of the fit on all cases took as long as a bound of 2,000 and came as near
as 4,000 (``heads``: ``_PASSES``). So the bound stays far above what any head is wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.samples import Samples

#: Up to so many labelled cases the heads learn from all of them: 2 GB of features, twice while they
#: are fitted.
BOUND = 120_000

@dataclass(frozen=True)
class Replay:
    """(n, findings) ``factors`` on the weights with which labels teach heads, 0 where one does not
    teach; how many ``cases`` teach."""

    factors: NDArray[np.float32]
    cases: int

    def told(self, samples: Samples) -> list[dict[str, Any]]:
        """A remark for the person who trained."""
        params = {"taught": self.cases, "count": len(samples)}
        return [{"code": "remark.replay", "params": params}]


def replay(samples: Samples, *, seed: int, bound: int | None = None) -> Replay | None:
    """Which labels teach where there are more cases than ``bound`` (``BOUND``); None: all do."""
    bound = BOUND if bound is None else bound
    known = ~np.isnan(samples.targets)
    if len(samples) <= bound:
        return None
    kept = (samples.corrected & known).any(axis=1)
    imported = known & ~samples.corrected
    order = np.argsort(_draws(samples.keys, seed), kind="stable")
    place = np.full(len(samples), len(samples))  # the best place of a case in any reservoir
    for column in range(known.shape[1]):
        for kind in (0.0, 1.0):
            inside = (imported[:, column] & (samples.targets[:, column] == kind))[order]
            place[inside] = np.minimum(place[inside], np.cumsum(inside)[inside])
    place[kept[order]] = 0
    first = np.argsort(place, kind="stable")[: max(bound, int(kept.sum()))]
    kept[order[first[place[first] < len(samples)]]] = True
    factors = np.where(known & kept[:, None], np.float32(1), np.float32(0))
    for kind in (0.0, 1.0):
        every = imported & (samples.targets == kind)
        taught = every & kept[:, None]
        worth = every.sum(axis=0) / np.maximum(taught.sum(axis=0), 1)
        factors = np.where(taught, worth.astype(np.float32), factors)
    return Replay(factors, int(kept.sum()))


def _draws(keys: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """A random number for each case that depends on its key and the seed alone (splitmix64, Steele
    2014)."""
    with np.errstate(over="ignore"):
        z = keys.astype(np.uint64) + np.uint64(seed + 1) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))
