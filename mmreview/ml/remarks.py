"""What a person should hear of the cases that a version was trained on, beside its measures.

``trainer`` puts it into the metrics of the version (``remarks``), the command line and the learning
panel say it after the verdict. A remark is a message code with its parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmreview.domain.versions import LambdaChoice
from mmreview.ml.fusion import FUSIONS
from mmreview.ml.fusion.additive import AdditiveFusion
from mmreview.ml.heads import LEAST, Head
from mmreview.ml.samples import Samples

#: Features differ by less than this share of their size where contents are the same.
_ALIKE = 1e-5
#: So many findings are named.
_NAMED = 3


def remarks(
    samples: Samples, heads: Mapping[str, Head], findings: Sequence[str]
) -> list[dict[str, Any]]:
    """``[{"code", "params"}]``: damaged features, contents that do not differ, findings that are
    labelled but have no head."""
    found: list[dict[str, Any]] = []
    for m in samples.modalities:
        if samples.damaged.get(m):
            found.append({"code": "remark.damaged", "params": {"count": samples.damaged[m]}})
        if _all_alike(samples, m):
            code = f"remark.alike.{m}" if m in ("image", "text") else "remark.alike.other"
            found.append({"code": code, "params": {"modality": m}})
    labelled = (~np.isnan(samples.targets)).any(axis=0)
    learned = np.logical_or.reduce([head.taught for head in heads.values()])
    lacking = [name for t, name in enumerate(findings) if labelled[t] and not learned[t]]
    if lacking:
        more = len(lacking) - _NAMED
        names = ", ".join(lacking[:_NAMED]) + (f" (+{more})" if more > 0 else "")
        found.append({"code": "remark.not_learned", "params": {"findings": names, "least": LEAST}})
    return found


def weight_unused(weight: LambdaChoice, fusion: str) -> list[dict[str, Any]]:
    """A remark where a weight was set by hand (now, or for a version before) and the ``fusion``,
    which is no weighted sum, has none."""
    if weight.mode != "manual" or FUSIONS[fusion].fitted is AdditiveFusion:
        return []
    value = f"{weight.value:g}"
    return [{"code": "remark.weight_unused", "params": {"fusion": fusion, "value": value}}]


def _all_alike(samples: Samples, modality: str) -> bool:
    """Whether several cases have the modality, and all the same of it."""
    rows = np.flatnonzero(samples.present[modality])
    features = samples.features[modality]
    if len(rows) < 2:
        return False
    first = features[rows[0]]
    room = _ALIKE * (float(np.abs(first).max(initial=0.0)) + 1e-3)
    return all(np.abs(features[row] - first).max(initial=0.0) <= room for row in rows[1:])
