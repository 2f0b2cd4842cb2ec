"""The bars of a finding: one line an opinion, with its label and number, and below them the split
of the fused logit into what each modality and the prior contribute.

All bars of a row are as wide as the row, so the 50 % mark, which each bar draws over its own
height, is one line through all of them, and the split's zero stands exactly under it: a logit of
0 is 50 %.
"""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QProgressBar, QWidget

from mmreview.domain.predictions import FindingPrediction
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.findings.measures import measures
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import between, modality, percent, percents, signed

#: The split shows logits up to this far from 50 % (0.7 % to 99.3 %); more is cut off at the end.
SPLIT_RANGE = 5.0

FUSED = "fused"

_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter


class Bar(QProgressBar):
    """One opinion on one finding. A progress bar to assistive technology, so that its value can
    be asked for; ``value()`` is the whole percentage, -1 without an opinion."""

    def __init__(self, finding: str, kind: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(f"bar.{finding}.{kind}")
        self._finding = finding
        self._kind = kind
        self._label = tr("ui.modality.fused") if kind == FUSED else modality(kind)
        self._thickness = 8 if kind == FUSED else 4
        self._probability: float | None = None
        self._interval: tuple[float, float] | None = None
        self._unsure = False
        self._absent = ""
        self._text = ""
        self.setRange(0, 100)
        self.setTextVisible(False)
        self._describe(self._label)

    def line_height(self) -> int:
        """How high the line of this bar is."""
        return measures().thin + (1 if self._kind == FUSED else 0)

    def set_opinion(
        self, probability: float | None, *, absent: str = "",
        interval: tuple[float, float] | None = None, unsure: bool = False,
    ) -> None:
        """Show a probability; None for no opinion, with ``absent`` saying what the case lacks.

        ``interval`` is drawn as a band; an ``unsure`` opinion is drawn pale and says its
        interval, if it has one, instead of one number. Nothing is painted
        here: whoever shows a case repaints once.
        """
        shown = (probability, absent, interval, unsure)
        if shown == (self._probability, self._absent, self._interval, self._unsure):
            return
        self._probability, self._absent, self._interval, self._unsure = shown
        if probability is None:
            self._text = "–" if absent else ""
            self.reset()
            self._describe(f"{self._label}: {absent}" if absent else self._label)
        else:
            self._text = percent(probability)
            self.setValue(round(100 * probability))
            said = f"{self._label} {self._text}"
            if unsure:
                said = f"{self._label}: {tr('ui.findings.unsure')}"
            if interval is not None:
                said = f"{said}, {between(interval)}"
                self._text = percents(interval) if unsure else self._text
            self._describe(said)

    def _describe(self, text: str) -> None:
        self.setAccessibleName(f"{self._finding}: {text}")
        self.setAccessibleDescription(text)

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw label, track, value, the 50 % mark and the number."""
        colours, sizes = theme.current(), measures()
        painter = QPainter(self)
        width, height = self.width(), self.height()
        fused = self._kind == FUSED
        painter.setFont(sizes.number_font)
        painter.setPen(colours.muted if fused else colours.modality(self._kind))
        painter.drawText(QRectF(0, 0, sizes.label, height), _LEFT, self._label)
        track = QRectF(
            sizes.label,
            (height - self._thickness) / 2,
            width - sizes.label - sizes.number,
            self._thickness,
        )
        middle = round(track.center().x())
        self._draw_track(painter, track)
        written = sizes.small_metrics.horizontalAdvance(self._absent) if self._absent else 0.0
        if sizes.label + written < middle:  # the mark does not run through words
            painter.fillRect(QRectF(middle, 0, 1, height), colours.faint)
        if self._text:
            painter.setPen(colours.text if self._probability is not None else colours.faint)
            painter.drawText(QRectF(0, 0, width, height), _RIGHT, self._text)
        painter.end()

    def _draw_track(self, painter: QPainter, track: QRectF) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        radius = 2.0
        if self._absent:
            self._draw_absent(painter, track)
        else:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(_track(self))
            painter.drawRoundedRect(track, radius, radius)
            if self._probability is not None:
                self._draw_interval(painter, track)
                painter.setBrush(self._colour(0.55 if self._unsure else 1.0))
                track.setWidth(max(2.0, track.width() * self._probability))
                painter.drawRoundedRect(track, radius, radius)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _draw_interval(self, painter: QPainter, track: QRectF) -> None:
        """A pale band from one end to the other, under the bar, with a tick where it ends; the
        lower end is marked below the bar, which covers the band there."""
        if self._interval is None:
            return
        low, high = (track.left() + track.width() * end for end in self._interval)
        painter.setBrush(self._colour(0.3))
        painter.drawRect(QRectF(low, track.top(), high - low, track.height()))
        painter.setBrush(self._colour(0.9))
        for end in (low, high):
            reach = 1.0 if self._kind != FUSED else 1.5
            painter.drawRect(
                QRectF(round(end) - 0.5, track.top() - reach, 1, track.height() + 2 * reach)
            )

    def _colour(self, strength: float) -> QColor:
        """The modality's colour, more or less of it."""
        colour = QColor(theme.current().modality(self._kind))
        colour.setAlphaF(strength)
        return colour

    def _draw_absent(self, painter: QPainter, track: QRectF) -> None:
        """A dashed line where the track would be, and what the case lacks."""
        colours, sizes = theme.current(), measures()
        room = sizes.small_metrics.horizontalAdvance(self._absent)
        painter.setPen(colours.muted)
        painter.drawText(QRectF(track.left(), 0, room, self.height()), _LEFT, self._absent)
        painter.setPen(QPen(colours.faint, 1, Qt.PenStyle.DashLine))
        level = round(track.center().y()) + 0.5
        painter.drawLine(
            QPointF(track.left() + room + 2 * UNIT, level), QPointF(track.right(), level)
        )


class SplitStrip(QWidget):
    """Where the fused opinion comes from: what pushes it up stands right of zero, what pushes it
    down left of it, each in its modality's colour; a mark at the sum, which is the fused logit."""

    def __init__(self, finding: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(f"split.{finding}")
        self._finding = finding
        self._parts: list[tuple[str, float]] = []
        self.exclusive = False

    def set_opinion(self, opinion: FindingPrediction | None) -> None:
        """Show the contributions to one fused opinion, or nothing."""
        self._parts = contributions(opinion)
        said = split_sentence(opinion, exclusive=self.exclusive)
        self.setAccessibleName(f"{self._finding}: {said}")

    def paintEvent(self, _: QPaintEvent) -> None:
        """Draw the parts outward from zero, and the sum."""
        if not self._parts:
            return
        colours, sizes = theme.current(), measures()
        painter = QPainter(self)
        left, right = float(sizes.label), float(self.width() - sizes.number)
        zero = round((left + right) / 2) + 0.5
        scale = (right - left) / 2 / SPLIT_RANGE
        top, height = 2.0, float(self.height() - 3)
        up = down = zero
        painter.fillRect(QRectF(left, top + 1, right - left, 1), _track(self))
        for name, logit in self._parts:
            colour = colours.faint if name == "prior" else colours.modality(name)
            length = abs(logit) * scale
            if logit >= 0:
                end = min(right, up + length)
                painter.fillRect(QRectF(up, top, end - up, height), colour)
                up = end
            else:
                end = max(left, down - length)
                painter.fillRect(QRectF(end, top, down - end, height), colour)
                down = end
        painter.fillRect(QRectF(zero - 0.5, 0, 1, self.height()), colours.faint)
        total = sum(logit for _, logit in self._parts)
        at = min(right - 2, max(left, zero + total * scale - 1))
        painter.fillRect(QRectF(at - 1, 0, 4, self.height()), _backdrop(self))
        painter.fillRect(QRectF(at, 0, 2, self.height()), colours.text)
        painter.end()


def _track(widget: QWidget) -> QColor:
    """An empty track, as visible on the selected row as on the others."""
    colours = theme.current()
    if not getattr(widget.parentWidget(), "is_selected", False):
        return colours.track
    mixed = QColor(colours.faint)
    mixed.setAlphaF(0.35)
    return mixed


def _backdrop(widget: QWidget) -> QColor:
    """What the row behind a bar is filled with."""
    selected = getattr(widget.parentWidget(), "is_selected", False)
    return theme.current().selection if selected else theme.current().surface


def contributions(opinion: FindingPrediction | None) -> list[tuple[str, float]]:
    """The parts of the fused logit in the order they are told: modalities, then the prior. Empty
    without a fused opinion."""
    if opinion is None or opinion.fused is None:
        return []
    parts: Mapping[str, float] = opinion.contributions
    order = [name for name in opinion.modalities if name in parts]
    order += [name for name in parts if name not in order]
    return [*((name, parts[name]) for name in order), ("prior", opinion.prior)]


def split_sentence(opinion: FindingPrediction | None, *, exclusive: bool = False) -> str:
    """The exact numbers: ``image +1.21, report −0.44, prior −0.80 → 57 %``."""
    if opinion is None or opinion.fused is None:
        return ""
    parts = ", ".join(
        f"{part_name(name, exclusive=exclusive)} {signed(logit)}"
        for name, logit in contributions(opinion)
    )
    return f"{parts} → {percent(opinion.fused)}"


def doubt_sentence(opinion: FindingPrediction | None) -> str:
    """What the labels are not enough for, in words; empty where they are, or nothing is known."""
    if opinion is None or opinion.fused is None or not opinion.is_unsure(FUSED):
        return ""
    count = opinion.labels[FUSED]
    if not opinion.is_wide(FUSED):
        return tr("ui.findings.doubt_few", count=count)
    return tr("ui.findings.doubt", count=count, interval=between(opinion.intervals[FUSED]))


def part_name(name: str, *, exclusive: bool = False) -> str:
    """A contribution's name inside a sentence. In an exclusive group the prior counts what speaks
    for the others as well."""
    if name == "prior":
        return tr("ui.findings.others") if exclusive else tr("ui.findings.prior")
    return modality(name).lower()
