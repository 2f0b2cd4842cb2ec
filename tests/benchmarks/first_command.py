"""README's first command once installed: how long until the window, and until a case is usable.

    python tests/benchmarks/first_command.py [--runs 3]

A fresh home and a new project each run. “Usable” is the first case on the page with its image, its
report and the opinions of a fitted version. Qt's offscreen platform.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time

from mmreview.console import table

CODE = """
import os, sys, time
begun = float(os.environ["BEGUN"])
sys.argv = ["mmreview", "demo", os.environ["PROJECT"]]
from mmreview import app
make = app._window
def _window(*words, **named):
    window = make(*words, **named)
    from PySide6.QtCore import QEvent, QObject, QTimer
    class Watch(QObject):
        shown = 0.0
        def eventFilter(self, watched, event):
            if event.type() == QEvent.Type.Paint and not self.shown:
                self.shown = time.time() - begun
            return False
    window.watch = Watch()
    window.centralWidget().installEventFilter(window.watch)
    def look():
        if window.stack.currentWidget() is window.welcome or not window.page.case_id:
            return
        if window.page.is_settled and window.page._view.prediction is not None:
            cases = window.session.desk.cases.count()
            print(window.watch.shown, time.time() - begun, cases, flush=True)
            os._exit(0)
    window.timer = QTimer(window)
    window.timer.timeout.connect(look)
    window.timer.start(20)
    return window
app._window = _window
app.has_display = lambda: True
app.missing_for_display = lambda: ""
from mmreview.__main__ import main
main()
"""


def run() -> tuple[float, float, int]:
    """Seconds to the window and to a usable case, and how many cases there are."""
    with tempfile.TemporaryDirectory() as home:
        environment = {
            **os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": home,
            "PROJECT": f"{home}/demo", "BEGUN": str(time.time()),
        }
        done = subprocess.run(
            [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        window, usable, cases = done.stdout.split()[-3:]
        return float(window), float(usable), int(cases)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    runs = [run() for _ in range(parser.parse_args().runs)]
    rows = [
        ("window on the screen", f"{statistics.median(r[0] for r in runs):.2f}", ""),
        (f"first of {runs[0][2]} cases usable", f"{statistics.median(r[1] for r in runs):.1f}",
         "<= 60"),
    ]
    print(table(("mmreview demo, new project", "median s", "target"), rows))


if __name__ == "__main__":
    main()
