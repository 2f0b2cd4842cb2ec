"""Nothing a reader did is dropped: order, failure, retry, undo of what was never durable."""

import pytest

from mmreview.domain.errors import WriteFailed
from mmreview.domain.findings import (
    ExclusiveGroup,
    Exclusivity,
    Finding,
    FindingSchema,
    State,
)
from mmreview.domain.reads import Correction
from mmreview.tasks.inline import InlineRunner
from mmreview.ui.saving import Saving


class Trail:
    """Stands for ``Reviewing`` over a disk that can be full."""

    def __init__(self):
        self.full = False
        self.written = []
        names = tuple(Finding(name) for name in ("a", "b", "c", "Edema"))
        group = ExclusiveGroup("Which", Exclusivity.ONE_OF, ("a", "b"))
        self.schema = FindingSchema("s", names, (group,))

    def correct(self, correction):
        return self._write((correction.finding, str(correction.state)))

    def undo(self, reader, *, repeat_of=None):
        return self._write(("undo", reader))

    def commit_read(self, key, *, reader, version, stage):
        return self._write(("read", key))

    def _write(self, what):
        if self.full:
            raise WriteFailed(detail="disk full")
        self.written.append(what)
        return Change(f"2026-01-01T00:00:{len(self.written):02d}Z")


class Change:
    def __init__(self, at):
        self.at = at


@pytest.fixture
def held(qtbot):
    runner = InlineRunner(held=True)
    yield runner
    runner.shutdown()


def correction(finding, state=State.PRESENT):
    return Correction(case_key=1, finding=finding, state=state, reader="r")


def test_states_become_durable_in_the_order_of_the_keys(held):
    trail, events = Trail(), []
    saving = Saving(held, trail)
    saving.saved.connect(events.append)
    for name in "abc":
        saving.correct(correction(name), before=State.UNSET)
    assert saving.unsaved == 3
    assert set(saving.wished(1)) == {"a", "b", "c"}
    held.run_all()
    assert [name for name, _ in trail.written] == ["a", "b", "c"]
    assert events == ["2026-01-01T00:00:03Z"]
    assert saving.is_settled


def test_a_full_disk_keeps_everything_and_a_retry_writes_it_in_order(held):
    trail, failures = Trail(), []
    trail.full = True
    saving = Saving(held, trail)
    saving.failed.connect(lambda problem, count: failures.append((problem.code, count)))
    saving.correct(correction("a"), before=State.UNSET)
    held.run_all()
    saving.correct(correction("b"), before=State.UNSET)
    assert failures == [("error.write_failed", 1), ("error.write_failed", 2)]
    assert trail.written == []
    saving.retry()
    held.run_all()
    assert saving.unsaved == 2
    trail.full = False
    saving.retry()
    held.run_all()
    assert [name for name, _ in trail.written] == ["a", "b"]
    assert saving.is_settled
    assert saving.problem is None


def test_undo_of_what_never_became_durable_takes_it_back_without_an_event(held):
    trail, dropped = Trail(), []
    trail.full = True
    saving = Saving(held, trail)
    saving.wishDropped.connect(lambda *what: dropped.append(what))
    saving.correct(correction("a"), before=State.ABSENT)
    held.run_all()
    saving.undo("r")
    assert dropped == [(1, "a", State.ABSENT)]
    trail.full = False
    held.run_all()
    assert trail.written == []
    assert saving.is_settled


def test_undo_of_a_durable_state_is_written_after_it(held):
    trail = Trail()
    saving = Saving(held, trail)
    saving.correct(correction("a"), before=State.UNSET)
    saving.undo("r")
    held.run_all()
    assert trail.written == [("a", "present"), ("undo", "r")]


def test_a_wish_in_an_exclusive_group_is_one_wish_that_speaks_for_the_group(held):
    trail = Trail()
    saving = Saving(held, trail)
    saving.correct(correction("a", State.UNCERTAIN), before=State.UNSET)
    saving.correct(correction("b"), before=State.UNSET)
    assert saving.unsaved == 2
    wished = {name: made.state for name, made in saving.wished(1).items()}
    assert wished == {"a": State.ABSENT, "b": State.PRESENT}
    held.run_all()
    assert trail.written == [("a", "uncertain"), ("b", "present")]
