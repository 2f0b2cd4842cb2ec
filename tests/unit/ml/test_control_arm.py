"""The queue against the control arm, on worlds where it is known which of them teaches more."""

import numpy as np
import pytest

from mmreview.domain.cases import Partition
from mmreview.domain.errors import TooFewToCompare
from mmreview.ml import control_arm


@pytest.fixture
def divided(make_world):
    """Half of the cases are audit, a quarter control; the rest was read from the queue."""
    world = make_world(cases=480, findings=2, signal={"image": 2.0, "text": 1.0})
    kinds = [Partition.AUDIT, Partition.AUDIT, Partition.CONTROL, Partition.TRAIN]
    world.partitions = tuple(kinds[(i // 2) % 4] for i in range(480))
    return world


def rows(world, partition):
    return [i for i, drawn in enumerate(world.partitions) if drawn is partition]


def finish(work):
    steps = []
    while True:
        try:
            steps.append(next(work))
        except StopIteration as done:
            return steps, done.value


def measured(world, make_rounds, *, queue, control):
    rounds = make_rounds(world)
    request = rounds.request(world.table())
    return finish(rounds.trainer.control_arm(request, read={"queue": queue, "control": control}))


def test_two_random_arms_are_not_told_apart(divided, make_rounds):
    queue, control = rows(divided, Partition.TRAIN), rows(divided, Partition.CONTROL)
    steps, found = measured(divided, make_rounds, queue=queue[:45], control=control[:40])
    assert [point["cases"] for point in found["points"]] == [10, 20, 40]
    assert found["verdict"] == "insights.saving.none"
    assert found["saving"] is None
    assert found["read"] == {"queue": 45, "control": 40}
    assert found["audit"]["cases"] == 240
    low, high = found["points"][-1]["difference"][1:]
    assert low < 0 < high
    shares = [step.done for step in steps]
    assert shares == sorted(shares) and shares[-1] <= 100


def test_an_arm_that_learns_nothing_loses_and_is_said_to(divided, make_rounds):
    """The control arm reads cases of one kind only: it learns nothing, and its ranking is chance.
    The other way round, the loop must say that it is behind."""
    absent = (divided.truth == 0).all(axis=1)
    queue = rows(divided, Partition.TRAIN)[:80]
    control = [i for i in rows(divided, Partition.CONTROL) if absent[i]][:40]
    assert len(control) > 25
    _, found = measured(divided, make_rounds, queue=queue, control=control)
    assert found["verdict"] == "insights.saving.queue"
    saving = found["saving"]
    assert saving["cases"] <= saving["high"] < saving["other"] == len(control)
    assert found["points"][-1]["control"][0] == 0.5
    train = [i for i in rows(divided, Partition.TRAIN) if absent[i]][:40]
    control = rows(divided, Partition.CONTROL)[:80]
    _, found = measured(divided, make_rounds, queue=train, control=control)
    assert found["verdict"] == "insights.saving.control"


def test_the_same_snapshot_is_measured_the_same(divided, make_rounds):
    queue, control = rows(divided, Partition.TRAIN)[:25], rows(divided, Partition.CONTROL)[:25]
    one, other = (measured(divided, make_rounds, queue=queue, control=control)[1] for _ in "ab")
    assert one == other


def test_the_order_of_reading_says_who_came_first(divided, make_rounds):
    queue, control = rows(divided, Partition.TRAIN)[:40], rows(divided, Partition.CONTROL)[:40]
    _, found = measured(divided, make_rounds, queue=queue, control=control)
    _, turned = measured(divided, make_rounds, queue=queue[::-1], control=control)
    assert found["points"][-1]["queue"][0] == pytest.approx(turned["points"][-1]["queue"][0])
    assert found["points"][0]["queue"] != turned["points"][0]["queue"]


def test_too_few_cases_are_counted(divided, make_rounds):
    queue, control = rows(divided, Partition.TRAIN), rows(divided, Partition.CONTROL)
    with pytest.raises(TooFewToCompare) as refused:
        measured(divided, make_rounds, queue=queue[:30], control=control[:13])
    assert refused.value.params == {"queue": 0, "control": 7, "audit": 0}


def test_read_cases_without_a_label_cost_a_read(divided, make_rounds):
    queue, control = rows(divided, Partition.TRAIN)[:20], rows(divided, Partition.CONTROL)[:20]
    labelled = np.setdiff1d(np.arange(480), queue[:10])
    rounds = make_rounds(divided)
    request = rounds.request(divided.table(rows=labelled))
    read = {"queue": queue, "control": control}
    _, found = finish(rounds.trainer.control_arm(request, read=read))
    assert found["points"][0]["labels"]["queue"] == 0
    assert found["points"][0]["queue"][0] == 0.5


def test_a_curve_is_read_carefully():
    sizes = [10, 20, 40]
    curve = np.array([[0.7, 0.6, 0.9], [0.65, 0.6, 0.6], [0.8, 0.6, 0.9]])
    target = np.array([0.7, 0.7, 0.75])
    got = control_arm.reached(sizes, curve, target)
    assert got[0] == pytest.approx(20 + 20 * 0.05 / 0.15)  # it fell below once more
    assert got[1] == np.inf
    assert got[2] == pytest.approx(30)
