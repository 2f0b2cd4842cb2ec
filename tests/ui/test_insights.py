"""The Insights in a real window: what is missing, what was measured, and rounds that go first."""

import csv
from itertools import pairwise

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QTableWidget, QWidget

from mmreview.domain.cases import Partition
from mmreview.domain.findings import State
from mmreview.domain.insights import (
    Agreement,
    Attempt,
    Comparison,
    Insights,
    Pace,
    Readiness,
    Share,
)
from mmreview.domain.repeats import Consistency
from mmreview.store.engine import open_store
from mmreview.tasks.task import Lane
from mmreview.ui.dialogs.insights import InsightsDialog
from mmreview.ui.insights.plot import Point, Series, SeriesPlot, ticks
from tests.fakes import draft


def open_page(window):
    window.acts.actions["insights"].trigger()
    [dialog] = [d for d in window.findChildren(QWidget, "insightsDialog") if d.isVisible()]
    return dialog


def finish(work):
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def press(dialog, name):
    QTest.mouseClick(dialog.findChild(QAbstractButton, name), Qt.MouseButton.LeftButton)


def said(parent, name):
    return parent.findChild(QWidget, name).accessibleName()


@pytest.fixture
def read_project(project):
    """Some 60 further cases, of which 22 from the queue and 21 of the control arm were read."""
    store = open_store(project)
    kinds = [Partition.TRAIN] * 22 + [Partition.CONTROL] * 21 + [Partition.AUDIT] * 20
    store.cases.upsert(
        [draft(n, partition=kind, labels={"Edema": State.PRESENT if n % 2 else State.ABSENT})
         for n, kind in enumerate(kinds, start=7)]
    )
    store.close()
    return project


def read_arms(desk, count=43):
    for key in range(7, 7 + count):
        desk.reviewing.commit_read(key, reader="Ada", version=1)


@pytest.fixture
def read_window(make_window, read_project):
    window = make_window()
    window.open_project(read_project)
    window.session.prepare()
    read_arms(window.session.desk)
    window.session.measuring.summarise()
    return window


def test_until_enough_was_read_it_says_what_is_missing(window):
    assert "20 reads to go" in said(window.page.learning, "insightsButton")
    dialog = open_page(window)
    assert said(dialog, "savingVerdict") == "Nothing measured yet"
    assert dialog.findChild(QWidget, "neededCount.control").text() == "0 of 20"
    assert not dialog.findChild(QAbstractButton, "measureControlArmButton").isVisible()
    assert not dialog.findChild(QAbstractButton, "saveInsightsButton").isEnabled()
    dialog.close()


def test_the_comparison_is_measured_when_asked_and_shown_in_the_panel(read_window):
    assert "Ready to be measured" in said(read_window.page.learning, "insightsButton")
    dialog = open_page(read_window)
    press(dialog, "measureControlArmButton")
    assert said(dialog, "savingVerdict").startswith("No difference beyond noise so far")
    assert "AUROC .800, the control arm's .760" in said(dialog, "savingPlot")
    assert said(dialog, "runSaid") == "The queue was compared with the control arm."
    dialog.close()
    assert "No difference beyond noise" in said(read_window.page.learning, "insightsButton")
    press(read_window.page.learning, "insightsButton")
    [again] = [d for d in read_window.findChildren(QWidget, "insightsDialog") if d.isVisible()]
    assert again.findChild(QWidget, "savingPlot").isVisible()
    assert again.grab().toImage().width() > 0
    again.close()


def test_a_round_goes_first_and_the_measurement_begins_again(read_window):
    window = read_window
    window.runner.held = True
    window.session.measuring.measure()
    window.session.training.train()
    waiting = [t for t in window.runner.tasks if t.lane is Lane.LEARNING and not t.is_over]
    window.runner.held = False
    window.runner.run_all()
    assert len(waiting) >= 1
    found = finish(window.session.desk.insights.collect())
    assert len(found.attempts) == 2
    assert found.comparison is not None and found.comparison.version == 2


def test_it_is_cancelled_and_leaves_nothing(read_window):
    window = read_window
    window.runner.held = True
    dialog = open_page(window)
    window.runner.run_all()
    press(dialog, "measureControlArmButton")
    assert not dialog.findChild(QAbstractButton, "measureControlArmButton").isEnabled()
    press(dialog, "cancelRunButton")
    window.runner.run_all()
    assert said(dialog, "runSaid").startswith("Cancelled.")
    assert dialog.findChild(QAbstractButton, "measureControlArmButton").isEnabled()
    assert window.session.desk.insights.summary()[2] is None
    dialog.close()


def test_it_measures_by_itself_once_there_is_enough_and_the_window_rests(make_window, read_project):
    window = make_window()
    window.open_project(read_project)
    window.session.prepare()
    window.session.measuring.automatic = True
    read_arms(window.session.desk, 42)
    window.session.measuring.summarise()
    first = window.session.desk.insights.summary()[2]
    assert first is not None
    window.session.training.train()
    assert window.session.desk.insights.summary()[2].at == first.at, "nothing new to measure"


def test_it_opens_at_once_and_says_what_it_waits_for(read_window):
    window = read_window
    window.runner.held = True
    dialog = open_page(window)
    waiting = dialog.findChild(QWidget, "insightsReading")
    assert waiting.isVisible() and waiting.text() == "Reading the trail"
    assert not dialog.findChild(QWidget, "savingSaid").isVisible()
    window.runner.held = False
    window.runner.run_all()
    assert not waiting.isVisible()
    assert dialog.findChild(QWidget, "savingSaid").isVisible()
    dialog.close()


# --- pages --------------------------------------------------------------------------------------


def insights():
    points = [
        {"cases": n, "labels": {"queue": n, "control": n}, "queue": [0.8, 0.7, 0.9],
         "control": [0.7, 0.6, 0.8], "difference": [0.1, 0.01, 0.2]}
        for n in (10, 20)
    ]
    found = {
        "points": points, "audit": {"cases": 40, "findings": ["Edema"]},
        "read": {"queue": 20, "control": 20}, "verdict": "insights.saving.queue",
        "params": {"cases": 9, "low": 7, "high": 15, "other": 20, "auroc": 0.7},
    }
    nothing = Readiness({"queue": 20, "control": 20, "audit": 40}, dict.fromkeys(
        ("queue", "control", "audit"), 0))
    attempts = [
        Attempt(n, "2026-11-02T09:12:00Z", outcome, served, "", {}, "audit", 10 * n, 30 * n, 40,
                (0.7 + n / 100, 0.6, 0.8), 0.1, (0.03, 0.08), -0.01)
        for n, outcome, served in ((1, "accepted", True), (2, "refused", False),
                                   (3, "refused", True), (4, "waiting", False))
    ]
    return Insights(
        paces=(Pace("", "", 20, 30, 1.5, 20.0, 13.3), Pace("Ada", "", 20, 30, 1.5, 20.0, 13.3),
               Pace("", "2026-11-02", 12, 18, 0.9, 20.0, 13.3),
               Pace("", "2026-11-03", 8, 12, 0.6, 20.0, 13.3)),
        agreements=(Agreement("", None, Share(2, 40, 0.01, 0.15), Share(5, 50, 0.03, 0.2)),
                    Agreement("Edema", None, Share(0, 0), Share(5, 50, 0.03, 0.2)),
                    Agreement("", 1, Share(1, 20), Share(3, 25, 0.04, 0.3)),
                    Agreement("", 2, Share(1, 20), Share(2, 25, 0.02, 0.2))),
        attempts=tuple(attempts), readiness=nothing,
        comparison=Comparison(4, "2026-11-03T10:00:00Z", found, due=True), unknown=1,
        consistency=(Consistency("Ada", "", 6, 20, 18, 0.75, 0.41, 1.0),
                     Consistency("Ada", "Edema", 6, 6, 6, None, None, None)),
    )


@pytest.fixture
def dialog(qtbot):
    made = InsightsDialog(None)
    qtbot.addWidget(made)
    made.show_insights(insights())
    made.show()
    yield made
    made.close()


def table(dialog, name):
    found = dialog.findChild(QTableWidget, name)
    return [[found.item(row, at).text() for at in range(found.columnCount())]
            for row in range(found.rowCount())]


def test_a_saving_is_told_with_its_interval_and_where_it_comes_from(dialog):
    assert said(dialog, "savingVerdict") == (
        "The queue needed 9 cases (7–15) where random needed 20: "
        "both reach AUROC .700 on the audit cases."
    )
    words = dialog.findChild(QWidget, "savingSaid").text()
    assert "+.100 (+.010 – +.200)" in words
    assert words.endswith("Enough was read since to measure again.")


def test_attempts_stand_with_what_the_gate_said(dialog):
    dialog.show_page("versions")
    rows = table(dialog, "attemptsTable")
    assert [row[1] for row in rows] == ["waiting for a reader", "by hand", "refused", "accepted"]
    assert rows[-1][:9] == ["v1", "accepted", "10", "30", "40", ".710", ".600 – .800", ".100",
                            ".030 – .080"]
    assert said(dialog, "versionsPlot").endswith("the last that served has .730.")


def test_what_was_changed_and_how_quickly(dialog):
    dialog.show_page("changed")
    assert table(dialog, "changedTable") == [
        ["All findings", "10 %", "3–20 %", "5 / 50", "5 %", "1–15 %", "2 / 40"],
        ["Edema", "10 %", "3–20 %", "5 / 50", "—", "", "0 / 0"],
    ]
    assert "One read is left out" in dialog.findChild(QWidget, "changedSaid").text()
    dialog.show_page("pace")
    rows = table(dialog, "paceTable")
    assert [row[0] for row in rows] == ["Everybody", "Ada", "3 Nov 2026", "2 Nov 2026"]
    assert rows[0][1:] == ["1.5", "20", "13", "30", "20"]


def test_second_readings_stand_by_reader_and_finding(dialog):
    dialog.show_page("repeats")
    assert table(dialog, "repeatsTable") == [
        ["Ada", "All findings", "6", "20", "90 %", ".75", ".41 – 1.00"],
        ["Ada", "Edema", "6", "6", "100 %", "—", ""],
    ]


def test_every_page_is_saved_as_a_table(dialog, tmp_path):
    for name, count in (("saving", 7), ("versions", 5), ("changed", 3), ("pace", 5),
                        ("repeats", 3)):
        dialog.show_page(name)
        dialog.save(str(tmp_path / f"{name}.csv"))
        with (tmp_path / f"{name}.csv").open(encoding="utf-8") as file:
            rows = list(csv.reader(file))
        assert len(rows) == count
        assert {len(row) for row in rows} == {len(rows[0])}


def test_an_empty_project_says_what_to_do_on_every_page(qtbot):
    made = InsightsDialog(None)
    qtbot.addWidget(made)
    needed = dict.fromkeys(("queue", "control", "audit"), 20)
    made.show_insights(
        Insights((Pace("", "", 0, 0, 0.0, None, None),), (), (),
                 Readiness(dict.fromkeys(needed, 0), needed), None)
    )
    made.show()
    for name, label in (("versions", "attemptsSaid"), ("changed", "changedSaid"),
                        ("pace", "paceSaid"), ("repeats", "repeatsSaid")):
        made.show_page(name)
        assert "Enter" in made.findChild(QWidget, label).text() or "Ctrl+T" in (
            made.findChild(QWidget, label).text())
        visible = [t for t in made.findChildren(QTableWidget) if t.isVisible()]
        assert visible == []
    made.close()


# --- the plot -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (0.53, 0.91), (0.0, 0.013), (12.0, 480.0), (0.7, 0.7)]
)
def test_ticks_are_round_and_hold_everything(low, high):
    found = ticks(low, high)
    assert found[0] <= low + 1e-9 and found[-1] >= high - 1e-9
    assert 2 <= len(found) <= 7
    assert len({round(b - a, 9) for a, b in pairwise(found)}) == 1


def test_a_plot_of_one_point_or_none_is_drawn(qtbot):
    plot = SeriesPlot(None, name="p", axis="cases", write_y=str)
    qtbot.addWidget(plot)
    plot.resize(300, 160)
    empty = plot.grab().toImage()
    plot.show_series([Series("a", [Point(0, 0.5, None, None)]), Series("b", [])], said="one")
    assert plot.grab().toImage() != empty
    assert plot.accessibleName() == "one"
