"""The offer after a read, the cluster, one confirmation, and its undoing, in the real window."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton

from mmreview.domain.findings import State
from mmreview.domain.likeness import Alikeness
from mmreview.ui.dialogs.near_duplicates import NearDuplicatesDialog


@pytest.fixture
def reading(window, opener):
    """A window on case 1, which cases 4 (in everything) and 5 (in its picture) are like."""
    opener.likeness.twins = {4: Alikeness.WHOLE, 5: Alikeness.IMAGE}
    window.page.open_case(1)
    window.page.findings.setFocus()
    return window


def cluster_dialog():
    found = [w for w in QApplication.topLevelWidgets() if isinstance(w, NearDuplicatesDialog)]
    return found[-1] if found and found[-1].isVisible() else None


def action(window):
    return window.page.banner.findChild(QPushButton, "bannerAction")


def commit_with(window, qtbot, *keys):
    for key in keys:
        qtbot.keyClick(window.page.findings, key)
    qtbot.keyClick(window.page.findings, Qt.Key.Key_Return)


def states(window, key):
    return {n: s.state for n, s in window.session.desk.cases.states(key).items()}


def test_a_read_in_which_something_was_set_is_followed_by_an_offer(reading, qtbot):
    commit_with(reading, qtbot, Qt.Key.Key_1)
    assert reading.page.banner.isVisible()
    assert action(reading).isVisible()
    action(reading).click()
    dialog = cluster_dialog()
    assert dialog is not None
    # Only the one that is the same in everything: nothing rests on the image alone.
    assert dialog.ticked == [4]
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert states(reading, 4)["Edema"] is State.PRESENT
    action(reading).click()  # take back
    assert states(reading, 4)["Edema"] is State.ABSENT


def test_a_read_without_a_correction_offers_nothing(reading, qtbot):
    commit_with(reading, qtbot)
    assert not reading.page.banner.isVisible()


def test_what_has_only_the_picture_in_common_waits_to_be_ticked(reading, qtbot):
    commit_with(reading, qtbot, Qt.Key.Key_Down, Qt.Key.Key_I, Qt.Key.Key_1)
    action(reading).click()
    dialog = cluster_dialog()
    assert dialog.ticked == [4]
    check = dialog.findChild(type(dialog._rows[0].check), "alike.case-0005.check")
    assert check.accessibleName()
    check.setFocus()
    qtbot.keyClick(check, Qt.Key.Key_Space)
    assert dialog.ticked == [4, 5]
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert cluster_dialog() is None
    assert "Cardiomegaly" not in states(reading, 5)


def test_nothing_ticked_gives_nothing(reading, qtbot):
    commit_with(reading, qtbot, Qt.Key.Key_1)
    action(reading).click()
    dialog = cluster_dialog()
    for row in dialog._rows:
        row.check.setChecked(False)
    assert not dialog.findChild(QPushButton, "giveButton").isEnabled()
    dialog.reject()


def test_asking_by_key_says_also_that_there_is_none(reading, opener, qtbot):
    opener.likeness.twins = {}
    qtbot.keyClick(reading.page.findings, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier)
    assert reading.page.banner.isVisible()
    assert not action(reading).isVisible()
    assert cluster_dialog() is None


def test_the_open_case_shows_what_it_was_given(reading, qtbot):
    commit_with(reading, qtbot, Qt.Key.Key_1)
    reading.page.open_case(4)
    action(reading).click()
    qtbot.keyClick(cluster_dialog(), Qt.Key.Key_Return)
    assert reading.page._view.states["Edema"].state is State.PRESENT
