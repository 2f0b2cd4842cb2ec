"""What tests of dialogs press by name, and what a person reads there."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel, QLineEdit, QPushButton, QWidget


def button(dialog: QWidget, name: str) -> QPushButton:
    return dialog.findChild(QPushButton, name)


def press(dialog: QWidget, name: str) -> None:
    QTest.mouseClick(button(dialog, name), Qt.MouseButton.LeftButton)


def line(dialog: QWidget, name: str) -> QLineEdit:
    return dialog.findChild(QLineEdit, name)


def visible_texts(widget: QWidget) -> list[str]:
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]
