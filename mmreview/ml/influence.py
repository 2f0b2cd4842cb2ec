"""What each case adds to a measure: its influence, the derivative by the case's weight.

A measure of weighted cases moves by Σ (weight - 1) · influence when the weights do, to first order
(the infinitesimal jackknife, Efron 1982). ``uncertainty`` follows bootstrap draws this way where
cases are many: the scores are sorted once, and a draw is one product. Against the draws themselves
(2,000 labels, a fifth present) the intervals' widths agree within 4 %.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.metrics import element_log_loss

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Influences:
    """By measure: its value, and (n,) how fast it moves with each case's weight. None depends on
    the sum of all weights, so that the influences of a measure add up to 0."""

    values: dict[str, float]
    each: dict[str, Floats]

    def followed(self, drawn: NDArray[np.float32]) -> dict[str, Floats]:
        """(draws,) of each measure under (n, draws) weights, to first order."""
        table = np.column_stack(list(self.each.values())).astype(np.float32)
        moved = (table.T @ drawn).astype(np.float64)
        return {
            name: value + moves for (name, value), moves in zip(self.values.items(), moved,
                                                                strict=True)
        }


def influences(truth: Floats, probability: Floats, strata: NDArray[np.integer]) -> Influences:
    """Those of ``uncertainty.BOUNDED``; both kinds of labels must be there, and opinions on either
    side of .5 (without calls, precision is not defined: NaN)."""
    positive, called = truth > 0.5, probability >= 0.5
    hit, right = positive & called, positive == called
    positives, calls, n = int(positive.sum()), int(called.sum()), len(truth)
    values: dict[str, float] = {}
    each: dict[str, Floats] = {}

    def ratio(name: str, above: Floats | NDArray[np.bool_], below: Floats, total: float) -> None:
        """Σ above / Σ below, ``total`` being the latter."""
        values[name] = float(above.sum()) / total if total else np.nan
        each[name] = (above - values[name] * below) / total if total else np.full(n, np.nan)

    ones = np.ones(n)
    ratio("f1", 2.0 * hit, positive.astype(float) + called, positives + calls)
    ratio("precision", hit, called.astype(float), calls)
    ratio("recall", hit, positive.astype(float), positives)
    ratio("accuracy", right, ones, n)
    ratio("brier", np.square(probability - truth), ones, n)
    ratio("log_loss", element_log_loss(truth, probability), ones, n)
    _ranked(positive, probability, strata, values, each)
    return Influences(values, each)


def _ranked(
    positive: NDArray[np.bool_], score: Floats, strata: NDArray[np.integer],
    values: dict[str, float], each: dict[str, Floats],
) -> None:
    """AUROC and average precision, within strata, as ``metrics`` defines them."""
    won = pairs = precise = present = 0.0
    wins, partners, precision, counts = np.zeros((4, len(score)))
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        rows = rows[np.argsort(-score[rows], kind="stable")]
        one = positive[rows]
        begins = np.append(True, np.diff(score[rows]) != 0)  # ties go together
        tie = np.cumsum(begins) - 1
        sizes, hits = np.bincount(tie), np.bincount(tie, weights=one)
        seen, found = np.cumsum(sizes), np.cumsum(hits)
        missed = seen - found
        total, rest = found[-1], missed[-1]
        if not total or not rest:
            continue
        # Of a present case those behind it, of an absent one those before it, ties half.
        behind = rest - missed + (sizes - hits) / 2
        before = found - hits / 2
        wins[rows] = np.where(one, behind[tie], before[tie])
        partners[rows] = np.where(one, rest, total)
        won, pairs = won + float((hits * behind).sum()), pairs + total * rest
        later = np.cumsum((hits / seen)[::-1])[::-1]
        lost = np.cumsum((hits * found / seen**2)[::-1])[::-1]
        share = found / seen
        precision[rows] = np.where(one, (share + later)[tie], 0.0) - lost[tie]
        counts[rows] = one
        precise, present = precise + float((hits * share).sum()), present + total
    values["auroc"] = won / pairs if pairs else np.nan
    each["auroc"] = (wins - values["auroc"] * partners) / (pairs or np.nan)
    values["ap"] = precise / present if present else np.nan
    each["ap"] = (precision - values["ap"] * counts) / (present or np.nan)
