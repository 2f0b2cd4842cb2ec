"""The verbs ``gate`` and ``audit``: a project's criteria, and the set of cases that they are asked
on. ``cli`` registers both; ``services.gating`` and ``services.audit_set`` do the work.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmreview.command import acting_reader, opened_desk
from mmreview.console import table
from mmreview.domain.errors import MmreviewError
from mmreview.translation import tr

if TYPE_CHECKING:
    from mmreview.domain.audit_sets import AuditStatus, Draw
    from mmreview.domain.gates import GateRules
    from mmreview.services.desk import Desk

Project = Annotated[Path, typer.Argument(metavar="PROJECT", help="The project folder.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON value on stdout.")]
Reader = Annotated[str, typer.Option("--reader", help="Who acts; your login by default.")]

#: What ``--require`` takes, and what it makes of ``GateRules.superior``.
_PROOFS = {"not_worse": False, "better": True}


def gate(
    project: Project,
    delta: Annotated[
        float | None, typer.Option(help="Log-loss per case that it must not be worse by.")
    ] = None,
    delta_auroc: Annotated[
        float | None, typer.Option(help="AUROC that no finding may surely lose more of.")
    ] = None,
    delta_ece: Annotated[
        float | None, typer.Option(help="Calibration error that may not surely be added.")
    ] = None,
    budget: Annotated[
        float | None, typer.Option(help="Share of wrong promotions over all attempts.")
    ] = None,
    tolerance: Annotated[
        float | None, typer.Option(help="Log-loss that the point estimate may lie above.")
    ] = None,
    require: Annotated[
        str, typer.Option(help="What must be proved: not_worse or better.")
    ] = "",
    require_act: Annotated[
        bool | None,
        typer.Option("--require-act/--no-act", help="Whether a reader must let it serve."),
    ] = None,
    act_by: Annotated[
        str | None, typer.Option("--act-by", help="The reader who must; empty: anyone.")
    ] = None,
    latency: Annotated[
        float | None, typer.Option(help="Milliseconds that an opinion may take.")
    ] = None,
    size: Annotated[float | None, typer.Option(help="Megabytes that its weights may take.")] = None,
    weak_imports: Annotated[
        bool | None,
        typer.Option(
            "--weak-imports/--sound-imports", help="Whether imported labels may not judge."
        ),
    ] = None,
    reader: Reader = "",
    as_json: Json = False,
) -> None:
    """The criteria by which a new version may serve; with options, change them."""
    wished: dict[str, Any] = {
        "delta": delta, "delta_auroc": delta_auroc, "delta_ece": delta_ece, "budget": budget,
        "tolerance": tolerance, "act": require_act, "reader": act_by, "latency_ms": latency,
        "size_mb": size, "weak_imports": weak_imports,
    }  # fmt: skip
    changed = {name: value for name, value in wished.items() if value is not None}
    with opened_desk(project, as_json=as_json, read_only=not (changed or require)) as opened:
        console, desk = opened
        if require:
            changed["superior"] = _proof(require)
        if changed.get("reader"):
            changed = {"act": True, **changed}  # who must decide is asked to
        rules = desk.gating.rules()
        if changed:
            rules = desk.gating.change(actor=acting_reader(reader), **changed)
        console.result(_gate_payload(desk, rules), lambda: _gate_table(desk, rules))


def _proof(require: str) -> bool:
    if require not in _PROOFS:
        raise MmreviewError(
            "error.gate_rule_invalid", name="require", value=require, allowed=", ".join(_PROOFS)
        )
    return _PROOFS[require]


def _gate_payload(desk: Desk, rules: GateRules) -> dict[str, Any]:
    budget = desk.gating.budget()
    return {
        "rules": {**rules.as_json(), "require": "better" if rules.superior else "not_worse"},
        "budget": {
            "attempts": budget.attempts, "wealth": budget.wealth, "first": budget.first,
            "next_alpha": budget.alpha, "worn": budget.is_worn,
        },
    }  # fmt: skip


def _gate_table(desk: Desk, rules: GateRules) -> str:
    budget = desk.gating.budget()
    yes_no = {True: tr("cli.yes"), False: tr("cli.no")}
    rows = [
        ("--delta", f"{rules.delta:g}", tr("cli.gate.delta")),
        ("--tolerance", f"{rules.tolerance:g}", tr("cli.gate.tolerance")),
        ("--delta-auroc", f"{rules.delta_auroc:g}", tr("cli.gate.delta_auroc")),
        ("--delta-ece", f"{rules.delta_ece:g}", tr("cli.gate.delta_ece")),
        ("--require", "better" if rules.superior else "not_worse", tr("cli.gate.require")),
        ("--require-act", yes_no[rules.act], tr("cli.gate.act")),
        ("--act-by", rules.reader or "–", tr("cli.gate.act_by")),
        ("--latency", f"{rules.latency_ms:g}", tr("cli.gate.latency")),
        ("--size", f"{rules.size_mb:g}", tr("cli.gate.size")),
        ("--weak-imports", yes_no[rules.weak_imports], tr("cli.gate.weak_imports")),
        ("--budget", f"{rules.budget:g}", tr("cli.gate.budget")),
    ]
    heads = (tr("cli.gate.option"), tr("cli.gate.value"), tr("cli.gate.meaning"))
    left = tr(
        "cli.gate.left", attempts=budget.attempts, left=round(100 * budget.wealth / budget.first)
    )
    return table(heads, rows) + "\n" + left


def audit(
    project: Project,
    draw: Annotated[
        int | None, typer.Option(min=1, help="Draw so many further cases; with --refresh: in all.")
    ] = None,
    precision: Annotated[
        float | None, typer.Option(help="Propose a size for an AUROC ± this much.")
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="A new set in place of the one there is.")
    ] = False,
    reader: Reader = "",
    as_json: Json = False,
) -> None:
    """The audit set: what it is, how large it should be; draw more of it, or a new one."""
    from mmreview.domain.audit_sets import PRECISION

    with opened_desk(project, as_json=as_json, read_only=not (draw or refresh)) as opened:
        console, desk = opened
        wish = PRECISION if precision is None else precision
        made: Draw | None = None
        if draw or refresh:
            count = draw or desk.audit_set.status(precision=wish).proposal.cases
            made = desk.audit_set.draw(count, actor=acting_reader(reader), refresh=refresh)
            console.run(desk.predicting.score_all())  # what was drawn shows no sort key any more
        status = desk.audit_set.status(precision=wish)
        drawn = None if made is None else {
            "set": made.number, "cases": made.cases, "patients": made.patients,
            "retired": made.retired, "seq": made.seq,
        }  # fmt: skip
        console.result({**status.as_json(), "drawn": drawn}, lambda: _audit_text(status, made))


def _audit_text(status: AuditStatus, made: Draw | None) -> str:
    lines = []
    if made is not None:
        code = "cli.audit.refreshed" if made.retired else "cli.audit.drawn"
        lines.append(
            tr(code, cases=made.cases, patients=made.patients, retired=made.retired)
        )
    lines.append(
        tr(
            "cli.audit.holds", cases=status.cases, patients=status.patients, read=status.read,
            people=status.by_people, imported=status.imported,
        )
    )
    if status.weak_imports:
        lines.append(tr("cli.audit.weak"))
    if status.too_few:
        lines.append(tr(status.too_few, judging=status.judging, cases=status.cases))
    elif status.precision is not None:
        lines.append(tr("cli.audit.precision", precision=f"{status.precision:.3f}"))
    lines.append(
        tr("cli.audit.budget", attempts=status.attempts, left=round(100 * status.share_left))
    )
    if status.worn:
        lines.append(tr("audit.worn"))
    wanted = status.proposal
    lines.append(
        tr(
            "cli.audit.proposed", cases=wanted.cases, precision=f"{wanted.precision:g}",
            auroc=wanted.auroc, expected=f"{wanted.expected_auroc:.2f}",
            prevalence=f"{100 * wanted.prevalence:.0f}", log_loss=wanted.log_loss,
            delta=f"{wanted.delta:g}",
        )
    )
    if not wanted.measured:
        lines.append(tr("cli.audit.assumed"))
    lines.append(tr("cli.audit.eligible", eligible=status.eligible))
    return "\n".join(lines)
