"""The page a reader works on: worklist, image and report, findings, weight, learning.

It wires widgets that do not know each other to the open project: a chosen case is loaded, drawn
from its ``CaseView`` and nothing else, corrected through ``Saving``, predicted by the version that
serves. It shows a state the moment a key is pressed and says until the commit that it is not
durable; it drops every answer for a case that is not open any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSplitter, QVBoxLayout, QWidget

from mmreview.domain.cases import CLINICAL
from mmreview.domain.changes import ReadCommitted, StateChanged
from mmreview.domain.errors import Message
from mmreview.domain.findings import Basis, State
from mmreview.domain.predictions import Prediction
from mmreview.domain.reads import Correction, FindingState
from mmreview.domain.versions import ServingModel
from mmreview.services.desk import Desk
from mmreview.services.reviewing import CaseView
from mmreview.tasks.runner import RunnerBase
from mmreview.translation import tr
from mmreview.ui.banner import Banner
from mmreview.ui.case_loading import CaseLoading, LoadedCase
from mmreview.ui.findings.panel import FindingsPanel
from mmreview.ui.learning_panel import LearningPanel
from mmreview.ui.read_bar import ReadBar
from mmreview.ui.reading_area import ReadingArea
from mmreview.ui.saving import Saving, wished_state
from mmreview.ui.weight_panel import WeightPanel
from mmreview.ui.worklist.panel import WorklistPanel

#: How many cases ahead are made ready while the open one is read.
_AHEAD = 2


class ReviewPage(QWidget):
    """Everything of one open project. ``set_desk`` before use, ``clear`` after."""

    caseOpened = Signal(str)  # case id
    correctionSaved = Signal()

    def __init__(self, runner: RunnerBase, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._runner = runner
        self._desk: Desk | None = None
        self._view: CaseView | None = None
        self._loading: CaseLoading | None = None
        self._saving: Saving | None = None
        self._reader = ""
        self._advance = True
        self._key: int | None = None
        self._what_if: Mapping[str, float] | None = None
        self._next_basis: dict[str, Basis] = {}
        self._first_finding = ""  # where the next case is read from, if not from its first
        self.banner = Banner(self)
        self.worklist = WorklistPanel(runner, self)
        self.reading = ReadingArea(self)
        self.weight = WeightPanel(self)
        self.findings = FindingsPanel(self)
        self.bar = ReadBar(self)
        self.learning = LearningPanel(self)
        self._lay_out()
        self._connect()

    def _lay_out(self) -> None:
        middle, right = QWidget(self), QWidget(self)
        _stack(middle, self.reading, self.weight)
        _stack(right, self.findings, self.bar)
        self.bar.setFixedHeight(self.weight.sizeHint().height())  # one strip under both
        self.columns = QSplitter(Qt.Orientation.Horizontal, self)
        self.columns.setHandleWidth(1)
        self.columns.setChildrenCollapsible(False)
        for position, (widget, stretch) in enumerate(
            ((self.worklist, 0), (middle, 1), (right, 0))
        ):
            self.columns.addWidget(widget)
            self.columns.setStretchFactor(position, stretch)
        self.columns.setSizes([240, 820, 360])
        _stack(self, self.columns, self.learning).insertWidget(0, self.banner)

    def _connect(self) -> None:
        self.worklist.caseChosen.connect(self.open_case)
        self.worklist.listChanged.connect(self._prefetch)
        self.worklist.searchChanged.connect(self.reading.report.highlight)
        self.findings.stateChosen.connect(self._on_state_chosen)
        self.findings.basisChosen.connect(self._on_basis_chosen)
        self.findings.confirmed.connect(self._on_confirmed)
        self.findings.selectionChanged.connect(lambda _: self._show_value_parts())
        self.bar.undoWanted.connect(self.undo)
        self.bar.nextWanted.connect(lambda: self.open_next(commit=False))
        self.bar.commitWanted.connect(lambda: self.open_next(commit=True))
        self.weight.weightsMoved.connect(self._on_weights_moved)
        self.weight.whatIfLeft.connect(self._on_what_if_left)
        self.reading.image.pictureWanted.connect(self._on_picture_wanted)

    # --- the project ------------------------------------------------------------------------------

    def set_desk(self, desk: Desk, saving: Saving) -> None:
        """Work on this project from now on."""
        self.clear()
        self._desk = desk
        self._saving = saving
        self._loading = CaseLoading(self._runner, desk, self)
        self._loading.caseLoaded.connect(self._on_case_loaded)
        self._loading.loadFailed.connect(self._on_load_failed)
        self._loading.opinionLoaded.connect(self._on_opinion_loaded)
        self._loading.pictureLoaded.connect(self._on_picture_loaded)
        saving.stateSaved.connect(self._on_state_saved)
        saving.undoSaved.connect(self._on_undo_saved)
        saving.readSaved.connect(self._on_read_saved)
        saving.failed.connect(self._on_save_failed)
        saving.wishDropped.connect(self._on_wish_dropped)
        self.findings.set_schema(desk.info.schema, desk.predicting.modalities)
        self.reading.report.values.setVisible(CLINICAL in desk.predicting.modalities)
        self.findings.set_enabled_for_reading(not desk.info.read_only)
        self.bar.set_writable(not desk.info.read_only)
        self.worklist.set_cases(desk.cases, desk.info.schema)

    def clear(self) -> None:
        """Let go of the project."""
        if self._loading is not None:
            self._loading.stop()
            self._loading.deleteLater()
        self._desk = self._view = self._loading = self._saving = None
        self._key = None
        self._what_if = None
        self._next_basis.clear()
        self.banner.dismiss()
        self.worklist.set_cases(None, None)
        self.worklist.set_version(0)
        self.reading.image.clear()
        self.reading.report.clear()
        self.reading.report.values.show_values({})
        self.findings.clear()
        self.weight.show_model(None)
        self.weight.setEnabled(False)
        self.learning.clear()

    def reload(self) -> None:
        """Cases were imported: the list, the open case and what was kept are out of date."""
        self.worklist.refresh()
        if self._desk is not None:  # they may have brought a modality
            self.findings.set_modalities(self._desk.predicting.modalities)
            has_values = CLINICAL in self._desk.predicting.modalities
            self.reading.report.values.setVisible(has_values)
        if self._loading is not None:
            self._loading.forget_all()
            if self._key is not None:
                self._loading.want(self._key)

    def take_changed(self, keys: list[int]) -> None:
        """The states of these cases were changed by another way than the panel."""
        if self._loading is not None:
            for key in keys:
                self._loading.forget(key)
            if self._key in keys:
                self._loading.want(self._key)
        self.worklist.update_rows(keys)

    def show_queue(self) -> None:
        """The queue was made anew. What was kept of a case that is to be read a second time would
        show its label."""
        if self._loading is not None:
            self._loading.forget_all()
        self.worklist.show_queue()

    def set_reader(self, reader: str) -> None:
        """Who signs what is done from now on."""
        self._reader = reader

    def set_advance(self, advance: bool) -> None:
        """Whether a state key goes on to the next finding."""
        self._advance = advance

    @property
    def case_id(self) -> str:
        """The open case's id, empty while none is open."""
        return self._view.case.id if self._view is not None else ""

    @property
    def case_key(self) -> int | None:
        """The open case's key."""
        return self._view.case.key if self._view is not None else None

    @property
    def is_repeat(self) -> bool:
        """True while the open case is read a second time: its label must not be told."""
        return self._view is not None and self._view.repeat

    @property
    def has_wish(self) -> bool:
        """True once a case is open or on its way."""
        return self._key is not None

    @property
    def _is_shown(self) -> bool:
        """True while the case on the screen is the one that is wanted: only that one is written
        to, so that a key meant for the next case never lands on the one before it."""
        return self._view is not None and self._view.case.key == self._key

    @property
    def is_settled(self) -> bool:
        """True once the wanted case, its image and its opinion are on the screen."""
        return self._key is None or (self._is_shown and self.reading.image.is_settled)

    # --- cases ------------------------------------------------------------------------------------

    def open_case(self, key: int) -> None:
        """Bring a case to the page."""
        if self._loading is None:
            return
        self._key = key
        self.worklist.select_case(key)
        self._loading.want(key)

    def open_next(self, *, commit: bool) -> None:
        """The next unread case; with ``commit`` the open one is committed as read first (one that
        is not on the screen yet has not been read)."""
        if commit and not self._is_shown:
            return
        if commit:
            self.commit_read()
        elif self._key is not None:
            self.worklist.pass_over(self._key)
        following = self.worklist.next_key(self._key, unread=True)
        if following is None or following == self._key:
            self.banner.show_message(tr("ui.review.queue_ended"), severity="info")
        else:
            self.open_case(following)

    def open_previous(self) -> None:
        """The case before the open one."""
        if self._key is not None:
            previous = self.worklist.previous_key(self._key)
            if previous is not None:
                self.open_case(previous)

    def commit_read(self) -> None:
        """End the read of the open case, also when nothing was changed."""
        if self._may_write() and self._is_shown and self._view and self._saving is not None:
            version = self._view.prediction.version if self._view.prediction else None
            self._saving.commit_read(
                self._view.case.key, reader=self._reader, version=version, stage=self._view.stage,
                repeat=self._view.repeat,
            )

    def _on_case_loaded(self, loaded: LoadedCase) -> None:
        view = loaded.view
        is_another = self._view is None or self._view.case.key != view.case.key
        self._view = view
        self._what_if = None
        self._next_basis.clear()
        case = view.case
        details = " · ".join(part for part in (case.study_date, view.row.caption) if part)
        self.reading.image.show_case(case.id, case.images, details=details)
        if loaded.picture is not None:
            self.reading.image.set_picture(0, loaded.picture)
        self.reading.report.show_report(case.id, case.report)
        self.reading.report.values.show_values(case.clinical)
        self.findings.show_case(
            self._states(view), view.prediction, view.prediction_status, suspects=view.suspects
        )
        if is_another and self._desk is not None:
            self.findings.select(self._first_finding or self._desk.info.schema.names[0])
            self._first_finding = ""
        self._show_value_parts()
        self._mark_unsaved(case.key)
        self.weight.set_what_if(False)
        self.weight.setEnabled(view.prediction is not None and view.prediction.reweightable)
        self.caseOpened.emit(case.id)
        if self._loading is not None:
            for position, path in enumerate(view.image_paths[1:], start=1):
                self._loading.want_picture(case.key, position, path)
            self._prefetch()

    def _prefetch(self) -> None:
        """Make ready what will be opened next."""
        if self._loading is not None and self._view is not None and self._is_shown:
            self._loading.prefetch(self.worklist.neighbours(self._view.case.key, ahead=_AHEAD))

    def _on_load_failed(self, key: int, problem: Message) -> None:
        if key != self._key:
            return
        self.banner.show_message(tr(problem.code, **problem.params), severity="warning")
        if self._view is not None:  # the case before it is still the one that is read
            self._key = self._view.case.key
            self.worklist.select_case(self._key)

    def _on_picture_wanted(self, position: int) -> None:
        if self._view is not None and self._loading is not None:
            self._loading.want_picture(
                self._view.case.key, position, self._view.image_paths[position]
            )

    def _on_picture_loaded(self, key: int, position: int, picture: object) -> None:
        if self._view is not None and key == self._view.case.key:
            self.reading.image.set_picture(position, picture)

    # --- opinions ---------------------------------------------------------------------------------

    def show_model(self, model: ServingModel | None) -> None:
        """Another version serves: the open case is asked about again, what was kept is dropped."""
        self.weight.show_model(model)
        self.worklist.set_version(model.version if model is not None else 0)
        self._what_if = None
        if self._loading is not None:
            self._loading.forget_all()
            if self._key is not None:
                self._loading.want_opinion(self._key)

    def refresh_opinion(self) -> None:
        """Ask again about the open case (its features may have arrived)."""
        if self._loading is not None and self._key is not None:
            self._loading.want_opinion(self._key)

    def _on_opinion_loaded(self, key: int, prediction: Prediction | None, status: Message) -> None:
        if self._view is None or key != self._view.case.key:
            return
        self._view = replace(self._view, prediction=prediction, prediction_status=status)
        self.weight.setEnabled(prediction is not None and prediction.reweightable)
        if prediction is not None and self._what_if is not None:
            prediction = prediction.reweighted(self._what_if)
        self.findings.set_prediction(prediction, status)
        self._show_value_parts()

    def _show_value_parts(self) -> None:
        """What each clinical value did to the opinion on the selected finding."""
        prediction = self._view.prediction if self._view is not None else None
        parts = prediction.value_parts if prediction is not None else {}
        finding = self.findings.current_finding()
        self.reading.report.values.set_parts(finding, parts.get(finding, {}))

    def _on_weights_moved(self, weights: Mapping[str, float]) -> None:
        if self._view is not None and self._view.prediction is not None:
            self._what_if = weights
            self.findings.set_prediction(
                self._view.prediction.reweighted(weights), self._view.prediction_status
            )

    def _on_what_if_left(self) -> None:
        self._what_if = None
        if self._view is not None:
            self.findings.set_prediction(self._view.prediction, self._view.prediction_status)

    # --- corrections ------------------------------------------------------------------------------

    def _may_write(self) -> bool:
        return self._desk is not None and not self._desk.info.read_only

    def undo(self) -> None:
        """Take this reader's newest correction back."""
        if self._may_write() and self._saving is not None:
            view = self._view
            repeat_of = view.case.key if view is not None and view.repeat else None
            self._saving.undo(self._reader, repeat_of=repeat_of)

    def _on_state_chosen(self, finding: str, state: str) -> None:
        held = self._held(finding)
        basis = self._next_basis.pop(finding, held.basis if held.reader else Basis.BOTH)
        self._correct(finding, State(state), basis)
        if self._advance and State(state) is not State.UNSET:
            self.findings.move(1)

    def _on_basis_chosen(self, finding: str, basis: str) -> None:
        held = self._held(finding)
        if held.state is not State.UNSET:
            self._correct(finding, held.state, Basis(basis))
        elif self._may_write() and self._is_shown:  # it goes with the state that follows
            self._next_basis[finding] = Basis(basis)
            self.findings.set_state(replace(held, basis=Basis(basis)))

    def _on_confirmed(self, finding: str) -> None:
        held = self._held(finding)  # the same state, by this reader: it is not suspected again
        self._correct(finding, held.state, held.basis)

    def _held(self, finding: str) -> FindingState:
        empty = FindingState(finding=finding, state=State.UNSET)
        return self._states(self._view).get(finding, empty) if self._view is not None else empty

    def _correct(self, finding: str, state: State, basis: Basis) -> None:
        if not (self._may_write() and self._is_shown) or not self._view or not self._saving:
            return
        before = self._held(finding)
        correction = Correction(
            case_key=self._view.case.key,
            finding=finding,
            state=state,
            reader=self._reader,
            basis=basis,
            version=self._view.prediction.version if self._view.prediction else None,
            stage=self._view.stage,
            repeat=self._view.repeat,
        )
        self._saving.correct(correction, before=before.state)  # first: it is on its way at once
        self._show_states(finding)

    def _show_states(self, finding: str) -> None:
        """Show what holds for a finding, and for those that it excludes."""
        group = self._desk.info.schema.group_of(finding) if self._desk is not None else None
        for name in group.findings if group is not None else (finding,):
            self.findings.set_state(self._held(name))

    def _states(self, view: CaseView) -> dict[str, FindingState]:
        """What is durable, and over it what is wished for."""
        states = dict(view.states)
        if self._saving is not None:
            for finding, correction in self._saving.wished(view.case.key).items():
                before = states.get(finding, FindingState(finding=finding, state=State.UNSET))
                states[finding] = wished_state(correction, before.state)
        return states

    def _on_state_saved(self, change: StateChanged) -> None:
        self._take_change(change)
        if not change.repeat:  # nothing to learn from
            self.correctionSaved.emit()

    def _on_undo_saved(self, change: StateChanged | None) -> None:
        if change is None:
            self.banner.show_message(tr("ui.review.nothing_to_undo"), severity="info")
            return
        self._take_change(change)
        if self._view is None or change.case_key != self._view.case.key:
            self._first_finding = change.after.finding
            self.open_case(change.case_key)
        else:
            self.findings.select(change.after.finding)
        if not change.repeat:
            self.correctionSaved.emit()

    def _take_change(self, change: StateChanged) -> None:
        if self._loading is not None:
            self._loading.forget(change.case_key)
        if self._view is not None and change.case_key == self._view.case.key:
            made = {state.finding: state for state in (*change.implied, change.after)}
            self._view = replace(self._view, states={**self._view.states, **made})
            self._show_states(change.after.finding)
            self._mark_unsaved(change.case_key)
        self.worklist.update_rows([change.case_key])

    def _on_read_saved(self, change: ReadCommitted) -> None:
        if self._loading is not None:
            self._loading.forget(change.case_key)
        self.worklist.update_rows([change.case_key])
        if change.repeat:
            case, same = change.case, not change.differs
            code = "ui.review.repeat_same" if same else "ui.review.repeat_differs"
            differing = ", ".join(change.differs)
            self.banner.show_message(tr(code, case=case, findings=differing), severity="info")

    def _on_save_failed(self, _: Message, __: int) -> None:
        if self._view is not None:
            self._mark_unsaved(self._view.case.key)

    def _on_wish_dropped(self, key: int, finding: str, _: State) -> None:
        if self._view is not None and key == self._view.case.key:
            self._show_states(finding)
            self._mark_unsaved(key)

    def _mark_unsaved(self, key: int) -> None:
        """Mark what a failed write left undurable; what is merely on its way is not marked."""
        lost = self._saving is not None and self._saving.problem is not None
        wished = self._saving.wished(key) if self._saving is not None and lost else {}
        for finding in self._desk.info.schema.names if self._desk is not None else ():
            self.findings.set_unsaved(finding, finding in wished)


def _stack(host: QWidget, first: QWidget, below: QWidget) -> QVBoxLayout:
    """One above the other without a gap; the first takes what room there is."""
    column = QVBoxLayout(host)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(0)
    column.addWidget(first, 1)
    column.addWidget(below)
    return column
