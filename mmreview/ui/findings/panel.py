"""The right column: every finding of the schema for the case that is open.

The page gives it values (states, a prediction, the sentence for why there is none) and gets wishes
back as signals. Rows are made once a schema; a case only changes what they show, with one repaint.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QApplication, QFrame, QScrollArea, QVBoxLayout, QWidget

from mmreview.domain.cases import IMAGE, TEXT
from mmreview.domain.errors import Message
from mmreview.domain.findings import Basis, FindingSchema, State
from mmreview.domain.labels import Suspect
from mmreview.domain.predictions import Prediction
from mmreview.domain.reads import FindingState
from mmreview.translation import tr
from mmreview.ui.findings.group_heading import GroupHeading
from mmreview.ui.findings.header import Header
from mmreview.ui.findings.row import FindingRow
from mmreview.ui.theme import UNIT


class FindingsPanel(QWidget):
    """Findings, their opinions and their states; the keyboard's home while reading."""

    stateChosen = Signal(str, str)  # finding, state
    basisChosen = Signal(str, str)  # finding, basis
    confirmed = Signal(str)  # finding: its suspect label is right
    selectionChanged = Signal(str)  # finding

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("findingsPanel")
        self.setAccessibleName(tr("ui.findings.title"))
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._rows: list[FindingRow] = []
        self._by_name: dict[str, FindingRow] = {}
        self._headings: dict[str, GroupHeading] = {}  # by the finding that each stands above
        self._current = -1
        self._reading = True
        self._showing = False
        self._header = Header(self)
        self._scroll = QScrollArea(self)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.viewport().installEventFilter(self)
        self._content = QWidget()
        self._scroll.setWidget(self._content)
        # The rows fill themselves. Were this one opaque, Qt would paint every row twice: for it,
        # and again for the panel below it.
        self._content.setAutoFillBackground(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._header)
        layout.addWidget(self._scroll, 1)
        self.setMinimumWidth(72 * UNIT)

    def sizeHint(self) -> QSize:
        """As wide as the sketch has it."""
        return QSize(90 * UNIT, 150 * UNIT)

    # --- what it shows ----------------------------------------------------------------------------

    def set_schema(
        self, schema: FindingSchema, modalities: tuple[str, ...] = (IMAGE, TEXT)
    ) -> None:
        """Make one row a finding, with a bar for each modality; those of an earlier schema go."""
        for gone in (*self._rows, *self._headings.values()):
            gone.hide()
            gone.deleteLater()
        self._rows = [FindingRow(f, modalities, self._content) for f in schema.findings]
        self._by_name = {row.finding.name: row for row in self._rows}
        self._headings = {g.findings[0]: GroupHeading(g, self._content) for g in schema.groups}
        for heading in self._headings.values():
            for name in heading.group.findings:
                self._by_name[name].set_group(heading.group)
            heading.show()
        for row in self._rows:
            row.stateClicked.connect(self._on_state_clicked)
            row.basisClicked.connect(self._on_basis_clicked)
            row.confirmWanted.connect(self._on_confirm_wanted)
            row.pressed.connect(self._on_row_pressed)
            row.moveWanted.connect(self.move)
            row.heightChanged.connect(self._place)
            row.set_reading(self._reading)
            row.show()
        self._current = -1
        self._place()
        self._select(0)
        self._count()

    def set_modalities(self, modalities: tuple[str, ...]) -> None:
        """An import may bring a modality: each finding gets a bar for it."""
        for row in self._rows:
            row.set_modalities(modalities)
        self._place()

    def clear(self) -> None:
        """No case is open: no state, no opinion."""
        self.show_case({}, None, Message(""))

    def show_case(
        self,
        states: Mapping[str, FindingState],
        prediction: Prediction | None,
        status: Message,
        *,
        suspects: Mapping[str, Suspect] | None = None,
    ) -> None:
        """Show another case: its states, its opinions or why there are none, and the labels that
        are worth a second look."""
        self._begin()
        for row in self._rows:
            row.set_unsaved(False)
            row.set_state(states.get(row.finding.name))
            row.set_suspect((suspects or {}).get(row.finding.name))
        self._show_prediction(prediction, status)
        self._count()
        self._end()

    def set_prediction(self, prediction: Prediction | None, status: Message) -> None:
        """Show other opinions on the same case: they arrived, or the slider moved."""
        self._begin()
        self._show_prediction(prediction, status)
        self._end()

    def _show_prediction(self, prediction: Prediction | None, status: Message) -> None:
        known = {f.finding: f for f in prediction.findings} if prediction is not None else {}
        for row in self._rows:
            row.set_opinion(known.get(row.finding.name))
        for heading in self._headings.values():
            heading.set_opinion(prediction)
        if prediction is None:
            self._header.set_opinion(tr(status.code, **status.params), what_if=False, calm=True)
            self._header.set_wrong_pair(None)
        else:
            version = tr("ui.findings.version", version=prediction.version)
            self._header.set_opinion(version, what_if=prediction.what_if, calm=False)
            self._header.set_wrong_pair(prediction.wrong_pair if prediction.is_wrong_pair else None)

    def _begin(self) -> None:
        """Hold repaints and placing back until every row has its values."""
        self._showing = True
        self._content.setUpdatesEnabled(False)

    def _end(self) -> None:
        self._showing = False
        self._place()
        self._content.setUpdatesEnabled(True)

    def set_state(self, state: FindingState) -> None:
        """Show the state that holds for one finding on the screen."""
        row = self._by_name.get(state.finding)
        if row is not None:
            row.set_state(state)
            self._count()

    def set_unsaved(self, finding: str, unsaved: bool) -> None:
        """Mark a state on the screen as not durable yet, or as durable."""
        row = self._by_name.get(finding)
        if row is not None:
            row.set_unsaved(unsaved)

    def set_enabled_for_reading(self, enabled: bool) -> None:
        """Let states be set, or not: a read-only project can be looked at."""
        self._reading = enabled
        self._header.set_reading(enabled)
        for row in self._rows:
            row.set_reading(enabled)

    def state(self, finding: str) -> FindingState:
        """The state on the screen.

        Raises:
            KeyError: the schema has no such finding.
        """
        return self._by_name[finding].state

    def _count(self) -> None:
        held = Counter(row.state.state for row in self._rows)
        self._header.set_counts(held, len(self._rows))

    # --- selection --------------------------------------------------------------------------------

    def current_finding(self) -> str:
        """The name of the selected finding, empty without a schema."""
        return self._rows[self._current].finding.name if self._rows else ""

    def select(self, finding: str) -> None:
        """Select a finding and bring it into view."""
        row = self._by_name.get(finding)
        if row is not None:
            self._select(self._rows.index(row))

    def move(self, step: int | QPoint, *rest: int) -> None:
        """Select the finding ``step`` rows further down, as far as there are any.

        A point, or two numbers, move the widget, as every ``QWidget.move`` does.
        """
        if isinstance(step, int) and not rest:
            self._select(min(len(self._rows) - 1, max(0, self._current + step)))
        else:
            super().move(step, *rest)

    def _select(self, place: int) -> None:
        if not 0 <= place < len(self._rows):
            return
        changed = place != self._current
        if changed:
            if self._current >= 0:
                before = self._rows[self._current]
                if _holds_focus(before):  # the keys go on with the panel, not with a closed row
                    self.setFocus()
                before.set_selected(False)
                before.set_focused(False)
            self._current = place
            self._rows[place].set_selected(True)
            self._rows[place].set_focused(self.hasFocus())
            self._place()
        heading = self._headings.get(self._rows[place].finding.name)
        if heading is not None:
            self._scroll.ensureWidgetVisible(heading, 0, 0)
        self._scroll.ensureWidgetVisible(self._rows[place], 0, 0)
        if changed:
            self.selectionChanged.emit(self.current_finding())

    # --- what a reader wishes ---------------------------------------------------------------------

    def choose(self, state: State) -> None:
        """Wish a state for the selected finding (a key)."""
        if self._reading and self._rows:
            self.stateChosen.emit(self.current_finding(), str(state))

    def choose_basis(self, basis: Basis) -> None:
        """Wish a basis for the selected finding (a key)."""
        if self._reading and self._rows:
            self.basisChosen.emit(self.current_finding(), str(basis))

    def _on_state_clicked(self, state: str) -> None:
        self.stateChosen.emit(self.sender().finding.name, state)

    def _on_basis_clicked(self, basis: str) -> None:
        self.basisChosen.emit(self.sender().finding.name, basis)

    def _on_confirm_wanted(self) -> None:
        self.setFocus()  # the button that had it goes
        self.confirmed.emit(self.sender().finding.name)

    def _on_row_pressed(self) -> None:
        row = self.sender()
        if not _holds_focus(row):
            self.setFocus(Qt.FocusReason.MouseFocusReason)
        self._select(self._rows.index(row))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up, down, Home and End go through the findings."""
        last = len(self._rows)
        steps = {
            Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1, Qt.Key.Key_Home: -last, Qt.Key.Key_End: last
        }
        step = steps.get(Qt.Key(event.key()))
        if step is None:
            super().keyPressEvent(event)
        else:
            self.move(step)

    def focusInEvent(self, event: QFocusEvent) -> None:
        """Show where the keys go."""
        super().focusInEvent(event)
        self._show_focus(True)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The keys go elsewhere."""
        super().focusOutEvent(event)
        self._show_focus(False)

    def _show_focus(self, focused: bool) -> None:
        if self._rows:
            self._rows[self._current].set_focused(focused)

    # --- where the rows stand ---------------------------------------------------------------------

    def _place(self) -> None:
        """Put the rows below each other; only those that move are touched."""
        if self._showing:
            return
        width, top = self._scroll.viewport().width(), 0
        for row in self._rows:
            heading = self._headings.get(row.finding.name)
            if heading is not None:
                heading.setGeometry(0, top, width, heading.height_needed())
                top += heading.height_needed()
            height = row.height_needed()
            row.setGeometry(0, top, width, height)
            top += height
        self._content.resize(width, top)

    def eventFilter(self, watched: QWidget, event: QEvent) -> bool:
        """Follow the viewport's width (the panel's, less a scroll bar)."""
        if event.type() == QEvent.Type.Resize:
            self._place()
        return super().eventFilter(watched, event)


def _holds_focus(row: FindingRow) -> bool:
    focused = QApplication.focusWidget()
    return focused is not None and row.isAncestorOf(focused)
