"""The weight strip: what serves, a what-if by mouse and keys, and the way back."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QPushButton, QSlider, QWidget

from mmreview.domain.versions import ServingModel
from mmreview.ui.share_sliders import ShareSliders
from mmreview.ui.text_line import TextLine
from mmreview.ui.weight_panel import WeightPanel

MODEL = ServingModel(
    7, "pooling", {"image": 0.55, "text": 0.45}, {"image": 0.46, "text": 0.54},
    {"image": 0.63, "text": 0.37},
)


@pytest.fixture
def panel(qtbot):
    made = WeightPanel()
    qtbot.addWidget(made)
    made.resize(800, 46)
    made.show_model(MODEL)
    made.show()
    yield made
    made.close()


def slider(panel) -> QSlider:
    return panel.findChild(QSlider, "lambdaSlider")


def back(panel) -> QPushButton:
    return panel.findChild(QPushButton, "backToServingButton")


def said(panel) -> list[str]:
    return [w.accessibleName() for w in panel.findChildren(QWidget) if w.isVisible()]


def test_it_shows_the_weights_that_serve(panel):
    assert "Image .55" in said(panel)
    assert "Report .45" in said(panel)
    assert slider(panel).value() == 55
    assert not back(panel).isVisible()


def test_dragging_moves_the_weights_live(panel, qtbot):
    moved = []
    panel.weightsMoved.connect(moved.append)
    bar = slider(panel)
    middle = bar.height() // 2
    at = QPoint(bar.width() // 4, middle)
    qtbot.mousePress(bar, Qt.MouseButton.LeftButton, pos=at)
    qtbot.mouseMove(bar, QPoint(bar.width() // 2, middle))
    qtbot.mouseRelease(bar, Qt.MouseButton.LeftButton, pos=QPoint(bar.width() // 2, middle))
    assert moved[0]["image"] == pytest.approx(0.25, abs=0.02)
    assert moved[-1]["image"] == pytest.approx(0.5, abs=0.02)
    assert all(sum(weights.values()) == pytest.approx(1.0) for weights in moved)
    assert "what-if" in said(panel)
    assert back(panel).isVisible()


def test_keys_move_it_and_one_click_goes_back(panel, qtbot):
    moved, left = [], []
    panel.weightsMoved.connect(moved.append)
    panel.whatIfLeft.connect(lambda: left.append(True))
    qtbot.keyClick(slider(panel), Qt.Key.Key_Right)
    assert moved == [{"image": pytest.approx(0.56), "text": pytest.approx(0.44)}]
    assert "Image .56" in said(panel)
    qtbot.mouseClick(back(panel), Qt.MouseButton.LeftButton)
    assert left == [True]
    assert len(moved) == 1, "going back is not another what-if"
    assert "Image .55" in said(panel)
    assert not panel.is_what_if


def test_the_slider_keeps_its_place_when_the_mark_comes(panel):
    before = slider(panel).geometry()
    panel.set_what_if(True)
    assert slider(panel).geometry() == before


def test_marks_say_what_they_are(panel, qtbot, dark):
    plain = slider(panel).grab().toImage()
    panel.show_model(ServingModel(7, "pooling", MODEL.weights, {}, {}))
    assert slider(panel).grab().toImage() != plain


def test_without_weights_it_says_so_calmly(panel):
    panel.show_model(None)
    assert not slider(panel).isVisible()
    assert any("first version" in text for text in said(panel))
    panel.show_model(ServingModel(8, "gated", {}, {}, {}))
    assert any("Version 8 (gated)" in text for text in said(panel))
    panel.show_model(MODEL)
    assert slider(panel).isVisible()


def test_a_case_with_one_opinion_turns_it_off(panel, qtbot):
    moved = []
    panel.weightsMoved.connect(moved.append)
    panel.setEnabled(False)
    qtbot.keyClick(slider(panel), Qt.Key.Key_Right)
    assert moved == []
    assert "changes nothing on this case" in panel.toolTip()
    panel.set_what_if(False)  # another case that has one opinion
    assert "changes nothing" in slider(panel).toolTip()
    panel.setEnabled(True)
    assert panel.toolTip() == ""


def test_a_narrow_window_still_says_both_values(panel, qtbot):
    panel.show_model(MODEL)
    panel.resize(360, panel.height())
    qtbot.wait(20)
    for line in (panel._image, panel._report):
        assert line.width() >= line.sizeHint().width()
    assert slider(panel).width() > 80


THREE = ServingModel(
    9, "mixture", {"image": 0.5, "text": 0.3, "clinical": 0.2},
    {"image": 0.4, "text": 0.4, "clinical": 0.2}, {},
)


def share(panel, name) -> QSlider:
    return panel.findChild(QSlider, f"lambdaSlider.{name}")


def test_three_modalities_have_a_slider_each_and_keep_their_sum(panel, qtbot):
    moved = []
    panel.weightsMoved.connect(moved.append)
    panel.show_model(THREE)
    assert not slider(panel).isVisible()
    assert [share(panel, m).value() for m in THREE.weights] == [50, 30, 20]
    assert {"Image .50", "Report .30", "Values .20", "Weight: Values"} <= set(said(panel))
    qtbot.keyClick(share(panel, "clinical"), Qt.Key.Key_PageUp)
    assert moved[-1] == pytest.approx({"image": 0.4375, "text": 0.2625, "clinical": 0.3})
    assert panel.weights() == moved[-1]
    assert back(panel).isVisible()
    for key in (Qt.Key.Key_End, Qt.Key.Key_Home):  # all of it, then nothing: evenly among the rest
        qtbot.keyClick(share(panel, "clinical"), key)
        assert sum(moved[-1].values()) == pytest.approx(1.0)
    assert moved[-1] == pytest.approx({"image": 0.5, "text": 0.5, "clinical": 0.0})
    qtbot.mouseClick(back(panel), Qt.MouseButton.LeftButton)
    assert panel.weights() == pytest.approx(dict(THREE.weights))
    assert "Image .50" in said(panel)
    panel.show_model(MODEL)
    assert slider(panel).isVisible()
    assert not share(panel, "image").isVisible()


def test_three_sliders_stand_in_the_narrowest_middle(panel, qtbot):
    panel.show_model(THREE)
    panel.resize(620, panel.height())
    qtbot.wait(20)
    for line in panel._shares._values.values():
        assert line.width() >= line.sizeHint().width()
    assert all(share(panel, m).width() >= 44 for m in THREE.weights)


def test_of_a_fusion_without_a_weight_the_strip_is_reason_enough(panel):
    panel.setEnabled(False)
    assert "every modality" in panel.toolTip()
    panel.show_model(ServingModel(8, "gmu", {}, {}, {}))
    assert "Version 8 (gmu) fuses without a weight to move." in said(panel)
    assert panel.toolTip() == ""
    panel.show_model(MODEL)
    assert "every modality" in panel.toolTip()


def test_narrow_sliders_of_three_keep_their_numbers(qtbot):
    sliders = ShareSliders()
    qtbot.addWidget(sliders)
    sliders.resize(600, 40)
    sliders.show_weights({"image": 0.2, "text": 0.5, "clinical": 0.3})
    sliders.show()
    [line] = [w for w in sliders.findChildren(TextLine) if w.accessibleName() == "Values .30"]
    assert line.text() == "Values .30"
    sliders.resize(320, 40)
    qtbot.waitUntil(lambda: line.text() == ".30")
    assert line.width() >= line.sizeHint().width()
    assert line.accessibleName() == line.toolTip() == "Values .30"
    sliders.resize(600, 40)
    qtbot.waitUntil(lambda: line.text() == "Values .30")
    sliders.close()
