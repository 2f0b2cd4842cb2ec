"""One finding: its name, the four-state control, the bars, and, while it is selected, the conflict
in words, the numbers behind the fused opinion and who set the state.

A row lays its few children out by hand and paints the rest itself: showing another case changes
values and asks for one repaint, it never touches a layout.
"""

from __future__ import annotations

import math

from PySide6.QtCore import QEvent, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QHelpEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
)
from PySide6.QtWidgets import QToolTip, QWidget

from mmreview.domain.cases import CLINICAL, IMAGE, TEXT
from mmreview.domain.findings import ExclusiveGroup, Finding, State
from mmreview.domain.labels import Suspect
from mmreview.domain.predictions import FindingPrediction
from mmreview.domain.reads import FindingState
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.findings.bars import (
    FUSED,
    Bar,
    SplitStrip,
    contributions,
    doubt_sentence,
    part_name,
    split_sentence,
)
from mmreview.ui.findings.group_heading import draw_bracket
from mmreview.ui.findings.measures import MARGIN, measures
from mmreview.ui.findings.second_look import SecondLook
from mmreview.ui.findings.state_control import BasisControl, StateControl
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import fraction, modality, moment, percent, signed

_PAD = UNIT
#: Between the name and the bars; the split below them.
_GAP, _SPLIT = 2, 7
_ELLIPSIS = Qt.TextElideMode.ElideRight
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter


class FindingRow(QWidget):
    """One finding of the schema, for whatever case is open."""

    stateClicked = Signal(str)
    basisClicked = Signal(str)
    confirmWanted = Signal()
    pressed = Signal()
    moveWanted = Signal(int)
    heightChanged = Signal()

    def __init__(self, finding: Finding, modalities: tuple[str, ...], parent: QWidget) -> None:
        super().__init__(parent)
        self.finding = finding
        self.is_selected = False
        self._focused = False
        self._group: ExclusiveGroup | None = None
        self._unset = FindingState(finding=finding.name, state=State.UNSET)
        self._state = self._unset
        self._unsaved = False
        self._opinion: FindingPrediction | None = None
        self.setObjectName(f"row.{finding.name}")
        self.setAccessibleName(finding.name)
        self.control = StateControl(finding.name, self)
        self.control.stateClicked.connect(self._on_state_clicked)
        self.bars = {kind: Bar(finding.name, kind, self) for kind in (FUSED, *modalities)}
        self._split = SplitStrip(finding.name, self)
        self._basis = BasisControl(finding.name, self)
        self._basis.basisClicked.connect(self.basisClicked)
        self._basis.hide()
        self.second_look = SecondLook(finding.name, self)
        self.second_look.confirmed.connect(self.confirmWanted)
        self._place()

    def set_group(self, group: ExclusiveGroup) -> None:
        """Belong to an exclusive group: present here is absent for the others."""
        self._group = group
        self._split.exclusive = True
        self.setAccessibleDescription(f"{tr(f'ui.findings.{group.kind}')}: {group.name}")
        self.control.set_group(group.name)

    # --- what it shows ----------------------------------------------------------------------------

    @property
    def state(self) -> FindingState:
        """The state on the screen."""
        return self._state

    @property
    def has_conflict(self) -> bool:
        """True while image and report contradict each other beyond the mark."""
        opinion = self._opinion
        return opinion is not None and opinion.in_conflict

    def set_state(self, state: FindingState | None) -> None:
        """Show the state that holds, None for none."""
        doubted = self.is_suspect
        self._state = state or self._unset
        self._show_state()
        self._show_second_look(doubted)

    @property
    def is_suspect(self) -> bool:
        """True while the label on the screen is worth a second look."""
        return self.second_look.doubts(self._state)

    def set_suspect(self, suspect: Suspect | None) -> None:
        """Offer the label for a second look, None for no reason to."""
        doubted = self.is_suspect
        self.second_look.set_suspect(suspect)
        self._show_second_look(doubted)

    def _show_second_look(self, before: bool) -> None:
        if self.is_suspect == before:
            return
        self.second_look.setVisible(self.is_selected and self.is_suspect)
        self._place()
        self.heightChanged.emit()
        self.update()

    def set_unsaved(self, unsaved: bool) -> None:
        """Mark the state on the screen as not durable, or as durable again."""
        if unsaved != self._unsaved:
            self._unsaved = unsaved
            self._show_state()

    def _show_state(self) -> None:
        self.control.set_state(self._state.state, unsaved=self._unsaved)
        self._basis.set_basis(self._state.basis)
        self.update()

    def set_opinion(self, opinion: FindingPrediction | None) -> None:
        """Show what a version believes of this finding, None for nothing. The panel repaints."""
        before = self.height_needed()
        self._opinion = opinion
        known = opinion.modalities if opinion is not None else {}
        for name in known:
            if name not in self.bars:
                self._add_bar(name)
        self._show_bars()
        self._split.set_opinion(opinion)
        self.update()
        if self.height_needed() != before:
            self._place()
            self.heightChanged.emit()

    def _show_bars(self) -> None:
        """The opinions on the bars; the selected row shows how sure each is, others where labels
        are few."""
        opinion = self._opinion
        for name, bar in self.bars.items():
            if opinion is None:
                bar.set_opinion(None)
                continue
            probability = opinion.fused if name == FUSED else opinion.modalities.get(name)
            unsure = opinion.is_unsure(name)
            shown = self.is_selected or opinion.has_few_labels(name)
            if unsure and not opinion.is_wide(name):
                shown = False  # next to no labels: a narrow interval would only look sure
            bar.set_opinion(
                probability,
                absent=_absent(name, opinion) if probability is None else "",
                interval=opinion.intervals.get(name) if shown else None,
                unsure=unsure,
            )

    def set_modalities(self, modalities: tuple[str, ...]) -> None:
        """Have a bar for each of these."""
        for name in modalities:
            if name not in self.bars:
                self._add_bar(name)
        self._show_bars()

    def _add_bar(self, name: str) -> None:
        bar = self.bars[name] = Bar(self.finding.name, name, self)
        bar.show()

    def set_selected(self, selected: bool) -> None:
        """Open the row, or close it."""
        if selected != self.is_selected:
            self.is_selected = selected
            self.control.set_tab_stop(selected)
            self._basis.setVisible(selected)
            self.second_look.setVisible(selected and self.is_suspect)
            self._show_bars()
            self._place()
            self.update()

    def set_focused(self, focused: bool) -> None:
        """Draw the focus ring while the panel has the keyboard."""
        if focused != self._focused:
            self._focused = focused
            self.update()

    def set_reading(self, enabled: bool) -> None:
        """Let states be set, or not (a read-only project)."""
        self.control.setEnabled(enabled)
        self._basis.setEnabled(enabled)
        self.second_look.set_enabled(enabled)

    # --- where it stands --------------------------------------------------------------------------

    def height_needed(self) -> int:
        """How high the row is as it stands."""
        sizes = measures()
        height = _PAD + sizes.control + _GAP
        height += sum(bar.line_height() for bar in self.bars.values()) + _SPLIT + _PAD
        if self.is_selected:
            height += self._split_lines * sizes.line + 2 if self._has_split else 0
            height += sizes.line + 2 if doubt_sentence(self._opinion) else 0
            height += self._box_height + UNIT if self.has_conflict else 0
            height += self.second_look.height_needed() if self.is_suspect else 0
            height += sizes.control + 2
        return height

    @property
    def _has_split(self) -> bool:
        return self._opinion is not None and self._opinion.fused is not None

    @property
    def _split_lines(self) -> int:
        """The parts of three modalities and the prior do not stand on one line."""
        return 2 if len(contributions(self._opinion)) > 3 else 1

    @property
    def _box_height(self) -> int:
        return measures().line + 2 * UNIT

    def _place(self) -> None:
        sizes = measures()
        right = self.width() - MARGIN
        self.control.move(right - self.control.width(), _PAD)
        top = _PAD + sizes.control + _GAP
        for bar in self.bars.values():
            bar.setGeometry(MARGIN, top, right - MARGIN, bar.line_height())
            top += bar.line_height()
        self._split.setGeometry(MARGIN, top, right - MARGIN, _SPLIT)
        if self.is_selected:
            x = MARGIN + sizes.label
            bottom = self.height_needed() - _PAD - self._basis.height()
            self._basis.move(x, bottom)
            look = self.second_look.height_needed()
            self.second_look.setGeometry(MARGIN, bottom - look, right - MARGIN, look)

    def resizeEvent(self, _: QResizeEvent) -> None:
        """Follow the panel's width."""
        self._place()

    # --- what a person does -----------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Select the row."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.pressed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Up and down are handled before the scroll area would take them."""
        step = {Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}.get(Qt.Key(event.key()), 0)
        if step:
            self.moveWanted.emit(step)
        else:
            super().keyPressEvent(event)

    def _on_state_clicked(self, state: str) -> None:
        self.pressed.emit()
        self.stateClicked.emit(state)

    def event(self, event: QEvent) -> bool:
        """Write the tooltip only when somebody hovers."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            QToolTip.showText(event.globalPos(), self.summary(), self)
            return True
        return super().event(event)

    def summary(self) -> str:
        """Name, state, who set it and when, conflict and the exact numbers, a line each."""
        finding = self.finding
        short = f" ({finding.abbreviation})" if finding.abbreviation else ""
        state = tr(f"ui.findings.state.{self._state.state}")
        lines = [f"{finding.name}{short}: {state}", self.provenance()]
        if self.has_conflict:
            lines.append(self.conflict_sentence())
        if self.is_suspect:
            lines.append(self.second_look.sentence())
        split = split_sentence(self._opinion, exclusive=self._split.exclusive)
        lines += [split, doubt_sentence(self._opinion)]
        return "\n".join(line for line in lines if line)

    def provenance(self) -> str:
        """What the state rests on, what it was before, who set it and when."""
        state = self._state
        if state is self._unset or (state.state is State.UNSET and not state.at):
            return tr("ui.findings.nobody")
        parts = [tr("ui.findings.rests_on", basis=tr(f"ui.findings.basis.{state.basis}"))]
        return " · ".join(parts + self._history())

    def _history(self) -> list[str]:
        state = self._state
        if not state.reader and state.seq == 0 and not self._unsaved:
            if state.state is State.UNSET:
                return [tr("ui.findings.nobody")]
            return [tr("ui.findings.imported")]
        was = tr("ui.findings.was", state=tr(f"ui.findings.state.{state.previous}"))
        return [was, f"{state.reader} {moment(state.at)}".strip()]

    def conflict_sentence(self) -> str:
        """The conflict in words."""
        opinion = self._opinion
        if opinion is None or opinion.conflict is None:
            return ""
        pair = opinion.opposed
        both = pair in ((), (IMAGE, TEXT))
        code = "ui.findings.conflict" if both else "ui.findings.conflict_any"
        named = {} if both else {"one": modality(pair[0]), "other": modality(pair[1]).lower()}
        if opinion.conflict_rank is None:
            return tr(code, bits=fraction(opinion.conflict), **named)
        share = max(1, math.ceil(100 * (1 - opinion.conflict_rank) - 1e-9))
        return tr(f"{code}_top", share=share, **named)

    # --- painting ---------------------------------------------------------------------------------

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the ground, the name with its marks, and the selected row's lines."""
        colours = theme.current()
        painter = QPainter(self)
        width, height = self.width(), self.height()
        painter.fillRect(self.rect(), colours.selection if self.is_selected else colours.surface)
        painter.fillRect(0, height - 1, width, 1, colours.line)
        if self._group is not None:
            draw_bracket(painter, height, last=self.finding.name == self._group.findings[-1])
        if self.is_selected:
            painter.fillRect(0, 0, 2, height, colours.text)
        self._paint_name(painter)
        if self.is_selected:
            self._paint_details(painter)
        if self._focused and self.is_selected:
            painter.setPen(colours.focus)
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(QRectF(0.5, 0.5, width - 1, height - 1))
        painter.end()

    def _paint_name(self, painter: QPainter) -> None:
        colours, sizes = theme.current(), measures()
        room = self.control.x() - MARGIN - 2 * UNIT
        mark = self._mark()
        mark_width = 0.0
        if mark:
            mark_width = sizes.small_metrics.horizontalAdvance(mark) + UNIT
            mark_width += 10 if self._has_bolt else 0
        name = sizes.title_metrics.elidedText(self.finding.name, _ELLIPSIS, room - mark_width)
        painter.setFont(sizes.title)
        painter.setPen(colours.text)
        painter.drawText(QRectF(MARGIN, _PAD, room, sizes.control), _LEFT, name)
        if not mark:
            return
        x = MARGIN + sizes.title_metrics.horizontalAdvance(name) + 2 * UNIT
        x = min(x, MARGIN + room - mark_width + UNIT)
        if self._has_bolt:
            bolt = QRectF(x, _PAD + sizes.control / 2 - 5, 8, 10)
            theme.draw_bolt(painter, bolt, colours.conflict)
            x += 10
        painter.setFont(sizes.small)
        calm = colours.muted if self.is_suspect else colours.conflict
        painter.setPen(colours.bad if self._unsaved else calm)
        painter.drawText(QRectF(x, _PAD, mark_width + 4, sizes.control), _LEFT, mark)

    @property
    def _has_bolt(self) -> bool:
        """Whether the mark beside the name is that of a conflict."""
        return not self._unsaved and not self.is_suspect

    def _mark(self) -> str:
        """What stands beside the name: not saved before anything else, then a second look, then the
        conflict (in bits); the selected row says both in words."""
        if self._unsaved:
            return tr("ui.findings.unsaved")
        if self.is_selected:
            return ""
        if self.is_suspect:
            return self.second_look.mark()
        if self.has_conflict and self._opinion is not None:
            return fraction(self._opinion.conflict or 0.0)
        return ""

    def _paint_details(self, painter: QPainter) -> None:
        sizes = measures()
        top = self._split.geometry().bottom() + 1
        if self._has_split:
            self._paint_split(painter, QRectF(MARGIN, top + 2, self._inner, sizes.line))
            top += self._split_lines * sizes.line + 2
        if doubt := doubt_sentence(self._opinion):
            painter.setPen(theme.current().muted)
            painter.setFont(sizes.small)
            box = QRectF(MARGIN, top + 2, self._inner, sizes.line)
            text = sizes.small_metrics.elidedText(doubt, _ELLIPSIS, box.width())
            painter.drawText(box, _LEFT, text)
            top += sizes.line + 2
        if self.has_conflict:
            self._paint_conflict(painter, QRectF(MARGIN, top + UNIT, self._inner, self._box_height))
        self._paint_provenance(painter)

    @property
    def _inner(self) -> int:
        return self.width() - 2 * MARGIN

    def _paint_split(self, painter: QPainter, box: QRectF) -> None:
        colours, sizes = theme.current(), measures()
        painter.setFont(sizes.number_font)
        painter.setPen(colours.muted)
        painter.drawText(box, _LEFT, tr("ui.findings.split"))
        box.setLeft(box.left() + sizes.label)
        opinion = self._opinion
        total = percent(opinion.fused) if opinion and opinion.fused is not None else ""
        first = box.left()
        for name, logit in contributions(opinion):
            if name == "prior" and self._split_lines > 1:
                box.translate(0, sizes.line)
                box.setLeft(first)
            text = f"{part_name(name, exclusive=self._split.exclusive)} {signed(logit)}"
            painter.setPen(colours.muted if name == "prior" else colours.modality(name))
            painter.drawText(box, _LEFT, text)
            box.setLeft(box.left() + sizes.number_metrics.horizontalAdvance(text) + 3 * UNIT)
        painter.setPen(colours.text)
        right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(box, right, f"→ {total}")

    def _paint_conflict(self, painter: QPainter, box: QRectF) -> None:
        colours, sizes = theme.current(), measures()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        edge = QColor(colours.conflict)
        edge.setAlphaF(0.35)
        painter.setPen(edge)
        painter.setBrush(colours.conflict_surface)
        painter.drawRoundedRect(box.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
        theme.draw_bolt(
            painter, QRectF(box.left() + 8, box.center().y() - 6, 9, 12), colours.conflict
        )
        text = box.adjusted(24, 0, -8, 0)
        painter.setFont(sizes.small)
        painter.setPen(colours.conflict)
        sentence = sizes.small_metrics.elidedText(
            self.conflict_sentence(), _ELLIPSIS, text.width()
        )
        painter.drawText(text, _LEFT, sentence)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_provenance(self, painter: QPainter) -> None:
        colours, sizes = theme.current(), measures()
        line = QRectF(MARGIN, self._basis.y(), self._inner, self._basis.height())
        painter.setFont(sizes.number_font)
        painter.setPen(colours.muted)
        painter.drawText(line, _LEFT, tr("ui.findings.basis_label"))
        line.setLeft(self._basis.geometry().right() + 1 + 2 * UNIT)
        if self._unsaved:
            painter.setPen(colours.bad)
        text = sizes.number_metrics.elidedText(
            " · ".join(part for part in self._history() if part), _ELLIPSIS, line.width()
        )
        painter.drawText(line, _LEFT, text)


def _absent(name: str, opinion: FindingPrediction) -> str:
    """Why there is no opinion: the finding has no labels (said once), or the case no such part."""
    if name == FUSED or opinion.has_no_label:
        said = name == FUSED and opinion.has_no_label
        return tr("ui.findings.unsure") if said else ""
    known = {IMAGE: "no_image", TEXT: "no_report", CLINICAL: "no_values"}
    return tr(f"ui.findings.{known.get(name, 'no_value')}")
