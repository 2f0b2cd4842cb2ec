"""The whole main job without a person: import, encode, fit, predict, correct, fine-tune, picture.

``mmreview demo --headless`` runs it on the synthetic project it makes, through the same services as
the window. The reader of this job is simulated: it answers from the synthetic truth.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mmreview.console import Console
from mmreview.domain.cases import Case, Partition, WorklistFilter, WorklistSort
from mmreview.domain.findings import State
from mmreview.domain.reads import Correction
from mmreview.reporting import prediction_object
from mmreview.services.desk import Desk
from mmreview.translation import tr

READER = "demo reader"
_CORRECTED_CASES = 12


class _Steps:
    """Names and times the steps of the job."""

    def __init__(self) -> None:
        self.done: list[dict[str, Any]] = []

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.done.append({"step": name, "seconds": round(time.perf_counter() - begun, 3)})


def headless_demo(console: Console, folder: Path, *, cases: int, seed: int) -> dict[str, Any]:
    """Run the job in the project at ``folder`` (made if it is not there)."""
    from mmreview.compose import ProjectOpener

    steps = _Steps()
    opener = ProjectOpener()
    with steps.step("create"):
        desk = opener.create_demo(folder, seed=seed)
    try:
        with steps.step("make, import, encode, fit"):
            console.run(opener.fill_demo(desk, cases=cases, seed=seed))
        payload = _work(console, desk, steps)
    finally:
        desk.close()
    with steps.step("picture"):
        from mmreview import app

        picture = desk.info.folder / "window.png"
        app.screenshot(desk.info.folder, picture, size="1440x900", theme="dark")
    return {**payload, "picture": str(picture), "steps": steps.done}


def _work(console: Console, desk: Desk, steps: _Steps) -> dict[str, Any]:
    before = desk.learning.champion()
    with steps.step("predict"):
        predictions = [prediction_object(p) for p in desk.predicting.predict_all()]
    with steps.step("correct"):
        corrections = correct_some(desk, reader=READER)
    with steps.step("fine-tune"):
        version = console.run(desk.learning.train(actor=READER))
        console.run(desk.predicting.score_all())
        console.run(desk.queueing.refresh())
    serving = desk.learning.champion()
    return {
        "project": str(desk.info.folder),
        "cases": desk.cases.count(),
        "predictions": len(predictions),
        "corrections": corrections,
        "version_before": before.id if before else None,
        "version": version.id,
        "role": str(version.role),
        "gate": dict(version.gate),
        "serving": serving.id if serving else None,
        "metrics": dict(version.metrics.get("auroc", {})),
    }


def correct_some(desk: Desk, *, reader: str) -> int:
    """Read the first unread cases of the queue as the synthetic truth would."""
    made, read = 0, 0
    for key in desk.cases.worklist_keys(WorklistFilter(unread=True), WorklistSort.PRIORITY):
        case = desk.cases.get(key)
        if case.partition is not Partition.TRAIN or key_has_labels(desk, case):
            continue
        for finding, present in case.metadata.get("truth", {}).get("findings", {}).items():
            state = State.PRESENT if present else State.ABSENT
            desk.reviewing.correct(
                Correction(case_key=key, finding=finding, state=state, reader=reader)
            )
            made += 1
        desk.reviewing.commit_read(key, reader=reader)
        read += 1
        if read == _CORRECTED_CASES:
            break
    return made


def key_has_labels(desk: Desk, case: Case) -> bool:
    """True when the import (or a reader) already said something of the case."""
    return bool(desk.cases.states(case.key))


def summary(payload: dict[str, Any]) -> str:
    """What the headless demo did, for a person."""
    lines = [f"  {step['step']}: {step['seconds']:.1f} s" for step in payload["steps"]]
    lines += [
        f"  AUROC {opinion}: {value:.3f}"
        for opinion, value in payload["metrics"].items()
        if value is not None
    ]
    gate = tr(payload["gate"]["reason"], **payload["gate"]["params"])
    lines.append(
        tr(
            "demo.summary",
            cases=payload["cases"],
            corrections=payload["corrections"],
            version=payload["version"],
            gate=gate,
            picture=payload["picture"],
            project=payload["project"],
            program="mmreview" if shutil.which("mmreview") else sys.argv[0],
        )
    )
    return "\n".join(lines)
