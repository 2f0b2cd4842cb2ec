"""The window without a person, for ``mmreview --smoke``: open a project, correct by key, open every
dialog once, take a picture.

It uses the window as a person does, by its actions, and waits for what they start. What a slot
raises comes back through ``logs`` as a crash report; whoever rehearses looks there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QEvent, Qt
from PySide6.QtWidgets import QApplication, QDialog

from mmreview.domain.errors import MmreviewError
from mmreview.domain.findings import State
from mmreview.ui.actions import DIALOGS

if TYPE_CHECKING:
    from mmreview.ui.main_window import MainWindow

#: How long anything may take before it counts as failed; a slow disk is not.
_PATIENCE = 120.0

#: Near-duplicates are shown where there are any; that there are none is said on the page.
_MAY_STAY_CLOSED = "near_duplicates"


class Rehearsal:
    """One window, used to the end. Every method waits until its effect is there.

    Raises:
        MmreviewError: ``error.rehearsal_stuck`` names what did not come, ``error.rehearsal_dialog``
            the act that opened no dialog; a project that cannot be opened says why.
    """

    def __init__(self, application: QApplication, window: MainWindow) -> None:
        QCoreApplication.setAttribute(Qt.ApplicationAttribute.AA_DontUseNativeDialogs)
        self._application = application
        self._window = window

    @property
    def platform(self) -> str:
        """How Qt draws: ``xcb``, ``windows``, ``offscreen`` …"""
        return self._application.platformName()

    def show(self) -> None:
        """Show the window and wait until it is drawn."""
        self._window.resize(1280, 800)
        self._window.show()
        self.settle("window")

    def pump(self) -> None:
        """Let the window live while somebody else works on this thread."""
        self._application.processEvents()

    def settle(self, what: str) -> None:
        """Wait until nothing opens, loads or runs."""
        self._wait(lambda: self._window.is_settled, what)
        for _ in range(5):  # what was loaded is drawn
            self.pump()

    def open_project(self, folder: Path) -> None:
        """Open a project, with its first case on the screen."""
        self._window.open_project(folder)
        self.settle("project")
        if self._window.opening_problem is not None:
            problem = self._window.opening_problem
            raise MmreviewError(problem.code, **problem.params)
        self._wait(lambda: bool(self._window.page.case_id), "case")
        self.settle("case")

    def correct(self, state: State) -> tuple[str, str]:
        """Set the selected finding of the open case by its action; returns the case's id and the
        finding once it is durable."""
        session, panel = self._window.session, self._window.page.findings
        assert session is not None
        case, finding = self._window.page.case_id, panel.current_finding()
        self._window.acts.actions[f"state_{state}"].trigger()
        self._wait(lambda: session.saving.is_settled, "correction")
        self.settle("correction")
        return case, finding

    def open_dialogs(self) -> list[str]:
        """Open each dialog of the menus, draw it, close it; returns their names."""
        return [name for act in DIALOGS if (name := self._open_dialog(act))]

    def _open_dialog(self, act: str) -> str:
        before = set(self._dialogs())
        self._window.acts.actions[act].trigger()
        if act == _MAY_STAY_CLOSED:
            self.settle(act)
        opened = [dialog for dialog in self._dialogs() if dialog not in before]
        if not opened:
            if act == _MAY_STAY_CLOSED:
                return ""
            raise MmreviewError("error.rehearsal_dialog", act=act)
        for dialog in opened:
            self.pump()
            dialog.grab()
            name = dialog.objectName() or type(dialog).__name__
            dialog.reject()
        self.settle(act)
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
        return name

    def _dialogs(self) -> list[QDialog]:
        return [dialog for dialog in self._window.findChildren(QDialog) if dialog.isVisible()]

    def take_picture(self, out: Path) -> int:
        """Write the window as a PNG; returns how many colours it has (one: nothing was drawn).

        Raises:
            OSError: the file cannot be written.
        """
        image = self._window.grab().toImage()
        if not image.save(str(out), "PNG"):
            raise OSError(f"cannot write {out.name}")
        wide, high = range(0, image.width(), 8), range(0, image.height(), 8)
        return len({image.pixel(x, y) for x in wide for y in high})

    def close_project(self) -> None:
        """Go back to the welcome page; the project's files are let go of."""
        self._window.close_project()
        self._wait(lambda: self._window.session is None, "closing")

    def close(self) -> None:
        """Close the window in its stages."""
        self._window.close()
        self._wait(lambda: self._window.is_closed, "closing")

    def _wait(self, there: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        self.pump()
        while not there():
            if time.monotonic() > deadline:
                raise MmreviewError("error.rehearsal_stuck", what=what)
            time.sleep(0.002)
            self.pump()
