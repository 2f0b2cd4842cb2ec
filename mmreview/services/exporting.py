"""Labels and their history out of a project: JSON lines and CSV.

Files are written beside their name and moved into place when complete, so that a cancelled export
leaves what was there before. Every line says what the data are for.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TextIO

from mmreview.domain.cases import Case
from mmreview.domain.errors import MmreviewError
from mmreview.domain.findings import State
from mmreview.domain.ports import CaseStore, EventStore
from mmreview.domain.progress import Progress
from mmreview.domain.reads import Event

#: Stands in the window, the README and in every export.
NOTICE = "For research and annotation use, not for diagnosis."


class Exporting:
    """Writes a project's labels. Formats are named writers; more join in ``_writers``."""

    def __init__(self, *, cases: CaseStore, events: EventStore) -> None:
        self._cases = cases
        self._events = events
        self._writers: dict[str, Callable[[TextIO], Generator[Progress, None, int]]] = {
            "jsonl": self._jsonl,
            "csv": self._csv,
        }

    @property
    def formats(self) -> tuple[str, ...]:
        """The names that ``export`` takes."""
        return tuple(self._writers)

    def export(self, out: Path, *, format: str) -> Generator[Progress, None, int]:
        """Write every case to ``out``; returns how many. Cancelling leaves ``out`` as it was.

        Raises:
            MmreviewError: ``error.format_not_found`` or ``error.export_failed``.
        """
        if format not in self._writers:
            raise MmreviewError(
                "error.format_not_found", format=format, known=", ".join(self._writers)
            )
        partial = out.with_name(out.name + ".partial")
        try:
            with partial.open("w", encoding="utf-8", newline="") as file:
                count = yield from self._writers[format](file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(out)
        except OSError as error:
            raise MmreviewError("error.export_failed", path=str(out), detail=str(error)) from error
        finally:
            partial.unlink(missing_ok=True)
        return count

    def _jsonl(self, file: TextIO) -> Generator[Progress, None, int]:
        total, done = self._cases.count(), 0
        for batch in self._cases.batches():
            for case in batch:
                file.write(json.dumps(self._case(case), ensure_ascii=False) + "\n")
            done += len(batch)
            yield Progress("progress.export", done, total)
        return done

    def _case(self, case: Case) -> dict[str, Any]:
        states = self._cases.states(case.key)
        return {
            "id": case.id,
            "patient_id": case.patient_id,
            "split_group": case.group,
            "partition": str(case.partition),
            "accession": case.accession,
            "study_date": case.study_date,
            "images": [{"sha256": i.sha256, "path": i.path, "view": i.view} for i in case.images],
            "report": case.report,
            "labels": {name: str(s.state) for name, s in states.items()},
            "basis": {name: str(s.basis) for name, s in states.items()},
            "readers": {name: s.reader or "import" for name, s in states.items()},
            "events": [_event(event) for event in self._events.events(case=case.id)],
            "metadata": dict(case.metadata),
            "notice": NOTICE,
        }

    def _csv(self, file: TextIO) -> Generator[Progress, None, int]:
        names = self._cases.schema.names
        writer = csv.writer(file)
        writer.writerow(["id", "patient_id", "partition", *names, "readers", "notice"])
        total, done = self._cases.count(), 0
        for batch in self._cases.batches():
            for case in batch:
                states = self._cases.states(case.key)
                cells = [str(states[n].state) if n in states else str(State.UNSET) for n in names]
                readers = sorted({s.reader or "import" for s in states.values()})
                head = [_cell(case.id), _cell(case.patient_id), str(case.partition)]
                writer.writerow([*head, *cells, _cell("; ".join(readers)), NOTICE])
            done += len(batch)
            yield Progress("progress.export", done, total)
        return done


def _event(event: Event) -> dict[str, Any]:
    return {
        "seq": event.seq,
        "kind": event.kind,
        "reader": event.actor,
        "at": event.at,
        "read": event.read,
        "stage": event.stage,
        **event.data,
    }


def _cell(text: str) -> str:
    """Text that a spreadsheet will not take for a formula (OWASP, CSV injection)."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
