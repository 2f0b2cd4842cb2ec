"""Projects to measure on: the real pairs, encoded and fitted once, and multiples of them.

Made in a folder of the caller's choice and found there again by the next script, since encoding
takes a minute. A multiple repeats the real cases under other ids; features are cached by content,
so every case has its opinions.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from mmreview.compose import ProjectOpener
from mmreview.console import Console
from mmreview.domain.ports import CaseDraft
from mmreview.services.desk import ImportChoice

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "covid_chestxray" / "pairs.jsonl"
SCHEMA = ROOT / "tests" / "e2e" / "covid-schema.yaml"


def arguments(text: str | None) -> argparse.ArgumentParser:
    """A parser that knows where projects are kept."""
    parser = argparse.ArgumentParser(
        description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="where projects are made and kept")
    return parser


def real_project(work: Path) -> Path:
    """The 577 real pairs, encoded, fitted and scored; made if it is not there."""
    folder = work / "real.mmreview"
    if (folder / "project.sqlite").exists():
        return folder
    if not REAL.exists():
        raise SystemExit("the real pairs (../shared/data/covid_chestxray) are not there")
    console, opener = Console(), ProjectOpener()
    desk = opener.create(folder, schema=str(SCHEMA))
    console.run(
        desk.import_source(REAL, choice=ImportChoice(labels_complete=True), actor="benchmark")
    )
    console.run(opener.refresh(desk, actor="benchmark"))
    desk.close()
    return folder


def multiplied(work: Path, cases: int) -> Path:
    """A copy of the real project with ``cases`` cases."""
    from mmreview.store.engine import open_store

    folder = work / f"times-{cases}.mmreview"
    if (folder / "project.sqlite").exists():
        return folder
    partial = folder.with_name(f"partial-{cases}.mmreview")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(real_project(work), partial)
    store = open_store(partial)
    real = [case for batch in store.cases.batches() for case in batch]
    drafts: list[CaseDraft] = []
    for number in range(len(real), cases):
        case = real[number % len(real)]
        drafts.append(
            CaseDraft(
                id=f"{case.id}-{number}",
                group=f"{case.group}-{number}",
                partition=case.partition,
                images=case.images,
                report=case.report,
                report_sha256=case.report_sha256,
                patient_id=case.patient_id,
                accession=case.accession,
                study_date=case.study_date,
                metadata=case.metadata,
                labels={},
                fingerprint=f"copy-{number}",
            )
        )
        if len(drafts) == 1000 or number == cases - 1:
            store.cases.upsert(drafts)
            print(f"\r{number + 1} cases", end="", file=sys.stderr, flush=True)
            drafts = []
    store.close()
    desk = ProjectOpener().open(partial)
    Console().run(desk.predicting.score_all())
    desk.close()
    partial.rename(folder)
    return folder
