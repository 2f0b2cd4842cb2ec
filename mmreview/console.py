"""What the commands print: results on stdout, progress and problems on stderr, one exit code.

Exit codes are the contract's: 0 done, 1 done with problems named, 2 refused with a sentence.
"""

from __future__ import annotations

import faulthandler
import io
import json
import sys
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from mmreview.domain.errors import Message, MmreviewError
from mmreview.domain.progress import Progress, TrainingStep
from mmreview.translation import tr

DONE, DONE_WITH_PROBLEMS, REFUSED = 0, 1, 2

#: How many problems are printed in full; the JSON result counts all of them.
SHOWN_PROBLEMS = 200

Result = TypeVar("Result")


def sentence(message: Message) -> str:
    """A message as the sentence a person reads."""
    return tr(message.code, **message.params)


class Console:
    """Prints for one command. ``as_json`` makes stdout one JSON value."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._stage = ""
        self._percent = -1
        self._live = sys.stderr.isatty()

    def run(self, work: Generator[Progress | TrainingStep, None, Result]) -> Result:
        """Run a generator to its end, showing how far it is; Ctrl+C closes it cleanly."""
        try:
            while True:
                try:
                    self.step(next(work))
                except StopIteration as end:
                    result: Result = end.value
                    return result
        finally:
            work.close()
            if self._live and self._stage:
                print(file=sys.stderr)
            self._stage = ""

    def step(self, step: Progress | TrainingStep) -> None:
        """Show one step, at most once a percent."""
        if isinstance(step, TrainingStep):
            stage, percent, problems = step.phase, int(100 * step.fraction), ()
        else:
            percent = int(100 * step.done / step.total) if step.total else 0
            stage, problems = step.stage, step.problems
        for problem in problems:
            self.problem(problem)
        if (stage, percent) == (self._stage, self._percent):
            return
        if self._live:
            print(f"\r\x1b[K{tr(stage)} {percent} %", end="", file=sys.stderr, flush=True)
        elif stage != self._stage or percent // 25 != self._percent // 25:
            print(f"{tr(stage)} {percent} %", file=sys.stderr, flush=True)
        self._stage, self._percent = stage, percent

    def problem(self, message: Message) -> None:
        """Name one problem on stderr."""
        print(("\n" if self._live and self._stage else "") + sentence(message), file=sys.stderr)

    def problems(self, messages: Iterable[Message]) -> None:
        """Name problems on stderr, the first two hundred in full."""
        for number, message in enumerate(messages):
            if number == SHOWN_PROBLEMS:
                print("…", file=sys.stderr)
                return
            self.problem(message)

    def result(self, payload: Any, text: str | Callable[[], str]) -> None:
        """Print the result: ``payload`` as JSON, or ``text`` for a person."""
        if self.as_json:
            print(json.dumps(payload, ensure_ascii=False, default=str))
        else:
            print(text() if callable(text) else text)
        sys.stdout.flush()

    def usage(self, said: str) -> None:
        """Print why a command line was not understood as JSON; its text follows on stderr."""
        print(json.dumps({"error": {"code": "error.usage", "message": said}}, ensure_ascii=False))

    def refuse(self, error: MmreviewError) -> NoReturn:
        """Say why not, and leave with exit code 2."""
        said = sentence(error.message)
        if self.as_json:
            print(json.dumps({"error": {"code": error.code, "message": said}}, ensure_ascii=False))
        print(said, file=sys.stderr)
        raise SystemExit(REFUSED)


def prepare_streams() -> None:
    """Let no sentence fail for want of a character: what a program reads is UTF-8 everywhere (JSON
    is), a terminal that lacks a character shows its code instead. A native crash tells its places
    on stderr."""
    faulthandler.enable(sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            encoding = stream.encoding if stream.isatty() else "utf-8"
            stream.reconfigure(encoding=encoding, errors="backslashreplace")


def record_crash(error: Exception) -> Path | None:
    """Write where an unexpected error came from into the log file and into a crash report, without
    its message; the report's path."""
    from mmreview import logs

    logs.start()
    report = logs.report(error)
    logs.stop()
    return report


def table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Rows as aligned text: the first column left, the others right."""
    cells = [[str(c) for c in header], *[["–" if c is None else str(c) for c in r] for r in rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(cells[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines)
