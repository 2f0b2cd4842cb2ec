import threading
import time

import pytest

from mmreview.tasks.inline import InlineRunner
from mmreview.tasks.runner import Runner
from mmreview.tasks.task import Lane, TaskState


@pytest.fixture
def real(qtbot):
    runner = Runner()
    yield runner
    runner.shutdown()
    qtbot.waitUntil(lambda: runner.is_closed, timeout=10_000)


def test_work_runs_off_the_main_thread_and_answers_on_it(real, qtbot):
    seen = {}
    real.submit(
        Lane.DISPLAY,
        lambda: threading.current_thread().name,
        on_done=lambda name: seen.update(worker=name, caller=threading.current_thread()),
    )
    qtbot.waitUntil(lambda: "worker" in seen)
    assert seen == {"worker": "mmreview-display", "caller": threading.main_thread()}


def test_a_busy_lane_does_not_hold_another_up(real, qtbot):
    gate = threading.Event()
    seen = []
    real.submit(Lane.LEARNING, gate.wait)
    real.submit(Lane.DISPLAY, lambda: None, on_done=lambda _: seen.append("display"))
    qtbot.waitUntil(lambda: seen == ["display"])
    gate.set()


def test_every_step_of_a_generator_is_reported_in_order(real, qtbot):
    seen, ended = [], []

    def count():
        yield from range(2000)
        return "end"

    real.submit(Lane.BULK, count, on_progress=seen.append, on_done=ended.append)
    qtbot.waitUntil(lambda: ended == ["end"])
    assert seen == list(range(2000))


def test_cancel_closes_the_generator_and_is_told_once(real, qtbot):
    closed, told, done = threading.Event(), [], []

    def work():
        try:
            while True:
                time.sleep(0.001)
                yield 1
        finally:
            closed.set()

    task = real.submit(
        Lane.LEARNING, work, on_cancelled=lambda: told.append(1), on_done=done.append
    )
    qtbot.waitUntil(lambda: task.step == 1)
    task.cancel()
    qtbot.waitUntil(lambda: told == [1])
    assert closed.is_set()
    assert done == []


def test_a_failure_reaches_its_caller_and_the_lane_goes_on(real, qtbot):
    failures, done = [], []
    real.submit(Lane.BULK, lambda: 1 / 0, on_failed=failures.append)
    real.submit(Lane.BULK, lambda: 5, on_done=done.append)
    qtbot.waitUntil(lambda: done == [5])
    assert isinstance(failures[0], ZeroDivisionError)


def test_only_the_newest_of_a_key_answers(real, qtbot):
    gate, seen = threading.Event(), []
    real.submit(Lane.DISPLAY, gate.wait)
    for number in range(3):
        real.submit(Lane.DISPLAY, lambda n=number: n, key="case", on_done=seen.append)
    gate.set()
    qtbot.waitUntil(lambda: real.is_idle)
    assert seen == [2]


def test_shutdown_finishes_commits_cancels_the_rest_and_refuses_new_work(qtbot):
    runner = Runner()
    gate, committed, closed = threading.Event(), [], []

    def train():
        while True:
            time.sleep(0.001)
            yield

    runner.submit(Lane.COMMIT, gate.wait)
    runner.submit(Lane.COMMIT, lambda: committed.append(1))
    training = runner.submit(Lane.LEARNING, train)
    runner.shutdown(lambda: closed.append("a"))
    runner.shutdown(lambda: closed.append("b"))
    refused = runner.submit(Lane.DISPLAY, lambda: committed.append(2))
    gate.set()
    qtbot.waitUntil(lambda: closed == ["a", "b"], timeout=10_000)
    assert committed == [1]
    assert training.state is TaskState.CANCELLED
    assert refused.state is TaskState.CANCELLED


def test_the_inline_twin_can_hold_work_back(qtbot):
    runner = InlineRunner(held=True)
    seen = []
    runner.submit(Lane.COMMIT, lambda: "late", on_done=seen.append)
    assert seen == []
    runner.run_all()
    assert seen == ["late"]
