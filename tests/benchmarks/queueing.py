"""What the queue costs beside the policies themselves: made anew, sorted by, walked, on many cases.

    python tests/benchmarks/queueing.py [--cases N] [--keep FOLDER]

Makes the project of ``worklist.py`` (default 100,000 cases, or uses the one in FOLDER) and
refreshes its queue with policies that rank at once after they have read every case's contents, as
real ones do; ``acquisition.py`` measures those. Prints milliseconds, the longest step between two
looks at whether to go on, the memory it took, and how a list by queue compares with one by priority
in the same process (target: within a third).
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from mmreview.compose import furnish
from mmreview.domain.cases import WorklistFilter, WorklistSort
from mmreview.domain.progress import Progress
from mmreview.domain.queues import Choice
from mmreview.store.engine import open_store

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.worklist import make_project, memory
from tests.fakes import FakeFeatures, FakeLikeness, FakeTrainer

BLOCK, STEP = 512, 16


class Readers:
    """Policies that look at every case and prefer the first."""

    policies = ("hybrid", "conflict", "label_error")

    def rank(self, request):
        for begin in range(0, len(request.keys), BLOCK):
            for column in request.hashes.values():
                column[begin : begin + BLOCK]
            if begin % (BLOCK * STEP) == 0:
                yield Progress("progress.acquire", begin, len(request.keys))
        reason = ("queue.uncertain", {"finding": "Finding 3"})
        return [Choice(key, 1.0, *reason) for key in request.keys[: request.top]]


def timed(name, work):
    begin = time.perf_counter()
    found = work()
    print(f"{name:<44}{(time.perf_counter() - begin) * 1e3:>10.1f} ms")
    return found


def refresh(desk):
    longest, begin = 0.0, time.perf_counter()
    for _ in desk.queueing.refresh():
        now = time.perf_counter()
        longest, begin = max(longest, now - begin), now
    return longest


def measure(folder):
    store = open_store(folder)
    desk = furnish(
        store, features=FakeFeatures(), trainer=FakeTrainer(), likeness=FakeLikeness(),
        acquisition=Readers(),
    )
    desk.queueing.read_by("bench")
    print(f"{store.cases.count():,} cases")
    table = timed("label table (part of every refresh)", store.cases.label_table)
    del table
    before = memory()
    longest = timed("refresh: three policies read every case", lambda: refresh(desk))
    print(f"longest step {longest * 1e3:.0f} ms, memory {memory() - before:.0f} MB more")
    timed("the first 20, with reasons", lambda: desk.queueing.queue(top=20))
    key = desk.queueing.head()[0]
    timed("lease one case", lambda: desk.queueing.hold(key, reader="bench"))
    timed("take a read case out", lambda: desk.queueing.note_read(key))
    times = {sort: [] for sort in (WorklistSort.QUEUE, WorklistSort.PRIORITY)}
    for _ in range(7):
        for sort, own in times.items():
            begin = time.perf_counter()
            store.cases.worklist_keys(WorklistFilter(), sort)
            own.append(time.perf_counter() - begin)
    queue, priority = (statistics.median(own) for own in times.values())
    print(f"sorted by queue {queue * 1e3:.1f} ms, by priority {priority * 1e3:.1f} ms: "
          f"{queue / priority:.2f} times")
    desk.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--keep", type=Path, help="make the project here, or use the one there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.keep or Path(scratch)) / "bench.mmreview"
        if not folder.exists():
            make_project(folder, cases=options.cases)
        measure(folder)


if __name__ == "__main__":
    main()
