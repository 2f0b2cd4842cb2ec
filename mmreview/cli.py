"""The ``mmreview`` command: one function a verb, thin over the services.

``mmreview PROJECT`` without a verb opens the window. Every verb takes ``--json``; results go to
stdout, progress to stderr; exit codes are 0 done, 1 done with problems named, 2 refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmreview import __version__, paths
from mmreview.command import VerbOrProject, acting_reader, command_console, opened_desk
from mmreview.console import (
    DONE_WITH_PROBLEMS,
    REFUSED,
    Console,
    prepare_streams,
    sentence,
)
from mmreview.domain.errors import Message, MmreviewError, ProjectNotFound, TooFewLabels
from mmreview.domain.findings import Basis, State
from mmreview.gatekeeping import audit, gate
from mmreview.translation import set_language, tr

if TYPE_CHECKING:
    from mmreview.domain.versions import Version
    from mmreview.services.desk import Desk

cli = typer.Typer(
    cls=VerbOrProject,
    add_completion=False,
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

cli.command()(gate)
cli.command()(audit)

ProjectArgument = Annotated[Path, typer.Argument(metavar="PROJECT", help="The project folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout.")]
ReaderOption = Annotated[str, typer.Option("--reader", help="Who acts; your login by default.")]
LogOption = Annotated[Path | None, typer.Option(help="Write what the round did into this folder.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Makes chance repeatable.")]


@cli.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Run the whole main job in a temporary project.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", help="Keep what --smoke finds in this folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="--smoke prints JSON anyhow.")] = False,
) -> None:
    """Review cases of images and reports. For research and annotation use, not for diagnosis."""
    if version:
        print(f"mmreview {__version__}")
    elif smoke:
        from mmreview.smoke import smoke as run_smoke

        with command_console(as_json=True) as console:
            found = run_smoke(console, out=out)
            console.result(found, "")
            if not found["ok"]:
                raise typer.Exit(REFUSED)


@cli.command("open", hidden=True)
def open_window(
    project: Annotated[Path | None, typer.Argument(metavar="[PROJECT]")] = None,
    screenshot: Annotated[
        Path | None, typer.Option(help="Draw the window into this PNG and leave.")
    ] = None,
    size: Annotated[str, typer.Option(help="Window size of the picture.")] = "1440x900",
    theme: Annotated[str, typer.Option(help="dark, light or system.")] = "",
    lang: Annotated[str, typer.Option(help="Language of the window: en, zh_CN.")] = "",
) -> None:
    """Open the window, on a project if one is named."""
    with command_console(as_json=False) as console:
        if lang:
            set_language(lang)
        from mmreview import app

        if screenshot is not None:
            app.screenshot(project, screenshot, size=size, theme=theme or "dark")
            console.result({}, str(screenshot))
        else:
            _refuse_missing(project)
            raise SystemExit(app.run(project, theme=theme, language=lang))


def _refuse_missing(project: Path | None) -> None:
    """A window on nothing helps nobody: a word that is neither a verb nor a project is refused."""
    if project is not None and not (paths.as_project(project) / "project.sqlite").exists():
        raise ProjectNotFound(path=str(paths.as_project(project)))


@cli.command()
def demo(
    project: Annotated[Path | None, typer.Argument(metavar="[PROJECT]")] = None,
    cases: Annotated[int, typer.Option(min=4, help="How many cases are made.")] = 60,
    seed: SeedOption = 0,
    headless: Annotated[bool, typer.Option(help="Run the main job without a window.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make a synthetic project (or open the one there) and review it."""
    with command_console(as_json) as console:
        from mmreview import app, mainjob, paths

        folder = paths.as_project(project or paths.default_projects_folder() / "demo")
        missing = app.missing_for_display() if app.has_display() else ""
        if headless or missing or not app.has_display():
            payload = mainjob.headless_demo(console, folder, cases=cases, seed=seed)
            payload["headless"] = "asked" if headless else missing or "no display"
            console.result(payload, lambda: _why_headless(payload) + mainjob.summary(payload))
        else:
            raise SystemExit(app.run(folder, demo=app.DemoWish(cases=cases, seed=seed)))


def _why_headless(payload: dict[str, Any]) -> str:
    why = payload["headless"]
    if why == "asked":
        return ""
    if why == "no display":
        return tr("demo.no_display") + "\n"
    from mmreview.diagnosis import explain_missing_qt

    return tr("demo.no_display_libraries", detail=explain_missing_qt(why)) + "\n"


@cli.command()
def init(
    project: ProjectArgument,
    schema: Annotated[str, typer.Option(help="A built-in schema or a YAML file.")] = "chexpert-14",
    seed: SeedOption = 0,
    audit: Annotated[float, typer.Option(min=0, max=0.5, help="Audit share.")] = 0.10,
    control: Annotated[float, typer.Option(min=0, max=0.5, help="Control share.")] = 0.05,
    as_json: JsonOption = False,
) -> None:
    """Make an empty project."""
    from mmreview.compose import ProjectOpener

    with command_console(as_json) as console:
        desk = ProjectOpener().create(project, schema=schema, seed=seed)
        desk.preferences.set("audit_share", audit)
        desk.preferences.set("control_share", control)
        desk.close()
        folder, names = str(desk.info.folder), list(desk.info.schema.names)
        console.result(
            {"project": folder, "schema": desk.info.schema.name, "findings": names},
            tr("cli.initialised", project=folder, count=len(names)),
        )


@cli.command("import")
def import_cases(
    project: ProjectArgument,
    source: Annotated[Path, typer.Argument(metavar="SOURCE")],
    format: Annotated[str, typer.Option("--format", help="auto, jsonl or csv.")] = "auto",
    columns: Annotated[str, typer.Option(help="id=…,image=…,report=…,labels=…,patient=…")] = "",
    labels_complete: Annotated[
        bool, typer.Option("--labels-complete", help="Findings not listed are absent.")
    ] = False,
    reference: Annotated[
        bool, typer.Option("--reference", help="Leave the images where they are.")
    ] = False,
    reader: ReaderOption = "",
    as_json: JsonOption = False,
) -> None:
    """Bring cases in; every bad row is named, the rest go in."""
    from mmreview.services.desk import ImportChoice

    choice = ImportChoice(
        format=format, columns=columns, labels_complete=labels_complete, reference=reference
    )
    with opened_desk(project, as_json=as_json) as (console, desk):
        report = console.run(
            desk.import_source(source, choice=choice, actor=acting_reader(reader))
        )
        payload = {
            "added": report.added,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "problem_count": report.problem_count,
            "problems": [
                {"code": p.code, **p.params, "message": sentence(p)} for p in report.problems
            ],
        }
        console.result(payload, tr("cli.imported", **{**payload, "problems": None}))
        if report.problem_count:
            raise typer.Exit(DONE_WITH_PROBLEMS)


@cli.command()
def encode(
    project: ProjectArgument,
    fusion: Annotated[str, typer.Option(help="Also encode what this fusion reads.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Compute and cache the features of every case; goes on where it stopped."""
    from mmreview.services.learning import TrainingOptions

    with opened_desk(project, as_json=as_json) as (console, desk):
        desk.learning.prepare(TrainingOptions(fusion=fusion or None))
        failed = console.run(desk.predicting.encode_all())
        cases = desk.cases.count()
        console.result({"cases": cases, "failed": failed}, tr("cli.encoded", count=cases))
        if failed:
            raise typer.Exit(DONE_WITH_PROBLEMS)


@cli.command()
def predict(
    project: ProjectArgument,
    out: Annotated[Path | None, typer.Option("--out", help="A JSON lines file.")] = None,
    audit: Annotated[bool, typer.Option("--audit/--without-audit", help="Audit cases too.")] = True,
    as_json: JsonOption = False,
) -> None:
    """What the serving version believes of every case."""
    from mmreview.reporting import prediction_lines, write_lines
    from mmreview.services.exporting import refuse_inside, written_whole

    with opened_desk(project, as_json=as_json, stores=False) as (console, desk):
        if out is not None:
            refuse_inside(desk.info.folder, out)
        if desk.learning.champion() is None:
            raise MmreviewError("error.no_version")
        failed = console.run(desk.predicting.encode_all())
        if audit and (blind := desk.audit_set.cases):
            console.problem(Message("predict.of_audit", {"count": blind}))
        lines = prediction_lines(desk.predicting.predict_all(audit=audit))
        if out is None:
            for line in lines:
                print(line)
        else:
            with written_whole(out) as file:
                count = write_lines(file, lines)
            console.result({"out": str(out), "cases": count}, tr("cli.predicted", count=count))
        if failed:
            raise typer.Exit(DONE_WITH_PROBLEMS)


@cli.command()
def correct(
    project: ProjectArgument,
    case: Annotated[str, typer.Argument(metavar="CASE")],
    finding: Annotated[str, typer.Argument(metavar="FINDING")],
    state: Annotated[State, typer.Argument(metavar="STATE")],
    reader: ReaderOption = "",
    basis: Annotated[Basis, typer.Option("--basis", help="image, report or both.")] = Basis.BOTH,
    as_json: JsonOption = False,
) -> None:
    """Set the state of one finding; prints one line when, and only when, it is durable."""
    from mmreview.domain.cases import Partition
    from mmreview.domain.reads import Correction, Stage

    with opened_desk(project, as_json=as_json) as (console, desk):
        found = desk.cases.find(case)
        # No opinion is shown of an audit case, so none was seen.
        blind = found.partition is Partition.AUDIT
        champion = None if blind else desk.learning.champion()
        changed = desk.reviewing.correct(
            Correction(
                case_key=found.key,
                finding=finding,
                state=state,
                reader=acting_reader(reader),
                basis=basis,
                version=champion.id if champion else None,
                stage=Stage.REPORT if blind else Stage.MODEL,
            )
        )
        payload = {
            "seq": changed.seq,
            "at": changed.at,
            "case": changed.case,
            "finding": changed.after.finding,
            "before": str(changed.before.state),
            "after": str(changed.after.state),
            "basis": str(changed.after.basis),
            "reader": changed.after.reader,
            "implied": {s.finding: str(s.state) for s in changed.implied},
        }
        said = tr("cli.corrected", **payload)
        if changed.implied:
            absent = ", ".join(payload["implied"])
            said = tr("cli.corrected_with", **payload, absent=absent)
        console.result(payload, said)


@cli.command()
def train(
    project: ProjectArgument,
    fusion: Annotated[str, typer.Option(help="A fusion's name; auto: whichever is best.")] = "",
    weight: Annotated[str, typer.Option("--lambda", help="manual:0.6, cv or learned.")] = "",
    search: Annotated[
        bool, typer.Option("--search", help="Find the best model first, as --fusion auto does.")
    ] = False,
    unlabelled: Annotated[
        bool, typer.Option("--unlabelled", help="Let cases without a label teach, if it helps.")
    ] = False,
    tensorboard: LogOption = None,
    wandb: LogOption = None,
    seed: SeedOption = 0,
    reader: ReaderOption = "",
    as_json: JsonOption = False,
) -> None:
    """Fit a version on the labels that hold; it serves if the gate lets it."""
    from mmreview.compose import training_logs
    from mmreview.reporting import search_table, unlabelled_line
    from mmreview.services.learning import AUTO, TrainingOptions, parse_weight

    with opened_desk(project, as_json=as_json) as (console, desk):
        if search and fusion not in ("", AUTO):
            raise MmreviewError("error.search_with_fusion", fusion=fusion)
        fusion = AUTO if search else fusion
        actor = acting_reader(reader)
        options = TrainingOptions(
            fusion=fusion or None, weight=parse_weight(weight) if weight else None, seed=seed,
            unlabelled=unlabelled,
        )
        logs = training_logs(desk.info.folder, tensorboard=tensorboard, wandb=wandb)
        needed = desk.learning.labels_needed()
        if needed:  # said before minutes of encoding, not after
            raise TooFewLabels(needed=needed, count=needed)
        desk.learning.prepare(options)
        console.run(desk.predicting.encode_all())
        version = console.run(logs.follow(desk.learning.train(actor=actor, options=options)))
        logs.write(version)
        console.run(desk.predicting.score_all())
        console.run(desk.queueing.refresh())
        verdict = tr(version.gate["reason"], **version.gate["params"])
        payload = {**_version(version), "version": version.id, "gate": dict(version.gate)}
        text = tr("cli.trained", version=version.id, role=str(version.role), verdict=verdict)
        for remark in version.metrics.get("remarks", ()):
            text += "\n" + tr(remark["code"], **remark["params"])
        if "unlabelled" in version.metrics:
            text += "\n" + unlabelled_line(version.metrics["unlabelled"])
        if "search" in version.metrics:
            text += "\n\n" + search_table(version.metrics["search"])
        console.result(payload, text)


@cli.command()
def evaluate(
    project: ProjectArgument,
    folds: Annotated[int, typer.Option(min=2, max=20)] = 5,
    group: Annotated[str, typer.Option(help="Folds keep these together: patient.")] = "patient",
    weight: Annotated[str, typer.Option("--lambda", help="manual:0.6, cv or learned.")] = "cv",
    curve: Annotated[
        bool, typer.Option("--curve", help="Also how good it is with fewer labels.")
    ] = False,
    seed: SeedOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Grouped nested cross-validation of fused, image and text on the labels that hold."""
    from mmreview.reporting import evaluation_table
    from mmreview.services.learning import parse_weight

    with opened_desk(project, as_json=as_json, stores=False) as (console, desk):
        if group != "patient":
            raise MmreviewError("error.group_not_found", group=group)
        console.run(desk.predicting.encode_all())
        result = console.run(
            desk.learning.evaluate(folds=folds, seed=seed, weight=parse_weight(weight))
        )
        if curve:
            keep = not desk.info.read_only
            result["learning_curve"] = console.run(desk.learning.learning_curve(keep=keep))
        console.result(result, lambda: evaluation_table(result))


@cli.command()
def queue(
    project: ProjectArgument,
    policy: Annotated[str, typer.Option(help="How the rest is chosen; priority: no shares.")] = "",
    top: Annotated[int, typer.Option(min=1)] = 20,
    quota: Annotated[
        str, typer.Option(help="Shares in per cent: audit=10,control=5,… or none; kept.")
    ] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Make --policy the project's.")] = False,
    lease: Annotated[
        int, typer.Option(min=0, help="Take so many cases for --reader, for a day's work.")
    ] = 0,
    give_back: Annotated[
        bool, typer.Option("--give-back", help="End all leases of --reader.")
    ] = False,
    agreement: Annotated[
        bool, typer.Option("--agreement", help="How far readers agree with themselves.")
    ] = False,
    reader: ReaderOption = "",
    as_json: JsonOption = False,
) -> None:
    """Which cases are offered next, and why."""
    from mmreview import offers

    wish = offers.QueueWish(
        reader=acting_reader(reader), policy=policy, top=top, quota=quota, keep=keep, lease=lease
    )
    with opened_desk(project, as_json=as_json, stores=False) as (console, desk):
        if agreement:
            offers.show_agreement(console, desk)
        elif give_back:
            offers.give_back(console, desk, reader=wish.reader)
        else:
            offers.offer(console, desk, wish)


@cli.command()
def simulate(
    project: ProjectArgument,
    policy: Annotated[str, typer.Option(help="Names, joined by commas.")] = "hybrid",
    seeds: Annotated[int, typer.Option(min=1, max=26, help="How often, on other patients.")] = 5,
    noise: Annotated[
        float, typer.Option(min=0, max=0.5, help="How often the reader says a finding wrongly.")
    ] = 0.0,
    batch: Annotated[int, typer.Option(min=1, help="Cases read between two rounds.")] = 20,
    budget: Annotated[int, typer.Option(min=1, help="Cases read in all.")] = 400,
    out: Annotated[
        Path | None, typer.Option("--out", help="A folder for picture, tables and finished runs.")
    ] = None,
    theme: Annotated[str, typer.Option(help="dark or light picture.")] = "light",
    as_json: JsonOption = False,
) -> None:
    """How many labels a policy saves: replay the known ones as a reader, against random."""
    from mmreview.domain.simulations import SimulationOptions
    from mmreview.simulation import names_of, saving_table
    from mmreview.simulation import simulate as run_simulation

    with opened_desk(project, as_json=as_json, stores=False) as (console, desk):
        options = SimulationOptions(
            names_of(policy), seeds=seeds, noise=noise, batch=batch, budget=budget
        )
        folder = out or Path(f"{desk.info.name}-simulation")
        found, payload = run_simulation(console, desk, options, out=folder, theme=theme)
        console.result(payload, lambda: saving_table(found) + "\n" + str(folder))


def _version(version: Version) -> dict[str, Any]:
    return {
        "id": version.id,
        "sha256": version.sha256,
        "role": str(version.role),
        "parent": version.parent,
        "metrics": dict(version.metrics),
        "lineage": dict(version.lineage),
    }


@cli.command()
def versions(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """Every version of the fusion weights, oldest first."""
    from mmreview.reporting import versions_table

    with opened_desk(project, as_json=as_json, read_only=True) as (console, desk):
        found = desk.learning.versions()
        console.result([_version(v) for v in found], lambda: versions_table(found))


@cli.command()
def insights(
    project: ProjectArgument,
    control_arm: Annotated[
        bool, typer.Option("--control-arm", help="Compare the queue with chance now, and keep it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Does the loop help? The queue against chance, versions, pace, what readers changed."""
    from mmreview.insight_report import insights_object, insights_text

    with opened_desk(project, as_json=as_json, read_only=not control_arm) as (console, desk):
        if control_arm:
            console.run(desk.predicting.encode_all())
            console.run(desk.insights.measure())
        found = console.run(desk.insights.collect())
        console.result(insights_object(found), lambda: insights_text(found))


def _served(console: Console, desk: Desk, changed: Any) -> None:
    console.run(desk.predicting.score_all())
    console.run(desk.queueing.refresh())
    payload = {"version": changed.version, "previous": changed.previous, "seq": changed.seq}
    console.result(payload, tr("cli.serves", **payload))


@cli.command()
def promote(
    project: ProjectArgument,
    version: Annotated[int, typer.Argument(metavar="VERSION")],
    reader: ReaderOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let a version serve, by your decision."""
    with opened_desk(project, as_json=as_json) as (console, desk):
        _served(console, desk, desk.learning.promote(version, actor=acting_reader(reader)))


@cli.command()
def refuse(
    project: ProjectArgument,
    version: Annotated[int | None, typer.Argument(metavar="[VERSION]")] = None,
    reader: ReaderOption = "",
    as_json: JsonOption = False,
) -> None:
    """Refuse the version that waits for a reader's decision (promote accepts it)."""
    with opened_desk(project, as_json=as_json) as (console, desk):
        learning = desk.learning
        waiting = learning.waiting()
        number = version if version is not None else waiting.id if waiting else None
        if number is None:
            raise MmreviewError("error.no_version_waits")
        learning.decide(number, accept=False, actor=acting_reader(reader))
        console.result({"version": number}, tr("cli.refused", version=number))


@cli.command()
def rollback(
    project: ProjectArgument,
    version: Annotated[int | None, typer.Argument(metavar="[VERSION]")] = None,
    reader: ReaderOption = "",
    as_json: JsonOption = False,
) -> None:
    """Let the version before serve again; corrections stay."""
    with opened_desk(project, as_json=as_json) as (console, desk):
        _served(console, desk, desk.learning.rollback(version, actor=acting_reader(reader)))


@cli.command()
def export(
    project: ProjectArgument,
    out: Annotated[Path, typer.Argument(metavar="OUT")],
    format: Annotated[str, typer.Option("--format", help="jsonl or csv; by OUT's ending.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Write the labels and their history."""
    with opened_desk(project, as_json=as_json, read_only=True) as (console, desk):
        format = format or ("csv" if out.suffix.lower() == ".csv" else "jsonl")
        count = console.run(desk.exporting.export(out, format=format))
        console.result({"out": str(out), "cases": count}, tr("cli.exported", count=count, out=out))


@cli.command()
def verify(project: ProjectArgument, as_json: JsonOption = False) -> None:
    """Check the audit trail, the database, the images and the versions."""
    from mmreview import verification

    with command_console(as_json) as console:
        verification.verify(console, project)


@cli.command()
def doctor(as_json: JsonOption = False) -> None:
    """What this machine has, what is missing and how to get it."""
    from mmreview.diagnosis import diagnose, diagnosis_text

    with command_console(as_json) as console:
        found = console.run(diagnose())
        console.result(found, lambda: diagnosis_text(found))
        if found["problems"]:
            raise typer.Exit(DONE_WITH_PROBLEMS)


def main() -> None:
    """The entry point of the ``mmreview`` command."""
    prepare_streams()
    cli(prog_name="mmreview")
