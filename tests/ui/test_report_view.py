"""The report: its words in a readable shape, its spans found again, nothing taken as markup."""

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QKeySequence, QShortcut, QTextCursor, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QVBoxLayout, QWidget

from mmreview.ui import theme
from mmreview.ui.report_document import measure
from mmreview.ui.report_panel import ReportPanel

REPORT = """INDICATION: Dyspnoea for three days. History of heart
   failure.

FINDINGS: Heart size is at the upper limit of normal. No pleural
effusion or pneumothorax.

IMPRESSION:
1. Mild congestion.
2. No effusion."""


@pytest.fixture
def panel(qtbot):
    made = ReportPanel()
    qtbot.addWidget(made)
    made.resize(400, 500)
    made.show()
    qtbot.waitExposed(made)
    return made


def shown(panel):
    return panel.view.toPlainText()


def marked(panel):
    return [selection.cursor.selectedText() for selection in panel.view.extraSelections()]


def format_of(panel, words):
    cursor = panel.view.document().find(words, 0)
    assert not cursor.isNull(), words
    return cursor.charFormat()


def amber_pixels(panel):
    image = panel.view.viewport().grab().toImage()
    amber = theme.current().report
    return sum(
        image.pixelColor(x, y) == amber
        for x in range(image.width())
        for y in range(image.height())
    )


def test_wrapped_lines_flow_and_paragraphs_and_lists_stay(panel):
    panel.show_report("a", REPORT)
    lines = shown(panel).split("\n")
    body = [line for line in lines if line.lower() not in ("indication", "findings", "impression")]
    assert body == [
        "Dyspnoea for three days. History of heart failure.",
        "Heart size is at the upper limit of normal. No pleural effusion or pneumothorax.",
        "1. Mild congestion.",
        "2. No effusion.",
    ]


def test_headings_are_small_and_muted_and_the_text_is_not(panel):
    panel.set_text_size(12)
    panel.show_report("a", REPORT)
    heading, body = format_of(panel, "findings"), format_of(panel, "Heart size")
    assert heading.fontPointSize() == theme.SMALL
    assert heading.foreground().color() == theme.current().muted
    assert body.fontPointSize() == 12
    assert body.foreground().color() == theme.current().text


def test_a_report_without_sections_is_all_there(panel):
    panel.show_report("a", "The chest is clear.\n\nNo change.")
    assert shown(panel) == "The chest is clear.\nNo change."


def test_markup_in_a_report_is_only_text(panel):
    text = "Nodule <b>5 mm</b> & <img src='x.png'> stable < 1 year."
    panel.show_report("a", text)
    assert shown(panel) == text


def test_no_line_is_longer_than_reads_well(panel, qapp):
    panel.resize(1400, 500)
    panel.show_report("a", "word " * 200)
    qapp.processEvents()
    block = panel.view.document().firstBlock()
    widths = [block.layout().lineAt(i).naturalTextWidth() for i in range(block.lineCount())]
    longest = max(len(block.text()[slice(line.textStart(), line.textStart() + line.textLength())])
                  for line in (block.layout().lineAt(i) for i in range(block.lineCount())))
    assert max(widths) <= measure(panel.text_size)
    assert 55 <= longest <= 80
    left = panel.view.cursorRect(QTextCursor(block)).left()
    right = panel.view.viewport().width() - left - measure(panel.text_size)
    assert left == pytest.approx(right, abs=2)  # in the middle


def test_marked_spans_find_their_words_across_wrapped_lines(panel):
    panel.show_report("a", REPORT)
    bare = amber_pixels(panel)
    start = REPORT.index("No pleural")
    panel.mark([(start, REPORT.index("\n\nIMPRESSION")), (len(REPORT) - 12, len(REPORT))])
    assert marked(panel) == ["No pleural effusion or pneumothorax.", "No effusion."]
    assert amber_pixels(panel) > bare + 20
    panel.show_report("b", REPORT)
    assert marked(panel) == []


def test_spans_count_characters_also_beyond_the_basic_plane(panel):
    text = "Seen 🫁🫁 both lungs.\n\n𝐂lear  bases,\tno effusion 🫀 today."
    panel.show_report("a", text)
    for words in ("both lungs", "𝐂lear", "effusion", "today"):
        start = text.index(words)
        panel.mark([(start, start + len(words))])
        assert marked(panel) == [words]
    panel.mark([(text.index("bases"), text.index("no eff") + 2)])
    assert marked(panel) == ["bases, no"]


def test_a_heading_can_be_marked_too(panel):
    panel.show_report("a", REPORT)
    panel.highlight("findings")
    assert [text.lower() for text in marked(panel)] == ["findings"]


def test_spans_in_what_is_not_shown_are_left_out(panel):
    panel.show_report("a", "One.\n\n\n\nTwo.")
    panel.mark([(4, 8), (200, 210), (0, 4)])
    assert marked(panel) == ["One."]


def test_a_search_term_is_marked_in_this_report_and_the_next(panel):
    panel.show_report("a", REPORT)
    panel.highlight("EFFUSION")
    assert marked(panel) == ["effusion", "effusion"]
    panel.highlight("heart failure")  # the report has a line break and blanks there
    assert marked(panel) == ["heart failure"]
    panel.show_report("b", "Old heart failure.")
    assert marked(panel) == ["heart failure"]
    panel.highlight("(.*")
    assert marked(panel) == []
    panel.highlight("")
    assert marked(panel) == []


def test_a_hit_far_down_comes_into_sight_and_the_next_follows(panel):
    text = "Plain words. " * 400 + "\n\nThe nodule.\n\n" + "More. " * 400 + "Nodule."
    panel.show_report("a", text)
    bar = panel.view.verticalScrollBar()
    assert bar.value() == 0
    panel.highlight("nodule")
    assert bar.value() > 0
    assert panel.show_next_hit()
    assert panel.view.textCursor().selectedText() == "nodule"
    first = panel.view.textCursor().position()
    assert panel.show_next_hit()
    assert panel.view.textCursor().position() > first
    assert panel.show_next_hit()
    assert panel.view.textCursor().position() == first
    panel.highlight("absent words")
    assert not panel.show_next_hit()


def test_it_is_copied_as_words_and_never_edited(panel):
    panel.show_report("a", "No effusion.")
    QTest.keyClicks(panel.view, "typed")
    assert shown(panel) == "No effusion."
    panel.view.selectAll()
    panel.view.copy()
    data = QApplication.clipboard().mimeData()
    assert data.text() == "No effusion."
    assert not data.hasHtml()


def test_text_size_by_wheel_and_by_verb_is_told_and_bounded(panel, qtbot):
    panel.set_text_size(11)
    panel.show_report("a", REPORT)
    sizes = []
    panel.textSizeChanged.connect(sizes.append)
    at = QPointF(50, 50)
    event = QWheelEvent(
        at, QPointF(panel.view.viewport().mapToGlobal(at)), QPoint(), QPoint(0, 120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.ControlModifier,
        Qt.ScrollPhase.NoScrollPhase, False,
    )
    QApplication.sendEvent(panel.view.viewport(), event)
    panel.text_larger()
    panel.text_smaller()
    assert sizes == [12, 13, 12]
    assert format_of(panel, "Heart size").fontPointSize() == 12
    panel.set_text_size(500)
    panel.text_larger()
    assert panel.text_size == sizes[-1] == 24


def test_an_absent_report_says_what_that_means(panel):
    for absent in (None, "", "  \n "):
        panel.show_report("a", REPORT)
        assert panel.view.placeholder is None
        panel.show_report("b", absent)
        assert panel.view.placeholder.title == "This case has no report"
        assert "what else the case has" in panel.view.placeholder.sentence
        assert shown(panel) == ""
    panel.highlight("x")
    panel.mark([(0, 3)])
    panel.clear()
    assert panel.view.placeholder is None


def test_another_theme_colours_the_text_anew(panel, qapp):
    panel.show_report("a", REPORT)
    theme.apply(qapp, "light")
    qapp.processEvents()
    assert format_of(panel, "Heart size").foreground().color() == theme.LIGHT.text
    assert format_of(panel, "findings").foreground().color() == theme.LIGHT.muted


def test_the_keys_of_the_window_work_while_the_report_has_the_focus(qtbot):
    window = QWidget()
    column = QVBoxLayout(window)
    panel = ReportPanel(window)
    column.addWidget(panel)
    qtbot.addWidget(window)
    pressed = []
    for key in ("1", "I", "Up", "Return", "?"):
        QShortcut(QKeySequence(key), window, activated=lambda key=key: pressed.append(key))
    window.show()
    qtbot.waitExposed(window)
    panel.show_report("a", REPORT)
    panel.view.setFocus()
    qtbot.waitUntil(panel.view.hasFocus)
    for key in (Qt.Key.Key_1, Qt.Key.Key_I, Qt.Key.Key_Up, Qt.Key.Key_Return):
        QTest.keyClick(panel.view, key)
    assert pressed == ["1", "I", "Up", "Return"]


def test_names_for_tests_and_assistive_technology(panel):
    assert panel.view.objectName() == "reportView"
    assert panel.view.accessibleName() == "Report of the open case"
    assert panel.header.button.objectName() == "reportMaximiseButton"
    assert "Ctrl+2" in panel.header.button.toolTip()
