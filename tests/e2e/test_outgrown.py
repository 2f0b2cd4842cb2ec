"""A project whose version was trained on features that this program no longer makes."""

from dataclasses import replace

import pytest

from mmreview.compose import ProjectOpener
from mmreview.console import Console
from mmreview.domain.cases import TEXT
from mmreview.domain.errors import BundleInvalid
from mmreview.domain.versions import Role
from mmreview.ml.encoders.registry import DEFAULT_ENCODERS, MINILM


def test_it_is_encoded_and_trained_again_without_being_asked(demo, monkeypatch):
    monkeypatch.setitem(DEFAULT_ENCODERS, TEXT, replace(MINILM, view="of another program"))
    opener = ProjectOpener(device="cpu")
    desk = opener.open(demo)
    with pytest.raises(BundleInvalid) as caught:
        desk.predicting.serve()
    assert caught.value.code == "error.bundle_other_encoder"
    assert desk.predicting.outgrown()
    case = next(desk.cases.batches(1))[0]
    assert desk.predicting.opinion(case)[0] is None
    Console().run(opener.refresh(desk, actor="Ada"))
    before, after = desk.learning.versions()
    assert (before.role, after.role) == (Role.RETIRED, Role.CHAMPION)
    assert not desk.predicting.outgrown()
    prediction, _ = desk.predicting.opinion(case)
    assert prediction is not None and prediction.version == after.id
    Console().run(opener.refresh(desk, actor="Ada"))
    assert len(desk.learning.versions()) == 2
    desk.close()


def test_damaged_files_are_not_trained_over_in_silence(demo):
    (demo / "versions" / "00001" / "card.json").write_text("{}")
    opener = ProjectOpener(device="cpu")
    desk = opener.open(demo)
    with pytest.raises(BundleInvalid):
        Console().run(opener.refresh(desk, actor="Ada"))
    assert len(desk.learning.versions()) == 1
    desk.close()
