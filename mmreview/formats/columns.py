"""Which columns of a source hold what: the ``--columns`` option and the names it falls back on.

``parse_columns("id=filename,images=image+extra_frames")`` renames those two and leaves the other
fields under their own names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mmreview.domain.errors import MmreviewError

#: Every field of a row, and the columns it is read from unless a person says otherwise.
DEFAULT_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id",),
    "images": ("image", "images"),
    "report": ("report",),
    "labels": ("labels",),
    "labels_complete": ("labels_complete",),
    "patient_id": ("patient_id",),
    "split_group": ("split_group",),
    "accession": ("accession",),
    "study_date": ("study_date",),
    "view": ("view", "views"),
}

_ALIASES = {
    "image": "images",
    "patient": "patient_id",
    "group": "split_group",
    "date": "study_date",
    "views": "view",
}

#: The fields that several columns may be joined into with ``+``.
_JOINED = ("images", "report", "labels")


@dataclass(frozen=True, slots=True)
class Columns:
    """For each field the columns it is read from. ``named`` are the columns a person named."""

    fields: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: dict(DEFAULT_COLUMNS))
    named: tuple[str, ...] = ()

    @property
    def used(self) -> frozenset[str]:
        """Every column that some field is read from; the others are metadata."""
        return frozenset(name for names in self.fields.values() for name in names)


def parse_columns(text: str) -> Columns:
    """Read ``field=column`` parts parted by commas; ``+`` joins columns.

    Raises:
        MmreviewError: ``error.columns_invalid`` with the ``part`` that is wrong and the ``known``
            fields, ``error.columns_repeated`` or ``error.columns_not_joined``.
    """
    fields = dict(DEFAULT_COLUMNS)
    named: dict[str, tuple[str, ...]] = {}
    for part in text.split(","):
        name, equals, right = (word.strip() for word in part.partition("="))
        name = _ALIASES.get(name.casefold(), name.casefold())
        columns = tuple(word.strip() for word in right.split("+"))
        if not equals or name not in DEFAULT_COLUMNS or not all(columns):
            known = ", ".join(sorted({*DEFAULT_COLUMNS, *_ALIASES}))
            raise MmreviewError("error.columns_invalid", part=part.strip(), known=known)
        if name in named:
            raise MmreviewError("error.columns_repeated", part=part.strip(), field=name)
        if len(columns) > 1 and name not in _JOINED:
            raise MmreviewError(
                "error.columns_not_joined", part=part.strip(), known=", ".join(_JOINED)
            )
        named[name] = columns
    fields.update(named)
    return Columns(fields, tuple(column for columns in named.values() for column in columns))
