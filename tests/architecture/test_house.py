"""The house's own rules: linters, sizes, import weight, translations, the README's commands."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "mmreview").rglob("*.py"))
BIN = Path(sys.executable).parent


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_ruff_finds_nothing():
    found = run(sys.executable, "-m", "ruff", "check", "mmreview", "tests")
    assert found.returncode == 0, found.stdout


def test_mypy_finds_nothing():
    found = run(sys.executable, "-m", "mypy")
    assert found.returncode == 0, found.stdout


def test_rooms_import_only_what_they_may():
    found = run(str(BIN / "lint-imports"), "--no-cache")
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_readable(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert text.count("\n") <= 600, "split it along what a reader would look for"
    assert ast.get_docstring(tree), "say what the module is for"
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= 60, f"{node.name} has {length} lines"


def test_the_window_imports_no_heavy_library():
    heavy = ["torch", "transformers", "sqlalchemy", "pyqtgraph", "timm", "sklearn", "alembic"]
    code = (
        "import sys, mmreview.ui.main_window\n"
        f"print([name for name in {heavy!r} if name in sys.modules])"
    )
    found = run(sys.executable, "-c", code)
    assert found.stdout.strip() == "[]", found.stdout + found.stderr


def sentences(language: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted((ROOT / "resources" / "translations" / language).glob("*.json")):
        for code, text in json.loads(path.read_text(encoding="utf-8")).items():
            assert code not in found, f"{code} stands twice ({path.name})"
            found[code] = text
    return found


CODE = re.compile(
    r"""(?:\btr|Message|Progress|TrainingStep)\(\s*\n?\s*["']([a-z_]+(?:\.[a-z_0-9]+)+)["']"""
)


def test_every_code_that_is_named_has_a_sentence():
    known = sentences("en")
    missing = {
        f"{path.relative_to(ROOT)}: {code}"
        for path in SOURCES
        for code in CODE.findall(path.read_text())
        if code not in known
    }
    assert not missing


def test_every_error_class_has_a_sentence():
    known = sentences("en")
    codes = {
        code
        for path in SOURCES
        for code in re.findall(r'^    code = "([a-z_.]+)"', path.read_text(), re.M)
    }
    assert codes
    assert codes <= known.keys()


def test_translations_keep_the_parameters():
    english = sentences("en")
    for code, text in sentences("zh_CN").items():
        assert set(re.findall(r"{(\w+)", text)) <= set(re.findall(r"{(\w+)", english[code])), code


def test_ci_runs_the_readme_command_word_for_word():
    readme = (ROOT / "README.md").read_text()
    commands = re.findall(r"^(python3 -m venv .*pytest.*)$", readme, re.M)
    assert len(commands) == 1
    assert commands[0] in (ROOT / ".ci" / "run").read_text()
