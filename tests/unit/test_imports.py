import sys

import pytest

from mmreview import imports


@pytest.fixture(scope="module")
def everything():
    return {name for module in imports.modules() for name in imports.wanted(module)}


def test_imports_inside_functions_are_found(everything):
    assert everything >= {
        "alembic.command", "timm.models.efficientnet", "mmreview.ui.dialogs.about",
        "transformers.models.bert.modeling_bert.BertModel", "sklearn.feature_extraction.text",
    }
    assert "mmreview.cli" in imports.modules()


def test_what_builds_the_program_is_no_part_of_it():
    assert not [name for name in imports.modules() if name.startswith("mmreview.installer")]


def test_a_missing_module_is_named(monkeypatch):
    monkeypatch.setattr(imports, "modules", lambda: ("mmreview.paths", "mmreview.formats.lines"))
    assert imports.missing() == ()
    monkeypatch.setitem(sys.modules, "platformdirs", None)
    assert any(name.startswith("platformdirs: ") for name in imports.missing())


def test_an_extra_may_be_missing(monkeypatch):
    monkeypatch.setattr(imports, "modules", lambda: ("mmreview.formats.tensorboard",))
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert imports.missing() == ()
