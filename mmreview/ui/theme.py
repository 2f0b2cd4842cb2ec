"""The look: colours that mean something, one type family in three sizes, a 4-pixel grid.

Widgets that paint themselves ask ``current()`` while painting, so that a change of theme is one
``update``; Qt's own widgets follow the palette and one small style sheet. Image is blue, report
amber and clinical values are teal everywhere (told apart by colour-blind people, and by position),
fused is the foreground, red only for what was lost or refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QIcon,
    QPainter,
    QPalette,
    QPen,
    QPixmap,
    QPolygonF,
)
from PySide6.QtWidgets import QApplication

from mmreview import paths
from mmreview.translation import language

#: The grid: margins, gaps and heights are multiples of it.
UNIT = 4


@dataclass(frozen=True, slots=True)
class Theme:
    """One set of colours. Contrast of ``text`` on ``surface`` is at least 7:1, of ``muted`` 4.5:1.

    ``canvas`` is behind images; ``line`` separates; ``selection`` marks the current row;
    ``track`` is an empty bar; ``on_fill`` is text upon a filled ``text``-coloured button.
    """

    name: str
    canvas: QColor
    background: QColor
    surface: QColor
    raised: QColor
    line: QColor
    track: QColor
    text: QColor
    muted: QColor
    faint: QColor
    selection: QColor
    focus: QColor
    image: QColor
    report: QColor
    clinical: QColor
    conflict: QColor
    conflict_surface: QColor
    good: QColor
    bad: QColor
    on_fill: QColor

    def modality(self, name: str) -> QColor:
        """The colour of a modality (``image``, ``text``, ``clinical``), of ``fused``, or a neutral
        one."""
        colour: QColor = getattr(self, role_of(name))
        return colour


#: The role whose colour a modality has; any other is neutral.
_ROLES = {"image": "image", "text": "report", "clinical": "clinical", "fused": "text"}


def role_of(modality: str) -> str:
    """The role that a modality's colour has in a theme."""
    return _ROLES.get(modality, "muted")


def _theme(name: str, **colours: str) -> Theme:
    return Theme(name=name, **{role: QColor(value) for role, value in colours.items()})


DARK = _theme(
    "dark", canvas="#000000", background="#0f1216", surface="#16191f", raised="#1e232b",
    line="#2a303a", track="#262c36", text="#e8eaee", muted="#98a1ae", faint="#66707e",
    selection="#212b38", focus="#7fb2ff", image="#5b9dff", report="#eba43c",
    clinical="#35c9a5", conflict="#f5c26b",
    conflict_surface="#33270f", good="#5cc282", bad="#ff7b72", on_fill="#14171c",
)
LIGHT = _theme(
    "light", canvas="#000000", background="#eceef1", surface="#fbfcfd", raised="#ffffff",
    line="#d5dae1", track="#e0e4ea", text="#171b21", muted="#566070", faint="#8a93a0",
    selection="#dfe9f8", focus="#1f63c6", image="#1f63c6", report="#a85f00",
    clinical="#007a66", conflict="#7a4a00",
    conflict_surface="#fdf0d8", good="#1d7a44", bad="#c22f28", on_fill="#ffffff",
)

_chosen = DARK


def current() -> Theme:
    """The theme that is on."""
    return _chosen


def resolve(name: str, application: QApplication) -> Theme:
    """The theme called ``name``: dark, light, or what the system uses."""
    if name == "system":
        dark = application.styleHints().colorScheme() != Qt.ColorScheme.Light
        return DARK if dark else LIGHT
    return LIGHT if name == "light" else DARK


def apply(application: QApplication, name: str) -> Theme:
    """Turn a theme on for the whole application, and repaint what is there."""
    global _chosen
    if application.style().name().lower() != "fusion":
        application.setStyle("Fusion")
    _chosen = resolve(name, application)
    application.setFont(font())
    application.setPalette(_palette(_chosen))
    application.setStyleSheet(_style_sheet(_chosen))
    for widget in application.allWidgets():
        widget.update()
    return _chosen


# --- type ---------------------------------------------------------------------------------------

#: The three sizes, in points: captions and numbers, body, titles.
SMALL, BODY, TITLE = 8.5, 10.0, 13.0


@lru_cache(maxsize=1)
def family() -> str:
    """The one type family: Inter, which travels with the program, else the system's own."""
    found = ""
    for path in sorted((paths.resources() / "fonts").glob("*.otf")):
        number = QFontDatabase.addApplicationFont(str(path))
        for name in QFontDatabase.applicationFontFamilies(number) if number >= 0 else ():
            found = name if not found or len(name) < len(found) else found
    return found or QApplication.font().family()


def _face(weight: int) -> str:
    """The family that holds a weight: some systems file Inter's semi-bold under a name of its own
    and would embolden the regular one instead."""
    own = f"{family()} Semi Bold"
    heavy = weight >= QFont.Weight.DemiBold.value
    return own if heavy and own in QFontDatabase.families() else family()


#: Faces with simplified Chinese, the first that is there is used. Left to itself, Qt takes any face
#: that has the characters, and a Japanese one draws some of them differently.
_CHINESE = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei UI",
    "Microsoft YaHei", "WenQuanYi Micro Hei",
)


@lru_cache(maxsize=4)
def _beside(language: str) -> tuple[str, ...]:
    """Families for the characters that Inter lacks."""
    if not language.startswith("zh"):
        return ()
    there = set(QFontDatabase.families())
    return tuple(name for name in _CHINESE if name in there)[:1]


@lru_cache(maxsize=64)
def _font(size: float, weight: int, tabular: bool, language: str) -> QFont:
    made = QFont([_face(weight), *_beside(language)])
    made.setPointSizeF(size)
    made.setWeight(QFont.Weight(weight))
    if tabular:
        made.setFeature(QFont.Tag("tnum"), 1)
    return made


def font(size: float = BODY, *, bold: bool = False, tabular: bool = False) -> QFont:
    """The family in one of the three sizes; ``tabular`` for numbers that stand in columns."""
    weight = QFont.Weight.DemiBold if bold else QFont.Weight.Normal
    return QFont(_font(size, int(weight.value), tabular, language()))


# --- icons --------------------------------------------------------------------------------------


def dot(colour: QColor, *, size: int = 8, filled: bool = True) -> QPixmap:
    """A round mark at twice the size, so that it is sharp on any screen."""
    pixmap = QPixmap(size * 2, size * 2)
    pixmap.setDevicePixelRatio(2.0)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(colour, 1.2))
    painter.setBrush(colour if filled else Qt.BrushStyle.NoBrush)
    painter.drawEllipse(QRectF(1, 1, size - 2, size - 2))
    painter.end()
    return pixmap


def draw_bolt(painter: QPainter, box: QRectF, colour: QColor) -> None:
    """The conflict mark: a lightning bolt that fills ``box``."""
    shape = ((0.58, 0.0), (0.12, 0.56), (0.46, 0.56), (0.38, 1.0), (0.88, 0.40), (0.54, 0.40))
    points = [QPointF(box.x() + x * box.width(), box.y() + y * box.height()) for x, y in shape]
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)
    painter.drawPolygon(QPolygonF(points))
    painter.restore()


def window_icon() -> QIcon:
    """The program's icon."""
    folder = paths.resources() / "icons"
    icon = QIcon()
    for path in sorted(folder.glob("mmreview*.png")):
        icon.addFile(str(path))
    return icon


# --- Qt's own widgets ---------------------------------------------------------------------------


def _palette(theme: Theme) -> QPalette:
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: theme.surface,
        QPalette.ColorRole.WindowText: theme.text,
        QPalette.ColorRole.Base: theme.surface,
        QPalette.ColorRole.AlternateBase: theme.raised,
        QPalette.ColorRole.Text: theme.text,
        QPalette.ColorRole.PlaceholderText: theme.faint,
        QPalette.ColorRole.Button: theme.raised,
        QPalette.ColorRole.ButtonText: theme.text,
        QPalette.ColorRole.BrightText: theme.bad,
        QPalette.ColorRole.ToolTipBase: theme.raised,
        QPalette.ColorRole.ToolTipText: theme.text,
        QPalette.ColorRole.Highlight: theme.selection,
        QPalette.ColorRole.HighlightedText: theme.text,
        QPalette.ColorRole.Link: theme.image,
        QPalette.ColorRole.Accent: theme.focus,
        QPalette.ColorRole.Mid: theme.line,
        QPalette.ColorRole.Dark: theme.line,
        QPalette.ColorRole.Light: theme.raised,
        QPalette.ColorRole.Midlight: theme.raised,
        QPalette.ColorRole.Shadow: theme.background,
    }
    for role, colour in roles.items():
        palette.setColor(role, colour)
    for role in (
        QPalette.ColorRole.WindowText, QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText
    ):
        palette.setColor(QPalette.ColorGroup.Disabled, role, theme.faint)
    return palette


def _style_sheet(theme: Theme) -> str:
    """Rules for Qt's own widgets, by type or property; nothing that repeats per row is styled
    here (such widgets paint themselves)."""
    t = {role: getattr(theme, role).name() for role in (
        "background", "surface", "raised", "line", "text", "muted", "faint", "selection", "focus",
        "image", "on_fill", "bad",
    )}
    return f"""
    QToolTip {{ background: {t['raised']}; color: {t['text']}; border: 1px solid {t['line']};
        padding: 4px 8px; }}
    QPushButton {{ background: {t['raised']}; border: 1px solid {t['line']}; border-radius: 4px;
        padding: 4px 12px; min-height: 18px; }}
    QPushButton:hover {{ border-color: {t['faint']}; }}
    QPushButton:pressed {{ background: {t['selection']}; }}
    QPushButton:focus {{ border-color: {t['focus']}; }}
    QPushButton:disabled {{ color: {t['faint']}; }}
    QPushButton[primary="true"] {{ background: {t['text']}; color: {t['on_fill']};
        border-color: {t['text']}; font-weight: 600; }}
    QPushButton[primary="true"]:disabled {{ background: {t['line']}; color: {t['faint']};
        border-color: {t['line']}; }}
    QPushButton[primary="true"]:focus {{ border-color: {t['focus']}; }}
    QLineEdit, QSpinBox, QComboBox {{ background: {t['background']}; color: {t['text']};
        border: 1px solid {t['line']}; border-radius: 4px; padding: 4px 8px; min-height: 18px;
        selection-background-color: {t['image']}; selection-color: {t['on_fill']}; }}
    QSpinBox QLineEdit, QComboBox QLineEdit {{ border: none; padding: 0 6px; min-height: 0;
        background: transparent; }}
    QSpinBox {{ padding: 1px 4px; min-height: 16px; }}
    QSpinBox::up-button, QSpinBox::down-button {{ width: 0; border: none; }}
    QLineEdit:focus, QSpinBox:focus, QComboBox:focus {{ border-color: {t['focus']}; }}
    QLineEdit:disabled, QSpinBox:disabled, QSpinBox:disabled QLineEdit, QComboBox:disabled {{
        color: {t['faint']}; }}
    QMenu {{ background: {t['raised']}; border: 1px solid {t['line']}; padding: 4px; }}
    QMenu::item {{ padding: 4px 24px 4px 12px; border-radius: 3px; }}
    QMenu::item:selected {{ background: {t['selection']}; }}
    QMenu::item:disabled {{ color: {t['faint']}; }}
    QMenu::separator {{ height: 1px; background: {t['line']}; margin: 4px 8px; }}
    QMenuBar {{ background: {t['surface']}; }}
    QMenuBar::item {{ padding: 4px 8px; background: transparent; }}
    QMenuBar::item:selected {{ background: {t['selection']}; border-radius: 3px; }}
    QSplitter::handle {{ background: {t['line']}; }}
    QSplitter::handle:horizontal {{ width: 1px; }}
    QSplitter::handle:vertical {{ height: 1px; }}
    QScrollBar:vertical {{ background: transparent; width: 10px; margin: 0; }}
    QScrollBar:horizontal {{ background: transparent; height: 10px; margin: 0; }}
    QScrollBar::handle {{ background: {t['line']}; border-radius: 3px; margin: 2px; }}
    QScrollBar::handle:vertical {{ min-height: 32px; }}
    QScrollBar::handle:horizontal {{ min-width: 32px; }}
    QScrollBar::handle:hover {{ background: {t['faint']}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QAbstractScrollArea {{ border: none; background: {t['surface']}; }}
    QLabel[muted="true"] {{ color: {t['muted']}; }}
    QLabel[bad="true"] {{ color: {t['bad']}; }}
    QFrame[rule="true"] {{ background: {t['line']}; border: none; }}
    """
