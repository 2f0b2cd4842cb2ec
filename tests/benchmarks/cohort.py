"""How informative the synthetic cohort is: AUROC of image, text and fused, and time to draw it.

Run from the repository root: ``python tests/benchmarks/cohort.py --cases 300 --seeds 11 12``.
Every case is labelled with its truth here, so that the numbers speak of pictures and reports and
not of how many labels there are; folds keep patients together and every number is out of fold.
``--as-made`` keeps the cohort's own labels instead, ``--values`` its clinical values, which are
left out otherwise (age and sex too): the cohort is a measure of image and report.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any


def drain(work: Generator[Any, None, Any]) -> Any:
    """Run long work to its end; returns what it returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


def label_all(manifest: Path) -> None:
    """Give every case its truth as labels."""
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    for row in rows:
        row["labels"] = {
            name: "present" if there else "absent"
            for name, there in row["truth"]["findings"].items()
        }
    manifest.write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")


def without_values(manifest: Path) -> None:
    """Leave out what would be a third modality."""
    from mmreview.domain.clinical import read_values

    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines()]
    kept = [{k: v for k, v in row.items() if not read_values({k: v}).values} for row in rows]
    manifest.write_text("\n".join(map(json.dumps, kept)) + "\n", encoding="utf-8")


def measure(
    *, cases: int, seed: int, as_made: bool, values: bool, folder: Path
) -> dict[str, Any]:
    """Draw a cohort, take it through the real pipeline, evaluate it."""
    from mmreview.compose import ProjectOpener
    from mmreview.demo.cohort import write_cohort
    from mmreview.services.desk import ImportChoice

    began, cpu = time.perf_counter(), time.process_time()
    manifest = drain(write_cohort(folder / "cohort", cases=cases, seed=seed))
    drawn, drawn_cpu = time.perf_counter() - began, time.process_time() - cpu
    if not as_made:
        label_all(manifest)
    if not values:
        without_values(manifest)
    desk = ProjectOpener().create_demo(folder / "cohort", seed=seed)
    try:
        drain(desk.import_source(manifest, choice=ImportChoice(), actor="benchmark"))
        drain(desk.predicting.encode_all())
        result = drain(desk.learning.evaluate(folds=5, seed=0))
    finally:
        desk.close()
    return {"drawn": drawn, "drawn_cpu": drawn_cpu, **result}


def table(result: dict[str, Any]) -> str:
    """AUROC by finding (rows) and opinion (columns)."""
    opinions = list(dict.fromkeys(row["opinion"] for row in result["rows"]))
    cells = {(row["finding"], row["opinion"]): row for row in result["rows"]}
    findings = list(dict.fromkeys(row["finding"] for row in result["rows"]))
    lines = [f"{'':18}{'n+':>5}" + "".join(f"{name:>16}" for name in opinions)]
    for finding in findings:
        positives = cells[finding, opinions[0]].get("positives") or 0
        values = [cells[finding, name]["auroc"] for name in opinions]
        lines.append(
            f"{finding:18}{positives:>5}"
            + "".join(f"{'–' if v is None else format(v, '.3f'):>16}" for v in values)
        )
    return "\n".join(lines)


def main() -> None:
    """Measure each seed and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12])
    parser.add_argument("--as-made", action="store_true")
    parser.add_argument("--values", action="store_true")
    wish = parser.parse_args()
    for seed in wish.seeds:
        with tempfile.TemporaryDirectory(prefix="mmreview-cohort-") as scratch:
            result = measure(
                cases=wish.cases, seed=seed, as_made=wish.as_made, values=wish.values,
                folder=Path(scratch),
            )
        print(
            f"\nseed {seed}: {result['cases']} labelled cases of {wish.cases}, "
            f"drawn in {result['drawn']:.1f} s ({result['drawn_cpu']:.1f} s of one core)"
        )
        print(table(result), flush=True)


if __name__ == "__main__":
    main()
