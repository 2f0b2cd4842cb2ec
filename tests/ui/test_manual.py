"""The manual is read inside the program: every page is there and every link leads to one."""

import re

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtWidgets import QPushButton, QTextBrowser

from mmreview import paths
from mmreview.ui.dialogs.manual import ManualDialog

HELP = paths.resources() / "help"
PAGES = sorted(path.name for path in HELP.glob("*.md"))


@pytest.fixture
def manual(qtbot):
    dialog = ManualDialog(None, HELP)
    qtbot.addWidget(dialog)
    return dialog


def test_it_opens_on_its_first_page_and_leads_back(manual):
    page = manual.findChild(QTextBrowser, "manualPage")
    first = page.toPlainText()
    assert len(first) > 200
    assert "](" not in first  # shown, not quoted
    page.setSource(page.source().resolved(QUrl("opinions.md")))
    assert page.toPlainText() != first
    manual.findChild(QPushButton, "manualBack").click()
    assert page.toPlainText() == first


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_pages_that_are_there(name):
    for target in re.findall(r"\]\(([^)#]+)\)", (HELP / name).read_text()):
        assert target.startswith("https://") or (HELP / target).exists(), target
