"""The worklist that a reader sees, over many cases: from the act to the painted rows.

    python tests/benchmarks/worklist_view.py [--cases N] [--repeats N] [--keep FOLDER]

The real panel, runner and store (the project is that of ``worklist.py``), Qt's offscreen platform.
Each act ends when the rows it leads to are painted, placeholders not counted; the pause that ends
a search word is left out. Memory is what the process takes above the empty window, database
library included. Target: at most 100 ms each, at most 100 MB.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parent))

from PySide6.QtCore import QAbstractEventDispatcher, QEventLoop, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from mmreview.domain.cases import WorklistSort
from mmreview.tasks.runner import Runner
from mmreview.ui import theme
from mmreview.ui.worklist.chips import Chip
from mmreview.ui.worklist.panel import WorklistPanel
from mmreview.ui.worklist.search import SearchField
from mmreview.ui.worklist.view import WorklistView

#: Longer than this and the act is taken to have failed, in seconds.
_PATIENCE = 60.0


class Bench:
    """A panel on the screen, and a clock that stops when its rows are painted."""

    def __init__(self) -> None:
        self.application = QApplication.instance() or QApplication(sys.argv[:1])
        theme.apply(self.application, "dark")
        self.runner = Runner()
        self.panel = WorklistPanel(self.runner)
        self.panel.resize(240, 760)
        self.panel.show()
        self.view = self.panel.findChild(WorklistView)
        self.changed = 0
        self.wake = QTimer(interval=250)  # so that a wait for what never comes ends
        self.wake.start()
        self.panel.listChanged.connect(self._on_changed)
        self.settle()

    def _on_changed(self) -> None:
        self.changed += 1

    def settle(self) -> None:
        """Let everything that waits come to its end."""
        self._until(lambda: self.runner.is_idle)
        for _ in range(5):
            self.application.processEvents()

    def _until(self, true: Callable[[], bool]) -> None:
        """Sleep in the event loop, as a window does, until an event made ``true`` hold."""
        deadline = time.monotonic() + _PATIENCE
        dispatcher = QAbstractEventDispatcher.instance()
        while not true():
            if time.monotonic() > deadline:
                raise SystemExit("the worklist did not come")
            dispatcher.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)

    def _painted(self) -> bool:
        model = self.view.model()
        top, _ = self.view.top()
        last = min(top + self.view.viewport().height() // 44, model.rowCount() - 1)
        return top >= 0 and all(model.row(row) is not None for row in (top, last))

    def time(self, act: Callable[[], object], *, asks: bool) -> float:
        """Milliseconds from ``act`` to the paint of what it leads to. ``asks``: another list of
        cases has to come first."""
        self.settle()
        before = self.changed
        begin = time.perf_counter()
        act()
        if asks:
            self._until(lambda: self.changed > before)
        self._until(lambda: self._painted() or not self.panel.has_keys)
        self.view.viewport().repaint()
        return (time.perf_counter() - begin) * 1e3

    def close(self) -> None:
        """Close window and lanes."""
        self.settle()
        self.panel.set_cases(None, None)
        closed: list[bool] = []
        self.runner.shutdown(lambda: closed.append(True))
        self._until(lambda: bool(closed))
        self.wake.stop()
        self.panel.close()


def memory() -> float:
    """What this process takes now, in MB."""
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6


def acts(bench: Bench, folder: Path) -> dict[str, tuple[Callable[[], object], bool]]:
    """What is measured: the act, and whether it brings another list."""
    from mmreview.store.engine import open_store

    panel, view = bench.panel, bench.view
    field = panel.findChild(SearchField)
    stores = []

    def opened() -> None:
        store = open_store(folder, read_only=True)
        stores.append(store)
        panel.set_cases(store.cases, store.cases.schema)

    def toggled(name: str) -> Callable[[], None]:
        return panel.findChild(Chip, f"filter.{name}").click

    def searched(text: str) -> Callable[[], None]:
        def search() -> None:
            field.setText(text)
            QTest.keyClick(field, Qt.Key.Key_Return)

        return search

    def middle() -> int:
        return len(view.model().keys) // 2

    def jumped() -> None:
        view.show_top(middle())

    def selected() -> None:
        panel.select_case(view.model().keys[middle() + 5000])

    def moved() -> None:
        QTest.keyClick(view, Qt.Key.Key_Down)

    return {
        "open": (opened, True),
        "sort by conflict": (lambda: panel.set_sort(WorklistSort.CONFLICT), True),
        "sort by id": (lambda: panel.set_sort(WorklistSort.ID), True),
        "sort by priority": (lambda: panel.set_sort(WorklistSort.PRIORITY), True),
        "filter: unread": (toggled("unread"), True),
        "filter: unread, conflict": (toggled("conflict"), True),
        "filter: conflict": (toggled("unread"), True),
        "filter: all again": (toggled("conflict"), True),
        "search: an id": (searched("case-4711"), True),
        "search: all again": (panel.clear_filters, True),
        "jump to the middle": (jumped, False),
        "open a case far away": (selected, False),
        "arrow to the next case": (moved, False),
        "jump to the end": (lambda: view.show_top(len(view.model().keys)), False),
        "refresh in place": (panel.refresh, True),
    }


def report(folder: Path, *, repeats: int) -> None:
    """Measure and print; ``store`` is what the question alone takes, asked on this thread."""
    from mmreview.store.engine import open_store

    bench = Bench()
    empty = memory()
    measured = acts(bench, folder)
    store = open_store(folder, read_only=True)
    times: dict[str, list[float]] = {name: [] for name in measured}
    bare: dict[str, list[float]] = {name: [] for name in measured}
    most = empty
    for _ in range(repeats):
        for name, (act, asks) in measured.items():
            times[name].append(bench.time(act, asks=asks))
            most = max(most, memory())
            if asks:
                bench.settle()
                begin = time.perf_counter()
                keys = store.cases.worklist_keys(*bench.panel.filter_state())
                store.cases.worklist_rows(keys[:128])
                bare[name].append((time.perf_counter() - begin) * 1e3)
    store.close()
    title = "worklist of " + format(len(bench.view.model().keys), ",")
    print(f"{title:<34}{'ms':>9}{'worst':>9}{'store':>9}")
    worst = 0.0
    for name, found in times.items():
        median = statistics.median(found)
        worst = max(worst, median)
        share = f"{statistics.median(bare[name]):>9.1f}" if bare[name] else ""
        print(f"{name:<34}{median:>9.1f}{max(found):>9.1f}{share}")
    print(f"memory above the empty window: {most - empty:.0f} MB (target 100)")
    print(f"target: at most 100 ms each: {'met' if worst <= 100 else f'MISSED ({worst:.0f} ms)'}")
    bench.close()


def main() -> None:
    """Make the project if it is not there, then measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="make the project here, or use the one there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.keep or Path(scratch)) / "bench.mmreview"
        if not folder.exists():
            make(folder, options.cases)
        report(folder, repeats=options.repeats)


def make(folder: Path, cases: int) -> None:
    """Make the project in a process of its own, so that its memory is not counted here."""
    import subprocess

    code = (
        "import sys; from pathlib import Path; from worklist import make_project;"
        "make_project(Path(sys.argv[1]), cases=int(sys.argv[2]))"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(folder), str(cases)],
        check=True,
        cwd=Path(__file__).parent,
    )


if __name__ == "__main__":
    main()
