"""What the ``simulate`` verb prints and writes: the table, the curves as CSV and as a picture."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mmreview.console import Console, table
from mmreview.domain.simulations import (
    TARGET,
    Interval,
    PolicyRow,
    Simulation,
    SimulationOptions,
)
from mmreview.services.desk import Desk
from mmreview.services.exporting import refuse_inside, written_whole
from mmreview.translation import tr

PICTURE, CURVES, POLICIES = "label-saving.png", "label-saving.csv", "policies.csv"


def simulate(
    console: Console, desk: Desk, options: SimulationOptions, *, out: Path, theme: str
) -> tuple[Simulation, dict[str, Any]]:
    """Run (or go on with) a simulation and write its files into ``out``; with it returns what JSON
    says."""
    refuse_inside(desk.info.folder, out)
    console.run(desk.predicting.encode_all())
    found = console.run(desk.simulating.run(options, keep=out))
    write_tables(found, out)
    from mmreview import app

    app.draw_saving(found, desk.info, out / PICTURE, theme=theme)
    return found, {
        **payload(found),
        "synthetic": desk.info.synthetic,
        "out": {name: str(out / name) for name in (PICTURE, CURVES, POLICIES)},
    }


def names_of(policies: str) -> tuple[str, ...]:
    """The policies of a list joined by commas."""
    return tuple(name for name in (each.strip() for each in policies.split(",")) if name)


def payload(found: Simulation) -> dict[str, Any]:
    """The result as JSON; intervals are [mean, low, high]."""
    options = found.options
    return {
        **found.facts,
        "seeds": options.seeds,
        "noise": options.noise,
        "batch": options.batch,
        "budget": options.budget,
        "target": TARGET,
        "policies": [
            {
                "policy": row.policy,
                "reached": row.reached,
                "cases": row.cases.as_list(),
                "saving": row.saving.as_list() if row.saving else None,
                "gain": row.gain.as_list(),
                "final": row.final.as_list(),
                "refused": row.refused,
            }
            for row in found.rows()
        ],
        "curves": {
            arm: [[cases, *interval.as_list()] for cases, interval in found.mean_curve(arm)]
            for arm in options.arms
        },
    }


def saving_table(found: Simulation) -> str:
    """The table for a person."""
    heads = ("policy", "reached", "cases", "saving", "gain", "final", "refused")
    rows = [
        (
            row.policy,
            f"{row.reached}/{row.seeds}",
            # Where a seed missed the target its budget counts: at least so many.
            f"≥ {row.cases.mean:.0f}" if row.reached < row.seeds
            else _interval(row.cases, "{:.0f}"),
            _interval(row.saving, "{:.0%}") if row.saving else None,
            None if _is_first(row, found) else _interval(row.gain, "{:+.3f}"),
            _interval(row.final, "{:.3f}"),
            row.refused,
        )
        for row in found.rows()
    ]
    said = table([tr(f"cli.simulate.{head}") for head in heads], rows)
    facts = {**found.facts, "target": round(100 * TARGET), "seeds": found.options.seeds,
             "right": round(100 * (1 - found.options.noise))}
    return f"{tr('cli.simulated', **facts)}\n{said}\n{tr('cli.simulate.legend', **facts)}"


def _is_first(row: PolicyRow, found: Simulation) -> bool:
    return row.policy == found.options.arms[0]


def _interval(value: Interval, form: str) -> str:
    mean = form.format(value.mean)
    if value.low is None or value.high is None:
        return mean
    return f"{mean} ({form.format(value.low)} – {form.format(value.high)})"


def write_tables(found: Simulation, out: Path) -> None:
    """The curves (a line for each policy and number of cases) and the policies' rows."""
    out.mkdir(parents=True, exist_ok=True)
    curves = [
        (arm, cases, *_cells(interval))
        for arm in found.options.arms
        for cases, interval in found.mean_curve(arm)
    ]
    _write(out / CURVES, ("policy", "cases", "auroc", "low", "high"), curves)
    rows = [
        (
            row.policy, row.seeds, row.reached, *_cells(row.cases), *_cells(row.saving),
            *_cells(row.gain), *_cells(row.final), row.refused,
        )
        for row in found.rows()
    ]
    measures = [
        name if not part else f"{name}_{part}"
        for name in ("cases", "saving", "gain", "final")
        for part in ("", "low", "high")
    ]
    _write(out / POLICIES, ("policy", "seeds", "reached", *measures, "refused"), rows)


def _cells(interval: Interval | None) -> list[str]:
    values = interval.as_list() if interval else [None] * 3
    return ["" if value is None else f"{value:.5g}" for value in values]


def _write(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with written_whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(head)
        writer.writerows(rows)
