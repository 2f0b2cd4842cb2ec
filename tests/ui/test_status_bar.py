"""The status line: the saved mark tells the truth, and what runs behind can be cancelled."""

from datetime import datetime

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QProgressBar, QWidget

from mmreview.domain.progress import Progress, TrainingStep
from mmreview.tasks.task import Lane, Task
from mmreview.ui.status_bar import StatusBar

AT = "2026-05-05T10:04:31.123456Z"


@pytest.fixture
def bar(qtbot):
    made = StatusBar()
    qtbot.addWidget(made)
    made.resize(1280, 24)
    made.show()
    yield made
    made.close()


def part(bar, name) -> QWidget:
    return bar.findChild(QWidget, name)


def said(bar, name="savedIndicator") -> str:
    return part(bar, name).accessibleName()


def task(name="progress.encode", step=None) -> Task:
    made = Task(Lane.BULK, lambda: None, name=name)
    made.step = step
    return made


def pixels(widget, colour) -> int:
    image = widget.grab().toImage()
    points = ((x, y) for x in range(image.width()) for y in range(image.height()))
    return sum(image.pixelColor(x, y) == colour for x, y in points)


def test_saving_saved_failed(bar, qtbot, dark):
    assert said(bar) == "Nothing to save"
    bar.show_saving(1)
    assert said(bar) == "Saving…"
    bar.show_saved(AT)
    local = datetime.fromisoformat(AT).astimezone().strftime("%H:%M:%S")
    assert said(bar) == f"Saved {local}"
    assert pixels(part(bar, "savedIndicator"), dark.good) > 5
    assert not part(bar, "retryButton").isVisible()
    bar.show_failed("the disk is full", 3)
    assert said(bar) == "3 not saved: the disk is full"
    assert pixels(part(bar, "savedIndicator"), dark.bad) > 5
    wanted = []
    bar.retryWanted.connect(lambda: wanted.append(True))
    qtbot.mouseClick(part(bar, "retryButton"), Qt.MouseButton.LeftButton)
    part(bar, "retryButton").setFocus()
    qtbot.keyClick(part(bar, "retryButton"), Qt.Key.Key_Return)
    assert wanted == [True, True]
    bar.show_saved("")
    assert said(bar) == "Saved"
    assert not part(bar, "retryButton").isVisible()


def test_nothing_jumps_while_saving(bar):
    bar.show_device("CPU · 2 threads")
    bar.show_saved(AT)
    places = []
    for _ in range(2):
        bar.grab()
        places.append(part(bar, "deviceStatus").geometry())
        bar.show_saving(1)
    assert places[0] == places[1]


def test_device_version_badge_and_purpose(bar):
    bar.show_device("CPU · 2 threads")
    bar.show_version(7)
    bar.set_synthetic(True)
    assert said(bar, "deviceStatus") == "CPU · 2 threads"
    assert said(bar, "versionStatus") == "version 7"
    assert part(bar, "syntheticBadge").isVisible()
    assert said(bar, "purposeStatus") == "For research and annotation use, not for diagnosis"
    bar.clear()
    assert said(bar, "versionStatus") == "no version"
    assert not part(bar, "syntheticBadge").isVisible()


def test_read_only_is_said_in_place_of_saved(bar):
    bar.show_failed("the disk is full", 1)
    bar.set_read_only("Read-only: anna writes this project")
    assert said(bar, "readOnlyStatus") == "Read-only: anna writes this project"
    assert not part(bar, "savedIndicator").isVisible()
    assert not part(bar, "retryButton").isVisible()
    bar.set_read_only("")
    assert part(bar, "savedIndicator").isVisible()


def test_one_task_shows_its_progress_and_is_cancelled(bar, qtbot):
    cancelled = []
    bar.cancelWanted.connect(cancelled.append)
    work = task(step=Progress("progress.encode", 40, 577))
    bar.show_task(work)
    assert said(bar, "taskStatus") == "Preparing features 40 of 577"
    assert bar.findChild(QProgressBar, "taskProgress").value() == round(1000 * 40 / 577)
    work.step = Progress("progress.encode", 288, 577)
    bar.show_task(work)
    assert said(bar, "taskStatus") == "Preparing features 288 of 577"
    cross = bar.findChild(QAbstractButton, "taskCancelButton")
    qtbot.mouseClick(cross, Qt.MouseButton.LeftButton)
    assert cancelled == [work]
    bar.end_task(work)
    assert not cross.isVisible()
    bar.end_task(work)


def test_several_tasks_are_counted_and_named(bar, qtbot):
    cancelled = []
    bar.cancelWanted.connect(cancelled.append)
    first = task(step=Progress("progress.encode", 1, 2))
    second = task("progress.score", TrainingStep("training.phase.saving", 0.5))
    third = task("progress.export", Progress("progress.export", 0, 0))
    for work in (first, second, third):
        bar.show_task(work)
    many = bar.findChild(QAbstractButton, "tasksButton")
    assert many.isVisible() and many.text() == "3 tasks"
    assert many.toolTip().splitlines() == [
        "Preparing features 1 of 2", "Ordering the worklist 50 %", "Exporting"
    ]
    menu = bar.task_menu()
    menu.actions()[1].trigger()
    menu.deleteLater()
    assert cancelled == [second]
    bar.end_task(first)
    bar.end_task(second)
    assert said(bar, "taskStatus") == "Exporting"
    assert not bar.findChild(QProgressBar, "taskProgress").isVisible()
