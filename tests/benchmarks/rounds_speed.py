"""From a correction to the gate's decision and the new version serving, and what the window
notices of it.

    python tests/benchmarks/rounds_speed.py --work FOLDER [--sizes 577 10000 100000] [--rounds 3]
        [--whole]

On the real pairs (577) and on projects of SYNTHETIC cases (features of real ones, blurred, with
their labels; see ``predicting``): all of them labelled, which is the worst case, and the largest
size also with 2,000 labelled. Each round: 25 corrections through ``Reviewing.correct``, then
``Learning.train`` on the learning lane of the real runner, one core left to the window, until the
new version is registered with the gate's word; then it is loaded and the open case asked again.
``first`` is the first round on these labels, from the version of the 577, regularisation searched
and the fit followed to its end; it is made to serve, and the median of the rounds that follow
stands beside it, with the last one's phases. From 20,000 labelled cases on those are quick ones
(``ml.renewal``); with ``--whole`` none is. ``late p99`` is how late a 1 ms timer on the UI thread
is meanwhile: below 16.7 ms no frame is missed. Targets: 2 s at 10,000 and 6 s at 100,000.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from lateness import watch
from predicting import peak, synthetic_project
from projects import arguments, real_project
from PySide6.QtWidgets import QApplication, QLabel

from mmreview.compose import ProjectOpener
from mmreview.domain.findings import State
from mmreview.domain.reads import Correction
from mmreview.ml import renewal
from mmreview.tasks.runner import Runner

#: Corrections of a round, and how many are labelled where not all are.
_CORRECTIONS, _SOME = 25, 2000


class Round:
    """One round of a project, as the window runs it."""

    def __init__(self, desk: Any) -> None:
        self.desk = desk
        self.phases: dict[str, float] = {}
        self.decided = self.serving = 0.0
        self.version: Any = None

    def correct(self, number: int) -> int:
        """Correct some findings of some cases; returns the key of the last one."""
        rng = np.random.default_rng(number)
        table = self.desk.learning.labels()
        names = self.desk.info.schema.names
        for row in rng.choice(len(table.keys), _CORRECTIONS, replace=False):
            finding = int(rng.integers(len(names)))
            state = State.ABSENT if table.targets[row, finding] == 1 else State.PRESENT
            key = int(table.keys[row])
            self.desk.reviewing.correct(Correction(key, names[finding], state, reader="bench"))
        return key

    def run(self, key: int) -> Generator[object, None, None]:
        """Train, serve, and ask for the open case again."""
        begun = last = time.perf_counter()
        work = self.desk.learning.train(actor="bench")
        while True:
            try:
                step = next(work)
            except StopIteration as done:
                self.version = done.value
                break
            now = time.perf_counter()
            phase = step.phase.rsplit(".", 1)[1]
            self.phases[phase] = self.phases.get(phase, 0.0) + now - last
            last = now
            yield step
        now = time.perf_counter()
        self.phases["registered"] = now - last
        self.decided = now - begun
        self.desk.predicting.serve()
        self.desk.reviewing.open_case(key)
        self.serving = time.perf_counter() - begun


def measured(folder: Path, rounds: int) -> Iterator[str]:
    """The lines of one project, on a copy of it whose features are shared."""
    copy = folder.with_name(f"measured-{folder.name}")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy, copy_function=_linked)
    shutil.copy(folder / "project.sqlite", copy / "project.sqlite.new")
    (copy / "project.sqlite.new").replace(copy / "project.sqlite")
    runner, desk = Runner(), ProjectOpener(beside_window=True).open(copy)
    found = []
    for number in range(rounds + 1):
        one = Round(desk)
        key = one.correct(number)
        begun = time.process_time()
        late, _ = watch(QApplication.instance(), runner, lambda o=one, k=key: o.run(k))
        spent = time.process_time() - begun
        found.append((one, float(np.quantile(late, 0.99)), max(late), spent))
        if number == 0 and not one.version.gate["accepted"]:
            desk.learning.promote(one.version.id, actor="bench")
            desk.predicting.serve()
    first, *later = found
    middle = statistics.median(one.decided for one, *_ in later)
    last = later[-1][0]
    table = desk.learning.labels()
    yield (
        f"{desk.cases.count():>9,} cached {len(table.keys):>9,} labelled   "
        f"first {first[0].decided:6.2f} s   decision {middle:6.2f} s   "
        f"serving {statistics.median(one.serving for one, *_ in later):6.2f} s   "
        f"of all cores {statistics.median(f[3] for f in later):6.2f} s   "
        f"late p99 {max(f[1] for f in found):5.1f} ms, worst {max(f[2] for f in found):5.1f} ms   "
        f"peak {peak():6.0f} MiB   gate {last.version.gate['reason']}"
    )
    yield "    " + ", ".join(f"{name} {took:.2f}" for name, took in last.phases.items())
    closed: list[bool] = []
    runner.shutdown(lambda: closed.append(True))
    while not closed:
        QApplication.processEvents()
    desk.close()
    shutil.rmtree(copy)


def _linked(source: str, target: str) -> None:
    """Features and images are only read."""
    os.link(source, target)


def main() -> None:
    """Print the table."""
    parser = arguments(__doc__)
    parser.add_argument("--sizes", type=int, nargs="*", default=[577, 10_000, 100_000])
    parser.add_argument("--labelled", type=int, nargs="*", help="instead of all, and of 2,000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--whole", action="store_true", help="no quick rounds")
    given = parser.parse_args()
    if given.whole:
        renewal.FROM = sys.maxsize
    application = QApplication([])
    label = QLabel("mmreview")
    label.show()
    for size in given.sizes:
        if size <= 577:
            folders = [real_project(given.work)]
        else:
            labelled = given.labelled or [size, *([_SOME] if size == max(given.sizes) else [])]
            folders = [synthetic_project(given.work, size, many) for many in labelled]
        for folder in folders:
            for line in measured(folder, given.rounds):
                print(line, flush=True)
    del application


if __name__ == "__main__":
    main()
