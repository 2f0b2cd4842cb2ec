"""The acquisition policies by name: which cases of a pool to have read next.

``services.queueing`` asks ``PolicyRegistry.rank`` (the port ``domain.acquisition``); a policy is a
module whose ``rank`` goes from a ``Pool`` to choices, as a generator, so that it can be cancelled.
To join, write one in a file of its own, with its source, and give it a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

from mmreview.domain.acquisition import AcquisitionRequest, PolicyNotFound
from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.domain.versions import Version
from mmreview.ml.acquisition import (
    badge,
    bald,
    conflict,
    coreset,
    entropy,
    hybrid,
    label_error,
    margin,
    random,
    rare,
    typicality,
    wrong_pair,
)
from mmreview.ml.acquisition.pool import Pool
from mmreview.ml.predictor import BundlePredictor
from mmreview.ml.samples import CachedFeatures

Policy = Callable[[Pool], Generator[Progress, None, list[Choice]]]

#: The default first.
POLICIES: dict[str, Policy] = {
    "hybrid": hybrid.rank,
    "random": random.rank,
    "entropy": entropy.rank,
    "margin": margin.rank,
    "bald": bald.rank,
    "coreset": coreset.rank,
    "badge": badge.rank,
    "typicality": typicality.rank,
    "conflict": conflict.rank,
    "rare": rare.rank,
    "label_error": label_error.rank,
    "wrong_pair": wrong_pair.rank,
}


class PolicyRegistry:
    """``domain.acquisition.Acquisition`` over the feature cache. ``load`` gives the predictor of a
    version in a folder (``FusionTrainer.load``)."""

    def __init__(
        self, features: CachedFeatures, *, load: Callable[[Version, Path], BundlePredictor]
    ) -> None:
        self._features = features
        self._load = load

    @property
    def policies(self) -> tuple[str, ...]:
        """The names of the policies."""
        return tuple(POLICIES)

    def rank(self, request: AcquisitionRequest) -> Generator[Progress, None, list[Choice]]:
        """The next cases by a policy (see the port for what it yields and raises)."""
        if request.policy not in POLICIES:
            raise PolicyNotFound(policy=request.policy, known=", ".join(POLICIES))

        def load() -> BundlePredictor:
            assert request.version is not None and request.folder is not None
            return self._load(request.version, request.folder)

        return (yield from POLICIES[request.policy](Pool(request, self._features, load)))
