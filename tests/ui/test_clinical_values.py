"""Clinical values on the review page: only where a project has them, with marks and parts."""

import pytest
from PySide6.QtCore import QEvent, QPoint
from PySide6.QtGui import QHelpEvent
from PySide6.QtWidgets import QApplication, QProgressBar, QToolTip, QWidget

from mmreview.domain.errors import Message
from mmreview.domain.findings import Finding, FindingSchema
from mmreview.domain.predictions import FindingPrediction, Prediction, jensen_shannon_bits, sigmoid
from mmreview.ui import theme
from mmreview.ui.findings.panel import FindingsPanel
from mmreview.ui.values_section import ValuesSection, written

VALUES = {"age": 71.0, "sex": 0.0, "temperature": 38.9, "oxygen_saturation": 88.0, "crp": 4.0}


@pytest.fixture
def section(qtbot):
    made = ValuesSection()
    qtbot.addWidget(made)
    made.resize(280, 200)
    made.show()
    yield made
    made.close()


def told(section):
    return section.findChild(QWidget, "clinicalValueLines").accessibleName()


def test_values_are_told_with_unit_and_deviation(section):
    section.show_values(VALUES)
    assert told(section) == (
        "Age 71 y; Sex female; Temperature 38.9 °C, above 36 – 37.5; "
        "O₂ saturation 88 %, below 95 – 100; CRP 4 mg/L"
    )
    section.show_values({})
    assert told(section) == "No clinical values of this case"


def test_numbers_are_written_as_clinicians_do():
    assert written("leukocytes", 7.0) == "7.0 10⁹/L"
    assert written("nt_probnp", 12500.0) == "12,500 ng/L"
    assert written("d_dimer", 0.25) == "0.25 mg/L"


def test_parts_are_of_the_selected_finding(section):
    section.show_values(VALUES)
    plain = section.grab().toImage()
    section.set_parts("Edema", {"temperature": 0.42, "age": -0.1})
    assert "Temperature 38.9 °C, above 36 – 37.5; Edema +0.42" in told(section)
    assert "Age 71 y; Edema −0.10" in told(section)
    assert section.grab().toImage() != plain
    section.set_parts("Fracture", {})
    assert "Edema" not in told(section)
    section.set_parts("Edema", {"age": 1.0})
    section.show_values(VALUES)  # another case
    assert "Edema" not in told(section)


def test_the_tooltip_says_all_about_the_value_under_the_pointer(section):
    section.show_values(VALUES)
    lines = section.findChild(QWidget, "clinicalValueLines")
    at = QPoint(20, 4 + 2 * lines.line + lines.line // 2)
    QApplication.sendEvent(lines, QHelpEvent(QEvent.Type.ToolTip, at, lines.mapToGlobal(at)))
    assert QToolTip.text() == "Temperature 38.9 °C, above 36 – 37.5"


def test_many_values_scroll_and_end_with_a_whole_line(section):
    names = (
        "age", "temperature", "heart_rate", "respiratory_rate", "systolic", "diastolic",
        "oxygen_saturation", "leukocytes", "neutrophils", "platelets",
    )
    section.show_values(dict.fromkeys(names, 50.0))
    lines = section.findChild(QWidget, "clinicalValueLines")
    shown = section._scroll.height()
    assert lines.minimumHeight() > shown
    assert (shown - 4) % lines.line == 0


def prediction(**own):
    known = [p for p in own.values() if p is not None]
    conflict = max(jensen_shannon_bits(a, b) for i, a in enumerate(known) for b in known[:i])
    units = {m: 1.2 for m, p in own.items() if p is not None}
    parts = {m: unit / 3 for m, unit in units.items()}
    finding = FindingPrediction(
        "Edema", sigmoid(-0.5 + sum(parts.values())), own, parts, -0.5, units, conflict
    )
    return Prediction("c", 7, dict.fromkeys(own, 1 / 3), (finding,), reweightable=True)


@pytest.fixture
def panel(qtbot):
    made = FindingsPanel()
    qtbot.addWidget(made)
    made.set_schema(FindingSchema("s", (Finding("Edema"),)), ("image", "text", "clinical"))
    made.resize(330, 300)
    made.show()
    yield made
    made.close()


def test_each_finding_has_a_third_bar_in_its_own_colour(panel):
    ready = Message("prediction.ready", {"version": 7})
    panel.show_case({}, prediction(image=0.5, text=0.4, clinical=0.7), ready)
    bar = panel.findChild(QProgressBar, "bar.Edema.clinical")
    assert bar.value() == 70
    assert bar.accessibleName().startswith("Edema: Values 70 %")
    for look in (theme.DARK, theme.LIGHT):
        assert look.modality("clinical") == look.clinical
        assert look.clinical not in (look.image, look.report, look.text, look.muted)
    panel.show_case({}, prediction(image=0.5, text=0.4, clinical=None), ready)
    assert "no values" in bar.accessibleName()


def test_a_conflict_names_the_two_that_contradict_each_other(panel):
    ready = Message("prediction.ready", {"version": 7})
    panel.show_case({}, prediction(image=0.95, text=0.6, clinical=0.04), ready)
    row = panel.findChild(QWidget, "row.Edema")
    assert row.conflict_sentence().startswith("Image and values contradict each other")
    panel.show_case({}, prediction(image=0.95, text=0.04, clinical=0.6), ready)
    assert row.conflict_sentence().startswith("Image and report contradict each other")


def test_the_split_of_three_and_the_prior_takes_two_lines(panel):
    ready = Message("prediction.ready", {"version": 7})
    row = panel.findChild(QWidget, "row.Edema")
    panel.show_case({}, prediction(image=0.5, text=0.4, clinical=None), ready)
    two = row.height_needed()
    panel.show_case({}, prediction(image=0.5, text=0.4, clinical=0.5), ready)
    assert row.height_needed() > two
    summary = row.summary()
    assert "image +0.40, report +0.40, values +0.40, prior −0.50" in summary


def test_the_page_shows_values_only_where_the_project_has_them(window, qtbot):
    page = window.page
    values = page.findChild(QWidget, "clinicalValues")
    assert not values.isVisible()
    assert page.findChild(QProgressBar, "bar.Edema.clinical") is None
    window.session.desk.predicting._features.join("clinical")
    page.reload()  # as after an import
    assert values.isVisible()
    assert told(values).startswith("Age 4")
    assert page.findChild(QProgressBar, "bar.Edema.clinical") is not None
