"""Versions and the model page: what a person reads of each version, and what is told."""

import csv
import time
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QComboBox,
    QLabel,
    QProgressBar,
    QTabBar,
    QTableWidget,
    QWidget,
)

from mmreview.domain.errors import Message
from mmreview.domain.progress import TrainingStep
from mmreview.domain.versions import Role, Version
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.model import ModelDialog
from mmreview.ui.dialogs.versions import VersionsDialog
from tests.ui.pressing import button, press, visible_texts

# --- versions -------------------------------------------------------------------------------------


def make_version(number, role, *, parent=None, auroc=None, reason="", **params):
    return Version(
        id=number, sha256="0" * 64, role=role, parent=parent, folder=f"versions/{number:05d}",
        created_at="2026-07-01T12:03:04Z", fusion="pooling", corrections=1000 + number,
        through_seq=5, metrics={"auroc": auroc or {}},
        gate={"reason": reason, "params": params} if reason else {},
    )


VERDICT = 9


@pytest.fixture
def versions(opened):
    dialog = opened(VersionsDialog(None))
    dialog.show_versions(
        [
            make_version(1, Role.RETIRED, auroc={"fused": 0.8, "image": 1.0}),
            make_version(2, Role.CHAMPION, parent=1, auroc={"fused": 0.8714, "text": 0.75}),
            make_version(3, Role.REFUSED, parent=2, reason="error.version_unfit", detail="worse"),
        ]
    )
    return dialog


def cell(dialog, row, column):
    return dialog.findChild(QTableWidget, "versionsTable").item(row, column)


def test_versions_are_listed_newest_first_in_right_aligned_numbers(versions):
    table = versions.findChild(QTableWidget, "versionsTable")
    rows = [
        [table.item(row, column).text() for column in range(7)]
        for row in range(table.rowCount())
    ]
    assert rows == [
        ["3", "refused", "2", "1,003", "—", "—", "—"],
        ["2", "serving", "1", "1,002", ".871", "—", ".750"],
        ["1", "retired", "", "1,001", ".800", "1.000", "—"],
    ]
    for column in (0, 2, 3, 4, 5, 6):
        assert cell(versions, 0, column).textAlignment() & Qt.AlignmentFlag.AlignRight


def test_a_refused_version_says_why_in_red(versions, dark):
    assert cell(versions, 0, VERDICT).text() == "This version cannot serve: worse"
    assert cell(versions, 0, VERDICT).foreground().color() == dark.bad
    assert cell(versions, 1, 1).foreground().color() == dark.text
    versions.findChild(QTableWidget).selectRow(0)
    assert "This version cannot serve: worse" in visible_texts(versions)


def test_the_serving_version_cannot_be_promoted_but_others_can(versions):
    told = []
    versions.promoteWanted.connect(told.append)
    versions.rollbackWanted.connect(lambda: told.append("back"))
    assert not button(versions, "promoteButton").isEnabled()  # the serving one is selected
    versions.findChild(QTableWidget).selectRow(2)
    press(versions, "promoteButton")
    press(versions, "rollbackButton")
    assert told == [1, "back"]


def test_the_model_page_tells_how_sure_its_measures_are(opened, dark):
    fused = {
        "positives": 30, "n": 1200, "auroc": 0.81, "ap": 0.5, "f1": None, "brier": 0.11,
        "ece": 0.031, "ece_perfect": 0.02, "intervals": {"auroc": [0.774, 0.85]},
    }
    image = {**fused, "auroc": 0.9, "difference": {"auroc": [-0.09, -0.12, -0.05]}}
    serving = make_version(2, Role.CHAMPION, auroc={"fused": 0.81})
    serving.metrics.update({
        "basis": "audit", "cases": 1200, "macro": {"fused": fused, "image": image},
        "per_finding": {"Edema": {"fused": {**fused, "intervals": {"auroc": None}}}},
        "pairs": {"pairs": 800, "wrong_pair_auroc": 0.712, "prior": 0.05},
    })
    dialog = opened(ModelDialog(None))
    assert "There is no version yet" in " ".join(visible_texts(dialog))
    dialog.show_versions([make_version(1, Role.RETIRED), serving])
    table = dialog.findChild(QTableWidget, "modelTable")
    rows = [[table.item(r, c).text() for c in range(11)] for r in range(3)]
    assert rows[0] == [
        "Mean of the findings", "Fused", "", ".810", ".774 – .850", "", ".500", "—",
        ".110", ".031", ".020",
    ]
    assert rows[1][:2] == ["", "Image"]
    assert rows[1][5] == "−.090 (−.120 – −.050)"
    assert table.item(1, 5).foreground().color() == dark.bad
    assert rows[2][:3] == ["Edema", "Fused", "30 / 1,200"]
    assert rows[2][4] == ""
    said = " ".join(visible_texts(dialog))
    assert "1200 cases of the audit set" in said
    assert "AUROC of .712" in said


def test_the_change_on_old_labels_is_shown_and_a_loss_is_red(opened, dark):
    fused = {"positives": 30, "n": 1200, "auroc": 0.81, "intervals": {}}
    serving = make_version(2, Role.CHAMPION, auroc={"fused": 0.81}, reason="gate.first", count=7)
    serving.metrics.update({
        "macro": {"fused": fused},
        "per_finding": {"Edema": {"fused": fused, "image": fused}, "Mass": {"fused": fused}},
        "old_labels": {
            "Edema": {"difference": [0.0124, 0.0021, 0.02]},
            "Mass": {"difference": [-0.0031, None, None]},
        },
    })
    dialog = opened(ModelDialog(None))
    dialog.show_versions([serving])
    table = dialog.findChild(QTableWidget, "modelTable")
    last = table.columnCount() - 1
    assert not table.isColumnHidden(last)
    assert [table.item(row, last).text() for row in range(4)] == [
        "", "+.012 (+.002 – +.020)", "", "−.003",
    ]
    assert table.item(1, last).foreground().color() == dark.bad
    assert table.item(3, last).foreground().color() == dark.muted
    listed = opened(VersionsDialog(None))
    listed.show_versions([serving])
    assert "worse for certain: Edema" in " ".join(visible_texts(listed))
    serving.metrics["old_labels"]["Edema"]["difference"][1] = 0.0004  # certain, and shown as none
    listed.show_versions([serving])
    assert "worse for certain" not in " ".join(visible_texts(listed))
    serving.metrics["old_labels"]["Edema"]["difference"][1] = -0.002
    listed.show_versions([serving])
    assert "Edema gained least (+0.012)" in " ".join(visible_texts(listed))
    dialog.show_versions([make_version(1, Role.CHAMPION, auroc={"fused": 0.8})])
    assert table.isColumnHidden(last)


def test_a_version_from_before_the_intervals_shows_its_means(opened):
    dialog = opened(ModelDialog(None))
    dialog.show_versions([make_version(1, Role.CHAMPION, auroc={"fused": 0.8, "image": 0.7})])
    table = dialog.findChild(QTableWidget, "modelTable")
    assert [table.item(r, 3).text() for r in range(2)] == [".800", ".700"]
    assert "Too few cases" in " ".join(visible_texts(dialog))


def searched(**more):
    """A search's table as a card holds it."""
    def row(fusion, auroc, plan, **rest):
        return {
            "fusion": fusion, "plan": plan, "auroc": auroc, "log_loss": 1 - auroc, "ece": 0.03,
            "ahead": 0.01, "intervals": {"auroc": [0.7, 0.9], "log_loss": [0.1, 0.3]}, **rest,
        }

    usual, freer = {"freedom": 1.0, "without": []}, {"freedom": 3.0, "without": []}
    behind = {"auroc": [-0.02, -0.04, -0.01], "log_loss": [0.02, 0.01, 0.03]}
    return {
        "default": "mixture", "default_plan": usual, "chosen": "soft", "plan": freer, "tried": 3,
        "reason": "search.found", "cases": 200, "groups": 100, "folds": 5, "picked": [],
        "searched": {"auroc": 0.82, "log_loss": 0.2, "difference": {"log_loss": [0.01, 0, 0.02]}},
        "rows": [
            row("soft", 0.83, freer, difference={}), row("mixture", 0.82, usual, difference={}),
            row("stacking", 0.85, {"freedom": 1.0, "without": ["image.middle"]}, difference=behind),
            row("text", 0.7, None, difference={}),
        ],
        **more,
    }


def cells(dialog, name):
    table = dialog.findChild(QTableWidget, name)
    return [
        [table.item(r, c).text() for c in range(table.columnCount())]
        for r in range(table.rowCount())
    ]


def test_the_model_page_tells_what_was_tried_and_what_won(opened, dark):
    dialog = opened(ModelDialog(None, fusions=("mixture", "soft")))
    dialog.show_page("tried")
    assert "Nothing has been tried yet" in " ".join(visible_texts(dialog))
    first, serving = make_version(1, Role.RETIRED), make_version(2, Role.CHAMPION)
    first.metrics["search"] = searched()
    refused = make_version(3, Role.REFUSED)
    refused.metrics["search"] = searched()
    dialog.show_versions([serving, refused])
    assert cells(dialog, "triedTable")[0][0] == "soft, freer heads · chosen"
    dialog.show_versions([first, serving])  # a later round keeps what was found
    said = " ".join(visible_texts(dialog))
    assert "soft, freer heads serves from now on" in said
    assert "Measured for version 1 on 200 cases of 100 patient groups in 5 folds." in said
    rows = cells(dialog, "triedTable")
    assert [row[0] for row in rows] == [
        "soft, freer heads · serves", "mixture", "stacking, without the image's middle layers",
        "Report",
    ]
    assert rows[2][1:4] == [".850", ".700 – .900", "−.020 (−.040 – −.010)"]
    table = dialog.findChild(QTableWidget, "triedTable")
    assert table.item(2, 3).foreground().color() == dark.bad
    assert table.item(3, 0).foreground().color() == dark.report


def test_the_search_starts_from_the_model_page_and_tells_how_far_it_is(opened):
    dialog = opened(ModelDialog(None, fusions=("mixture", "soft")))
    dialog.show_versions([make_version(2, Role.CHAMPION)])
    told = []
    dialog.trainWanted.connect(told.append)
    dialog.cancelWanted.connect(lambda: told.append("cancel"))
    press(dialog, "searchButton")
    dialog.show_step(None, time.monotonic())
    assert not button(dialog, "searchButton").isEnabled()
    assert not button(dialog, "trainFusionButton").isEnabled()
    dialog.show_step(TrainingStep("training.phase.searching", 0.25), time.monotonic() - 200)
    said = dialog.findChild(QWidget, "runStep").accessibleName()
    assert said == "Looking for the best model · 25 % · 3 min so far · about 10 min left"
    assert dialog.findChild(QProgressBar, "runProgress").value() == 250
    press(dialog, "cancelRunButton")
    dialog.show_cancelled()
    assert told == ["auto", "cancel"]
    assert button(dialog, "searchButton").isEnabled()
    dialog.show_versions([make_version(2, Role.CHAMPION)], writable=False)
    assert not button(dialog, "searchButton").isEnabled()


def test_a_fusion_is_chosen_and_trained(opened, qapp):
    dialog = opened(ModelDialog(None, fusions=("mixture", "soft")))
    serving = replace(make_version(2, Role.CHAMPION), fusion="soft")
    serving.metrics["search"] = searched()
    dialog.show_versions([serving])
    dialog.show_page("fusions")
    rows = cells(dialog, "fusionsTable")
    assert [row[0] for row in rows] == ["automatic", "mixture", "soft · serves"]
    assert rows[1][1:] == [".820", ".180", tr("fusion.mixture")]
    told = []
    dialog.trainWanted.connect(told.append)
    table = dialog.findChild(QTableWidget, "fusionsTable")
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Down)
    press(dialog, "trainFusionButton")
    assert told == ["mixture"]
    table.setFocus()
    QTest.keyClick(table, Qt.Key.Key_Down)
    QTest.keyClick(table, Qt.Key.Key_Return)
    assert told == ["mixture", "soft"]
    assert dialog.isVisible(), "Return is for the row, not for the dialog's button"


def test_calibration_shows_each_opinion_over_a_perfect_model_s_band(opened, qapp):
    dialog = opened(ModelDialog(None))
    dialog.show_page("calibration")
    assert "no calibration curves" in " ".join(visible_texts(dialog))
    serving = make_version(2, Role.CHAMPION)
    own = {"ece": 0.03, "ece_perfect": 0.02, "ece_adaptive": 0.04, "ece_adaptive_perfect": 0.025}
    inside, outside = [0.2, 0.22, 0.1, 0.3, 40], [0.8, 0.5, 0.7, 0.9, 40]
    serving.metrics.update({
        "per_finding": {"Edema": {"fused": own}},
        "reliability": {"all": {"fused": [inside, outside], "image": [inside]},
                        "Edema": {"fused": [inside]}},
    })
    dialog.show_versions([serving])
    plots = [w.objectName() for w in dialog.findChildren(QWidget) if w.isVisible()
             and w.objectName().startswith("reliability.")]
    assert plots == ["reliability.fused", "reliability.image"]
    fused = dialog.findChild(QWidget, "reliability.fused")
    assert fused.accessibleName() == "Fused: 1 of 2 points are outside a perfect model's band."
    dialog.findChild(QComboBox, "modelFinding").setCurrentIndex(1)
    assert "ECE .030, perfect .020" in " ".join(visible_texts(dialog))
    assert dialog.grab().toImage().width() > 0


def test_the_pages_are_turned_by_keys_and_saved_as_csv(opened, tmp_path):
    dialog = opened(ModelDialog(None))
    serving = make_version(2, Role.CHAMPION, auroc={"fused": 0.8})
    serving.metrics["search"] = searched()
    dialog.show_versions([serving])
    sections = dialog.findChild(QTabBar, "modelSections")
    sections.setFocus()
    dialog.show_page("curve")
    assert not button(dialog, "saveTableButton").isEnabled(), "nobody has measured it"
    dialog.show_page("measures")
    QTest.keyClick(sections, Qt.Key.Key_Right)
    assert dialog.findChild(QTableWidget, "triedTable").isVisible()
    assert not dialog.findChild(QComboBox, "modelFinding").isVisible()
    dialog.save(str(tmp_path / "tried.csv"))
    written = (tmp_path / "tried.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.reader(written))
    assert rows[0][:2] == ["Candidate", "AUROC"]
    assert rows[2][:2] == ["mixture", ".820"]
    dialog.save(str(tmp_path / "none" / "tried.csv"))
    assert "none" in dialog.findChild(QWidget, "runSaid").accessibleName()


def test_what_a_round_ended_in_is_read_whole_and_a_failure_is_red(opened, dark):
    dialog = opened(ModelDialog(None))
    dialog.show_step(None, time.monotonic())
    dialog.show_failed(Message("error.write_failed", {"detail": "disk full, " * 30}))
    said = dialog.findChild(QLabel, "runSaid")
    assert said.wordWrap() and "disk full" in said.text()
    assert said.palette().color(said.foregroundRole()) == dark.bad
    assert not dialog.findChild(QWidget, "runStep").isVisible()
    dialog.show_cancelled()
    assert said.palette().color(said.foregroundRole()) == dark.muted


def test_opinions_stand_in_the_order_of_the_bars(opened, tmp_path):
    """A version's card is sorted by name; a reader looks for the fused opinion first."""
    names = ("clinical", "fused", "image", "text")
    opinion = {"auroc": 0.7, "intervals": {}, "n": 9, "positives": 4}
    curve = {name: [[0.2, 0.3, 0.1, 0.5, 9]] for name in names}
    serving = make_version(2, Role.CHAMPION, auroc=dict.fromkeys(names, 0.7))
    serving.metrics.update(macro=dict.fromkeys(names, opinion), reliability={"all": curve})
    dialog = opened(ModelDialog(None))
    dialog.show_versions([serving])
    table = dialog.findChild(QTableWidget, "modelTable")
    ordered = ["Fused", "Image", "Report", "Values"]
    assert [table.item(row, 1).text() for row in range(4)] == ordered
    dialog.save(str(tmp_path / "m.csv"))
    with (tmp_path / "m.csv").open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:5]
    assert {row[0] for row in rows} == {"Mean of the findings"}, "a file is sorted and filtered"
    dialog.show_page("calibration")
    plots = [dialog.findChild(QWidget, f"reliability.{n}") for n in ("fused", "image", "text")]
    QTest.qWait(0)
    assert sorted(plots, key=lambda plot: plot.x()) == plots


def test_the_selected_version_stays_selected(versions):
    versions.findChild(QTableWidget).selectRow(2)
    versions.show_versions([make_version(n, Role.RETIRED) for n in (1, 2, 3, 4)])
    assert versions.findChild(QTableWidget).currentRow() == 3
    assert not button(versions, "rollbackButton").isEnabled()  # nothing serves
    versions.show_versions([], writable=False)
    assert not button(versions, "promoteButton").isEnabled()


def test_cells_follow_the_theme(versions, qapp):
    theme.apply(qapp, "light")
    assert cell(versions, 0, VERDICT).foreground().color() == theme.LIGHT.bad
