"""The ``queue`` verb: which cases are offered next; shares, leases, and a reader's agreement."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mmreview.console import Console, table
from mmreview.domain.errors import MmreviewError
from mmreview.domain.repeats import Consistency
from mmreview.domain.streams import BLIND, parse_quotas
from mmreview.services.queueing import PRIORITY
from mmreview.translation import tr

if TYPE_CHECKING:
    from mmreview.services.desk import Desk

#: Policies that look at no feature.
_BLIND = (PRIORITY, "random")


@dataclass(frozen=True, slots=True)
class QueueWish:
    """What a person asked of the queue. ``policy`` empty is the project's; ``keep`` makes it that.
    ``quota`` changes the project's shares; ``lease`` takes so many cases for ``reader``."""

    reader: str
    policy: str = ""
    top: int = 20
    quota: str = ""
    keep: bool = False
    lease: int = 0


def offer(console: Console, desk: Desk, wish: QueueWish) -> None:
    """Make the queue, take what is to be leased, print the rows (QuotaInvalid, PolicyNotFound,
    PolicyNeedsVersion, ProjectReadOnly)."""
    queueing = desk.queueing
    queueing.read_by(wish.reader)
    if wish.lease and not queueing.can_lease:
        raise MmreviewError("error.lease_read_only", holder=desk.info.holder)
    rules = queueing.rules
    if wish.quota:
        rules = replace(rules, quotas=parse_quotas(wish.quota, before=rules.quotas))
    if wish.policy and wish.keep:
        rules = replace(rules, policy=wish.policy)
    queueing.change_rules(rules, actor=wish.reader)
    policy = wish.policy or rules.policy
    if desk.learning.champion() is not None or policy not in _BLIND:
        console.run(desk.predicting.encode_all())
        console.run(desk.predicting.score_all())
    made = console.run(queueing.refresh(policy=wish.policy or None))
    for note in made.notes:
        console.problem(note)
    entries = queueing.queue(policy=policy, top=wish.lease or wish.top)
    until = ""
    if wish.lease:
        leased = set(queueing.lease([e.key for e in entries], reader=wish.reader))
        entries = [entry for entry in entries if entry.key in leased]
        ends = {lease.until for lease in queueing.leases() if lease.key in leased}
        until = _moment(min(ends)) if ends else ""
    payload = [
        {
            "case": entry.case,
            "priority": entry.priority,
            "reason": entry.reason,
            "why": tr(entry.reason, **entry.reason_params),
            "stream": entry.stream,
            **({"leased_until": until} if until else {}),
        }
        for entry in entries
    ]
    console.result(payload, lambda: _text(payload, wish=wish, until=until))


def give_back(console: Console, desk: Desk, *, reader: str) -> None:
    """End all leases of a reader (ProjectReadOnly)."""
    if not desk.queueing.can_lease:
        raise MmreviewError("error.lease_read_only", holder=desk.info.holder)
    count = desk.queueing.give_back(reader=reader)
    console.result({"given_back": count}, tr("cli.given_back", count=count, reader=reader))


def _text(payload: list[dict[str, Any]], *, wish: QueueWish, until: str) -> str:
    heads = (tr("cli.case"), tr("cli.priority"), tr("cli.stream"), tr("cli.why"))
    rows = [
        (row["case"], f"{row['priority']:.3f}", _stream_words(row["stream"]), row["why"])
        for row in payload
    ]
    text = table(heads, rows)
    if wish.lease:
        said = tr("cli.leased", count=len(rows), reader=wish.reader, until=until or "–")
        text += f"\n\n{said}"
    return text


def _stream_words(stream: str) -> str | None:
    """What a stream is called; nothing where a person should not know."""
    return None if stream in BLIND else tr(f"stream.{stream}")


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def show_agreement(console: Console, desk: Desk) -> None:
    """Print how far each reader agrees with themselves over planted repeats."""
    found = desk.reviewing.repeats.consistency()
    payload = [
        {
            "reader": each.reader,
            "finding": each.finding or None,
            "cases": each.cases,
            "pairs": each.pairs,
            "agreed": each.agreed,
            "kappa": each.kappa,
            "low": each.low,
            "high": each.high,
        }
        for each in found
    ]
    console.result(payload, lambda: _agreement_table(found))


def _agreement_table(found: list[Consistency]) -> str:
    if not found:
        return tr("cli.no_repeats")
    heads = (tr("cli.reader"), tr("cli.finding"), tr("cli.cases"), tr("cli.pairs"),
             tr("cli.agreed"), "κ", "95 %")
    rows = [
        (
            each.reader,
            each.finding or tr("cli.all_findings"),
            each.cases,
            each.pairs,
            f"{each.agreed / each.pairs:.0%}" if each.pairs else None,
            None if each.kappa is None else f"{each.kappa:.2f}",
            None if each.low is None else f"{each.low:.2f} – {each.high:.2f}",
        )
        for each in found
    ]
    return tr("cli.agreement") + "\n" + table(heads, rows)


