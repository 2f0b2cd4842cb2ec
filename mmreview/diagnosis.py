"""``mmreview doctor`` and the window's system report: what this machine has, what is missing and
how to get it, and whether the installation is complete and unchanged."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
from collections.abc import Generator
from dataclasses import asdict
from typing import Any

from mmreview import __version__, crashes, installation, paths
from mmreview.domain.errors import MmreviewError
from mmreview.domain.progress import Progress
from mmreview.installation import InstallationState, Origin
from mmreview.translation import tr

_PACKAGES = (
    "PySide6-Essentials", "SQLAlchemy", "alembic", "numpy", "Pillow", "torch", "torchvision",
    "timm", "transformers", "safetensors", "scikit-learn", "pyqtgraph", "qtawesome",
)
#: Below this much free space a project cannot be expected to grow.
_LOW_DISK = 2 * 1024**3

#: How many files a sentence names; JSON names all.
_NAMED_FILES = 5


def diagnose() -> Generator[Progress, None, dict[str, Any]]:
    """Everything ``doctor`` says, as one JSON-ready value; ``problems`` are sentences. It yields
    while the files of a frozen program are hashed."""
    problems: list[str] = []
    state = yield from installation.checking()
    found: dict[str, Any] = {
        "mmreview": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "installation": _installation(state, problems),
        "packages": {name: _package(name, problems) for name in _PACKAGES},
        "qt": _qt(problems),
        "model": _model(problems),
        "resources": str(paths.resources()),
        "settings": str(paths.settings_file()),
        "logs": str(paths.logs_folder()),
        "crash_report": str(crashes.newest() or "") or None,
        "projects": str(paths.default_projects_folder()),
    }
    free = shutil.disk_usage(_existing(paths.default_projects_folder())).free
    found["disk_free_gb"] = round(free / 1024**3, 1)
    if free < _LOW_DISK:
        problems.append(tr("doctor.low_disk", free=found["disk_free_gb"]))
    if not (paths.resources() / "schemas").is_dir():
        problems.append(tr("doctor.no_resources", path=found["resources"]))
    found["problems"] = problems
    return found


def _package(name: str, problems: list[str]) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        missing = "doctor.no_package_here" if installation.is_frozen() else "doctor.no_package"
        problems.append(tr(missing, package=name))
        return None


def _installation(state: InstallationState, problems: list[str]) -> dict[str, Any]:
    if state.origin is Origin.UNLISTED:
        problems.append(tr("doctor.installation.unlisted", folder=state.folder))
    for kind in ("missing", "changed", "unexpected"):
        names = getattr(state, kind)
        if names:
            shown = ", ".join(names[:_NAMED_FILES]) + (" …" if names[_NAMED_FILES:] else "")
            problems.append(tr(f"doctor.installation.{kind}", count=len(names), names=shown))
    return {**asdict(state), "origin": str(state.origin), "whole": state.is_whole}


def _installation_line(found: dict[str, Any]) -> str:
    """How the installation is, where there is something to say that is no problem."""
    if found["origin"] == Origin.FROZEN and not found["whole"]:
        return ""
    if found["origin"] == Origin.UNLISTED:
        return ""
    size = round(found["bytes"] / 1e9, 1)
    params = {**found, "count": f"{found['files']:,}", "gigabytes": size}
    return tr(f"doctor.installation.{found['origin']}", **params)


def _qt(problems: list[str]) -> dict[str, Any]:
    from mmreview import app

    try:
        facts = app.qt_facts()
    except ImportError as error:
        problems.append(explain_missing_qt(str(error)))
        return {}
    if facts["missing"]:
        problems.append(explain_missing_qt(facts["missing"]))
    return facts


def _model(problems: list[str]) -> dict[str, Any]:
    from mmreview.compose import model_facts

    try:
        return model_facts()
    except (MmreviewError, ImportError) as error:
        params = error.params if isinstance(error, MmreviewError) else {"detail": str(error)}
        code = error.code if isinstance(error, MmreviewError) else "doctor.no_model"
        problems.append(tr(code, **params))
        return {}


def _existing(path: Any) -> Any:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def diagnosis_text(found: dict[str, Any]) -> str:
    """What ``diagnose`` found, for a person."""
    lines = [f"mmreview {found['mmreview']} · Python {found['python']} · {found['system']}"]
    if line := _installation_line(found["installation"]):
        lines.append(f"  {line}")
    lines += [f"  {name} {version or '–'}" for name, version in found["packages"].items()]
    for part in ("qt", "model"):
        lines += [f"  {line}" for line in _flat(part, found[part])]
    lines += [f"  {key}: {found[key]}" for key in ("resources", "settings", "logs", "projects")]
    if found["crash_report"]:
        lines.append(f"  {tr('doctor.crash_report', path=found['crash_report'])}")
    lines.append(f"  {tr('doctor.disk', free=found['disk_free_gb'])}")
    lines += [f"! {problem}" for problem in found["problems"]]
    lines.append(tr("doctor.sound") if not found["problems"] else tr("doctor.unsound"))
    return "\n".join(lines)


def _flat(name: str, value: Any) -> list[str]:
    """``name: value`` lines of a nested value; what is empty is left out."""
    if isinstance(value, dict):
        return [line for key, part in value.items() for line in _flat(f"{name}.{key}", part)]
    return [] if value in ("", None) else [f"{name}: {value}"]


def explain_missing_qt(detail: str) -> str:
    """Why the window cannot be drawn, and the command that mends it."""
    hint = "doctor.no_qt" if sys.platform.startswith("linux") else "doctor.no_qt_here"
    return tr(hint, detail=detail)
