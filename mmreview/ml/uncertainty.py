"""How sure a measure is: bootstrap intervals over patient groups and paired differences.

The bootstrap (Efron 1979) draws whole patient groups, and every opinion is measured on the same
draws, so that a difference of two opinions has an interval of its own, narrower than theirs. A draw
is a weight for each case, and a weighted measure needs no copy of the cases: the scores are sorted
once for all draws.

With many cases a draw changes little, and what each case adds to a measure says what a draw of it
is (the infinitesimal jackknife, Efron 1982): ``influence`` costs one sort for all draws, not one
pass for each.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.influence import influences
from mmreview.ml.metrics import element_log_loss
from mmreview.ml.perfection import kin, perfect_errors

Floats = NDArray[np.float64]

#: The measures that get an interval.
BOUNDED = ("auroc", "ap", "f1", "precision", "recall", "accuracy", "brier", "log_loss")
_DRAWS, _FEWEST = 500, 100
#: Weights (draws × cases) that are worked on at once at most.
_WEIGHTS = 200_000
_LEVEL = 0.95
_ENDS = ((1 - _LEVEL) / 2, (1 + _LEVEL) / 2)
#: From so many labels on, and so many of the rarer kind, draws are followed by influence.
_FOLLOWED, _RARER = 2000, 20
#: Labels together above which micro rows get no intervals, and weights (draws × labels) of one.
_MICRO, _TOGETHER = 20_000, 2_500_000


@dataclass(frozen=True)
class Trial:
    """What was measured: (n, findings) ``truth`` with NaN unlabelled, opinions of the same shape,
    (n,) patient ``groups`` and, where opinions come from different models, (n,) ``strata``."""

    truth: Floats
    opinions: Mapping[str, Floats]
    groups: NDArray[np.str_]
    strata: NDArray[np.integer] | None = None


def add_intervals(
    rows: Sequence[dict[str, Any]], trial: Trial, findings: Sequence[str],
    common: Sequence[str], *, seed: int,
) -> Generator[None, None, None]:
    """Complete the rows of ``metrics.table``, in place; yields after each finding and opinion.

    Each row gets ``intervals`` {measure: [low, high]} (95 %), ``ece_perfect`` and
    ``ece_adaptive_perfect`` (the mean error of a perfect model on so many labels, as alike within a
    patient group as these are; for macro rows over the same findings as the rest), and rows of
    opinions other than ``fused`` get ``difference``: ``{"auroc": [fused less this one, low, high],
    "log_loss": …}``, empty where the two were not measured on the same cases. Macro rows average
    the ``common`` findings.
    """
    row_of = {(row["finding"], row["opinion"]): row for row in rows}
    drawn = draws(trial.groups, seed)
    totals: dict[str, list[dict[str, Floats]]] = {name: [] for name in trial.opinions}
    same = dict.fromkeys(trial.opinions, True)
    kept = {
        name: kin(trial.truth, values, trial.groups, trial.strata)
        for name, values in trial.opinions.items()
    }
    for t, finding in enumerate(findings):
        found: dict[str, dict[str, Floats]] = {}
        for name, values in trial.opinions.items():
            known = ~np.isnan(trial.truth[:, t]) & ~np.isnan(values[:, t])
            truth, probability = trial.truth[known, t], values[known, t]
            strata = np.zeros(len(truth), int) if trial.strata is None else trial.strata[known]
            found[name] = _measures(truth, probability, strata, drawn[known])
            row = row_of[finding, name]
            row["intervals"] = _intervals(found[name])
            row |= perfect_errors(probability, kept[name].some(known), seed=seed)
            yield
        for name in found:
            paired = _paired(trial, t, name)
            _compare(row_of, finding, name, found, paired)
            if finding in common:
                totals[name].append(found[name])
                same[name] = same[name] and paired
    means = {name: _mean(parts) for name, parts in totals.items()}
    for name in trial.opinions:
        row = row_of["macro", name]
        row["intervals"] = _intervals(means[name])
        for error in ("ece_perfect", "ece_adaptive_perfect"):
            known_errors = [row_of[f, name][error] for f in common]
            known_errors = [value for value in known_errors if value is not None]
            row[error] = float(np.mean(known_errors)) if known_errors else None
        _compare(row_of, "macro", name, means, same[name])


def add_micro_intervals(
    rows: Sequence[dict[str, Any]], trial: Trial, columns: Sequence[int], *, seed: int
) -> Generator[None, None, None]:
    """Complete the rows of ``metrics.micro`` as ``add_intervals`` does others; yields after each.
    Above ``_MICRO`` labels they stay as they are: there the intervals are next to nothing."""
    chosen = list(columns)
    rows_of, columns_of = np.nonzero(~np.isnan(trial.truth[:, chosen]))
    if not 0 < len(rows_of) <= _MICRO:
        return
    truth = trial.truth[:, chosen][rows_of, columns_of]
    # So many that a cancel does not wait for one row.
    drawn = draws(trial.groups, seed)[:, : max(_FEWEST, _TOGETHER // len(rows_of))]
    strata = np.zeros(len(trial.truth), int) if trial.strata is None else trial.strata
    row_of = {("micro", row["opinion"]): row for row in rows}
    found: dict[str, dict[str, Floats]] = {}
    for name, opinions in trial.opinions.items():
        values = opinions[:, chosen][rows_of, columns_of]
        known = ~np.isnan(values)
        cases = rows_of[known]
        found[name] = _measures(truth[known], values[known], strata[cases], drawn[cases])
        row = row_of["micro", name]
        row["intervals"] = _intervals(found[name])
        alike = kin(
            truth[known, None], values[known, None], trial.groups[cases], strata[cases]
        )
        row |= perfect_errors(values[known], alike, seed=seed)
        yield
    for name in found:
        paired = all(_paired(trial, column, name) for column in chosen)
        _compare(row_of, "micro", name, found, paired)


def draws(groups: NDArray[np.str_], seed: int) -> NDArray[np.float32]:
    """(n, draws): how often each case is drawn when its patient group is."""
    _, member = np.unique(groups, return_inverse=True)
    count = int(member.max(initial=-1)) + 1
    draws = int(np.clip(_WEIGHTS // max(len(groups), 1), _FEWEST, _DRAWS))
    if not count:
        return np.zeros((0, draws), np.float32)
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=draws)
    return drawn.T.astype(np.float32)[member]


def _measures(
    truth: Floats, probability: Floats, strata: NDArray[np.integer], drawn: NDArray[np.float32]
) -> dict[str, Floats]:
    """(draws,) of each measure, NaN where a draw does not define it."""
    rarer = min(int((truth > 0.5).sum()), int((truth < 0.5).sum()))
    if len(truth) >= _FOLLOWED and rarer >= _RARER:
        return influences(truth, probability, strata).followed(drawn)
    positive, called = truth > 0.5, probability >= 0.5
    columns = np.column_stack(
        [
            np.ones(len(truth)), positive, called, positive & called, positive == called,
            np.square(probability - truth), element_log_loss(truth, probability),
        ]
    )
    sums = (columns.astype(np.float32).T @ drawn).astype(np.float64)
    n, positives, calls, hits, right, brier, loss = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        result = {
            "f1": np.where(positives > 0, 2 * hits / (positives + calls), np.nan),
            "precision": hits / calls,
            "recall": hits / positives,
            "accuracy": right / n,
            "brier": brier / n,
            "log_loss": loss / n,
        }
    return {**result, **ranked(positive, probability, strata, drawn)}


def ranked(
    positive: NDArray[np.bool_], score: Floats, strata: NDArray[np.integer],
    drawn: NDArray[np.float32],
) -> dict[str, Floats]:
    """AUROC and average precision, within strata, as ``metrics`` defines them."""
    won, pairs, precise, present = (np.zeros(drawn.shape[1]) for _ in range(4))
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        rows = rows[np.argsort(-score[rows], kind="stable")]
        last = np.flatnonzero(np.append(np.diff(score[rows]) != 0, True))  # ties go together
        weights = drawn[rows]
        hits = np.cumsum(weights * positive[rows, None], axis=0)[last]  # exact: whole numbers
        seen = np.cumsum(weights, axis=0)[last]
        step, misses = np.diff(hits, prepend=0, axis=0), seen - hits
        behind = misses[-1] - misses
        behind += 0.5 * np.diff(misses, prepend=0, axis=0)
        both = hits[-1].astype(np.float64) * misses[-1]
        won += np.einsum("nd,nd->d", step, behind, dtype=np.float64)
        pairs += both
        np.divide(hits, np.maximum(seen, 1, out=seen), out=hits)
        share = np.einsum("nd,nd->d", step, hits, dtype=np.float64)
        precise += np.where(both > 0, share, 0)
        present += np.where(both > 0, step.sum(axis=0), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return {"auroc": won / pairs, "ap": precise / present}


def _intervals(found: Mapping[str, Floats]) -> dict[str, list[float] | None]:
    names = [name for name in BOUNDED if name in found]
    whole = [name for name in names if not np.isnan(found[name]).any()]
    ends: dict[str, list[float]] = {}
    if whole:  # together: a quantile takes longer to ask for than to find
        both = np.quantile(np.stack([found[name] for name in whole]), _ENDS, axis=1)
        ends = dict(zip(whole, both.T.tolist(), strict=True))
    return {name: ends[name] if name in ends else bounds(found[name]) for name in names}


def bounds(values: Floats) -> list[float] | None:
    """The middle 95 % of the draws; None unless nearly all of them define the measure."""
    known = values[~np.isnan(values)]
    if len(known) < 0.9 * len(values):
        return None
    low, high = np.quantile(known, _ENDS)
    return [float(low), float(high)]


def _mean(parts: list[dict[str, Floats]]) -> dict[str, Floats]:
    """Each measure's mean over findings in each draw, over those that the draw defines."""
    result = {}
    for name in BOUNDED if parts else ():
        values = np.stack([part[name] for part in parts])
        known = ~np.isnan(values)
        count = known.sum(axis=0)
        total = np.where(known, values, 0.0).sum(axis=0)
        result[name] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return result


def _paired(trial: Trial, column: int, name: str) -> bool:
    """True where ``name`` and the fused opinion are measured on the same cases."""
    truth = ~np.isnan(trial.truth[:, column])
    mine, fused = (np.isnan(trial.opinions[o][:, column]) for o in (name, "fused"))
    return bool((mine == fused)[truth].all())


def _compare(
    row_of: Mapping[tuple[str, str], dict[str, Any]], finding: str, name: str,
    found: Mapping[str, Mapping[str, Floats]], paired: bool,
) -> None:
    if name == "fused":
        return
    row, fused = row_of[finding, name], row_of[finding, "fused"]
    row["difference"] = difference = {}
    for measure in ("auroc", "log_loss") if paired else ():
        if row[measure] is None or fused[measure] is None or measure not in found[name]:
            continue
        limits = bounds(found["fused"][measure] - found[name][measure])
        if limits is not None:
            difference[measure] = [fused[measure] - row[measure], *limits]
