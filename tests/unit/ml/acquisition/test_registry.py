"""What holds of every policy: the port's promises on good and bad pools."""

import numpy as np
import pytest

from mmreview.domain.acquisition import PolicyNeedsVersion, PolicyNotFound
from mmreview.ml.acquisition import POLICIES

NEED_NOTHING = ("random", "typicality", "coreset", "hybrid")
NEED_VERSION = sorted(set(POLICIES) - set(NEED_NOTHING))
#: These offer what they are about and nothing else.
CHOOSY = ("label_error", "wrong_pair", "conflict")
ALWAYS = sorted(set(POLICIES) - set(CHOOSY))
LOOK = sorted(set(ALWAYS) - {"random"})


def keys(chosen):
    return [choice.key for choice in chosen]


@pytest.fixture
def asking(ask):
    asking = ask(cases=260)
    asking.train()
    return asking


def test_an_unknown_policy_is_named_with_those_there_are(ask):
    with pytest.raises(PolicyNotFound) as caught:
        ask(cases=20, labelled=5).rank("best")
    assert caught.value.params["policy"] == "best"
    assert "margin" in caught.value.params["known"]


@pytest.mark.parametrize("policy", ALWAYS)
def test_cases_of_the_pool_are_ranked_once_each_the_same_every_time(asking, policy):
    first = asking.rank(policy, top=12)
    assert first == asking.rank(policy, top=12)
    assert len(set(keys(first))) == len(first) == 12
    assert set(keys(first)) <= set(asking.pool)
    assert all(isinstance(c.key, int) and np.isfinite(c.score) for c in first)


@pytest.mark.parametrize("policy", POLICIES)
def test_one_thread_chooses_the_same(asking, policy):
    assert keys(asking.rank(policy, threads=1)) == keys(asking.rank(policy))


@pytest.mark.parametrize("policy", POLICIES)
def test_an_empty_pool_has_no_choices(asking, policy):
    assert asking.rank(policy, keys=[]) == []


@pytest.mark.parametrize("policy", ALWAYS)
def test_a_pool_smaller_than_asked_for_is_offered_whole(asking, policy):
    assert sorted(keys(asking.rank(policy, top=64, keys=[200, 205, 230]))) == [200, 205, 230]


@pytest.mark.parametrize("policy", NEED_VERSION)
def test_without_a_version_they_say_so(ask, policy):
    with pytest.raises(PolicyNeedsVersion) as caught:
        ask(cases=30, labelled=5).rank(policy)
    assert caught.value.params == {"policy": policy}


@pytest.mark.parametrize("policy", NEED_NOTHING)
def test_without_a_version_or_any_label_these_work(ask, policy):
    assert len(ask(cases=30, labelled=0).rank(policy)) == 5


@pytest.mark.parametrize("policy", LOOK)
def test_cases_without_features_are_left_out(asking, policy):
    for key in (150, 151, 152):
        asking.world.hashes["image"][key] = asking.world.hashes["text"][key] = ()
    found = keys(asking.rank(policy, keys=[150, 151, 152, 200, 201]))
    assert sorted(found[:2]) == [200, 201]
    # The default keeps nobody waiting for features.
    assert sorted(found[2:]) == ([150, 151, 152] if policy == "hybrid" else [])


@pytest.mark.parametrize("policy", NEED_NOTHING)
@pytest.mark.parametrize("labelled", [0, 5])
def test_without_any_feature_only_random_and_the_default_go_on(ask, policy, labelled):
    asking = ask(cases=30, labelled=labelled)
    for m in asking.world.hashes:
        asking.world.hashes[m] = [()] * 30
    expected = 5 if policy in ("random", "hybrid") else 0
    assert len(asking.rank(policy)) == expected


@pytest.mark.parametrize("policy", LOOK)
def test_cases_with_one_modality_take_part(asking, policy):
    asking.world.hashes["image"][150] = ()
    asking.world.hashes["text"][151] = ()
    assert sorted(keys(asking.rank(policy, keys=[150, 151]))) == [150, 151]


@pytest.mark.parametrize("policy", LOOK)
def test_damaged_features_are_named_and_passed_over(asking, policy):
    asking.world.matrices["image"][150] = np.nan
    asking.world.matrices["text"][150, 3] = np.inf
    asking.world.matrices["text"][151] = np.nan
    chosen, steps = asking.rank(policy, keys=[150, 151, 152]), asking.steps(
        policy, keys=[150, 151, 152]
    )
    assert sorted(keys(chosen)[:2]) == [151, 152]
    problems = [(m.code, m.params) for step in steps for m in step.problems]
    assert problems == [
        ("acquire.damaged", {"key": 150, "modality": "image"}),
        ("acquire.damaged", {"key": 150, "modality": "text"}),
        ("acquire.damaged", {"key": 151, "modality": "text"}),
    ]


@pytest.mark.parametrize("policy", LOOK)
def test_a_finding_nobody_labelled_is_no_reason(ask, policy):
    asking = ask(cases=200)
    targets = asking.world.truth.copy()
    targets[:, 3] = np.nan
    asking.version, _ = asking.rounds.train(
        asking.world.table(targets=targets, rows=np.arange(120))
    )
    chosen = asking.rank(policy, top=10)
    assert len(chosen) == 10
    assert "Finding D" not in {choice.params.get("finding") for choice in chosen}


@pytest.mark.parametrize("policy", ALWAYS)
def test_it_can_be_cancelled(asking, policy):
    work = asking.registry.rank(asking.request(policy))
    assert next(work).stage == "progress.acquire"
    work.close()
    assert len(asking.rank(policy)) == 5
