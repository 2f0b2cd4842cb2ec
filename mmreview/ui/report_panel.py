"""The report side of the reading area: header and report, and below it the clinical values in
projects that have some; one case at a time."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from mmreview.ui.panel_header import PanelHeader
from mmreview.ui.report_view import ReportView
from mmreview.ui.values_section import ValuesSection


class ReportPanel(QWidget):
    """The report of the open case."""

    textSizeChanged = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.header = PanelHeader("report", key="Ctrl+2", parent=self)
        self.view = ReportView(self)
        self.values = ValuesSection(self)
        self.values.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.header)
        column.addWidget(self.view, 1)
        column.addWidget(self.values)
        self.view.textSizeChanged.connect(self.textSizeChanged)
        self.setFocusProxy(self.view)

    def show_report(self, case_id: str, text: str | None) -> None:
        """Show the report of a case; None when it has none."""
        self.view.show_report(text)
        self.view.setAccessibleDescription(case_id)

    def clear(self) -> None:
        """No case is open."""
        self.view.clear_report()

    def highlight(self, term: str) -> None:
        """Mark every place of ``term`` in this report and the next ones."""
        self.view.highlight(term)

    def mark(self, spans: Sequence[tuple[int, int]]) -> None:
        """Underline spans (start, end) of the report's text."""
        self.view.mark(spans)

    def show_next_hit(self) -> bool:
        """Select the highlighted term's next place; False when it stands nowhere."""
        return self.view.show_next_hit()

    @property
    def text_size(self) -> int:
        """The size of the running text, in points."""
        return self.view.text_size

    def set_text_size(self, points: int) -> None:
        """Set the size of the running text."""
        self.view.set_text_size(points)

    def text_larger(self) -> None:
        """One point more."""
        self.view.set_text_size(self.view.text_size + 1)

    def text_smaller(self) -> None:
        """One point less."""
        self.view.set_text_size(self.view.text_size - 1)
