"""The main job on real pairs: import, encode, fit, evaluate by patient; correct through the real
widgets with the real runner, fine-tune in the background, and find all of it in the database."""

import json
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QPushButton

from mmreview.compose import ProjectOpener
from mmreview.domain.findings import State
from mmreview.domain.versions import Role
from mmreview.settings import Settings
from mmreview.tasks.runner import Runner
from mmreview.ui import theme
from mmreview.ui.main_window import MainWindow
from tests import program

KEYS = {State.PRESENT: Qt.Key.Key_1, State.ABSENT: Qt.Key.Key_2}
WANTED = 50


def run(*words):
    code, out, errors = program.run(*words, "--json")
    return code, json.loads(out), errors


@pytest.fixture(scope="module")
def project(covid, tmp_path_factory):
    folder = tmp_path_factory.mktemp("real") / "covid.mmreview"
    schema = Path(__file__).parent / "covid-schema.yaml"
    assert run("init", folder, "--schema", schema)[0] == 0
    code, imported, errors = run("import", folder, covid / "pairs.jsonl", "--labels-complete")
    assert imported["added"] == 577, errors
    assert code == 0, errors
    assert run("encode", folder)[1]["cases"] == 577
    trained = run("train", folder)[1]
    assert trained["role"] == "champion"
    return folder


@pytest.fixture
def window(project, qtbot, qapp):
    theme.apply(qapp, "dark")
    runner = Runner()
    made = MainWindow(
        runner=runner, settings=Settings(automatic=False, reader="Ada"), opener=ProjectOpener(),
        remember=False,
    )
    made.resize(1440, 900)
    made.show()
    made.open_project(project)
    qtbot.waitUntil(lambda: made.is_settled and made.page.case_id != "", timeout=60_000)
    yield made
    made.close()
    qtbot.waitUntil(lambda: made.is_closed, timeout=30_000)
    made.deleteLater()


def test_evaluation_by_patient_group_has_every_figure(project, capsys):
    code, found, errors = run("evaluate", project, "--folds", "3", "--group", "patient")
    assert code == 0, errors
    macro = {row["opinion"]: row for row in found["rows"] if row["finding"] == "macro"}
    with capsys.disabled():
        print(f"\nreal pairs, {found['cases']} cases, {found['groups']} groups, 3 folds")
        for opinion in ("fused", "image", "text"):
            row = macro[opinion]
            figures = ("auroc", "f1", "recall", "accuracy", "ece")
            print(f"  {opinion:6}", *(f"{name} {row[name]:.3f}" for name in figures))
    assert macro["text"]["auroc"] > 0.7
    assert macro["image"]["auroc"] > 0.55
    assert macro["fused"]["auroc"] > macro["image"]["auroc"]


def confirm(window, qtbot, left):
    """Confirm by key what the import says of the open case; returns how many keys were pressed."""
    desk, page = window.session.desk, window.page
    case = desk.cases.find(page.case_id)
    states = desk.cases.states(case.key)
    pressed = 0
    for finding in desk.info.schema.names:
        held = states.get(finding)
        if held is None or held.reader or held.state not in KEYS or pressed == left:
            continue
        page.findings.select(finding)
        QTest.keyClick(page.findings, KEYS[held.state])
        pressed += 1
    qtbot.waitUntil(lambda: window.session.saving.is_settled, timeout=10_000)
    return pressed


def test_fifty_corrections_and_a_fine_tune_through_the_window(window, qtbot, project):
    page, desk = window.page, window.session.desk
    before = desk.learning.champion()
    made = 0
    while made < WANTED:
        made += confirm(window, qtbot, WANTED - made)
        opened = page.case_id
        QTest.keyClick(page.findings, Qt.Key.Key_Return)
        qtbot.waitUntil(
            lambda was=opened: page.case_id != was and window.is_settled, timeout=20_000
        )
    with qtbot.waitSignal(window.session.training.finished, timeout=120_000) as ended:
        QTest.mouseClick(
                page.findChild(QPushButton, "trainButton"), Qt.MouseButton.LeftButton
            )
    version = ended.args[0]
    assert version.parent == before.id
    assert version.corrections == WANTED
    if version.role is Role.REFUSED:
        pytest.fail(f"agreeing with the labels made the model worse: {version.gate}")
    qtbot.waitUntil(
        lambda: window.is_settled and desk.predicting.serving().version == version.id,
        timeout=60_000,
    )
    view = desk.reviewing.open_case(desk.cases.find(page.case_id).key)
    if view.prediction is not None:
        assert view.prediction.version == version.id
    kinds = [event.kind for event in desk.events.events()]
    assert kinds.count("correction") == WANTED
    assert kinds.count("read_committed") >= 4  # sixteen findings a case
    assert kinds.count("version_promoted") == 2
    window.close()
    qtbot.waitUntil(lambda: window.is_closed, timeout=30_000)
    assert run("verify", project)[1]["ok"] is True
