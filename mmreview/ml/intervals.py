"""How sure an opinion is of itself: an interval around each probability.

``predictor`` asks for them when a case is opened. A version travels with its fold models, each
fitted from scratch without one group of patients (heads, calibration, fusion), so the
delete-a-group jackknife (Quenouille 1956; Kott 2001) costs one more look at the features for each
and needs nothing stored: ``se² = (K-1)/K · Σ (z_k - mean)²`` on the logit scale, times Student's t
with K - 1 degrees of freedom. It widens with few labels, and where features are unlike those that
taught.

What it covers is what the bar claims: of cases that the model finds alike, how many have the
finding. On simulated cases with known probabilities 90 % intervals held that in .88-.91 at 60
labelled cases, .81-.94 at 150, .97 and more from 400 on (``tests/benchmarks/intervals.py``). They
say nothing of a case whose features mislead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mmreview.ml.calibration import sigmoid
from mmreview.ml.model import Opinions

Floats = NDArray[np.float64]

#: By opinion, (n, findings) lower and upper bounds.
Bounds = dict[str, tuple[Floats, Floats]]

#: Student's t of a two-sided 90 % interval, by degrees of freedom.
_STUDENT_90 = {2: 2.920, 3: 2.353, 4: 2.132, 5: 2.015, 6: 1.943, 7: 1.895, 8: 1.860, 9: 1.833}
#: Fewer fold models than this say too little of how much opinions scatter.
_LEAST_TWINS = 3


def intervals(full: Opinions, twins: Sequence[Opinions]) -> Bounds:
    """90 % intervals of ``full``'s probabilities from the fold models' opinions on the same cases:
    by opinion (``fused`` and the modalities) the lower and the upper bounds, (n, findings) each,
    NaN where there is no opinion. Empty with fewer than three fold models."""
    if len(twins) < _LEAST_TWINS:
        return {}
    count = len(twins)
    factor = _STUDENT_90.get(count - 1, 1.8) * np.sqrt((count - 1) / count)
    found = {}
    apart = [_logits(twin) for twin in twins]
    for name, logits in _logits(full).items():
        each = np.stack([twin[name] for twin in apart])
        reach = factor * np.sqrt(((each - each.mean(axis=0)) ** 2).sum(axis=0))
        found[name] = sigmoid(logits - reach), sigmoid(logits + reach)
    return found


def _logits(opinions: Opinions) -> dict[str, Floats]:
    """The log-odds of the probabilities that are shown, whatever they were made of."""
    found = {}
    for name, probability in opinions.probabilities.items():
        held = np.clip(probability, 1e-9, 1 - 1e-9)
        found[name] = np.log(held / (1 - held))
    return found
