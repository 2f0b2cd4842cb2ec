"""What the menus do on the review page: the slots of ``actions`` that need an open project."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from mmreview.domain.findings import Basis, State

if TYPE_CHECKING:
    from mmreview.ui.review_page import ReviewPage


def page_slots(page: Callable[[], ReviewPage]) -> dict[str, Callable[[], object]]:
    """A slot for each act on the page. ``page`` is asked when an act is started: the page is made
    with the first project, and these acts need one."""
    acts: dict[str, Callable[[ReviewPage], object]] = {
        "commit_and_next": lambda p: p.open_next(commit=True),
        "next_case": lambda p: p.open_next(commit=False),
        "previous_case": lambda p: p.open_previous(),
        "undo": lambda p: p.undo(),
        "search": lambda p: p.worklist.focus_search(),
        "next_hit": lambda p: p.reading.report.show_next_hit(),
        "finding_up": lambda p: p.findings.move(-1),
        "finding_down": lambda p: p.findings.move(1),
        "zoom_in": lambda p: p.reading.image.zoom_in(),
        "zoom_out": lambda p: p.reading.image.zoom_out(),
        "fit": lambda p: p.reading.image.fit(),
        "actual_size": lambda p: p.reading.image.actual_size(),
        "invert": lambda p: p.reading.image.invert(),
        "reset_image": lambda p: p.reading.image.reset(),
        "next_image": lambda p: p.reading.image.show_next_image(),
        "previous_image": lambda p: p.reading.image.show_previous_image(),
        "overlay": lambda p: p.reading.image.toggle_overlay(),
        "maximise_image": lambda p: p.reading.toggle_maximised("image"),
        "maximise_report": lambda p: p.reading.toggle_maximised("report"),
        "text_larger": lambda p: p.reading.report.text_larger(),
        "text_smaller": lambda p: p.reading.report.text_smaller(),
        "back": _go_back,
    }
    acts |= {f"state_{state}": lambda p, s=state: p.findings.choose(s) for state in State}
    acts |= {f"basis_{basis}": lambda p, b=basis: p.findings.choose_basis(b) for basis in Basis}
    return {name: lambda act=act: act(page()) for name, act in acts.items()}


def _go_back(page: ReviewPage) -> None:
    """Leave the what-if, else give a maximised panel's neighbour back."""
    if page.weight.is_what_if:
        page.weight.leave_what_if()
    elif page.reading.maximised:
        page.reading.restore()
