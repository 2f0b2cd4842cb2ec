"""The four-state control and the basis toggles: real buttons that only wish.

A click never changes what is shown. It says what the reader wants, and the page answers with the
state that holds on the screen, so that a refused or read-only wish cannot look accepted.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QWidget

from mmreview.domain.findings import READER_STATES, Basis, State
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.findings.measures import measures
from mmreview.ui.theme import UNIT

_CORNER = 3.0


class _Part(QAbstractButton):
    """One part of a segmented control; left and right go to its neighbours."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setCheckable(True)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)

    def nextCheckState(self) -> None:
        """A click wishes; it does not check."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Left and right move within the control; up and down are the panel's."""
        step = {Qt.Key.Key_Left: -1, Qt.Key.Key_Right: 1}.get(Qt.Key(event.key()), 0)
        if step:
            parts = self.parentWidget().findChildren(_Part)
            there = parts.index(self) + step
            if 0 <= there < len(parts):
                parts[there].setFocus(Qt.FocusReason.TabFocusReason)
        elif event.key() in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            event.ignore()
        else:
            super().keyPressEvent(event)

    def _draw_focus(self, painter: QPainter) -> None:
        if self.hasFocus():
            painter.setPen(QPen(theme.current().focus, 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            inside = QRectF(self.rect()).adjusted(1, 1, -1, -1)
            painter.drawRoundedRect(inside, _CORNER, _CORNER)


class _StatePart(_Part):
    """One of the four states. ``unsaved`` draws the held state as a red dashed outline."""

    def __init__(self, finding: str, state: State, parent: QWidget) -> None:
        super().__init__(parent)
        self.state = state
        self.unsaved = False
        self.setObjectName(f"finding.{finding}.{state}")
        self.setText(tr(f"ui.findings.short.{state}"))
        words = tr(f"ui.findings.state.{state}")
        self.setAccessibleName(f"{finding}: {words}")
        key = READER_STATES.index(state) + 1
        self.setToolTip(tr("ui.findings.state_tip", state=words.capitalize(), key=key))
        self._width = math.ceil(
            measures().small_metrics.horizontalAdvance(self.text()) + 3.5 * UNIT
        )

    def sizeHint(self) -> QSize:
        """The word and its margins."""
        return QSize(self._width, measures().control)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the part: filled with the foreground while its state holds."""
        colours, sizes = theme.current(), measures()
        painter = QPainter(self)
        box = QRectF(self.rect())
        ink = colours.muted if self.isEnabled() else colours.faint
        if self.isChecked() and self.unsaved:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(colours.bad, 1.2, Qt.PenStyle.DashLine))
            painter.drawRoundedRect(box.adjusted(1.5, 1.5, -1.5, -1.5), _CORNER - 1, _CORNER - 1)
            ink = colours.bad
        elif self.isChecked():
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(colours.text)
            painter.drawRoundedRect(box.adjusted(0, 0, 0, 0), _CORNER, _CORNER)
            ink = colours.on_fill
        elif self.isEnabled() and self.underMouse():
            painter.fillRect(box.adjusted(1, 1, -1, -1), colours.raised)
            ink = colours.text
        painter.setFont(sizes.small_bold if self.isChecked() else sizes.small)
        painter.setPen(ink)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.text())
        self._draw_focus(painter)
        painter.end()


class StateControl(QWidget):
    """Present, absent, uncertain, not assessable: one of them or none."""

    stateClicked = Signal(str)  # the state that is wished for; ``unset`` for the one that holds

    def __init__(self, finding: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._parts = [_StatePart(finding, state, self) for state in READER_STATES]
        self._state = State.UNSET
        left = 0
        for part in self._parts:
            size = part.sizeHint()
            part.setGeometry(left, 0, size.width(), size.height())
            left += size.width()
            part.clicked.connect(self._on_clicked)
        self.setFixedSize(left, measures().control)

    @property
    def state(self) -> State:
        """The state that is shown."""
        return self._state

    def set_state(self, state: State, *, unsaved: bool = False) -> None:
        """Show a state, solid or as not saved."""
        self._state = state
        for part in self._parts:
            part.unsaved = unsaved
            part.setChecked(part.state is state)
        if unsaved:
            self.update()

    def set_group(self, group: str) -> None:
        """Say that present here makes the others of an exclusive group absent."""
        present = self._parts[READER_STATES.index(State.PRESENT)]
        implied = tr("ui.findings.implies_absent", group=group)
        present.setToolTip(f"{present.toolTip()}\n{implied}")
        present.setAccessibleDescription(implied)

    def set_tab_stop(self, on: bool) -> None:
        """Whether Tab comes here: only into the selected row, so that leaving it is one key."""
        policy = Qt.FocusPolicy.StrongFocus if on else Qt.FocusPolicy.ClickFocus
        for part in self._parts:
            part.setFocusPolicy(policy)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the outline and what divides the parts."""
        colours = theme.current()
        painter = QPainter(self)
        painter.setPen(colours.line)
        for part in self._parts[1:]:
            painter.drawLine(part.x(), 1, part.x(), self.height() - 2)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawRoundedRect(
            QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), _CORNER, _CORNER
        )
        painter.end()

    def _on_clicked(self) -> None:
        wished = self.sender().state
        self.stateClicked.emit(str(State.UNSET if wished is self._state else wished))


class _BasisPart(_Part):
    """One basis, by its letter, in its modality's colour."""

    def __init__(self, finding: str, basis: Basis, parent: QWidget) -> None:
        super().__init__(parent)
        self.basis = basis
        self.setObjectName(f"basis.{finding}.{basis}")
        self.setText(tr(f"ui.findings.basis_letter.{basis}"))
        words = tr(f"ui.findings.basis.{basis}")
        self.setAccessibleName(tr("ui.findings.basis_of", finding=finding, basis=words))
        self.setToolTip(tr("ui.findings.basis_tip", basis=words, key=basis[0].upper()))

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the letter in a border of the modality's colour, filled while it holds."""
        colours, sizes = theme.current(), measures()
        colour = self._colour()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect())
        held = self.isChecked()
        edge = colour if self.isEnabled() else colours.line
        painter.setPen(QPen(edge, 1))
        fill = Qt.BrushStyle.NoBrush if not held else edge
        painter.setBrush(fill)
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), _CORNER, _CORNER)
        painter.setFont(sizes.small_bold)
        plain = colour if self.isEnabled() else colours.faint
        painter.setPen(colours.on_fill if held and self.isEnabled() else plain)
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.text())
        self._draw_focus(painter)
        painter.end()

    def _colour(self) -> QColor:
        modality = {Basis.IMAGE: "image", Basis.REPORT: "text"}.get(self.basis, "fused")
        return theme.current().modality(modality)


class BasisControl(QWidget):
    """Which modalities the state rests on: image, report or both."""

    basisClicked = Signal(str)

    def __init__(self, finding: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._parts = [_BasisPart(finding, basis, self) for basis in Basis]
        side = measures().control - 2
        for place, part in enumerate(self._parts):
            part.setGeometry(place * (side + UNIT), 0, side, side)
            part.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            part.clicked.connect(self._on_clicked)
        self.setFixedSize(3 * side + 2 * UNIT, side)

    def set_basis(self, basis: Basis) -> None:
        """Show a basis."""
        for part in self._parts:
            part.setChecked(part.basis is basis)

    def _on_clicked(self) -> None:
        self.basisClicked.emit(str(self.sender().basis))
