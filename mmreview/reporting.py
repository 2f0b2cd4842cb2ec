"""Predictions, metrics and versions as the lines and tables that the commands print."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TextIO

from mmreview.console import table
from mmreview.domain.cases import CLINICAL, IMAGE, TEXT
from mmreview.domain.predictions import Prediction
from mmreview.domain.versions import Version
from mmreview.translation import tr

_METRICS = ("auroc", "ap", "f1", "recall", "accuracy", "ece")


def prediction_object(prediction: Prediction) -> dict[str, Any]:
    """One prediction as the ``predict`` verb's object; null for an absent modality."""
    findings = {
        f.finding: {
            "fused": f.fused,
            **f.modalities,
            "conflict": f.conflict,
            "conflict_rank": f.conflict_rank,
            "intervals": {name: list(bounds) for name, bounds in f.intervals.items()},
            "contributions": {
                **dict.fromkeys(f.modalities),
                **f.contributions,
                "prior": f.prior,
            },
        }
        for f in prediction.findings
    }
    return {
        "id": prediction.case,
        "version": prediction.version,
        "wrong_pair": prediction.wrong_pair,
        "findings": findings,
    }


def prediction_lines(predictions: Iterable[Prediction]) -> Iterator[str]:
    """Each prediction as one line of JSON."""
    for prediction in predictions:
        yield json.dumps(prediction_object(prediction), ensure_ascii=False)


def write_lines(file: TextIO, lines: Iterable[str]) -> int:
    """Write lines; returns how many there were."""
    count = 0
    for line in lines:
        file.write(line + "\n")
        count += 1
    return count


def evaluation_table(result: Mapping[str, Any]) -> str:
    """The ``evaluate`` verb's table: a line for each finding and opinion, the means last; then,
    for the means, the interval of AUROC and how far the fused opinion is ahead."""
    ordered = sorted(result["rows"], key=lambda row: row["finding"] == "macro")
    rows = [
        (
            f"{row['finding']} · {row['opinion']}",
            row.get("positives"),
            row.get("n"),
            *(_number(row.get(metric)) for metric in _METRICS),
        )
        for row in ordered
    ]
    head = tr(
        "cli.evaluated", cases=result["cases"], groups=result["groups"], folds=result["folds"]
    )
    whole = head + "\n" + table(("", "pos", "n", *_METRICS), rows)
    means = [
        (
            f"macro · {row['opinion']}",
            *(_interval(row["intervals"].get(metric)) for metric in ("auroc", "ap", "log_loss")),
            _difference(row.get("difference")),
            _number(row.get("ece_perfect")),
        )
        for row in ordered
        if row["finding"] == "macro" and row.get("intervals")
    ]
    if means:
        header = ("95 %", "auroc", "ap", "log_loss", tr("cli.fused_less"), tr("cli.ece_perfect"))
        whole += f"\n\n{table(header, means)}"
    curve = result.get("learning_curve")
    parts = [whole, *exclusive_tables(result.get("exclusive", ()))]
    said = [tr(each["code"], **each["params"]) for each in result.get("remarks", ())]
    return "\n\n".join([*parts, *([curve_table(curve)] if curve else []), *said])


def curve_table(found: Mapping[str, Any]) -> str:
    """The learning curve: a line for each number of labels, the mean AUROC of each opinion."""
    names = list(found["points"][-1]["rows"]["macro"])
    rows = []
    for point in found["points"]:
        cells = []
        for name in names:
            value, low, high = point["rows"]["macro"].get(name, (None, None, None))
            cells += [_number(value), None if low is None else _interval((low, high))]
        rows.append((point["labels"], point["cases"], *cells))
    header = ["labels", "cases"]
    for name in names:
        header += [name, "95 %"]
    return tr("cli.learning_curve") + "\n" + table(header, rows)


def exclusive_tables(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Of each exclusive group a line for each opinion (``ml.group_metrics``), with the interval of
    its accuracy, and the fused opinion's confusion matrix."""
    for name in dict.fromkeys(row["group"] for row in rows):
        own = [row for row in rows if row["group"] == name]
        lines = [
            (
                row["opinion"],
                row["n"],
                _number(row["accuracy"]),
                _interval(row["intervals"].get("accuracy")),
                *(_number(row[m]) for m in ("balanced_accuracy", "auroc", "log_loss", "ece")),
                _difference(row.get("difference"), "accuracy"),
            )
            for row in own
        ]
        header = (
            "", "n", "accuracy", "95 %", "balanced", "auroc", "log_loss", "ece",
            tr("cli.fused_less_accuracy"),
        )
        yield tr("cli.group_evaluated", group=name) + "\n" + table(header, lines)
        fused = own[0]
        classes = [tr("cli.none_of_them") if c is None else c for c in fused["classes"]]
        counts = [
            (true, *said) for true, said in zip(classes, fused["confusion"], strict=True)
        ]
        yield tr("cli.confusion", group=name) + "\n" + table(("", *classes), counts)


def search_table(found: Mapping[str, Any]) -> str:
    """What a search tried (``ml.search``): why this one serves, what choosing is worth, and a line
    for each candidate and modality with intervals and how far the chosen one is ahead of it."""
    head = [
        search_verdict(found),
        tr("cli.searched_on", cases=found["cases"], groups=found["groups"], folds=found["folds"]),
        search_worth(found),
    ]
    rows = [
        (
            candidate_words(row["fusion"], row.get("plan")),
            _number(row["auroc"]),
            _interval((row.get("intervals") or {}).get("auroc")),
            _difference(row.get("difference")),
            _number(row["log_loss"]),
            _interval((row.get("intervals") or {}).get("log_loss")),
            _difference(row.get("difference"), "log_loss"),
            None if row["ahead"] is None else f"{row['ahead']:+.3f}",
            _number(row["ece"]),
        )
        for row in found["rows"]
    ]
    ahead = tr("cli.chosen_less")
    header = (
        "", "auroc", "95 %", ahead, "log_loss", "95 %", ahead, tr("cli.ahead_of_better"), "ece"
    )
    return "\n".join([*(line for line in head if line), table(header, rows)])


def search_verdict(found: Mapping[str, Any]) -> str:
    """Which candidate serves after a search, and why."""
    kept = found["chosen"] == found["default"] and found.get("plan") == found.get("default_plan")
    return tr(
        found.get("reason", "search.kept" if kept else "search.found"),
        chosen=candidate_words(found["chosen"], found.get("plan")),
        default=candidate_words(found["default"], found.get("default_plan")),
        tried=found.get("tried", len(found["rows"])),
    )


def search_worth(found: Mapping[str, Any]) -> str:
    """What choosing like this is worth on patients that it has not looked at; empty where an older
    search did not measure it."""
    worth = found.get("searched") or {}
    gap = (worth.get("difference") or {}).get("log_loss")
    if gap is None:
        return ""
    numbers = {name: _number(worth[name]) for name in ("auroc", "log_loss")}
    before = {"fusion": found["default"], "plan": found["default_plan"]}
    if all(picked == before for picked in found["picked"]):
        return tr("search.worth_same", **numbers)
    value, high, low = (f"{0.0 - edge:+.4f}" for edge in gap)
    return tr("search.worth", **numbers, gap=value, low=low, high=high)


def fusion_words(name: str) -> str:
    """What a fusion (or a modality) is called; its name where there are no words for it."""
    for code in (f"fusion.{name}", f"ui.modality.{name}"):
        words = tr(code)
        if words != code:
            return words
    return name


def candidate_words(fusion: str, plan: Mapping[str, Any] | None) -> str:
    """A fusion's short name and what is unusual about its heads."""
    parts = [fusion]
    freedom = float((plan or {}).get("freedom", 1.0))
    if freedom != 1.0:
        parts.append(tr("plan.freer" if freedom > 1 else "plan.tighter"))
    for part in (plan or {}).get("without", ()):
        name = tr(f"part.{part}")
        parts.append(tr("plan.without", part=part if name == f"part.{part}" else name))
    return ", ".join(parts)


def versions_table(versions: Sequence[Version]) -> str:
    """The ``versions`` verb's table."""
    if not versions:
        return tr("cli.no_versions")
    known = {name for v in versions for name in v.metrics.get("auroc") or {}}
    modalities = (IMAGE, TEXT, *({CLINICAL} & known))
    rows = [
        (
            f"v{v.id}",
            tr(f"role.{v.role}"),
            None if v.parent is None else f"v{v.parent}",
            v.corrections,
            *(_number((v.metrics.get("auroc") or {}).get(o)) for o in ("fused", *modalities)),
            v.created_at,
        )
        for v in versions
    ]
    header = ("", tr("cli.role"), tr("cli.parent"), tr("cli.corrections"), "AUROC", *modalities,
              tr("cli.made"))
    return table(header, rows)


def _interval(bounds: Sequence[float] | None) -> str | None:
    return None if bounds is None else f"{bounds[0]:.3f} – {bounds[1]:.3f}"


def _difference(
    found: Mapping[str, Sequence[float]] | None, measure: str = "auroc"
) -> str | None:
    if not found or measure not in found:
        return None
    value, low, high = found[measure]
    return f"{value:+.3f} ({low:+.3f} – {high:+.3f})"


def _number(value: float | None) -> str | None:
    return None if value is None or value != value else f"{value:.3f}"


def unlabelled_line(told: Mapping[str, Any]) -> str:
    """Whether cases without a label taught anything, in a sentence."""
    if told["difference"] is None:
        return tr("unlabelled.too_few", count=told["cases"])
    mean, low, high = (f"{value:+.4f}" for value in told["difference"])
    code = "unlabelled.used" if told["used"] else "unlabelled.unused"
    return tr(code, count=told["cases"], difference=mean, low=low, high=high)
