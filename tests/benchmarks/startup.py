"""Process start to the first paint of the window, against a bare PySide6 window in the same run.

    python tests/benchmarks/startup.py [--runs 7]

The platform is Qt's offscreen one, so that the figure is the program's and not a display's.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mmreview.console import table

BARE = """
import os
from PySide6.QtWidgets import QApplication, QMainWindow
class Window(QMainWindow):
    def paintEvent(self, event):
        os._exit(0)
application = QApplication([])
window = Window(); window.resize(1440, 900); window.show()
application.exec()
"""

OURS = """
import os, sys
sys.argv = ["mmreview"{project}]
from mmreview import app
make = app._window
def _window(*words, **named):
    window = make(*words, **named)
    from PySide6.QtCore import QEvent, QObject
    class Watch(QObject):
        def eventFilter(self, watched, event):
            if event.type() == QEvent.Type.Paint:
                assert "torch" not in sys.modules
                os._exit(0)
            return False
    window.watch = Watch()
    window.centralWidget().installEventFilter(window.watch)
    return window
app._window = _window
app.has_display = lambda: True
from mmreview.__main__ import main
main()
"""


def seconds(code: str, runs: int, home: str) -> list[float]:
    """Wall times of whole processes, after one warm-up."""
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": home}
    found = []
    for number in range(runs + 1):
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, check=False
        )
        if done.returncode:
            raise SystemExit(done.stderr.decode())
        if number:
            found.append(time.perf_counter() - begun)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--project", type=Path)
    wished = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        bare = seconds(BARE, wished.runs, home)
        ours = [("welcome page", seconds(OURS.format(project=""), wished.runs, home))]
        if wished.project:
            named = f", {str(wished.project)!r}"
            ours.append(("a project", seconds(OURS.format(project=named), wished.runs, home)))
    base = statistics.median(bare)
    rows = [("bare PySide6 window", f"{base:.3f}", "1.0", "")]
    for name, times in ours:
        middle = statistics.median(times)
        rows.append((f"mmreview, {name}", f"{middle:.3f}", f"{middle / base:.2f}", "<= 3"))
    print(table(("start to first paint", "median s", "ratio", "target"), rows))


if __name__ == "__main__":
    main()
