"""``mmreview doctor``: what this machine has, what is missing and how to get it."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
import sys
from typing import Any

from mmreview import __version__, paths
from mmreview.domain.errors import MmreviewError
from mmreview.translation import tr

_PACKAGES = (
    "PySide6-Essentials", "SQLAlchemy", "alembic", "numpy", "Pillow", "torch", "torchvision",
    "timm", "transformers", "safetensors", "scikit-learn", "pyqtgraph", "qtawesome",
)
#: Below this much free space a project cannot be expected to grow.
_LOW_DISK = 2 * 1024**3


def diagnose() -> dict[str, Any]:
    """Everything ``doctor`` says, as one JSON-ready value; ``problems`` are sentences."""
    problems: list[str] = []
    found: dict[str, Any] = {
        "mmreview": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "packages": {name: _package(name, problems) for name in _PACKAGES},
        "qt": _qt(problems),
        "model": _model(problems),
        "resources": str(paths.resources()),
        "settings": str(paths.settings_file()),
        "logs": str(paths.logs_folder()),
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
        problems.append(tr("doctor.no_package", package=name))
        return None


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
    lines += [f"  {name} {version or '–'}" for name, version in found["packages"].items()]
    for part in ("qt", "model"):
        lines += [f"  {line}" for line in _flat(part, found[part])]
    lines += [f"  {key}: {found[key]}" for key in ("resources", "settings", "logs", "projects")]
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
