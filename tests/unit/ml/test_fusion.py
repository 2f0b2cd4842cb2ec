"""The fusions on held-out evidence with known truth: whom they trust, and that sums are exact."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mmreview.domain.predictions import sigmoid
from mmreview.domain.versions import LambdaChoice
from mmreview.ml.bundle import read
from mmreview.ml.fusion import FUSIONS, fusion_named
from mmreview.ml.fusion.additive import AdditiveFusion, Seen, soften
from mmreview.ml.fusion.fusing import Fusing, fit_each, subsets
from mmreview.ml.fusion.material import Inputs, Material, families_of
from mmreview.ml.fusion.soft import Soft, differences, pooled
from mmreview.ml.metrics import auroc


def made(signals, *, rows=300, seed=0, families=None, taught=None):
    """Calibrated evidence: ``signals[m][t]`` is how clearly modality m sees finding t (logits of
    a Gaussian score at that distance)."""
    rng = np.random.default_rng(seed)
    names = tuple(signals)
    findings = len(signals[names[0]])
    truth = (rng.random((rows, findings)) < 0.4).astype(float)
    evidence = {}
    for m in names:
        far = np.array(signals[m])
        score = truth * far + rng.standard_normal(truth.shape)
        evidence[m] = far * score - far**2 / 2
    groups = np.arange(rows) // 2
    taught = taught or {m: np.ones(findings, bool) for m in names}
    return Material(
        modalities=names,
        evidence={m: np.where(taught[m], evidence[m], 0.0) for m in names},
        truth=truth,
        prior=np.full(findings, np.log(0.4 / 0.6)),
        folds=(groups % 5).astype(np.int8),
        taught=taught,
        groups=groups,
        families=np.zeros(findings, int) if families is None else np.array(families),
        rows=np.arange(rows),
        inputs=behind(evidence, truth),
    )


def behind(evidence, truth, width=12):
    """Features that hold the evidence among noise."""
    features = {}
    for m, values in evidence.items():
        rng = np.random.default_rng(len(m))
        noise = rng.standard_normal((len(values), width - values.shape[1]))
        features[m] = np.hstack([values, noise]).astype(np.float32)
        if m != "values":  # the third modality has no parts
            parts = features[m][:, None] + rng.standard_normal((len(values), 4, width))
            features[f"{m}.parts"] = parts.reshape(len(values), 4 * width).astype(np.float16)
    return Inputs(
        features, {m: np.ones(truth.shape, np.float32) for m in evidence},
        part_widths={m: width for m in evidence if m != "values"},
    )


def seen(material, **changed):
    """What the fusion sees of the material's own cases, some evidence changed."""
    return Seen(
        {**material.evidence, **changed},
        np.broadcast_to(material.prior, material.truth.shape),
        material.inputs.features,
    )


ADDITIVE = [name for name, kind in FUSIONS.items() if kind.fitted is AdditiveFusion]
OTHERS = [name for name in FUSIONS if name not in ADDITIVE]


def fit(fusion, material, weight=None):
    work = fusion.fit(material, weight=weight or LambdaChoice())
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def served(fusion, material, others=()):
    """The fusion at work, fitted on its material (and on that of smaller sets)."""
    materials = {each.modalities: each for each in (material, *others)}
    work = fit_each(fusion, materials, weight=LambdaChoice())
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


@pytest.mark.parametrize("name", ADDITIVE)
def test_every_additive_fusion_is_an_exact_sum_of_its_shares(name):
    material = made({"image": [1.0, 0.5, 0.2], "text": [0.2, 0.5, 1.0], "values": [0.3] * 3})
    fused = served(fusion_named(name), material).combine(seen(material))
    total = fused.prior + sum(fused.shares[m] * fused.units[m] for m in material.modalities)
    assert np.abs(total - fused.logits).max() < 1e-12
    assert np.allclose(sum(fused.shares.values()), 1.0)
    assert np.allclose(fused.weights.sum(axis=1), 1.0)
    assert fused.complete.all()


@pytest.mark.parametrize("name", FUSIONS)
def test_every_fusion_leaves_a_single_modality_its_own_opinion(name):
    material = made({"image": [1.0, 0.5], "text": [0.2, 0.5]})
    prior = np.broadcast_to(material.prior, material.truth.shape)
    lacking = seen(material, text=np.full_like(material.truth, np.nan))
    fusing = served(fusion_named(name), material)
    fused = fusing.combine(lacking)
    assert np.array_equal(fused.logits, prior + material.evidence["image"])
    assert fused.weights.tolist() == [[float(fusing.additive), 0.0]] * len(prior)


def part_of(material, *names):
    """The material of some of the modalities."""
    return replace(
        material,
        modalities=names,
        evidence={m: material.evidence[m] for m in names},
        taught={m: material.taught[m] for m in names},
    )


@pytest.mark.parametrize("name", FUSIONS)
def test_a_case_gets_the_fit_of_exactly_what_it_has(name):
    material = made({"image": [1.0, 0.5], "text": [0.2, 0.5], "values": [0.8, 0.1]})
    pair = part_of(material, "image", "values")
    whole = served(fusion_named(name), material, [pair])
    lacking = seen(material, text=np.full_like(material.truth, np.nan))
    fused = whole.combine(lacking)
    alone = served(fusion_named(name), pair).combine(seen(pair))
    assert np.array_equal(fused.logits, alone.logits)
    assert not fused.complete.any()
    assert not fused.weights[:, 1].any()
    total = fused.prior + sum(fused.shares[m] * fused.units[m] for m in ("image", "values"))
    assert np.allclose(total, fused.logits, atol=1e-12)
    odd = np.arange(len(material.truth))[:, None] % 2 == 1
    mixed = seen(material, text=np.where(odd, material.evidence["text"], np.nan))
    assert np.allclose(whole.combine(mixed).logits[::2], alone.logits[::2], atol=1e-6)
    everything = whole.combine(seen(material)).logits
    assert np.allclose(whole.combine(mixed).logits[1::2], everything[1::2], atol=1e-6)


@pytest.mark.parametrize("name", FUSIONS)
def test_shapley_values_add_up_to_the_logit(name):
    material = made({"image": [1.0, 0.5], "text": [0.2, 0.5], "values": [0.8, 0.1]}, rows=120)
    others = [part_of(material, *names) for names in subsets(material.modalities)[1:]]
    fusing = served(fusion_named(name), material, others)
    cases = seen(material)
    logits = fusing.value(material.modalities, cases)
    assert np.allclose(logits, fusing.combine(cases).logits)
    parts = fusing.shapley(material.modalities, cases)
    assert np.abs(cases.prior + sum(parts.values()) - logits).max() < 1e-9
    alone = fusing.shapley(("text",), cases)["text"]
    assert np.allclose(alone, material.evidence["text"], atol=1e-12)


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_weighted_sum_is_explained_by_shapley_values(name):
    material = made({"image": [1.0, 0.5], "text": [0.2, 0.5]}, rows=120)
    fusing = served(fusion_named(name), material)
    fused = fusing.combine(seen(material))
    total = fused.prior + sum(fused.shares[m] * fused.units[m] for m in material.modalities)
    assert np.abs(total - fused.logits).max() < 1e-9
    assert not fused.complete.any()
    image, text = fused.units["image"], fused.units["text"]
    swapped = (image - text) - (material.evidence["image"] - material.evidence["text"])
    assert np.abs(swapped).max() < 1e-9  # of two, each gets its own and half of the rest
    assert fusing.whole.weights == {}
    again = Fusing.restored(FUSIONS[name].fitted, fusing.modalities, fusing.tensors())
    assert np.allclose(again.combine(seen(material)).logits, fused.logits)
    turned = fusing.rearranged(np.array([1, 0]))
    back = {m: e[:, ::-1] for m, e in material.evidence.items()}
    cases = Seen(back, seen(material).prior[:, ::-1], material.inputs.features)
    assert np.allclose(turned.combine(cases).logits, fused.logits[:, ::-1])


def test_votes_are_counted_where_there_is_a_head():
    taught = {"image": np.array([True, True]), "text": np.array([False, True])}
    material = made({"image": [0.5, 0.5], "text": [2.0, 2.0]}, taught=taught)
    fused = sigmoid_of(served(fusion_named("vote"), material).combine(seen(material)).logits)
    own = {m: sigmoid_of(seen(material).prior + e) for m, e in material.evidence.items()}
    assert np.allclose(fused[:, 0], own["image"][:, 0])
    assert np.allclose(fused[:, 1], (own["image"] + own["text"])[:, 1] / 2)


def sigmoid_of(logits):
    return 1 / (1 + np.exp(-logits))


def test_a_set_without_a_fit_shares_the_weights_of_the_whole():
    material = made({"image": [1.0, 0.5], "text": [0.2, 0.5], "values": [0.8, 0.1]})
    prior = np.broadcast_to(material.prior, material.truth.shape)
    fusing = served(Soft(), material)
    fused = fusing.combine(seen(material, values=np.full_like(material.truth, np.nan)))
    own = fusing.whole.own_shares()[:2]
    assert np.allclose(fused.shares["image"], own[0] / own.sum(axis=0))
    total = prior + sum(fused.shares[m] * material.evidence[m] for m in ("image", "text"))
    assert np.allclose(total, fused.logits)


def test_a_bundle_s_tensors_bring_every_fit_back():
    material = made({"image": [1.0, 0.5], "text": [0.2, 0.5], "values": [0.8, 0.1]})
    fusing = served(Soft(), material, [part_of(material, "text", "values")])
    again = Fusing.restored(AdditiveFusion, fusing.modalities, fusing.tensors())
    assert list(again.fits) == list(fusing.fits)
    for names, found in again.fits.items():
        assert np.array_equal(found.own_shares(), fusing.fits[names].own_shares())
        assert found.weights == fusing.fits[names].weights
    older = {k: v for k, v in fusing.tensors().items() if not k.startswith("only.")}
    old = Fusing.restored(AdditiveFusion, fusing.modalities, older)
    assert list(old.fits) == [fusing.modalities]


def test_a_weight_by_hand_is_the_first_modality_s():
    material = made({"image": [1.0], "text": [0.2], "values": [0.8]})
    others = [part_of(material, "image", "values"), part_of(material, "text", "values")]
    materials = {each.modalities: each for each in (material, *others)}
    work = fit_each(Soft(), materials, weight=LambdaChoice("manual", 0.4))
    with pytest.raises(StopIteration) as done:
        while True:
            next(work)
    weights = {names: found.weights for names, found in done.value.value.fits.items()}
    assert weights["image", "text", "values"] == pytest.approx(
        {"image": 0.4, "text": 0.3, "values": 0.3}
    )
    assert weights["image", "values"] == pytest.approx({"image": 0.4, "values": 0.6})
    assert weights["text", "values"] == pytest.approx({"text": 0.5, "values": 0.5})


@pytest.mark.parametrize("name", ADDITIVE)
def test_every_additive_fusion_obeys_a_weight_set_by_hand(name):
    material = made({"image": [1.0, 0.5], "text": [0.2, 0.5]})
    fitted = fit(fusion_named(name), material, LambdaChoice("manual", 0.3))
    assert fitted.weights == pytest.approx({"image": 0.3, "text": 0.7})
    assert np.allclose(fitted.own_shares(), [[0.3] * 2, [0.7] * 2])


@pytest.mark.parametrize("name", ADDITIVE)
def test_every_additive_fusion_lives_without_a_labelled_case(name):
    material = made({"image": [1.0], "text": [1.0]}, rows=0)
    fitted = fit(fusion_named(name), material)
    assert fitted.weights == pytest.approx({"image": 0.5, "text": 0.5})
    assert np.allclose(fitted.gain, 1.0)
    assert np.allclose(fitted.bias, 0.0)


def test_soft_trusts_each_finding_s_better_modality():
    material = made({"image": [2.0, 0.1, 1.0], "text": [0.1, 2.0, 1.0]}, rows=600)
    shares = fit(Soft(), material).own_shares()
    assert shares[0, 0] > 0.95
    assert shares[0, 1] < 0.05
    assert 0.1 < shares[0, 2] < 0.9


def test_soft_lets_a_family_speak_for_a_finding_with_few_labels():
    signals = {"image": [1.2] * 6, "text": [0.3] * 6}
    material = made(signals, rows=400)
    material.truth[12:, 5] = np.nan
    alone = np.array([0, 0, 0, 0, 0, 1])
    together = fit(Soft(), material).own_shares()[0, 5]
    apart = fit(Soft(), replace(material, families=alone)).own_shares()[0, 5]
    assert together > 0.9
    assert abs(apart - 0.5) < abs(together - 0.5)


def test_soft_hears_only_modalities_that_have_a_head():
    taught = {"image": np.array([True, True]), "text": np.array([False, True])}
    material = made({"image": [0.5, 0.5], "text": [2.0, 2.0]}, taught=taught)
    shares = fit(Soft(), material).own_shares()
    assert shares[:, 0].tolist() == [1.0, 0.0]
    assert shares[1, 1] > 0.9


def test_two_patients_with_a_finding_are_a_sample_of_two():
    material = made({"image": [1.0, 1.0], "text": [0.5, 0.5]}, rows=200)
    gaps = np.random.default_rng(1).standard_normal(material.truth.shape)
    material.truth[:] = 0.0
    material.truth[:4, 0] = 1.0  # two patients
    material.truth[:2, 1] = 1.0  # one
    means, variances = differences(gaps, material)
    assert variances[1] == np.inf
    assert np.isnan(means[1])
    many = material.truth.copy()
    many[4:80:2, 0] = 1.0
    entropy = [-r * np.log(r) - (1 - r) * np.log(1 - r) for r in (4 / 200, many[:, 0].mean())]
    _, less = differences(gaps, replace(material, truth=many))
    assert variances[0] * entropy[0] ** 2 > 1.9 * less[0] * entropy[1] ** 2


def test_a_finding_without_an_estimate_takes_its_family_s():
    means, spread = pooled(
        np.array([0.2, 0.3, 0.25, np.nan]), np.array([0.01, 0.01, 0.01, np.inf]), np.zeros(4, int)
    )
    assert means[3] == pytest.approx(0.25)
    assert np.isfinite(spread).all()
    nothing, wide = pooled(np.array([np.nan]), np.array([np.inf]), np.zeros(1, int))
    assert nothing.tolist() == [0.0]
    assert wide.tolist() == [1.0]


def test_mixture_adds_up_what_complements_and_soft_does_not():
    material = made({"image": [1.0] * 6, "text": [0.7] * 6}, rows=400)
    unseen = made({"image": [1.0] * 6, "text": [0.7] * 6}, rows=2000, seed=9)
    gain = {name: fused_gain(fusion_named(name), material, unseen) for name in FUSIONS}
    assert gain["mixture"] > 0.03
    assert gain["mixture"] > gain["soft"] + 0.01
    assert gain["mixture"] > gain["average"] - 0.005


def test_evidence_is_softened_towards_the_prior_and_only_where_it_is_doubted():
    prior, doubt = np.array([[-1.0, 0.5]]), np.array([0.0, 0.3])
    strong = soften(np.array([[9.0, 9.0]]), prior, doubt)
    assert strong[0, 0] == 9.0
    chance = 0.7 * sigmoid(9.5) + 0.3 * sigmoid(0.5)
    assert strong[0, 1] == pytest.approx(np.log(chance / (1 - chance)) - 0.5)
    assert np.allclose(soften(np.zeros((1, 2)), prior, doubt), 0.0)
    assert np.isfinite(soften(np.array([[800.0, -800.0]]), prior, doubt)).all()
    steps = soften(np.linspace(-9, 9, 50)[:, None] + np.zeros(2), np.repeat(prior, 50, 0), doubt)
    assert (np.diff(steps, axis=0) > 0).all()


def test_mixture_doubts_what_it_adds_up():
    material = made({"image": [1.0] * 6, "text": [0.7] * 6}, rows=400)
    fitted = fit(fusion_named("mixture"), material)
    again = AdditiveFusion.restored(material.modalities, fitted.tensors())
    assert fitted.doubt.min() > 0.1
    assert np.array_equal(again.doubt, fitted.doubt)
    by_hand = fit(fusion_named("mixture"), material, LambdaChoice("manual", 0.3))
    assert by_hand.doubt is None
    signals = {"image": [1.2] * 6, "text": [0.0] * 6}
    assert fit(fusion_named("mixture"), made(signals, rows=200)).doubt.max() < 0.02


def test_mixture_stays_with_the_one_that_knows():
    signals = {"image": [1.2] * 6, "text": [0.0] * 6}
    material, unseen = made(signals, rows=200), made(signals, rows=2000, seed=9)
    assert abs(fused_gain(fusion_named("mixture"), material, unseen)) < 0.001


def fused_gain(fusion, material, unseen):
    """The mean difference in AUROC of the fused opinion and the better modality."""
    fused = served(fusion, material).combine(seen(unseen)).logits
    gaps = []
    for t in range(unseen.truth.shape[1]):
        own = [auroc(unseen.truth[:, t], e[:, t]) for e in unseen.evidence.values()]
        gaps.append(auroc(unseen.truth[:, t], fused[:, t]) - max(own))
    return float(np.mean(gaps))


@pytest.mark.parametrize("name", ["weighted", "stacking"])
def test_late_fusions_hear_what_each_modality_explains(name):
    signals = {"image": [2.0, 0.1], "text": [0.1, 2.0]}
    material, unseen = made(signals, rows=600), made(signals, rows=2000, seed=9)
    assert fused_gain(fusion_named(name), material, unseen) > -0.003


def test_the_average_is_weighted_by_skill():
    material = made({"image": [2.0, 0.1], "text": [0.1, 2.0]}, rows=600)
    shares = fit(fusion_named("weighted"), material).own_shares()
    assert shares[0, 0] > 0.9
    assert shares[1, 1] > 0.9


def test_stacking_starts_from_equal_weights():
    material = made({"image": [1.0], "text": [1.0]}, rows=8)
    shares = fit(fusion_named("stacking"), material).own_shares()
    assert 0.3 < shares[0, 0] < 0.7


def test_small_families_join_the_rest():
    names = ("Lung", "Lung", "Lung", "Heart", "", "Lung")
    assert families_of(names, 6).tolist() == [1, 1, 1, 0, 0, 1]
    assert families_of((), 2).tolist() == [0, 0]


def test_a_version_serves_and_tells_each_finding_s_own_weight(make_world, make_rounds):
    world = make_world(signal={"image": 1.0, "text": 0.6})
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table(), fusion="soft")
    predictor = rounds.load(version)
    card = json.loads((rounds.folder / version.folder / "card.json").read_text())
    prediction = predictor.predict([world.case(0)])[0]
    assert prediction.weights == predictor.weights
    own = [finding.weights for finding in prediction.findings]
    assert own == list(card["lambda"]["per_finding"].values())
    assert np.mean([w["image"] for w in own]) == pytest.approx(prediction.weights["image"])
    for finding in prediction.findings:
        logit = finding.prior + sum(finding.contributions.values())
        assert finding.fused == pytest.approx(sigmoid(logit), abs=1e-12)
        for m, contribution in finding.contributions.items():
            assert contribution == finding.weights[m] * finding.units[m]


def test_a_soft_version_teaches_the_next_with_other_findings(make_world, make_rounds):
    world = make_world()
    rounds = make_rounds(world)
    first, _ = rounds.train(world.table(), fusion="soft")
    turned = rounds.findings = tuple(reversed(world.findings))
    table = world.table(targets=world.truth[:, ::-1].copy(), seq=2)
    second, result = rounds.train(table, number=2, parent=first, fusion="soft")
    assert result.gate.accepted
    before, after = (rounds.load(v).predict([world.case(3)])[0] for v in (first, second))
    known = {f.finding: f for f in before.findings}
    for finding in after.findings:
        assert finding.fused == pytest.approx(known[finding.finding].fused, abs=0.05)
    assert turned == tuple(f.finding for f in after.findings)


def test_a_round_fits_each_set_of_modalities_that_enough_cases_have(make_world, make_rounds):
    signal = {"image": 0.6, "text": 0.6, "values": 0.8}
    world = make_world(cases=240, signal=signal, widths={"image": 12, "text": 10, "values": 6})
    for i in range(0, 100):
        world.hashes["values"][i] = ()
    for i in range(100, 115):
        world.hashes["text"][i] = ()
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table(), fusion="mixture")
    model = read(
        rounds.folder / version.folder, version=version.id, sha256=version.sha256
    ).models[0]
    assert list(model.fusion.fits) == [
        ("image", "text", "values"), ("image", "text"), ("image", "values"), ("text", "values")
    ]
    features = {m: world.matrices[m][:60] for m in signal}
    present = {m: np.array([bool(own) for own in world.hashes[m][:60]]) for m in signal}
    opinions = model.opinions(features, present)
    assert not np.isnan(opinions.fused.logits).any()
    pair = model.fusion.fits["image", "text"].own_shares()
    assert np.array_equal(opinions.fused.shares["image"][0], pair[0])
    alone = {**present, "text": np.zeros(60, bool)}
    single = model.opinions(features, alone)
    assert np.array_equal(single.fused.logits, single.logits["image"])
