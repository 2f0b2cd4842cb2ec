"""The queue in the window: who is next, second readings, leases, shares; through real widgets."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QPushButton

from mmreview.domain.cases import ReadStatus
from mmreview.domain.findings import State
from mmreview.domain.streams import Offer, QueueRules, Quotas, Stream
from mmreview.services.queueing import QueueMade
from mmreview.tasks.task import Lane
from mmreview.ui.count_box import CountBox
from mmreview.ui.dialogs.choice_field import ChoiceField
from mmreview.ui.dialogs.queue_shares import QueueSharesDialog
from mmreview.ui.offering import Offering


def press(window, key):
    QTest.keyClick(window.page.findings, key)


def queue_of(window):
    return window.session.desk.queueing.head()


def open_key(window):
    return window.page.case_key


def banner(window):
    return window.page.banner.findChild(QLabel, "bannerText").text()


def plant(window, *offers):
    """Let these be the queue, and the list show it."""
    window.session.desk.queueing._queue.replace(0, offers)
    window.session.offering.queueMade.emit(QueueMade(len(offers)))


def test_the_list_opens_in_the_order_of_the_queue(window):
    keys = window.page.worklist._model.keys.tolist()
    assert keys[: len(queue_of(window))] == queue_of(window) != []
    assert open_key(window) == keys[0]


def test_next_goes_to_the_first_of_a_queue_that_was_made_meanwhile(window):
    first, *_ = [key for key in queue_of(window) if key != open_key(window)]
    others = [key for key in queue_of(window)[::-1] if key not in (open_key(window), first)]
    plant(window, *[Offer(key, Stream.POLICY, 1.0, "queue.typical", {"count": 3})
                    for key in (*others, first)])
    QTest.mouseClick(window.page.bar._next, Qt.MouseButton.LeftButton)
    assert open_key(window) == others[0]


def test_a_queue_is_made_anew_after_some_reads_and_shown_as_a_task(window, monkeypatch):
    monkeypatch.setattr("mmreview.ui.offering.READS", 3)
    monkeypatch.setattr(window.session.offering, "_rests_until", 0.0)
    names = []
    window.runner.taskStarted.connect(lambda task: names.append((task.lane, task.name)))
    made = (Lane.BULK, "ui.task.queueing")
    for _ in range(3):
        assert made not in names
        read = open_key(window)
        press(window, Qt.Key.Key_Return)
        assert read not in queue_of(window)
    assert names.count(made) == 1


def test_a_queue_that_takes_long_is_made_less_often(window, monkeypatch):
    monkeypatch.setattr("mmreview.ui.offering.READS", 1)
    monkeypatch.setattr(window.session.offering, "_rests_until", float("inf"))
    names = []
    window.runner.taskStarted.connect(lambda task: names.append(task.name))
    press(window, Qt.Key.Key_Return)
    assert "ui.task.queueing" not in names


@pytest.fixture
def again(window):
    """The open case was read (Edema present) and comes again, first of the queue."""
    first = open_key(window)
    window.page.findings.select("Edema")
    press(window, Qt.Key.Key_1)
    press(window, Qt.Key.Key_Return)
    plant(window, Offer(first, Stream.REPEATS, 0.0, "queue.neutral"))
    QTest.mouseClick(window.page.bar._next, Qt.MouseButton.LeftButton)
    assert open_key(window) == first
    return window


def test_a_second_reading_shows_nothing_of_the_first(again):
    page = again.page
    key = open_key(again)
    view = page._view
    assert view.repeat
    assert dict(view.states) == {}
    assert view.prediction is None
    row = page.worklist._model.row(page.worklist._model.row_of(key))
    assert (row.status, row.corrections, row.reason) == (ReadStatus.UNREAD, 0, "queue.neutral")


def test_its_answers_leave_the_label_alone_and_the_difference_is_told(again):
    window, key = again, open_key(again)
    desk = window.session.desk
    learned = []
    window.page.correctionSaved.connect(lambda: learned.append(True))
    window.page.findings.select("Edema")
    press(window, Qt.Key.Key_2)
    assert window.page._view.states["Edema"].state is State.ABSENT
    assert desk.cases.states(key)["Edema"].state is State.PRESENT
    press(window, Qt.Key.Key_U)
    assert dict(desk.reviewing.repeats.states(desk.cases.get(key), "Ada")) == {}
    window.page.findings.select("Edema")
    press(window, Qt.Key.Key_2)
    assert learned == []
    press(window, Qt.Key.Key_Return)
    assert "Edema" in banner(window)
    assert "as it was" in banner(window)
    assert desk.cases.states(key)["Edema"].state is State.PRESENT
    [row] = desk.cases.worklist_rows([key])
    assert row.status is ReadStatus.READ
    window.page.open_case(key)  # it can be opened again, with everything there is
    assert not window.page._view.repeat
    assert window.page._view.states["Edema"].state is State.PRESENT


def test_another_reader_is_not_asked_again(again):
    key = open_key(again)
    again.change_reader("Ben")
    [row] = again.session.desk.cases.worklist_rows([key])
    assert row.status is ReadStatus.READ


# --- leases ---------------------------------------------------------------------------------------


def holders(window):
    return {lease.key: lease.reader for lease in window.session.desk.queueing.leases()}


def test_the_open_case_is_on_lease_and_given_back(window):
    first = open_key(window)
    assert holders(window) == {first: "Ada"}
    press(window, Qt.Key.Key_N)
    second = open_key(window)
    assert holders(window) == {second: "Ada"}
    window.change_reader("Ben")
    assert holders(window) == {second: "Ben"}


def test_closing_gives_the_open_case_back(window, opener):
    folder = window.session.desk.info.folder
    window.close_project()
    desk = opener.open(folder)
    assert desk.queueing.leases() == []
    desk.close()


def test_next_leaves_out_what_another_reader_has(window):
    desk = window.session.desk
    queue = [key for key in queue_of(window) if key != open_key(window)]
    desk.queueing.lease(queue[:1], reader="Ben")
    window.page.worklist.refresh()
    press(window, Qt.Key.Key_N)
    assert open_key(window) == queue[1]
    window.page.open_case(queue[0])  # but it can be opened
    assert open_key(window) == queue[0]
    assert holders(window)[queue[0]] == "Ben"


def test_a_read_only_window_leases_nothing_and_passes_over(make_window, project, opener):
    writer = opener.open(project)
    writer.queueing.read_by("Ben")
    keys = writer.queueing._queue.pool("train")
    writer.queueing.lease(keys[:1], reader="Ben")
    window = make_window()
    window.open_project(project, read_only=True)
    assert window.page.case_key is not None
    assert keys[0] != window.page.case_key
    assert {lease.reader for lease in writer.queueing.leases()} == {"Ben"}
    writer.close()


# --- shares ---------------------------------------------------------------------------------------


def box(dialog, name):
    return dialog.findChild(CountBox, name)


def test_the_shares_are_changed_in_a_dialog_and_kept(window):
    window.acts.actions["queue_shares"].trigger()
    dialog = window.findChild(QueueSharesDialog)
    box(dialog, "share.audit").setValue(40)
    box(dialog, "queueApart").setValue(7)
    choice = dialog.findChild(ChoiceField, "queuePolicy")
    choice.setCurrentIndex(choice.findData("random"))
    assert dialog.findChild(QLabel, "share.policy").text() == "43 %"
    dialog.findChild(QPushButton, "useSharesButton").click()
    rules = window.session.desk.queueing.rules
    assert (rules.quotas.audit, rules.apart, rules.policy) == (40, 7, "random")
    assert "setting_changed" in [e.kind for e in window.session.desk.events.events()]


def test_more_than_a_hundred_per_cent_is_refused_in_words(qtbot):
    dialog = QueueSharesDialog(None, rules=QueueRules(), policies=("random", "hybrid"))
    qtbot.addWidget(dialog)
    dialog.show()
    box(dialog, "share.control").setValue(90)
    use = dialog.findChild(QPushButton, "useSharesButton")
    assert not use.isEnabled()
    assert "112 %" in dialog.findChild(QLabel, "queueProblem").text()
    dialog.findChild(QPushButton, "defaultSharesButton").click()
    assert use.isEnabled()
    assert box(dialog, "share.control").value() == Quotas().control
    dialog.close()


def test_shares_can_be_seen_but_not_changed_where_another_writes(qtbot):
    dialog = QueueSharesDialog(None, rules=QueueRules(), policies=("hybrid",), writable=False)
    qtbot.addWidget(dialog)
    assert not box(dialog, "share.audit").isEnabled()
    assert not dialog.findChild(QPushButton, "useSharesButton").isEnabled()
    assert dialog.findChild(QLabel, "queueProblem").text()


def test_a_lease_that_cannot_be_written_disturbs_nobody(held, monkeypatch):
    problems = []
    held.session.problemFound.connect(problems.append)

    def refuse(*_, **__):
        raise OSError("no room")

    monkeypatch.setattr(held.session.desk.queueing._leases, "take", refuse)
    press(held, Qt.Key.Key_N)
    held.runner.run_all()
    assert problems == []
    monkeypatch.undo()


def test_the_offering_says_why_a_queue_could_not_be_made(held, monkeypatch):
    problems = []
    offering = held.session.offering
    assert isinstance(offering, Offering)
    offering.problemFound.connect(problems.append)
    monkeypatch.setattr(held.session.desk.queueing._acquisition, "rank", _broken)
    offering.refresh()
    held.runner.run_all()
    assert [problem.code for problem in problems] == ["error.policy_not_found"]


def _broken(request):
    from mmreview.domain.acquisition import PolicyNotFound

    raise PolicyNotFound(policy=request.policy, known="")
    yield
