"""Offers the findings of a case that was just read to its near-duplicates.

``Session`` owns one. It looks in the background after a committed read in which something was set
(or when asked), says on the page what it found, opens the cluster, and gives; an act of giving can
be taken back as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget
from shiboken6 import isValid

from mmreview.domain.changes import ReadCommitted
from mmreview.domain.errors import message_of
from mmreview.services.desk import Desk
from mmreview.services.propagating import Cluster, Given
from mmreview.tasks.runner import RunnerBase
from mmreview.tasks.task import Lane
from mmreview.translation import tr
from mmreview.ui.banner import Banner


class NearDuplicates(QObject):
    """Near-duplicates of one open project."""

    given = Signal(list)  # keys of the cases whose states changed
    problemFound = Signal(object)  # Message

    def __init__(
        self, runner: RunnerBase, desk: Desk, *, banner: Banner, reader: Callable[[], str],
        window: QWidget, parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._runner = runner
        self._desk = desk
        self._banner = banner
        self._reader = reader
        self._window = window

    def note_read(self, read: ReadCommitted) -> None:
        """A read is durable: look for near-duplicates of its case, if anything was set in it."""
        if read.changed and not self._desk.info.read_only:
            self._find(read.case_key, on_found=self._offer)

    def look(self, key: int) -> None:
        """Look for near-duplicates of a case because a person asked: say also that there are
        none."""

        def _on_found(cluster: Cluster) -> None:
            if cluster.twins:
                self.open(cluster)
            else:
                text = tr("ui.alike.none", case=cluster.case.id)
                self._banner.show_message(text, severity="info")

        self._find(key, on_found=_on_found)

    def _find(self, key: int, *, on_found: Callable[[Cluster], None]) -> None:
        self._runner.submit(
            Lane.BULK,
            lambda: self._desk.propagating.find(key),
            name="ui.task.alike",
            key="alike",
            on_done=on_found,
            on_failed=self._on_failed,
        )

    def _offer(self, cluster: Cluster) -> None:
        if cluster.twins:
            self._banner.show_message(
                tr("ui.alike.offer", case=cluster.case.id, count=len(cluster.twins)),
                severity="info",
                action=tr("ui.alike.show"),
                on_action=lambda: self.open(cluster),
            )

    def open(self, cluster: Cluster) -> None:
        """Show the cluster; what is confirmed there is given."""
        from mmreview.ui.dialogs.near_duplicates import NearDuplicatesDialog

        dialog = NearDuplicatesDialog(self._window, cluster)
        dialog.giveWanted.connect(lambda keys: self._give(cluster, keys))
        for case in (cluster.case, *(twin.case for twin in cluster.twins)):
            if case.images:
                path = self._desk.info.folder / case.images[0].path
                self._bring_picture(dialog, case.key, path)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def _bring_picture(self, dialog: QWidget, key: int, path: Path) -> None:
        self._runner.submit(
            Lane.DISPLAY,
            lambda: _miniature(path),
            on_done=lambda found: dialog.set_picture(key, found) if isValid(dialog) else None,
            on_failed=lambda _: None,  # its place stays empty
        )

    def _give(self, cluster: Cluster, keys: list[int]) -> None:
        self._runner.submit(
            Lane.COMMIT,
            lambda: self._desk.propagating.give(cluster, keys, reader=self._reader()),
            on_done=self._on_given,
            on_failed=self._on_failed,
        )

    def _on_given(self, given: Given | None) -> None:
        if given is None:
            return
        self.given.emit(list(given.keys))
        self._banner.show_message(
            tr("ui.alike.given", case=given.source, count=given.cases, findings=given.findings),
            severity="info",
            action=tr("ui.alike.take_back"),
            on_action=lambda: self._take_back(given),
        )

    def _take_back(self, given: Given) -> None:
        def _on_taken(_: int) -> None:
            self.given.emit(list(given.keys))
            text = tr("ui.alike.taken_back", count=given.cases)
            self._banner.show_message(text, severity="info")

        self._runner.submit(
            Lane.COMMIT,
            lambda: self._desk.propagating.take_back(given, reader=self._reader()),
            on_done=_on_taken,
            on_failed=self._on_failed,
        )

    def _on_failed(self, error: Exception) -> None:
        self.problemFound.emit(message_of(error))


def _miniature(path: Path) -> QImage:
    """A small picture, ready to be painted. Runs off the UI thread."""
    import numpy as np

    from mmreview.imaging.thumbnails import load_thumbnail
    from mmreview.ui.dialogs.near_duplicates import SIDE

    pixels = np.ascontiguousarray(load_thumbnail(path, side=2 * SIDE))  # sharp at 2x too
    height, width = pixels.shape[:2]
    colour = pixels.ndim == 3
    form = QImage.Format.Format_RGB888 if colour else QImage.Format.Format_Grayscale8
    return QImage(pixels.data, width, height, pixels.strides[0], form).copy()

