"""The top line: menus at the left; which project, which reader and what kind of data at the right.

The badges say what must never be forgotten: SYNTHETIC data, a read-only project.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenuBar, QSizePolicy, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.actions import Actions

if TYPE_CHECKING:
    from mmreview.services.desk import ProjectInfo


class Badge(QWidget):
    """A word in a rounded outline."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._text = ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.hide()

    def show_text(self, text: str, *, tip: str = "") -> None:
        """Show this word; empty hides the badge."""
        self._text = text
        self.setAccessibleName(text)
        self.setToolTip(tip)
        self.setVisible(bool(text))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:  # noqa: D102 - Qt's name
        metrics = self.fontMetrics()
        width = metrics.horizontalAdvance(self._text) + 5 * theme.UNIT
        return QSize(width, metrics.height() + theme.UNIT)

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: D102 - Qt's name
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        painter.setPen(QPen(colours.faint, 1))
        painter.drawRoundedRect(box, box.height() / 2, box.height() / 2)
        painter.setPen(colours.text)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self._text)


class Header(QMenuBar):
    """The menu bar with the project's name in its corner."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("header")
        self.setNativeMenuBar(False)  # project, reader and badges must be seen on every system
        corner = QWidget(self)
        row = QHBoxLayout(corner)
        row.setContentsMargins(0, 0, 3 * theme.UNIT, 0)
        row.setSpacing(2 * theme.UNIT)
        self._project = QLabel(corner)
        self._project.setObjectName("projectLabel")
        self._project.setTextFormat(Qt.TextFormat.PlainText)
        self._synthetic = Badge(corner)
        self._synthetic.setObjectName("syntheticBadge")
        self._read_only = Badge(corner)
        self._read_only.setObjectName("readOnlyBadge")
        for badge in (self._synthetic, self._read_only):
            badge.setFont(theme.font(theme.SMALL, bold=True))
        row.addWidget(self._project)
        row.addWidget(self._read_only)
        row.addWidget(self._synthetic)
        self.setCornerWidget(corner, Qt.Corner.TopRightCorner)

    def fill(self, actions: Actions) -> None:
        """Put the menus in."""
        actions.fill(self)

    def show_project(self, info: ProjectInfo | None, reader: str) -> None:
        """Name the open project and who reads it."""
        name = tr("ui.header.project", project=info.name, reader=reader) if info else ""
        self._project.setText(name)
        self._project.setAccessibleName(name)
        self._synthetic.show_text(
            tr("ui.status.synthetic") if info is not None and info.synthetic else "",
            tip=tr("ui.header.synthetic"),
        )
        self._read_only.show_text(
            tr("ui.header.read_only") if info is not None and info.read_only else ""
        )
        corner = self.cornerWidget(Qt.Corner.TopRightCorner)
        corner.setMinimumHeight(self.sizeHint().height())  # on one line with the menus
        corner.adjustSize()
        self.setCornerWidget(corner, Qt.Corner.TopRightCorner)
        corner.show()
