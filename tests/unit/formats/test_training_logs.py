"""A round written for the tools that draw it: whole, inside its folder, and sent nowhere."""

import os

import pytest

from mmreview.compose import training_logs
from mmreview.domain.errors import MmreviewError
from mmreview.domain.progress import TrainingStep
from mmreview.domain.versions import Role, Version
from mmreview.formats import tensorboard, weights_and_biases
from mmreview.formats.training_log import Story, card_of, version_scalars

CARD = {"lambda": {"serving": {"image": 0.6}, "per_finding": {"Edema": {"image": 0.7}}}}


def version():
    metrics = {
        "macro": {"fused": {"auroc": 0.8, "ece": 0.1, "log_loss": None}},
        "per_finding": {"Edema": {"fused": {"auroc": 0.9, "ece": 0.2}, "image": {"auroc": None}}},
        "audit": {"auroc": {"fused": [0.7, 0.6, 0.8]}, "ece": 0.05, "cases": 40},
    }
    gate = {"log_loss_difference": -0.01}
    return Version(
        7, "abc", Role.CHAMPION, 6, "versions/00007", "", "mixture", 25, 9, metrics, gate
    )


def story():
    def work():
        for number in range(3):
            yield TrainingStep("p", 0.1, number, loss=1 / (number + 1), held_out_loss=None)
        yield TrainingStep("p", 1.0)
        return "done"

    told = Story()
    following = told.follow(work())
    try:
        while True:
            next(following)
    except StopIteration as end:
        assert end.value == "done"
    return told


def test_a_round_is_followed_without_changing_it():
    assert story().losses == [(0, 1.0, None), (1, 0.5, None), (2, pytest.approx(1 / 3), None)]
    assert [name for name, *_ in story().scalars()] == ["loss/training"] * 3


def test_a_version_is_told_in_numbers():
    found = version_scalars(version(), CARD)
    assert found == {
        "auroc/macro/fused": 0.8, "ece/macro/fused": 0.1, "auroc/Edema/fused": 0.9,
        "ece/Edema": 0.2, "audit/auroc/fused": 0.7, "audit/ece": 0.05, "audit/cases": 40.0,
        "lambda/mean/image": 0.6, "lambda/Edema/image": 0.7, "gate/log_loss_difference": -0.01,
        "corrections": 25.0,
    }


def test_a_card_that_cannot_be_read_says_nothing(tmp_path):
    assert card_of(tmp_path) == {}
    (tmp_path / "card.json").write_text("{")
    assert card_of(tmp_path) == {}


@pytest.mark.parametrize("name", ["tensorboard", "wandb"])
def test_a_missing_extra_is_said_before_the_round_and_none_is_needed(monkeypatch, tmp_path, name):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(MmreviewError, match=f"{name}_missing"):
        training_logs(tmp_path / "p.mmreview", **{name: tmp_path / "logs"})
    training_logs(tmp_path / "p.mmreview").write(version())


def test_nothing_is_written_into_the_project(tmp_path):
    folder = tmp_path / "p.mmreview"
    with pytest.raises(MmreviewError):
        training_logs(folder, tensorboard=folder / "logs")


def test_tensorboard_reads_what_was_written(tmp_path):
    pytest.importorskip("tensorboard", reason="the extra mmreview[tensorboard] is not installed")
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    log = tensorboard.TensorBoardLog(tmp_path / "logs")
    log.write(story(), version(), CARD)

    def scalars(folder):
        [path] = (tmp_path / "logs" / folder).iterdir()
        return {
            (value.tag, event.step): value.tensor.float_val[0] if value.tensor.float_val
            else value.simple_value
            for event in EventFileLoader(str(path)).Load() for value in event.summary.value
        }

    losses = scalars("version-00007")
    assert losses == {("loss/training", n): pytest.approx(1 / (n + 1)) for n in range(3)}
    worth = scalars("versions")
    assert worth["auroc/Edema/fused", 7] == pytest.approx(0.9)
    assert len(worth) == len(version_scalars(version(), CARD))


def test_wandb_writes_offline_into_its_folder(tmp_path):
    pytest.importorskip("wandb", reason="the extra mmreview[wandb] is not installed")
    before = dict(os.environ)
    weights_and_biases.WandbLog(tmp_path / "logs").write(story(), version(), CARD)
    [run] = (tmp_path / "logs" / "wandb").glob("offline-run-*/run-*.wandb")
    assert run.stat().st_size > 0
    assert str(tmp_path).encode() not in run.read_bytes()
    assert dict(os.environ) == before
