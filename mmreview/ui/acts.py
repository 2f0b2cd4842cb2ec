"""What the menus do: the slots behind ``actions``, and the dialogs they open.

Every dialog is shown without blocking the event loop; what a person decides comes back as a
signal.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt
from PySide6.QtWidgets import QApplication, QFileDialog, QInputDialog, QMessageBox, QWidget

from mmreview import paths
from mmreview.domain.errors import Message, message_of
from mmreview.settings import Settings
from mmreview.tasks.task import Lane
from mmreview.translation import languages, tr
from mmreview.ui import theme
from mmreview.ui.actions import Actions
from mmreview.ui.audit_acts import open_audit_set
from mmreview.ui.help_acts import open_system_report
from mmreview.ui.insight_acts import open_insights
from mmreview.ui.model_acts import open_model, open_versions
from mmreview.ui.page_acts import page_slots
from mmreview.ui.planning import open_planning

if TYPE_CHECKING:
    from mmreview.services.desk import ImportChoice
    from mmreview.ui.main_window import MainWindow
    from mmreview.ui.session import Session

#: What can be dropped on the window to be imported.
_MANIFESTS = (".jsonl", ".ndjson", ".csv", ".tsv")
_DEMO_CASES = 60


class WindowActs(QObject):
    """The slots of one window's actions."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window = window
        themes = {
            f"theme_{name}": lambda _=False, n=name: self._choose_theme(n)
            for name in ("dark", "light", "system")
        }
        tongues = {
            f"language_{name}": lambda _=False, n=name: self._choose_language(n)
            for name in languages()
        }
        self.actions = Actions(
            window,
            {
                **page_slots(lambda: window.page),
                **themes,
                **tongues,
                "new_project": self.new_project,
                "open_project": self.open_project,
                "open_demo": self.open_demo,
                "import_cases": self.import_cases,
                "export_labels": self.export_labels,
                "verify": self.verify,
                "close_project": lambda: window.close_project(),
                "quit": window.close,
                "reader": self.choose_reader,
                "queue_shares": self.share_queue,
                "advance": self._choose_advance,
                "full_screen": self._toggle_full_screen,
                "train": lambda: window.session and window.session.training.train(),
                "train_unlabelled": (
                    lambda: window.session and window.session.training.train_with_unlabelled()
                ),
                "cancel_training": lambda: window.session and window.session.training.cancel(),
                "versions": lambda: open_versions(window),
                "audit_set": lambda: open_audit_set(window),
                "model": lambda: open_model(window),
                "insights": lambda: open_insights(window),
                "search_model": lambda: open_model(window, page="tried"),
                "plan_labelling": lambda: open_planning(window),
                "near_duplicates": lambda: window.session and window.session.look_for_alike(),
                "keys": self.show_keys,
                "manual": self.open_manual,
                "system_report": lambda: open_system_report(window),
                "about": self.about,
            },
        )

    def show_settings(self, settings: Settings) -> None:
        """Tick what is chosen."""
        self.actions["advance"].setChecked(settings.advance)
        for name in ("dark", "light", "system"):
            self.actions[f"theme_{name}"].setChecked(settings.theme == name)
        for name in languages():
            self.actions[f"language_{name}"].setChecked(settings.language == name)

    # --- projects -----------------------------------------------------------------------------

    def new_project(self, source: str = "") -> None:
        """Ask for a folder and a finding schema; then import ``source``, if one is named."""
        from mmreview.ui.dialogs.new_project import NewProjectDialog

        dialog = NewProjectDialog(
            self._window,
            folder=str(paths.default_projects_folder()),
            schemas=self._window.opener.schemas(),
        )
        dialog.projectWanted.connect(
            lambda path, schema: self._window.create_project(
                Path(path), schema, then=lambda _: self.import_cases(source) if source else None
            )
        )
        _open(dialog)

    def open_project(self) -> None:
        """Ask which project."""
        folder = self._window.settings.last_project or str(paths.default_projects_folder())
        dialog = QFileDialog(self._window, tr("ui.acts.open_project"), folder)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.fileSelected.connect(lambda path: self._window.open_project(Path(path)))
        _open(dialog)

    def open_demo(self) -> None:
        """Make or open the synthetic project in its usual place."""
        self._window.open_demo(
            paths.default_projects_folder() / "demo.mmreview", cases=_DEMO_CASES, seed=0
        )

    def fill_demo(self, session: Session, *, cases: int, seed: int) -> None:
        """Make the synthetic project whole; the welcome page says how far, the page comes after."""
        window = self._window
        window.stack.setCurrentWidget(window.welcome)

        def _on_filled() -> None:
            window.welcome.set_busy("", 0, 0)
            window.stack.setCurrentWidget(window.page)

        session.filling.connect(
            lambda step: window.welcome.set_busy(tr(step.stage), step.done, step.total)
        )
        session.filled.connect(_on_filled)
        session.fill_demo(cases=cases, seed=seed)

    def take_dropped(self, path: Path) -> None:
        """A project is opened, a manifest imported."""
        project = path.parent if path.name == "project.sqlite" else path
        if (project / "project.sqlite").exists():
            self._window.open_project(project)
        elif not path.is_dir() and path.suffix.lower() not in _MANIFESTS:
            self._window.show_problem(Message("ui.acts.drop_unknown", {"name": path.name}))
        elif self._window.session is None:
            self.new_project(str(path))
        else:
            self.import_cases(str(path))

    def offer_read_only(self, path: Path, problem: Message) -> None:
        """Somebody else writes this project: say who, offer to look."""
        box = QMessageBox(
            QMessageBox.Icon.Information,
            tr("ui.acts.locked"),
            tr(problem.code, **problem.params),
            parent=self._window,
        )
        look = box.addButton(tr("ui.acts.open_read_only"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        look.clicked.connect(lambda: self._window.open_project(path, read_only=True))
        _open(box)

    def settle_saving(self, then: Callable[[], None]) -> None:
        """Closing waits for what is on its way; what cannot be written is asked about."""
        session = self._window.session
        if session is None:
            then()
            return
        saving = session.saving
        if saving.problem is None:

            def _on_ended(*_: object) -> None:
                saving.saved.disconnect(_on_ended)
                saving.failed.disconnect(_on_ended)
                then() if saving.is_settled else self.settle_saving(then)

            saving.saved.connect(_on_ended)
            saving.failed.connect(_on_ended)
            return
        problem = saving.problem
        box = QMessageBox(
            QMessageBox.Icon.Warning,
            tr("ui.acts.unsaved"),
            tr("ui.acts.unsaved_text", count=saving.unsaved),
            parent=self._window,
        )
        box.setInformativeText(tr(problem.code, **problem.params))
        retry = box.addButton(tr("ui.acts.retry"), QMessageBox.ButtonRole.AcceptRole)
        lose = box.addButton(tr("ui.acts.discard"), QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(retry)

        def _on_answered(_: int) -> None:
            chosen = box.clickedButton()
            if chosen is retry:
                saving.retry()
                then() if saving.is_settled else self.settle_saving(then)
            elif chosen is lose:
                saving.discard()
                then()
            else:  # Cancel, Escape, or the box's own close button
                self._window.stay()

        box.finished.connect(_on_answered)
        _open(box)

    # --- data in and out -------------------------------------------------------------------------

    def import_cases(self, source: str = "") -> None:
        """Ask for a manifest and how to read it, then import with progress and cancel."""
        session = self._window.session
        if session is None:
            return
        info = session.desk.info
        if info.read_only:
            self._window.show_problem(Message("ui.session.read_only", {"holder": info.holder}))
            return
        from mmreview.ui.dialogs.importing import ImportDialog

        dialog = ImportDialog(self._window, source=source)

        def _on_wanted(path: str, choice: ImportChoice) -> None:
            task = session.import_source(
                path,
                choice,
                on_progress=dialog.show_progress,
                on_done=dialog.show_result,
                on_failed=lambda error: dialog.show_failure(message_of(error)),
                on_cancelled=dialog.show_cancelled,
            )
            dialog.cancelWanted.connect(lambda: task.cancel())  # Qt cannot hold a Task's method

        dialog.importWanted.connect(_on_wanted)
        _open(dialog)

    def export_labels(self) -> None:
        """Ask for a file, then write labels and history in the background."""
        session = self._window.session
        if session is None:
            return
        dialog = QFileDialog(
            self._window, tr("ui.acts.export"), f"{session.desk.info.name}.jsonl",
            f"{tr('ui.import.format.jsonl')} (*.jsonl);;{tr('ui.import.format.csv')} (*.csv)",
        )
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("jsonl")
        dialog.fileSelected.connect(lambda path: self._export(Path(path)))
        _open(dialog)

    def _export(self, out: Path) -> None:
        session = self._window.session
        if session is None:
            return
        format = "csv" if out.suffix.lower() == ".csv" else "jsonl"
        self._window.runner.submit(
            Lane.BULK,
            lambda: session.desk.exporting.export(out, format=format),
            name="ui.task.exporting",
            on_done=lambda count: self._say(tr("ui.acts.exported", count=count, out=str(out))),
            on_failed=lambda error: self._window.show_problem(message_of(error)),
        )

    def verify(self) -> None:
        """Check trail, database, images and versions in the background."""
        session = self._window.session
        if session is not None:
            self._window.runner.submit(
                Lane.BULK,
                session.desk.auditing.verify,
                name="ui.task.verifying",
                on_done=self._on_verified,
                on_failed=lambda error: self._window.show_problem(message_of(error)),
            )

    def _on_verified(self, problems: list[Message]) -> None:
        if not problems:
            self._say(tr("cli.verified"))
            return
        text = "\n".join(tr(p.code, **p.params) for p in problems[:20])
        box = QMessageBox(
            QMessageBox.Icon.Warning, tr("ui.acts.verify"),
            tr("ui.acts.verify_problems", count=len(problems)), parent=self._window,
        )
        box.setDetailedText(text)
        _open(box)

    def _say(self, text: str) -> None:
        self._window.page.banner.show_message(text, severity="info")

    # --- reader, look, model, help ----------------------------------------------------------------

    def choose_reader(self) -> None:
        """Ask who reads from now on (a labelling session at one workstation)."""
        dialog = QInputDialog(self._window)
        dialog.setWindowTitle(tr("ui.acts.reader"))
        dialog.setLabelText(tr("ui.acts.reader_label"))
        dialog.setTextValue(self._window.settings.reader)
        dialog.textValueSelected.connect(self._on_reader_chosen)
        _open(dialog)

    def _on_reader_chosen(self, name: str) -> None:
        if name.strip():
            self._window.change_reader(name.strip())

    def share_queue(self) -> None:
        """Ask how many of the offered cases come from where."""
        session = self._window.session
        if session is None:
            return
        from mmreview.ui.dialogs.queue_shares import QueueSharesDialog

        queueing = session.desk.queueing
        dialog = QueueSharesDialog(
            self._window, rules=queueing.rules, policies=queueing.policies,
            writable=not session.desk.info.read_only,
        )
        dialog.rulesWanted.connect(session.offering.change_rules)
        _open(dialog)

    def _choose_advance(self, advance: bool) -> None:
        self._window.memory.change(advance=advance)
        if self._window.session is not None:
            self._window.page.set_advance(advance)

    def _choose_theme(self, name: str) -> None:
        application = QApplication.instance()
        if isinstance(application, QApplication):
            theme.apply(application, name)
        self._window.memory.change(theme=name)
        self.show_settings(self._window.settings)

    def _choose_language(self, name: str) -> None:
        """Every widget took its words when it was made, so the choice waits for the next start."""
        self._window.memory.change(language=name)
        self.show_settings(self._window.settings)
        window = self._window
        at_work = window.stack.currentWidget() is not window.welcome
        banner = window.page.banner if at_work else window.welcome.banner
        chosen = self.actions[f"language_{name}"].text()
        banner.show_message(tr("ui.acts.language_later", language=chosen), severity="info")

    def _toggle_full_screen(self) -> None:
        window = self._window
        window.showNormal() if window.isFullScreen() else window.showFullScreen()

    def show_keys(self) -> None:
        """Show all keys."""
        from mmreview.ui.dialogs.keys import KeysDialog

        _open(KeysDialog(self._window, self.actions.overview()))

    def open_manual(self) -> None:
        """Open the user's manual."""
        from mmreview.ui.dialogs.manual import ManualDialog

        _open(ManualDialog(self._window, paths.resources() / "help"))

    def about(self) -> None:
        """Say what this is."""
        from mmreview.ui.dialogs.about import AboutDialog

        _open(AboutDialog(self._window))


def _open(dialog: QWidget) -> None:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()  # type: ignore[attr-defined]
