"""What the gate measured of a version, as a page that a person understands."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QPushButton, QTableWidget

from mmreview.domain.versions import Role, Version
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.comparison import SPAN, ComparisonDialog
from mmreview.ui.dialogs.versions import VersionsDialog
from mmreview.ui.verdict import verdict


def finding(name, before, after, *, error=0.03, held=False, enough=True, positives=40):
    gap = after - before
    return {
        "finding": name, "cases": 210, "positives": positives, "auroc": after,
        "auroc_before": before, "difference": gap, "lower": gap - error, "upper": gap + error,
        "enough": enough, "held": held,
    }


REPORT = {
    "rivals": [
        {"role": "champion", "version": 4, "difference": -0.021, "lower": -0.043, "upper": 0.002,
         "cases": 210},
        {"role": "first", "version": 1, "difference": -0.089, "lower": -0.131, "upper": -0.047,
         "cases": 210},
        {"role": "best", "version": 3, "difference": 0.012, "lower": -0.020, "upper": 0.071,
         "cases": 210},
    ],
    "findings": [
        finding("Pneumonia", 0.87, 0.91), finding("Edema", 0.90, 0.79, held=True),
        finding("Pneumothorax", 0.93, 0.99, enough=False, positives=4, error=0.2),
        finding("Cardiomegaly", 0.881, 0.884),
    ],
    "calibration": {"before": 0.051, "after": 0.043, "difference": -0.008, "lower": -0.02,
                    "upper": 0.004, "held": False},
    "log_loss": 0.31, "audit_set": 0, "read": 120, "latency_ms": 0.42, "size_mb": 3.1,
    "needed": 85, "rules": {"delta": 0.05, "delta_auroc": 0.05}, "left_out": [2],
    "budget": {"alpha": 0.004, "passed": False, "attempts": 7, "wealth": 0.02, "first": 0.0475,
               "worn": False},
}  # fmt: skip


def version(report=REPORT, **gate):
    told = {
        "reason": "gate.too_few.audit", "accepted": False, "basis": "audit", "cases": 210,
        "params": {"count": 210, "difference": "-0.021", "lower": "-0.043", "upper": "+0.071",
                   "margin": "0.05", "needed": 85},
        "report": report, **gate,
    }
    return Version(
        id=5, sha256="", role=Role.REFUSED, parent=4, folder="", fusion="mixture",
        created_at="2026-11-25T03:00:00Z", corrections=61, through_seq=80, gate=told,
    )


def texts(table: QTableWidget) -> list[list[str]]:
    return [
        [table.item(row, column).text() for column in range(table.columnCount())]
        for row in range(table.rowCount())
    ]


def notes(dialog) -> str:
    return "\n".join(label.text() for label in dialog.findChildren(QLabel))


def test_it_says_against_whom_and_on_how_many_cases(opened):
    dialog = opened(ComparisonDialog(None, version()))
    rivals = texts(dialog.rivals)
    assert [row[0] for row in rivals] == [
        tr(f"ui.comparison.{role}", version=number)
        for role, number in (("champion", 4), ("first", 1), ("best", 3))
    ]
    assert rivals[0][1:4] == ["210", "−0.021", "−0.043 … +0.002"]
    assert "120" in notes(dialog)
    assert "85" in notes(dialog)
    assert "42 %" in notes(dialog)  # what is left of the budget
    assert tr("ui.comparison.left_out", version=2) in notes(dialog)


@pytest.mark.parametrize("worn", [False, True])
def test_it_says_when_the_audit_set_should_be_refreshed(opened, worn):
    told = version({**REPORT, "budget": {**REPORT["budget"], "worn": worn}})
    said = notes(opened(ComparisonDialog(None, told)))
    when = {"count": 50, "percent": "20 %"}
    assert (tr("ui.comparison.worn", **when) in said) is worn
    assert (tr("ui.comparison.due", **when) in said) is not worn


def test_better_is_at_the_right_in_both_tables(opened):
    dialog = opened(ComparisonDialog(None, version()))
    first = dialog.rivals.item(1, dialog.rivals.columnCount() - 1).data(SPAN)
    assert first["low"] > 0  # a log-loss that is surely lower
    spans = {
        dialog.findings.item(row, 0).text():
            dialog.findings.item(row, dialog.findings.columnCount() - 1).data(SPAN)
        for row in range(dialog.findings.rowCount())
    }  # fmt: skip
    assert spans["Pneumonia"]["middle"] > 0 > spans["Edema"]["middle"]
    assert len({span["reach"] for span in spans.values()}) == 1


def test_what_is_held_against_it_comes_first_and_is_red(opened):
    dialog = opened(ComparisonDialog(None, version()))
    assert dialog.findings.item(0, 0).text() == "Edema"
    change = dialog.findings.item(0, 4)
    assert change.foreground().color() == theme.current().bad
    few = next(row for row in texts(dialog.findings) if row[0] == "Pneumothorax")
    assert tr("ui.comparison.too_few_labels") in few


def test_a_version_of_before_has_no_page(opened):
    dialog = opened(VersionsDialog(None))
    compare = dialog.findChild(QPushButton, "compareButton")
    dialog.show_versions([version(report={})])
    assert not compare.isEnabled()
    dialog.show_versions([version()])
    assert compare.isEnabled()


def test_the_page_opens_from_the_versions_by_key_and_closes_with_escape(opened, qtbot):
    dialog = opened(VersionsDialog(None))
    dialog.show_versions([version()])
    compare = dialog.findChild(QPushButton, "compareButton")
    compare.setFocus()
    qtbot.keyClick(compare, Qt.Key.Key_Space)
    [page] = [w for w in QApplication.topLevelWidgets() if isinstance(w, ComparisonDialog)]
    assert page.isVisible()
    qtbot.keyClick(page, Qt.Key.Key_Escape)
    assert not page.isVisible()


def test_by_cross_validation_it_says_so_and_needs_no_budget(opened):
    report = {k: v for k, v in REPORT.items() if k not in ("budget", "needed", "left_out")}
    dialog = opened(
        ComparisonDialog(None, version(report=report, basis="cross_validation"))
    )
    assert tr("ui.comparison.on_cross_validation", count=210) in notes(dialog)
    assert "%" not in "".join(
        label.text() for label in dialog.findChildren(QLabel) if "budget" in label.text()
    )


def test_one_that_waited_and_serves_now_passed_the_gate():
    passed = version(reason="gate.not_worse.audit", outcome="waiting", params={
        "count": 210, "difference": "-0.021", "lower": "-0.043", "upper": "+0.002"})
    assert verdict(replace(passed, role=Role.CHAMPION)) == verdict(passed)
    by_hand = replace(version(outcome="refused"), role=Role.CHAMPION)
    assert verdict(by_hand) != verdict(version())


def test_no_finding_with_labels_of_both_kinds_is_said(opened):
    dialog = opened(ComparisonDialog(None, version(report={**REPORT, "findings": []})))
    assert tr("ui.comparison.no_findings") in notes(dialog)
