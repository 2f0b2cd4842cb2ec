"""Clinical values in the model room: features, a head that knows absent from middling, versions."""

from dataclasses import replace

import numpy as np
import pytest

from mmreview.domain.cases import CLINICAL
from mmreview.domain.clinical import NAMES, values_sha256
from mmreview.domain.predictions import sigmoid
from mmreview.ml.encoders.clinical import encoded
from mmreview.ml.encoders.registry import CLINICAL_VALUES
from mmreview.ml.features import EncodedFeatures
from mmreview.ml.metrics import auroc
from mmreview.ml.standards import MarkedStandard


def run(work):
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def test_a_value_stands_to_its_range_and_an_absent_one_is_nothing():
    row = encoded({"temperature": 37.6, "crp": 0.0})
    at, half = NAMES.index("temperature"), len(NAMES)
    assert row[at] == pytest.approx(1.0, abs=1e-6)
    assert row[NAMES.index("crp")] == pytest.approx(-1.0, abs=1e-6)
    assert np.flatnonzero(row[half:]).tolist() == [at, NAMES.index("crp")]
    assert not encoded({}).any()
    assert encoded({"crp": 1000.0}).max() == 8.0
    assert CLINICAL_VALUES.width == len(row)


def test_absent_values_are_the_mean_of_those_that_are_there():
    rng = np.random.default_rng(0)
    marks = (rng.random((60, 2)) < 0.6).astype(np.float32)
    features = np.hstack([marks * (5 + rng.standard_normal((60, 2))), marks]).astype(np.float32)
    standard = run(MarkedStandard.of(features, np.arange(60)))
    rows = run(standard.apply(features, np.arange(60)))
    assert not rows[:, :2][marks == 0].any()
    there = [rows[marks[:, i] == 1, i] for i in range(2)]
    np.testing.assert_allclose([v.mean() for v in there], 0, atol=1e-5)
    np.testing.assert_allclose([v.std() for v in there], 1, atol=1e-3)
    weights = rng.standard_normal((4, 3)).astype(np.float32)
    bias = rng.standard_normal(3).astype(np.float32)
    raw, offset = standard.raw(weights, bias)
    np.testing.assert_allclose(features @ raw + offset, rows @ weights + bias, atol=1e-4)
    again, same = standard.standard(raw.astype(np.float32), offset)
    np.testing.assert_allclose(again, weights, atol=1e-4)
    np.testing.assert_allclose(same, bias, atol=1e-4)


class Ward:
    """A world whose saturation and temperature tell the first finding; the third modality of it."""

    def __init__(self, world):
        rng = np.random.default_rng(5)
        self.world, self.values = world, []
        for ill in world.truth[:, 0]:
            own = {
                "age": float(rng.integers(20, 90)),
                "sex": float(rng.integers(0, 2)),
                "temperature": round(37.0 + 0.9 * ill + 0.5 * rng.standard_normal(), 1),
                "oxygen_saturation": float(np.clip(97 - 4 * ill - rng.exponential(2), 60, 100)),
            }
            self.values.append({n: v for n, v in own.items() if rng.random() < 0.8})
        self.values = [dict(sorted(own.items(), key=lambda each: NAMES.index(each[0])))
                       for own in self.values]
        self.add()

    def add(self):
        features, world = self.world.features, self.world
        features.modalities = (*features.modalities, CLINICAL)
        features.marked = frozenset((CLINICAL,))
        features.prints[CLINICAL] = "print-of-clinical"
        features._matrices[CLINICAL] = np.stack([encoded(own) for own in self.values])
        world.hashes[CLINICAL] = [(str(i),) if own else () for i, own in enumerate(self.values)]

    def case(self, index, *, image=True, text=True):
        case = self.world.case(index)
        if not image:
            case = replace(case, images=())
        if not text:
            case = replace(case, report=None, report_sha256=None)
        return case


@pytest.fixture
def ward(make_world):
    return Ward(make_world(cases=240, findings=3))


def numbered(predictor, ward):
    """The fake features are found by row number, not by content: let cases say so."""
    class Numbered:
        def __init__(self, case):
            self.case, self.id, self.clinical = case, case.id, ward.values[case.key]

        def hashes(self, modality):
            known = ward.world.hashes[CLINICAL][self.case.key]
            return known if modality == CLINICAL else self.case.hashes(modality)

    return lambda *cases: predictor.predict([Numbered(c) for c in cases]), Numbered


def test_three_modalities_are_learned_and_whatever_a_case_has_is_fused(ward, make_rounds):
    rounds = make_rounds(ward.world)
    version, result = rounds.train(ward.world.table(), fusion="mixture")
    assert set(result.metrics["auroc"]) >= {"fused", "image", "text", CLINICAL}
    predict, _ = numbered(rounds.load(version), ward)
    index = next(i for i, own in enumerate(ward.values) if len(own) == 4)
    empty = next((i for i, own in enumerate(ward.values) if not own), None)
    shapes = {
        (True, True): {"image", "text", CLINICAL}, (True, False): {"image", CLINICAL},
        (False, True): {"text", CLINICAL}, (False, False): {CLINICAL},
    }
    for (image, text), known in shapes.items():
        [prediction] = predict(ward.case(index, image=image, text=text))
        for finding in prediction.findings:
            assert {m for m, p in finding.modalities.items() if p is not None} == known
            whole = finding.prior + sum(finding.contributions.values())
            assert sigmoid(whole) == pytest.approx(finding.fused, abs=1e-9)
        if known == {CLINICAL}:
            assert all(f.fused == pytest.approx(f.modalities[CLINICAL]) for f in
                       prediction.findings)
    if empty is not None:
        [prediction] = predict(ward.case(empty))
        assert prediction.findings[0].modalities[CLINICAL] is None


def test_values_are_worth_something_and_absent_ones_do_no_harm(ward, make_rounds):
    rounds = make_rounds(ward.world)
    version, _ = rounds.train(ward.world.table())
    predictor = rounds.load(version)
    predict, _ = numbered(predictor, ward)
    found = predict(*(ward.case(i) for i in range(240)))
    own = np.array([p.findings[0].modalities[CLINICAL] or np.nan for p in found])
    known = ~np.isnan(own)
    assert auroc(ward.world.truth[known, 0], own[known]) > 0.75
    few = [i for i, v in enumerate(ward.values) if v and "temperature" not in v
           and "oxygen_saturation" not in v]
    assert np.nanstd(own[few]) < 0.6 * np.nanstd(own)


def test_what_single_values_add_sums_to_the_logit(ward, make_rounds):
    rounds = make_rounds(ward.world)
    version, _ = rounds.train(ward.world.table())
    predictor = rounds.load(version)
    predict, numbering = numbered(predictor, ward)
    index = next(i for i, own in enumerate(ward.values) if len(own) == 4)
    case = ward.case(index)
    parts = predictor.value_parts(numbering(case))
    [prediction] = predict(case)
    for position, finding in enumerate(prediction.findings):
        head = predictor._model.heads[CLINICAL]
        own = predictor._model.calibrations[CLINICAL]
        base = own.apply(head.bias)[position]
        logit = base + sum(parts[finding.finding].values())
        assert sigmoid(logit) == pytest.approx(finding.modalities[CLINICAL], abs=1e-6)
    assert set(parts["Finding A"]) == set(ward.values[index])


def test_a_version_from_before_the_values_serves_and_is_a_parent(make_world, make_rounds):
    world = make_world(cases=240, findings=3)
    rounds = make_rounds(world)
    before, _ = rounds.train(world.table())
    ward = Ward(world)
    predictor = rounds.load(before)
    assert predictor.modalities == ("image", "text")
    assert predictor.predict([world.case(0)])[0].findings[0].fused is not None
    after, result = rounds.train(world.table(), number=2, parent=before)
    assert rounds.load(after).modalities == ("image", "text", CLINICAL)
    assert result.gate.reason != "gate.incomparable"
    assert ward.values


def test_the_encoder_joins_an_open_cache_without_torch_features(tmp_path):
    from mmreview.domain.cases import Case, Partition

    case = Case(
        key=1, id="1", group="1", partition=Partition.TRAIN, images=(), report=None,
        metadata={"age": 50, "spo2": 90},
    )
    features = EncodedFeatures(folder=tmp_path / "features", root=tmp_path, device="cpu")
    assert features.modalities == ("image", "text")
    assert features.missing([case]) == []
    features.join(CLINICAL)
    features.join(CLINICAL)
    assert features.modalities == ("image", "text", CLINICAL)
    assert features.missing([case]) == [case]
    list(features.encode([case]))
    rows, there = features.matrix(CLINICAL, [case.hashes(CLINICAL), ()])
    assert there.tolist() == [True, False]
    np.testing.assert_array_equal(rows[0], encoded(case.clinical))
    assert case.hashes(CLINICAL) == (values_sha256({"age": 50.0, "oxygen_saturation": 90.0}),)
