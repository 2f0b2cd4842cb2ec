"""Finding schemas out of YAML: a built-in one by its name, or a person's own file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from mmreview import paths
from mmreview.domain.errors import SchemaInvalid
from mmreview.domain.findings import ExclusiveGroup, Exclusivity, Finding, FindingSchema

_MAX_BYTES = 1 << 20
_KEYS = ("name", "abbreviation", "group", "phrases", "excludes")


def built_in_schemas() -> tuple[str, ...]:
    """The names of the schemas that come with the program."""
    return tuple(sorted(path.stem for path in _folder().glob("*.yaml")))


def read_schema(name_or_path: str) -> FindingSchema:
    """The schema with this built-in name, or in this YAML file.

    Raises:
        SchemaInvalid: ``error.schema_not_found`` with the ``known`` names, or a code that says
            what is wrong in the file at ``path``.
    """
    path = Path(name_or_path).expanduser()
    if path.suffix.casefold() not in (".yaml", ".yml"):
        if name_or_path not in built_in_schemas():
            raise SchemaInvalid(
                "error.schema_not_found", schema=name_or_path, known=", ".join(built_in_schemas())
            )
        path = _folder() / f"{name_or_path}.yaml"
    return _Checker(str(path)).schema(_loaded(path))


def _folder() -> Path:
    return paths.resources() / "schemas"


def _loaded(path: Path) -> Any:
    import yaml  # not needed before a project is made

    try:
        if path.stat().st_size > _MAX_BYTES:
            raise SchemaInvalid("error.schema_too_large", path=str(path))
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SchemaInvalid(path=str(path), detail=error.strerror or str(error)) from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise SchemaInvalid("error.schema_not_yaml", path=str(path), detail=str(error)) from error


class _Checker:
    """Turns parsed YAML into a schema, or says what is wrong with it."""

    def __init__(self, path: str) -> None:
        self._path = path

    def schema(self, parsed: Any) -> FindingSchema:
        if not isinstance(parsed, dict):
            self._refuse("error.schema_not_mapping", where="schema")
        self._keys(parsed, ("name", "findings", *Exclusivity), where="schema")
        entries = parsed.get("findings")
        if not isinstance(entries, list) or not entries:
            self._refuse("error.schema_without_findings")
        findings = tuple(self._finding(entry, n) for n, entry in enumerate(entries, start=1))
        schema = FindingSchema(self._text(parsed, "name", where="schema"), findings)
        seen: set[str] = set()
        for name in schema.names:
            if name.casefold() in seen:
                self._refuse("error.schema_repeated", finding=name)
            seen.add(name.casefold())
        groups = tuple(self._groups(parsed, schema))
        known = tuple(self._with_known_excludes(f, schema) for f in schema.findings)
        return FindingSchema(schema.name, _together(known, groups), groups)

    def _finding(self, entry: Any, number: int) -> Finding:
        where = f"findings[{number}]"
        if not isinstance(entry, dict):
            self._refuse("error.schema_not_mapping", where=where)
        self._keys(entry, _KEYS, where=where)
        return Finding(
            name=self._text(entry, "name", where=where),
            abbreviation=self._text(entry, "abbreviation", where=where, needed=False),
            group=self._text(entry, "group", where=where, needed=False),
            phrases=self._texts(entry, "phrases", where=where),
            excludes=self._texts(entry, "excludes", where=where),
        )

    def _with_known_excludes(self, finding: Finding, schema: FindingSchema) -> Finding:
        for name in finding.excludes:
            if name not in schema or schema.canonical(name) == finding.name:
                self._refuse("error.schema_excludes", finding=finding.name, excluded=name)
        excludes = tuple(schema.canonical(name) for name in finding.excludes)
        return Finding(
            finding.name, finding.abbreviation, finding.group, finding.phrases, excludes
        )

    def _groups(self, parsed: dict[Any, Any], schema: FindingSchema) -> Iterator[ExclusiveGroup]:
        """The exclusive groups, in the schema's spelling; a finding is in one of them at most."""
        taken: dict[str, str] = {}
        names: set[str] = set()
        for kind in Exclusivity:
            entries = parsed.get(kind)
            if entries is not None and not isinstance(entries, list):
                self._refuse("error.schema_not_list", where=kind)
            for number, entry in enumerate(entries or (), start=1):
                where = f"{kind}[{number}]"
                if not isinstance(entry, dict):
                    self._refuse("error.schema_not_mapping", where=where)
                self._keys(entry, ("name", "findings"), where=where)
                name = self._text(entry, "name", where=where)
                if name.casefold() in names:
                    self._refuse("error.schema_group_repeated", where=where, group=name)
                names.add(name.casefold())
                members = []
                for finding in self._texts(entry, "findings", where=where):
                    if finding not in schema:
                        self._refuse("error.schema_group_unknown", where=where, finding=finding)
                    members.append(schema.canonical(finding))
                    if members[-1] in taken:
                        self._refuse(
                            "error.schema_group_twice",
                            where=where, finding=finding, group=taken[members[-1]],
                        )
                    taken[members[-1]] = name
                if len(members) < 2:
                    self._refuse("error.schema_group_small", where=where, group=name)
                yield ExclusiveGroup(name, kind, tuple(members))

    def _keys(self, entry: dict[Any, Any], known: tuple[str, ...], *, where: str) -> None:
        for key in entry:
            if key not in known:
                self._refuse(
                    "error.schema_key", where=where, key=str(key), known=", ".join(known)
                )

    def _text(
        self, entry: dict[Any, Any], key: str, *, where: str, needed: bool = True
    ) -> str:
        value = entry.get(key)
        if value is None and not needed:
            return ""
        if value is None:
            self._refuse("error.schema_key_missing", where=where, key=key)
        if not isinstance(value, str) or (needed and not value.strip()):
            # YAML reads No, Yes, On and 2 as other things than words.
            self._refuse("error.schema_not_text", where=f"{where}.{key}")
        return value.strip()

    def _texts(self, entry: dict[Any, Any], key: str, *, where: str) -> tuple[str, ...]:
        value = entry.get(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
            self._refuse("error.schema_not_texts", where=f"{where}.{key}")
        return tuple(v.strip() for v in value)

    def _refuse(self, code: str, **params: Any) -> NoReturn:
        raise SchemaInvalid(code, path=self._path, **params)


def _together(
    findings: tuple[Finding, ...], groups: tuple[ExclusiveGroup, ...]
) -> tuple[Finding, ...]:
    """The findings in the file's order, those of an exclusive group where its first one stands
    and in the group's order."""
    by_name = {finding.name: finding for finding in findings}
    group_of = {name: group for group in groups for name in group.findings}
    order: dict[str, None] = {}
    for finding in findings:
        group = group_of.get(finding.name)
        order |= dict.fromkeys(group.findings if group else (finding.name,))
    return tuple(by_name[name] for name in order)
