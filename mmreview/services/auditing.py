"""Is the project whole? The trail's chain, the database, the images and the versions.

``verify`` only reads. It yields progress and returns every problem it found as a message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from mmreview.domain.errors import BundleInvalid, Message, ProjectDamaged
from mmreview.domain.ports import CaseStore, Trainer, VersionStore
from mmreview.domain.progress import Progress

_CHUNK = 1 << 20


class Auditing:
    """Verification of one project."""

    def __init__(
        self,
        *,
        cases: CaseStore,
        versions: VersionStore,
        trainer: Trainer,
        trail_problems: Callable[[], Iterator[Message]],
        covers_imports: Callable[[], bool],
        folder: Path,
    ) -> None:
        self._cases = cases
        self._versions = versions
        self._trainer = trainer
        self._trail_problems = trail_problems
        self._covers_imports = covers_imports
        self._folder = folder

    def uncovered(self) -> list[Message]:
        """What cannot be checked in this project, and why; no problems."""
        return [] if self._covers_imports() else [Message("verify.uncovered")]

    def verify(self) -> Generator[Progress, None, list[Message]]:
        """Check everything; returns the problems, none if the project is whole."""
        problems: list[Message] = []
        for problem in self._trail_problems():
            problems.append(problem)
            yield Progress("progress.verify_trail", len(problems), 0)
        try:
            yield from self._verify_versions(problems)
            yield from self._verify_cases(problems)
        except ProjectDamaged as error:  # what was found so far is worth telling all the same
            problems.append(error.message)
        return problems

    def _verify_versions(self, problems: list[Message]) -> Generator[Progress, None, None]:
        for version in self._versions.versions():
            try:
                self._trainer.load(version, self._folder / version.folder)
            except BundleInvalid as error:
                problems.append(error.message)
            yield Progress("progress.verify_versions", version.id, 0)

    def _verify_cases(self, problems: list[Message]) -> Generator[Progress, None, None]:
        total, done = self._cases.count(), 0
        for batch in self._cases.batches():
            for case in batch:
                for image in case.images:
                    damage = self._image_problem(case.id, image.path, image.sha256)
                    if damage is not None:
                        problems.append(damage)
                if case.report is not None and _sha256(case.report.encode()) != case.report_sha256:
                    problems.append(Message("verify.report_changed", {"case": case.id}))
            done += len(batch)
            yield Progress("progress.verify_images", done, total)

    def _image_problem(self, case: str, path: str, sha256: str) -> Message | None:
        try:
            found = file_sha256(self._folder / path)
        except OSError as error:
            return Message(
                "verify.image_missing",
                {"case": case, "path": path, "detail": error.strerror or str(error)},
            )
        if found != sha256:
            return Message("verify.image_changed", {"case": case, "path": path})
        return None


def file_sha256(path: Path) -> str:
    """The sha256 (hex) of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)
    return digest.hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
