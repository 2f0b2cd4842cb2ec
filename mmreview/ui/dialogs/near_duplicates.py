"""The cluster of near-duplicates of a case: look at it, tick what is the same, confirm once.

Each row shows the picture, how alike it is and what it would be given. Rows that are the same in
everything are ticked; where only the picture is the same, a person has to do that.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from mmreview.domain.likeness import Alike, Alikeness
from mmreview.domain.reads import FindingState
from mmreview.services.propagating import Cluster, Twin
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.dialog import Dialog, Well, note
from mmreview.ui.text_line import CheckLine, TextLine
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import percent

#: The longest side of a picture in a row.
SIDE = 18 * UNIT


class NearDuplicatesDialog(Dialog):
    """``giveWanted`` carries the keys of the ticked cases."""

    giveWanted = Signal(list)

    def __init__(self, parent: QWidget | None, cluster: Cluster) -> None:
        super().__init__(
            parent, name="nearDuplicatesDialog", title=tr("ui.alike.title"),
            hint=tr("ui.alike.hint"),
        )
        self.cluster = cluster
        self._source = Miniature(self)
        self.body.addWidget(self._source_row())
        self._rows = [TwinRow(twin, self) for twin in cluster.twins]
        host = QWidget(self)
        column = QVBoxLayout(host)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for row in self._rows:
            row.check.toggled.connect(self._on_ticked)
            column.addWidget(row)
        column.addStretch(1)
        area = QScrollArea(self)
        area.setObjectName("nearDuplicates")
        area.setAccessibleName(tr("ui.alike.title"))
        area.setFrameShape(QFrame.Shape.NoFrame)
        area.setWidgetResizable(True)
        area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        area.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # the rows take the keys
        area.setWidget(host)
        area.viewport().setAutoFillBackground(False)
        host.setAutoFillBackground(False)
        self.body.addWidget(Well(area, self), 1)
        self.body.addWidget(note(tr("ui.alike.footing"), self))
        self._give = self.button("giveButton", "", primary=True)
        self._give.clicked.connect(self._on_give_clicked)
        cancel = self.button("cancelButton", tr("ui.dialog.cancel"))
        cancel.clicked.connect(self.reject)
        self.add_buttons(cancel, self._give)
        self.resize(180 * UNIT, min((76 + 22 * len(self._rows)) * UNIT, 160 * UNIT))
        self._on_ticked()

    def _source_row(self) -> QWidget:
        """The case itself, above those that are like it."""
        row = QWidget(self)
        name, has = TextLine(bold=True, parent=row), note(self._held(), row)
        name.set_text(self.cluster.case.id)
        words = QVBoxLayout()
        words.setSpacing(UNIT)
        words.addStretch(1)
        words.addWidget(name)
        words.addWidget(has)
        words.addStretch(1)
        layout = QHBoxLayout(row)
        layout.setContentsMargins(3 * UNIT, 0, 3 * UNIT, 0)
        layout.setSpacing(4 * UNIT)
        layout.addWidget(self._source)
        layout.addLayout(words, 1)
        return row

    def _held(self) -> str:
        return tr("ui.alike.has", states=_said(self.cluster.states))

    def set_picture(self, key: int, picture: QImage) -> None:
        """Show the picture of one case."""
        if key == self.cluster.case.key:
            self._source.show_picture(picture)
        for row in self._rows:
            if row.key == key:
                row.picture.show_picture(picture)

    @property
    def ticked(self) -> list[int]:
        """The keys of the ticked cases."""
        return [row.key for row in self._rows if row.check.isChecked()]

    def _on_ticked(self) -> None:
        count = len(self.ticked)
        self._give.setText(tr("ui.alike.give", count=count))
        self._give.setAccessibleName(self._give.text())
        self._give.setEnabled(count > 0)

    def _on_give_clicked(self) -> None:
        self.giveWanted.emit(self.ticked)
        self.accept()


class TwinRow(QWidget):
    """One near-duplicate."""

    def __init__(self, twin: Twin, parent: QWidget) -> None:
        super().__init__(parent)
        self.key = twin.case.key
        self.setObjectName(f"alike.{twin.case.id}")
        self.picture = Miniature(self)
        self.check = CheckLine(twin.case.id, size=theme.BODY)
        self.check.setObjectName(f"alike.{twin.case.id}.check")
        self.check.setChecked(twin.alike.kind is Alikeness.WHOLE)
        self.check.setAccessibleName(
            f"{twin.case.id}: {likeness(twin.alike)}. {states(twin.states)}"
        )
        how = TextLine(
            size=theme.SMALL, role="muted" if twin.alike.kind is Alikeness.WHOLE else "conflict",
            parent=self,
        )
        how.set_text(" · ".join(p for p in (twin.row.caption, likeness(twin.alike)) if p))
        gets = note(states(twin.states), self)
        words = QVBoxLayout()
        words.setSpacing(UNIT)
        words.addStretch(1)
        words.addWidget(self.check)
        words.addWidget(how)
        words.addWidget(gets)
        words.addStretch(1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 2 * UNIT, 3 * UNIT, 2 * UNIT)
        layout.setSpacing(4 * UNIT)
        layout.addWidget(self.picture)
        layout.addLayout(words, 1)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the line below."""
        painter = QPainter(self)
        painter.fillRect(
            3 * UNIT, self.height() - 1, self.width() - 6 * UNIT, 1, theme.current().line
        )
        painter.end()


class Miniature(QWidget):
    """A small picture on the canvas's ground; a case without one has an empty place."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._picture: QImage | None = None
        self.setFixedSize(QSize(SIDE, SIDE))

    def show_picture(self, picture: QImage) -> None:
        """Show this picture."""
        self._picture = picture
        self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw it as large as it fits."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), theme.current().canvas)
        if self._picture is not None:
            size = self._picture.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
            box = QRectF(0, 0, size.width(), size.height())
            box.moveCenter(QRectF(self.rect()).center())
            painter.drawImage(box, self._picture)
        painter.end()


def likeness(alike: Alike) -> str:
    """How alike a case is, in words."""
    parts = []
    if alike.image is not None:
        parts.append(tr("ui.alike.image", percent=percent(alike.image)))
    if alike.kind is Alikeness.IMAGE:
        parts.append(tr(f"ui.alike.{'no' if alike.text is None else 'other'}_report"))
    elif alike.text is not None:
        parts.append(tr("ui.alike.report", percent=percent(alike.text)))
    return " · ".join(parts)


def states(given: Sequence[FindingState]) -> str:
    """What a case would be given, in words."""
    return tr("ui.alike.gets", states=_said(given))


def _said(states: Sequence[FindingState]) -> str:
    return tr("ui.alike.comma").join(
        tr("ui.alike.state", finding=s.finding, state=tr(f"ui.findings.state.{s.state}"))
        for s in states
    )
