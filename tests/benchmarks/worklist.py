"""The worklist over many cases at the level of the store: open, sort, filter, search, jump.

    python tests/benchmarks/worklist.py [--cases N] [--repeats N] [--keep FOLDER]

Makes a project of N cases (default 100,000) with reports, labels, scores and some reads, opens it
anew and prints the median of each question in milliseconds, and what memory the worklist's answers
took. Target: at most 100 ms each.
"""

import argparse
import hashlib
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from mmreview.domain.cases import ImageRef, Partition, WorklistFilter, WorklistSort
from mmreview.domain.findings import Finding, FindingSchema, State
from mmreview.domain.ports import CaseDraft
from mmreview.domain.predictions import CaseScore
from mmreview.domain.reads import EventKind, NewEvent
from mmreview.domain.streams import Offer, Stream
from mmreview.domain.versions import Role, Version
from mmreview.store.engine import Store, create_store, open_store

SCHEMA = FindingSchema("bench", tuple(Finding(f"Finding {i}") for i in range(14)))
TEXT = (
    "the lungs are clear no focal consolidation pleural effusion or pneumothorax heart size is "
    "normal cardiomediastinal silhouette mild interstitial edema with small left basilar "
    "atelectasis unchanged from prior examination support devices in standard position"
)
WORDS = TEXT.split()
PAGE = 60


def drafts(count: int, rng: random.Random) -> Iterator[CaseDraft]:
    states = (State.PRESENT, State.ABSENT, State.ABSENT, State.UNSET)
    for number in range(count):
        report = f"FINDINGS: {' '.join(rng.choices(WORDS, k=70))}."
        if number == count // 3:
            report += " An azygos lobe."
        image = ImageRef(hashlib.sha256(str(number).encode()).hexdigest(), "images/x", 512, 512)
        yield CaseDraft(
            id=f"case-{number}",
            group=f"patient-{number // 2}",
            partition=rng.choices(list(Partition), [85, 10, 5])[0],
            images=(image,) if rng.random() > 0.05 else (),
            report=report if rng.random() > 0.05 else None,
            report_sha256=image.sha256,
            patient_id=f"patient-{number // 2}",
            accession="",
            study_date="2024-01-01",
            metadata={"sex": rng.choice("FM"), "age": rng.randrange(18, 95)},
            labels={name: rng.choice(states) for name in SCHEMA.names},
            fingerprint=str(number),
        )


def blocks(items: Iterable, size: int) -> Iterator[list]:
    iterator = iter(items)
    while block := list(islice(iterator, size)):
        yield block


def make_project(folder: Path, *, cases: int, reads: int = 1000) -> None:
    """A project of ``cases`` cases, scored under version 1, with ``reads`` committed reads."""
    rng = random.Random(0)
    store = create_store(folder, SCHEMA)
    for block in blocks(drafts(cases, rng), 2000):
        store.cases.upsert(block)
    version = Version(1, "0" * 64, Role.CHAMPION, None, "versions/00001", "", "pooling", 0, 1)
    promoted = NewEvent(kind=EventKind.VERSION_PROMOTED, actor="bench", payload={"version": 1})
    store.versions.add(version, promoted)
    scores = (
        CaseScore(
            key=key,
            conflict=rng.random() if rng.random() > 0.1 else None,
            priority=rng.random() * 2,
            reason="queue.uncertain",
            reason_params={"finding": "Finding 3"},
        )
        for key in range(1, cases + 1)
        if rng.random() > 0.1
    )
    for block in blocks(scores, 5000):
        store.scores.replace(1, block)
    offers = [
        Offer(key, Stream.POLICY, 1.0, "queue.margin", {"finding": "Finding 3"})
        for key in rng.sample(range(1, cases + 1), min(512, cases))
    ]
    store.queue.replace(1, offers)
    for key in rng.sample(range(1, cases + 1), min(reads, cases)):
        case = store.cases.get(key)
        for name in SCHEMA.names[:2]:
            payload = {"finding": name, "before": "unset", "after": "present", "basis": "both"}
            store.events.append(
                NewEvent(EventKind.CORRECTION, "bench", case.id, 1, "model", payload)
            )
        store.events.append(NewEvent(EventKind.READ_COMMITTED, "bench", case.id, 1))
    store.close()


def first_page(store: Store, where: WorklistFilter, sort: WorklistSort) -> int:
    """What a window asks for when it shows this order: all keys, one page of rows."""
    keys = store.cases.worklist_keys(where, sort)
    store.cases.worklist_rows(keys[:PAGE])
    return len(keys)


def questions(folder: Path, store: Store) -> dict[str, Callable[[], int]]:
    everything, order = WorklistFilter(), WorklistSort.QUEUE
    keys = store.cases.worklist_keys(everything, order)

    def opened() -> int:
        fresh = open_store(folder, read_only=True)
        try:
            fresh.cases.worklist_counts()
            return first_page(fresh, everything, order)
        finally:
            fresh.close()

    def jumped() -> int:
        middle = len(keys) // 2
        return len(store.cases.worklist_rows(keys[middle : middle + PAGE]))

    def asked(sort: WorklistSort = order, **where: object) -> Callable[[], int]:
        return lambda: first_page(store, WorklistFilter(**where), sort)

    return {
        "open: project, counts, first page": opened,
        "sort by queue": asked(),
        "sort by priority": asked(WorklistSort.PRIORITY),
        "sort by conflict": asked(WorklistSort.CONFLICT),
        "sort by id": asked(WorklistSort.ID),
        "filter: unread": asked(unread=True),
        "(what next may lead to)": asked(due=True),
        "filter: corrected": asked(corrected=True),
        "filter: conflict": asked(conflict=True),
        "filter: missing modality": asked(missing_modality=True),
        "filter: a finding": asked(finding="Finding 3"),
        "search: rare word": asked(text="azygos"),
        "search: a phrase": asked(text="focal consolidation"),
        "search: word of most reports": asked(text="effusion"),
        "search: two letters": asked(text="ax"),
        "search: an id": asked(text="case-4711"),
        "counts": lambda: store.cases.worklist_counts().total,
        "jump to the middle": jumped,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="make the project here, or use the one there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.keep or Path(scratch)) / "bench.mmreview"
        if not folder.exists():
            begin = time.perf_counter()
            make_project(folder, cases=options.cases)
            size = (folder / "project.sqlite").stat().st_size / 1e6
            print(f"made in {time.perf_counter() - begin:.1f} s, {size:.0f} MB")
        report(folder, repeats=options.repeats)


def report(folder: Path, *, repeats: int) -> None:
    before = memory()
    store = open_store(folder)
    print(f"{'worklist of ' + format(store.cases.count(), ','):<34}{'cases':>9}{'ms':>9}")
    worst = 0.0
    for name, ask in questions(folder, store).items():
        times = []
        for _ in range(repeats):
            begin = time.perf_counter()
            found = ask()
            times.append((time.perf_counter() - begin) * 1e3)
        worst = max(worst, statistics.median(times))
        print(f"{name:<34}{found:>9,}{statistics.median(times):>9.1f}")
    took = memory() - before
    begin = time.perf_counter()
    table = store.cases.label_table()
    seconds = time.perf_counter() - begin
    print(f"{'(label table, for training)':<34}{len(table.keys):>9,}{seconds * 1e3:>9.1f}")
    store.close()
    print(f"memory for the worklist: {took:.0f} MB, label table too: {memory() - before:.0f} MB")
    print(f"target: at most 100 ms each: {'met' if worst <= 100 else f'MISSED ({worst:.0f} ms)'}")


def memory() -> float:
    """The most memory this process has had, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


if __name__ == "__main__":
    main()
