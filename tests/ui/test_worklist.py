"""The worklist as a reader uses it: real widgets, a synthetic case store, keys and the mouse."""

from array import array
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QListView, QMenu, QPushButton, QVBoxLayout, QWidget

from mmreview.domain.cases import (
    Partition,
    ReadStatus,
    WorklistCounts,
    WorklistFilter,
    WorklistRow,
    WorklistSort,
)
from mmreview.domain.errors import MmreviewError, ProjectDamaged
from mmreview.domain.findings import Finding, FindingSchema
from mmreview.tasks.inline import InlineRunner
from mmreview.tasks.task import Lane
from mmreview.ui.worklist import wording
from mmreview.ui.worklist.chips import Chip
from mmreview.ui.worklist.model import KEPT_PAGES, PAGE, WorklistModel
from mmreview.ui.worklist.panel import WorklistPanel

SCHEMA = FindingSchema("two", (Finding("Edema"), Finding("Pleural Effusion")))


def make_row(key: int, **changes) -> WorklistRow:
    row = WorklistRow(
        key=key, id=f"{key:04d}", caption="F 71", partition=Partition.TRAIN,
        status=ReadStatus.UNREAD, has_image=True, has_report=True, corrections=0, conflict=0.1,
        priority=0.48, reason="queue.uncertain", reason_params={"finding": "Edema"},
    )
    return replace(row, **changes)


class Cases:
    """As much of a case store as the worklist asks for, over a few rows in memory."""

    schema = SCHEMA

    def __init__(self, rows):
        self.rows = {row.key: row for row in rows}
        self.present = {}
        self.places = {}  # of the queue
        self.fetched = []
        self.broken = None

    def worklist_keys(self, where: WorklistFilter, sort: WorklistSort):
        if self.broken is not None:
            raise self.broken
        rows = [row for row in self.rows.values() if self.passes(row, where)]
        if sort is not WorklistSort.ID:
            by = "priority" if sort is WorklistSort.QUEUE else sort
            rows.sort(key=lambda row: (self.places.get(row.key, 999), -(getattr(row, by) or 0.0)))
        return array("q", [row.key for row in rows])

    def passes(self, row, where):
        return (
            where.text.lower() in f"{row.id} {row.caption}".lower()
            and not ((where.unread or where.due) and row.status is ReadStatus.READ)
            and not (where.due and row.leased_by)
            and not (where.corrected and not row.corrections)
            and not (where.conflict and not wording.is_conflict(row))
            and not (where.missing_modality and row.has_image and row.has_report)
            and (not where.finding or where.finding in self.present.get(row.key, ()))
        )

    def worklist_rows(self, keys):
        self.fetched.extend(keys)
        return [self.rows[key] for key in keys if key in self.rows]

    def worklist_counts(self):
        def kept(**where):
            return len(self.worklist_keys(WorklistFilter(**where), WorklistSort.ID))

        unread = kept(unread=True)
        return WorklistCounts(
            total=len(self.rows), unread=unread, read=len(self.rows) - unread,
            corrected=kept(corrected=True), conflict=kept(conflict=True),
            missing_modality=kept(missing_modality=True),
        )

    def read(self, key):
        self.rows[key] = replace(
            self.rows[key], status=ReadStatus.READ, read_at=datetime.now(UTC).isoformat()
        )


@pytest.fixture
def cases():
    return Cases(make_row(key, priority=1.0 - key / 1000) for key in range(1, 301))


@pytest.fixture
def panel(qtbot, runner):
    panel = WorklistPanel(runner)
    panel.resize(240, 480)
    panel.show()
    yield panel
    panel.close()


@pytest.fixture
def filled(panel, cases):
    panel.set_cases(cases, SCHEMA)
    return panel


def view_of(panel) -> QListView:
    return panel.findChild(QListView, "worklist")


def text_of(panel, name) -> str:
    return panel.findChild(QLabel, name).text()


def click_row(panel, row):
    view = view_of(panel)
    QTest.mouseClick(
        view.viewport(), Qt.MouseButton.LeftButton,
        pos=view.visualRect(view.model().index(row, 0)).center(),
    )


def current_key(panel):
    view = view_of(panel)
    row = view.currentIndex().row()
    return view.model().keys[row] if row >= 0 else None


# --- choosing -----------------------------------------------------------------------------------


def test_a_click_and_the_arrows_choose_cases(filled, qtbot):
    chosen = []
    filled.caseChosen.connect(chosen.append)
    view = view_of(filled)
    click_row(filled, 2)
    view.setFocus()
    for key in (Qt.Key.Key_Down, Qt.Key.Key_Up, Qt.Key.Key_End, Qt.Key.Key_Home):
        QTest.keyClick(view, key)
    QTest.keyClick(view, Qt.Key.Key_PageDown)
    QTest.keyClick(view, Qt.Key.Key_Return)
    assert chosen[:5] == [3, 4, 3, 300, 1]
    assert chosen[5] > 5
    assert chosen[6] == chosen[5]


def test_selecting_a_case_tells_nobody_and_brings_it_into_sight(filled):
    chosen = []
    filled.caseChosen.connect(chosen.append)
    filled.select_case(200)
    view = view_of(filled)
    assert chosen == []
    assert current_key(filled) == 200
    assert view.viewport().rect().contains(view.visualRect(view.currentIndex()))
    assert [i.row() for i in view.selectedIndexes()] == [199]


def test_a_press_below_the_last_row_changes_nothing(panel, qtbot):
    panel.set_cases(Cases([make_row(1), make_row(2)]), SCHEMA)
    panel.select_case(2)
    view = view_of(panel)
    QTest.mouseClick(
        view.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(50, view.viewport().height() - 4)
    )
    assert current_key(panel) == 2
    assert len(view.selectedIndexes()) == 1


def test_taking_the_focus_opens_no_case(filled, qtbot):
    chosen = []
    filled.caseChosen.connect(chosen.append)
    filled.focus_list()
    assert view_of(filled).hasFocus()
    assert chosen == []
    QTest.keyClick(view_of(filled), Qt.Key.Key_Down)
    assert chosen == [1]


def test_letters_and_digits_reach_the_page_but_arrows_do_not(qtbot, runner, cases):
    page = QWidget()
    layout = QVBoxLayout(page)
    panel = WorklistPanel(runner, page)
    layout.addWidget(panel)
    pressed = []
    for key in ("1", "N", "Down"):
        shortcut = QShortcut(key, page)
        shortcut.activated.connect(lambda key=key: pressed.append(key))
    panel.set_cases(cases, SCHEMA)
    panel.select_case(5)
    with qtbot.waitActive(page):
        page.show()
        page.activateWindow()
    panel.focus_list()
    view = view_of(panel)
    for key in (Qt.Key.Key_1, Qt.Key.Key_N, Qt.Key.Key_Down):
        QTest.keyClick(view, key)
    assert pressed == ["1", "N"]
    assert current_key(panel) == 6
    page.close()


# --- walking --------------------------------------------------------------------------------------


def test_the_next_unread_case_goes_on_from_the_top(filled, cases):
    for key in (2, 3, 300):
        cases.read(key)
    filled.update_rows([2, 3, 300])
    assert filled.next_key(None, unread=False) == 1
    assert filled.next_key(1, unread=False) == 2
    assert filled.next_key(1, unread=True) == 4
    assert filled.next_key(299, unread=True) == 1
    assert filled.next_key(300, unread=False) is None
    assert filled.previous_key(1) is None
    assert filled.previous_key(3) == 2
    assert filled.neighbours(1) == [4, 5, 2]
    assert filled.neighbours(299, ahead=1) == [1, 300]


def test_nothing_is_next_when_everything_is_read(panel):
    cases = Cases([make_row(1, status=ReadStatus.READ), make_row(2)])
    panel.set_cases(cases, SCHEMA)
    assert panel.next_key(1, unread=True) == 2
    assert panel.next_key(2, unread=True) is None
    assert panel.neighbours(2) == []


def test_unread_is_known_before_the_flags_have_come(qtbot, cases):
    runner = InlineRunner(held=True)
    panel = WorklistPanel(runner)
    cases.read(2)
    panel.set_cases(cases, SCHEMA)
    runner.run_next(Lane.DISPLAY)  # the keys and the first pages, not the flags
    assert panel.has_keys
    assert panel.next_key(1, unread=True) == 3
    runner.run_all()
    assert panel.next_key(1, unread=True) == 3
    panel.deleteLater()


def test_a_case_that_left_the_list_still_has_a_next_one(filled, cases):
    filled.findChild(Chip, "filter.unread").click()
    filled.select_case(10)
    cases.read(10)
    filled.update_rows([10])
    assert filled.next_key(10, unread=True) == 11  # it stays until the list is asked for again
    filled.refresh()
    assert current_key(filled) is None
    assert filled.next_key(10, unread=True) == 11
    assert filled.previous_key(10) == 9


def test_a_new_queue_is_walked_from_its_first_case(filled, cases):
    filled.select_case(10)
    assert filled.next_key(10, unread=True) == 11
    cases.places = {200: 0, 30: 1, 10: 2, 40: 3}
    filled.show_queue()
    assert filled.next_key(10, unread=True) == 200
    assert filled.neighbours(10)[:2] == [200, 30]
    filled.select_case(200)
    assert filled.next_key(200, unread=True) == 30
    filled.pass_over(200)
    filled.show_queue()  # what was passed over is not offered first again
    assert filled.next_key(30, unread=True) == 10
    filled.set_sort(WorklistSort.ID)
    assert filled.next_key(30, unread=True) == 31


def test_what_another_reader_has_is_marked_and_skipped_but_can_be_opened(filled, cases):
    cases.rows[2] = replace(cases.rows[2], leased_by="Ben")
    chosen = []
    filled.caseChosen.connect(chosen.append)
    filled.refresh()
    assert filled.next_key(1, unread=True) == 3
    assert filled.neighbours(1) == [3, 4, 2]
    assert wording.second_line(cases.rows[2]).startswith("with Ben · ")
    assert "with Ben" in wording.spoken(cases.rows[2])
    click_row(filled, 1)
    assert chosen == [2]
    filled.findChild(Chip, "filter.unread").click()
    assert filled.next_key(1, unread=True) == 3


def test_the_menu_of_the_order_opens_the_shares(filled, qtbot):
    wanted = []
    filled.sharesWanted.connect(lambda: wanted.append(True))
    QTest.mouseClick(filled.findChild(Chip, "worklistSort"), Qt.MouseButton.LeftButton)
    menu = filled.findChild(QMenu, "sortMenu")
    assert [action.text() for action in menu.actions()][:2] == ["Next up", "Priority"]
    menu.actions()[-1].trigger()
    menu.close()
    assert wanted == [True]


# --- refreshing -----------------------------------------------------------------------------------


def test_a_case_that_was_read_stays_where_it_is(filled, cases, qtbot):
    filled.select_case(1)
    cases.rows[1] = replace(cases.rows[1], corrections=2)
    cases.read(1)
    filled.update_rows([1])
    index = view_of(filled).model().index(0, 0)
    assert index.data().startswith("0001")
    assert "read · 2 corrected" in index.data(Qt.ItemDataRole.AccessibleTextRole)
    qtbot.waitUntil(lambda: text_of(filled, "worklistFooter") == "300 cases · 1 read")
    assert filled.findChild(Chip, "filter.unread").count == "299"


def test_refresh_keeps_the_case_and_the_place(filled, cases):
    filled.select_case(150)
    view = view_of(filled)
    view.verticalScrollBar().setValue(view.verticalScrollBar().value() + 7)
    before = view.visualRect(view.currentIndex())
    chosen = []
    filled.caseChosen.connect(chosen.append)
    for key in range(1, 21):  # these vanish from above
        del cases.rows[key]
    filled.refresh()
    assert current_key(filled) == 150
    assert view.visualRect(view.currentIndex()) == before
    assert chosen == []


def test_the_open_case_stays_put_when_the_row_above_moves_to_the_end(filled, cases):
    filled.select_case(150)
    view = view_of(filled)
    top, _ = view.top()
    before = view.visualRect(view.currentIndex())
    first = filled.next_key(None, unread=False) + top
    cases.rows[first] = replace(cases.rows[first], priority=0.0)
    filled.refresh()
    assert current_key(filled) == 150
    assert view.visualRect(view.currentIndex()) == before



def test_another_project_forgets_the_search_and_the_filters(filled):
    filled.findChild(Chip, "filter.unread").click()
    QTest.keyClicks(filled.findChild(QLineEdit, "worklistSearch"), "0003")
    filled.set_cases(Cases([make_row(7)]), SCHEMA)
    assert filled.filter_state() == (WorklistFilter(), WorklistSort.QUEUE)
    assert filled.next_key(None, unread=False) == 7
    filled.set_cases(None, None)
    assert not filled.has_keys
    assert text_of(filled, "worklistFooter") == ""


def test_a_late_answer_of_the_project_before_is_dropped(qtbot, cases):
    runner = InlineRunner(held=True)
    panel = WorklistPanel(runner)
    panel.set_cases(cases, SCHEMA)
    panel.set_cases(None, None)
    runner.run_all()
    assert not panel.has_keys
    panel.deleteLater()


# --- search, filters, order -----------------------------------------------------------------------


def test_search_waits_for_a_pause_and_asks_once(filled, qtbot):
    told = []
    filled.searchChanged.connect(told.append)
    filled.activateWindow()
    filled.focus_search()
    field = filled.findChild(QLineEdit, "worklistSearch")
    assert field.hasFocus()
    QTest.keyClicks(field, "0012")
    assert told == []
    qtbot.waitUntil(lambda: told == ["0012"])
    assert list(view_of(filled).model().keys) == [12]
    assert text_of(filled, "worklistShown") == "1 shown"
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert told == ["0012", ""]
    assert len(view_of(filled).model().keys) == 300
    QTest.keyClick(field, Qt.Key.Key_Escape)
    assert view_of(filled).hasFocus()


def test_enter_in_the_search_opens_what_is_found_first(filled):
    chosen = []
    filled.caseChosen.connect(chosen.append)
    field = filled.findChild(QLineEdit, "worklistSearch")
    field.setFocus()
    QTest.keyClicks(field, "0277")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert chosen == [277]


def test_chips_count_and_filter(panel):
    cases = Cases(
        [
            make_row(1, conflict=0.62, reason="queue.conflict"),
            make_row(2, status=ReadStatus.READ, corrections=1),
            make_row(3, has_report=False),
            make_row(4, conflict=0.5, partition=Partition.AUDIT),
        ]
    )
    cases.present = {3: ("Edema",)}
    panel.set_cases(cases, SCHEMA)
    names = ("unread", "conflict", "corrected", "missing_modality")
    chips = {name: panel.findChild(Chip, f"filter.{name}") for name in names}
    assert {name: chip.count for name, chip in chips.items()} == {
        "unread": "3", "conflict": "1", "corrected": "1", "missing_modality": "1"
    }
    keys = view_of(panel).model()
    for name, kept in zip(names, ([1, 3, 4], [1], [2], [3]), strict=True):
        chips[name].click()
        assert list(keys.keys) == kept, name
        chips[name].click()
    assert len(keys.keys) == 4


def test_the_menu_filters_by_finding(panel, qtbot):
    cases = Cases([make_row(1), make_row(2)])
    cases.present = {2: ("Edema",)}
    panel.set_cases(cases, SCHEMA)
    panel.findChild(Chip, "filter.more").click()
    menu = panel.findChild(QWidget, "filterMenu")
    entry = next(action for action in menu.actions() if action.text() == "Edema")
    entry.trigger()
    menu.close()
    assert list(view_of(panel).model().keys) == [2]
    chip = panel.findChild(Chip, "filter.finding")
    assert chip.isVisible()
    assert "Edema" in chip.text()
    chip.click()
    assert list(view_of(panel).model().keys) == [1, 2]
    assert not chip.isVisible()


def test_the_order_can_be_chosen(panel):
    panel.set_cases(
        Cases([make_row(1, priority=0.1, conflict=0.9), make_row(2, priority=0.9, conflict=0.1)]),
        SCHEMA,
    )
    orders = {}
    for name in ("Priority", "Conflict", "Id"):
        panel.findChild(Chip, "worklistSort").click()
        menu = panel.findChild(QWidget, "sortMenu")
        next(action for action in menu.actions() if action.text() == name).trigger()
        menu.close()
        menu.setObjectName("")
        orders[name] = list(view_of(panel).model().keys)
    assert orders == {"Priority": [2, 1], "Conflict": [1, 2], "Id": [1, 2]}


# --- nothing to list ------------------------------------------------------------------------------


def test_an_empty_project_offers_the_import(panel):
    wanted = []
    panel.importWanted.connect(lambda: wanted.append(True))
    panel.set_cases(Cases([]), SCHEMA)
    button = panel.findChild(QPushButton, "worklistEmptyButton")
    assert button.isVisible()
    button.click()
    assert wanted == [True]
    assert panel.next_key(None, unread=True) is None


def test_filters_that_keep_nothing_can_be_cleared(filled):
    filled.findChild(Chip, "filter.corrected").click()
    assert not filled.has_keys
    button = filled.findChild(QPushButton, "worklistEmptyButton")
    assert button.text() == "Clear filters"
    button.click()
    assert len(view_of(filled).model().keys) == 300
    assert view_of(filled).isVisible()


def test_a_list_that_cannot_be_read_says_so_and_can_be_tried_again(panel, cases):
    cases.broken = ProjectDamaged(path="p", detail="disk")
    panel.set_cases(cases, SCHEMA)
    assert panel.findChild(QWidget, "worklistEmpty").isVisible()
    cases.broken = None
    panel.findChild(QPushButton, "worklistEmptyButton").click()
    assert len(view_of(panel).model().keys) == 300
    cases.broken = MmreviewError("queue.random")
    panel.refresh()
    assert text_of(panel, "worklistFooter") == "drawn at random"
    assert panel.has_keys


# --- pages ----------------------------------------------------------------------------------------


def test_rows_are_fetched_where_the_reader_looks_and_forgotten_elsewhere(panel, qtbot):
    cases = Cases(make_row(key) for key in range(1, PAGE * (KEPT_PAGES + 20)))
    panel.set_cases(cases, SCHEMA)
    view = view_of(panel)
    view.viewport().repaint()
    assert set(cases.fetched) == set(range(1, 2 * PAGE + 1))
    middle = view.model().rowCount() // 2
    view.show_top(middle)
    view.viewport().repaint()  # placeholders; the page is wanted now
    qtbot.waitUntil(lambda: view.model().index(middle, 0).data() != "")
    assert middle + 1 in cases.fetched
    assert PAGE * 5 not in cases.fetched
    for row in range(0, view.model().rowCount(), PAGE):
        view.show_top(row)
        view.viewport().repaint()
        qtbot.waitUntil(lambda row=row: view.model().index(row, 0).data() != "")
    assert len(view.model()._pages) <= KEPT_PAGES


def test_pages_of_an_older_order_are_dropped(qtbot, cases):
    runner = InlineRunner(held=True)
    panel = WorklistPanel(runner)
    panel.set_cases(cases, SCHEMA)
    runner.run_all()
    model = view_of(panel).model()
    assert model.index(250, 0).data() == ""
    qtbot.waitUntil(lambda: bool(runner.tasks))  # the page is asked for
    panel.set_sort(WorklistSort.ID)
    cases.rows = dict(reversed(cases.rows.items()))
    runner.run_all()
    assert list(model.keys[:2]) == [300, 299]
    qtbot.waitUntil(lambda: runner.run_all() or model.index(250, 0).data() != "")
    assert model.index(250, 0).data().startswith(f"{model.keys[250]:04d}")
    panel.deleteLater()


def test_a_long_model_holds_integers_only():
    model = WorklistModel()
    model.set_keys(array("q", range(100_000)), {})
    assert model.rowCount() == 100_000
    assert model.row_of(77_777) == 77_777
    assert model.row_of(-1) is None
    assert model.data(model.index(5, 0)) == ""


# --- words and pixels -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "line", "value"),
    [
        ({}, "uncertain: Edema", ".48"),
        ({"conflict": 0.62, "reason": "queue.conflict"}, "report ≠ image: Edema", ".48"),
        ({"has_report": False}, "no report · uncertain: Edema", ".48"),
        ({"has_image": False, "priority": None}, "no image · uncertain: Edema", "—"),
        ({"reason": "", "priority": 1.25}, "not scored yet", "1.25"),
        ({"status": ReadStatus.STARTED, "corrections": 1}, "started · 1 corrected", ".48"),
        ({"status": ReadStatus.READ}, "read · agreed", ""),
        ({"partition": Partition.AUDIT, "conflict": 0.9}, "routine reading", ""),
        ({"partition": Partition.AUDIT, "status": ReadStatus.READ}, "read", ""),
    ],
)
def test_a_row_says_why_it_is_offered(changes, line, value):
    row = make_row(1, **changes)
    assert wording.second_line(row) == line
    assert wording.value(row) == value
    if changes.get("reason") == "queue.conflict":
        assert wording.value(row, by=WorklistSort.CONFLICT) == ".62"
    assert wording.is_conflict(row) is (changes.get("reason") == "queue.conflict")


def test_in_the_queue_only_a_marked_conflict_has_a_number():
    queue = WorklistSort.QUEUE
    assert wording.value(make_row(1), by=queue) == ""
    marked = make_row(1, marked=True, conflict=0.62, reason="queue.typical")
    assert (wording.value(marked, by=queue), wording.is_conflict(marked)) == (".62", True)
    audit = replace(marked, partition=Partition.AUDIT)
    assert (wording.value(audit, by=queue), wording.is_conflict(audit)) == ("", False)


def test_a_screen_reader_hears_of_an_audit_case_nothing_the_reader_may_not_know():
    spoken = wording.spoken(make_row(1, partition=Partition.AUDIT, conflict=0.9))
    assert ".90" not in spoken
    assert "Edema" not in spoken


def test_the_current_row_has_a_bright_edge(filled, dark):
    filled.select_case(3)
    view = view_of(filled)
    box = view.visualRect(view.currentIndex())
    picture = view.viewport().grab().toImage()
    ratio = picture.devicePixelRatio()
    middle = box.center()

    def pixel(x, y):
        return picture.pixelColor(int(x * ratio), int(y * ratio))

    assert pixel(0, middle.y()) == dark.text
    assert pixel(box.right() - 2, middle.y()) == dark.selection
    assert pixel(box.right() - 2, middle.y() + box.height()) == dark.surface
