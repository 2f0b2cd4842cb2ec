"""A quick round on very many labels: the heads learn what changed, the rest of a version stays.

With a hundred thousand labelled cases the heads that serve are a small part of a round. Fitting
their five fold twins takes five times as long, and calibrating and fusing all six as long again,
though twenty-five corrections move none of that by anything that can be seen. So from ``FROM``
labelled cases on, where an audit set judges (it asks the heads that serve, and no twin), a round
fits these alone, on all labels as ever, and takes twins, calibration, prior and fusion over from
its parent. Twins still have not seen their fold, so that what they say is still held out; they are
at most ``DUE`` of a finding's rarer labels behind. Then a whole round is due, and fits all anew
(``recipe``).

On 100,577 synthetic cases (25 corrections a round, two cores, ``tests/benchmarks/rounds_speed.py``)
that takes 5.1 s up to the gate's decision, where whole rounds took 16.3 s. Twenty rounds of 21
corrected cases each on 2,100 synthetic ones, 15 % of the imported labels wrong, end as near to one
training from scratch with most rounds quick (51 of 66, by a ``DUE`` of .3) as with none: macro
AUROC -.0004 and -.0003 (3 seeds, ``tests/benchmarks/rounds.py --quick .3``).

``trainer`` asks ``renewable`` and runs ``renew`` in place of ``recipe.fit``; the version's card
counts the labels that have changed since the last whole round (``since_whole``).
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmreview.ml import folds as grouping
from mmreview.ml.carrying import Ints
from mmreview.ml.exclusive import GroupLesson
from mmreview.ml.gate import big_enough
from mmreview.ml.prepared import Shelf
from mmreview.ml.recipe import Ancestor, Fitted, Recipe, Step, fit_heads, unseen_by
from mmreview.ml.samples import Samples

Floats = NDArray[np.float64]

#: Fewer labelled cases are fitted wholly in two seconds.
FROM = 20_000
#: The share of a finding's rarer labels that may change before all is fitted anew.
DUE = 0.05


@dataclass(frozen=True)
class Renewal:
    """A quick round after ``ancestor``; ``since`` (findings,) labels have changed since the last
    whole one."""

    ancestor: Ancestor
    since: Ints

    def told(self, samples: Samples) -> list[dict[str, Any]]:
        """A remark for the person who trained."""
        count = int((~np.isnan(samples.targets)).sum())
        params = {"count": count, "percent": round(100 * DUE)}
        return [{"code": "remark.renewal", "params": params}]

    def counted(self, findings: tuple[str, ...]) -> dict[str, int]:
        """For the card."""
        return dict(zip(findings, self.since.tolist(), strict=True))


def renewable(
    samples: Samples, recipe: Recipe, ancestor: Ancestor | None, card: Mapping[str, Any], *,
    findings: tuple[str, ...], audit_truth: Floats,
) -> Renewal | None:
    """What a quick round after a parent with this ``card`` is; None where a whole one is due.
    ``audit_truth`` (n, findings) are the labels that judge, NaN elsewhere."""
    if ancestor is None or ancestor.changes is None or len(samples) < FROM:
        return None
    model = ancestor.models[0]
    alike = {*model.heads} == {*samples.modalities} and len(ancestor.models) == 1 + recipe.folds
    if not alike or not model.fusion.additive or not big_enough(audit_truth):
        return None
    before = card.get("since_whole", {})
    since = ancestor.changes + np.array([before.get(name, 0) for name in findings])
    rarer = np.minimum((samples.targets == 1).sum(axis=0), (samples.targets == 0).sum(axis=0))
    return Renewal(ancestor, since) if (since <= DUE * rarer).all() else None


def renew(
    samples: Samples, recipe: Recipe, ancestor: Ancestor, shelves: Mapping[str, Shelf]
) -> Generator[Step, None, Fitted]:
    """The parent's models, that of all rows with heads that have learned today's labels."""
    folds = grouping.assign(
        samples.groups.tolist(), samples.targets, folds=recipe.folds, seed=recipe.seed,
        known=ancestor.folds_by_group(samples),
    )
    yield Step("training.phase.fitting", 0.0)
    heads, losses = yield from fit_heads(
        samples, recipe, folds, ancestor, shelves, renewing=True
    )
    models = tuple(
        replace(model, heads={m: fitted.heads[index] for m, fitted in heads.items()})
        for index, model in enumerate(ancestor.models)
    )
    yield Step("training.phase.calibrating", 0.9)
    return Fitted(
        models=models,
        folds=folds,
        materials={},
        lesson=GroupLesson(recipe.groups, {}, {}, samples.targets),
        held_out=unseen_by(samples, models, heads, folds),
        spreads={m: fitted.spread for m, fitted in heads.items()},
        losses=tuple(losses),
    )
