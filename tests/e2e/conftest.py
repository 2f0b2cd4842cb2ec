"""Projects for the end-to-end tests: the synthetic cohort, made once, and the real sets beside us.

Copies are handed out, so that no test sees what another did.
"""

import shutil
from pathlib import Path

import pytest

from mmreview.compose import ProjectOpener
from mmreview.console import Console

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def covid():
    """The real chest radiographs with notes (see ../shared/data/DATA.md), if they are there."""
    folder = SHARED / "covid_chestxray"
    if not (folder / "pairs.jsonl").exists():
        pytest.skip("the real data set ../shared/data/covid_chestxray is not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def made_demo(tmp_path_factory):
    """A synthetic project: drawn, imported, encoded with the real encoders, fitted, scored."""
    folder = tmp_path_factory.mktemp("made") / "demo.mmreview"
    opener = ProjectOpener(device="cpu")
    desk = opener.create_demo(folder, seed=3)
    Console().run(opener.fill_demo(desk, cases=48, seed=3))
    desk.close()
    return folder


@pytest.fixture
def demo(made_demo, tmp_path):
    """A copy of the synthetic project."""
    return Path(shutil.copytree(made_demo, tmp_path / "demo.mmreview"))
