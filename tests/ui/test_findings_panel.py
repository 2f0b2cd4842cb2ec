"""The findings panel, driven as a reader drives it and judged by what it shows."""

from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, Qt
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QProgressBar,
    QScrollArea,
    QToolTip,
    QWidget,
)

from mmreview.domain.errors import Message
from mmreview.domain.findings import Basis, Finding, FindingSchema, State
from mmreview.domain.predictions import FindingPrediction, Prediction, jensen_shannon_bits, sigmoid
from mmreview.domain.reads import FindingState
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.findings.panel import FindingsPanel

NAMES = (*(f"Finding {letter}" for letter in "ABCDEFGHIJKLM"), "Edema")
SCHEMA = FindingSchema("test", tuple(Finding(name, abbreviation=name[-1]) for name in NAMES))
READY = Message("prediction.ready", {"version": 7})


def opinion(name, image=0.91, text=0.08, units=None, **others):
    modalities = {"image": image, "text": text, **others}
    known = [p for p in modalities.values() if p is not None]
    units = units if units is not None else {"image": 2.0, "text": -1.0}
    contributions = {m: 0.6 * units[m] if m == "image" else 0.4 * units[m] for m in units}
    conflict = jensen_shannon_bits(*known) if len(known) == 2 else None
    fused = sigmoid(-0.5 + sum(contributions.values()))
    return FindingPrediction(name, fused, modalities, contributions, -0.5, units, conflict)


def prediction(**special):
    findings = tuple(special.get(n.replace(" ", "_")) or opinion(n, 0.3, 0.35) for n in NAMES)
    return Prediction("c1", 7, {"image": 0.6, "text": 0.4}, findings, reweightable=True)


def state(name, value, **more):
    more = {"reader": "Reader 2", "at": "2026-05-05T10:04:31.000000Z", "seq": 5, **more}
    return FindingState(name, value, **more)


@pytest.fixture
def panel(qtbot):
    made = FindingsPanel()
    qtbot.addWidget(made)
    made.set_schema(SCHEMA)
    made.resize(360, 560)
    made.show()
    yield made
    made.close()


def button(panel, name, value) -> QAbstractButton:
    return panel.findChild(QAbstractButton, f"finding.{name}.{value}")


def bar(panel, name, kind) -> QProgressBar:
    return panel.findChild(QProgressBar, f"bar.{name}.{kind}")


def header(panel) -> str:
    return panel.findChild(object, "findingsHeader").accessibleName()


def checked(panel, name):
    states = ("present", "absent", "uncertain", "not_assessable")
    return [value for value in states if button(panel, name, value).isChecked()]


def hover(widget) -> str:
    at = widget.rect().center()
    event = QHelpEvent(QEvent.Type.ToolTip, at, widget.mapToGlobal(at))
    QApplication.sendEvent(widget, event)
    return QToolTip.text()


def has_colour(widget, colour) -> bool:
    image = widget.grab().toImage()
    points = ((x, y) for x in range(image.width()) for y in range(image.height()))
    return any(image.pixelColor(x, y) == colour for x, y in points)


# --- what it shows -------------------------------------------------------------------------------


def test_bars_show_every_opinion_and_its_number(panel):
    panel.show_case({}, prediction(Edema=opinion("Edema")), READY)
    fused = bar(panel, "Edema", "fused")
    assert (bar(panel, "Edema", "image").value(), bar(panel, "Edema", "text").value()) == (91, 8)
    assert fused.value() == round(100 * sigmoid(-0.5 + 1.2 - 0.4))
    assert fused.accessibleDescription() == "Fused 57 %"
    assert bar(panel, "Edema", "text").accessibleName() == "Edema: Report 8 %"


def test_each_modality_has_its_own_colour_and_length(panel, dark):
    panel.show_case({}, prediction(Edema=opinion("Edema", 0.9, 0.2)), READY)
    lengths = {}
    for kind, colour in (("image", dark.image), ("text", dark.report), ("fused", dark.text)):
        image = bar(panel, "Edema", kind).grab().toImage()
        row = [image.pixelColor(x, image.height() // 2) for x in range(60, image.width() - 40)]
        lengths[kind] = row.count(colour)
    assert lengths["image"] > lengths["fused"] > lengths["text"] > 20


def test_the_middle_is_marked_at_the_same_place_in_every_bar(panel, dark):
    panel.show_case({}, prediction(), READY)
    places = set()
    for kind in ("fused", "image", "text"):
        image = bar(panel, "Edema", kind).grab().toImage()
        row = [x for x in range(60, image.width()) if image.pixelColor(x, 0) == dark.faint]
        places.add(tuple(row))
    assert len(places) == 1
    assert len(places.pop()) == 1


def test_a_missing_report_is_said_and_not_shown_as_zero(panel):
    lacking = opinion("Edema", text=None, units={"image": 2.0})
    panel.show_case({}, prediction(Edema=lacking), READY)
    text = bar(panel, "Edema", "text")
    assert text.value() == -1
    assert text.accessibleName() == "Edema: Report: no report"
    panel.show_case({}, prediction(), READY)
    assert text.value() == 35


def test_a_finding_that_nobody_labelled_says_so_and_not_that_the_image_is_missing(panel):
    parts = {"image": None, "text": None}
    nobody = FindingPrediction(
        "Edema", None, parts, {}, 0.0, {}, None, labels={"fused": 0, "image": 0, "text": 0}
    )
    panel.show_case({}, prediction(Edema=nobody), READY)
    unsure = tr("ui.findings.unsure")
    assert bar(panel, "Edema", "fused").accessibleName() == f"Edema: Fused: {unsure}"
    assert bar(panel, "Edema", "image").accessibleName() == "Edema: Image"
    assert bar(panel, "Edema", "text").value() == -1


def test_without_opinions_the_header_says_why(panel):
    panel.show_case({}, prediction(), READY)
    assert "Version 7" in header(panel)
    height = panel.findChild(object, "findingsHeader").height()
    panel.set_prediction(None, Message("prediction.pending"))
    assert tr("prediction.pending") in header(panel)
    assert bar(panel, "Edema", "fused").value() == -1
    assert panel.findChild(object, "findingsHeader").height() == height, "nothing jumps"
    panel.set_prediction(None, Message("prediction.audit_blind"))
    assert tr("prediction.audit_blind") in header(panel)
    assert panel.findChild(object, "findingsHeader").height() > height


def test_a_what_if_is_marked(panel):
    shown = prediction()
    panel.show_case({}, shown, READY)
    assert "what-if" not in header(panel)
    panel.set_prediction(shown.reweighted({"image": 1.0, "text": 0.0}), READY)
    assert "what-if" in header(panel)


def test_a_third_modality_gets_a_bar_of_its_own(panel):
    three = opinion("Edema", units={"image": 1.0, "text": 1.0, "lab_values": 1.0}, lab_values=0.7)
    panel.show_case({}, prediction(Edema=three), READY)
    panel.select("Edema")
    assert bar(panel, "Edema", "lab_values").accessibleName() == "Edema: Lab values 70 %"
    assert bar(panel, "Edema", "lab_values").y() > bar(panel, "Edema", "text").y()


def test_the_header_counts(panel):
    states = {
        "Edema": state("Edema", State.PRESENT),
        "Finding A": state("Finding A", State.ABSENT),
        "Finding B": state("Finding B", State.ABSENT),
    }
    panel.show_case(states, None, Message("prediction.pending"))
    assert "3 of 14 read" in header(panel)
    assert "1 present   2 absent" in header(panel)
    panel.set_state(FindingState("Edema", State.UNSET))
    assert "2 of 14 read" in header(panel)


def test_showing_another_case_leaves_nothing_behind(panel):
    panel.show_case({"Edema": state("Edema", State.PRESENT)}, prediction(), READY)
    panel.set_unsaved("Edema", True)
    panel.show_case({}, None, Message("prediction.no_model"))
    panel.select("Edema")
    assert checked(panel, "Edema") == []
    assert "not read yet" in hover(bar(panel, "Edema", "fused"))
    assert not has_colour(panel, theme.current().bad)


# --- states --------------------------------------------------------------------------------------


def test_a_click_wishes_and_the_page_decides(panel, qtbot):
    wished = []
    panel.stateChosen.connect(lambda finding, value: wished.append((finding, value)))
    qtbot.mouseClick(button(panel, "Finding B", "absent"), Qt.MouseButton.LeftButton)
    assert wished == [("Finding B", "absent")]
    assert panel.current_finding() == "Finding B"
    assert checked(panel, "Finding B") == [], "nothing is shown that was not told"
    panel.set_state(state("Finding B", State.ABSENT))
    assert checked(panel, "Finding B") == ["absent"]
    qtbot.mouseClick(button(panel, "Finding B", "absent"), Qt.MouseButton.LeftButton)
    assert wished[-1] == ("Finding B", "unset")


def test_the_held_state_is_filled_with_the_foreground(panel, dark):
    panel.set_state(state("Finding A", State.UNCERTAIN))
    assert has_colour(button(panel, "Finding A", "uncertain"), dark.text)
    assert not has_colour(button(panel, "Finding A", "present"), dark.text)


def test_unsaved_is_red_and_in_words_until_it_is_saved(panel, dark):
    panel.set_state(state("Finding C", State.PRESENT))
    row = button(panel, "Finding C", "present").parentWidget().parentWidget()
    before = row.grab().toImage()
    panel.set_unsaved("Finding C", True)
    assert has_colour(button(panel, "Finding C", "present"), dark.bad)
    assert has_colour(row, dark.bad)
    panel.set_unsaved("Finding C", False)
    assert row.grab().toImage() == before


def test_who_and_when_are_one_hover_away(panel):
    held = state("Edema", State.PRESENT, basis=Basis.IMAGE, previous=State.ABSENT)
    panel.show_case({"Edema": held}, prediction(Edema=opinion("Edema")), READY)
    tip = hover(bar(panel, "Edema", "fused"))
    assert "Edema (a): present" in tip
    assert "Basis: image · was absent · Reader 2 2026-05-05" in tip
    assert "Image and report contradict each other (." in tip
    assert "image +1.20, report −0.40, prior −0.50 → 57 %" in tip


def test_a_label_of_the_import_says_so(panel):
    label = FindingState("Edema", State.ABSENT)
    panel.show_case({"Edema": label}, prediction(), READY)
    assert "from the import" in hover(bar(panel, "Edema", "fused"))


def test_a_read_only_project_takes_no_state(panel, qtbot):
    wished = []
    panel.stateChosen.connect(lambda *what: wished.append(what))
    panel.set_enabled_for_reading(False)
    qtbot.mouseClick(button(panel, "Finding B", "absent"), Qt.MouseButton.LeftButton)
    panel.choose(State.PRESENT)
    panel.choose_basis(Basis.IMAGE)
    assert wished == []
    assert "Read-only" in header(panel)
    panel.set_enabled_for_reading(True)
    panel.choose(State.PRESENT)
    assert wished == [("Finding A", "present")]


def test_the_basis_is_chosen_in_the_selected_row(panel, qtbot):
    chosen = []
    panel.basisChosen.connect(lambda *what: chosen.append(what))
    panel.select("Finding B")
    image = panel.findChild(QAbstractButton, "basis.Finding B.image")
    assert image.isVisible()
    assert not panel.findChild(QAbstractButton, "basis.Finding A.image").isVisible()
    qtbot.mouseClick(image, Qt.MouseButton.LeftButton)
    assert chosen == [("Finding B", "image")]
    panel.set_state(FindingState("Finding B", State.UNSET, basis=Basis.IMAGE))
    assert image.isChecked()


# --- moving --------------------------------------------------------------------------------------


def test_up_and_down_go_through_the_findings_and_stay_in_view(panel, qtbot):
    seen = []
    panel.selectionChanged.connect(seen.append)
    panel.setFocus()
    for _ in range(len(NAMES) + 3):
        qtbot.keyClick(panel, Qt.Key.Key_Down)
    assert seen == list(NAMES[1:])
    scroll = panel.findChild(QScrollArea)
    last = bar(panel, "Edema", "text")
    at = last.mapTo(scroll.viewport(), QPoint(0, last.height()))
    assert 0 < at.y() <= scroll.viewport().height()
    qtbot.keyClick(panel, Qt.Key.Key_Up)
    assert panel.current_finding() == "Finding M"
    qtbot.keyClick(panel, Qt.Key.Key_Home)
    assert panel.current_finding() == "Finding A"


def test_keys_inside_a_row(panel, qtbot, monkeypatch):
    monkeypatch.setattr(panel, "isActiveWindow", lambda: True)
    panel.activateWindow()
    first = button(panel, "Finding A", "present")
    wished = []
    panel.stateChosen.connect(lambda *what: wished.append(what))
    qtbot.keyClick(first, Qt.Key.Key_Right)
    assert panel.focusWidget() is button(panel, "Finding A", "absent")
    qtbot.keyClick(panel.focusWidget(), Qt.Key.Key_Space)
    assert wished == [("Finding A", "absent")]
    qtbot.keyClick(panel.focusWidget(), Qt.Key.Key_Down)
    assert panel.current_finding() == "Finding B"


def test_six_findings_fit_beside_the_smallest_window(panel):
    panel.resize(360, 525)
    panel.show_case({}, prediction(), READY)
    scroll = panel.findChild(QScrollArea)
    bottoms = [
        bar(panel, name, "text").mapTo(scroll.viewport(), QPoint(0, 12)).y() for name in NAMES
    ]
    assert sum(bottom <= scroll.viewport().height() for bottom in bottoms) >= 6


def test_only_the_selected_row_says_the_conflict_in_words(panel, dark):
    panel.show_case({}, prediction(Edema=opinion("Edema")), READY)
    panel.select("Finding M")
    row = bar(panel, "Edema", "fused").parentWidget()
    closed = row.height()
    assert has_colour(row, dark.conflict), "the bolt is there on every row"
    panel.select("Edema")
    assert row.height() > closed + 40
    assert has_colour(row, dark.conflict_surface)


def test_a_ranked_conflict_says_how_rare_it_is(panel):
    rare = replace(opinion("Edema"), conflict=0.15, conflict_rank=0.985)
    panel.show_case({}, prediction(Edema=rare), READY)
    row = bar(panel, "Edema", "fused").parentWidget()
    assert row.has_conflict
    assert "top 2 % of conflicts" in row.conflict_sentence()
    panel.show_case({}, prediction(Edema=replace(rare, conflict_rank=0.5)), READY)
    assert not row.has_conflict


def filled(widget, colour) -> int:
    """How many points of the bar's own line have its colour."""
    image = widget.grab().toImage()
    level = image.height() // 2
    return sum(image.pixelColor(x, level) == colour for x in range(60, image.width() - 60))


def test_few_labels_show_how_sure_an_opinion_is_and_many_only_when_selected(panel):
    bounds = {"fused": (0.41, 0.71), "image": (0.8, 0.95), "text": (0.02, 0.3)}
    many = replace(opinion("Edema"), intervals=bounds, labels=dict.fromkeys(bounds, 60))
    few = replace(many, labels=dict.fromkeys(bounds, 6))
    panel.select("Finding A")
    fused = bar(panel, "Edema", "fused")
    panel.show_case({}, prediction(Edema=many), READY)
    assert fused.accessibleDescription() == "Fused 57 %"
    panel.show_case({}, prediction(Edema=few), READY)
    assert fused.accessibleDescription() == "Fused 57 %, between 41 and 71 %"
    panel.show_case({}, prediction(Edema=many), READY)
    panel.select("Edema")
    assert fused.accessibleDescription() == "Fused 57 %, between 41 and 71 %"


def test_not_enough_labels_is_an_opinion(panel, dark):
    sure = opinion("Edema", 0.9, 0.2)
    bounds = {"fused": (0.1, 0.9), "image": (0.25, 0.97), "text": (0.1, 0.3)}
    doubt = replace(sure, intervals=bounds, labels=dict.fromkeys(bounds, 6))
    panel.select("Edema")
    image = bar(panel, "Edema", "image")
    row = image.parentWidget()
    panel.show_case({}, prediction(Edema=sure), READY)
    full, height = filled(image, dark.image), row.height_needed()
    panel.show_case({}, prediction(Edema=doubt), READY)
    assert filled(image, dark.image) < full / 4, "pale"
    assert image.accessibleDescription() == (
        "Image: not enough labels to say, between 25 and 97 %"
    )
    assert row.height_needed() > height
    assert "Not enough labels to say (only 6): between 10 and 90 %" in row.summary()
    assert bar(panel, "Edema", "text").accessibleDescription() == (
        "Report 20 %, between 10 and 30 %"
    )


def test_next_to_no_labels_are_not_enough_however_narrow_the_interval(panel):
    bounds = {"fused": (0.55, 0.6), "image": (0.9, 0.92), "text": (0.07, 0.09)}
    bare = replace(opinion("Edema"), intervals=bounds, labels=dict.fromkeys(bounds, 2))
    panel.select("Edema")
    panel.show_case({}, prediction(Edema=bare), READY)
    fused = bar(panel, "Edema", "fused")
    assert fused.accessibleDescription() == "Fused: not enough labels to say"
    assert "Not enough labels to say (only 2)" in fused.parentWidget().summary()


def test_the_header_asks_about_a_wrong_pair_only_where_it_is_likely(panel, dark):
    top = panel.findChild(QWidget, "findingsHeader")
    panel.show_case({}, replace(prediction(), wrong_pair=0.05), READY)
    assert "Wrong pair" not in header(panel)
    assert not has_colour(top, dark.conflict)
    panel.show_case({}, replace(prediction(), wrong_pair=0.62, what_if=True), READY)
    assert "Wrong pair? The report may belong to another patient (62 %)" in header(panel)
    assert has_colour(top, dark.conflict)
    panel.show_case({}, None, Message("prediction.no_model"))
    assert "Wrong pair" not in header(panel)


def test_another_theme_is_one_repaint(panel, qapp):
    panel.show_case({}, prediction(), READY)
    theme.apply(qapp, "light")
    assert has_colour(bar(panel, "Edema", "image"), theme.LIGHT.image)


def test_a_new_schema_replaces_the_rows(panel):
    panel.set_schema(FindingSchema("two", (Finding("One"), Finding("Two"))))
    assert panel.current_finding() == "One"
    panel.show_case({"Two": state("Two", State.PRESENT)}, None, Message("prediction.no_model"))
    assert "1 of 2 read" in header(panel)


def test_another_case_is_painted_once(panel, qapp):
    class Counter(QObject):
        painted = 0

        def eventFilter(self, _, event):
            self.painted += event.type() == QEvent.Type.Paint
            return False

    panel.show_case({}, prediction(), READY)
    qapp.processEvents()
    counter = Counter()
    bar(panel, "Finding B", "image").installEventFilter(counter)
    held = {"Finding B": state("Finding B", State.PRESENT)}
    panel.show_case(held, prediction(Finding_B=opinion("Finding B")), READY)
    assert counter.painted == 0, "values first"
    qapp.processEvents()
    assert counter.painted == 1
