"""How a command is read, begun and refused; the verbs themselves are in ``cli``.

A first word that is no verb is a project to open. A verb works in ``command_console`` (every error
is a sentence and exit code 2, never a traceback) and mostly in ``opened_desk``.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import typer
import typer.core

from mmreview import paths
from mmreview.console import DONE_WITH_PROBLEMS, Console, record_crash, sentence
from mmreview.domain.errors import Message, MmreviewError
from mmreview.settings import login

if TYPE_CHECKING:
    from mmreview.services.desk import Desk

_ROOT_OPTIONS = ("--help", "-h", "--version", "--smoke")


class VerbOrProject(typer.core.TyperGroup):
    """A group whose first word may be a project instead of a verb: that opens the window.

    With ``--json`` a command line that cannot be understood is told in JSON too.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the verb ``open`` before anything that is neither a verb nor a root option."""
        ctx.meta["mmreview.json"] = "--json" in args
        if not args or (args[0] not in self.commands and args[0] not in _ROOT_OPTIONS):
            words = [*itertools.takewhile(lambda word: not word.startswith("-"), args)]
            if len(words) > 1 or self._is_misspelt(words):  # a project stands alone
                self._refuse_verb(ctx, words)
            args = ["open", *args]
        return super().parse_args(ctx, args)

    def _is_misspelt(self, words: list[str]) -> bool:
        """True for one word that looks like a verb and names no project."""
        verbs = [name for name, verb in self.commands.items() if not verb.hidden]
        if not words or not difflib.get_close_matches(words[0], verbs, n=1):
            return False
        return not (paths.as_project(Path(words[0])) / "project.sqlite").exists()

    def _refuse_verb(self, ctx: Any, words: list[str]) -> NoReturn:
        verbs = [name for name, verb in self.commands.items() if not verb.hidden]
        if words[1:] and words[1] in verbs:
            said = sentence(
                Message("error.verb_first", {"verb": words[1], "project": words[0]})
            )
        else:
            near = difflib.get_close_matches(words[0], verbs, n=1)
            code = "error.verb_misspelt" if near else "error.verb_not_found"
            said = sentence(
                Message(code, {"verb": words[0], "near": "".join(near), "known": ", ".join(verbs)})
            )
        if ctx.meta["mmreview.json"]:
            Console(as_json=True).usage(said)
        ctx.fail(said)

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; a word or option that it does not take is a refusal like any other."""
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:
            if ctx.meta["mmreview.json"]:
                tell = getattr(error, "format_message", error.__str__)
                Console(as_json=True).usage(tell())
            raise


def acting_reader(reader: str) -> str:
    """Who signs an event: a name that fits on a line."""
    name = reader.strip() or login()
    if not name.isprintable():
        raise MmreviewError("error.reader_invalid")
    return name


@contextmanager
def command_console(as_json: bool) -> Iterator[Console]:
    """A console that turns a refusal into a sentence and exit code 2."""
    console = Console(as_json=as_json)
    try:
        yield console
    except MmreviewError as error:
        console.refuse(error)
    except KeyboardInterrupt:
        console.refuse(MmreviewError("error.cancelled"))
    except (typer.Exit, typer.Abort, typer.TyperException, BrokenPipeError):
        raise  # how a command ends, or nobody listens any more
    except Exception as error:
        # Not a traceback: its message can quote a report, and exit code 1 would mean “done”.
        report = record_crash(error)
        if report is not None:
            console.problem(Message("cli.crash_report", {"path": str(report)}))
        console.refuse(MmreviewError("error.unexpected", kind=type(error).__name__))


@contextmanager
def opened_desk(
    project: Path, *, as_json: bool, read_only: bool = False, stores: bool = True
) -> Iterator[tuple[Console, Desk]]:
    """The open project. A verb whose result does not have to be stored (``stores`` False) does its
    work read-only where another process writes or nobody may, and says so."""
    from mmreview.compose import ProjectOpener
    from mmreview.domain.errors import ProjectLocked, ProjectReadOnly

    with command_console(as_json) as console:
        opener = ProjectOpener()
        try:
            desk = opener.open(project, read_only=read_only)
        except (ProjectLocked, ProjectReadOnly):
            if stores:
                raise
            desk = opener.open(project, read_only=True)
            console.problem(Message("cli.read_only"))
        try:
            yield console, desk
        finally:
            notice = desk.predicting.notice
            desk.close()
            if notice is not None:
                console.problem(notice)
        if notice is not None:
            raise typer.Exit(DONE_WITH_PROBLEMS)
