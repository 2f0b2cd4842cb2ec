"""The user's manual in a window of the program: offline, and no other program is needed."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QUrl
from PySide6.QtGui import QTextDocument
from PySide6.QtWidgets import QTextBrowser, QWidget

from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.dialog import Dialog, Well
from mmreview.ui.theme import UNIT


class ManualDialog(Dialog):
    """Pages of ``folder`` (Markdown); links lead from one to the other."""

    def __init__(self, parent: QWidget | None, folder: Path) -> None:
        super().__init__(parent, name="manualDialog", title=tr("ui.manual.title"))
        self.resize(200 * UNIT, 150 * UNIT)
        self._browser = QTextBrowser(self)
        self._browser.setObjectName("manualPage")
        self._browser.setAccessibleName(tr("ui.manual.title"))
        self._browser.setOpenExternalLinks(False)
        self._browser.document().setDefaultFont(theme.font())
        self._browser.document().setDocumentMargin(4 * UNIT)
        self._browser.setSource(
            QUrl.fromLocalFile(str(folder / "index.md")),
            QTextDocument.ResourceType.MarkdownResource,
        )
        self.body.addWidget(Well(self._browser, self), 1)
        back = self.button("manualBack", tr("ui.manual.back"))
        back.clicked.connect(self._browser.backward)
        self._browser.backwardAvailable.connect(back.setEnabled)
        back.setEnabled(False)
        close = self.button("closeButton", tr("ui.dialog.close"), primary=True)
        close.clicked.connect(self.accept)
        self.add_buttons(back, close)
        self._browser.setFocus()
