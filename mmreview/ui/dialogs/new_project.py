"""A new project: where it lies and which findings it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFormLayout, QLineEdit, QWidget

from mmreview.translation import tr
from mmreview.ui.dialogs.choice_field import ChoiceField
from mmreview.ui.dialogs.dialog import Dialog, note
from mmreview.ui.dialogs.path_field import PathField
from mmreview.ui.theme import UNIT

_SUFFIX = ".mmreview"


class NewProjectDialog(Dialog):
    """Asks for a name, a folder and a finding schema."""

    projectWanted = Signal(str, str)  # the project's folder, a built-in schema or a YAML file

    def __init__(
        self, parent: QWidget | None, *, folder: str = "", schemas: Sequence[str] = ()
    ) -> None:
        super().__init__(
            parent, name="newProjectDialog", title=tr("ui.new_project.title"),
            hint=tr("ui.new_project.hint"),
        )
        self.setMinimumWidth(140 * UNIT)
        self._name = QLineEdit(self)
        self._name.setObjectName("projectName")
        self._name.setAccessibleName(tr("ui.new_project.name"))
        self._name.setPlaceholderText(tr("ui.new_project.name.example"))
        self._folder = PathField(
            self, name="projectFolder", title=tr("ui.new_project.folder"), folders=True
        )
        self._folder.set_path(folder)
        self._schema = ChoiceField(self)
        self._schema.setObjectName("projectSchema")
        self._schema.setAccessibleName(tr("ui.new_project.schema"))
        for schema in schemas:
            self._schema.addItem(schema, schema)
        self._schema.addItem(tr("ui.new_project.own_schema"), None)
        self._file = PathField(
            self, name="schemaFile", title=tr("ui.new_project.schema_file"),
            pattern=tr("ui.new_project.schema_pattern"),
        )
        self._file.set_placeholder("findings.yaml")
        self._where = note("", self)
        self._where.setObjectName("projectPath")
        self._create = self.button("createButton", tr("ui.new_project.create"), primary=True)
        self._create.clicked.connect(self._on_create_clicked)
        cancel = self.button("cancelButton", tr("ui.dialog.cancel"))
        cancel.clicked.connect(self.reject)
        self._form = QFormLayout()
        self._form.setHorizontalSpacing(4 * UNIT)
        self._form.setVerticalSpacing(2 * UNIT)
        self._form.addRow(tr("ui.new_project.name"), self._name)
        self._form.addRow(tr("ui.new_project.folder"), self._folder)
        self._form.addRow(tr("ui.new_project.schema"), self._schema)
        self._form.addRow("", self._file)
        self.body.addLayout(self._form)
        self.body.addWidget(self._where)
        self.body.addStretch(1)
        self.add_buttons(cancel, self._create)
        self._name.textChanged.connect(self._on_changed)
        self._folder.pathChanged.connect(self._on_changed)
        self._file.pathChanged.connect(self._on_changed)
        self._schema.currentIndexChanged.connect(self._on_changed)
        self._on_changed()

    @property
    def project(self) -> Path | None:
        """The folder that would be made, None while the name or the folder is missing."""
        name = self._name.text().strip().removesuffix(_SUFFIX)
        if not name or name.startswith(".") or any(c in name for c in '/\\:*?"<>|'):
            return None
        if not self._folder.path:
            return None
        return Path(self._folder.path).expanduser() / f"{name}{_SUFFIX}"

    def _chosen_schema(self) -> str:
        schema = self._schema.currentData()
        return self._file.path if schema is None else str(schema)

    def _on_changed(self) -> None:
        self._form.setRowVisible(self._file, self._schema.currentData() is None)
        project = self.project
        taken = project is not None and project.exists()
        if project is None:
            self._where.setText(tr("ui.new_project.unnamed"))
        elif taken:
            self._where.setText(tr("ui.new_project.taken", path=project))
        else:
            self._where.setText(tr("ui.new_project.path", path=project))
        self._create.setEnabled(project is not None and not taken and bool(self._chosen_schema()))

    def _on_create_clicked(self) -> None:
        if self.project is not None:
            self.projectWanted.emit(str(self.project), self._chosen_schema())
            self.accept()
