"""The verb ``verify``: is a project as it was written? ``cli`` registers it, ``services.auditing``
looks, ``store.audit`` goes through trail and database.
"""

from __future__ import annotations

from pathlib import Path

import typer

from mmreview.console import DONE_WITH_PROBLEMS, Console, sentence
from mmreview.domain.errors import Message, ProjectDamaged
from mmreview.translation import tr


def verify(console: Console, project: Path) -> None:
    """Name every problem and leave with 1 if there is one; say what cannot be checked."""
    try:
        events, problems = _verified(console, project)
    except ProjectDamaged as error:  # so damaged that it cannot even be opened
        events, problems = 0, [error.message]
    payload = {
        "ok": not problems,
        "events": events,
        "problems": [{"code": p.code, **p.params, "message": sentence(p)} for p in problems],
    }
    if problems and not console.as_json:
        console.problems(problems)
    console.result(
        payload, tr("cli.verified" if not problems else "cli.damaged", count=len(problems))
    )
    if problems:
        raise typer.Exit(DONE_WITH_PROBLEMS)


def _verified(console: Console, project: Path) -> tuple[int, list[Message]]:
    from mmreview.compose import ProjectOpener

    desk = ProjectOpener().open(project, read_only=True)
    try:
        problems = console.run(desk.auditing.verify())
        console.problems([] if problems else desk.auditing.uncovered())
        return desk.events.last_seq(), problems
    finally:
        desk.close()
