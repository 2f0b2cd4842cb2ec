"""Crash reports tell where, and nothing of a case: no message, no local value, no folder."""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mmreview import crashes, logs

SECRETS = ("Miller", "effusion", "lovelace")


def fail_on(report_text):
    diagnosis = report_text + " at /home/lovelace/Miller, Ada/pa.png"  # a local, on purpose
    try:
        raise KeyError(diagnosis)
    except KeyError as error:
        raise OSError(28, diagnosis, "/home/lovelace/Miller.png") from error


@pytest.fixture
def log(tmp_path, capsys):
    path = logs.start(tmp_path)
    yield logging.getLogger("mmreview.test")
    logs.stop()
    assert path.parent == tmp_path


def caught(act, *words):
    try:
        act(*words)
    except Exception as error:
        return error


def test_a_report_tells_types_and_places_and_nothing_of_a_case(log, tmp_path):
    log.info("encoded 12 cases")
    log.error("cannot read /home/lovelace/Miller Ada/scans/x.png")
    log.error(r"cannot read C:\Users\lovelace\Miller\x.png or \\server\Miller\y.png")
    error = caught(fail_on, "Mrs Miller has an effusion")
    error.add_note("Mrs Miller again")
    told = []
    logs.when_crashed(told.append)
    path = logs.report(error, where="task ui.task.importing")
    text = path.read_text("utf-8")
    assert told == [path]
    assert path == crashes.newest(tmp_path)
    assert "Error: OSError [28]" in text
    assert "Caused by: KeyError" in text
    assert "test_crashes.py:" in text
    assert "fail_on" in text
    assert "encoded 12 cases" in text
    assert "x.png" in text
    assert "numpy" in text
    for secret in (*SECRETS, "Users", "server", "home"):
        assert secret not in text


def test_the_same_place_is_reported_once(log, tmp_path):
    errors = [caught(fail_on, f"case {n}") for n in range(3)]
    paths = [logs.report(error) for error in errors]
    assert paths[0] is not None
    assert paths[1:] == [None, None]
    assert len(list(tmp_path.glob("crash-*.txt"))) == 1


def test_an_error_at_the_top_of_main_or_of_a_thread_is_reported(log, tmp_path, capsys):
    error = caught(fail_on, "Mrs Miller")
    sys.excepthook(type(error), error, error.__traceback__)
    assert crashes.newest(tmp_path) is not None
    first = crashes.newest(tmp_path)
    thread = threading.Thread(target=lambda: [].pop(), name="mmreview-bulk")
    thread.start()
    thread.join()
    newest = crashes.newest(tmp_path)
    assert newest != first
    assert "IndexError" in newest.read_text("utf-8")
    assert "thread mmreview-bulk" in newest.read_text("utf-8")


def test_ten_reports_are_kept(tmp_path):
    for number in range(13):
        assert crashes.write(ValueError(number), folder=tmp_path)
    assert len(list(tmp_path.glob("crash-*.txt"))) == crashes.KEPT


def test_a_deep_recursion_makes_a_short_report(tmp_path):
    def deeper():
        deeper()

    text = crashes.write(caught(deeper), folder=tmp_path).read_text("utf-8")
    assert "RecursionError" in text
    assert "more …" in text
    assert text.count("deeper") <= 42


def test_where_nothing_can_be_written_nothing_fails(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert crashes.write(ValueError("x"), folder=blocked) is None
    assert crashes.newest(blocked) is None
    assert crashes.take_native(blocked) is None
    crashes.watch(blocked)
    crashes.unwatch()


def abort(folder, how):
    """Run a process that watches ``folder`` and ends as ``how`` says."""
    code = (
        "import sys, os, ctypes\nfrom pathlib import Path\nfrom mmreview import crashes\n"
        "crashes.watch(Path(sys.argv[1]))\n"
        "def read_report_of_Miller():\n    " + how + "\nread_report_of_Miller()\n"
    )
    script = folder.parent / "home lovelace" / "script.py"
    script.parent.mkdir(exist_ok=True)
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [sys.executable, str(script), str(folder)], env=environment, capture_output=True,
        check=False,
    ).returncode


def test_a_native_crash_is_told_at_the_next_start(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    assert abort(folder, "os.abort()") != 0
    [left] = folder.glob("fatal-*.txt")
    report = crashes.take_native(folder)
    text = report.read_text("utf-8")
    assert "Aborted" in text
    assert "script.py" in text
    assert "lovelace" not in text
    assert not left.exists()
    assert crashes.take_native(folder) is None


def test_an_end_without_a_crash_leaves_nothing(tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    assert abort(folder, "pass") == 0
    assert list(folder.iterdir()) == []
    abort(folder, "os._exit(0)")  # killed: nothing was written
    assert crashes.take_native(folder) is None
    assert list(folder.iterdir()) == []


def test_what_a_living_process_watches_is_left_alone(tmp_path):
    crashes.watch(tmp_path)
    try:
        [own] = tmp_path.glob("fatal-*.txt")
        assert crashes.take_native(tmp_path) is None
        assert own.exists()
    finally:
        crashes.unwatch()
    assert not own.exists()
