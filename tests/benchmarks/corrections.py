"""How long a correction takes until it is durable, beside a bare SQLite commit in the same run.

    python tests/benchmarks/corrections.py [--corrections N] [--cases N] [--rounds N]

Prints p50 and p99 in milliseconds of (a) one row inserted and committed with plain ``sqlite3``,
WAL and ``synchronous=FULL``, and (b) ``services.reviewing.Reviewing.correct`` on a project. The
two alternate, correction by correction, so that both meet the same disk. Target: (b) at most
twice (a) at p50. Every number is the median over the rounds.
"""

import argparse
import hashlib
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from mmreview.domain.cases import Partition
from mmreview.domain.findings import READER_STATES, Finding, FindingSchema
from mmreview.domain.ports import CaseDraft
from mmreview.domain.reads import Correction
from mmreview.services.reviewing import Reviewing
from mmreview.store.engine import create_store

SCHEMA = FindingSchema("bench", tuple(Finding(f"Finding {i}") for i in range(14)))


def draft(number: int) -> CaseDraft:
    report = f"FINDINGS: case {number}. No focal consolidation. " * 8
    return CaseDraft(
        id=f"case-{number}",
        group=f"patient-{number // 2}",
        partition=Partition.TRAIN,
        images=(),
        report=report,
        report_sha256=hashlib.sha256(report.encode()).hexdigest(),
        patient_id="",
        accession="",
        study_date="",
        metadata={},
        labels={},
        fingerprint=str(number),
    )


def bare_database(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE correction (id INTEGER PRIMARY KEY, finding TEXT, state TEXT)")
    return connection


def one_round(folder: Path, *, corrections: int, cases: int) -> tuple[list[float], list[float]]:
    bare = bare_database(folder / "bare.sqlite")
    store = create_store(folder / "bench.mmreview", SCHEMA)
    for start in range(0, cases, 500):
        store.cases.upsert([draft(n) for n in range(start, min(start + 500, cases))])
    # ``correct`` asks nothing of the model.
    reviewing = Reviewing(
        cases=store.cases, events=store.events, predicting=None, folder=store.folder
    )
    plain, durable = [], []
    for number in range(corrections):
        state = READER_STATES[number % 4]
        finding = SCHEMA.names[number % 14]
        begin = time.perf_counter()
        bare.execute("BEGIN IMMEDIATE")
        bare.execute("INSERT INTO correction (finding, state) VALUES (?, ?)", (finding, state))
        bare.execute("COMMIT")
        middle = time.perf_counter()
        reviewing.correct(
            Correction(
                case_key=1 + number // 14 % cases, finding=finding, state=state, reader="bench"
            )
        )
        end = time.perf_counter()
        plain.append((middle - begin) * 1e3)
        durable.append((end - middle) * 1e3)
    bare.close()
    store.close()
    return plain, durable


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(*, corrections: int, cases: int, rounds: int) -> dict[str, float]:
    found: dict[str, list[float]] = {"bare p50": [], "bare p99": [], "p50": [], "p99": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            plain, durable = one_round(Path(folder), corrections=corrections, cases=cases)
        found["bare p50"].append(quantile(plain, 0.5))
        found["bare p99"].append(quantile(plain, 0.99))
        found["p50"].append(quantile(durable, 0.5))
        found["p99"].append(quantile(durable, 0.99))
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corrections", type=int, default=1000)
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    found = measure(
        corrections=options.corrections, cases=options.cases, rounds=options.rounds
    )
    ratio = found["p50"] / found["bare p50"]
    print(f"{'durable commit':<34}{'p50 ms':>9}{'p99 ms':>9}{'ratio':>8}")
    print(f"{'bare sqlite3, WAL + FULL, one row':<34}{found['bare p50']:>9.3f}"
          f"{found['bare p99']:>9.3f}{1:>8.2f}")
    print(f"{'Reviewing.correct':<34}{found['p50']:>9.3f}{found['p99']:>9.3f}{ratio:>8.2f}")
    print("target: ratio <= 2 at p50:", "met" if ratio <= 2 else "MISSED")


if __name__ == "__main__":
    main()
