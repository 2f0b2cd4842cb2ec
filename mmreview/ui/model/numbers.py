"""How the Model dialog writes its numbers: shares, intervals, differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmreview.ui.dialogs.versions import share


def between(bounds: Sequence[float] | None) -> str:
    """An interval; nothing for none."""
    return "" if bounds is None else f"{share(bounds[0])} – {share(bounds[1])}"


def difference(found: Sequence[float | None] | None, digits: int = 3) -> str:
    """A difference with its interval, if it has one; nothing for none."""
    if found is None:
        return ""
    if found[1] is None:
        return signed(found[0], digits)
    value, low, high = (signed(v, digits) for v in found)
    return f"{value} ({low} – {high})"


def signed(value: Any, digits: int = 3) -> str:
    """A number with its sign, without its leading zero; a dash for none."""
    if not isinstance(value, int | float) or value != value:
        return "—"
    if round(value, digits) == 0:
        return f"{0:.{digits}f}"[1:]
    return f"{value:+.{digits}f}".replace("0.", ".", 1).replace("-", "−")
