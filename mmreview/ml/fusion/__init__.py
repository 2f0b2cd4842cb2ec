"""The fusions by name. To join, write a class with ``name`` and ``fit`` and give it a line here."""

from __future__ import annotations

from mmreview.domain.errors import MmreviewError
from mmreview.ml.fusion.attention import CrossAttention
from mmreview.ml.fusion.average import Average
from mmreview.ml.fusion.bilinear import Bilinear
from mmreview.ml.fusion.concatenation import Concatenation
from mmreview.ml.fusion.fusing import PARTED, Fusion
from mmreview.ml.fusion.gmu import Gmu
from mmreview.ml.fusion.late import Stacking, WeightedAverage
from mmreview.ml.fusion.mixture import Mixture
from mmreview.ml.fusion.pooling import Pooling
from mmreview.ml.fusion.pooling_each import PoolingEach
from mmreview.ml.fusion.soft import Soft
from mmreview.ml.fusion.vote import Vote

FUSIONS: dict[str, type[Fusion]] = {
    fusion.name: fusion
    for fusion in (
        Mixture, Soft, Pooling, PoolingEach, Average, WeightedAverage, Stacking, Vote,
        Concatenation, Gmu, CrossAttention, Bilinear,
    )
}


#: The name that stands for whichever fusion measures best (``ml.search``).
AUTO = "auto"


class FusionNotFound(MmreviewError):
    """No fusion has the name ``fusion``; ``known`` lists those there are."""

    code = "error.fusion_not_found"


def fusion_named(name: str) -> Fusion:
    """The fusion called ``name`` (FusionNotFound)."""
    try:
        return FUSIONS[name]()
    except KeyError:
        raise FusionNotFound(fusion=name, known=", ".join((*FUSIONS, AUTO))) from None


def reads_parts(name: str | None) -> bool:
    """Whether a fusion looks at parts of images and reports; those that are unknown do not."""
    return name in FUSIONS and FUSIONS[name].reads == PARTED
