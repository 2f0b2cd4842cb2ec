"""Fonts and widths that every row of the findings panel shares, measured once a language."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtGui import QFont, QFontMetricsF

from mmreview.domain.cases import CLINICAL, IMAGE, TEXT
from mmreview.translation import language, tr
from mmreview.ui import theme
from mmreview.ui.theme import UNIT
from mmreview.ui.wording import modality

#: Left and right margin of a row.
MARGIN = 3 * UNIT


@dataclass(frozen=True, slots=True)
class Measures:
    """``line`` is the height of a small line, ``thin`` of one bar's line, ``control`` of the
    four-state control; ``label`` and ``number`` are the widths beside a bar's track."""

    title: QFont
    small: QFont
    small_bold: QFont
    number_font: QFont
    title_metrics: QFontMetricsF
    small_metrics: QFontMetricsF
    number_metrics: QFontMetricsF
    line: int
    thin: int
    control: int
    label: int
    number: int


def measures() -> Measures:
    """The measures of the language that is on."""
    return _measures(language())


@lru_cache(maxsize=4)
def _measures(spoken: str) -> Measures:
    small = theme.font(theme.SMALL)
    number = theme.font(theme.SMALL, tabular=True)
    title = theme.font(theme.BODY, bold=True)
    metrics = QFontMetricsF(small)
    labels = (tr("ui.modality.fused"), *map(modality, (IMAGE, TEXT, CLINICAL)))
    widest = max(metrics.horizontalAdvance(label) for label in labels)
    return Measures(
        title=title,
        small=small,
        small_bold=theme.font(theme.SMALL, bold=True),
        number_font=number,
        title_metrics=QFontMetricsF(title),
        small_metrics=metrics,
        number_metrics=QFontMetricsF(number),
        line=math.ceil(metrics.height()),
        # Chinese fills its line: bars cannot stand as close as beside Latin letters
        thin=max(3 * UNIT, round((1.0 if spoken.startswith("zh") else 0.84) * metrics.height())),
        control=max(5 * UNIT, math.ceil(metrics.height()) + UNIT),
        label=_on_grid(widest + 2 * UNIT),
        number=_on_grid(QFontMetricsF(number).horizontalAdvance("00–100 %") + UNIT),
    )


def _on_grid(width: float) -> int:
    return math.ceil(width / UNIT) * UNIT
