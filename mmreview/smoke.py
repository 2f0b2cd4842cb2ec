"""``mmreview --smoke``: does what is installed here work? The whole main job, by itself.

In a temporary project: the window first, then import, encode, fit, predict, correct, fine-tune,
save; the window again on that project, a correction by key and every dialog; export, verify, every
import that the program ever does, every image format. Each is a step with its time. A step that
fails is named, and the steps before it are told. Nothing is written outside a temporary folder (or
``--out``), and no network is asked: a hook of the interpreter counts every attempt.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from mmreview import __version__, imports, installation, logs
from mmreview.console import Console, sentence
from mmreview.domain.errors import Message, MmreviewError, message_of
from mmreview.domain.findings import State

if TYPE_CHECKING:
    from mmreview.services.desk import Desk
    from mmreview.ui.rehearsal import Rehearsal

_READER = "smoke"
_CASES = 40
#: A drawn window has hundreds of colours; one that is empty has a handful.
_COLOURS = 16

Result = TypeVar("Result")


class SmokeFailed(MmreviewError):
    """A step did what it should not; ``detail`` says what."""

    code = "error.smoke_step"


def smoke(console: Console, *, out: Path | None = None) -> dict[str, Any]:
    """Run the job; ``ok`` says whether every step went well, ``failed`` names the one that did not.
    With ``out`` picture, JSON, log and crash reports stay in that folder."""
    begun = time.perf_counter()
    rehearsed = _Job(console)
    with tempfile.TemporaryDirectory(prefix="mmreview-smoke-", ignore_cleanup_errors=True) as made:
        scratch = Path(made)
        log = logs.start(scratch / "logs")
        logs.when_crashed(rehearsed.crashes.append)
        try:
            rehearsed.run(scratch)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:
            rehearsed.fail(error)
        finally:
            rehearsed.let_go()
            logs.stop()
        payload = {**rehearsed.found, "steps": rehearsed.steps}
        payload["seconds"] = round(time.perf_counter() - begun, 3)
        payload["ok"] = "failed" not in payload
        if out is not None:
            _keep(scratch, out, payload, log)
    return payload


def _keep(scratch: Path, out: Path, payload: dict[str, Any], log: Path | None) -> None:
    """Copy what is worth a look."""
    out.mkdir(parents=True, exist_ok=True)
    kept = [scratch / "window.png", *([log] if log else []), *scratch.glob("logs/crash-*.txt")]
    for path in kept:
        if path.exists():
            (out / path.name).write_bytes(path.read_bytes())
    payload["out"] = str(out)
    text = json.dumps(payload, indent=1, ensure_ascii=False)
    (out / "smoke.json").write_text(text + "\n", encoding="utf-8")


class _Job:
    """The steps of one run, in order, and what they found."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self.steps: list[dict[str, Any]] = []
        self.crashes: list[Path] = []
        self._step = ""
        self._network: list[str] = []
        self._window: Rehearsal | None = None
        self._desk: Desk | None = None
        self.found: dict[str, Any] = {
            "version": __version__,
            "frozen": installation.is_frozen(),
            "flavour": installation.flavour(),
            "program": str(installation.program_folder()),
            "python": platform.python_version(),
            "system": platform.platform(),
            "cores": os.cpu_count(),
        }

    @contextmanager
    def _stepping(self, name: str) -> Iterator[dict[str, Any]]:
        """Time a step; what it puts into the value is told with it. A crash report that appeared
        meanwhile fails it too: an error in a slot reaches no caller."""
        self._step = name
        begun = time.perf_counter()
        facts: dict[str, Any] = {}
        yield facts
        seconds = round(time.perf_counter() - begun, 3)
        if self.crashes:
            raise SmokeFailed(step=name, detail="crash")
        self.steps.append({"step": name, "seconds": seconds, **facts})
        print(f"{name}: {seconds:.1f} s", file=sys.stderr, flush=True)

    def fail(self, error: BaseException) -> None:
        """Name the step that failed, why and where."""
        reason = message_of(error) if isinstance(error, Exception) else Message("error.unknown")
        failed = {
            "step": self._step, "code": reason.code, "message": sentence(reason),
            "where": logs.describe(error),
        }
        if self.crashes:
            with suppress(OSError):
                failed["report"] = self.crashes[0].read_text(encoding="utf-8")
        self.found["failed"] = failed
        print(f"{self._step}: {failed['message']}", file=sys.stderr, flush=True)

    def let_go(self) -> None:
        """Close what is open, however the run ended."""
        for thing in (self._window, self._desk):
            if thing is not None:
                with suppress(Exception):
                    thing.close()
        self._window = self._desk = None

    def run(self, scratch: Path) -> None:
        """Every step."""
        self._watch_network()
        self._show_window(scratch)
        folder = scratch / "smoke.mmreview"
        self._make(folder, scratch)
        self._learn()
        case, finding = self._use_window(folder, scratch / "window.png")
        self._reopen(folder, scratch / "labels.jsonl", case=case, finding=finding)
        with self._stepping("imports") as facts:
            missing = imports.missing()
            facts["modules"] = len(imports.modules())
            if missing:
                raise SmokeFailed(step="imports", detail=", ".join(missing[:10]))
        with self._stepping("image formats") as facts:
            facts["formats"] = _decode_formats(scratch)
        with self._stepping("offline") as facts:
            facts["attempts"] = len(self._network)
            if self._network:
                raise SmokeFailed(step="offline", detail=", ".join(self._network[:5]))

    # --- the steps --------------------------------------------------------------------------------

    def _watch_network(self) -> None:
        """Note every attempt to reach another computer. A hook cannot be taken off again; the
        process ends after this."""
        import socket

        local = {getattr(socket, "AF_UNIX", None)}

        def note(event: str, arguments: tuple[Any, ...]) -> None:
            if event in ("socket.connect", "socket.sendto"):
                if arguments[0].family not in local:
                    self._network.append(event)
            elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
                self._network.append(f"{event} {arguments[0]}")

        sys.addaudithook(note)

    def _show_window(self, scratch: Path) -> None:
        from mmreview import app

        with self._stepping("window") as facts:
            self._window = app.rehearsal(reader=_READER, folder=scratch)
            self._window.show()
            facts["since_start"] = _seconds_of_process()
            facts["qt_platform"] = self._window.platform

    def _make(self, folder: Path, scratch: Path) -> None:
        from mmreview.compose import SYSTEM, ProjectOpener, model_facts
        from mmreview.demo.cohort import write_cohort
        from mmreview.services.desk import ImportChoice

        with self._stepping("model"):
            self.found["model"] = model_facts()
        with self._stepping("create"):
            desk = self._desk = ProjectOpener(beside_window=True).create_demo(folder, seed=0)
        with self._stepping("draw cohort"):
            manifest = self._run(write_cohort(scratch / "cohort", cases=_CASES, seed=0))
        with self._stepping("import") as facts:
            report = self._run(
                desk.import_source(manifest, choice=ImportChoice(), actor=SYSTEM)
            )
            desk.preferences.set("demo_imported", True)
            facts["cases"] = report.added
            if report.added != _CASES or report.problem_count:
                raise SmokeFailed(step="import", detail=str(report.problem_count))
        with self._stepping("encode"):
            if failed := self._run(desk.predicting.encode_all()):
                raise SmokeFailed(step="encode", detail=str(failed))
        with self._stepping("fit"):
            self._run(desk.learning.train(actor=SYSTEM))
            self._run(desk.predicting.score_all())
            self._run(desk.queueing.refresh())

    def _learn(self) -> None:
        from mmreview.mainjob import correct_some

        desk = self._desk
        assert desk is not None
        with self._stepping("predict") as facts:
            predictions = list(desk.predicting.predict_all())
            facts["cases"] = len(predictions)
            opinions = [f.fused for p in predictions for f in p.findings if f.fused is not None]
            if len(predictions) != _CASES or not all(0 <= one <= 1 for one in opinions):
                raise SmokeFailed(step="predict", detail=str(len(predictions)))
        with self._stepping("correct") as facts:
            facts["corrections"] = correct_some(desk, reader=_READER)
        with self._stepping("fine-tune") as facts:
            version = self._run(desk.learning.train(actor=_READER))
            self._run(desk.predicting.score_all())
            self._run(desk.queueing.refresh())
            facts |= {"version": version.id, "role": str(version.role)}
            self.found["auroc"] = dict(version.metrics.get("auroc", {}))
        with self._stepping("save"):
            desk.close()
            self._desk = None

    def _use_window(self, folder: Path, picture: Path) -> tuple[str, str]:
        window = self._window
        assert window is not None
        with self._stepping("open in window"):
            window.open_project(folder)
        with self._stepping("correct in window"):
            case, finding = window.correct(State.UNCERTAIN)
        with self._stepping("dialogs") as facts:
            facts["dialogs"] = window.open_dialogs()
        with self._stepping("picture") as facts:
            facts["colours"] = window.take_picture(picture)
            if facts["colours"] < _COLOURS:
                raise SmokeFailed(step="picture", detail=str(facts["colours"]))
        with self._stepping("close window"):
            self._window = None
            window.close()
        return case, finding

    def _reopen(self, folder: Path, out: Path, *, case: str, finding: str) -> None:
        from mmreview.compose import ProjectOpener

        with self._stepping("reopen"):
            desk = self._desk = ProjectOpener().open(folder)
        with self._stepping("export") as facts:
            facts["cases"] = self._run(desk.exporting.export(out, format="jsonl"))
            rows = map(json.loads, out.read_text(encoding="utf-8").splitlines())
            labels = {row["id"]: row["labels"] for row in rows}
            if labels[case].get(finding) != State.UNCERTAIN:
                raise SmokeFailed(step="export", detail=finding)
        with self._stepping("verify"):
            if problems := self._run(desk.auditing.verify()):
                raise SmokeFailed(step="verify", detail=", ".join(p.code for p in problems[:5]))
        desk.close()
        self._desk = None

    def _run(self, work: Generator[Any, None, Result]) -> Result:
        """Run a generator to its end; the window lives meanwhile."""

        from mmreview.ml.relay import relay

        def pumped(step: Any) -> Any:
            if self._window is not None:
                self._window.pump()
            return step

        return self._console.run(relay(work, pumped))


def _decode_formats(scratch: Path) -> list[str]:
    """Read a picture of every format that an import takes."""
    from PIL import Image

    from mmreview.imaging.decoding import FORMATS, probe

    for name in FORMATS:
        path = scratch / f"sample.{name.lower()}"
        Image.new("L", (16, 16), 128).save(path, format=name)
        probe(path)
    return list(FORMATS)


def _seconds_of_process() -> float | None:
    """Seconds since this process began (a frozen program's launcher is in them); None where the
    system does not tell, which is everywhere but on Linux."""
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        up = time.clock_gettime(time.CLOCK_BOOTTIME)
        return round(up - int(fields[19]) / os.sysconf("SC_CLK_TCK"), 2)
    except (OSError, AttributeError, ValueError, IndexError):
        return None
