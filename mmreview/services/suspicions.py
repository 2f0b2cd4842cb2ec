"""Labels that the serving version suspects, of the case that is open: offered, never changed.

A round leaves its suspects with the version (``ml.label_errors``). A suspicion is about the label
that the round saw: once a reader has set the finding since (another state, or the same one to say
that it is right) it is gone, and the next round does not raise what was confirmed again.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from mmreview.domain.labels import Suspect
from mmreview.domain.ports import VersionStore
from mmreview.domain.reads import FindingState


class Suspicions:
    """Looks suspects up by case; reads each version's list once. Safe from any thread."""

    def __init__(self, versions: VersionStore) -> None:
        self._versions = versions
        self._version = 0
        self._through = 0
        self._by_case: dict[int, list[Mapping[str, Any]]] = {}
        self._lock = threading.Lock()

    def of(
        self, version: int | None, key: int, states: Mapping[str, FindingState]
    ) -> dict[str, Suspect]:
        """The suspects of a case under the states that hold, by finding; none without a version.
        """
        if version is None:
            return {}
        with self._lock:
            if version != self._version:
                self._read(version)
            listed, through = self._by_case.get(key, []), self._through
        found = {}
        for told in listed:
            held = states.get(told["finding"])
            if held is not None and held.state == told["state"] and held.seq <= through:
                found[held.finding] = Suspect(held, float(told["confidence"]))
        return found

    def _read(self, number: int) -> None:
        version = self._versions.get(number)
        self._version, self._through, self._by_case = number, version.through_seq, {}
        for told in version.metrics.get("suspects", ()):
            self._by_case.setdefault(told["key"], []).append(told)
