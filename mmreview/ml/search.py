"""The search for a project's fusion: all of them on its own labels, and which one shall serve.

``trainer`` asks for it when a person trains with the fusion ``auto``. Grouped nested
cross-validation measures every fusion on cases that no part of it has seen; the default serves
unless another has a log-loss that is surely lower (the 95 % interval of the paired difference over
patient groups lies above zero): among a handful of fusions on a few hundred labels the best looking
one is best by chance more often than not. The table is written into the version's card.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mmreview.domain.progress import Progress
from mmreview.ml import evaluation
from mmreview.ml.fusion import FUSIONS
from mmreview.ml.recipe import Recipe
from mmreview.ml.samples import Samples


@dataclass(frozen=True)
class Found:
    """The fusion that shall serve, and ``table``, ready for JSON: what was tried, on what, and the
    macro measures of each opinion with intervals. ``difference`` is the default's less the row's;
    ``ahead`` the AUROC less the better modality's of each finding (with hindsight)."""

    fusion: str
    table: dict[str, Any]


def search(
    samples: Samples, recipe: Recipe, *, findings: tuple[str, ...]
) -> Generator[Progress, None, Found]:
    """Measure every fusion and choose one; ``recipe``'s own fusion and spreads (a parent found them
    on these very cases) are not looked at."""
    default = Recipe.fusion
    trial = replace(recipe, fusion=default, spreads=None, slow=True)
    unseen = yield from evaluation.unseen_opinions(samples, folds=recipe.folds, recipe=trial)
    judged = yield from evaluation.judged(samples, unseen, findings=findings, seed=recipe.seed)
    ahead = _ahead(judged["rows"], samples.modalities)
    rows = []
    for row in judged["rows"]:
        if row["finding"] == "macro":
            name = default if row["opinion"] == "fused" else row["opinion"].removeprefix("fusion:")
            kept = {k: v for k, v in row.items() if k not in ("finding", "opinion")}
            rows.append({"fusion": name, **kept, "ahead": ahead.get(row["opinion"])})
    chosen = choose(rows, default=default)
    table = {k: v for k, v in judged.items() if k not in ("rows", "micro")}
    return Found(chosen, {**table, "default": default, "chosen": chosen, "rows": rows})


def choose(rows: list[dict[str, Any]], *, default: str) -> str:
    """The fusion whose log-loss is lower than the default's by the most, if that is sure."""
    best, lead = default, 0.0
    for row in rows:
        gap, low, _ = (row.get("difference") or {}).get("log_loss") or (0.0, 0.0, 0.0)
        if row["fusion"] in FUSIONS and low > 0 and gap > lead:
            best, lead = row["fusion"], gap
    return best


def _ahead(rows: list[Mapping[str, Any]], modalities: tuple[str, ...]) -> dict[str, float]:
    """How far each opinion's AUROC is ahead of the better modality, the mean over findings."""
    found: dict[str, dict[str, float]] = {}
    for row in rows:
        if row["finding"] != "macro" and row["auroc"] is not None:
            found.setdefault(row["finding"], {})[row["opinion"]] = row["auroc"]
    gaps: dict[str, list[float]] = {}
    for measured in found.values():
        own = [measured[m] for m in modalities if m in measured]
        for opinion, auroc in measured.items() if len(own) == len(modalities) else ():
            gaps.setdefault(opinion, []).append(auroc - max(own))
    return {opinion: float(np.mean(values)) for opinion, values in gaps.items()}
