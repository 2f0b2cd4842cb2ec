"""The tables that commands print of a search and of a learning curve."""

from mmreview.reporting import candidate_words, curve_table, search_table

USUAL, FREER = {"freedom": 1.0, "without": []}, {"freedom": 3.0, "without": ["image.middle"]}


def row(fusion, plan, *difference):
    return {
        "fusion": fusion, "plan": plan, "auroc": 0.8, "log_loss": 0.2, "ece": 0.03, "ahead": None,
        "intervals": {"auroc": [0.7, 0.9], "log_loss": None},
        "difference": {"auroc": list(difference)} if difference else {},
    }


def found(**more):
    return {
        "default": "mixture", "default_plan": USUAL, "chosen": "mixture", "plan": USUAL,
        "reason": "search.kept", "tried": 2, "cases": 200, "groups": 90, "folds": 5,
        "picked": [{"fusion": "soft", "plan": USUAL}],
        "searched": {"auroc": 0.81, "log_loss": 0.19, "difference": {"log_loss": [0.01, -0.02, 0]}},
        "rows": [row("mixture", USUAL), row("soft", FREER, 0.01, -0.02, 0.04)], **more,
    }


def test_a_search_says_what_serves_what_choosing_is_worth_and_all_that_was_tried():
    lines = search_table(found()).splitlines()
    assert lines[0] == "mixture goes on: of 2 candidates none is surely better."
    assert "200 cases of 90 patient groups in 5 folds" in lines[1]
    assert "log-loss -0.0100 against what served before (95 %: +0.0000 to +0.0200" in lines[2]
    assert lines[-1].startswith("soft, freer heads, without the image's middle layers  0.800")
    assert "+0.010 (-0.020 – +0.040)" in lines[-1]


def test_where_every_fold_chose_what_served_there_is_no_difference_to_tell():
    same = found(picked=[{"fusion": "mixture", "plan": USUAL}] * 5)
    assert "the same choice came out every time" in search_table(same)


def test_a_table_of_an_older_version_is_still_told():
    old = {k: v for k, v in found().items()
           if k in ("default", "chosen", "cases", "groups", "folds")}
    text = search_table({**old, "rows": [row("mixture", None), row("image", None)]})
    assert text.startswith("mixture goes on: of 2 candidates")
    assert "Choosing" not in text


def test_a_part_without_words_is_called_by_its_name():
    plan = {"freedom": 1 / 3, "without": ["values.laboratory"]}
    assert candidate_words("soft", plan) == "soft, tighter heads, without values.laboratory"


def test_a_learning_curve_is_a_line_for_each_number_of_labels():
    points = [
        {"cases": 20, "labels": 40, "rows": {"macro": {"fused": [0.6, None, None]}}},
        {"cases": 40, "labels": 80, "rows": {"macro": {"fused": [0.8, 0.7, 0.9]}}},
    ]
    lines = curve_table({"points": points}).splitlines()
    assert lines[2].split() == ["40", "20", "0.600", "–"]
    assert lines[3].split() == ["80", "40", "0.800", "0.700", "–", "0.900"]
