"""What is on the screen when no project is open: what this is, where to go on, where to begin.

The window opens on this page before anything heavy is imported, so it is drawn from nothing but
the theme. While a project is opened or made, its progress stands in the place of the drop hint.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPoint, QRect, QRectF, QSize, Qt, Signal, SignalInstance
from PySide6.QtGui import (
    QFontMetrics,
    QKeyEvent,
    QPainter,
    QPaintEvent,
    QPen,
)
from PySide6.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from mmreview import __version__
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.banner import Banner
from mmreview.ui.dialogs.dialog import Well, note
from mmreview.ui.recent_projects import RecentList
from mmreview.ui.text_line import ThinProgress
from mmreview.ui.theme import UNIT

_WIDTH = 190 * UNIT


class WelcomePage(QWidget):
    """Recent projects, and three ways to begin."""

    projectChosen = Signal(str)
    openWanted = Signal()
    newWanted = Signal()
    demoWanted = Signal()
    recentRemoved = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("welcomePage")
        self.setAccessibleName(tr("ui.welcome.name"))
        self.banner = Banner(self)
        self._tiles = [
            self._tile("openProjectButton", "open", self.openWanted),
            self._tile("newProjectButton", "new", self.newWanted),
            self._tile("demoButton", "demo", self.demoWanted),
        ]
        self._recent = RecentList(self)
        self._recent.chosen.connect(self.projectChosen)
        self._recent.removed.connect(self.recentRemoved)
        self._none = note(tr("ui.welcome.none"), self)
        self._foot = QStackedWidget(self)
        self._busy = _Busy(self)
        self._foot.addWidget(_DropHint(self))
        self._foot.addWidget(self._busy)
        self._foot.setFixedHeight(16 * UNIT)
        self._arrange()
        self.set_recent(())

    def _tile(self, name: str, part: str, signal: SignalInstance) -> ActionTile:
        tile = ActionTile(part, self)
        tile.setObjectName(name)
        tile.clicked.connect(signal)
        return tile

    def _arrange(self) -> None:
        column = QVBoxLayout()
        column.setSpacing(4 * UNIT)
        column.addStretch(2)
        column.addWidget(_Head(self))
        column.addSpacing(UNIT)
        tiles = QHBoxLayout()
        tiles.setSpacing(3 * UNIT)
        for tile in self._tiles:
            tiles.addWidget(tile, 1)
        column.addLayout(tiles)
        column.addSpacing(UNIT)
        heading = QLabel(tr("ui.welcome.recent").upper(), self)
        heading.setFont(theme.font(theme.SMALL, bold=True))
        heading.setProperty("muted", True)
        self._well = Well(self._recent, self)
        self._well.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Maximum)
        recent = QVBoxLayout()
        recent.setSpacing(2 * UNIT)
        recent.addWidget(heading)
        recent.addWidget(self._none)
        recent.addWidget(self._well)
        column.addLayout(recent)
        column.addWidget(self._foot)
        column.addStretch(3)
        last = QHBoxLayout()
        last.addWidget(note(tr("ui.welcome.notice"), self), 1)
        version = note(tr("ui.about.version", version=__version__), self)
        version.setAlignment(Qt.AlignmentFlag.AlignRight)
        last.addWidget(version)
        column.addLayout(last)
        middle = QWidget(self)
        middle.setMaximumWidth(_WIDTH)
        middle.setLayout(column)
        column.setContentsMargins(0, 4 * UNIT, 0, 4 * UNIT)
        sides = QHBoxLayout()
        sides.setContentsMargins(6 * UNIT, 0, 6 * UNIT, 0)
        sides.addStretch(1)
        sides.addWidget(middle, 100)
        sides.addStretch(1)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(0)
        page.addWidget(self.banner)
        page.addLayout(sides, 1)

    # --- what a window tells ----------------------------------------------------------------------

    def set_recent(self, paths: Sequence[str]) -> None:
        """Show these projects, newest first; those that are not there are greyed."""
        self._recent.show_projects(paths)
        self._well.setVisible(bool(paths))
        self._none.setVisible(not paths)

    def set_busy(self, text: str, done: int, total: int) -> None:
        """A project is being opened or made: say how far (a total of 0 is not known). With an
        empty text it is over."""
        self._foot.setCurrentIndex(1 if text else 0)
        if text:
            self._busy.show_step(text, done, total)
        for widget in (*self._tiles, self._recent):
            if widget.isEnabled() is bool(text):
                widget.setEnabled(not text)

    def show_problem(self, text: str) -> None:
        """Say what went wrong."""
        self.banner.show_message(text, severity="warning")

    def paintEvent(self, event: QPaintEvent) -> None:
        """The page's ground."""
        QPainter(self).fillRect(event.rect(), theme.current().background)


class _Head(QWidget):
    """The mark (the three bars of every finding), the name and one sentence."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"{tr('ui.welcome.name')}. {tr('ui.welcome.what')}")

    def sizeHint(self) -> QSize:
        """The height of the mark."""
        return QSize(100 * UNIT, 12 * UNIT)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw mark, name and sentence."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        side = float(self.height())
        painter.setPen(QPen(colours.line, 1))
        painter.setBrush(colours.raised)
        painter.drawRoundedRect(QRectF(0.5, 0.5, side - 1, side - 1), 10, 10)
        painter.setPen(Qt.PenStyle.NoPen)
        bars = ((0.26, 8.0, 0.44, colours.text), (0.53, 4.0, 0.58, colours.image),
                (0.71, 4.0, 0.28, colours.report))
        for top, height, width, colour in bars:
            painter.setBrush(colour)
            bar = QRectF(side * 0.22, side * top, side * width, height)
            painter.drawRoundedRect(bar, height / 2, height / 2)
        left = int(side) + 4 * UNIT
        name, words = theme.font(theme.TITLE, bold=True), theme.font()
        high, low = QFontMetrics(name).height(), QFontMetrics(words).height()
        top = (self.height() - high - low - 2) // 2
        painter.setFont(name)
        painter.setPen(colours.text)
        flags = int(Qt.TextFlag.TextDontClip)  # Chinese reaches below the line that Inter needs
        painter.drawText(QRect(left, top, self.width() - left, high), flags, tr("ui.welcome.name"))
        painter.setFont(words)
        painter.setPen(colours.muted)
        room = self.width() - left
        what = QFontMetrics(words).elidedText(
            tr("ui.welcome.what"), Qt.TextElideMode.ElideRight, room
        )
        painter.drawText(QRect(left, top + high + 2, room, low), flags, what)


class ActionTile(QAbstractButton):
    """A large button: a drawn sign, what it does, and a quieter line below."""

    def __init__(self, part: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._part = part
        self._help = tr(f"ui.welcome.{part}.help")
        self.setText(tr(f"ui.welcome.{part}"))
        self.setAccessibleName(self.text())
        self.setAccessibleDescription(self._help)
        key = {"open": tr("ui.welcome.open.key"), "new": tr("ui.welcome.new.key")}.get(part, "")
        self.setToolTip(f"{self._help} ({key})" if key else self._help)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """The sign, one line, and two quieter ones."""
        high = QFontMetrics(theme.font(bold=True)).height()
        high += 2 * QFontMetrics(theme.font(theme.SMALL)).height()
        return QSize(54 * UNIT, high + 18 * UNIT)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Enter presses it too."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the tile."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        enabled = self.isEnabled()
        hover = enabled and self.underMouse()
        edge = colours.focus if self.hasFocus() else colours.faint if hover else colours.line
        painter.setPen(QPen(edge, 1.5 if self.hasFocus() else 1))
        painter.setBrush(colours.selection if self.isDown() or hover else colours.surface)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), 8, 8)
        pad = 5 * UNIT
        sign = QRectF(pad, pad, 24, 24)
        painter.save()
        _draw_sign(painter, self._part, sign, enabled=enabled)
        painter.restore()
        bold, small = theme.font(bold=True), theme.font(theme.SMALL)
        top = int(sign.bottom()) + 3 * UNIT
        high = QFontMetrics(bold).height()
        painter.setFont(bold)
        painter.setPen(colours.text if enabled else colours.faint)
        box = QRect(pad, top, self.width() - 2 * pad, high)
        painter.drawText(box, int(Qt.TextFlag.TextDontClip), self.text())
        painter.setFont(small)
        painter.setPen(colours.muted if enabled else colours.faint)
        painter.drawText(
            QRect(pad, top + high + UNIT, self.width() - 2 * pad, self.height() - top - high),
            int(Qt.TextFlag.TextWordWrap), self._help,
        )


def _draw_sign(painter: QPainter, part: str, box: QRectF, *, enabled: bool) -> None:
    """The sign of a tile, in strokes: a folder, a page with a plus, the three bars."""
    colours = theme.current()
    pen = QPen(colours.text if enabled else colours.faint, 1.6)
    pen.setCapStyle(Qt.PenCapStyle.RoundCap)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.translate(box.topLeft())
    if part == "open":
        painter.drawPolyline(
            [QPoint(2, 20), QPoint(2, 4), QPoint(9, 4), QPoint(12, 7), QPoint(20, 7),
             QPoint(20, 10)]
        )
        painter.drawPolygon([QPoint(2, 20), QPoint(6, 10), QPoint(23, 10), QPoint(19, 20)])
    elif part == "new":
        painter.drawRoundedRect(QRectF(4, 2, 16, 20), 2, 2)
        painter.drawLine(12, 8, 12, 16)
        painter.drawLine(8, 12, 16, 12)
    else:
        bars = ((4.0, 6.0, 15.0, colours.text), (13.0, 3.0, 20.0, colours.image),
                (18.0, 3.0, 10.0, colours.report))
        painter.setPen(Qt.PenStyle.NoPen)
        for top, height, width, colour in bars:
            painter.setBrush(colour if enabled else colours.faint)
            painter.drawRoundedRect(QRectF(2, top, width, height), height / 2, height / 2)


class _DropHint(QWidget):
    """Says that things can be dropped here; the window takes them."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("dropHint")
        self.setAccessibleName(tr("ui.welcome.drop"))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw a dashed frame and the words."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        pen = QPen(colours.faint, 1)
        pen.setDashPattern([4, 4])
        painter.setPen(pen)
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 8, 8)
        painter.setFont(theme.font())
        painter.setPen(colours.muted)
        painter.drawText(self.rect(), int(Qt.AlignmentFlag.AlignCenter), tr("ui.welcome.drop"))


class _Busy(QWidget):
    """What is being prepared, how far it is, and a bar."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._text = QLabel(self)
        self._text.setObjectName("welcomeBusy")
        self._count = QLabel(self)
        self._count.setFont(theme.font(tabular=True))
        self._count.setProperty("muted", True)
        self._bar = ThinProgress(self)
        self._bar.setObjectName("welcomeProgress")
        self._bar.setAccessibleName(tr("ui.welcome.busy_name"))
        words = QHBoxLayout()
        words.addWidget(self._text, 1)
        words.addWidget(self._count)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2 * UNIT)
        layout.addStretch(1)
        layout.addLayout(words)
        layout.addWidget(self._bar)
        layout.addStretch(1)

    def show_step(self, text: str, done: int, total: int) -> None:
        """Say this."""
        self._text.setText(text)
        count = tr("ui.welcome.busy_count", done=f"{done:,}", total=f"{total:,}") if total else ""
        self._count.setText(count)
        self._bar.setRange(0, max(total, 0))
        self._bar.setValue(done)

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange:
            self.update()
