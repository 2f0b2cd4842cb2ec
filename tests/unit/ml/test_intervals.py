"""The interval around an opinion: it holds, it narrows with labels, it says nothing of nothing."""

import json
import math

import numpy as np
import pytest

from mmreview.domain.predictions import FEW_LABELS
from mmreview.ml.intervals import intervals
from tests.unit.ml.conftest import Rounds, World


def predicted(tmp_path, *, cases, seed=0, rows=None, **world):
    made = World(cases=cases, seed=seed, **world)
    rounds = Rounds(made.features, made.findings, tmp_path)
    version, _ = rounds.train(made.table(rows=rows), fusion="mixture")
    predictor = rounds.load(version)
    return made, version, predictor


def test_an_interval_holds_its_opinion_and_is_in_every_one(tmp_path):
    made, _, predictor = predicted(tmp_path, cases=120)
    (prediction,) = predictor.predict([made.case(3)])
    for finding in prediction.findings:
        assert set(finding.intervals) == {"fused", "image", "text"}
        for name, probability in (("fused", finding.fused), *finding.modalities.items()):
            low, high = finding.intervals[name]
            assert 0 <= low < probability < high <= 1


def test_intervals_narrow_with_labels(tmp_path):
    widths = []
    for cases in (60, 600):
        made, _, predictor = predicted(tmp_path / str(cases), cases=cases)
        found = predictor.predict([made.case(i) for i in range(40)])
        bounds = [f.intervals["fused"] for p in found for f in p.findings]
        widths.append(np.mean([high - low for low, high in bounds]))
    assert widths[1] < 0.6 * widths[0]


def test_most_intervals_hold_how_often_alike_cases_have_the_finding(tmp_path):
    made, _, predictor = predicted(tmp_path, cases=4000, rows=np.arange(150))
    found = predictor.predict([made.case(i) for i in range(150, 4000)])
    held = []
    for position in range(len(made.findings)):
        opinion = np.array([p.findings[position].fused for p in found])
        bounds = np.array([p.findings[position].intervals["fused"] for p in found])
        order = np.argsort(opinion)
        for part in np.array_split(order, 12):  # alike: a twelfth of the cases by opinion
            often = made.truth[150:][part, position].mean()
            low, high = bounds[part].mean(axis=0)
            noise = math.sqrt(max(often * (1 - often), 0.01) / len(part))
            held.append(low - noise <= often <= high + noise)
    assert np.mean(held) >= 0.85


def test_a_modality_that_a_case_lacks_has_no_interval(tmp_path):
    made, _, predictor = predicted(tmp_path, cases=120)
    made.hashes["text"][5] = ()
    (prediction,) = predictor.predict([made.case(5)])
    for finding in prediction.findings:
        assert set(finding.intervals) == {"fused", "image"}
        assert finding.intervals["fused"] == pytest.approx(finding.intervals["image"])


def test_fewer_than_three_fold_models_say_nothing(tmp_path):
    made, _, predictor = predicted(tmp_path, cases=120)
    features = {m: x[:4] for m, x in made.matrices.items()}
    present = {m: np.ones(4, bool) for m in features}
    full = predictor._model.opinions(features, present)
    assert intervals(full, [full, full]) == {}


def test_a_finding_with_few_labels_says_that_it_is_not_sure(tmp_path):
    made = World(cases=160, findings=2)
    rare = np.flatnonzero(made.truth[:, 0] == 1)[7:]
    targets = made.truth.copy()
    targets[rare, 0] = np.nan  # seven are left
    rounds = Rounds(made.features, made.findings, tmp_path)
    version, _ = rounds.train(made.table(targets=targets), fusion="mixture")
    card = json.loads((tmp_path / version.folder / "card.json").read_text())
    assert card["counts"]["rarer"]["fused"][0] == 7
    predictor = rounds.load(version)
    found = predictor.predict([made.case(int(i)) for i in rare])
    assert all(p.findings[0].has_few_labels("fused") for p in found)
    assert any(p.findings[0].is_unsure("fused") for p in found)
    assert not any(p.findings[1].is_unsure("fused") for p in found)
    assert all(p.findings[1].labels["fused"] >= FEW_LABELS for p in found)
