"""Quotas and whose turn a place of the queue is."""

from collections import Counter
from itertools import islice

import pytest

from mmreview.domain.streams import (
    QueueRules,
    QuotaInvalid,
    Quotas,
    Stream,
    parse_quotas,
    rules_of,
    turns,
)


def test_quotas_are_read_over_what_held_before():
    before = Quotas()
    found = parse_quotas("audit=20, repeats = 3%", before=before)
    assert (found.audit, found.repeats, found.control) == (20, 3, before.control)
    assert parse_quotas("", before=before) == before
    assert parse_quotas("none", before=before).total == 0
    assert parse_quotas("audit=60,control=25,conflict=5,label_error=8,repeats=2",
                        before=before).shares()[Stream.POLICY] == pytest.approx(0)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("audit=90", "error.quota_sum"),
        ("audit=-1", "error.quota_share"),
        ("audit=nan", "error.quota_share"),
        ("audit=many", "error.quota_share"),
        ("audit", "error.quota_share"),
        ("policy=3", "error.quota_stream"),
        ("=3", "error.quota_stream"),
    ],
)
def test_quotas_that_cannot_be_are_refused(text, code):
    with pytest.raises(QuotaInvalid) as refused:
        parse_quotas(text, before=Quotas())
    assert refused.value.code == code


def test_rules_come_back_as_they_were_stored():
    rules = QueueRules(policy="margin", quotas=Quotas(audit=1), apart=7)
    assert rules_of(rules.to_json()) == rules
    for broken in (None, 3, {"quotas": {"audit": 300}}, {"apart": "x"}, {"apart": 0}):
        assert rules_of(broken) == QueueRules()
    assert rules_of({"quotas": {"audit": 3, "unknown": 9}}).quotas.audit == 3


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("start", [0, 1, 17, 512, 900_001])
def test_every_window_holds_the_shares(seed, start):
    shares = Quotas(repeats=4).shares()
    drawn = list(islice(turns(shares, seed=seed, start=start), 600))
    for width in (20, 50, 100):
        for first in range(0, 600 - width, 7):
            found = Counter(drawn[first : first + width])
            for stream, share in shares.items():
                slack = 6 if stream is Stream.POLICY else 2.5  # it bears all the others'
                assert abs(found[stream] - share * width) <= slack


def test_a_queue_made_anew_goes_on_where_the_one_before_was():
    shares = Quotas().shares()
    whole = list(islice(turns(shares, seed=3, start=0), 400))
    taken: list[Stream] = []
    while len(taken) < 400:  # made anew after every third read
        taken += islice(turns(shares, seed=3, start=len(taken)), 3)
    assert taken[:400] == whole


def test_nobody_can_tell_which_place_is_an_audit_case():
    shares = Quotas().shares()
    places = Counter()
    for seed in range(400):
        drawn = islice(turns(shares, seed=seed, start=0), 10)
        places.update(at for at, stream in enumerate(drawn) if stream is Stream.AUDIT)
    assert max(places.values()) < 3 * min(places[at] for at in range(9))


def test_an_equal_seed_is_an_equal_order():
    shares = Quotas().shares()
    orders = [list(islice(turns(shares, seed=s, start=5), 50)) for s in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]
