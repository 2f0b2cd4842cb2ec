"""What this program is, which version, under which licence, and what it is not for."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

from mmreview import __version__
from mmreview.translation import tr
from mmreview.ui import theme
from mmreview.ui.dialogs.dialog import Dialog, note
from mmreview.ui.theme import UNIT


class AboutDialog(Dialog):
    """Version, licence, notice."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent, name="aboutDialog", title=tr("ui.about.title"))
        self.setMinimumWidth(100 * UNIT)
        version = QLabel(tr("ui.about.version", version=__version__), self)
        version.setObjectName("aboutVersion")
        version.setFont(theme.font(tabular=True))
        version.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.body.addWidget(version)
        self.body.addWidget(note(tr("ui.welcome.what"), self))
        self.body.addWidget(note(tr("ui.about.licence"), self))
        notice = QLabel(tr("ui.welcome.notice"), self)
        notice.setObjectName("aboutNotice")
        notice.setWordWrap(True)
        self.body.addWidget(notice)
        close = self.button("closeButton", tr("ui.dialog.close"), primary=True)
        close.clicked.connect(self.accept)
        self.add_buttons(close)
