"""How numbers and times are written for a person, the same in every part of the window."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mmreview.domain.cases import IMAGE, TEXT
from mmreview.translation import catalogue, language, tr


def percent(probability: float) -> str:
    """A probability as a whole percentage: ``57 %``."""
    return f"{round(100 * probability)} %"


def percents(interval: tuple[float, float]) -> str:
    """An interval of probabilities as whole percentages: ``32–71 %``."""
    low, high = interval
    return f"{round(100 * low)}–{round(100 * high)} %"


def between(interval: tuple[float, float]) -> str:
    """An interval in words: ``between 32 and 71 %``."""
    low, high = interval
    return tr("ui.findings.between", low=round(100 * low), high=round(100 * high))


def fraction(value: float, digits: int = 2) -> str:
    """A number between 0 and 1 without its leading zero: ``.58``."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("0") if text.startswith("0.") else text


def signed(logit: float) -> str:
    """A logit with its sign, a real minus: ``−0.44``; what is next to nothing has none."""
    return f"{logit:+.2f}".replace("-", "−") if round(logit, 2) else "0.00"


def clock(at: str) -> str:
    """The local time of day of a UTC moment in ISO 8601, empty for an empty one."""
    return _local(at).strftime("%H:%M:%S") if at else ""


def moment(at: str) -> str:
    """The local time of day of a UTC moment, with its date unless that is today."""
    if not at:
        return ""
    local = _local(at)
    today = local.date() == datetime.now().astimezone().date()
    return local.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")


def _local(at: str) -> datetime:
    return datetime.fromisoformat(at).astimezone()


def opinions(names: Iterable[str]) -> list[str]:
    """Opinions as everywhere on the screen: fused, image, report, then what else a project has."""
    first = ("fused", IMAGE, TEXT)
    given = list(names)
    return [n for n in first if n in given] + [n for n in given if n not in first]


def modality(name: str) -> str:
    """What a modality is called on the screen; a registered one without a sentence of its own is
    called by its name."""
    code = f"ui.modality.{name}"
    known = code in catalogue(language()) or code in catalogue("en")
    return tr(code) if known else name.replace("_", " ").capitalize()
