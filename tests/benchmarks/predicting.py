"""How long opinions take: of the open case, and of a whole project, beside what reading costs.

    python tests/benchmarks/predicting.py --work FOLDER [--cases 10000 100000 1000000]

*Open case*: real pairs, the real encoders; the opinion with features cached, and encoding and
opinion of a case that has none (median and 95th percentile).

*Cached*: SYNTHETIC features (real ones of other cases, mixed and blurred) of as many cases, each
with contents of its own, in the layout that encoding leaves; 8 KB a case, so a million take
8 GB in FOLDER. The time of ``Predicting.score_all``, which orders the worklist, by its parts:
``hashes`` read from the database, ``opinions`` by the serving version (the target: a million
within 10 s) and the seconds of all cores together that they are ``work`` for, ``written`` the
sort keys made and stored. ``bare`` is one matrix product of the same
mapped features with as many columns as findings and nothing else, ``read`` one pass over the
files through a small buffer, both just before in the same process: what no way of doing it can
go below: what does not fit into the system's file cache comes from the disk each time.
``peak`` is the memory of the process that scores (its own and what is mapped).
"""

from __future__ import annotations

import hashlib
import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from projects import arguments, real_project

from mmreview.compose import ProjectOpener
from mmreview.domain.findings import State
from mmreview.domain.ports import CaseDraft
from mmreview.ml.packing import give_back

_ROWS = 4096


def synthetic_project(work: Path, cases: int, labelled: int = 0) -> Path:
    """A copy of the real project with as many synthetic cases, features cached. ``labelled`` of
    them carry the labels of the real case that most of their features come from."""
    folder = work / f"synthetic-{cases}-{labelled}.mmreview"
    if (folder / "project.sqlite").exists():
        return folder
    partial = folder.with_name(f"partial-{cases}.mmreview")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(real_project(work), partial)
    desk = ProjectOpener().open(partial)
    predicting: Any = desk.predicting
    features, store = predicting._features, predicting._cases
    real = [case for batch in store.batches() for case in batch]
    rng = np.random.default_rng(0)
    for m in features.modalities:
        rows, known = features.matrix(m, [case.hashes(m) for case in real])
        if not known.any():
            continue
        rows[~known] = rows[known][0]
        files = features._existing(m)._files
        for begin in range(0, cases, _ROWS):
            numbers = range(begin, min(cases, begin + _ROWS))
            one, two = rows[np.array(numbers) % len(real)], rng.choice(rows[known], len(numbers))
            raw = bytes.fromhex("".join(content(m, i) for i in numbers))
            mixed = np.where(rng.random(one.shape) < 0.55, one, two)  # n-grams: of either report
            dense = rows.shape[1] - files.sparse
            mixed[:, :dense] = 0.55 * one[:, :dense] + 0.45 * two[:, :dense]
            files.write(files.pack(np.frombuffer(raw, "V32"), mixed))
            print(f"\r{m} {begin}", end="", file=sys.stderr, flush=True)
    said = [
        {name: held.state for name, held in store.states(case.key).items()} for case in real
    ]
    for begin in range(0, cases, 1000):
        store.upsert(
            [
                draft(real[i % len(real)], i, said[i % len(real)] if i < labelled else {})
                for i in range(begin, min(cases, begin + 1000))
            ]
        )
        print(f"\r{begin} cases", end="", file=sys.stderr, flush=True)
    desk.close()
    partial.rename(folder)
    return folder


def content(modality: str, number: int) -> str:
    """The hash of a content that nobody ever saw."""
    return hashlib.sha256(f"{modality} {number}".encode()).hexdigest()


def draft(like: Any, number: int, said: Mapping[str, State]) -> CaseDraft:
    """A synthetic case with an image and a report, and what is ``said`` of it."""
    from dataclasses import replace

    image = replace(like.images[0], sha256=content("image", number))
    return CaseDraft(
        id=f"synthetic-{number}", group=f"synthetic-{number}", partition=like.partition,
        images=(image,), report=like.report or "Synthetic.",
        report_sha256=content("text", number), patient_id="", accession="", study_date="",
        metadata={}, labels=said, fingerprint=f"synthetic-{number}",
    )


def open_case(work: Path) -> None:
    """Print how long the opinion on an open case takes."""
    desk = ProjectOpener().open(real_project(work))
    predicting: Any = desk.predicting
    predicting.warm_up()
    cases = [case for batch in predicting._cases.batches() for case in batch][:60]
    cached = [timed(lambda case=case: predicting.opinion(case)) for case in cases]
    desk.close()
    bare = work / "bare.mmreview"
    shutil.rmtree(bare, ignore_errors=True)
    shutil.copytree(real_project(work), bare, ignore=shutil.ignore_patterns("features"))
    desk = ProjectOpener().open(bare)
    predicting = desk.predicting
    predicting.warm_up()

    def fresh(case: Any) -> None:
        predicting.encode_case(case)
        assert predicting.opinion(case)[0] is not None

    missing = [timed(lambda case=case: fresh(case)) for case in cases]
    desk.close()
    shutil.rmtree(bare)
    for name, times, target in (("cached", cached, 5), ("not cached", missing[3:], 150)):
        middle, late = np.percentile(times, [50, 95]) * 1000
        print(f"open case, {name:<11} {middle:7.2f} ms median {late:7.2f} ms p95 (<= {target})")


def timed(work: Callable[[], object]) -> float:
    """Seconds that ``work`` takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


class Timed:
    """Whatever it stands for, with the seconds (of a clock, and of all cores together) that each
    method takes."""

    def __init__(self, what: Any) -> None:
        self._what = what
        self.spent: dict[str, float] = {}
        self.worked: dict[str, float] = {}

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._what, name)
        if not callable(found):
            return found

        def call(*given: Any, **named: Any) -> Any:
            begun, worked = time.perf_counter(), time.process_time()
            try:
                return found(*given, **named)
            finally:
                self.spent[name] = self.spent.get(name, 0) + time.perf_counter() - begun
                self.worked[name] = self.worked.get(name, 0) + time.process_time() - worked

        return call


def blocks(features: Any, modality: str) -> Iterator[Any]:
    """A modality's files, mapped, in order."""
    files = features._existing(modality)._files
    for name in sorted(files.names()):
        yield files.read(name)


def bare_product(features: Any, findings: int) -> None:
    """Every cached feature times as many columns as there are findings."""
    for m in features.modalities:
        columns = np.ones((features.width(m), findings), np.float32)
        rows = np.empty((512, features.width(m)), np.float32)
        for block in blocks(features, m):
            for begin in range(0, len(block.hashes), 512):
                run = np.arange(begin, min(len(block.hashes), begin + 512))
                block.rows.copy(run, rows[: len(run)])
                rows[: len(run)] @ columns
                give_back(block.rows.dense)


def read_through(folder: Path) -> None:
    """Every byte of the features, through a small buffer."""
    buffer = bytearray(1 << 22)
    for path in sorted(folder.glob("features/*/*.npy")):
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def score(folder: Path) -> dict[str, float]:
    """Score all cases of a project, once for each measure, in this process."""
    desk = ProjectOpener().open(folder)
    predicting: Any = desk.predicting
    serving = predicting.serve()
    features, version = predicting._features, predicting._predictor.version
    found = {"read": timed(lambda: read_through(folder))}
    found["bare"] = timed(lambda: bare_product(features, len(predicting._predictor.findings)))
    predicting._scores.serve(None)  # forgets what an earlier run stored
    predicting._scores.serve(version)
    cases, scores, predictor = (
        predicting._cases, predicting._scores, predicting._predictor,
    )
    predicting._cases, predicting._scores = Timed(cases), Timed(scores)
    predicting._predictor = Timed(predictor)
    found["all"] = timed(lambda: [None for _ in predicting.score_all()])
    found["hashes"] = predicting._cases.spent["contents"] + predicting._scores.spent["missing"]
    found["opinions"] = predicting._predictor.spent["score"]
    found["written"] = found["all"] - found["hashes"] - found["opinions"]
    found["cases"], found["peak"] = cases.count(), peak()
    found["work"] = predicting._predictor.worked["score"]
    assert serving is not None
    desk.close()
    return found


def peak() -> float:
    """The most memory that this process held so far, in MiB. Linux counts what its parent held
    before it was started in ``ru_maxrss``, but not in ``VmHWM``."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    parser = arguments(__doc__)
    parser.add_argument("--cases", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--score", type=Path, help="score this project and print JSON (inner use)")
    given = parser.parse_args()
    if given.score:
        print(json.dumps(score(given.score)))
        return
    open_case(given.work)
    print(
        "cached cases (synthetic)   opinions = x bare    work   bare   read  hashes  written"
        "   peak MiB"
    )
    for cases in given.cases:
        folder = synthetic_project(given.work, cases)
        command = [sys.executable, __file__, "--work", str(given.work), "--score", str(folder)]
        answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        found = json.loads(answer.splitlines()[-1])
        print(
            f"{found['cases']:>12,.0f}              {found['opinions']:7.2f} s"
            f" {found['opinions'] / found['bare']:6.1f} {found['work']:8.2f}"
            f" {found['bare']:6.2f} {found['read']:6.2f}"
            f" {found['hashes']:7.2f} {found['written']:8.2f} {found['peak']:10.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
