"""Small settings that belong to the project, as JSON values. They are no events."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.sqlite import insert

from mmreview.domain.reads import canonical_json
from mmreview.store.database import Database
from mmreview.store.tables import Query, preferences

_GET = Query(select(preferences.c.value).where(preferences.c.name == bindparam("wanted")))
_insert = insert(preferences)
_SET = Query(
    _insert.on_conflict_do_update(
        index_elements=["name"], set_={"value": _insert.excluded.value}
    )
)


class SqlPreferenceStore:
    """``ports.PreferenceStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str, default: Any = None) -> Any:
        """The value, or ``default``."""
        with self._database.read() as connection:
            text = _GET.value(connection, wanted=name)
        return default if text is None else json.loads(text)

    def set(self, name: str, value: Any) -> None:
        """Store a JSON value durably. Raises WriteFailed, ProjectReadOnly."""
        text = canonical_json(value)
        with self._database.write() as connection:
            _SET.run(connection, name=name, value=text)
