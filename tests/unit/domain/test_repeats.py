"""Agreement beyond chance, against scikit-learn."""

import random

import pytest
from sklearn.metrics import cohen_kappa_score

from mmreview.domain.repeats import consistency


@pytest.mark.parametrize("seed", range(4))
def test_kappa_is_cohen_s(seed):
    rng = random.Random(seed)
    states = ["present", "absent", "uncertain"]
    pairs = [(a, a if rng.random() < 0.7 else rng.choice(states))
             for a in rng.choices(states, [2, 5, 1], k=60)]
    found = consistency("ana", "", cases=10, pairs=pairs)
    assert found.kappa == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))
    assert found.low < found.kappa < found.high
    assert (found.pairs, found.agreed) == (60, sum(a == b for a, b in pairs))


def test_where_chance_explains_everything_there_is_no_kappa():
    same = consistency("ana", "Edema", cases=2, pairs=[("absent", "absent")] * 2)
    assert (same.agreed, same.kappa, same.low) == (2, None, None)
    assert consistency("ana", "Edema", cases=0, pairs=[]).kappa is None


def test_full_agreement_on_two_states_is_one():
    pairs = [("absent", "absent"), ("present", "present")]
    assert consistency("ana", "", cases=1, pairs=pairs).kappa == 1.0
