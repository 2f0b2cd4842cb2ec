"""Every version of the fusion weights: what it learned from, how good it is, what the gate said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from PySide6.QtCore import QDate, QEvent, QLocale, Qt, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QTableWidgetItem, QWidget

from mmreview.domain.versions import Role, Version
from mmreview.translation import language, tr
from mmreview.ui import theme
from mmreview.ui.dialogs.dialog import Dialog, Well, note
from mmreview.ui.dialogs.table import SERVES, quiet_table
from mmreview.ui.theme import UNIT
from mmreview.ui.verdict import can_compare, on_old_labels, verdict

_COLUMNS = (
    "id", "role", "parent", "corrections", "fused", "image", "text", "clinical", "made", "verdict"
)
_MODALITIES = ("fused", "image", "text", "clinical")
_NUMBERS = frozenset(("id", "parent", "corrections", *_MODALITIES))


class VersionsDialog(Dialog):
    """The versions, newest first; a person can let another one serve."""

    promoteWanted = Signal(int)
    refuseWanted = Signal(int)
    rollbackWanted = Signal()

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(
            parent, name="versionsDialog", title=tr("ui.versions.title"),
            hint=tr("ui.versions.hint"),
        )
        self._versions: list[Version] = []
        self._writable = True
        self._table = quiet_table(
            len(_COLUMNS), self, name="versionsTable", title=tr("ui.versions.title")
        )
        self._table.itemSelectionChanged.connect(self._on_selected)
        self._make_headings()
        self.body.addWidget(Well(self._table, self), 1)
        self._said = note("", self)
        self._said.setObjectName("versionVerdict")
        self.body.addWidget(self._said)
        self._promote = self.button("promoteButton", tr("ui.versions.promote"))
        self._promote.setToolTip(tr("ui.versions.promote.tip"))
        self._promote.clicked.connect(self._on_promote_clicked)
        self._refuse = self.button("refuseButton", tr("ui.learning.refuse"))
        self._refuse.setToolTip(tr("ui.learning.refuse_tip"))
        self._refuse.clicked.connect(self._on_refuse_clicked)
        self._rollback = self.button("rollbackButton", tr("ui.versions.rollback"))
        self._rollback.setToolTip(tr("ui.versions.rollback.tip"))
        self._rollback.clicked.connect(self.rollbackWanted)
        self._compare = self.button("compareButton", tr("ui.comparison.open"))
        self._compare.setToolTip(tr("ui.comparison.open.tip"))
        self._compare.clicked.connect(self._on_compare_clicked)
        self._table.cellDoubleClicked.connect(lambda *_: self._on_compare_clicked())
        close = self.button("closeButton", tr("ui.dialog.close"), primary=True)
        close.clicked.connect(self.accept)
        self.add_buttons(
            close, aside=(self._compare, self._promote, self._refuse, self._rollback)
        )
        self.resize(230 * UNIT, 100 * UNIT)
        self._on_selected()

    def show_versions(self, versions: Sequence[Version], *, writable: bool = True) -> None:
        """Show these (in any order); the selected one stays selected. Without ``writable`` no
        version can be made to serve."""
        kept = self._selected()
        self._writable = writable
        self._versions = sorted(versions, key=lambda version: -version.id)
        self._fill()
        measured = [version.metrics.get("auroc") or {} for version in self._versions]
        none = not any("clinical" in auroc for auroc in measured)
        self._table.setColumnHidden(_COLUMNS.index("clinical"), none)
        ids = [version.id for version in self._versions]
        if kept is not None and kept.id in ids:
            self._table.selectRow(ids.index(kept.id))
        elif ids:
            serving = [v.id for v in self._versions if v.role is Role.CHAMPION]
            self._table.selectRow(ids.index(serving[0]) if serving else 0)
        self._on_selected()

    def _make_headings(self) -> None:
        for at, name in enumerate(_COLUMNS):
            item = QTableWidgetItem(tr(f"ui.versions.column.{name}"))
            item.setTextAlignment(_alignment(name))
            tip = f"ui.versions.column.{name}.tip"
            if name in _MODALITIES:
                item.setToolTip(tr(tip))
            self._table.setHorizontalHeaderItem(at, item)

    def _fill(self) -> None:
        self._table.setRowCount(len(self._versions))
        for at, version in enumerate(self._versions):
            cells = _cells(version)
            for column, name in enumerate(_COLUMNS):
                item = QTableWidgetItem(cells[name])
                item.setTextAlignment(_alignment(name))
                item.setFont(_font(version, name))
                item.setForeground(_colour(version, name))
                if name == "id":
                    item.setData(SERVES, version.role is Role.CHAMPION)
                if name == "verdict":
                    item.setToolTip(cells[name])
                self._table.setItem(at, column, item)
            self._table.setRowHeight(at, 8 * UNIT)

    def _selected(self) -> Version | None:
        rows = self._table.selectionModel().selectedRows() if self._versions else []
        return self._versions[rows[0].row()] if rows else None

    def _on_selected(self) -> None:
        chosen = self._selected()
        serving = next((v for v in self._versions if v.role is Role.CHAMPION), None)
        said = tr("ui.versions.none")
        if chosen is not None:
            said = " ".join(part for part in (verdict(chosen), on_old_labels(chosen)) if part)
        self._said.setText(said)
        self._compare.setEnabled(can_compare(chosen))
        self._promote.setEnabled(
            self._writable and chosen is not None and chosen.role is not Role.CHAMPION
        )
        waits = chosen is not None and chosen.role is Role.CHALLENGER
        self._refuse.setEnabled(self._writable and waits)
        self._rollback.setEnabled(
            self._writable and serving is not None and serving.parent is not None
        )

    def _on_compare_clicked(self) -> None:
        from mmreview.ui.dialogs.comparison import ComparisonDialog

        chosen = self._selected()
        if chosen is not None and can_compare(chosen):
            dialog = ComparisonDialog(self, chosen)
            dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            dialog.open()

    def _on_promote_clicked(self) -> None:
        chosen = self._selected()
        if chosen is not None:
            self.promoteWanted.emit(chosen.id)

    def _on_refuse_clicked(self) -> None:
        chosen = self._selected()
        if chosen is not None:
            self.refuseWanted.emit(chosen.id)

    def changeEvent(self, event: QEvent) -> None:
        """Cells carry colours: give them those of the theme that is on."""
        super().changeEvent(event)
        if event.type() is QEvent.Type.PaletteChange and getattr(self, "_versions", None):
            self._fill()


def _cells(version: Version) -> dict[str, str]:
    auroc = version.metrics.get("auroc") or {}
    return {
        "id": str(version.id),
        "role": tr("ui.versions.serving" if version.role is Role.CHAMPION
                   else f"role.{version.role}"),
        "parent": "" if version.parent is None else str(version.parent),
        "corrections": f"{version.corrections:,}",
        **{name: share(auroc.get(name)) for name in _MODALITIES},
        "made": _moment(version.created_at),
        "verdict": verdict(version),
    }


def share(value: Any) -> str:
    """A number from 0 to 1 with three decimals and no leading zero; a dash for none."""
    if not isinstance(value, int | float) or value != value:
        return "—"
    text = f"{value:.3f}"
    return text[1:] if text.startswith("0") else text


def _moment(at: str) -> str:
    try:
        local = datetime.fromisoformat(at).astimezone()
    except ValueError:
        return at
    date = QDate(local.year, local.month, local.day)
    day = QLocale(language()).toString(date, tr("ui.date.full"))
    return f"{day} {local:%H:%M}"


def _alignment(column: str) -> Qt.AlignmentFlag:
    side = Qt.AlignmentFlag.AlignRight if column in _NUMBERS else Qt.AlignmentFlag.AlignLeft
    return side | Qt.AlignmentFlag.AlignVCenter


def _font(version: Version, column: str) -> Any:
    serving = version.role is Role.CHAMPION and column in ("id", "role", "fused")
    return theme.font(bold=serving, tabular=True)


def _colour(version: Version, column: str) -> QColor:
    """Refused is red where it says so; a modality's number has its colour; the rest is quiet."""
    colours = theme.current()
    if version.role is Role.REFUSED:
        return colours.bad if column in ("role", "verdict") else colours.muted
    if column in _MODALITIES:
        return colours.modality(column)
    if version.role is Role.CHAMPION or column == "id" or (
        version.role is Role.CHALLENGER and column == "role"
    ):
        return colours.text
    return colours.muted
