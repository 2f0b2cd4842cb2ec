"""The window: a shell around the welcome page and the review page.

It is on the screen before a project is opened and before the model's libraries are imported. It
opens and closes projects, keeps what this user's settings remember, and closes in stages: pending
saves first, then the lanes, then the project's files.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QMainWindow, QWidget

from mmreview.domain.errors import Message, ProjectLocked, ProjectNotFound, message_of
from mmreview.domain.progress import Progress
from mmreview.settings import Settings
from mmreview.tasks.runner import RunnerBase
from mmreview.tasks.task import Lane
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.acts import WindowActs
from mmreview.ui.body import Body, DropArea
from mmreview.ui.header import Header
from mmreview.ui.memory import Memory
from mmreview.ui.model_acts import open_versions
from mmreview.ui.status_bar import StatusBar
from mmreview.ui.welcome_page import WelcomePage

if TYPE_CHECKING:
    from mmreview.services.desk import Desk, Opener
    from mmreview.ui.review_page import ReviewPage
    from mmreview.ui.session import Session


class MainWindow(QMainWindow):
    """The shell. ``remember`` False neither reads nor writes what this user's window looked like,
    and leaves background work out (pictures, tests). ``diagnose`` makes the system report."""

    closed = Signal()  # everything is durable and let go of: the program may end

    def __init__(
        self,
        *,
        runner: RunnerBase,
        settings: Settings,
        opener: Opener,
        remember: bool = True,
        diagnose: Callable[[], Generator[Progress, None, str]] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("mainWindow")
        self.runner = runner
        self.opener = opener
        self.diagnose = diagnose
        self.memory = Memory(settings, lasting=remember, parent=self)
        self.session: Session | None = None
        self.opening_problem: Message | None = None
        self._opening = self._closing = False
        self.is_closed = False
        self.welcome = WelcomePage(self)
        self._page: ReviewPage | None = None
        self.status = StatusBar(self)
        self.stack = DropArea(self)
        self.acts = WindowActs(self)
        self.header = Header(self)
        self._lay_out()
        self._connect()
        self._take_settings()

    def _lay_out(self) -> None:
        self.stack.addWidget(self.welcome)
        self._body = Body(self.stack, self.status, self)
        self.setCentralWidget(self._body)
        self.setMenuBar(self.header)
        self.header.fill(self.acts.actions)
        self.setWindowIcon(theme.window_icon())
        self.setMinimumSize(960, 600)
        self._show_project()

    def _connect(self) -> None:
        self.welcome.projectChosen.connect(lambda path: self.open_project(Path(path)))
        self.welcome.openWanted.connect(self.acts.open_project)
        self.welcome.newWanted.connect(self.acts.new_project)
        self.welcome.demoWanted.connect(self.acts.open_demo)
        self.welcome.recentRemoved.connect(self._on_recent_removed)
        self.runner.taskStarted.connect(self.status.show_task)
        self.runner.taskProgressed.connect(self.status.show_task)
        self.runner.taskEnded.connect(self.status.end_task)
        self.status.cancelWanted.connect(lambda task: task.cancel())
        self.memory.unsaved.connect(self.show_problem)
        self.stack.dropped.connect(self.acts.take_dropped)

    @property
    def settings(self) -> Settings:
        """What this user's settings are now."""
        return self.memory.settings

    def _take_settings(self) -> None:
        self.welcome.set_recent(self.settings.recent)
        self.acts.show_settings(self.settings)
        self.memory.restore_window(self)

    @property
    def page(self) -> ReviewPage:
        """The review page. It is made with the first project, so that the window comes first."""
        if self._page is None:
            from mmreview.ui.review_page import ReviewPage

            self._page = ReviewPage(self.runner, self)
            self.stack.addWidget(self._page)
            self._body.home = self._page.findings  # a reader's keys
            self._page.caseOpened.connect(self._on_case_opened)
            self._page.worklist.importWanted.connect(self.acts.import_cases)
            self._page.worklist.sharesWanted.connect(self.acts.share_queue)
            self._page.learning.versionsWanted.connect(lambda: open_versions(self))
            self._page.learning.insight.clicked.connect(self.acts.actions["insights"].trigger)
            self.memory.restore_page(self._page)
            self.memory.follow_page(self._page)
        return self._page

    def change_reader(self, reader: str) -> None:
        """Who signs from now on."""
        self.memory.change(reader=reader)
        if self._page is not None:
            self._page.set_reader(reader)
        if self.session is not None:
            self.session.offering.change_reader()
        self._show_project()

    # --- projects -----------------------------------------------------------------------------

    def open_project(self, path: Path, *, read_only: bool = False) -> None:
        """Open a project in the background; the window stays usable and says what is wrong."""
        self._open(lambda: self.opener.open(path, read_only=read_only), path)

    def create_project(
        self, path: Path, schema: str, *, then: Callable[[Session], None] | None = None
    ) -> None:
        """Make an empty project and open it."""
        self._open(lambda: self.opener.create(path, schema=schema), path, then=then)

    def open_demo(self, path: Path, *, cases: int, seed: int) -> None:
        """Open the synthetic project at ``path``; make and fill it if it is not whole yet."""
        self._open(
            lambda: self.opener.create_demo(path, seed=seed),
            path,
            then=lambda session: self.acts.fill_demo(session, cases=cases, seed=seed),
        )

    def _open(
        self, work: Callable[[], Desk], path: Path, *, then: Callable[[Session], None] | None = None
    ) -> None:
        if self._opening:  # one at a time: the page says which
            return
        self._opening, self.opening_problem = True, None

        def open_now() -> None:
            self.welcome.set_busy(tr("ui.window.opening", name=path.stem), 0, 0)
            self.runner.submit(
                Lane.INTERACTIVE,
                work,
                on_done=lambda desk: self._on_opened(desk, then),
                on_failed=lambda error: self._on_open_failed(error, path),
            )

        self.close_project(open_now)

    def _on_opened(self, desk: Desk, then: Callable[[Session], None] | None) -> None:
        from mmreview.ui.session import Session

        self._opening = False
        self.welcome.set_busy("", 0, 0)
        if self._closing:  # the window was closed meanwhile
            desk.close()
            return
        session = Session(
            runner=self.runner,
            desk=desk,
            opener=self.opener,
            page=self.page,
            status=self.status,
            reader=lambda: self.settings.reader,
            parent=self,
        )
        self.session = session
        session.training.set_automatic(self.settings.automatic, self.settings.automatic_after)
        session.training.set_idle(self.settings.idle, self.settings.idle_minutes)
        session.problemFound.connect(self.show_problem)
        folder = desk.info.folder
        self.memory.take(self.settings.with_project(folder))
        self.welcome.set_recent(self.settings.recent)
        self.stack.setCurrentWidget(self.page)
        self._show_project()
        session.start(
            last_case=self.settings.last_cases.get(str(folder), ""), background=self.memory.lasting
        )
        if then is not None:
            then(session)
        elif self.memory.lasting:
            session.prepare()

    def _on_open_failed(self, error: Exception, path: Path) -> None:
        self._opening = False
        self.welcome.set_busy("", 0, 0)
        self.opening_problem = message_of(error)
        if isinstance(error, ProjectNotFound):
            self._on_recent_removed(str(path))
        if isinstance(error, ProjectLocked):
            self.acts.offer_read_only(path, self.opening_problem)
        else:
            self.show_problem(self.opening_problem)

    def close_project(self, on_closed: Callable[[], None] = lambda: None) -> None:
        """Go back to the welcome page; what is not durable yet is asked about first."""
        if self.session is None:
            on_closed()
            return
        if not self.session.saving.is_settled:
            self.acts.settle_saving(lambda: self.close_project(on_closed))
            return
        if self._closing:  # the runner drops the work, and waits bounded
            on_closed()
            return
        for task in self.runner.tasks:
            if task.lane is not Lane.COMMIT:
                task.forget()
        if not self.runner.is_idle:  # some work has no step to stop at: nothing else may begin
            self.acts.actions.set_project(there=False, writable=False)
            self.welcome.set_busy(tr("ui.window.closing"), 0, 0)
            self.stack.setCurrentWidget(self.welcome)
        self._when_idle(lambda: self._end_session(on_closed))

    def _end_session(self, on_closed: Callable[[], None] = lambda: None) -> None:
        if self.session is not None:
            self.session.end()
            self.session = None
        if not self._closing:
            self.welcome.set_busy("", 0, 0)  # the synthetic project may have been in the making
            self.stack.setCurrentWidget(self.welcome)
            self._show_project()
        on_closed()

    def _when_idle(self, then: Callable[[], None]) -> None:
        if self.runner.is_idle:
            then()
        else:
            QTimer.singleShot(10, self, lambda: self._when_idle(then))

    def _show_project(self) -> None:
        info = self.session.desk.info if self.session is not None else None
        self.acts.actions.set_project(
            there=info is not None, writable=info is not None and not info.read_only
        )
        self.header.show_project(info, self.settings.reader)
        synthetic = tr("ui.status.synthetic") if info is not None and info.synthetic else ""
        parts = (info.name if info is not None else "", synthetic, tr("ui.window.title"))
        self.setWindowTitle(" · ".join(part for part in parts if part))
        if info is None:
            self.status.clear()

    def _on_recent_removed(self, path: str) -> None:
        self.memory.take(self.settings.without_project(path))
        self.welcome.set_recent(self.settings.recent)

    def _on_case_opened(self, case: str) -> None:
        if self.session is not None:
            opened = self.settings.with_case(self.session.desk.info.folder, case)
            self.memory.take(opened, write=False)

    def show_problem(self, problem: Message) -> None:
        """Say what went wrong, where the person is looking."""
        at = self.welcome if self.stack.currentWidget() is self.welcome else self.page
        at.banner.show_message(tr(problem.code, **problem.params), severity="warning")

    @property
    def is_settled(self) -> bool:
        """True while nothing is opening or loading: what is wanted is on the screen."""
        idle = not self._opening and self.runner.is_idle
        return idle and (self._page is None or self._page.is_settled)

    # --- closing ----------------------------------------------------------------------------------

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: D102 - Qt's name
        event.setAccepted(self.is_closed)
        if not self._closing:
            self._closing = True
            self.memory.remember(self, self._page)
            self.close_project(self._shut_down)

    def stay(self) -> None:
        """A person chose not to close after all, nor to open another project."""
        self._closing = self._opening = False

    def _shut_down(self) -> None:
        self.hide()
        self.runner.shutdown(self._on_shut_down)

    def _on_shut_down(self) -> None:
        self._end_session()
        self.is_closed = True
        self.close()
        self.closed.emit()
