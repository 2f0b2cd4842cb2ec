"""The report of the open case, to be read, searched, selected and copied, never edited.

Headings are quiet, lines no longer than reads well. What is marked is a matter of spans of the
original text: ``highlight`` finds a search term, ``mark`` takes spans from elsewhere (evidence).
Both are drawn over the document, which is not laid out again for them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

from PySide6.QtCore import QEvent, QMimeData, QRectF, Qt, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTextCursor,
    QTextDocument,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QTextEdit, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.placeholder import Placeholder, Sign
from mmreview.ui.report_document import Places, build, mark_format, measure, set_margins
from mmreview.ui.theme import UNIT

#: The text sizes that can be chosen, in points.
SMALLEST, LARGEST = 8, 24
#: More places of one term than this are not marked: it is a letter, not a word.
_MOST_HITS = 200
_MARGIN = 5 * UNIT
_RING = 2
_BY_KEYBOARD = (
    Qt.FocusReason.TabFocusReason,
    Qt.FocusReason.BacktabFocusReason,
    Qt.FocusReason.ShortcutFocusReason,
)


class ReportView(QTextEdit):
    """One report at a time; ``show_report`` replaces it."""

    textSizeChanged = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._report: str | None = None
        self._placeholder: Placeholder | None = None
        self._places = Places("")
        self._document: QTextDocument | None = None
        self._size = 11
        self._term = ""
        self._marks: tuple[tuple[int, int], ...] = ()
        self._margins = (0.0, 0.0)
        self._ring = False
        self.setObjectName("reportView")
        self.setAccessibleName(tr("ui.reading.report_name"))
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setMinimumWidth(40 * UNIT)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setViewportMargins(_RING, _RING, _RING, _RING)

    # --- what is shown ----------------------------------------------------------------------------

    def show_report(self, report: str | None) -> None:
        """Show a report from its beginning. None: the case has none."""
        self._report = report if report is not None and report.strip() else None
        self._marks = ()
        self._placeholder = None
        if self._report is None:
            self._placeholder = Placeholder(
                Sign.NO_REPORT, tr("ui.reading.no_report"), tr("ui.reading.no_report_meaning")
            )
        self._show_document()

    def clear_report(self) -> None:
        """No case is open."""
        self.show_report(None)
        self._placeholder = None

    @property
    def placeholder(self) -> Placeholder | None:
        """What stands there instead of a report."""
        return self._placeholder

    def mark(self, spans: Sequence[tuple[int, int]]) -> None:
        """Underline these spans (start, end) of the report as it was given to ``show_report``;
        earlier ones go."""
        self._marks = tuple(spans)
        self._show_marks()

    def highlight(self, term: str) -> None:
        """Mark every place of ``term``, in this report and those that follow, until another term;
        letter case and line breaks do not matter. The first place comes into sight."""
        self._term = " ".join(term.split())
        self._show_marks()
        self._show_first_hit()

    def hits(self) -> list[tuple[int, int]]:
        """The spans of the report where the highlighted term stands, the first ``_MOST_HITS``."""
        if not self._term or self._report is None:
            return []
        words = r"\s+".join(re.escape(word) for word in self._term.split())
        found = re.finditer(words, self._report, re.IGNORECASE)
        return [hit.span() for hit in islice(found, _MOST_HITS)]

    def show_next_hit(self) -> bool:
        """Select the highlighted term's next place after the cursor, from the top again after the
        last; False when it stands nowhere."""
        places = [place for span in self.hits() if (place := self._places.found(*span))]
        if not places:
            return False
        here = self.textCursor().selectionEnd()
        start, end = next((place for place in places if place[0] >= here), places[0])
        cursor = self.textCursor()
        cursor.setPosition(start)
        cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        self.setTextCursor(cursor)
        self.ensureCursorVisible()
        return True

    # --- text size --------------------------------------------------------------------------------

    @property
    def text_size(self) -> int:
        """The size of the running text, in points."""
        return self._size

    def set_text_size(self, points: int) -> None:
        """Set the size of the running text, kept between ``SMALLEST`` and ``LARGEST``."""
        points = min(max(points, SMALLEST), LARGEST)
        if points == self._size:
            return
        self._size = points
        self._rebuild()
        self.textSizeChanged.emit(points)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """With Ctrl the text grows or shrinks; else it scrolls."""
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            step = event.angleDelta().y()
            self.set_text_size(self._size + (step > 0) - (step < 0))
            event.accept()
        else:
            super().wheelEvent(event)

    # --- inside -----------------------------------------------------------------------------------

    def _show_document(self) -> None:
        from mmreview.reports.sections import split_sections

        text = self._report or ""
        self._margins = self._wanted_margins()
        sections = split_sections(text) if text else ()
        before = self._document
        self._document, self._places = build(
            text, sections, size=self._size, margins=self._margins
        )
        self._document.setParent(self)
        self.setDocument(self._document)
        if before is not None:
            before.deleteLater()
        self.verticalScrollBar().setValue(0)
        self._show_marks()
        self._show_first_hit()
        self.viewport().update()

    def _rebuild(self) -> None:
        """Make the document again (another size or theme), about where it was scrolled to."""
        if self._document is None:
            return
        bar = self.verticalScrollBar()
        share = bar.value() / bar.maximum() if bar.maximum() else 0.0
        self._show_document()
        bar.setValue(round(share * bar.maximum()))

    def _show_marks(self) -> None:
        form = mark_format()
        selections = []
        for span in (*self._marks, *self.hits()):
            place = self._places.found(*span)
            if place is not None and self._document is not None:
                selection = QTextEdit.ExtraSelection()
                cursor = QTextCursor(self._document)
                cursor.setPosition(place[0])
                cursor.setPosition(place[1], QTextCursor.MoveMode.KeepAnchor)
                selection.cursor = cursor
                selection.format = form
                selections.append(selection)
        self.setExtraSelections(selections)

    def _show_first_hit(self) -> None:
        hits = self.hits()
        place = self._places.found(*hits[0]) if hits else None
        if place is not None and self._document is not None:
            cursor = QTextCursor(self._document)
            cursor.setPosition(place[0])
            box = self.cursorRect(cursor)
            bar = self.verticalScrollBar()
            if box.bottom() > self.viewport().height() or box.top() < 0:
                bar.setValue(bar.value() + box.top() - self.viewport().height() // 3)

    def _wanted_margins(self) -> tuple[float, float]:
        spare = self.viewport().width() - 2 * _MARGIN - measure(self._size)
        side = _MARGIN + max(spare, 0.0) / 2
        return side, side

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep lines as long as reads well, in the middle of what is wider."""
        margins = self._wanted_margins()
        if margins != self._margins and self._document is not None:
            self._margins = margins
            set_margins(self._document, margins)
        super().resizeEvent(event)

    def changeEvent(self, event: QEvent) -> None:
        """Another theme: the document's colours are made again."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._document is not None:
            self._rebuild()

    def createMimeDataFromSelection(self) -> QMimeData:
        """Copy words, not fonts and colours.

        The object must be Qt's own: the clipboard keeps it until after the interpreter's end, and
        would call back into one made here.
        """
        data = super().createMimeDataFromSelection()
        data.text()  # Qt fills the formats when the first is asked for
        for format in data.formats():
            if format != "text/plain":
                data.removeFormat(format)
        return data

    def focusInEvent(self, event: QFocusEvent) -> None:
        """The ring is for those who come by keyboard."""
        super().focusInEvent(event)
        self._ring = event.reason() in _BY_KEYBOARD
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        """The ring goes."""
        super().focusOutEvent(event)
        self._ring = False
        self.update()

    def event(self, event: QEvent) -> bool:
        """The frame around the text holds the focus ring, so that scrolling never smears it."""
        done = super().event(event)
        if event.type() == QEvent.Type.Paint:
            colours = theme.current()
            painter = QPainter(self)
            painter.fillRect(self.rect(), colours.surface)
            if self._ring and self.hasFocus():
                painter.setPen(QPen(colours.focus, _RING))
                painter.drawRect(QRectF(self.rect()).adjusted(1, 1, -1, -1))
        return done

    def paintEvent(self, event: QPaintEvent) -> None:
        """The report, or the placeholder."""
        if self._placeholder is None:
            super().paintEvent(event)
        else:
            painter = QPainter(self.viewport())
            painter.fillRect(self.viewport().rect(), theme.current().surface)
            self._placeholder.paint(painter, QRectF(self.viewport().rect()), theme.current())
