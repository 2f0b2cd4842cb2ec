"""The filter chips with their counts, and the menu of filters that have no chip of their own."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QPoint, Signal
from PySide6.QtWidgets import QMenu, QWidget

from mmreview.domain.cases import WorklistCounts, WorklistFilter
from mmreview.domain.findings import FindingSchema
from mmreview.translation import tr
from mmreview.ui.worklist.chips import Chip, ChipFlow

#: The fields of ``WorklistFilter`` that are a chip, in order.
_CHIPS = ("unread", "conflict", "corrected", "missing_modality")


class FilterBar(ChipFlow):
    """Which cases the list holds, beside the search text. Conditions are joined by *and*."""

    filterChanged = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._finding = ""
        self._schema: FindingSchema | None = None
        self._menu: QMenu | None = None
        self._chips: dict[str, Chip] = {}
        for name in _CHIPS:
            chip = Chip(tr(f"ui.worklist.filter.{name}"), self, checkable=True)
            chip.setObjectName(f"filter.{name}")
            chip.setToolTip(tr(f"ui.worklist.filter.{name}.tip"))
            chip.toggled.connect(self._on_toggled)
            self._chips[name] = chip
            self.add(chip)
        self._finding_chip = Chip("", self, checkable=True)
        self._finding_chip.setObjectName("filter.finding")
        self._finding_chip.setToolTip(tr("ui.worklist.filter.finding.tip"))
        self._finding_chip.clicked.connect(self._on_finding_clicked)
        self._finding_chip.hide()
        self.add(self._finding_chip)
        self._more = Chip(tr("ui.worklist.filter.add"), self, framed=False)
        self._more.setObjectName("filter.more")
        self._more.setAccessibleName(tr("ui.worklist.filter.more"))
        self._more.setToolTip(tr("ui.worklist.filter.more"))
        self._more.clicked.connect(self._on_more_clicked)

    @property
    def more_button(self) -> Chip:
        """The button of the menu, for the panel to place beside the order."""
        return self._more

    def where(self, text: str) -> WorklistFilter:
        """The chosen filters together with the search text."""
        chosen = {name: chip.isChecked() for name, chip in self._chips.items()}
        return WorklistFilter(text=text, finding=self._finding, **chosen)

    @property
    def is_clear(self) -> bool:
        """True while nothing is filtered out."""
        return self.where("") == WorklistFilter()

    def set_schema(self, schema: FindingSchema | None) -> None:
        """Offer these findings, and let everything in again without telling anybody."""
        self._schema = schema
        self._reset()

    def set_counts(self, counts: WorklistCounts | None) -> None:
        """Show how many cases each chip would keep."""
        for name, chip in self._chips.items():
            chip.set_count(None if counts is None else getattr(counts, name))

    def clear(self) -> None:
        """Let everything in."""
        if not self.is_clear:
            self._reset()
            self.filterChanged.emit()

    def choose_finding(self, name: str) -> None:
        """Keep the cases with this finding present (empty: whatever they have)."""
        if name != self._finding:
            self._show_finding(name)
            self.filterChanged.emit()

    def _reset(self) -> None:
        for chip in self._chips.values():
            chip.blockSignals(True)
            chip.setChecked(False)
            chip.blockSignals(False)
            chip.update()
        self._show_finding("")

    def _show_finding(self, name: str) -> None:
        self._finding = name
        self._finding_chip.set_words(tr("ui.worklist.filter.finding", finding=name))
        self._finding_chip.setChecked(bool(name))
        self._finding_chip.setVisible(bool(name))

    def _on_toggled(self, _: bool) -> None:
        self.filterChanged.emit()

    def _on_finding_clicked(self) -> None:
        self.choose_finding("")

    def _on_more_clicked(self) -> None:
        menu = QMenu(self)
        menu.setObjectName("filterMenu")
        heading = menu.addAction(tr("ui.worklist.filter.by_finding"))
        heading.setEnabled(False)
        for name in self._schema.names if self._schema is not None else ():
            action = menu.addAction(name.replace("&", "&&"))
            action.setCheckable(True)
            action.setChecked(name == self._finding)
            action.triggered.connect(partial(self._on_finding_picked, name))
        menu.addSeparator()
        clear = menu.addAction(tr("ui.worklist.filter.clear"))
        clear.setEnabled(not self.is_clear)
        clear.triggered.connect(self.clear)
        self._replace_menu(menu)
        menu.popup(self._more.mapToGlobal(QPoint(0, self._more.height())))

    def _replace_menu(self, menu: QMenu) -> None:
        if self._menu is not None:
            self._menu.deleteLater()
        self._menu = menu

    def _on_finding_picked(self, name: str) -> None:
        self.choose_finding("" if name == self._finding else name)
