"""When the serving version's files are damaged: the version before it serves, and that is told.

Files that somebody edited, cut or removed are never loaded (their sha256 differs). Rather than to
answer nothing, the project goes back to the newest version before that is sound: one event, signed
by the program, with the reason. A project that cannot be written stands in without an event.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from mmreview.domain.errors import BundleInvalid, Message, MmreviewError
from mmreview.domain.ports import Predictor, Trainer, VersionStore
from mmreview.domain.reads import EventKind, NewEvent
from mmreview.domain.versions import Role, Version

#: Who signs what no person did.
_SYSTEM = "mmreview"


def loaded(
    trainer: Trainer, version: Version, folder: Path, *, known: Sequence[str]
) -> Predictor:
    """The version, if it speaks of no other findings than those ``known`` to the project.

    Raises:
        BundleInvalid: its files are damaged, of other encoders, or of another schema.
    """
    predictor = trainer.load(version, folder)
    unknown = [name for name in predictor.findings if name not in known]
    if unknown:
        raise BundleInvalid(
            "error.bundle_other_schema", version=version.id, findings=", ".join(unknown[:3])
        )
    return predictor


class StandingIn:
    """Loads versions of one project, and finds who stands in for a damaged one. ``notice`` tells
    of the last time that this was needed."""

    def __init__(
        self, *, versions: VersionStore, trainer: Trainer, folder: Path, known: Sequence[str]
    ) -> None:
        self._versions = versions
        self._trainer = trainer
        self._folder = folder
        self._known = known
        self.notice: Message | None = None

    def load(self, version: Version) -> Predictor:
        """The version, if it speaks of no other findings than the project's.

        Raises:
            BundleInvalid: its files are damaged, of other encoders, or of another schema.
        """
        folder = self._folder / version.folder
        return loaded(self._trainer, version, folder, known=self._known)

    def champion(self, version: Version) -> Predictor:
        """The serving version, or whoever stands in for it because it is damaged.

        Raises:
            BundleInvalid: it cannot answer, and nobody can stand in.
        """
        try:
            return self.load(version)
        except BundleInvalid as error:
            other = self.replace(version, error) if error.is_damage else None
            if other is None:
                raise
            return other

    def replace(self, damaged: Version, error: BundleInvalid) -> Predictor | None:
        """Let the newest sound version before ``damaged`` serve; None if there is none."""
        for version in self._before(damaged):
            try:
                predictor = self.load(version)
            except BundleInvalid:
                continue
            self.notice = Message(
                "version.stands_in", {"version": version.id, "damaged": damaged.id}
            )
            payload = {"version": version.id, "previous": damaged.id, "reason": error.code}
            event = NewEvent(EventKind.VERSION_ROLLED_BACK, actor=_SYSTEM, payload=payload)
            with suppress(MmreviewError):  # read-only, or a full disk: it stands in all the same
                self._versions.set_role(version.id, Role.CHAMPION, event)
            return predictor
        return None

    def _before(self, damaged: Version) -> Iterator[Version]:
        """Its ancestors, the nearest first, then whatever else has served, the newest first."""
        left = {v.id: v for v in self._versions.versions() if v.role is Role.RETIRED}
        parent = damaged.parent
        while parent is not None and parent in left:
            ancestor = left.pop(parent)
            yield ancestor
            parent = ancestor.parent
        yield from sorted(left.values(), key=lambda version: -version.id)
