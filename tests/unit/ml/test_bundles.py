"""Bundles on disk: whole, of these encoders, told in words, loaded without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from mmreview.domain.errors import BundleInvalid
from mmreview.ml.device import product_threads
from mmreview.ml.lineage import changes


@pytest.mark.parametrize("name", ["card.json", "model.safetensors"])
def test_an_edited_bundle_is_refused(make_world, make_rounds, name):
    world = make_world(cases=80)
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table())
    path = rounds.folder / version.folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(BundleInvalid) as refused:
        rounds.load(version)
    assert refused.value.code == "error.bundle_edited"
    path.unlink()
    with pytest.raises(BundleInvalid) as refused:
        rounds.load(version)
    assert refused.value.code == "error.bundle_missing"


def test_a_bundle_of_another_encoder_is_refused_and_replaced(make_world, make_rounds):
    world = make_world(cases=80)
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table())
    world.features.prints["image"] = "another encoder"
    with pytest.raises(BundleInvalid) as refused:
        rounds.load(version)
    assert refused.value.code == "error.bundle_other_encoder"
    _, result = rounds.train(world.table(), number=2, parent=version)
    assert result.gate.accepted
    assert result.gate.reason == "gate.incomparable"


def test_a_card_tells_lineage_and_no_clock(make_world, make_rounds):
    world = make_world(cases=80)
    rounds = make_rounds(world)
    first, _ = rounds.train(world.table())
    second, result = rounds.train(world.table(seq=5), number=2, parent=first, seed=0)
    card = json.loads((rounds.folder / second.folder / "card.json").read_text())
    assert card["parent"] == first.sha256
    assert card["findings"] == list(world.findings)
    assert card["encoders"] == world.features.prints
    assert card["through_seq"] == 5
    assert not {"created_at", "time", "version"} & set(card)
    assert card["since_seq"] == first.through_seq == 1
    assert card["environment"]["numpy"] == np.__version__
    with threadpool_limits(limits=1, user_api="blas"):
        assert product_threads() == 1
    assert card["environment"]["threads"] == product_threads()
    assert card["believed"] == []
    assert result.lineage == {name: card[name] for name in result.lineage}
    assert result.lineage["corrections"] == {"added": 0, "changed": 0, "undone": 0}
    assert result.lineage.keys() >= {"parent", "seed", "weight", "plan", "fusion"}


def test_the_lineage_counts_what_came_in_what_changed_and_what_was_undone(make_world):
    world = make_world(cases=6)
    before_corrected, corrected = (np.zeros(world.truth.shape, bool) for _ in range(2))
    targets = world.truth.copy()
    before_corrected[[0, 1, 2], 0] = True  # case 0 is undone, case 1 changed, case 2 kept
    corrected[[1, 2, 4, 5], 0] = True  # cases 4 and 5 are new
    targets[1, 0] = np.nan  # uncertain now
    now = world.table(targets=targets, corrected=corrected, rows=np.array([1, 2, 4, 5]))
    before = world.table(corrected=before_corrected, rows=np.array([0, 1, 2]))
    assert changes(now, before) == {"added": 2, "changed": 1, "undone": 1}
    assert changes(now, None) == {"added": 4, "changed": 0, "undone": 0}
    nothing = world.table(rows=np.array([], int))
    assert changes(now, nothing) == {"added": 4, "changed": 0, "undone": 0}
    assert changes(nothing, before) == {"added": 0, "changed": 0, "undone": 3}


def test_loading_and_predicting_need_no_torch(make_world, make_rounds):
    world = make_world(cases=80)
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table())
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "import mmreview.ml.trainer, mmreview.ml.predictor\n"
        "from mmreview.ml import bundle\n"
        f"found = bundle.read(Path({str(rounds.folder / version.folder)!r}), version=1, "
        f"sha256={version.sha256!r})\n"
        "print([n for n in ('torch', 'sklearn', 'scipy', 'transformers') if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
