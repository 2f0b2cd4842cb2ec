"""Labels and their history out of a project: JSON lines and CSV.

Files are written beside their name and moved into place when complete, so that a cancelled export
leaves what was there before. Every line says what the data are for.
"""

from __future__ import annotations

import csv
import errno
import json
import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from mmreview.domain.cases import Case
from mmreview.domain.errors import MmreviewError
from mmreview.domain.findings import State
from mmreview.domain.ports import CaseStore, EventStore
from mmreview.domain.progress import Progress
from mmreview.domain.reads import Event, FindingState

#: Stands in the window, the README and in every export.
NOTICE = "For research and annotation use, not for diagnosis."


class Exporting:
    """Writes a project's labels. Formats are named writers; more join in ``_writers``."""

    def __init__(self, *, cases: CaseStore, events: EventStore, folder: Path) -> None:
        self._cases = cases
        self._events = events
        self._folder = folder
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
            MmreviewError: ``error.format_not_found``, ``error.export_failed`` or
                ``error.out_inside_project``.
        """
        refuse_inside(self._folder, out)
        if format not in self._writers:
            raise MmreviewError(
                "error.format_not_found", format=format, known=", ".join(self._writers)
            )
        with written_whole(out) as file:
            return (yield from self._writers[format](file))

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
            **self._groups(states),
            "basis": {name: str(s.basis) for name, s in states.items()},
            "readers": {name: s.reader or "import" for name, s in states.items()},
            "events": [_event(event) for event in self._events.events(case=case.id)],
            "metadata": dict(case.metadata),
            "notice": NOTICE,
        }

    def _groups(self, states: Mapping[str, FindingState]) -> dict[str, Any]:
        """Which finding of each exclusive group is present, None where none is; nothing at all
        where the schema has no groups."""
        groups = {
            group.name: next(
                (n for n in group.findings if n in states and states[n].state is State.PRESENT),
                None,
            )
            for group in self._cases.schema.groups
        }
        return {"groups": groups} if groups else {}

    def _csv(self, file: TextIO) -> Generator[Progress, None, int]:
        names = self._cases.schema.names
        writer = csv.writer(file)
        heads = [_cell(name) for name in names]
        writer.writerow(["id", "patient_id", "partition", *heads, "readers", "notice"])
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


@contextmanager
def written_whole(out: Path) -> Iterator[TextIO]:
    """A text file that takes the place of ``out`` once it is complete; until then, and if anything
    goes wrong, ``out`` is as it was.

    Raises:
        MmreviewError: ``error.export_failed``, also where ``out`` is a folder or a device.
    """
    partial = out.parent / f"{out.name}.{os.getpid()}.partial"
    try:
        if out.exists() and not out.is_file():
            code = errno.EISDIR if out.is_dir() else errno.EINVAL
            raise OSError(code, os.strerror(code))
        try:
            with partial.open("w", encoding="utf-8", newline="") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        detail = error.strerror or str(error)
        raise MmreviewError("error.export_failed", path=str(out), detail=detail) from error


def refuse_inside(folder: Path, out: Path) -> None:
    """Keep results out of the project folder: one named like its database would replace it.

    Raises:
        MmreviewError: ``error.out_inside_project``.
    """
    if out.resolve().is_relative_to(folder.resolve()):
        raise MmreviewError("error.out_inside_project", path=str(out))


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
