"""The reader's two waits, in the real window over real pairs: next case, and a correction.

    python tests/benchmarks/reading.py --work FOLDER [--cases 500] [--sizes 577,1000,100000]

Next case: key press to the end of the paint that shows image, report, findings and opinions.
Correction: key press to the end of the repaint, and to the word that it is durable; beside it a
bare sqlite3 commit (WAL, synchronous=FULL) in the same run. Qt's offscreen platform, 1440 x 900.
"""

from __future__ import annotations

import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parent))

import projects
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from mmreview.compose import ProjectOpener
from mmreview.console import table
from mmreview.settings import Settings
from mmreview.tasks.runner import Runner
from mmreview.ui import theme
from mmreview.ui.main_window import MainWindow


class Paints(QObject):
    """Counts the paints of some widgets."""

    def __init__(self, *widgets: QObject) -> None:
        super().__init__()
        self.count = 0
        for widget in widgets:
            widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Count."""
        self.count += event.type() == QEvent.Type.Paint
        return False


def until(application: QApplication, true: Callable[[], bool], seconds: float = 60.0) -> None:
    """Turn the event loop until something holds."""
    deadline = time.perf_counter() + seconds
    while not true():
        application.processEvents()
        if time.perf_counter() > deadline:
            raise SystemExit("the window did not get there")


def quantile(values: list[float], share: float) -> float:
    """In milliseconds."""
    return 1000 * sorted(values)[min(len(values) - 1, int(share * len(values)))]


class Bench:
    """A window on one project."""

    def __init__(self, application: QApplication, folder: Path) -> None:
        self.application = application
        self.window = MainWindow(
            runner=Runner(), settings=Settings(automatic=False, reader="bench"),
            opener=ProjectOpener(), remember=False,
        )
        self.window.resize(1440, 900)
        self.window.show()
        self.window.open_project(folder)
        page = self.window.page
        until(application, lambda: self.window.is_settled and page.case_id != "")
        self.page = page
        self.paints = Paints(page.reading.image.view, page.reading.report.view)

    def close(self) -> None:
        """Close it as a person would."""
        self.window.close()
        until(self.application, lambda: self.window.is_closed)

    def next_case(self, *, prefetched: bool) -> float:
        """Seconds from the key to the end of the paint."""
        until(self.application, lambda: self.window.runner.is_idle)
        if not prefetched:
            self.page._loading.forget_all()
        before, painted = self.page.case_id, self.paints.count
        begun = time.perf_counter()
        QTest.keyClick(self.page.findings, Qt.Key.Key_N)
        until(
            self.application,
            lambda: self.page.case_id != before
            and self.page.is_settled
            and self.paints.count > painted,
        )
        return time.perf_counter() - begun

    def correction(self, key: Qt.Key) -> tuple[float, float, float]:
        """Seconds from the key to the end of the repaint, to the end of the durable commit on its
        lane, and to the word on the screen that it is saved."""
        rows = Paints(*self.page.findings.findChildren(QObject))
        saved: list[float] = []
        committed: list[float] = []
        reviewing = self.window.session.desk.reviewing
        correct = type(reviewing).correct

        def timed(correction: object) -> object:
            change = correct(reviewing, correction)
            committed.append(time.perf_counter())
            return change

        reviewing.correct = timed
        connection = self.window.session.saving.saved.connect(
            lambda _: saved.append(time.perf_counter())
        )
        begun = time.perf_counter()
        QTest.keyClick(self.page.findings, key)
        until(self.application, lambda: rows.count > 0)
        repainted = time.perf_counter()
        until(self.application, lambda: bool(saved))
        self.window.session.saving.saved.disconnect(connection)
        del reviewing.correct
        return repainted - begun, committed[0] - begun, saved[0] - begun


def bare_commits(number: int) -> list[float]:
    """Seconds of each of ``number`` bare sqlite3 commits of one row."""
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder) / "bare.sqlite", isolation_level=None)
        database.execute("pragma journal_mode=wal")
        database.execute("pragma synchronous=full")
        database.execute("create table events (seq integer primary key, payload text)")
        found = []
        for _ in range(number):
            begun = time.perf_counter()
            database.execute("begin immediate")
            database.execute("insert into events (payload) values (?)", ("x" * 200,))
            database.execute("commit")
            found.append(time.perf_counter() - begun)
        database.close()
    return found


def measure(bench: Bench, cases: int) -> tuple[list[float], list[float]]:
    """Next case, prefetched and not, over ``cases`` cases each."""
    ready = [bench.next_case(prefetched=True) for _ in range(cases)]
    cold = [bench.next_case(prefetched=False) for _ in range(min(cases, 200))]
    return ready, cold


def main() -> None:
    """Print the tables."""
    parser = projects.arguments(__doc__)
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--sizes", default="577,1000,100000")
    wished = parser.parse_args()
    application = QApplication([])
    theme.apply(application, "dark")
    rows = []
    for size in (int(word) for word in wished.sizes.split(",")):
        folder = (
            projects.real_project(wished.work) if size <= 577
            else projects.multiplied(wished.work, size)
        )
        bench = Bench(application, folder)
        for name, times, target in zip(
            ("prefetched", "not prefetched"), measure(bench, wished.cases), (16.7, 50.0),
            strict=True,
        ):
            rows.append(
                (
                    f"next case, {name}, {size} cases",
                    f"{1000 * statistics.median(times):.1f}", f"{quantile(times, 0.95):.1f}",
                    f"{quantile(times, 0.99):.1f}", f"p95 <= {target}",
                )
            )
        if size <= 577:
            bench.page.findings.select(bench.window.session.desk.info.schema.names[0])
            keys = (Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_3)
            acts = [bench.correction(keys[number % 3]) for number in range(wished.cases)]
            bare = bare_commits(wished.cases)
            repaint, durable, said = ([act[part] for act in acts] for part in (0, 1, 2))
            for name, times, target in (
                ("correction, key to repaint", repaint, "p99 <= 16.7"),
                ("correction, key to durable commit", durable, ""),
                ("correction, key to “saved” on the screen", said, ""),
                ("bare sqlite3 commit", bare, ""),
            ):
                rows.append(
                    (name, f"{1000 * statistics.median(times):.2f}",
                     f"{quantile(times, 0.95):.2f}", f"{quantile(times, 0.99):.2f}", target)
                )
        bench.close()
    print(table(("real pairs, ms", "p50", "p95", "p99", "target"), rows))


if __name__ == "__main__":
    main()
