"""The port of acquisition: which cases of a pool teach most, by a named policy. ``ml.acquisition``
implements it, ``services.queueing`` and the simulator ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mmreview.domain.errors import MmreviewError
from mmreview.domain.labels import LabelTable
from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.domain.versions import Version


class PolicyNotFound(MmreviewError):
    """No policy has the name ``policy``; ``known`` lists those there are."""

    code = "error.policy_not_found"


class PolicyNeedsVersion(MmreviewError):
    """``policy`` looks at opinions, and no version serves yet."""

    code = "error.policy_needs_version"


class PolicyNeedsSuspects(MmreviewError):
    """The serving ``version`` was trained before labels were looked through for errors."""

    code = "error.policy_needs_suspects"


@dataclass(frozen=True)
class AcquisitionRequest:
    """What to choose from, and what is known so far.

    ``keys`` are the pool's cases, ascending, and ``hashes[m][i]`` the content hashes of the i-th
    for modality ``m`` (as ``CaseContents`` has them). They are looked at in ascending order, mostly
    in slices of a block, so a sequence that asks the store serves too. ``table`` are the labels
    that hold. ``version`` in ``folder`` is the serving bundle, if there is one. ``findings`` are
    the project's. The same ``seed`` chooses the same cases. ``threads`` is how many computations
    may run side by side; None: as many as one computation may use. ``doubts`` asks for the ``top``
    cases of the pool by the mean entropy in bits of what the version has said of them before, which
    is quicker than to ask it again; it has no answer while the version has not spoken of them all.
    """

    policy: str
    top: int
    keys: Sequence[int]
    hashes: Mapping[str, Sequence[tuple[str, ...]]]
    table: LabelTable
    findings: tuple[str, ...]
    version: Version | None = None
    folder: Path | None = None
    seed: int = 0
    threads: int | None = None
    doubts: Callable[[], Sequence[tuple[int, float]] | None] = lambda: None


class Acquisition(Protocol):
    """Every policy behind one call. Safe from any thread; writes nothing."""

    @property
    def policies(self) -> tuple[str, ...]:
        """Their names."""
        ...

    def rank(self, request: AcquisitionRequest) -> Generator[Progress, None, list[Choice]]:
        """The next ``top`` cases, best first; fewer where the pool or what is known of it has no
        more. Yields often, so that it can be cancelled; damaged features are problems of a step.

        Raises:
            PolicyNotFound: there is no such policy.
            PolicyNeedsVersion: it looks at opinions and no version serves.
            PolicyNeedsSuspects: it looks at suspected labels and the version names none.
            BundleInvalid: the version cannot be loaded.
        """
        ...
