"""A round of training, from labels with known truth to a bundle: what must always hold."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file
from threadpoolctl import threadpool_info, threadpool_limits

from mmreview.domain.cases import Partition
from mmreview.domain.errors import BundleInvalid, FeaturesMissing, MmreviewError, TooFewLabels
from mmreview.domain.predictions import jensen_shannon_bits, sigmoid
from mmreview.domain.versions import LambdaChoice
from mmreview.ml import bundle as bundles
from mmreview.ml import device as devices
from mmreview.ml.champion import unseen
from mmreview.ml.fusion import AUTO, FUSIONS, reads_parts
from mmreview.ml.fusion.additive import AdditiveFusion
from mmreview.ml.plans import HeadPlan
from mmreview.ml.recipe import Ancestor, Recipe
from mmreview.ml.samples import gather
from mmreview.ml.search import Candidate, choose
from mmreview.services.learning import DEFAULT_FUSION


def test_contributions_add_up_exactly(make_world, make_rounds):
    world = make_world()
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table(), weight=LambdaChoice("manual", 0.3))
    for prediction in rounds.load(version).predict([world.case(i) for i in range(40)]):
        assert prediction.reweightable
        assert prediction.weights == {"image": 0.3, "text": 0.7}
        for finding in prediction.findings:
            logit = finding.prior + sum(finding.contributions.values())
            assert finding.fused == pytest.approx(sigmoid(logit), abs=1e-9)
            for m, contribution in finding.contributions.items():
                assert contribution == prediction.weights[m] * finding.units[m]
            assert finding.conflict == jensen_shannon_bits(*finding.modalities.values())
        same = prediction.reweighted(prediction.weights)
        for before, after in zip(prediction.findings, same.findings, strict=True):
            assert after.fused == pytest.approx(before.fused, abs=1e-12)


@pytest.mark.parametrize("name", [n for n in FUSIONS if not reads_parts(n)])
def test_any_fusion_makes_a_version_that_explains_itself(
    make_world, make_rounds, bundle_digest, name
):
    world = make_world(cases=120)
    world.hashes["text"][1] = ()
    rounds, again = make_rounds(world, "a"), make_rounds(world, "b")
    version, result = rounds.train(world.table(), fusion=name)
    same, _ = again.train(world.table(), fusion=name)
    assert bundle_digest(rounds.folder / version.folder) == bundle_digest(
        again.folder / same.folder
    )
    assert result.metrics["auroc"]["fused"] > 0.7
    weighs = FUSIONS[name].fitted is AdditiveFusion
    predictor = rounds.load(version)
    assert bool(predictor.weights) is weighs
    whole, alone = predictor.predict([world.case(0), world.case(1)])
    assert whole.reweightable is weighs
    assert bool(whole.weights) is weighs
    for finding in whole.findings:
        logit = finding.prior + sum(finding.contributions.values())
        assert finding.fused == pytest.approx(sigmoid(logit), abs=1e-6)
    assert all(f.fused == f.modalities["image"] for f in alone.findings)
    second, judged = rounds.train(world.table(seq=2), number=2, parent=version, fusion=name)
    assert judged.gate.log_loss_difference == pytest.approx(0.0, abs=0.01)
    assert rounds.load(second).fusion == name


def test_a_fusion_that_reads_parts_says_what_is_missing_and_serves_with_them(
    make_world, make_rounds
):
    world = make_world(cases=120)
    rounds = make_rounds(world)
    rounds.trainer.prepare("mixture")
    assert not world.features.wanted
    rounds.trainer.prepare("attention")
    assert world.features.wanted
    world.add_parts(missing=7)
    with pytest.raises(MmreviewError) as caught:
        rounds.train(world.table(), fusion="attention")
    assert (caught.value.code, caught.value.params["count"]) == ("error.parts_missing", 7)
    world.add_parts()
    for number, name in enumerate(("attention", "bilinear"), start=1):
        version, result = rounds.train(world.table(), number=number, fusion=name)
        assert result.metrics["auroc"]["fused"] > 0.7
        whole = rounds.load(version).predict([world.case(0)])[0]
        assert not whole.reweightable
        for finding in whole.findings:
            logit = finding.prior + sum(finding.contributions.values())
            assert finding.fused == pytest.approx(sigmoid(logit), abs=1e-6)
        world.features.prints["text.parts"] = "another"
        with pytest.raises(BundleInvalid) as refused:
            rounds.load(version)
        assert refused.value.code == "error.bundle_other_encoder"
        world.features.prints["text.parts"] = "print-of-text.parts"


def test_predicting_with_a_network_needs_no_torch(make_world, make_rounds):
    world = make_world(cases=80)
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table(), fusion="gmu")
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from mmreview.ml.bundle import read\n"
        "import numpy as np\n"
        f"model = read(Path({str(rounds.folder / version.folder)!r}), version=1,"
        f" sha256={version.sha256!r}).models[0]\n"
        "x = {m: np.zeros((1, len(h.weights)), np.float32) for m, h in model.heads.items()}\n"
        "there = {m: np.ones(1, bool) for m in x}\n"
        "assert np.isfinite(model.opinions(x, there).fused.logits).all()\n"
        "print('torch' in sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.stdout.strip() == "False", found.stderr


def test_one_modality_alone_is_the_fused_opinion(make_world, make_rounds):
    world = make_world()
    for i in range(20):
        world.hashes["text"][i] = ()
    world.hashes["image"][20] = ()
    world.hashes["image"][21] = world.hashes["text"][21] = ()
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table())
    image, text, nothing = rounds.load(version).predict([world.case(i) for i in (0, 20, 21)])
    for prediction, there, absent in ((image, "image", "text"), (text, "text", "image")):
        assert not prediction.reweightable
        assert prediction.weights == {there: 1.0, absent: 0.0}
        for finding in prediction.findings:
            assert finding.fused == finding.modalities[there]
            assert finding.modalities[absent] is None
            assert finding.conflict is None
            assert finding.prior + finding.contributions[there] == pytest.approx(
                np.log(finding.fused / (1 - finding.fused)), abs=1e-6
            )
            assert absent not in finding.units
    assert all(f.fused is None and not f.contributions for f in nothing.findings)


def test_an_absent_report_leaves_the_image_head_as_it_is(make_world, make_rounds):
    world = make_world()
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table())
    predictor = rounds.load(version)
    whole = predictor.predict([world.case(3)])[0]
    world.hashes["text"][3] = ()
    alone = predictor.predict([world.case(3)])[0]
    for before, after in zip(whole.findings, alone.findings, strict=True):
        assert after.modalities["image"] == before.modalities["image"] == after.fused


def test_the_same_snapshot_gives_the_same_bytes(make_world, make_rounds, bundle_digest):
    world = make_world()
    digests, hashes = [], []
    for folder in ("a", "b"):
        rounds = make_rounds(world, folder)
        first, _ = rounds.train(world.table())
        second, result = rounds.train(world.table(seq=2), number=2, parent=first)
        digests.append([bundle_digest(rounds.folder / v.folder) for v in (first, second)])
        hashes.append((first.sha256, result.sha256))
    assert digests[0] == digests[1]
    assert hashes[0] == hashes[1]


def test_scoring_beside_a_round_changes_no_bit_of_it(make_world, make_rounds):
    """Sums go by the number of threads, so scoring must not change it while a round runs."""
    world = make_world(cases=80)
    rounds = make_rounds(world)

    def products():
        return {i["num_threads"] for i in threadpool_info() if i["user_api"] == "blas"}

    with threadpool_limits(2, user_api="blas"):
        work = rounds.trainer.train(rounds.request(world.table()))
        next(work)
        with devices.split_over_threads():
            assert products() == {2}
        work.close()
        with devices.split_over_threads():
            assert products() == {1}


def test_cancelling_leaves_nothing(make_world, make_rounds):
    world = make_world()
    rounds = make_rounds(world)
    for number in (1, 2):  # the second finds its features prepared, as those that are cancelled
        rounds.run(rounds.request(world.table(), number=number))
    steps = len(rounds.steps)
    for stop in (1, steps // 2, steps):
        work = rounds.trainer.train(rounds.request(world.table(), number=7))
        for _ in range(stop):
            next(work)
        work.close()
        assert sorted(path.name for path in rounds.folder.iterdir()) == ["00001", "00002"]


def test_steps_tell_how_far_it_is_and_how_well(make_world, make_rounds):
    world = make_world()
    rounds = make_rounds(world)
    rounds.train(world.table())
    fractions = [step.fraction for step in rounds.steps]
    assert fractions == sorted(fractions)
    assert fractions[0] >= 0
    assert fractions[-1] <= 1
    assert len({step.phase for step in rounds.steps}) == 5
    live = [step for step in rounds.steps if step.loss is not None]
    assert [step.iteration for step in live] == list(range(len(live)))
    assert live[-1].loss < live[0].loss
    assert live[-1].held_out_loss < live[0].held_out_loss
    assert live[-1].loss < live[-1].held_out_loss


def test_a_warm_start_is_short(make_world, make_rounds):
    world = make_world(cases=800)
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table())
    cold = rounds.fit_iterations
    corrected = np.zeros(world.truth.shape, bool)
    corrected[::100, 0] = True
    targets = np.where(corrected, 1 - world.truth, world.truth).astype(np.float32)
    table = world.table(targets=targets, corrected=corrected, seq=2)
    rounds.train(table, number=2, parent=version)
    assert rounds.fit_iterations < cold
    live = [step.loss for step in rounds.steps if step.loss is not None]
    assert live[0] < 1.05 * live[-1]


@pytest.mark.parametrize("fusion", ["pooling", Recipe.fusion])
def test_fused_is_not_worse_than_the_better_modality(make_world, make_rounds, fusion):
    for signal in ({"image": 1.0, "text": 1.0}, {"image": 1.2, "text": 0.0}):
        world = make_world(cases=500, signal=signal, seed=3)
        _, result = make_rounds(world, str(signal["text"])).train(world.table(), fusion=fusion)
        auroc = result.metrics["auroc"]
        assert auroc["fused"] >= max(auroc["image"], auroc["text"]) - 0.01
        if signal["text"]:
            assert auroc["fused"] > max(auroc["image"], auroc["text"]) + 0.02


@pytest.mark.parametrize("mode", ["cv", "learned"])
def test_lambda_moves_to_the_modality_that_knows(make_world, make_rounds, mode):
    weights = []
    for index, signal in enumerate(({"image": 1.2, "text": 0.0}, {"image": 0.0, "text": 1.2})):
        world = make_world(cases=400, signal=signal)
        rounds = make_rounds(world, str(index))
        version, _ = rounds.train(world.table(), weight=LambdaChoice(mode))
        predictor = rounds.load(version)
        serving = predictor.weights_cv if mode == "cv" else predictor.weights_learned
        assert predictor.weights == serving
        assert sum(serving.values()) == pytest.approx(1)
        weights.append(serving["image"])
    assert weights[0] > 0.6 > 0.4 > weights[1]


def test_audit_and_control_labels_never_teach(make_world, make_rounds):
    world = make_world(audit=0.1)
    world.partitions = tuple(
        Partition.CONTROL if i % 10 == 9 else p for i, p in enumerate(world.partitions)
    )
    untaught = np.array([p is not Partition.TRAIN for p in world.partitions])
    flipped = np.where(untaught[:, None], 1 - world.truth, world.truth).astype(np.float32)
    bundles = []
    for folder, targets in (("a", world.truth), ("b", flipped)):
        rounds = make_rounds(world, folder)
        version, result = rounds.train(world.table(targets=targets))
        assert result.metrics["basis"] == "audit"
        bundles.append((rounds.folder / version.folder / "model.safetensors").read_bytes())
    assert bundles[0] == bundles[1]


def test_a_basis_teaches_only_its_modality(make_world, make_rounds):
    world = make_world()
    basis = np.full(world.truth.shape, 3, np.int8)
    basis[:, 1] = 1  # the second finding rests on the image only
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table(basis=basis))
    finding = rounds.load(version).predict([world.case(0)])[0].findings[1]
    assert finding.units["text"] == 0
    assert finding.units["image"] != 0
    assert finding.conflict is None


def test_a_label_on_one_basis_leaves_the_other_head_alone(make_world, make_rounds):
    world = make_world()
    basis = np.full(world.truth.shape, 3, np.int8)
    basis[:30, 1] = 1
    turned = world.truth.copy()
    turned[:30, 1] = 1 - turned[:30, 1]
    rounds = make_rounds(world)
    parent, _ = rounds.train(world.table(basis=basis))  # gives both the same folds
    heads = []
    for number, targets in ((2, world.truth), (3, turned)):
        table = world.table(targets=targets, basis=basis)
        version, _ = rounds.train(table, number=number, parent=parent)
        heads.append(load_file(rounds.folder / version.folder / "model.safetensors"))
    for twin in range(6):
        image, text = f"{twin}.image.weights", f"{twin}.text.weights"
        assert np.array_equal(heads[0][text], heads[1][text])
        assert not np.array_equal(heads[0][image], heads[1][image])


def test_findings_with_few_or_no_labels(make_world, make_rounds):
    world = make_world()
    targets = world.truth.copy()
    targets[:, 1] = np.nan  # nobody ever labels it
    targets[:, 2] = 0  # never present
    targets[2:, 3] = np.nan  # two labels
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table(targets=targets))
    for prediction in rounds.load(version).predict([world.case(i) for i in range(5)]):
        _, nobody, never, two = prediction.findings
        assert nobody.fused is None
        assert set(nobody.modalities.values()) == {None}
        assert nobody.conflict is None
        assert never.fused == pytest.approx(0.5 / 301, rel=0.01)
        assert set(never.units.values()) == {0.0}
        assert two.fused is not None
        assert two.conflict is None


def test_too_few_labels_say_how_many_are_missing(make_world, make_rounds):
    world = make_world()
    targets = np.full_like(world.truth, np.nan)
    targets[:6, 0] = [1, 1, 1, 0, 0, 0]
    with pytest.raises(TooFewLabels) as refused:
        make_rounds(world).train(world.table(targets=targets))
    assert refused.value.params["needed"] == 4
    empty = world.table(rows=np.arange(0))
    with pytest.raises(TooFewLabels) as refused:
        make_rounds(world).train(empty)
    assert refused.value.params["needed"] == 10


def test_nothing_encoded_is_said(make_world, make_rounds):
    world = make_world()
    world.hashes = {m: [()] * len(world.truth) for m in world.hashes}
    with pytest.raises(FeaturesMissing):
        make_rounds(world).train(world.table())


def test_the_default_of_the_project_is_the_recipe_s():
    assert Recipe.fusion == DEFAULT_FUSION


def test_an_unknown_fusion_is_refused(make_world, make_rounds):
    world = make_world()
    with pytest.raises(MmreviewError) as refused:
        make_rounds(world).train(world.table(), fusion="alchemy")
    assert "pooling" in refused.value.params["known"]


def test_bad_features_are_lived_with(make_world, make_rounds):
    world = make_world()
    world.matrices["image"][5] = np.nan
    world.matrices["image"][:, 3] = 7.0  # never varies
    world.matrices["text"][:] = 1.0  # all reports identical
    rounds = make_rounds(world)
    version, result = rounds.train(world.table())
    prediction = rounds.load(version).predict([world.case(5), world.case(6)])
    assert prediction[0].findings[0].modalities["image"] is None
    assert all(0 < f.fused < 1 for p in prediction for f in p.findings)
    assert result.metrics["auroc"]["fused"] > 0.75


def test_one_patient_only_still_trains(make_world, make_rounds):
    world = make_world(cases=60)
    world.groups = ("the only one",) * 60
    _, result = make_rounds(world).train(world.table())
    assert result.metrics["auroc"]["fused"] is not None


def test_three_modalities_need_no_other_code(make_world, make_rounds):
    signal = {"image": 0.8, "text": 0.8, "values": 0.8}
    world = make_world(signal=signal, widths={"image": 30, "text": 20, "values": 5})
    rounds = make_rounds(world)
    _, result = rounds.train(world.table())
    assert set(result.metrics["auroc"]) == {"fused", "image", "text", "values"}
    assert result.metrics["auroc"]["fused"] > max(
        result.metrics["auroc"][m] for m in signal
    )


def test_a_round_may_search_for_its_best_model(make_world, make_rounds, monkeypatch):
    monkeypatch.delitem(FUSIONS, "gmu")  # its networks would take most of the time
    world = make_world(cases=120, findings=2)
    world.features.pieces = lambda m: (("first", 20), ("second", 20)) if m == "image" else ()
    rounds = make_rounds(world)
    version, result = rounds.train(world.table(), fusion=AUTO)
    fractions = [step.fraction for step in rounds.steps]
    assert fractions == sorted(fractions)
    assert "training.phase.searching" in {step.phase for step in rounds.steps}
    table = json.loads(json.dumps(result.metrics["search"], allow_nan=False))
    assert result.fusion == table["chosen"] == rounds.load(version).fusion
    assert table["default"] == Recipe.fusion
    assert (table["cases"], table["groups"], table["folds"]) == (120, 60, 5)
    usual = {"freedom": 1.0, "without": []}
    plans = [usual, *({"freedom": freedom, "without": []} for freedom in (3.0, 1 / 3)),
             *({"freedom": 1.0, "without": [f"image.{part}"]} for part in ("first", "second"))]
    rows = table["rows"]
    tried = [row for row in rows if row["plan"] is not None]
    assert {row["fusion"] for row in tried if row["plan"] == usual} == {
        name for name in FUSIONS if not reads_parts(name)  # there are no parts
    }
    assert [p for p in plans if not any(row["plan"] == p for row in tried)] == []
    assert all(row["plan"] in plans for row in tried)
    assert len(tried) == table["tried"]
    assert [row["fusion"] for row in rows if row["plan"] is None] in (
        ["image", "text"], ["text", "image"]
    )
    losses = [row["log_loss"] for row in tried]
    assert losses == sorted(losses)
    [chosen] = [r for r in tried if (r["fusion"], r["plan"]) == (table["chosen"], table["plan"])]
    assert chosen["difference"]["log_loss"] == [0.0, 0.0, 0.0]
    for row in rows:
        low, high = row["intervals"]["auroc"]
        assert low <= row["auroc"] <= high
    assert len(table["picked"]) == 5
    assert {"auroc", "log_loss"} <= set(table["searched"]["difference"])
    assert table["reason"] in ("search.kept", "search.found", "search.unproved")
    card = json.loads((rounds.folder / version.folder / "card.json").read_text())
    assert card["fusion"] == table["chosen"]
    assert card["plan"] == table["plan"]
    assert card["metrics"]["search"] == table


def test_a_search_leaves_out_what_reads_parts_that_some_cases_lack(make_world, make_rounds):
    world = make_world(cases=60, findings=2)
    world.add_parts(missing=20)
    _, result = make_rounds(world).train(world.table(), fusion=AUTO)
    tried = {row["fusion"] for row in result.metrics["search"]["rows"]}
    assert "mixture" in tried
    assert not [name for name in tried if reads_parts(name)]


def test_a_parent_is_measured_by_a_model_that_never_saw_the_patient(make_world, make_rounds):
    """Also on a new case of a patient of whom it saw another one."""
    world = make_world(cases=80)
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table(rows=np.arange(0, 80, 2)))
    bundle = bundles.read(rounds.folder / version.folder, version=1, sha256=version.sha256)
    ancestor = Ancestor(bundle.models, bundle.fold_of)
    samples = run(gather(world.features, world.table(), Partition.TRAIN))
    said = unseen(ancestor, samples)
    for row, key in enumerate(samples.keys.tolist()):
        one = samples.take(np.array([row]))
        twin = bundle.models[1 + bundle.fold_of[key - key % 2]]
        expected = twin.opinions(one.features, one.present).probabilities["fused"][0]
        np.testing.assert_allclose(said[row], expected, atol=1e-6)


def test_few_patients_prove_nothing(make_world, make_rounds):
    """However many cases they have, and however much better another candidate looks."""
    world = make_world(cases=60, findings=2)
    serving, other = Candidate("mixture"), Candidate("average")
    for patients, chosen in ((1, serving), (4, serving), (30, other)):
        world.groups = tuple(f"patient {i % patients}" for i in range(60))
        samples = run(gather(world.features, world.table(), Partition.TRAIN))
        even = np.full(samples.targets.shape, 0.5)
        better = np.where(samples.targets == 1, 0.6, 0.4)
        assert choose(samples, {serving: even, other: better}, serving) == chosen


def test_a_plan_leaves_a_part_of_the_features_out_and_stays(make_world, make_rounds):
    world = make_world()
    rounds = make_rounds(world)
    first, _ = rounds.train(world.table())
    plan = HeadPlan(freedom=3.0, without=("image.second",))
    folder = rounds.folder / first.folder
    bundle = bundles.read(folder, version=1, sha256=first.sha256)
    shutil.rmtree(folder)
    changed = replace(bundle, card={**bundle.card, "plan": plan.as_json()})
    parent = replace(first, sha256=bundles.write(changed, folder))
    second, _ = rounds.train(world.table(seq=2), number=2, parent=parent)
    [whole] = [h for m, h in rounds_model(rounds, second).heads.items() if m == "image"]
    width = world.features.width("image")
    assert np.abs(whole.weights[: width // 2]).min() > 0
    assert not whole.weights[width // 2 :].any()
    card = json.loads((rounds.folder / second.folder / "card.json").read_text())
    assert card["plan"] == plan.as_json()


def rounds_model(rounds, version):
    folder = rounds.folder / version.folder
    return bundles.read(folder, version=version.id, sha256=version.sha256).models[0]


def test_only_what_is_surely_better_replaces_what_serves(make_world, make_rounds):
    world = make_world(cases=200, findings=2)
    samples = run(gather(world.features, world.table(), Partition.TRAIN))
    truth = samples.targets.astype(float)
    rng = np.random.default_rng(0)

    def opinion(skill, noise=1.0):
        wobble = noise * rng.standard_normal(truth.shape)
        return sigmoid_of(skill * (2 * truth - 1) + wobble)

    serving, equal, better = Candidate("mixture"), Candidate("soft"), Candidate("stacking")
    tried = {serving: opinion(0.5), equal: opinion(0.5)}
    assert choose(samples, tried, serving) == serving
    assert choose(samples, {**tried, better: opinion(2.5)}, serving) == better
    assert choose(samples, {**tried, better: opinion(-2.5)}, serving) == serving


def sigmoid_of(z):
    return 1 / (1 + np.exp(-z))


def run(work):
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value


def test_metrics_are_json_and_tell_their_basis(make_world, make_rounds):
    world = make_world()
    _, result = make_rounds(world).train(world.table())
    found = json.loads(json.dumps(result.metrics, allow_nan=False))
    assert found["basis"] == "cross_validation"
    assert found["cases"] == 300
    assert set(found["per_finding"]) == set(world.findings)
    assert 0.5 < found["per_finding"]["Finding A"]["image"]["auroc"] < 1


def test_evaluate_gives_a_row_for_each_finding_and_opinion(make_world, make_rounds):
    world = make_world(cases=160)
    rounds = make_rounds(world)
    work = rounds.trainer.evaluate(
        world.table(), findings=world.findings, folds=4, seed=0, weight=LambdaChoice()
    )
    done = []
    while True:
        try:
            done.append(next(work).done)
        except StopIteration as finished:
            found = finished.value
            break
    assert done == sorted(done)
    assert (found["cases"], found["groups"], found["folds"]) == (160, 80, 4)
    quick = {name for name, kind in FUSIONS.items() if not kind.slow}
    opinions = {"fused", "image", "text", *(f"fusion:{n}" for n in quick - {Recipe.fusion})}
    rows = {(row["finding"], row["opinion"]): row for row in found["rows"]}
    assert len(rows) == len(found["rows"])
    assert set(rows) == {(f, o) for f in (*world.findings, "macro") for o in opinions}
    assert rows["macro", "fused"]["auroc"] > 0.85
    assert {"positives", "n", "auroc", "ap", "f1", "recall", "accuracy", "ece"} <= set(
        rows["Finding A", "image"]
    )


def told(work, steps):
    while True:
        try:
            step = next(work)
        except StopIteration as done:
            return done.value
        steps.append(step.done)
        yield step


def test_a_learning_curve_rises_with_the_labels(make_world, make_rounds):
    world = make_world(cases=240, findings=2)
    rounds = make_rounds(world)
    version, _ = rounds.train(world.table())
    request = rounds.request(world.table(seq=2), number=2, parent=version)
    work, steps = rounds.trainer.learning_curve(request), []
    found = json.loads(json.dumps(run(told(work, steps)), allow_nan=False))
    assert steps == sorted(steps)
    labels = [point["labels"] for point in found["points"]]
    assert labels == sorted(labels)
    assert labels[-1] == 2 * 240 * 4 / 5
    assert set(found["points"][0]["rows"]) == {"macro", *world.findings}
    curve = {o: [p["rows"]["macro"][o] for p in found["points"]] for o in ("fused", "image")}
    for points in curve.values():
        assert points[-1][0] > points[0][0]
        assert all(low <= value <= high for value, low, high in points)
    assert curve["fused"][-1][0] > curve["image"][-1][0]
