"""What a row of the worklist says, in words: title, reason, and the value at its right.

An audit case is read without any opinion, so its reason, conflict and priority are not shown
whatever the row holds.
"""

from __future__ import annotations

from datetime import datetime

from PySide6.QtCore import QDate, QLocale

from mmreview.domain.cases import Partition, ReadStatus, WorklistRow, WorklistSort
from mmreview.domain.queues import CONFLICT_REASONS
from mmreview.translation import language, tr


def title(row: WorklistRow) -> str:
    """The first line: id and caption."""
    return f"{row.id} · {row.caption}" if row.caption else row.id


def second_line(row: WorklistRow) -> str:
    """The second line: how far the case was read, else why it is offered; what it lacks first."""
    parts = [part for part in (_leased(row), _missing(row), _standing(row)) if part]
    return " · ".join(parts)


def is_conflict(row: WorklistRow) -> bool:
    """True where image and report differ so much that the row is marked."""
    told = row.marked or row.reason in CONFLICT_REASONS
    return told and row.partition is not Partition.AUDIT


def value(row: WorklistRow, *, by: WorklistSort = WorklistSort.PRIORITY) -> str:
    """The number at the right: when it was read, else what the list is sorted by (the priority,
    or the conflict). The queue has no number of its own; there only a marked conflict is told."""
    if row.status is ReadStatus.READ:
        return moment(row.read_at)
    if row.partition is Partition.AUDIT:
        return ""
    if by is WorklistSort.QUEUE and not is_conflict(row):
        return ""
    by_priority = by in (WorklistSort.PRIORITY, WorklistSort.ID)
    return number(row.priority if by_priority else row.conflict)


def number(value: float | None) -> str:
    """Two decimals without the leading zero; a dash where nothing is known."""
    if value is None:
        return "—"
    text = f"{value:.2f}"
    return text[1:] if text.startswith("0.") else text


def moment(at: str) -> str:
    """A UTC time of the trail as this reader's clock says it: the time today, else the day."""
    if not at:
        return ""
    try:
        local = datetime.fromisoformat(at).astimezone()
    except ValueError:
        return ""
    now = datetime.now().astimezone()
    if local.date() == now.date():
        return local.strftime("%H:%M")
    day = QDate(local.year, local.month, local.day)
    pattern = tr("ui.date.day" if local.year == now.year else "ui.date.month")
    return QLocale(language()).toString(day, pattern)


def spoken(row: WorklistRow) -> str:
    """The whole row for a tooltip or a screen reader."""
    lines = [title(row), second_line(row), tr(f"ui.worklist.status.{row.status}")]
    if row.status is not ReadStatus.READ and row.partition is not Partition.AUDIT:
        if row.conflict is not None:
            lines.append(tr("ui.worklist.conflict_bits", value=number(row.conflict)))
        if row.priority is not None:
            lines.append(tr("ui.worklist.priority_value", value=number(row.priority)))
    return "\n".join(lines)


def _leased(row: WorklistRow) -> str:
    if not row.leased_by or row.status is ReadStatus.READ:
        return ""
    return tr("ui.worklist.leased", reader=row.leased_by)


def _missing(row: WorklistRow) -> str:
    if row.has_image and row.has_report:
        return ""
    if row.has_image:
        return tr("ui.worklist.no_report")
    return tr("ui.worklist.no_image" if row.has_report else "ui.worklist.nothing")


def _standing(row: WorklistRow) -> str:
    if row.status is not ReadStatus.READ and not row.corrections:
        if row.partition is Partition.AUDIT:
            return tr("queue.neutral")
        return tr(row.reason or "queue.not_scored", **row.reason_params)
    if not row.corrections:  # without an opinion there was nothing to agree with
        blind = row.partition is Partition.AUDIT
        return tr("ui.worklist.read_plain" if blind else "ui.worklist.read_agreed")
    stage = "read" if row.status is ReadStatus.READ else "started"
    return tr(f"ui.worklist.{stage}_corrected", count=row.corrections)
