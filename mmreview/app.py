"""The Qt application: the window first, then what it needs; pictures of it without a display.

``run`` shows the window before a project is opened and before torch is imported; ``screenshot``
draws the same window offscreen. Nothing but this module imports ``ui``.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmreview import paths
from mmreview.domain.errors import MmreviewError, ProjectLocked
from mmreview.translation import language as chosen_language
from mmreview.translation import set_language

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from mmreview.domain.progress import Progress
    from mmreview.domain.simulations import Simulation
    from mmreview.services.desk import ProjectInfo
    from mmreview.ui.main_window import MainWindow
    from mmreview.ui.rehearsal import Rehearsal

#: How long a picture waits for the case to be drawn before it is taken as it is.
_SETTLE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class DemoWish:
    """Make the synthetic project when it is not there yet."""

    cases: int
    seed: int


def has_display() -> bool:
    """False where a window cannot be shown to anybody."""
    if os.environ.get("QT_QPA_PLATFORM", "").split(":")[0] in ("offscreen", "minimal", "vnc"):
        return False
    if sys.platform.startswith("linux"):
        return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return True


def missing_for_display() -> str:
    """What Qt lacks to use the display that is there (the system's own words), empty if nothing.

    Qt would end the process; loading its X11 plugin first tells which library is not there.
    """
    if not sys.platform.startswith("linux") or os.environ.get("WAYLAND_DISPLAY"):
        return ""
    if os.environ.get("QT_QPA_PLATFORM", "xcb").split(":")[0] != "xcb":
        return ""
    import ctypes
    import importlib.util

    found = importlib.util.find_spec("PySide6")
    places = found.submodule_search_locations if found is not None else None
    for place in places or ():
        plugin = Path(place) / "Qt" / "plugins" / "platforms" / "libqxcb.so"
        if plugin.exists():
            try:
                ctypes.CDLL(str(plugin))
            except OSError as error:
                return str(error)
            return _unreachable_display(ctypes.CDLL("libxcb.so.1"))
    return ""


def _unreachable_display(xcb: Any) -> str:
    """Empty if the X server answers, else which does not."""
    import ctypes

    xcb.xcb_connect.restype = ctypes.c_void_p
    xcb.xcb_connection_has_error.argtypes = xcb.xcb_disconnect.argtypes = [ctypes.c_void_p]
    connection = xcb.xcb_connect(None, None)
    failed = xcb.xcb_connection_has_error(connection)
    xcb.xcb_disconnect(connection)
    return f"DISPLAY={os.environ.get('DISPLAY', '')} does not answer" if failed else ""


def run(
    project: Path | None, *, theme: str = "", language: str = "", demo: DemoWish | None = None
) -> int:
    """Show the window and stay until it is closed; returns the exit code. ``theme`` and
    ``language`` go before what the settings say.

    Raises:
        MmreviewError: Qt's libraries cannot be loaded (the sentence says how to get them).
    """
    if not has_display() and not os.environ.get("QT_QPA_PLATFORM"):
        raise MmreviewError("error.no_display")
    missing = missing_for_display()
    if missing:
        from mmreview.diagnosis import explain_missing_qt

        raise MmreviewError("error.no_display_libraries", detail=explain_missing_qt(missing))
    application = _application()
    from mmreview import crashes, logs
    from mmreview.settings import load

    logs.start()
    left = crashes.take_native()
    crashes.watch()
    settings = load()
    set_language(language or settings.language)
    window = _window(settings, theme=theme)
    window.closed.connect(application.quit)
    window.show()
    _tell_crashes(window, left)
    if project is not None:
        from PySide6.QtCore import QTimer

        QTimer.singleShot(0, window, lambda: _open(window, project, demo))  # once it is drawn
    return application.exec()


def _tell_crashes(window: MainWindow, left: Path | None) -> None:
    """Show the report of a crash when there is one; ``left`` is of the last time."""
    from mmreview import logs
    from mmreview.ui.help_acts import CrashNotice

    notice = CrashNotice(window)
    logs.when_crashed(notice.tell)
    if left is not None:
        notice.show_left(left)


def _open(window: MainWindow, project: Path, demo: DemoWish | None) -> None:
    if demo is not None:
        window.open_demo(project, cases=demo.cases, seed=demo.seed)
    else:
        window.open_project(project)


def screenshot(project: Path | None, out: Path, *, size: str, theme: str) -> None:
    """Draw the window offscreen into the PNG ``out`` and leave.

    Raises:
        MmreviewError: the size is none, the project cannot be opened or Qt cannot be loaded.
    """
    try:
        width, height = (int(part) for part in size.lower().split("x"))
    except ValueError:
        raise MmreviewError("error.size_invalid", size=size) from None
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    application = _application()
    from PySide6.QtCore import Qt

    from mmreview.settings import Settings

    window = _window(Settings(), theme=theme, remember=False)
    window.setAttribute(Qt.WidgetAttribute.WA_DontShowOnScreen)
    window.resize(width, height)
    window.show()
    if project is not None:
        window.open_project(project)
    _settle(application, window)
    problem = window.opening_problem
    if project is not None and problem is not None and problem.code == ProjectLocked.code:
        window.open_project(project, read_only=True)  # a picture needs no pen
        _settle(application, window)
        problem = window.opening_problem
    if problem is None:
        out.parent.mkdir(parents=True, exist_ok=True)
        window.grab().save(str(out), "PNG")
    window.close()
    _settle_closing(application, window)
    if problem is not None:
        raise MmreviewError(problem.code, **problem.params)


def rehearsal(*, reader: str, folder: Path) -> Rehearsal:
    """The window for ``--smoke``, not shown yet: on the display that there is, else offscreen.
    What Qt remembers goes into ``folder``.

    Raises:
        MmreviewError: Qt cannot be loaded.
    """
    if not has_display() or missing_for_display():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    application = _application()
    from mmreview.settings import Settings
    from mmreview.ui.rehearsal import Rehearsal

    _keep_qt_settings(folder)
    settings = Settings(reader=reader, automatic=False)
    return Rehearsal(application, _window(settings, theme="", remember=False))


def _settle(application: QApplication, window: MainWindow) -> None:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while not window.is_settled and time.monotonic() < deadline:
        application.processEvents()
        time.sleep(0.005)
    for _ in range(5):
        application.processEvents()


def _settle_closing(application: QApplication, window: MainWindow) -> None:
    deadline = time.monotonic() + _SETTLE_SECONDS
    while not window.is_closed and time.monotonic() < deadline:
        application.processEvents()
        time.sleep(0.005)


def _application() -> QApplication:
    try:
        from PySide6.QtWidgets import QApplication
    except ImportError as error:
        from mmreview.diagnosis import explain_missing_qt

        raise MmreviewError(
            "error.no_display_libraries", detail=explain_missing_qt(str(error))
        ) from error
    existing = QApplication.instance()
    if isinstance(existing, QApplication):
        return existing
    application = QApplication(sys.argv[:1])
    application.setApplicationName("mmreview")
    application.setDesktopFileName("mmreview")
    _keep_qt_settings(paths.settings_file().parent)
    return application


def _keep_qt_settings(folder: Path) -> None:
    """Qt's file dialog remembers the folders it showed; they belong beside our settings. (Windows
    has its registry, macOS a dialog of its own.)"""
    from PySide6.QtCore import QSettings

    native, user = QSettings.Format.NativeFormat, QSettings.Scope.UserScope
    QSettings.setPath(native, user, str(folder))


def _window(settings: Any, *, theme: str, remember: bool = True) -> MainWindow:
    from PySide6.QtWidgets import QApplication

    from mmreview.tasks.runner import Runner
    from mmreview.ui import theme as look
    from mmreview.ui.main_window import MainWindow

    application = QApplication.instance()
    assert isinstance(application, QApplication)
    _translate_qt(application)
    look.apply(application, theme or settings.theme)
    return MainWindow(
        runner=Runner(),
        settings=settings,
        opener=_Opener(),
        remember=remember,
        diagnose=_diagnose,
    )


def _diagnose() -> Generator[Progress, None, str]:
    """What ``doctor`` says, for the window's system report."""
    from mmreview.diagnosis import diagnose, diagnosis_text

    return diagnosis_text((yield from diagnose()))


def _translate_qt(application: QApplication) -> None:
    """Qt's own words (Cancel, OK, what a file dialog says) in the window's language; English is
    what Qt says by itself."""
    from PySide6.QtCore import QLibraryInfo, QTranslator

    translator = QTranslator(application)
    folder = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
    if translator.load(f"qtbase_{chosen_language()}", folder):
        application.installTranslator(translator)


class _Opener:
    """``compose.ProjectOpener``, imported when the first project is asked for: the window must
    not wait for the services."""

    def __getattr__(self, name: str) -> Any:
        from mmreview.compose import ProjectOpener

        return getattr(ProjectOpener(beside_window=True), name)


def qt_facts() -> dict[str, Any]:
    """Qt's version and the platform a window would use, for ``doctor``."""
    import PySide6
    from PySide6.QtCore import qVersion

    return {
        "version": qVersion(),
        "pyside": PySide6.__version__,
        "platform": os.environ.get("QT_QPA_PLATFORM", "") or "default",
        "display": has_display(),
        "missing": missing_for_display() if has_display() else "",
    }


def draw_saving(found: Simulation, project: ProjectInfo, out: Path, *, theme: str) -> None:
    """Draw the label-saving curves of a simulation offscreen into the PNG ``out``, at twice the
    size of a window's pixels.

    Raises:
        MmreviewError: Qt cannot be loaded.
    """
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    application = _application()

    from mmreview.ui import theme as look
    from mmreview.ui.model.saving_plot import SavingPlot

    look.apply(application, theme)
    plot = SavingPlot()
    plot.show_simulation(found, project=project.name, synthetic=project.synthetic)
    out.parent.mkdir(parents=True, exist_ok=True)
    plot.picture().save(str(out), "PNG")
