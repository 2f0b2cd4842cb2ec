"""``simulate`` on a small project: table, CSV and picture, and the project as it was."""

import csv

from PySide6.QtGui import QImage

from tests.program import run, said


def test_a_simulation_writes_what_it_found(demo, tmp_path):
    out = tmp_path / "simulation"
    before = said("verify", demo)["events"]
    words = ("simulate", demo, "--policy", "margin", "--seeds", 1, "--batch", 5, "--budget", 10,
             "--noise", 0.05, "--out", out)
    found = said(*words)
    assert [row["policy"] for row in found["policies"]] == ["random", "margin"]
    assert found["synthetic"] is True
    assert found["noise"] == 0.05
    assert [point[0] for point in found["curves"]["margin"]] == [0, 5, 10]
    assert said("verify", demo)["events"] == before
    with (out / "label-saving.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["policy"] for row in rows} == {"random", "margin"}
    assert all(0 <= float(row["auroc"]) <= 1 for row in rows)
    picture = QImage(str(out / "label-saving.png"))
    assert (picture.width(), picture.height()) == (2080, 1200)
    colours = {picture.pixel(x, 620) for x in range(0, 2080, 3)}
    assert len(colours) > 3
    code, text, _ = run(*words)  # from the runs that are kept
    assert code == 0
    assert "margin" in text


def test_what_cannot_be_simulated_is_refused_with_a_sentence(demo, tmp_path):
    code, _, err = run("simulate", demo, "--policy", "clairvoyance", "--out", tmp_path / "s")
    assert code == 2
    assert "clairvoyance" in err
    code, _, err = run("simulate", demo, "--out", demo / "inside")
    assert code == 2
