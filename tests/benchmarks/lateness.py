"""How late a 1 ms precise timer on the UI thread is while a fine-tuning round runs beside it.

    python tests/benchmarks/lateness.py [--rows 10000] [--rounds 5]

The real runner and the real trainer on cached features (synthetic ones, of the real widths). The
first round is the warm-up: it imports the model's libraries and is reported by itself.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from PySide6.QtCore import QEventLoop, Qt, QTimer
from PySide6.QtWidgets import QApplication, QLabel
from training import FINDINGS, SyntheticFeatures

from mmreview.console import table
from mmreview.domain.ports import TrainingRequest
from mmreview.domain.versions import LambdaChoice
from mmreview.ml.device import leave_core_for_window
from mmreview.ml.trainer import FusionTrainer
from mmreview.tasks.runner import Runner
from mmreview.tasks.task import Lane


def watch(application: QApplication, runner: Runner, work: object) -> tuple[list[float], float]:
    """Lateness (ms) of every tick while ``work`` runs on the learning lane; its seconds."""
    late: list[float] = []
    last = time.perf_counter()

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        late.append(1000 * (now - last) - 1.0)
        last = now

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.setInterval(1)
    timer.timeout.connect(tick)
    timer.start()
    begun = last = time.perf_counter()
    task = runner.submit(Lane.LEARNING, work)
    while not runner.is_idle:  # waits as the window's own loop does: to look takes time too
        application.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents)
    timer.stop()
    if task.error is not None:
        raise task.error
    return late, time.perf_counter() - begun


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    wished = parser.parse_args()
    application = QApplication([])
    label = QLabel("mmreview")
    label.show()
    runner = Runner()
    leave_core_for_window()
    features = SyntheticFeatures(wished.rows)
    trainer = FusionTrainer(features)
    labels = features.table(features.targets, np.zeros(features.targets.shape, bool))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number in range(wished.rounds + 1):
            request = TrainingRequest(
                number + 1, labels, tuple(f"finding {t}" for t in range(FINDINGS)), "test",
                "pooling", LambdaChoice(), number, Path(folder) / str(number),
            )
            late, seconds = watch(application, runner, lambda r=request: trainer.train(r))
            ordered = sorted(late)
            rows.append(
                (
                    "warm-up" if number == 0 else f"round {number}", f"{seconds:.1f}", len(late),
                    f"{ordered[len(ordered) // 2]:.2f}",
                    f"{ordered[int(0.99 * len(ordered))]:.1f}", f"{ordered[-1]:.1f}",
                )
            )
    closed: list[bool] = []
    runner.shutdown(lambda: closed.append(True))
    while not closed:
        application.processEvents()
    print(table(("lateness, ms", "round s", "ticks", "p50", "p99", "worst"), rows))
    print("targets: p99 <= 16.7, worst <= 100 after warm-up")


if __name__ == "__main__":
    main()
