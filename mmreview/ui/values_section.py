"""The clinical values of the open case, below the report: one line each with its number, whether it
is out of the range of reference, and how far it moved the clinical opinion on the finding that is
selected. There only in projects that have such values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetricsF, QHelpEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QToolTip, QVBoxLayout, QWidget

from mmreview.domain.cases import CLINICAL
from mmreview.domain.clinical import deviation, quantity_named
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import signed

_ELLIPSIS = Qt.TextElideMode.ElideRight
_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter

#: As many lines are shown at least, if there are so many, and at most, before they scroll.
_FEWEST, _MOST = 3, 8
_MARGIN = 3 * UNIT
_HEADER = 7 * UNIT
#: Room for the mark of a deviation, and for the bar of a part of the opinion.
_MARK, _PART = 3 * UNIT, 14 * UNIT
#: A value's name has this width before there is a bar.
_LABEL = 24 * UNIT
#: Logits at which the bar of a part is as long as it gets.
_RANGE = 2.0


class ValuesSection(QWidget):
    """Header and lines. ``show_values`` what the case has, ``set_parts`` what each value did."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("clinicalValues")
        self.setAccessibleName(tr("ui.values.title"))
        self._header = _Header(self)
        self._lines = _Lines()
        self._scroll = QScrollArea(self)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setWidgetResizable(True)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.TabFocus)  # arrows scroll
        self._scroll.setAccessibleName(tr("ui.values.title"))
        self._scroll.setWidget(self._lines)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._header)
        column.addWidget(self._scroll)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.show_values({})

    def show_values(self, values: Mapping[str, float]) -> None:
        """Show a case's values; without any it says so."""
        self._lines.show_values(values)
        lines = min(_MOST, max(_FEWEST, len(values))) if values else 1
        below = UNIT if len(values) <= _MOST else 0  # what scrolls ends with a whole line
        self._scroll.setFixedHeight(lines * self._lines.line + UNIT + below)
        self._scroll.verticalScrollBar().setValue(0)
        self.updateGeometry()

    def set_parts(self, finding: str, parts: Mapping[str, float]) -> None:
        """Show what each value adds to the clinical logit of ``finding``; nothing for none."""
        self._header.set_caption(tr("ui.values.parts", finding=finding) if parts else "")
        self._lines.set_parts(finding if parts else "", parts)


class _Header(QWidget):
    """The modality's colour, the title, and what the bars are about."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self._caption = ""
        self.setFixedHeight(_HEADER)

    def set_caption(self, caption: str) -> None:
        """What stands at the right."""
        if caption != self._caption:
            self._caption = caption
            self.setToolTip(caption)
            self.update()

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw it as the headers above image and report are drawn."""
        colours = theme.current()
        painter = QPainter(self)
        painter.fillRect(self.rect(), colours.surface)
        painter.fillRect(0, 0, self.width(), 1, colours.line)
        painter.fillRect(0, self.height() - 1, self.width(), 1, colours.line)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colours.modality(CLINICAL))
        painter.drawRoundedRect(QRectF(_MARGIN, self.height() / 2 - 5, 3, 10), 1.5, 1.5)
        bold, small = theme.font(theme.SMALL, bold=True), theme.font(theme.SMALL)
        left = _MARGIN + 2 * UNIT + 1
        room = self.width() - left - _MARGIN
        title = tr("ui.values.title")
        painter.setFont(bold)
        painter.setPen(colours.text)
        painter.drawText(QRectF(left, 0, room, self.height()), _LEFT, title)
        taken = QFontMetricsF(bold).horizontalAdvance(title) + 3 * UNIT
        if self._caption and room - taken > 12 * UNIT:
            caption = QFontMetricsF(small).elidedText(self._caption, _ELLIPSIS, room - taken)
            painter.setFont(small)
            painter.setPen(colours.muted)
            painter.drawText(QRectF(left + taken, 0, room - taken, self.height()), _RIGHT, caption)
        painter.end()


class _Lines(QWidget):
    """One line a value. To assistive technology it is one text: all that the lines say."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("clinicalValueLines")
        self._values: dict[str, float] = {}
        self._parts: Mapping[str, float] = {}
        self._finding = ""
        self._small = theme.font(theme.SMALL)
        self._number = theme.font(theme.SMALL, tabular=True)
        self.line = max(4 * UNIT, math.ceil(QFontMetricsF(self._small).height()) + 2)

    def show_values(self, values: Mapping[str, float]) -> None:
        """Show these and no parts."""
        self._values, self._parts, self._finding = dict(values), {}, ""
        self.setMinimumHeight(max(1, len(values)) * self.line + 2 * UNIT)
        self._describe()

    def set_parts(self, finding: str, parts: Mapping[str, float]) -> None:
        """Show what each value did."""
        if (finding, parts) != (self._finding, self._parts):
            self._finding, self._parts = finding, parts
            self._describe()

    def _describe(self) -> None:
        told = "; ".join(self._sentence(name) for name in self._values)
        self.setAccessibleName(told or tr("ui.values.none"))
        self.update()

    def _sentence(self, name: str) -> str:
        """Everything about one value: "Temperature 38.9 °C, above 36 – 37.5; Edema +0.42"."""
        text = f"{tr(f'clinical.{name}')} {written(name, self._values[name])}"
        reference, away = quantity_named(name).reference, deviation(self._values, name)
        if reference is not None and away:
            code = "ui.values.above" if away > 0 else "ui.values.below"
            text += ", " + tr(code, lowest=f"{reference[0]:g}", highest=f"{reference[1]:g}")
        if name in self._parts:
            text += f"; {self._finding} {signed(self._parts[name])}"
        return text

    def event(self, event: QEvent) -> bool:
        """Say all about the value under the pointer."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            at = int((event.pos().y() - UNIT) // self.line)
            names = list(self._values)
            QToolTip.showText(
                event.globalPos(), self._sentence(names[at]) if 0 <= at < len(names) else "", self
            )
            return True
        return super().event(event)

    def sizeHint(self) -> QSize:
        """Every line."""
        return QSize(60 * UNIT, self.minimumHeight())

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the lines."""
        colours = theme.current()
        painter = QPainter(self)
        painter.fillRect(self.rect(), colours.surface)
        if not self._values:
            painter.setFont(self._small)
            painter.setPen(colours.muted)
            box = QRectF(_MARGIN, UNIT, self.width() - 2 * _MARGIN, self.line)
            painter.drawText(box, _LEFT, tr("ui.values.none"))
        metrics = QFontMetricsF(self._number)
        widest = max(
            (metrics.horizontalAdvance(written(n, v)) for n, v in self._values.items()), default=0
        )
        for place, name in enumerate(self._values):
            line = QRectF(
                _MARGIN, UNIT + place * self.line, self.width() - 2 * _MARGIN, self.line
            )
            self._paint_line(painter, line, name, widest)
        painter.end()

    def _paint_line(self, painter: QPainter, line: QRectF, name: str, widest: float) -> None:
        colours = theme.current()
        away = deviation(self._values, name)
        spare = line.width() - _LABEL - widest - _MARK - 4 * UNIT
        wide = _PART if spare >= _PART else max(0.0, spare)  # a value without a name says nothing
        part = QRectF(line.right() - wide, line.top(), wide, line.height())
        mark = QRectF(part.left() - 2 * UNIT - _MARK, line.top(), _MARK, line.height())
        number = QRectF(mark.left() - widest - UNIT, line.top(), widest, line.height())
        label = QRectF(line.left(), line.top(), number.left() - line.left() - UNIT, line.height())
        text = QFontMetricsF(self._small).elidedText(
            tr(f"clinical.{name}"), _ELLIPSIS, label.width()
        )
        painter.setFont(self._small)
        painter.setPen(colours.muted)
        painter.drawText(label, _LEFT, text)
        painter.setFont(self._number)
        painter.setPen(colours.text)
        painter.drawText(number, _RIGHT, written(name, self._values[name]))
        if away:
            painter.setPen(colours.conflict)
            painter.drawText(mark, Qt.AlignmentFlag.AlignCenter, "↑" if away > 0 else "↓")
        if name in self._parts and wide >= 6 * UNIT:
            self._paint_part(painter, part, self._parts[name])

    def _paint_part(self, painter: QPainter, box: QRectF, logit: float) -> None:
        """What the value did: right of the middle it speaks for the finding, left against it."""
        colours = theme.current()
        middle = round(box.center().x())
        level = round(box.center().y())
        painter.fillRect(QRectF(box.left(), level, box.width(), 1), colours.track)
        length = min(1.0, abs(logit) / _RANGE) * box.width() / 2
        left = middle if logit >= 0 else middle - length
        painter.fillRect(QRectF(left, level - 2, length, 5), colours.modality(CLINICAL))
        painter.fillRect(QRectF(middle, box.top() + 2, 1, box.height() - 4), colours.faint)


def written(name: str, value: float) -> str:
    """A value with its unit as it is shown: ``38.9 °C``, ``female``."""
    if name == "sex":
        return tr(f"clinical.sex.{int(value)}")
    quantity = quantity_named(name)
    digits = quantity.decimals if value % 1 or quantity.decimals == 1 else 0
    number = f"{value:,.{digits}f}"
    return f"{number} {quantity.unit}".strip() if quantity.unit else number
