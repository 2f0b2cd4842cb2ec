"""Label-saving curves: macro AUROC against cases read, a line a policy, with what each saves.

The command draws it into a picture (``app.draw_saving``), the planning dialog shows it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from mmreview.domain.simulations import RANDOM, TARGET, Interval, PolicyRow, Simulation
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import fraction

_LEFT, _RIGHT, _TOP, _BOTTOM = 15 * UNIT, 62 * UNIT, 21 * UNIT, 13 * UNIT
_LINE = 18
#: Policies' colours for dark and light themes (after Okabe & Ito 2008, told apart by colour-blind
#: people; random is neutral and dashed). Those of image and report are not among them.
_COLOURS = {
    "dark": ("#4fd1a5", "#d98fc4", "#c9c34f", "#8fa8ff", "#e08a6a", "#7fd0e8"),
    "light": ("#00795a", "#a3437f", "#6e6a00", "#3f4fb0", "#a34a22", "#006c8f"),
}


@dataclass(frozen=True)
class _Frame:
    """Where a number of cases and an AUROC are drawn."""

    area: QRectF
    most: float
    bottom: float
    top: float

    def at(self, cases: float, value: float) -> QPointF:
        share = (min(self.top, max(self.bottom, value)) - self.bottom) / (self.top - self.bottom)
        x = self.area.left() + cases / self.most * self.area.width()
        return QPointF(x, self.area.bottom() - share * self.area.height())


class SavingPlot(QWidget):
    """The picture of one simulation."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("savingPlot")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self._found: Simulation | None = None
        self._rows: list[PolicyRow] = []
        self._title = self._mark = ""
        self._inset = 0 if parent is not None else 4 * UNIT  # a dialog has margins of its own

    def show_simulation(self, found: Simulation, *, project: str, synthetic: bool) -> None:
        """Draw this; the picture of a synthetic project says so."""
        self._found, self._rows = found, found.rows()
        self._title = tr("ui.simulation.title", project=project)
        self._mark = tr("ui.status.synthetic") if synthetic else ""
        told = " · ".join(" ".join((row.policy, *_said(row))) for row in self._rows)
        self.setAccessibleName(f"{self._title}: {told}")
        self.update()

    def picture(self) -> QPixmap:
        """This at the size that the command draws, twice as sharp as a plain screen."""
        plot = SavingPlot()
        plot._found, plot._rows = self._found, self._rows
        plot._title, plot._mark = self._title, self._mark
        plot.resize(plot.sizeHint())
        picture = QPixmap(plot.size() * 2)
        picture.setDevicePixelRatio(2.0)
        plot.render(picture)
        return picture

    def sizeHint(self) -> QSize:
        """As the command draws it."""
        return QSize(1040, 600)

    def minimumSizeHint(self) -> QSize:
        """Still a plot."""
        return QSize(640, 340)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw title, axes, target, intervals, lines and legend."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), theme.current().surface)
        if self._found is not None:
            self._draw(painter, self._found)
        painter.end()

    def _draw(self, painter: QPainter, found: Simulation) -> None:
        curves = {row.policy: found.mean_curve(row.policy) for row in self._rows}
        full = sum(c.full for c in found.curves) / len(found.curves)
        frame = _Frame(
            QRectF(_LEFT, _TOP, self.width() - _LEFT - _RIGHT, self.height() - _TOP - _BOTTOM),
            max(1, max(cases for curve in curves.values() for cases, _ in curve)),
            0.5,
            min(1.0, max(0.6, math.ceil(20 * full + 0.2) / 20)),
        )
        self._draw_heading(painter, found)
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(theme.current().text)
        above = QRectF(self._inset, frame.area.top() - 6 * UNIT, 400, 18)
        _write(painter, above, tr("ui.simulation.auroc"))
        _draw_axes(painter, frame)
        colours = self._colours()
        for policy, curve in curves.items():
            _draw_band(painter, frame, curve, colours[policy])
        _draw_target(painter, frame, full)
        for row in self._rows:
            _draw_line(painter, frame, curves[row.policy], _pen(row.policy, colours[row.policy]))
        _draw_reached(painter, frame, self._rows, full, colours)
        self._draw_legend(painter, frame, colours)

    def _colours(self) -> dict[str, QColor]:
        colours = theme.current()
        palette = _COLOURS[colours.name]
        others = [row.policy for row in self._rows if row.policy != RANDOM]
        chosen = {name: QColor(palette[i % len(palette)]) for i, name in enumerate(others)}
        return {RANDOM: colours.muted, **chosen}

    def _draw_heading(self, painter: QPainter, found: Simulation) -> None:
        colours, left = theme.current(), self._inset
        painter.setFont(theme.font(theme.TITLE, bold=True))
        painter.setPen(colours.text)
        width = self.width() - 2 * left
        _write(painter, QRectF(left, 3 * UNIT, width, 24), self._title)
        painter.setFont(theme.font(theme.SMALL))
        painter.setPen(colours.muted)
        said = tr(
            "ui.simulation.facts", **found.facts, seeds=found.options.seeds,
            right=round(100 * (1 - found.options.noise)), batch=found.options.batch,
        )
        _write(painter, QRectF(left, 10 * UNIT, width, 20), said)
        if self._mark:
            painter.setFont(theme.font(theme.SMALL, bold=True))
            painter.setPen(colours.conflict)
            flags = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            _write(painter, QRectF(left, 3 * UNIT, width, 24), self._mark, flags)

    def _draw_legend(
        self, painter: QPainter, frame: _Frame, colours: dict[str, QColor]
    ) -> None:
        """Each policy's line, name, and what it needs and saves."""
        left, y = frame.area.right() + 6 * UNIT, frame.area.top()
        width = self.width() - left - 2 * UNIT
        for row in self._rows:
            painter.setPen(_pen(row.policy, colours[row.policy]))
            painter.drawLine(QPointF(left, y + 9), QPointF(left + 6 * UNIT, y + 9))
            painter.setFont(theme.font(theme.BODY, bold=True))
            painter.setPen(theme.current().text)
            _write(painter, QRectF(left + 8 * UNIT, y, width - 8 * UNIT, _LINE), row.policy)
            painter.setFont(theme.font(theme.SMALL, tabular=True))
            painter.setPen(theme.current().muted)
            for line in _said(row):
                y += _LINE
                _write(painter, QRectF(left + 8 * UNIT, y, width - 8 * UNIT, _LINE), line)
            y += _LINE + 2 * UNIT


def _said(row: PolicyRow) -> list[str]:
    """What a policy needs and saves, a line each."""
    cases = _interval(row.cases, lambda value: f"{value:,.0f}")
    if row.reached < row.seeds:
        return [tr("ui.simulation.missed", reached=row.reached, seeds=row.seeds)]
    lines = [tr("ui.simulation.needs", cases=cases)]
    if row.saving is not None:
        saved = _interval(row.saving, lambda value: f"{100 * value:.0f}".replace("-", "−"))
        lines.append(tr("ui.simulation.saves", saved=saved))
    return lines


def _interval(value: Interval, form: object) -> str:
    assert callable(form)
    mean = form(value.mean)
    if value.low is None or value.high is None:
        return mean
    return f"{mean} ({form(value.low)} – {form(value.high)})"


def _pen(policy: str, colour: QColor) -> QPen:
    pen = QPen(colour, 2)
    pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
    if policy == RANDOM:
        pen.setStyle(Qt.PenStyle.DashLine)
    return pen


def _write(
    painter: QPainter, box: QRectF, text: str,
    flags: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter,
) -> None:
    shown = painter.fontMetrics().elidedText(
        text, Qt.TextElideMode.ElideRight, math.ceil(box.width())
    )
    painter.drawText(box, int(flags), shown)


def _draw_axes(painter: QPainter, frame: _Frame) -> None:
    colours, area = theme.current(), frame.area
    painter.setFont(theme.font(theme.SMALL, tabular=True))
    steps = round((frame.top - frame.bottom) * 20)
    for step in range(steps + 1):
        value = frame.bottom + step / 20
        y = frame.at(0, value).y()
        painter.setPen(QPen(colours.line, 1))
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
        if step % 2 == 0:
            painter.setPen(colours.muted)
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            _write(painter, QRectF(0, y - 8, _LEFT - 2 * UNIT, 16), fraction(value, 1), right)
    middle = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter
    for cases in _ticks(frame.most):
        x = frame.at(cases, 0).x()
        painter.setPen(QPen(colours.line, 1))
        painter.drawLine(QPointF(x, area.bottom()), QPointF(x, area.bottom() + UNIT))
        painter.setPen(colours.muted)
        _write(painter, QRectF(x - 30, area.bottom() + 5, 60, 16), f"{cases:,.0f}", middle)
    painter.setPen(colours.text)
    below = QRectF(area.left(), area.bottom() + 6 * UNIT, area.width(), 18)
    _write(painter, below, tr("ui.simulation.cases"), middle)


def _ticks(most: float) -> list[float]:
    """Round numbers from 0, about eight of them."""
    step = 10.0 ** math.floor(math.log10(max(most / 8, 1)))
    step = next(step * factor for factor in (1, 2, 5, 10) if most / (step * factor) <= 8)
    return [step * number for number in range(int(most / step) + 1)]


def _draw_target(painter: QPainter, frame: _Frame, full: float) -> None:
    colours = theme.current()
    y = frame.at(0, TARGET * full).y()
    painter.setPen(QPen(colours.faint, 1, Qt.PenStyle.DotLine))
    painter.drawLine(QPointF(frame.area.left(), y), QPointF(frame.area.right(), y))
    painter.setFont(theme.font(theme.SMALL, tabular=True))
    painter.setPen(colours.muted)
    said = tr("ui.simulation.target", share=round(100 * TARGET), full=fraction(full, 3))
    width = min(painter.fontMetrics().horizontalAdvance(said) + 2 * UNIT, frame.area.width())
    box = QRectF(frame.area.right() - width, y + 3, width, 16)  # where curves are above it
    ground = QColor(colours.surface)
    ground.setAlpha(200)
    painter.fillRect(box, ground)
    _write(painter, box, said, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter)


def _draw_band(
    painter: QPainter, frame: _Frame, curve: Sequence[tuple[int, Interval]], colour: QColor
) -> None:
    bounds = [(n, i.low, i.high) for n, i in curve if i.low is not None and i.high is not None]
    if not bounds:
        return
    faint = QColor(colour)
    faint.setAlpha(34)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(faint)
    upper = [frame.at(n, high) for n, _, high in bounds]
    lower = [frame.at(n, low) for n, low, _ in bounds]
    painter.drawPolygon(QPolygonF([*upper, *reversed(lower)]))


def _draw_line(
    painter: QPainter, frame: _Frame, curve: Sequence[tuple[int, Interval]], pen: QPen
) -> None:
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawPolyline(QPolygonF([frame.at(n, interval.mean) for n, interval in curve]))


def _draw_reached(
    painter: QPainter, frame: _Frame, rows: Sequence[PolicyRow], full: float,
    colours: dict[str, QColor],
) -> None:
    """From the target down to the number of cases, where every seed reached it."""
    for row in rows:
        if row.reached == row.seeds:
            point = frame.at(row.cases.mean, TARGET * full)
            colour = colours[row.policy]
            painter.setPen(QPen(colour, 1, Qt.PenStyle.DotLine))
            painter.drawLine(point, QPointF(point.x(), frame.area.bottom()))
            painter.setPen(QPen(theme.current().surface, 1.5))
            painter.setBrush(colour)
            painter.drawEllipse(point, 4.5, 4.5)
